"""SVG pictures as files: a window with the charts of the pages, and simulations with and without limits.

SVG and not PNG: the text of a PNG
depends on the fonts of the machine, and a renderer is a native wheel of several megabytes.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import accumulate
from zoneinfo import ZoneInfo

from tearsheet.export.bar_charts import columns_picture, two_curves_picture
from tearsheet.export.curve_chart import CurveLook, curve_picture
from tearsheet.export.plot import ChartWords, chart_style, plain_words, svg, text
from tearsheet.performance.series import DailyPoint, DrawnCurve, by_fitting_period
from tearsheet.rules.replay import Replay, ReplayDay, Stop
from tearsheet.trade.amount import exact, to_plain_string
from tearsheet.words import format_money

_ZERO = Decimal(0)
#: Size of the curves of a simulation, and the height of a panel with its two lines of words.
_REPLAY_SIZE, _REPLAY_PANEL = (960, 260), 320
#: Size of a summary's picture, of its curve and of its columns.
_CURVE_SIZE, _COLUMNS_SIZE = (960, 420), (960, 180)
_HEADING, _SUMMARY_HEIGHT = 30, 660


def replay_svg(replays: Sequence[Replay]) -> str:
    """Return a panel for each account: actual P&L, P&L with limits, and each stop."""
    height = _REPLAY_PANEL * max(len(replays), 1)
    parts = [f"<style>{chart_style()}</style>"]
    for number, replay in enumerate(replays):
        parts += _replay_panel(replay, number * _REPLAY_PANEL)
    return _as_file(svg(_REPLAY_SIZE[0], height, parts, "Limit simulation"))


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
    return _as_file(svg(_CURVE_SIZE[0], _SUMMARY_HEIGHT, parts, f"{upper.description}. {lower.description}"))


def _as_file(drawn: str) -> str:
    return drawn.replace('class="plot"', 'class="plot file"', 1) + "\n"


def _placed(picture: str, y: int) -> str:
    return picture.replace("<svg ", f'<svg y="{y}" ', 1)


def _replay_panel(replay: Replay, y: int) -> Iterator[str]:
    yield text("heading", 120, 10 * y + 180, replay.account)
    yield text("mark", 120, 10 * y + 380, _summary_line(replay))
    if not replay.days:
        return
    with_limits = _points(replay.days, [day.net_with_limits for day in replay.days])
    actual = _points(replay.days, [day.net for day in replay.days])
    numbers = {day.session: number for number, day in enumerate(replay.days, 1)}
    marks = [(numbers.get(stop.trading_day, 0), _stop_words(stop)) for stop in replay.stops]
    words = plain_words(ZoneInfo("UTC"))  # an axis of days has no times
    curves = [("With limits", with_limits), ("Actual", actual)]
    yield _placed(two_curves_picture(curves, words, *_REPLAY_SIZE, marks).svg, y + 48)


def _points(days: Sequence[ReplayDay], nets: Sequence[Decimal]) -> tuple[DailyPoint, ...]:
    with exact():
        totals = list(accumulate(nets))
    return tuple(
        DailyPoint(day.session, net, 0, total, _ZERO, _ZERO)
        for day, net, total in zip(days, nets, totals, strict=True)
    )


def _stop_words(stop: Stop) -> str:
    value, threshold = to_plain_string(stop.value), to_plain_string(stop.threshold)
    return f"{stop.trading_day} {stop.limit} {value} of {threshold}, saved {format_money(stop.saved)}"


def _summary_line(replay: Replay) -> str:
    verb = "saved" if replay.saved >= 0 else "cost"
    stops = f"{len(replay.stops)} stop{'s' if len(replay.stops) != 1 else ''}"
    return (
        f"Actual {format_money(replay.net)} (dashed), with limits {format_money(replay.net_with_limits)}:"
        f" {verb} {format_money(abs(replay.saved))} {replay.currency}, {stops}"
    )
