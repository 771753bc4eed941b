"""Stored tallies of sessions: their encoding, the queries, and the rules by which they are computed."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct, structs

from tearsheet.performance.tally import ALL_ACCOUNTS, Tally
from tearsheet.store.tables.columns import TallyRow
from tearsheet.store.tables.queries import Queries
from tearsheet.store.tables.rows import canonical, date_from_text, in_booking_order, in_closing_order
from tearsheet.trade.amount import ZERO
from tearsheet.trade.position import Booking, Position
from tearsheet.trade.session import AccountCalendars

decode = msgspec.json.Decoder(Tally).decode


def encode(tally: Tally) -> bytes:
    """Return a tally as it is stored; its amounts are canonical texts, however they were computed."""
    return msgspec.json.encode(_canonical(tally))


def _canonical(value: Any) -> Any:
    if isinstance(value, Decimal):
        if not value:
            return ZERO  # the default itself is left out
        text = canonical(value)
        return value if text == str(value) else Decimal(text)
    if isinstance(value, int):
        return value  # most fields are counts
    if isinstance(value, tuple):
        return tuple(map(_canonical, value))
    if isinstance(value, Struct):
        return type(value)(*map(_canonical, structs.astuple(value)))
    return value


class TallyRules(Struct, frozen=True):
    """Classification of outcomes: the breakeven band, and whether a breakeven ends a streak."""

    breakeven_band: Decimal
    breakeven_breaks_streak: bool

    def tally(self, bookings: Iterable[Booking], closed: Iterable[Position]) -> Tally:
        """Return the tally of bookings and closed positions in any order."""
        return self.tally_in_order(in_booking_order(bookings), in_closing_order(closed))

    def tally_in_order(self, bookings: Sequence[Booking], closed: Sequence[Position]) -> Tally:
        """Return the tally of bookings and closed positions that are in order."""
        return Tally.from_bookings(bookings, closed, self.breakeven_band, self.breakeven_breaks_streak)

    def by_session(
        self, bookings: Iterable[Booking], closed: Iterable[Position], calendars: AccountCalendars
    ) -> list[tuple[date, Tally]]:
        """Return the tally of each session, by the calendar of each account, in order."""
        by_day: dict[date, tuple[list[Booking], list[Position]]] = {}
        for booking in bookings:
            day = calendars.trading_day_of(booking.account, booking.time)
            by_day.setdefault(day, ([], []))[0].append(booking)
        for position in closed:
            day = calendars.trading_day_of(position.account, position.closed_at or position.last_at)
            by_day.setdefault(day, ([], []))[1].append(position)
        return [(day, self.tally(*by_day[day])) for day in sorted(by_day)]


class TallyTable:
    """Tallies by session, account (or all of them) and currency."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    def between(self, account: str | None, first: date, end: date, currency: str) -> list[tuple[date, Tally]]:
        """Return the tallies of an account, or of all, in the sessions `[first, end)`.

        Those of all count transfers of a session by their net, which is 0 between accounts that are both here.
        """
        name = ALL_ACCOUNTS if account is None else account
        span = (name, first.isoformat(), end.isoformat(), currency)
        found = self._queries.rows(TallyRow, "tallies", span)
        tallies = [(date.fromisoformat(row.session), decode(row.body)) for row in found]
        if account is None:
            return [(session, tally.of_all_accounts()) for session, tally in tallies]
        return tallies

    def currencies(self, account: str | None, first: date, end: date) -> list[str]:
        """Return the currencies in which an account, or all, traded in the sessions `[first, end)`."""
        name = ALL_ACCOUNTS if account is None else account
        return sorted(self._queries.values("tally_currencies", (name, first.isoformat(), end.isoformat())))

    def traded(self, account: str | None, currencies: list[str]) -> list[str]:
        """Return the currencies in which positions were held; all of them, if there are only amounts without one."""
        if len(currencies) < 2:
            return currencies
        accounts = self._queries.values("accounts") if account is None else [account]
        held = [
            currency
            for currency in currencies
            if any(self._queries.exists("position_in_currency", (name, currency)) for name in accounts)
        ]
        return held or currencies

    def first_session(self, account: str | None) -> date | None:
        """Return the first session with a booking."""
        return date_from_text(self._queries.value("first_session", (account or ALL_ACCOUNTS,)))

    def last_session(self, account: str) -> date | None:
        """Return the last session of an account with a booking."""
        return date_from_text(self._queries.value("last_session", (account,)))
