"""SVG charts for exports: daily P&L of a window, and simulations with and without limits.

Coordinates are integers, so that the same data gives the same bytes. SVG and not PNG: the text of a PNG
depends on the fonts of the machine, and a renderer is a native wheel of several megabytes.
"""

from collections.abc import Iterable, Iterator, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from itertools import accumulate
from xml.sax.saxutils import escape

from tearsheet.performance.series import DailyPoint
from tearsheet.rules.replay import Replay, ReplayDay
from tearsheet.trade.amount import to_plain_string
from tearsheet.words import format_money

WIDTH, PANEL = 960, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 96, 24, 72, 40
_MIN_LABEL_GAP = 16
#: Told apart by dash and mark as well as by colour.
_STYLE = """\
text{font:13px system-ui,sans-serif;fill:#334155}
.title{font-size:16px;font-weight:600;fill:#0f172a}
.grid{stroke:#e2e8f0}.zero{stroke:#94a3b8}
.was{fill:none;stroke:#64748b;stroke-width:2;stroke-dasharray:5 4}
.stopped{fill:none;stroke:#0369a1;stroke-width:2.5}
.stop{fill:#fff;stroke:#b91c1c;stroke-width:2}
@media (prefers-color-scheme:dark){svg{background:#0f172a}text{fill:#cbd5e1}.title{fill:#f8fafc}
.grid{stroke:#1e293b}.zero{stroke:#475569}.was{stroke:#94a3b8}.stopped{stroke:#38bdf8}
.stop{fill:#0f172a;stroke:#f87171}}"""
_WHOLE = Context(prec=100, rounding=ROUND_HALF_EVEN)


def replay_svg(replays: Sequence[Replay]) -> str:
    """One panel an account: what was made, what would have been made, and each stop."""
    height = PANEL * max(len(replays), 1)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        f' width="{WIDTH}" height="{height}">',
        "<title>Replay of limits</title>",
        f"<style>{_STYLE}</style>",
    ]
    for number, replay in enumerate(replays):
        lines += [f'<g transform="translate(0 {number * PANEL})">', *_panel(replay), "</g>"]
    return "\n".join([*lines, "</svg>", ""])


class _ReplayScale:
    """Where a day and an amount lie in a panel."""

    def __init__(self, days: int, amounts: Iterable[Decimal]) -> None:
        values = [Decimal(0), *amounts]
        self.low, self.high = min(values), max(values)
        self._days = max(days, 1)

    def x(self, day: int) -> int:
        """The place after so many days; 0 is before the first."""
        return _x(day, self._days)

    def y(self, amount: Decimal) -> int:
        span = self.high - self.low
        room = PANEL - _TOP - _BOTTOM
        share = _WHOLE.divide(self.high - amount, span) if span else Decimal(0)
        return _TOP + int(_WHOLE.quantize(share * room, Decimal(1)))

    def labelled(self) -> list[Decimal]:
        """The lowest and the highest amount, and 0; what would lie over the label of 0 is left out."""
        zero = self.y(Decimal(0))
        ends = [end for end in (self.low, self.high) if end and abs(self.y(end) - zero) > _MIN_LABEL_GAP]
        return sorted([Decimal(0), *ends])


def _panel(replay: Replay) -> Iterator[str]:
    days = replay.days
    was = list(accumulate((day.net for day in days), initial=Decimal(0)))
    stopped = list(accumulate((day.net_with_limits for day in days), initial=Decimal(0)))
    scale = _ReplayScale(len(days), [*was, *stopped])
    yield f'<text class="title" x="{_LEFT}" y="26">{escape(replay.account)}</text>'
    yield f'<text x="{_LEFT}" y="46">{escape(_summary_line(replay))}</text>'
    for amount in scale.labelled():
        kind = "zero" if not amount else "grid"
        y = scale.y(amount)
        yield f'<path class="{kind}" d="M{_LEFT} {y}H{WIDTH - _RIGHT}"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{format_money(amount)}</text>'
    yield _line("was", scale, was)
    yield _line("stopped", scale, stopped)
    yield from _stop_markers(replay, scale, stopped)
    yield from _date_labels(days, PANEL - 14)


