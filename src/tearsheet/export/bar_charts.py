"""Pictures of bars: results by day and their distribution; and of a rolling metric with its band."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise
from xml.sax.saxutils import escape

from msgspec import Struct

from tearsheet.export.axes import AmountAxis, Tick, date_ticks
from tearsheet.export.plot import (
    ChartWords,
    Picture,
    PointStop,
    amount_grid,
    amount_labels,
    date_words,
    dot,
    line,
    points,
    rect,
    svg,
    text,
    text_width,
    time_labels,
)
from tearsheet.performance.distribution import Bin, Distribution
from tearsheet.performance.series import DailyPoint, PeriodNet, PeriodUnit, by_fitting_period
from tearsheet.trade.amount import ONE, ZERO, exact

_TOP, _LABELS, _RIGHT = 120, 200, 60
_MAX_BAR = 240
_DAY_LABEL = 520


class BandPoint(Struct, frozen=True):
    """Value of a rolling metric with the ends of its interval, if it has one."""

    day: date
    title: str
    value: Decimal
    low: Decimal | None = None
    high: Decimal | None = None


class BandLook(Struct, frozen=True):
    """Formats of a rolling metric: a value, an amount on the axis; and whether 0 is part of the axis."""

    name: str
    say: Callable[[Decimal], str]
    short: Callable[[Decimal, Decimal], str]
    target: Decimal | None = None
    with_zero: bool = False


class _Frame:
    """Area of a chart beside its amounts."""

    def __init__(
        self, size: tuple[int, int], axis_range: tuple[Decimal, Decimal], right: int = _RIGHT
    ) -> None:
        self.width, self.height = size
        self.axis = AmountAxis(_TOP, 10 * self.height - _TOP - _LABELS, *axis_range)
        self.right = 10 * self.width - right
        self.left = 0

    def grid(self, labels: Sequence[tuple[Decimal, str]]) -> Iterator[str]:
        """Return the grid, and leave room for its labels."""
        self.left = max(text_width(label) for _, label in labels) + 120
        return amount_grid(self.axis, labels, self.left, self.right)

    @property
    def steps(self) -> int:
        """Return how many lines fit."""
        return min(max(self.axis.height // 280, 2), 6)

    def slot(self, number: int, count: int) -> tuple[int, int]:
        """Return the left and right end of one of equal parts of the width."""
        width = self.right - self.left
        return self.left + width * number // count, self.left + width * (number + 1) // count

    def picture(
        self, parts: Sequence[str], description: str, stops: Sequence[PointStop], names: tuple[str, ...]
    ) -> Picture:
        """Return the finished picture."""
        area = (self.left, _TOP, self.right, self.axis.bottom)
        drawn = svg(self.width, self.height, parts, description)
        return Picture(drawn, description, tuple(stops), names, area)


def columns_picture(days: Sequence[DailyPoint], words: ChartWords, width: int, height: int) -> Picture:
    """Return the net P&L of each day as bars from 0; of each week or month, if the days are too many."""
    unit, periods = by_fitting_period(days)
    with exact():
        nets = [one.net_pnl for one in periods]
        low, high = min(*nets, ZERO), max(*nets, ZERO)
        room = (high - low) / 16
        frame = _Frame((width, height), (low - (room if low else 0), high + (room if high else 0)))
        parts = list(frame.grid(amount_labels(frame.axis, words, frame.steps)))
        zero, stops = frame.axis.place(ZERO), []
        for number, one in enumerate(periods):
            left, bar = _bar(frame.slot(number, len(periods)))
            y = frame.axis.place(one.net_pnl)
            kind = "gain" if one.net_pnl > 0 else "loss" if one.net_pnl < 0 else "even"
            title = _period_words(unit, one)
            bar_words = f"{title}: {words.result(one.net_pnl)}"
            parts.append(rect(kind, left, min(y, zero), bar, abs(zero - y), bar_words))
            values = (words.result(one.net_pnl), f"{one.trades:,}")
            keys = one.first.isoformat(), one.last.isoformat()
            stops.append(PointStop(left + bar // 2, (y,), title, values, *keys))
        ticks = date_ticks([one.first for one in periods], frame.left, frame.right - frame.left, middle=True)
        parts += time_labels(ticks, frame.axis.bottom + 110, frame.left, frame.right)
        up = sum(net > 0 for net in nets)
        description = (
            f"Net P&L by {unit}, {len(nets):,} {unit}{'s' if len(nets) != 1 else ''}, {up:,} of them up: "
            f"best {words.result(max(nets))}, worst {words.result(min(nets))}"
        )
        return frame.picture(parts, description, stops, ("Net P&L", "Trades"))


def distribution_picture(
    found: Distribution, words: ChartWords, width: int, height: int, mean: Decimal | None, unit: str
) -> Picture:
    """Return the bins of a distribution as bars with their counts; `unit` says what is counted."""
    with exact():
        most = max(one.count for one in found.bins)
        frame = _Frame((width, height), (ZERO, Decimal(most) * Decimal("1.12")))
        labels = [(amount, f"{amount:,f}") for amount, _ in amount_labels(frame.axis, words, frame.steps)]
        labels = [(amount, f"{int(amount):,}") for amount, _ in labels if amount == int(amount)]
        parts = list(frame.grid(labels))
        stops, count = [], len(found.bins)
        for number, one in enumerate(found.bins):
            left, right = frame.slot(number, count)
            y = frame.axis.place(Decimal(one.count))
            bar = max(right - left - 10, 10)
            below = one.high is not None and one.high <= 0
            title = _bin_words(one, words)
            bar_words = f"{title}: {one.count:,} {unit}"
            parts.append(
                rect("loss" if below else "gain", left + 5, y, bar, frame.axis.bottom - y, bar_words)
            )
            stops.append(PointStop((left + right) // 2, (y,), title, (f"{one.count:,}",), "", ""))
        parts += time_labels(_bounds(found, frame, words), frame.axis.bottom + 110, frame.left, frame.right)
        if mean is not None:
            parts += _mean(found, frame, words, mean)
        description = f"Distribution of {found.n:,} {unit}: most, {most:,}, " + _most(found.bins, words)
        return frame.picture(parts, description, stops, (unit.capitalize(),))


def band_picture(drawn: Sequence[BandPoint], look: BandLook, width: int, height: int) -> Picture:
    """Return a rolling metric as a line, with its interval as a band and its target as a dashed line."""
    with exact():
        amounts = [one for point in drawn for one in (point.value, point.low, point.high) if one is not None]
        amounts += [look.target] if look.target is not None else []
        amounts += [ZERO] if look.with_zero else []
        low, high = min(amounts), max(amounts)
        room = (high - low) / 16
        last_words = look.say(drawn[-1].value)
        frame = _Frame((width, height), (low - room, high + room), text_width(last_words) + 120)
        amounts_of, step = frame.axis.round_amounts(frame.steps)
        parts = list(frame.grid([(amount, look.short(amount, step)) for amount in amounts_of]))
        count = max(len(drawn) - 1, 1)
        xs = [frame.left + (frame.right - frame.left) * number // count for number in range(len(drawn))]
        parts += _band(drawn, xs, frame)
        if look.target is not None:
            y = frame.axis.place(look.target)
            parts.append(line("target", frame.left, y, frame.right, y))
        places = [(x, frame.axis.place(point.value)) for x, point in zip(xs, drawn, strict=True)]
        parts.append(f'<polyline class="total" points="{points(places)}"/>')
        parts.append(dot("", *places[-1]))
        parts.append(text("mark", places[-1][0] + 70, places[-1][1], last_words))
        ticks = date_ticks([point.day for point in drawn], frame.left, frame.right - frame.left)
        parts += time_labels(ticks, frame.axis.bottom + 110, frame.left, frame.right)
        stops = [
            PointStop(x, (y,), point.title, _band_values(point, look), "", "")
            for (x, y), point in zip(places, drawn, strict=True)
        ]
        values = [point.value for point in drawn]
        description = (
            f"{look.name}, {len(drawn):,} points: last {last_words}, highest {look.say(max(values))}, "
            f"lowest {look.say(min(values))}"
        )
        names = (look.name, "95% from", "to") if drawn[-1].low is not None else (look.name,)
        return frame.picture(parts, description, stops, names)


def two_curves_picture(
    curves: Sequence[tuple[str, Sequence[DailyPoint]]],
    words: ChartWords,
    width: int,
    height: int,
    marks: Sequence[tuple[int, str]] | None = None,
) -> Picture:
    """Return two curves by the number of their trading day, each with its name, on one scale.

    With `marks` (number of a day, text) the curves are of the same days: the axis has their dates,
    and the first curve the marks.
    """
    with exact():
        totals = [[day.total for day in days] for _, days in curves]
        amounts = [ZERO, *(total for one in totals for total in one)]
        room = (max(amounts) - min(amounts)) / 16
        low, high = min(amounts), max(amounts)
        frame = _Frame((width, height), (low - (room if low else 0), high + (room if high else 0)))
        parts = list(frame.grid(amount_labels(frame.axis, words, frame.steps)))
        count = max(len(one) for one in totals)
        xs = [frame.left + (frame.right - frame.left) * number // count for number in range(count + 1)]
        for kind, one in zip(("second", "total"), reversed(totals), strict=True):
            places = [(x, frame.axis.place(total)) for x, total in zip(xs, [ZERO, *one], strict=False)]
            parts.append(f'<polyline class="{kind}" points="{points(places)}"/>')
        if marks is None:
            stride = max(-(-count * _DAY_LABEL // (frame.right - frame.left)), 1)
            ticks = [Tick(xs[number], f"day {number}") for number in range(stride, count + 1, stride)]
        else:
            sessions = [day.session for day in curves[0][1]]
            ticks = date_ticks(sessions, xs[0], xs[-1] - xs[0], middle=True)
            levels = [ZERO, *totals[0]]
            parts += [_mark(xs[number], frame.axis.place(levels[number]), said) for number, said in marks]
        parts += time_labels(ticks, frame.axis.bottom + 110, frame.left, frame.right)
        stops = [_stop_of_day(number, xs[number], curves, frame, words) for number in range(1, count + 1)]
        ends = [
            f"{name} {words.result(one[-1])}" for (name, _), one in zip(curves, totals, strict=True) if one
        ]
        names = tuple(name for name, _ in curves)
        return frame.picture(parts, f"Cumulative P&L by trading day: {', '.join(ends)}", stops, names)


def _mark(x: int, y: int, words: str) -> str:
    return dot("loss", x, y, "4").removesuffix("/>") + f"><title>{escape(words)}</title></circle>"


def _stop_of_day(
    number: int, x: int, curves: Sequence[tuple[str, Sequence[DailyPoint]]], frame: _Frame, words: ChartWords
) -> PointStop:
    days = [one[number - 1] if number <= len(one) else None for _, one in curves]
    heights = tuple(frame.axis.place(day.total) for day in days if day is not None)
    values = tuple("\u2014" if day is None else words.result(day.total) for day in days)
    return PointStop(x, heights, f"Trading day {number}", values, "", "")


def _band(drawn: Sequence[BandPoint], xs: Sequence[int], frame: _Frame) -> Iterator[str]:
    ends = [(x, one.low, one.high) for x, one in zip(xs, drawn, strict=True)]
    lows = [(x, frame.axis.place(low)) for x, low, _ in ends if low is not None]
    highs = [(x, frame.axis.place(high)) for x, _, high in ends if high is not None]
    if lows:
        yield f'<polygon class="limits" points="{points([*highs, *reversed(lows)])}"/>'


def _band_values(point: BandPoint, look: BandLook) -> tuple[str, ...]:
    ends = (point.low, point.high)
    return (look.say(point.value), *(look.say(end) for end in ends if end is not None))


def _bar(slot: tuple[int, int]) -> tuple[int, int]:
    """Return the left end and the width of a bar in its slot: no wider than 24 pixels."""
    left, right = slot
    width = right - left
    bar = min(max(width * 8 // 10, 8), _MAX_BAR)
    return left + (width - bar) // 2, bar


def _bounds(found: Distribution, frame: _Frame, words: ChartWords) -> Iterator[Tick]:
    """Yield the bounds between bins, 0 among them; as many as fit."""
    width, count = found.width or ONE, len(found.bins)
    bounds = [
        (number, one.high) for number, (one, _) in enumerate(pairwise(found.bins)) if one.high is not None
    ]
    widest = max((text_width(words.short(bound, width)) for _, bound in bounds), default=0) + 100
    stride = max(-(-widest * count // (frame.right - frame.left)), 1)
    for number, bound in bounds:
        if not bound / width % stride:
            yield Tick(frame.slot(number, count)[1], words.short(bound, width * stride))


def _mean(found: Distribution, frame: _Frame, words: ChartWords, mean: Decimal) -> Iterator[str]:
    first, width = found.bins[0], found.width
    start = first.low if first.low is not None else (first.high or ZERO) - (width or ZERO)
    if not width:
        return
    slots = AmountAxis(0, frame.right - frame.left, -(start + width * len(found.bins)), -start)
    x = frame.left + slots.place(-mean)
    if frame.left <= x <= frame.right:
        label = f"mean {words.result(mean)}"
        to_left = x + text_width(label) + 60 > frame.right
        yield line("mean", x, _TOP, x, frame.axis.bottom)
        yield text("mark", x - 50 if to_left else x + 50, _TOP + 20, label, "end" if to_left else "start")


def _bin_words(one: Bin, words: ChartWords) -> str:
    if one.low is None and one.high is None:
        return "all"
    if one.low is None:
        return f"less than {words.result(one.high or ZERO)}"
    if one.high is None:
        return f"{words.result(one.low)} or more"
    return f"{words.result(one.low)} to {words.result(one.high)}"


def _most(bins: Sequence[Bin], words: ChartWords) -> str:
    return "are " + _bin_words(max(bins, key=lambda one: one.count), words)


def _period_words(unit: PeriodUnit, one: PeriodNet) -> str:
    if unit == "day":
        return date_words(one.first)
    if unit == "month":
        return f"{one.first:%B %Y}"
    return f"Week of {one.first.day} {one.first:%b %Y}"
