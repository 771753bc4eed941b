"""Picture of a curve: cumulative P&L or equity, its drawdown below, and a strip of all history.

Every fill is drawn: those of one instant share a place and are joined by a vertical line, in their order. Where
there are more points than pixels, each pixel shows its first, lowest, highest and last point: no extreme is lost.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby, pairwise

from msgspec import Struct, structs

from tearsheet.export.axes import AmountAxis, SessionAxis
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
from tearsheet.performance.series import CurvePoint, DailyPoint, DrawnCurve
from tearsheet.trade.amount import ONE, ZERO, exact

_TOP, _TIME_LABELS, _STRIP, _STRIP_GAP, _BETWEEN = 120, 200, 220, 80, 160
_RIGHT_LEAST = 160
#: A narrower picture has its last value in short, so that the line has room.
_NARROW = 480
#: Share of the height, without its axes, of the drawdown.
_DRAWDOWN_SHARE = 32
_MAX_DOTS, _MAX_NAMES = 120, 8
_STRIP_PLACES = 600


class CurveLook(Struct, frozen=True):
    """What a picture of a curve shows.

    `is_split` colors what is above and below 0 and names the largest fills. `history` are all days for the strip, `key`
    makes the names inside the picture unique.
    """

    width: int
    height: int
    is_split: bool = False
    with_drawdown: bool = True
    is_zoomed: bool = False
    history: Sequence[DailyPoint] = ()
    key: str = "curve"


def curve_picture(curve: DrawnCurve, words: ChartWords, look: CurveLook) -> Picture:
    """Return the picture of a curve with at least one point."""
    with exact():
        return _CurveChart(curve, words, look).picture()


class _CurveChart:
    """Places and parts of one picture."""

    def __init__(self, curve: DrawnCurve, words: ChartWords, look: CurveLook) -> None:
        if len(curve.points) == 1:  # a fall of one point is the point
            look = structs.replace(look, with_drawdown=False)
        self._curve, self._words, self._look = curve, words, look
        self._is_equity = curve.balance is not None and not look.is_split
        self._base = (curve.balance or ZERO) if self._is_equity else ZERO
        bottom = 10 * look.height - _TIME_LABELS - (_STRIP + _STRIP_GAP if look.history else 0)
        space = bottom - _TOP
        lower = (space - _BETWEEN) * _DRAWDOWN_SHARE // 100 if look.with_drawdown else 0
        upper = space - lower - _BETWEEN if look.with_drawdown else space
        self._total = AmountAxis(_TOP, upper, *self._range())
        deepest = max(curve.start_drawdown, *(point.drawdown for point in curve.points)) or ONE
        self._depth = AmountAxis(bottom - lower, lower, -deepest * Decimal("1.06"), ZERO)
        self._labels = amount_labels(self._total, words, min(max(upper // 280, 2), 6))
        self._depth_labels = amount_labels(self._depth, words, min(max(lower // 220, 1), 4)) if lower else []
        self._last = self._tag_words(curve.points[-1].total)
        widest = max(text_width(label) for _, label in [*self._labels, *self._depth_labels, (ZERO, "All")])
        self.left = (widest + 120) // 10 * 10
        self.right = (10 * look.width - max(text_width(self._last) + 180, _RIGHT_LEAST)) // 10 * 10
        self.bottom = bottom
        self.axis = SessionAxis(curve, self.left, self.right - self.left, words.zone)
        self._columns = [
            (x, list(column))
            for x, column in groupby(curve.points, lambda point: self.axis.place(point) // 10 * 10)
        ]

    def picture(self) -> Picture:
        """Return the picture with its stops."""
        look, curve = self._look, self._curve
        parts = [*amount_grid(self._total, self._labels, self.left, self.right)]
        if self._is_equity and self._total.low <= self._base <= self._total.high:
            parts += self._start_line()
        if look.with_drawdown:
            parts += amount_grid(self._depth, self._depth_labels, self.left, self.right)
            parts += self._drawdown()
        parts += self._split_line() if look.is_split else self._line()
        parts += self._flow_marks() if self._is_equity else ()
        parts += self._marks()
        parts += time_labels(self.axis.ticks(), self.bottom + 110, self.left, self.right)
        parts += self._tag()
        strip = self._strip() if look.history else None
        if strip is not None:
            parts += strip[0]
        description = self._description()
        return Picture(
            svg(look.width, look.height, parts, description),
            description,
            tuple(self._stops()),
            self._names(),
            (self.left, _TOP, self.right, self.bottom),
            None if strip is None else {**strip[1], "zoomed": look.is_zoomed, "byFill": curve.by_fill},
            self._shown(),
        )

    def _range(self) -> tuple[Decimal, Decimal]:
        """Return the lowest and the highest amount, with some room; results include 0."""
        totals = [self._base + point.total for point in self._curve.points]
        totals.append(self._base + self._curve.start)
        if not self._is_equity:
            totals.append(ZERO)
        low, high = min(totals), max(totals)
        room = (high - low) / 16
        return low - (room if low else ZERO), high + (room if high else ZERO)

    def _tag_words(self, total: Decimal) -> str:
        """Return the last value, whole where there is room: the picture says the number that the table says."""
        if self._look.width < _NARROW:
            plus = "+" if total > 0 and not self._is_equity else ""
            value = self._base + total
            return plus + self._words.short(value, abs(value) / 100)
        return self._words.money(self._base + total) if self._is_equity else self._words.result(total)

    def _places(
        self, axis: AmountAxis, value: Callable[[CurvePoint], Decimal], start: Decimal
    ) -> list[tuple[int, int]]:
        """Return the corners of the line: steps for fills, straight for days."""
        if len(self._curve.points) == 1:
            return []
        last = axis.place(start)
        places = [(self.left, last)]
        for x, column in self._columns:
            if self._curve.by_fill:
                places.append((x, last))
            heights = [axis.place(value(point)) for point in _extremes(column, value)]
            places += [(x, height) for height in heights]
            last = heights[-1]
        places.append((self.right, last))
        return places

    def _total_places(self) -> list[tuple[int, int]]:
        return self._places(
            self._total, lambda point: self._base + point.total, self._base + self._curve.start
        )

    def _line(self) -> Iterator[str]:
        places = self._total_places()
        if not places:
            yield from self._one_point()
            return
        floor = self._total.place(ZERO) if not self._is_equity else self._total.bottom
        yield f'<polygon class="under" points="{points([(self.left, floor), *places, (self.right, floor)])}"/>'
        yield f'<polyline class="total" points="{points(places)}"/>'

    def _one_point(self) -> Iterator[str]:
        point = self._curve.points[0]
        x, y = self.axis.place(point), self._total.place(self._base + point.total)
        yield line("stem", x, y, x, self._total.place(ZERO) if not self._is_equity else self._total.bottom)
        yield dot(_tone(point.total) if self._look.is_split else "", x, y, "5")
        yield text("mark", x + 100, y, self._words.result(point.total))

    def _split_line(self) -> Iterator[str]:
        """Return the line twice: one color above 0, another below, each cut off at 0."""
        places = self._total_places()
        if not places:
            yield from self._one_point()
            return
        zero, key = self._total.place(ZERO), self._look.key
        area = points([(self.left, zero), *places, (self.right, zero)])
        for name, kinds, top, height in (
            ("over", ("over", "rise"), 0, zero),
            ("below", ("below", "sink"), zero, self.bottom - zero + 20),
        ):
            cut = rect("cut", 0, top, 10 * self._look.width, max(height, 1))
            yield f'<clipPath id="{key}-{name}">{cut}</clipPath>'
            yield f'<g clip-path="url(#{key}-{name})"><polygon class="{kinds[0]}" points="{area}"/>'
            yield f'<polyline class="{kinds[1]}" points="{points(places)}"/></g>'

    def _drawdown(self) -> Iterator[str]:
        zero = self._depth.top
        places = self._places(self._depth, lambda point: -point.drawdown, -self._curve.start_drawdown)
        if not places:
            return
        yield from self._worst()
        yield f'<polygon class="fall" points="{points([(self.left, zero), *places, (self.right, zero)])}"/>'
        yield f'<polyline class="depth" points="{points(places)}"/>'

    def _worst(self) -> Iterator[str]:
        """Return the band between the high and the low of the deepest drawdown."""
        low = self._lowest()
        if not self._curve.points[low].drawdown:
            return
        high = max(range(low + 1), key=lambda number: (self._curve.points[number].total, number))
        x, end = self.axis.place(self._curve.points[high]), self.axis.place(self._curve.points[low])
        if end > x:
            yield rect("worst", x, _TOP, end - x, self.bottom - _TOP)

    def _lowest(self) -> int:
        drawn = self._curve.points
        return max(range(len(drawn)), key=lambda number: (drawn[number].drawdown, -number))

    def _marks(self) -> Iterator[str]:
        """Return the deepest drawdown with its amount; on a split curve dots, and names of the largest fills."""
        if self._look.is_split:
            yield from self._fill_dots()
        lowest = self._curve.points[self._lowest()]
        if not self._look.with_drawdown or not lowest.drawdown or len(self._curve.points) == 1:
            return
        x, y = self.axis.place(lowest) // 10 * 10, self._depth.place(-lowest.drawdown)
        name = "deepest shown" if self._look.is_zoomed else "max"
        words = f"{name} {self._words.result(-lowest.drawdown)}"
        yield dot("loss", x, y)
        x, y, anchor = self._free_place(x, y, text_width(words))
        yield text("mark loss", x, y, words, anchor)

    def _free_place(self, x: int, y: int, width: int) -> tuple[int, int, str]:
        """Return where a name beside the deepest point is on no part of its line, and how it is anchored."""
        corners = self._places(self._depth, lambda point: -point.drawdown, -self._curve.start_drawdown)
        places = [
            (at, height, anchor)
            for height in (y - 20, y - 150, y - 280)
            for at, left, anchor in ((x - 80, x - 80 - width, "end"), (x + 80, x + 80, "start"))
            if left > self.left and left + width < self.right and height > self._depth.top + 60
        ]
        for at, height, anchor in places:
            left = at - width if anchor == "end" else at
            if not any(
                min(one[0], other[0]) < left + width
                and max(one[0], other[0]) > left
                and min(one[1], other[1]) < height + 70
                and max(one[1], other[1]) > height - 70
                for one, other in pairwise(corners)
            ):
                return at, height, anchor
        return places[0] if places else (x + 80, y - 20, "start")

    def _flow_marks(self) -> Iterator[str]:
        """Return a line where money came or went, with the amounts of the largest."""
        moved = sorted((one for one in self._curve.points if one.flow), key=lambda one: -abs(one.flow))
        if len(self._curve.points) == 1:
            return
        taken: list[int] = []
        for point in moved[:_MAX_DOTS]:
            x = self.axis.place(point) // 10 * 10
            yield line("from", x, _TOP, x, self._total.bottom)
            words = self._flow_words(point.flow)
            half = text_width(words) // 2
            middle = min(max(x, self.left + half), self.right - half)
            if len(taken) < _MAX_NAMES and all(abs(middle - other) > 2 * half for other in taken):
                taken.append(middle)
                yield text("mark", middle, _TOP + 60, words, "middle")

    def _flow_words(self, flow: Decimal) -> str:
        return f"{'in' if flow > 0 else 'out'} {self._words.money(abs(flow))}"

    def _fill_dots(self) -> Iterator[str]:
        drawn = self._curve.points
        if len(drawn) == 1 or len(drawn) > _MAX_DOTS:
            return
        for point in drawn:
            tone = _tone(point.total)
            yield dot(tone, self.axis.place(point) // 10 * 10, self._total.place(point.total), "2.5")
        taken: list[tuple[int, int, int]] = []
        largest = sorted(
            (point for point in drawn[:-1] if point.change), key=lambda point: -abs(point.change)
        )
        for point in largest[:_MAX_NAMES]:
            words = f"{point.name} {self._words.result(point.change)}"
            x, half = self.axis.place(point), text_width(words) // 2
            middle = min(max(x, self.left + half), self.right - half)
            y = self._total.place(point.total) + (-110 if point.change > 0 else 120)
            box = (middle - half, middle + half, y)
            if _TOP - 60 < y < self.bottom - 60 and not any(_collide(box, other) for other in taken):
                taken.append(box)
                yield text("mark", middle, y, words, "middle")

    def _tag(self) -> Iterator[str]:
        """Return the last value at the right end."""
        if len(self._curve.points) == 1:
            return
        last = self._curve.points[-1]
        y = self._total.place(self._base + last.total)
        tone = _tone(last.total) if self._look.is_split else ""
        width = text_width(self._last) + 120
        yield rect(f"tag {tone}".strip(), self.right + 40, y - 85, width, 170).replace(
            "<rect", '<rect rx="4"', 1
        )
        yield text("tag-words", self.right + 40 + width // 2, y, self._last, "middle")

    def _start_line(self) -> Iterator[str]:
        y = self._total.place(self._base)
        yield line("from", self.left, y, self.right, y)
        yield text("tick", self.right - 40, y - 80, f"start {self._words.money(self._base)}", "end")

    def _description(self) -> str:
        drawn = self._curve.points
        totals = [self._base + point.total for point in drawn]
        say = self._words.money if self._is_equity else self._words.result
        name = "Equity" if self._is_equity else "Cumulative P&L"
        deepest = max(point.drawdown for point in drawn)
        count = f"{len(drawn):,} {'fill' if self._curve.by_fill else 'day'}{'s' if len(drawn) != 1 else ''}"
        return (
            f"{name}, {count}, {date_words(drawn[0].session)} to {date_words(drawn[-1].session)}: "
            f"first {say(totals[0])}, last {say(totals[-1])}, highest {say(max(totals))}, lowest {say(min(totals))}, "
            f"deepest drawdown {self._words.money(deepest)}"
        )

    def _names(self) -> tuple[str, ...]:
        return ("Net P&L", "Equity" if self._is_equity else "Total", "Below peak")

    def _stops(self) -> Iterator[PointStop]:
        for x, column in self._columns:
            last, deepest = column[-1], max(point.drawdown for point in column)
            total = self._base + last.total
            heights = [self._total.place(total)]
            if self._look.with_drawdown:
                heights.append(self._depth.place(-deepest))
            values = (
                self._words.result(sum((point.change for point in column), ZERO)),
                self._words.money(total) if self._is_equity else self._words.result(total),
                self._words.result(-deepest),
            )
            first_key, last_key = self._keys(column)
            flow = sum((point.flow for point in column), ZERO)
            title = f"{self._title(column)} · {self._flow_words(flow)}" if flow else self._title(column)
            yield PointStop(x, tuple(heights), title, values, first_key, last_key)

    def _keys(self, column: Sequence[CurvePoint]) -> tuple[str, str]:
        first, last = column[0], column[-1]
        if self.axis.is_one_session and first.time is not None and last.time is not None:
            return _utc(first.time), _utc(last.time)
        return first.session.isoformat(), last.session.isoformat()

    def _title(self, column: Sequence[CurvePoint]) -> str:
        first, last = column[0], column[-1]
        if first.time is None or last.time is None:
            if len(column) == 1:
                return date_words(first.session)
            return f"{len(column)} days, {date_words(first.session)} to {date_words(last.session)}"
        times = [f"{at.astimezone(self._words.zone):%H:%M:%S}" for at in (first.time, last.time)]
        when = times[0] if times[0] == times[1] else f"{times[0]} to {times[1]}"
        if first.session != last.session:
            when = f"{when} {date_words(last.session)}"
        names = list(dict.fromkeys(point.name for point in column))
        who = f"{len(column)} fills" if len(column) > 1 else names[0]
        return f"{who} · {date_words(first.session)}, {when}"

    def _shown(self) -> str:
        """Return the part that is shown: times of one day, else days."""
        first, last = self._curve.points[0], self._curve.points[-1]
        if self.axis.is_one_session and first.time is not None and last.time is not None:
            start, end = (f"{at.astimezone(self._words.zone):%H:%M:%S}" for at in (first.time, last.time))
            return f"{start} to {end}"
        return f"{date_words(first.session)} to {date_words(last.session)}"

    def _strip(self) -> tuple[list[str], dict[str, object]]:
        """Return the strip of all history with the part shown, and its places with their sessions."""
        days = self._look.history
        top, width = self.bottom + _TIME_LABELS + _STRIP_GAP, self.right - self.left
        totals = [day.total for day in days]
        axis = AmountAxis(top + 20, _STRIP - 40, min(totals), max(totals))
        kept = _thinned(days, _STRIP_PLACES)
        count = len(days)
        places = [(self.left + width * (number + 1) // count, days[number]) for number in kept]
        shown = self._curve.sessions
        inside = [number for number, day in enumerate(days) if shown[0] <= day.session <= shown[-1]]
        start = self.left + width * (inside[0] if inside else 0) // count
        end = self.left + width * (inside[-1] + 1 if inside else count) // count
        corners = [(x, axis.place(day.total)) for x, day in places]
        parts = [
            text("tick", self.left - 80, top + _STRIP // 2, "All", "end"),
            rect("strip-back", self.left, top, width, _STRIP),
            f'<polyline class="strip-line" points="{points([(self.left, axis.place(ZERO)), *corners])}"/>'
            if axis.low <= 0 <= axis.high
            else f'<polyline class="strip-line" points="{points(corners)}"/>',
            rect("strip-view", start, top, max(end - start, 20), _STRIP),
            rect("strip-end", start - 15, top, 30, _STRIP),
            rect("strip-end", max(end, start + 20) - 15, top, 30, _STRIP),
        ]
        about: dict[str, object] = {
            "top": top,
            "bottom": top + _STRIP,
            "view": [start, max(end, start + 20)],
            "days": [[x, day.session.isoformat()] for x, day in places],
        }
        return parts, about


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _tone(amount: Decimal) -> str:
    return "gain" if amount > 0 else "loss" if amount < 0 else "even"


def _extremes(column: Sequence[CurvePoint], value: Callable[[CurvePoint], Decimal]) -> Iterable[CurvePoint]:
    """Return the first, lowest, highest and last point of a pixel, in their order."""
    if len(column) <= 4:
        return column
    numbers = range(len(column))
    low, high = min(numbers, key=lambda n: value(column[n])), max(numbers, key=lambda n: value(column[n]))
    return [column[number] for number in sorted({0, low, high, len(column) - 1})]


def _collide(one: tuple[int, int, int], other: tuple[int, int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1] and abs(one[2] - other[2]) < 140


def _thinned(days: Sequence[DailyPoint], most: int) -> list[int]:
    """Return the numbers of days to draw: of each pixel the lowest, the highest and the last."""
    size = -(-len(days) // most)
    kept: list[int] = []
    for start in range(0, len(days), size):
        numbers = range(start, min(start + size, len(days)))
        low, high = min(numbers, key=lambda n: days[n].total), max(numbers, key=lambda n: days[n].total)
        kept += sorted({low, high, numbers[-1]})
    return kept
