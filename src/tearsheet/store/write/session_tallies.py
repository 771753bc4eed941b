"""Update of session tallies while bookings and positions are added and removed.

Rows that come after everything in their session are added to its tally; after any other change the
tally is rebuilt from the rows of the session. Both give the same tally.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from itertools import chain, groupby
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

from tearsheet.columns.exact_lane import FoldRules
from tearsheet.columns.fill_columns import SessionTally
from tearsheet.performance.tally import ALL_ACCOUNTS, Tally
from tearsheet.store.tables.account_states import AccountStates
from tearsheet.store.tables.columns import TallyRow
from tearsheet.store.tables.queries import Queries
from tearsheet.store.tables.query_rows import SessionRow
from tearsheet.store.tables.rows import in_booking_order, in_closing_order
from tearsheet.store.tables.tallies import TallyRules, decode, encode
from tearsheet.trade.position import Booking, Position
from tearsheet.trade.session import EARLIEST, LATEST, AccountCalendars, Window, to_micros

T = TypeVar("T")
#: Maximum number of tallies in memory; above it those of past sessions are saved.
_MAX_CACHED = 500
_booked_at: Callable[[Booking], datetime] = attrgetter("time")
_ended_at: Callable[[Position], datetime] = attrgetter("closed_at")
_currency: Callable[[Any], str] = attrgetter("currency")
_account: Callable[[Any], str] = attrgetter("account")


class TallyKey(NamedTuple):
    """Primary key of a tally; the account can be ALL_ACCOUNTS."""

    account: str
    session: date
    currency: str


class _CachedTally(NamedTuple):
    last_us: int
    tally: Tally


class _Part(NamedTuple):
    """Tally of added rows, with the times of the first and the last row."""

    tally: Tally
    first_us: int
    last_us: int


class SessionTallies:
    """Cache of the tallies that one transaction changes; `finish` saves them."""

    def __init__(self, queries: Queries, calendars: AccountCalendars, rules: TallyRules) -> None:
        self._queries = queries
        self.calendars = calendars
        self._rules = rules
        self.accounts = AccountStates(queries)
        self._cached: dict[TallyKey, _CachedTally] = {}
        #: additions to the tallies of all accounts, which other writers may be changing at the same time
        self._pending: list[tuple[TallyKey, _Part]] = []
        self._changed: set[TallyKey] = set()
        self._stale: set[TallyKey] = set()
        #: tallies that were saved before `finish` to limit memory
        self._written: set[TallyKey] = set()

    def on_added(self, bookings: Sequence[Booking], closed: Sequence[Position]) -> None:
        """Add stored bookings and closed positions."""
        added: dict[tuple[date, str], tuple[list[Booking], list[Position]]]
        added = defaultdict(lambda: ([], []))
        bookings = in_booking_order(bookings)
        self.accounts.on_added(bookings)
        for day, session_bookings in self._by_session(bookings, _booked_at):
            for currency, own_bookings in groupby(session_bookings, _currency):
                booked, _ = added[day, currency]
                booked.extend(own_bookings)
        for day, session_closed in self._by_session(in_closing_order(closed), _ended_at):
            for currency, own_closed in groupby(session_closed, _currency):
                _, ended = added[day, currency]
                ended.extend(own_closed)
        for (day, currency), (booked, ended) in added.items():
            self._add_scopes(day, currency, booked, ended)
        if len(self._cached) > _MAX_CACHED:
            self._store(min(day for day, _ in added))

    def on_removed(self, bookings: Iterable[Booking], currency: str | None = None) -> None:
        """Mark the sessions of removed bookings for a rebuild; `currency` is that of their position."""
        for booking in bookings:
            self.accounts.on_removed(booking)
            day = self.calendars.trading_day_of(booking.account, booking.time)
            for money in {booking.currency, currency or booking.currency}:
                self._stale.add(TallyKey(booking.account, day, money))
                self._stale.add(TallyKey(ALL_ACCOUNTS, day, money))

    def redate(self, account: str) -> None:
        """Mark all sessions of an account for a rebuild: those it had, and those that its calendar makes."""
        found = {
            (row.session, row.currency) for row in self._queries.rows(SessionRow, "sessions_of", (account,))
        }
        stale = {(date.fromisoformat(session), currency) for session, currency in found}
        for bookings, closed in self._queries.time_chunks(account, EARLIEST, LATEST):
            rows = chain(
                ((b.time, b.currency) for b in bookings), ((_ended_at(p), p.currency) for p in closed)
            )
            stale.update((self.calendars.trading_day_of(account, at), money) for at, money in rows)
        for day, currency in stale:
            self._stale |= {TallyKey(account, day, currency), TallyKey(ALL_ACCOUNTS, day, currency)}

    def _by_session(
        self, ordered: Sequence[T], moment: Callable[[T], datetime]
    ) -> Iterator[tuple[date, Sequence[T]]]:
        """Split rows in order of time into sessions, each of its account."""
        if self.calendars.own:
            by_day: dict[date, list[T]] = defaultdict(list)
            for row in ordered:
                by_day[self.calendars.trading_day_of(_account(row), moment(row))].append(row)
            yield from by_day.items()
            return
        start, calendar = 0, self.calendars.common
        while start < len(ordered):
            day = calendar.trading_day_of(moment(ordered[start]))
            end = bisect_left(ordered, calendar.end(day), start, key=moment)
            yield day, ordered[start:end]
            start = end

    @property
    def fold_rules(self) -> FoldRules:
        """Return the rules of a fold that gives these tallies, while no account has a calendar of its own."""
        return FoldRules(
            self.calendars.common, self._rules.breakeven_band, self._rules.breakeven_breaks_streak
        )

    def on_folded(self, over: Iterable[SessionTally]) -> None:
        """Save the tallies of sessions that are over, in a ledger that had no bookings before."""
        for one in over:
            key = TallyKey(one.account, one.session, one.currency)
            self._cached[key] = _CachedTally(one.last_us, one.tally)
            self._changed.add(key)
        if len(self._cached) > _MAX_CACHED:
            self._store(max(key.session for key in self._cached))

    def rollback_added(self) -> None:
        """Discard all added rows, which the caller has removed again."""
        self._cached.clear()
        self._changed.clear()
        self._pending.clear()
        self._stale |= self._written
        self.accounts.rollback_added()

    def finish(self) -> int:
        """Rebuild stale tallies and save what changed; return how many rows were written."""
        for key, part in self._pending:
            self._extend(key, part)
        self._pending.clear()
        by_session: dict[date, list[TallyKey]] = defaultdict(list)
        for key in self._stale:
            by_session[key.session].append(key)
        for session, keys in by_session.items():
            self._rebuild(session, keys)
        written = self._changed | self._stale
        self._queries.execute_many("remove_tally", map(_parameters, written - self._cached.keys()))
        self._queries.execute_many("put_tally", map(self._row, written & self._cached.keys()))
        return len(written)

    def _store(self, session: date) -> None:
        """Save the tallies of earlier sessions, which are unlikely to change again."""
        past = [key for key in self._cached if key.session < session]
        self._queries.execute_many("put_tally", map(self._row, self._changed.intersection(past)))
        self._changed.difference_update(past)
        self._written.update(past)
        for key in past:
            del self._cached[key]

    def _row(self, key: TallyKey) -> TallyRow:
        cached = self._cached[key]
        return TallyRow(
            account=key.account,
            session=key.session.isoformat(),
            currency=key.currency,
            last_us=cached.last_us,
            body=encode(cached.tally).decode(),
        )

    def _add_scopes(self, day: date, currency: str, bookings: list[Booking], closed: list[Position]) -> None:
        """Add the rows of a session to the tallies of their accounts; queue them for the tally of all accounts."""
        whole = self._part(bookings, closed)
        self._pending.append((TallyKey(ALL_ACCOUNTS, day, currency), whole))
        booked: dict[str, list[Booking]] = defaultdict(list)
        for booking in bookings:
            booked[booking.account].append(booking)
        ended: dict[str, list[Position]] = defaultdict(list)
        for position in closed:
            ended[position.account].append(position)
        accounts = dict.fromkeys(chain(booked, ended))
        for account in accounts:
            part = whole if len(accounts) == 1 else self._part(booked[account], ended[account])
            self._extend(TallyKey(account, day, currency), part)

    def _part(self, bookings: list[Booking], closed: list[Position]) -> _Part:
        return _Part(self._rules.tally_in_order(bookings, closed), *_time_bounds(bookings, closed))

    def _extend(self, key: TallyKey, part: _Part) -> None:
        if key in self._stale:
            return
        cached = self._cached.get(key) or self._load(key)
        if cached is None:
            self._cached[key] = _CachedTally(part.last_us, part.tally)
        elif part.first_us > cached.last_us:
            self._cached[key] = _CachedTally(part.last_us, cached.tally + part.tally)
        else:
            self._stale.add(key)
            return
        self._changed.add(key)

    def _load(self, key: TallyKey) -> _CachedTally | None:
        row = self._queries.row(TallyRow, "tally", _parameters(key))
        return None if row is None else _CachedTally(row.last_us, decode(row.body))

    def _rebuild(self, session: date, keys: list[TallyKey]) -> None:
        """Rebuild the stale tallies of a session from its rows, which are read once, in chunks."""
        for key in keys:
            self._cached.pop(key, None)
        day = Window.containing("daily", session)
        span = self.calendars.start(None, session), self.calendars.end(None, day)
        for booked, ended in self._queries.time_chunks(None, *span):
            bookings, closed = self._of_day(day, booked, _booked_at), self._of_day(day, ended, _ended_at)
            accounts = {booking.account for booking in bookings}
            parts: dict[tuple[str, str], _CachedTally | None] = {}
            for key in keys:
                # with a single account, the tally of all accounts is the same
                account = ALL_ACCOUNTS if accounts == {key.account} else key.account
                scope = (account, key.currency)
                if scope not in parts:
                    parts[scope] = self._tally_of(*scope, bookings, closed)
                self._append(key, parts[scope])

    def _of_day(self, day: Window, rows: list[T], moment: Callable[[T], datetime]) -> list[T]:
        """Return the rows that belong to a day by the calendar of their account."""
        if not self.calendars.own:
            return rows
        return [row for row in rows if self.calendars.holds(day, _account(row), moment(row))]

    def _append(self, key: TallyKey, part: _CachedTally | None) -> None:
        before = self._cached.get(key)
        if part is not None:
            tally = part.tally if before is None else before.tally + part.tally
            self._cached[key] = _CachedTally(part.last_us, tally)

    def _tally_of(
        self, account: str, currency: str, bookings: list[Booking], closed: list[Position]
    ) -> _CachedTally | None:
        """Return the tally of an account, or of all, in a currency, or None without rows."""
        booked = [b for b in bookings if b.currency == currency and account in (ALL_ACCOUNTS, b.account)]
        ended = [p for p in closed if p.currency == currency and account in (ALL_ACCOUNTS, p.account)]
        if not booked and not ended:
            return None
        last = max(chain(map(_booked_at, booked), map(_ended_at, ended)))
        return _CachedTally(to_micros(last), self._rules.tally(booked, ended))


def _time_bounds(bookings: list[Booking], closed: list[Position]) -> tuple[int, int]:
    """Return the first and the last time of bookings and closed positions, each given in order.

    Both lists count, because the booking that closes a position can be in another currency.
    """
    ends = [*map(_booked_at, bookings[:1] + bookings[-1:]), *map(_ended_at, closed[:1] + closed[-1:])]
    return to_micros(min(ends)), to_micros(max(ends))


def _parameters(key: TallyKey) -> tuple[str, str, str]:
    return key.account, key.session.isoformat(), key.currency
