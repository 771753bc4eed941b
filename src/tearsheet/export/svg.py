"""SVG pictures as files: a window with the charts of the pages, and simulations with and without limits.

Coordinates are integers, so that the same data gives the same bytes. SVG and not PNG: the text of a PNG
depends on the fonts of the machine, and a renderer is a native wheel of several megabytes.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from itertools import accumulate
from xml.sax.saxutils import escape

from tearsheet.export.bar_charts import columns_picture
from tearsheet.export.curve_chart import CurveLook, curve_picture
from tearsheet.export.plot import ChartWords, chart_style, svg, text
from tearsheet.export.scale import Scale
from tearsheet.performance.series import DailyPoint, DrawnCurve, by_fitting_period
from tearsheet.rules.replay import Replay, ReplayDay
from tearsheet.trade.amount import to_plain_string
from tearsheet.words import format_money

_WIDTH = 960
_LEFT, _RIGHT = 96, 24
_ZERO = Decimal(0)
_WHOLE = Context(prec=100, rounding=ROUND_HALF_EVEN)
#: Height of a replay panel; top and height of its chart.
_REPLAY_HEIGHT, _REPLAY_CHART = 320, (72, 208)
_MIN_LABEL_GAP = 16
#: Lines differ by dash and marker, not by color alone.
_REPLAY_STYLE = """\
text{font:13px system-ui,sans-serif;fill:#334155}
.title{font-size:16px;font-weight:600;fill:#0f172a}
.grid{stroke:#e2e8f0}.zero{stroke:#94a3b8}
.was{fill:none;stroke:#64748b;stroke-width:2;stroke-dasharray:5 4}
.stopped{fill:none;stroke:#0369a1;stroke-width:2.5}
.stop{fill:#fff;stroke:#b91c1c;stroke-width:2}
@media (prefers-color-scheme:dark){svg{background:#0f172a}text{fill:#cbd5e1}.title{fill:#f8fafc}
.grid{stroke:#1e293b}.zero{stroke:#475569}.was{stroke:#94a3b8}.stopped{stroke:#38bdf8}
.stop{fill:#0f172a;stroke:#f87171}}"""
#: Size of a summary's picture, of its curve and of its columns.
_CURVE_SIZE, _COLUMNS_SIZE = (960, 420), (960, 180)
_HEADING, _SUMMARY_HEIGHT = 30, 660


def replay_svg(replays: Sequence[Replay]) -> str:
    """Return a panel for each account: actual P&L, P&L with limits, and each stop."""
    height = _REPLAY_HEIGHT * max(len(replays), 1)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img"'
        f' width="{_WIDTH}" height="{height}">',
        "<title>Replay of limits</title>",
        f"<style>{_REPLAY_STYLE}</style>",
    ]
    for number, replay in enumerate(replays):
        lines += [f'<g transform="translate(0 {number * _REPLAY_HEIGHT})">', *_replay_panel(replay), "</g>"]
    return "\n".join([*lines, "</svg>", ""])


def summary_svg(curve: DrawnCurve, days: Sequence[DailyPoint], words: ChartWords, currency: str) -> str:
    """Return the curve of a period with its drawdown, and the net P&L of each day; empty without any."""
    if not curve.points or not days:
        return ""
    upper = curve_picture(curve, words, CurveLook(*_CURVE_SIZE))
    lower = columns_picture(days, words, *_COLUMNS_SIZE)
    second = _HEADING + _CURVE_SIZE[1]
    is_equity = curve.balance is not None
    parts = [
        f"<style>{chart_style()}</style>",
        text("heading", 120, 180, f"{'Equity' if is_equity else 'Cumulative P&L'} and drawdown, {currency}"),
        _placed(upper.svg, _HEADING),
        text("heading", 120, 10 * second + 150, f"Net P&L by {by_fitting_period(days)[0]}, {currency}"),
        _placed(lower.svg, second + _HEADING),
    ]
    drawn = svg(_CURVE_SIZE[0], _SUMMARY_HEIGHT, parts, f"{upper.description}. {lower.description}")
    return drawn.replace('class="plot"', 'class="plot file"', 1) + "\n"


def _placed(picture: str, y: int) -> str:
    return picture.replace("<svg ", f'<svg y="{y}" ', 1)


class _Panel:
    """Part of a picture's height with a scale of its own."""

    def __init__(self, place: tuple[int, int], amounts: Iterable[Decimal]) -> None:
        self.top, self._height = place
        self.scale = Scale(amounts)

    def y(self, amount: Decimal) -> int:
        """Return the distance of an amount from the top of the picture."""
        return self.top + int(_WHOLE.quantize(self.scale.offset(amount, self._height), Decimal(1)))

    def points(self, amounts: Sequence[Decimal]) -> str:
        """Return a line's points, the first at the left end and the last at the right."""
        return " ".join(f"{_x(n, len(amounts) - 1)},{self.y(amount)}" for n, amount in enumerate(amounts))

    def grid(self, amounts: Iterable[Decimal], label: Callable[[Decimal], str]) -> Iterator[str]:
        """Return a labelled line for each amount."""
        for amount in amounts:
            y = self.y(amount)
            yield f'<path class="{"grid" if amount else "zero"}" d="M{_LEFT} {y}H{_WIDTH - _RIGHT}"/>'
            yield f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{label(amount)}</text>'


def _replay_panel(replay: Replay) -> Iterator[str]:
    days = replay.days
    actual = list(accumulate((day.net for day in days), initial=_ZERO))
    stopped = list(accumulate((day.net_with_limits for day in days), initial=_ZERO))
    panel = _Panel(_REPLAY_CHART, [*actual, *stopped])
    yield f'<text class="title" x="{_LEFT}" y="26">{escape(replay.account)}</text>'
    yield f'<text x="{_LEFT}" y="46">{escape(_summary_line(replay))}</text>'
    yield from panel.grid(_end_amounts(panel), format_money)
    yield f'<polyline class="was" points="{panel.points(actual)}"/>'
    yield f'<polyline class="stopped" points="{panel.points(stopped)}"/>'
    yield from _stop_markers(replay, panel, stopped)
    yield from _date_labels(days, _REPLAY_HEIGHT - 14)


def _end_amounts(panel: _Panel) -> list[Decimal]:
    """Return 0, the lowest and the highest amount, without those whose label would overlap that of 0."""
    zero, ends = panel.y(_ZERO), (panel.scale.low, panel.scale.high)
    return sorted([_ZERO, *(end for end in ends if end and abs(panel.y(end) - zero) > _MIN_LABEL_GAP)])


def _summary_line(replay: Replay) -> str:
    verb = "saved" if replay.saved >= 0 else "cost"
    return (
        f"as it was {format_money(replay.net)} (dashed), as stopped {format_money(replay.net_with_limits)},"
        f" {verb} {format_money(abs(replay.saved))} {replay.currency}; stops: {len(replay.stops)}"
    )


def _stop_markers(replay: Replay, panel: _Panel, stopped: list[Decimal]) -> Iterator[str]:
    """Return a ring at the end of each stopped day, with the limit as its tooltip."""
    numbers = {day.session: number for number, day in enumerate(replay.days, 1)}
    for stop in replay.stops:
        number = numbers.get(stop.trading_day, 0)
        x, y = _x(number, len(replay.days)), panel.y(stopped[number])
        value, threshold = to_plain_string(stop.value), to_plain_string(stop.threshold)
        label = escape(f"{stop.trading_day} {stop.limit} {value} of {threshold}")
        yield (
            f'<circle class="stop" cx="{x}" cy="{y}" r="5">'
            f"<title>{label}, saved {format_money(stop.saved)}</title></circle>"
        )


def _date_labels(days: Sequence[ReplayDay] | Sequence[DailyPoint], y: int) -> Iterator[str]:
    """Return the dates of the first and the last day."""
    if days:
        yield f'<text x="{_LEFT}" y="{y}">{days[0].session}</text>'
    if len(days) > 1:
        yield f'<text x="{_WIDTH - _RIGHT}" y="{y}" text-anchor="end">{days[-1].session}</text>'


def _x(number: int, count: int) -> int:
    """Return the x coordinate after `number` of `count` equal parts of the width."""
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * number // max(count, 1)
