"""Encoding of session tallies, and the rules by which they are computed."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec
from msgspec import Struct

from tearsheet.performance.tally import Tally
from tearsheet.store.tables.rows import in_closing_order
from tearsheet.trade.position import Booking, Position

ALL_ACCOUNTS = ""
encode = msgspec.json.encode
decode = msgspec.json.Decoder(Tally).decode


class TallyRules(Struct, frozen=True):
    """Classification of outcomes: the breakeven band, and whether a breakeven ends a streak."""

    breakeven_band: Decimal
    breakeven_breaks_streak: bool

    def tally(self, bookings: Iterable[Booking], closed: Iterable[Position]) -> Tally:
        """Return the tally of bookings and closed positions in any order."""
        return self.tally_in_order(sorted(bookings, key=booking_order), in_closing_order(closed))

    def tally_in_order(self, bookings: Sequence[Booking], closed: Sequence[Position]) -> Tally:
        """Return the tally of bookings and closed positions that are in order."""
        return Tally.from_bookings(bookings, closed, self.breakeven_band, self.breakeven_breaks_streak)


def booking_order(booking: Booking) -> tuple[object, ...]:
    """Sort key among all bookings."""
    return booking.order
