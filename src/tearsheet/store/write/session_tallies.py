"""Keeps the tallies of touched sessions right while bookings and positions come and go.

What comes after everything in its session is added on; anything else makes the session be
built anew from its rows. Both give the same tally.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from itertools import chain, pairwise
from operator import attrgetter
from typing import TypeVar

from tearsheet.performance.tally import Tally
from tearsheet.store.tables.account_states import AccountStates
from tearsheet.store.tables.queries import Queries
from tearsheet.store.tables.rows import Row, in_closing_order
from tearsheet.store.tables.tallies import ALL_ACCOUNTS, TallyRules, booking_order, decode, encode
from tearsheet.trade.position import Booking, Position
from tearsheet.trade.session import TradingCalendar, to_micros

T = TypeVar("T")
#: So many tallies are held in memory before those of past sessions are written.
_MAX_CACHED = 500
TallyKey = tuple[str, date, str]  # account or ALL_ACCOUNTS, session, currency


_booked_at: Callable[[Booking], datetime] = attrgetter("time")
_ended_at: Callable[[Position], datetime] = attrgetter("last_at")


class SessionTallies:
    """The tallies that one posting touches, written by `finish`."""

    def __init__(self, queries: Queries, calendar: TradingCalendar, rules: TallyRules) -> None:
        self._queries = queries
        self._calendar = calendar
        self._rules = rules
        self.accounts = AccountStates(queries)
        self._cached: dict[TallyKey, tuple[int, Tally]] = {}
        #: what is to be added to the tallies of all accounts, which other writers may be changing
        self._pending: list[tuple[TallyKey, Tally, int, int]] = []
        self._changed: set[TallyKey] = set()
        self._stale: set[TallyKey] = set()
        #: those that were written before the end, so that memory stays flat
        self._written: set[TallyKey] = set()

    def on_added(self, bookings: Sequence[Booking], closed: Sequence[Position]) -> None:
        """Bookings and closings that were just stored."""
        fresh: dict[tuple[date, str], tuple[list[Booking], list[Position]]]
        fresh = defaultdict(lambda: ([], []))
        bookings = _sorted(bookings)
        self.accounts.on_added(bookings)
        for day, its_bookings in self._by_session(bookings, _booked_at):
            for booking in its_bookings:
                fresh[day, booking.currency][0].append(booking)
        for day, its_closed in self._by_session(in_closing_order(closed), _ended_at):
            for position in its_closed:
                fresh[day, position.currency][1].append(position)
        for (day, currency), (booked, ended) in fresh.items():
            self._add_scopes(day, currency, booked, ended)
        if len(self._cached) > _MAX_CACHED:
            self._store(min(day for day, _ in fresh))

    def on_removed(self, bookings: Iterable[Booking], currency: str | None = None) -> None:
        """Bookings that were just taken out; a closing, in its position's currency, goes with the last."""
        for booking in bookings:
            self.accounts.on_removed(booking)
            day = self._calendar.trading_day_of(booking.time)
            for money in {booking.currency, currency or booking.currency}:
                self._stale.add((booking.account, day, money))
                self._stale.add((ALL_ACCOUNTS, day, money))

    def _by_session(
        self, ordered: Sequence[T], moment: Callable[[T], datetime]
    ) -> Iterator[tuple[date, Sequence[T]]]:
        """What is in order of time, cut where sessions begin."""
        begin = 0
        while begin < len(ordered):
            day = self._calendar.trading_day_of(moment(ordered[begin]))
            end = bisect_left(ordered, self._calendar.end(day), begin, key=moment)
            yield day, ordered[begin:end]
            begin = end

    def rollback_added(self) -> None:
        """Forget all that was added, since it was taken out again."""
        self._cached.clear()
        self._changed.clear()
        self._pending.clear()
        self._stale |= self._written
        self.accounts.rollback_added()

    def finish(self) -> int:
        """Build stale tallies anew and write what changed; returns how many rows were written."""
        for part in self._pending:
            self._extend(*part)
        self._pending.clear()
        by_day: dict[date, list[TallyKey]] = defaultdict(list)
        for key in self._stale:
            by_day[key[1]].append(key)
        for day, keys in by_day.items():
            self._rebuild(day, keys)
        written = self._changed | self._stale
        self._queries.execute_many("remove_tally", map(_row_key, written - self._cached.keys()))
        self._queries.execute_many("put_tally", map(self._row, written & self._cached.keys()))
        return len(written)

    def _store(self, day: date) -> None:
        """Write the tallies of the sessions before one, which few will touch again."""
        past = [key for key in self._cached if key[1] < day]
        self._queries.execute_many("put_tally", map(self._row, self._changed.intersection(past)))
        self._changed.difference_update(past)
        self._written.update(past)
        for key in past:
            del self._cached[key]

    def _row(self, key: TallyKey) -> Row:
        last_us, tally = self._cached[key]
        return (*_row_key(key), last_us, encode(tally).decode())

    def _add_scopes(self, day: date, currency: str, bookings: list[Booking], closed: list[Position]) -> None:
        whole = self._rules.tally_in_order(bookings, closed)
        span = _time_bounds(bookings, closed)
        self._pending.append(((ALL_ACCOUNTS, day, currency), whole, *span))
        its: dict[str, tuple[list[Booking], list[Position]]] = defaultdict(lambda: ([], []))
        for booking in bookings:
            its[booking.account][0].append(booking)
        for position in closed:
            its[position.account][1].append(position)
        if len(its) == 1:
            self._extend((next(iter(its)), day, currency), whole, *span)
            return
        for account, (booked, ended) in its.items():
            part = self._rules.tally_in_order(booked, ended)
            self._extend((account, day, currency), part, *_time_bounds(booked, ended))

    def _extend(self, key: TallyKey, part: Tally, first: int, last: int) -> None:
        if key in self._stale:
            return
        kept = self._cached.get(key) or self._load(key)
        if kept is None:
            self._cached[key] = (last, part)
        elif first > kept[0]:
            self._cached[key] = (last, kept[1] + part)
        else:
            self._stale.add(key)
            return
        self._changed.add(key)

    def _load(self, key: TallyKey) -> tuple[int, Tally] | None:
        row = self._queries.fetch_one("tally", (key[0], key[1].isoformat(), key[2]))
        return None if row is None else (row[0], decode(row[1]))

    def _rebuild(self, day: date, keys: list[TallyKey]) -> None:
        """Build the stale tallies of a session from its rows, read once, stretch by stretch."""
        for key in keys:
            self._cached.pop(key, None)
        span = self._calendar.start(day), self._calendar.end(day)
        for bookings, closed in self._queries.time_chunks(None, *span):
            accounts = {booking.account for booking in bookings}
            made: dict[tuple[str, str], tuple[int, Tally] | None] = {}
            for key in keys:
                account, _, currency = key
                # with one account only, its tally is that of all
                scope = (ALL_ACCOUNTS if accounts == {account} else account, currency)
                if scope not in made:
                    made[scope] = self._tally_of(*scope, bookings, closed)
                self._append(key, made[scope])

    def _append(self, key: TallyKey, part: tuple[int, Tally] | None) -> None:
        before = self._cached.get(key)
        if part is not None:
            self._cached[key] = part if before is None else (part[0], before[1] + part[1])

    def _tally_of(
        self, account: str, currency: str, bookings: list[Booking], closed: list[Position]
    ) -> tuple[int, Tally] | None:
        """The tally of an account, or of all, in a currency; None where it has no bookings."""
        its = [b for b in bookings if b.currency == currency and account in (ALL_ACCOUNTS, b.account)]
        ended = [p for p in closed if p.currency == currency and account in (ALL_ACCOUNTS, p.account)]
        if not its and not ended:
            return None
        last = max(chain(map(_booked_at, its), map(_ended_at, ended)))
        return to_micros(last), self._rules.tally(its, ended)


def _sorted(bookings: Sequence[Booking]) -> Sequence[Booking]:
    """Bookings in order; those of a large import come so."""
    pairs = pairwise(bookings)
    if all(one.time < other.time or one.order < other.order for one, other in pairs):
        return bookings
    return sorted(bookings, key=booking_order)


def _time_bounds(bookings: list[Booking], closed: list[Position]) -> tuple[int, int]:
    """When the first and the last of bookings and closings, each in order, happened.

    A position is closed by a booking, but that may be in another currency.
    """
    ends = [*map(_booked_at, bookings[:1] + bookings[-1:]), *map(_ended_at, closed[:1] + closed[-1:])]
    return to_micros(min(ends)), to_micros(max(ends))


def _row_key(key: TallyKey) -> tuple[str, str, str]:
    return key[0], key[1].isoformat(), key[2]
