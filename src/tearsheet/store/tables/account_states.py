"""Notes of each account whether its bookings only went on, or changed before the last one.

Who folds an account as it goes reads on from the last booking while `rewrites` stays the same, and
begins anew where it does not.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct

from tearsheet.store.tables.queries import Queries
from tearsheet.trade.position import Booking
from tearsheet.trade.session import from_micros, to_micros

_BookingKey = tuple[str, str, int]
#: So many bookings that were taken out are held, to see whether they come back the same.
_MOST_HELD = 50_000


class AccountState(Struct, frozen=True):
    """How often an account was rewritten, its last booking, and when its source was last heard."""

    rewrites: int = 0
    last_us: int | None = None
    last_update_us: int | None = None

    @property
    def last_update_at(self) -> datetime | None:
        """When the account's source was last heard."""
        return None if self.last_update_us is None else from_micros(self.last_update_us)


def account_state(queries: Queries, account: str) -> AccountState:
    """The state of an account; that of one never met is empty."""
    row = queries.fetch_one("account_state", (account,))
    return AccountState() if row is None else AccountState(*row)


class AccountStates:
    """The accounts that one posting touches."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries
        self._spans: dict[str, tuple[datetime, datetime]] = {}
        #: bookings that were taken out and did not come back the same
        self._removed: dict[str, dict[_BookingKey, Booking]] = {}
        #: since when what was booked of an account is another now; known after `finish`
        self.rewritten: dict[str, int] = {}
        self._held = 0
        #: since when an account has changed, where too much went to wait for what comes back
        self._changed: dict[str, datetime] = {}

    def on_added(self, bookings: Sequence[Booking]) -> None:
        """Bookings, in order of time, that were just stored."""
        if self._removed:
            bookings = [booking for booking in bookings if not self._is_restored(booking)]
        last = {booking.account: booking.time for booking in bookings}
        first = {booking.account: booking.time for booking in reversed(bookings)}
        for account, at in last.items():
            since, until = self._spans.get(account, (at, at))
            self._spans[account] = min(since, first[account]), max(until, at)

    def _is_restored(self, booking: Booking) -> bool:
        """Whether a booking was taken out before, just as it is."""
        gone = self._removed.get(booking.account)
        if not gone or gone.get(_booking_key(booking)) != booking:
            return False
        del gone[_booking_key(booking)]
        return True

    def rollback_added(self) -> None:
        """Forget all that was added, since it was taken out."""
        self._spans.clear()

    def on_removed(self, booking: Booking) -> None:
        """A booking that was just taken out."""
        if self._held < _MOST_HELD:
            self._removed.setdefault(booking.account, {})[_booking_key(booking)] = booking
            self._held += 1
        else:
            since = self._changed.get(booking.account, booking.time)
            self._changed[booking.account] = min(since, booking.time)

    def finish(self, now_us: int | None) -> frozenset[str]:
        """Write what became of the accounts, heard now if an instant is given; returns them."""
        touched = self._spans.keys() | self._removed.keys() | self._changed.keys()
        for account in touched:
            self._write(account, now_us)
        self._spans.clear()
        self._removed.clear()
        self._changed.clear()
        self._held = 0
        return frozenset(touched)

    def _write(self, account: str, now_us: int | None) -> None:
        known = account_state(self._queries, account)
        span, last_us = self._spans.get(account), known.last_us
        changed = [to_micros(one.time) for one in self._removed.get(account, {}).values()]
        if account in self._changed:
            changed.append(to_micros(self._changed[account]))
        if span is not None:
            first, last = to_micros(span[0]), to_micros(span[1])
            if last_us is not None and first < last_us:
                changed.append(first)
            last_us = max(last, last_us or last)
        if changed:
            self.rewritten[account] = min(changed)
            self._queries.execute("remove_limit_bases_after", (account, min(changed)))
        heard = known.last_update_us if now_us is None else now_us
        row = (account, known.rewrites + bool(changed), last_us, heard)
        self._queries.execute("put_account_state", row)


def record_heartbeat(queries: Queries, accounts: Iterable[str], now: datetime) -> None:
    """Note that the source of accounts was heard, also where it had nothing new to say."""
    queries.execute_many("heard_account", [(name, to_micros(now)) for name in sorted(accounts)])


def _booking_key(booking: Booking) -> _BookingKey:
    return booking.position_id, booking.fill_key, booking.part
