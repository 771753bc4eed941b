"""Book of positions with an unknown part: their cost, or how they were opened.

Where a stream is trusted, what a closing fill closes without an opening is opened at the cost that the broker's
result implies. The exits of a position whose cost is unknown have no result.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from msgspec.structs import replace

from tearsheet.trade.amount import ZERO, ratio, trade_value
from tearsheet.trade.event import Gap, gap_at
from tearsheet.trade.fill import Fill, Side
from tearsheet.trade.position import Book, Booking, OpenPosition, StreamKey

#: By what a position ended whose opening is not known.
_ORPHAN = "orphan"


class PartialBook(Book):
    """Book that keeps unknown costs out of the results, and believes the broker's results of `trusted` streams."""

    def __init__(self, trusted: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__()
        self._gaps: list[Gap] = []
        self._trusted = set(trusted)
        #: positions whose cost is unknown
        self._costless: set[str] = set()
        #: positions that went into others, and where their bookings belong
        self._moved: dict[str, str] = {}
        #: parts of the closing fill in hand that are booked by the broker's result
        self._reported: list[tuple[Fill, Decimal]] = []

    def gaps(self) -> list[Gap]:
        """Return what the books lack."""
        return [*super().gaps(), *self._gaps]

    def _without_cost(self, booking: Booking) -> Booking:
        """Take the result of an exit out whose cost is unknown; its fees stay."""
        if not booking.gross and not booking.closes:
            return booking
        b, at = booking, booking.time.isoformat()
        detail = f"{b.account} {b.symbol} at {at}: what it cost is not known"
        self._gaps.append(Gap(b.account, b.symbol, b.time, b.rank, b.fill_key, "unknown_cost", detail))
        position = self._open.get((booking.account, booking.symbol))
        if position is not None:
            position.gross -= booking.gross
        elif self.closed and self.closed[-1].id == booking.position_id:
            self.closed.pop()
            self._moved[booking.position_id] = ""
        return replace(booking, gross=ZERO)

    def _placed(self, booking: Booking) -> Booking:
        """Return a booking with the position that its own went into."""
        identity = booking.position_id
        while identity in self._moved:
            identity = self._moved[identity]
        return (
            booking
            if identity == booking.position_id
            else replace(booking, position_id=identity, closes=False)
        )

    def _wait(self, key: StreamKey, fill: Fill, quantity: Decimal) -> None:
        """Open what a closing fill closes beyond the position at the cost that the broker's result implies."""
        if fill.reported is None or (fill.account, fill.symbol) not in self._trusted:
            super()._wait(key, fill, quantity)
            return
        self._reported.append((fill, quantity))

    def _book_closing(self, fill: Fill) -> list[Booking]:
        booked = super()._book_closing(fill)
        for closing, quantity in self._reported:
            booked += self._open_and_close(closing, quantity, booked)
        self._reported.clear()
        return booked

    def _open_and_close(self, fill: Fill, quantity: Decimal, booked: Iterable[Booking]) -> list[Booking]:
        """Book a part of a closing fill with the net that the broker's result leaves for it."""
        assert fill.reported is not None
        known = [booking for booking in booked if booking.fill_key == fill.key]
        fees = fill.commission - sum((one.fees for one in known), ZERO)
        gross = fill.reported - self._net_of(known) + fees
        value = trade_value(quantity, fill.price, fill.multiplier)
        opening = replace(fill, side=fill.side.opposite, quantity=quantity, commission=ZERO, closes=False)
        position = OpenPosition(opening, quantity, fees)
        position.opened_at, position.last, position.left = None, fill, ZERO
        entry = value - gross if fill.side is Side.SELL else value + gross
        position.entry_value = -entry if position.is_inverse else ratio(entry, fill.multiplier) or ZERO
        position.exit_value = position.value(quantity, fill.price)
        position.cost, position.gross, position.closed_by = ZERO, gross, _ORPHAN
        self.closed.append(position.position())
        detail = f"{fill.account} {fill.symbol} at {fill.time.isoformat()}: its cost follows from the broker's result"
        self._gaps.append(gap_at(fill, "opening_from_reported", detail))
        signed = quantity if fill.side is Side.BUY else -quantity
        part = 1 if known else 0
        booking = Booking(
            position.id,
            fill.account,
            fill.symbol,
            fill.currency,
            fill.time,
            fill.rank,
            fill.key,
            part,
            signed,
            fill.price,
            gross,
            fees,
            True,
        )
        return [booking]

    def _net_of(self, known: Sequence[Booking]) -> Decimal:
        """Return the net of bookings of a closing fill, with the entry fees of a position that they close alone."""
        last = self.closed[-1] if known else None
        if last is not None and last.id == known[-1].position_id and last.quantity == abs(known[-1].quantity):
            return last.gross - last.fees
        return sum((one.net for one in known), ZERO)
