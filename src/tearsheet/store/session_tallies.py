"""Keeps the tallies of touched sessions right while bookings and positions come and go.

What comes after everything in its session is added on; anything else makes the session be
built anew from its rows. Both give the same tally.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

import msgspec
from msgspec import Struct

from tearsheet.performance.tally import Tally
from tearsheet.store.account_states import AccountStates
from tearsheet.store.reading import Reading
from tearsheet.store.rows import Row, in_order
from tearsheet.trade.position import Booking, Position
from tearsheet.trade.session import TradingCalendar, to_micros

ALL_ACCOUNTS = ""
Key = tuple[str, date, str]  # account or ALL_ACCOUNTS, session, currency

encode = msgspec.json.encode
decode = msgspec.json.Decoder(Tally).decode


class TallyRules(Struct, frozen=True):
    """How outcomes are told: the breakeven band, and whether a breakeven ends a streak."""

    breakeven_band: Decimal
    breakeven_breaks_streak: bool

    def tally(self, bookings: Iterable[Booking], closed: Iterable[Position]) -> Tally:
        """The tally of bookings and closed positions given in any order."""
        return self.tally_in_order(sorted(bookings, key=_booking_order), in_order(closed))

    def tally_in_order(self, bookings: Sequence[Booking], closed: Sequence[Position]) -> Tally:
        """The tally of bookings and closed positions that are in order."""
        return Tally.of(bookings, closed, self.breakeven_band, self.breakeven_breaks_streak)


def _booking_order(booking: Booking) -> tuple[object, ...]:
    return booking.order


class SessionTallies:
    """The tallies that one posting touches, written by `finish`."""

    def __init__(self, reading: Reading, calendar: TradingCalendar, rules: TallyRules) -> None:
        self._reading = reading
        self._calendar = calendar
        self._rules = rules
        self.accounts = AccountStates(reading)
        self._kept: dict[Key, tuple[int, Tally]] = {}
        #: what is to be added to the tallies of all accounts, which other writers may be changing
        self._later: list[tuple[Key, Tally, int, int]] = []
        self._changed: set[Key] = set()
        self._stale: set[Key] = set()

    def added(self, bookings: Sequence[Booking], closed: Sequence[Position]) -> None:
        """Bookings and closings that were just stored."""
        fresh: dict[tuple[date, str], tuple[list[Booking], list[Position]]]
        fresh = defaultdict(lambda: ([], []))
        session = self._calendar.session
        self.accounts.added(bookings)
        for booking in sorted(bookings, key=_booking_order):
            fresh[session(booking.time), booking.currency][0].append(booking)
        for position in in_order(closed):
            fresh[session(position.last_at), position.currency][1].append(position)
        for (day, currency), (its_bookings, its_closed) in fresh.items():
            self._extend_scopes(day, currency, its_bookings, its_closed)

    def removed(self, bookings: Iterable[Booking]) -> None:
        """Bookings that were just taken out; a closing goes with its last booking."""
        for booking in bookings:
            self.accounts.removed(booking)
            day = self._calendar.session(booking.time)
            self._stale.add((booking.account, day, booking.currency))
            self._stale.add((ALL_ACCOUNTS, day, booking.currency))

    def finish(self) -> int:
        """Build stale tallies anew and write what changed; returns how many rows were written."""
        for part in self._later:
            self._extend(*part)
        self._later.clear()
        by_day: dict[date, list[Key]] = defaultdict(list)
        for key in self._stale:
            by_day[key[1]].append(key)
        for day, keys in by_day.items():
            self._rebuild(day, keys)
        written = self._changed | self._stale
        self._reading.execute_many("remove_tally", map(_name, written - self._kept.keys()))
        self._reading.execute_many("put_tally", map(self._row, written & self._kept.keys()))
        return len(written)

    def _row(self, key: Key) -> Row:
        last_us, tally = self._kept[key]
        return (*_name(key), last_us, encode(tally).decode())

    def _extend_scopes(
        self, day: date, currency: str, bookings: list[Booking], closed: list[Position]
    ) -> None:
        whole = self._rules.tally_in_order(bookings, closed)
        span = _span(bookings)
        self._later.append(((ALL_ACCOUNTS, day, currency), whole, *span))
        its: dict[str, tuple[list[Booking], list[Position]]] = defaultdict(lambda: ([], []))
        for booking in bookings:
            its[booking.account][0].append(booking)
        if len(its) == 1:
            self._extend((bookings[0].account, day, currency), whole, *span)
            return
        for position in closed:
            its[position.account][1].append(position)
        for account, (booked, ended) in its.items():
            part = self._rules.tally_in_order(booked, ended)
            self._extend((account, day, currency), part, *_span(booked))

    def _extend(self, key: Key, part: Tally, first: int, last: int) -> None:
        if key in self._stale:
            return
        kept = self._kept.get(key) or self._load(key)
        if kept is None:
            self._kept[key] = (last, part)
        elif first > kept[0]:
            self._kept[key] = (last, kept[1] + part)
        else:
            self._stale.add(key)
            return
        self._changed.add(key)

    def _load(self, key: Key) -> tuple[int, Tally] | None:
        row = self._reading.one("tally", (key[0], key[1].isoformat(), key[2]))
        return None if row is None else (row[0], decode(row[1]))

    def _rebuild(self, day: date, keys: list[Key]) -> None:
        """Build the stale tallies of a session from its rows, read once, stretch by stretch."""
        for key in keys:
            self._kept.pop(key, None)
        span = self._calendar.start(day), self._calendar.end(day)
        for bookings, closed in self._reading.stretches(None, *span):
            accounts = {booking.account for booking in bookings}
            made: dict[tuple[str, str], tuple[int, Tally] | None] = {}
            for key in keys:
                account, _, currency = key
                # with one account only, its tally is that of all
                scope = (ALL_ACCOUNTS if accounts == {account} else account, currency)
                if scope not in made:
                    made[scope] = self._tally_of(*scope, bookings, closed)
                self._append(key, made[scope])

    def _append(self, key: Key, part: tuple[int, Tally] | None) -> None:
        before = self._kept.get(key)
        if part is not None:
            self._kept[key] = part if before is None else (part[0], before[1] + part[1])

    def _tally_of(
        self, account: str, currency: str, bookings: list[Booking], closed: list[Position]
    ) -> tuple[int, Tally] | None:
        """The tally of an account, or of all, in a currency; None where it has no bookings."""
        its = [
            b for b in bookings if b.currency == currency and account in (ALL_ACCOUNTS, b.account)
        ]
        if not its:
            return None
        ended = [
            p for p in closed if p.currency == currency and account in (ALL_ACCOUNTS, p.account)
        ]
        last = max(to_micros(booking.time) for booking in its)
        return last, self._rules.tally(its, ended)


def _span(bookings: list[Booking]) -> tuple[int, int]:
    """When the first and the last of bookings in order happened."""
    return to_micros(bookings[0].time), to_micros(bookings[-1].time)


def _name(key: Key) -> tuple[str, str, str]:
    return key[0], key[1].isoformat(), key[2]