def _summary_line(replay: Replay) -> str:
    verb = "saved" if replay.saved >= 0 else "cost"
    return (
        f"as it was {format_money(replay.net)} (dashed), as stopped {format_money(replay.net_with_limits)},"
        f" {verb} {format_money(abs(replay.saved))} {replay.currency}; stops: {len(replay.stops)}"
    )


def _line(kind: str, scale: _ReplayScale, amounts: list[Decimal]) -> str:
    points = " ".join(f"{scale.x(n)},{scale.y(amount)}" for n, amount in enumerate(amounts))
    return f'<polyline class="{kind}" points="{points}"/>'


def _stop_markers(replay: Replay, scale: _ReplayScale, stopped: list[Decimal]) -> Iterator[str]:
    """A ring at the end of each day that was stopped, with its words for those who point at it."""
    names = {day.session: number for number, day in enumerate(replay.days, 1)}
    for stop in replay.stops:
        number = names.get(stop.trading_day, 0)
        words = f"{stop.trading_day} {stop.limit} {to_plain_string(stop.value)} of {to_plain_string(stop.threshold)}"
        yield (
            f'<circle class="stop" cx="{scale.x(number)}" cy="{scale.y(stopped[number])}" r="5">'
            f"<title>{escape(words)}, saved {format_money(stop.saved)}</title></circle>"
        )


def _date_labels(days: Sequence[ReplayDay] | Sequence[DailyPoint], y: int) -> Iterator[str]:
    """The first and the last day."""
    if days:
        yield f'<text x="{_LEFT}" y="{y}">{days[0].session}</text>'
    if len(days) > 1:
        yield f'<text x="{WIDTH - _RIGHT}" y="{y}" text-anchor="end">{days[-1].session}</text>'


#: The panels of a window: where each begins, and how high it is.
_TOTAL, _DEPTH, _DAYS = (40, 230), (318, 84), (450, 112)
_HEIGHT = 600
_MAX_LINES = 4
_SUMMARY_STYLE = """\
.ts text{font:13px system-ui,sans-serif;fill:#58626f}
.ts .heading{font-weight:600;fill:#151a21}
.ts .grid{stroke:#e0e4ea;fill:none}.ts .zero{stroke:#8a94a1;fill:none}
.ts .total{fill:none;stroke:#3157d5;stroke-width:2}.ts .under{fill:#3157d5;opacity:.12}
.ts .depth{fill:none;stroke:#e8622c;stroke-width:1.5}.ts .fall{fill:#e8622c;opacity:.22}
.ts .gain{fill:#12a587}.ts .loss{fill:#e8622c}
@media screen and (prefers-color-scheme:dark){svg.ts{background:#12161c}.ts text{fill:#9ba6b3}
.ts .heading{fill:#e8ecf1}.ts .grid{stroke:#2a313b}.ts .zero{stroke:#6d7885}.ts .total{stroke:#8fa8ff}
.ts .under{fill:#8fa8ff}.ts .depth{stroke:#f27240}.ts .fall{fill:#f27240}
.ts .gain{fill:#2fbf9b}.ts .loss{fill:#f27240}}"""


def summary_svg(days: Sequence[DailyPoint], currency: str) -> str:
    """The running total of a window's sessions, its drawdown underneath, and each session's result."""
    words = f"Cumulative P&L with its drawdown, and net P&L by day, of {len(days)} days in {currency}"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="ts" viewBox="0 0 {WIDTH} {_HEIGHT}"'
        f' width="{WIDTH}" height="{_HEIGHT}" role="img">'
    )
    lines = [head, f"<title>{escape(words)}</title>", f"<style>{_SUMMARY_STYLE}</style>"]
    totals = [Decimal(0), *(day.total for day in days)]
    depths = [Decimal(0), *(-day.max_drawdown for day in days)]  # within the day too, as the metric counts it
    lines += _curve(f"Cumulative P&L, {currency}", totals, _TOTAL, ("under", "total"))
    lines += _curve("Drawdown", depths, _DEPTH, ("fall", "depth"))
    lines += _columns(days)
    lines += _date_labels(days, _HEIGHT - 14)
    return "\n".join([*lines, "</svg>", ""])


