"""Bookings of an account in other currencies than that of its limits, converted at the rates of their sessions.

A currency of which one booking has no rate stays as it is: its limits are unknown, never judged by a part.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from tearsheet.app.currency.rate_book import RateBook
from tearsheet.performance.conversion import convert_booking, convert_position
from tearsheet.store.tables.ledger import Ledger
from tearsheet.trade.position import Booking, Position
from tearsheet.trade.session import TradingCalendar


class ConvertedRows(Struct, frozen=True):
    """Bookings and closed positions of an account, and the currencies of them that could not be converted."""

    bookings: list[Booking]
    closed: list[Position]
    unconverted: set[str]


class ForeignBookings:
    """Conversion into the currency of an account's limits; use it inside one snapshot of the ledger."""

    def __init__(self, ledger: Ledger, calendar: TradingCalendar, currency: str) -> None:
        self._rates = RateBook(ledger, currency)
        self._calendar = calendar
        self._currency = currency

    def convert(self, bookings: Sequence[Booking], closed: Sequence[Position]) -> ConvertedRows:
        """Return rows in the account's currency, all of a currency or none of it."""
        self._load(bookings)
        without = {
            booking.currency
            for booking in bookings
            if self._rates.find(booking.currency, self._calendar.trading_day_of(booking.time)) is None
        }
        return ConvertedRows(
            [b if b.currency in without else self._booking(b) for b in bookings],
            [p if p.currency in without else self.position(p, p.closed_at or p.last_at) or p for p in closed],
            without,
        )

    def position(self, position: Position, at: datetime) -> Position | None:
        """Return a position at the rate of the session of an instant; None without one."""
        if position.currency == self._currency:
            return position
        rate = self._rates.find(position.currency, self._calendar.trading_day_of(at))
        if rate is None:
            return None
        return replace(convert_position(position, rate.rate), currency=self._currency)

    def _booking(self, booking: Booking) -> Booking:
        rate = self._rates.find(booking.currency, self._calendar.trading_day_of(booking.time))
        assert rate is not None, "checked before"
        return replace(convert_booking(booking, rate.rate), currency=self._currency)

    def _load(self, bookings: Iterable[Booking]) -> None:
        days = [self._calendar.trading_day_of(booking.time) for booking in bookings]
        if days:
            self._rates.load({booking.currency for booking in bookings}, min(days), max(days))
