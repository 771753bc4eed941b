"""Picture of one trade without prices: its executions by price and time, and the realized P&L below them."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from tearsheet.export.axes import AmountAxis
from tearsheet.export.plot import (
    ChartWords,
    amount_grid,
    amount_labels,
    dot,
    line,
    points,
    svg,
    text,
    text_width,
)
from tearsheet.trade.amount import ZERO, exact

_TOP, _TIME_LABELS, _BETWEEN, _RIGHT = 200, 220, 520, 250
_SHARE = 58
_ROOM = Decimal("0.12")
_MERGE = 120
_MAX_NAMES = 12


class PriceWords(ChartWords, frozen=True):
    """Words of an axis of prices: whole numbers, never in thousands."""

    def short(self, amount: Decimal, step: Decimal) -> str:
        """Return a price with the decimals of the steps."""
        exponent = step.normalize().as_tuple().exponent
        places = max(0, -exponent) if isinstance(exponent, int) else 0
        return self.mark(f"{amount:,.{places}f}")


class Execution(Struct, frozen=True):
    """A fill of the trade: signed quantity, price where it is known, and P&L after fees realized by it."""

    time: datetime
    quantity: Decimal
    price: Decimal | None
    net: Decimal


class _Marker(Struct):
    """Executions of one side that share a place: their count, quantity, and the price of the last."""

    x: int
    is_buy: bool
    count: int
    quantity: Decimal
    price: Decimal


def executions_picture(
    executions: Sequence[Execution], words: ChartWords, price_words: PriceWords, size: tuple[int, int]
) -> str | None:
    """Return the picture of a trade, or None if no execution has a price."""
    with exact():
        priced = [one for one in executions if one.price is not None]
        return _ExecutionsChart(executions, words, price_words, size).picture() if priced else None


class _ExecutionsChart:
    """Places and parts of one picture."""

    def __init__(
        self,
        executions: Sequence[Execution],
        words: ChartWords,
        price_words: PriceWords,
        size: tuple[int, int],
    ) -> None:
        self._executions, self._words, self._price_words = executions, words, price_words
        self._width, self._height = size
        prices = [one.price for one in executions if one.price is not None]
        self._steps = list(_running(executions))
        space = 10 * self._height - _TOP - _TIME_LABELS - _BETWEEN
        upper = space * _SHARE // 100
        room = (max(prices) - min(prices)) * _ROOM or abs(prices[0]) * Decimal("0.01") or Decimal(1)
        self._prices = AmountAxis(_TOP, upper, min(prices) - room, max(prices) + room)
        self._totals = AmountAxis(
            _TOP + upper + _BETWEEN, space - upper, min(ZERO, *self._steps), max(ZERO, *self._steps)
        )
        self._price_labels = amount_labels(self._prices, price_words, 4)
        self._total_labels = amount_labels(self._totals, words, 3)
        widest = max(text_width(label) for _, label in [*self._price_labels, *self._total_labels])
        self._left, self._right = widest + 130, 10 * self._width - _RIGHT
        self._first, self._last = executions[0].time, executions[-1].time

    def picture(self) -> str:
        """Return the SVG."""
        parts = [
            *amount_grid(self._prices, self._price_labels, self._left, self._right),
            *amount_grid(self._totals, self._total_labels, self._left, self._right),
            text("tick", self._left, self._totals.top - 190, "Realized P&L, after fees"),
            *self._links(),
            *self._markers(),
            *self._curve(),
            *self._times(),
        ]
        return svg(self._width, self._height, parts, self._description())

    def _x(self, at: datetime) -> int:
        room = (self._right - self._left) // 14
        span = self._last - self._first
        if not span:
            return (self._left + self._right) // 2
        return self._left + room + (self._right - self._left - 2 * room) * (at - self._first) // span

    def _links(self) -> Iterator[str]:
        """Yield a dotted line from the first execution to each that closed something."""
        opening = self._executions[0]
        if opening.price is None:
            return
        for one in self._executions[1:]:
            if one.price is not None and (one.quantity > 0) is not (opening.quantity > 0):
                yield line(
                    "link",
                    self._x(opening.time),
                    self._prices.place(opening.price),
                    self._x(one.time),
                    self._prices.place(one.price),
                )

    def _grouped(self) -> list[_Marker]:
        """Return the markers; executions of one side within 12 px become one with a count."""
        markers: list[_Marker] = []
        for one in self._executions:
            if one.price is None:
                continue
            x, is_buy = self._x(one.time), one.quantity > 0
            last = markers[-1] if markers else None
            if last is not None and last.is_buy is is_buy and x - last.x <= _MERGE:
                last.count, last.quantity, last.price = (
                    last.count + 1,
                    last.quantity + one.quantity,
                    one.price,
                )
            else:
                markers.append(_Marker(x, is_buy, 1, one.quantity, one.price))
        return markers

    def _markers(self) -> Iterator[str]:
        markers = self._grouped()
        for marker in markers:
            y, up = self._prices.place(marker.price), -1 if marker.is_buy else 1
            tip, base = y - 45 * up, y - 165 * up
            corners = points([(marker.x, tip), (marker.x - 65, base), (marker.x + 65, base)])
            yield f'<polygon class="execution" points="{corners}"/>'
            yield dot("", marker.x, y, "2.6")
        for marker in markers if len(markers) <= _MAX_NAMES else ():
            y = self._prices.place(marker.price) + (270 if marker.is_buy else -240)
            words = self._marker_words(marker)
            half = text_width(words) // 2 + 40
            middle = min(max(marker.x, self._left + half), self._right - half)
            yield text("mark", middle, y, words, "middle")

    def _marker_words(self, marker: _Marker) -> str:
        name = f"{'Buy' if marker.is_buy else 'Sell'} {self._price_words.mark(format(abs(marker.quantity), 'f'))}"
        if self._width < 500:
            return name
        times = f" in {marker.count}" if marker.count > 1 else ""
        return f"{name}{times} @ {self._price_words.money(marker.price)}"

    def _curve(self) -> Iterator[str]:
        """Yield the realized P&L as steps, colored by its end."""
        places, level = [], self._totals.place(ZERO)
        for one, total in zip(self._executions, self._steps, strict=True):
            x = self._x(one.time)
            places += [(x, level), (x, self._totals.place(total))]
            level = places[-1][1]
        places.append((self._right, level))
        kind = "rise" if self._steps[-1] >= 0 else "sink"
        zero = self._totals.place(ZERO)
        area = points([(places[0][0], zero), *places, (self._right, zero)])
        yield f'<polygon class="{"over" if kind == "rise" else "below"}" points="{area}"/>'
        yield f'<polyline class="{kind}" points="{points(places)}"/>'
        for one, total in zip(self._executions, self._steps, strict=True):
            yield dot("gain" if total >= 0 else "loss", self._x(one.time), self._totals.place(total), "2.6")
        yield text("mark", self._right, level - 110, self._words.result(self._steps[-1]), "end")

    def _times(self) -> Iterator[str]:
        """Yield the time of each execution that has room for it, the first and last before others."""
        y = 10 * self._height - 90
        form = (
            "%H:%M:%S" if self._local(self._first).date() == self._local(self._last).date() else "%d %b %H:%M"
        )
        taken: list[tuple[int, int]] = []
        for one in [self._executions[-1], self._executions[0], *self._executions[1:-1]]:
            label = f"{self._local(one.time):{form}}"
            half = text_width(label) // 2 + 50
            middle = min(max(self._x(one.time), self._left + half - 60), self._right - half + 220)
            if all(middle + half <= low or middle - half >= high for low, high in taken):
                taken.append((middle - half, middle + half))
                yield text("tick", middle, y, label, "middle")

    def _local(self, at: datetime) -> datetime:
        return at.astimezone(self._words.zone)

    def _description(self) -> str:
        count = len(self._executions)
        first, last = self._local(self._first), self._local(self._last)
        return (
            f"{count} execution{'s' if count != 1 else ''} from {first:%d %b %Y %H:%M:%S} to {last:%d %b %Y %H:%M:%S}, "
            f"realized {self._words.result(self._steps[-1])}"
        )


def _running(executions: Sequence[Execution]) -> Iterator[Decimal]:
    total = ZERO
    for one in executions:
        total += one.net
        yield total