class _ChartPanel:
    """Where an amount lies in a stretch of the picture's height, with 0 in it."""

    def __init__(self, place: tuple[int, int], amounts: Iterable[Decimal]) -> None:
        values = [Decimal(0), *amounts]
        self._low, self._high = min(values), max(values)
        self.top, self._room = place

    def y(self, amount: Decimal) -> int:
        """The height of an amount, from the top of the picture."""
        span = self._high - self._low
        share = _WHOLE.divide(self._high - amount, span) if span else Decimal(0)
        return self.top + int(_WHOLE.quantize(share * self._room, Decimal(1)))

    def lines(self) -> list[Decimal]:
        """Round amounts, at most so many in the span, 0 among them."""
        span = self._high - self._low
        if not span:
            return [Decimal(0)]
        step = _nice_step(_WHOLE.divide(span, Decimal(_MAX_LINES)))
        first = int(_WHOLE.divide_int(self._low, step))
        last = int(_WHOLE.divide_int(self._high, step))
        return [step * n for n in range(first, last + 1)]


def _nice_step(least: Decimal) -> Decimal:
    """The smallest of 1, 2, 5, 10, 20 … that is not below."""
    unit = Decimal(1).scaleb(least.adjusted())
    return next(unit * n for n in (1, 2, 5, 10) if unit * n >= least)


def _axis(heading: str, panel: _ChartPanel) -> Iterator[str]:
    yield f'<text class="heading" x="{_LEFT}" y="{panel.top - 14}">{escape(heading)}</text>'
    for amount in panel.lines():
        y = panel.y(amount)
        yield f'<path class="{"grid" if amount else "zero"}" d="M{_LEFT} {y}H{WIDTH - _RIGHT}"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{_tick(amount)}</text>'


def _tick(amount: Decimal) -> str:
    text = format_money(amount)
    return text.removesuffix(".00")


def _curve(
    heading: str, amounts: Sequence[Decimal], place: tuple[int, int], kinds: tuple[str, str]
) -> Iterator[str]:
    panel = _ChartPanel(place, amounts)
    yield from _axis(heading, panel)
    points = " ".join(f"{_x(n, len(amounts) - 1)},{panel.y(a)}" for n, a in enumerate(amounts))
    zero = panel.y(Decimal(0))
    area = f"{_x(0, 1)},{zero} {points} {_x(1, 1)},{zero}"
    yield f'<polygon class="{kinds[0]}" points="{area}"/>'
    yield f'<polyline class="{kinds[1]}" points="{points}"/>'


def _columns(days: Sequence[DailyPoint]) -> Iterator[str]:
    panel = _ChartPanel(_DAYS, (day.net_pnl for day in days))
    yield from _axis("Net P&L by day", panel)
    zero = panel.y(Decimal(0))
    for number, day in enumerate(days):
        left, right = _x(number, len(days)), _x(number + 1, len(days))
        y = panel.y(day.net_pnl)
        wide = max(right - left - (2 if right - left > 5 else 0), 1)
        yield (
            f'<rect class="{"gain" if day.net_pnl >= 0 else "loss"}" x="{left}" y="{min(y, zero)}"'
            f' width="{wide}" height="{abs(zero - y)}"><title>{day.session} {format_money(day.net_pnl)}'
            "</title></rect>"
        )


def _x(number: int, of: int) -> int:
    return _LEFT + (WIDTH - _LEFT - _RIGHT) * number // max(of, 1)
