"""State of each account: number of rewrites, last booking, and last update from its source.

A reader that processes an account in order continues after the last booking while `rewrites` is
unchanged, and starts over when it changes.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from msgspec import Struct

from tearsheet.store.tables.columns import AccountStateRow, Row
from tearsheet.store.tables.queries import Queries
from tearsheet.trade.position import Booking
from tearsheet.trade.session import from_micros, to_micros

_BookingKey = tuple[str, str, int]
#: Maximum of removed bookings in memory, to detect that they are added again unchanged.
_MAX_HELD = 50_000
#: Layouts of sources that are no statements: logs, and what was posted.
LOG_LAYOUT, POST_LAYOUT = "trade_log", "api"
_FEED_NAMES = {LOG_LAYOUT: "trade log", POST_LAYOUT: "posts"}


class AccountFeedRow(Row, frozen=True, gc=False):
    """Last fact of a source of an account, by kind: a statement's layout, `trade_log`, or `api` for posts."""

    TABLE: ClassVar[str] = "feed"

    account: str
    layout: str
    said_us: int


class AccountState(Struct, frozen=True):
    """Number of rewrites of past bookings, the last booking, and the last update from the source."""

    rewrites: int = 0
    last_us: int | None = None
    last_update_us: int | None = None

    @property
    def last_update_at(self) -> datetime | None:
        """Return when the account last sent a post or a heartbeat."""
        return None if self.last_update_us is None else from_micros(self.last_update_us)


def account_state(queries: Queries, account: str) -> AccountState:
    """Return the state of an account, which is empty if the account is unknown."""
    row = queries.row(AccountStateRow, "account_state", (account,))
    return AccountState() if row is None else AccountState(row.rewrites, row.last_us, row.heard_us)


class AccountStates:
    """States of the accounts that one transaction changes."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries
        self._spans: dict[str, tuple[datetime, datetime]] = {}
        #: removed bookings that were not added again
        self._removed: dict[str, dict[_BookingKey, Booking]] = {}
        #: first changed instant by account; set by `finish`
        self.rewritten: dict[str, int] = {}
        self._held = 0
        #: first removed instant by account, for removed bookings beyond `_MAX_HELD`
        self._changed: dict[str, datetime] = {}

    def on_added(self, bookings: Sequence[Booking]) -> None:
        """Record stored bookings, in order of time."""
        if self._removed:
            bookings = [booking for booking in bookings if not self._is_restored(booking)]
        last = {booking.account: booking.time for booking in bookings}
        first = {booking.account: booking.time for booking in reversed(bookings)}
        for account, at in last.items():
            since, until = self._spans.get(account, (at, at))
            self._spans[account] = min(since, first[account]), max(until, at)

    def on_booked(self, spans: Mapping[str, tuple[int, int]]) -> None:
        """Record the first and the last instant of stored bookings of accounts that had none before."""
        self._spans |= {account: (from_micros(a), from_micros(b)) for account, (a, b) in spans.items()}

    def _is_restored(self, booking: Booking) -> bool:
        """Return whether an identical booking was removed before, and remove it from the record."""
        removed = self._removed.get(booking.account)
        if not removed or removed.get(_booking_key(booking)) != booking:
            return False
        del removed[_booking_key(booking)]
        return True

    def rollback_added(self) -> None:
        """Discard all added bookings, because they were removed again."""
        self._spans.clear()

    def on_removed(self, booking: Booking) -> None:
        """Record a removed booking."""
        if self._held < _MAX_HELD:
            self._removed.setdefault(booking.account, {})[_booking_key(booking)] = booking
            self._held += 1
        else:
            since = self._changed.get(booking.account, booking.time)
            self._changed[booking.account] = min(since, booking.time)

    def finish(self) -> frozenset[str]:
        """Save the changed accounts; return their names."""
        touched = self._spans.keys() | self._removed.keys() | self._changed.keys()
        for account in touched:
            self._write(account)
        self._spans.clear()
        self._removed.clear()
        self._changed.clear()
        self._held = 0
        return frozenset(touched)

    def _write(self, account: str) -> None:
        before = account_state(self._queries, account)
        span, last_us = self._spans.get(account), before.last_us
        changed = [to_micros(one.time) for one in self._removed.get(account, {}).values()]
        if account in self._changed:
            changed.append(to_micros(self._changed[account]))
        if span is not None:
            first, last = map(to_micros, span)
            if last_us is not None and first < last_us:
                changed.append(first)
            last_us = max(last, last_us or last)
        if changed:
            self.rewritten[account] = min(changed)
            self._queries.execute("remove_limit_bases_after", (account, min(changed)))
        row = AccountStateRow(
            account=account,
            rewrites=before.rewrites + bool(changed),
            last_us=last_us,
            heard_us=before.last_update_us,
        )
        self._queries.execute("put_account_state", row)


def record_heartbeat(queries: Queries, accounts: Iterable[str], now: datetime) -> None:
    """Save that the source of accounts is alive, also if it sends no data."""
    queries.execute_many("heard_account", [(name, to_micros(now)) for name in sorted(accounts)])


def note_feed(queries: Queries, account: str, layout: str, said_us: int) -> None:
    """Save the last fact of a source, and remove the decision that its silence is normal."""
    queries.execute("put_feed", (account, layout, said_us))
    queries.execute("remove_absence", (feed_source(account, layout),))


def find_feeds_again(queries: Queries, layout: str) -> None:
    """Recompute the last facts of a layout's sources after facts were removed."""
    queries.execute("remove_feeds_of_layout", (layout,))
    if layout == LOG_LAYOUT:
        queries.execute("find_feeds_of_log")
    else:
        queries.execute("find_feeds_of_layout", (layout,))


def feed_name(layout: str) -> str:
    """Return the name of a kind of source."""
    return _FEED_NAMES.get(layout, layout)


def feed_source(account: str, layout: str) -> str:
    """Return the name under which the silence of an account's source is decided."""
    return f"{feed_name(layout)} of {account}"


def _booking_key(booking: Booking) -> _BookingKey:
    return booking.position_id, booking.fill_key, booking.part
