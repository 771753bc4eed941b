"""The running limit books of a process: each is fed what is new, and made anew where that is not enough.

All of it happens inside a transaction that the caller opened, so that a book is of one state.
"""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from hashlib import blake2b

from msgspec import MsgspecError, Struct, json

from tearsheet.errors import UsageError
from tearsheet.performance.summary import Scope
from tearsheet.rules.breach import Breach, is_active_in
from tearsheet.rules.limit import AccountLimits, period_start
from tearsheet.rules.limit_book import (
    LimitBook,
    LimitBookSnapshot,
    LimitContext,
    build_limit_book,
    first_session_needed,
)
from tearsheet.rules.limit_sums import OutcomeRules, UnrealizedPnl, compute_unrealized_pnl
from tearsheet.settings import Settings
from tearsheet.store.tables.account_states import AccountState, account_state
from tearsheet.store.tables.breaches import (
    BreachRecord,
    BreachTable,
    load_equity_peak,
    load_snapshot,
    save_equity_peak,
    save_snapshot,
)
from tearsheet.store.tables.ledger import Ledger
from tearsheet.store.tables.marks import Marks
from tearsheet.trade.amount import ZERO
from tearsheet.trade.position import Booking, Position
from tearsheet.trade.session import DAY, EARLIEST, LATEST

#: Raised when the same facts would give other sums than before.
_VERSION = 1


class LiveLimits:
    """An account's book, how far it has seen the ledger, and which of its breaches are kept there."""

    def __init__(self, book: LimitBook, state: AccountState) -> None:
        self.book = book
        self.rewrites = state.rewrites
        self.state = state
        self.state_id = ""
        self.currencies: set[str] = set()
        self.last_booking: Booking | None = None
        self.bookings_at_last_instant = 0
        self.saved_breaches: set[str] = set()
        self.equity_peak: Decimal | None = None
        #: what is worth keeping of the past, and how many sessions it took to make
        self.new_snapshot: tuple[str, date, LimitSnapshot] | None = None
        self.sessions = 0
        self.feed_cache: tuple[object, object] = (None, None)

    def mark_read(self, bookings: Iterable[Booking]) -> None:
        """Remember up to which booking the account was read."""
        for booking in bookings:
            same = self.last_booking is not None and booking.time == self.last_booking.time
            self.bookings_at_last_instant = self.bookings_at_last_instant + 1 if same else 1
            self.last_booking = booking
            self.currencies.add(booking.currency)

    def sync_breaches(self, records: Iterable[BreachRecord]) -> None:
        """What is kept of breaches and releases."""
        for record in records:
            self.saved_breaches.add(record.breach.id)
            self.book.breach_register.add(record.breach)
            if record.release is not None:
                self.book.release(record.release)

    def unsaved_breaches(self) -> list[Breach]:
        """Breaches in force that the ledger does not know yet."""
        book = self.book
        return [
            breach
            for breach in book.new_breaches
            if breach.id not in self.saved_breaches
            and is_active_in(breach.limit, breach.period_start, book.session)
        ]


class LimitSnapshot(Struct, frozen=True):
    """A book as it stood before a session, with the currencies that it had met."""

    book: LimitBookSnapshot
    currency: str
    others: tuple[str, ...]


class LiveLimitBooks:
    """Gives the book of an account as the ledger stands in the present transaction."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self._ledger = ledger
        self._settings = settings
        self._live: dict[str, LiveLimits] = {}
        #: how often a book was made anew, and how often it only read on; for tests and figures
        self.built, self.updated = 0, 0

    def invalidate(self) -> None:
        """Make every book anew the next time, because what they saw may not have been kept."""
        self._live.clear()

    def for_account(self, account: str, plan: AccountLimits, now: datetime) -> LiveLimits:
        """The book of an account with the clock at an instant; nothing is written."""
        stamp = self._ledger.state_id
        standing = self._live.get(account)
        if standing is None or standing.book.plan != plan or not self._update(standing, stamp):
            standing = self._build(account, plan, now)
        standing.state_id = stamp
        self._apply_marks(standing, now)
        standing.book.evaluate(now)
        return standing

    def save_equity_peak(self, standing: LiveLimits) -> None:
        """Remember the highest equity that prices made; inside a transaction that writes."""
        high, book = standing.equity_peak, standing.book
        if high is not None and high > (self._saved_peak(book) or high - 1):
            save_equity_peak(self._ledger.queries, book.account, book.sums.since, high)

    def _saved_peak(self, book: LimitBook) -> Decimal | None:
        return load_equity_peak(self._ledger.queries, book.account, book.sums.since)

    def _update(self, standing: LiveLimits, stamp: str) -> bool:
        """Feed what came since; says whether the book could take it."""
        if standing.state_id == stamp:
            return True
        account = standing.book.account
        standing.state = account_state(self._ledger.queries, account)
        if standing.state.rewrites != standing.rewrites:
            return False
        standing.sync_breaches(self._active_breaches(account, standing.book.session))
        return self._add_new_bookings(standing)

    def _add_new_bookings(self, standing: LiveLimits) -> bool:
        last, last_us = standing.last_booking, standing.state.last_us
        if last is None or last_us is None:
            return last_us is None
        found, closed = self._ledger.queries.in_window(standing.book.account, last.time, LATEST)
        found.sort(key=_booking_order)
        seen = sum(b.time == last.time and b.order <= last.order for b in found)
        fresh = found[seen:]
        if seen != standing.bookings_at_last_instant or any(
            b.currency not in standing.currencies for b in fresh
        ):
            return False
        ended = {position.id: position for position in closed}
        try:
            for booking in fresh:
                position = ended.get(booking.position_id) if booking.closes else None
                standing.book.book(booking, position)
        except UsageError:  # its session is over
            return False
        standing.mark_read(fresh)
        self.updated += 1
        return True

    def _build(self, account: str, plan: AccountLimits, now: datetime) -> LiveLimits:
        """The book from kept tallies up to the last traded session, whose bookings are read."""
        queries, calendar = self._ledger.queries, self._settings.calendar
        session = calendar.trading_day_of(now)
        cut = min(session, self._ledger.last_session(account) or session)
        first = first_session_needed(plan, cut) or EARLIEST.date()
        digest = self._digest(plan, first)
        begun, base = self._load_snapshot(account, digest, first, cut)
        currency, others = self._currency(account, begun, base)
        if base is not None and currency != base.currency:
            begun, base = first, None
        bookings, closed = queries.in_window(account, calendar.start(cut), LATEST)
        bookings.sort(key=_booking_order)
        past = self._ledger.tallies(account, begun, cut, currency)
        records = self._active_breaches(account, session)
        bases: list[LimitBookSnapshot] = []
        book = build_limit_book(
            account,
            plan,
            LimitContext(calendar, currency, self._outcome_rules()),
            past=past,
            bookings=bookings,
            positions=[*closed, *self._open_positions(account)],
            breaches=[record.breach for record in records],
            releases=[record.release for record in records if record.release],
            snapshot=base.book if base else None,
            between=lambda book: bases.append(book.snapshot()),
        )
        book.other_currencies |= others
        standing = LiveLimits(book, account_state(queries, account))
        standing.saved_breaches = {record.breach.id for record in records}
        standing.currencies = {currency, *others}
        standing.mark_read(bookings)
        standing.sessions = len(past)
        if past and first == EARLIEST.date():
            standing.new_snapshot = (digest, cut, LimitSnapshot(bases[0], currency, tuple(sorted(others))))
        self._restore_peak(book)
        self._live[account] = standing
        self.built += 1
        return standing

    def save_snapshot(self, standing: LiveLimits) -> None:
        """Keep what the past came to, so that the next book begins there; in a transaction that writes."""
        if standing.new_snapshot is not None:
            digest, session, base = standing.new_snapshot
            start = self._settings.calendar.start(session)
            body = json.encode(base).decode()
            save_snapshot(self._ledger.queries, standing.book.account, digest, session, start, body)
            standing.new_snapshot = None

    def _load_snapshot(
        self, account: str, digest: str, first: date, cut: date
    ) -> tuple[date, LimitSnapshot | None]:
        """From which session on tallies are needed, and what was before them."""
        found = load_snapshot(self._ledger.queries, account, digest)
        if found is None or found[0] > cut or first != EARLIEST.date():
            return first, None
        try:
            return found[0], json.decode(found[1], type=LimitSnapshot)
        except MsgspecError:  # another Tearsheet wrote it down
            return first, None

    def _digest(self, plan: AccountLimits, first: date) -> str:
        """A name of all that running sums depend on besides the books; empty where none are kept."""
        if first != EARLIEST.date():
            return ""
        calendar = self._settings.calendar
        parts = (plan, calendar.timezone.key, calendar.day_starts_at, self._outcome_rules(), _VERSION)
        return blake2b(json.encode(parts), digest_size=8).hexdigest()

    def _restore_peak(self, book: LimitBook) -> None:
        high = self._saved_peak(book)
        if high is not None:
            book.sums.high_with_open = max(book.sums.high_with_open, high)

    def _currency(self, account: str, first: date, base: LimitSnapshot | None) -> tuple[str, set[str]]:
        """The currency of an account's limits, and the others that it traded in."""
        found = set(self._ledger.currencies(account, first, LATEST.date()))
        if base is not None:
            found |= {base.currency, *base.others}
        chosen = self._settings.currency
        if len(found) == 1:
            (chosen,) = found
        return chosen, found - {chosen}

    def _outcome_rules(self) -> OutcomeRules:
        breaks = self._settings.breakeven_streak == "break"
        return OutcomeRules(self._settings.breakeven_band, breaks)

    def _active_breaches(self, account: str, session: date) -> list[BreachRecord]:
        """The breaches that may still hold in a session, or in the one before."""
        starts = (period_start(period, session - DAY) for period in ("day", "week", "month"))
        since = min(start for start in starts if start is not None)
        return BreachTable(self._ledger.queries).for_account(account, since)

    def _open_positions(self, account: str) -> list[Position]:
        return self._ledger.queries.open_positions(Scope(account))

    def _apply_marks(self, standing: LiveLimits, now: datetime) -> None:
        """Judge what is open at the last known prices, where a limit asks for it."""
        book = standing.book
        if not any(limit.needs_marks for limit in book.plan.limits):
            return
        if not book.sums.holdings:
            self._mark_open_log_trades(book)
            return
        positions = [p for p in self._open_positions(book.account) if p.currency == book.context.currency]
        at, pnl = self._unrealized(positions, book.plan, now)
        book.mark(at, pnl)
        if pnl.amount is not None:
            standing.equity_peak = book.sums.high_with_open

    def _mark_open_log_trades(self, book: LimitBook) -> None:
        """The log says of open trades no size left, so that nobody knows what they would bring."""
        number = self._ledger.open_log_trades(Scope(book.account))
        book.sums.pnl_open = None if number else ZERO
        book.missing_marks = (f"{number} open trades of the log",) if number else ()

    def _unrealized(
        self, positions: list[Position], plan: AccountLimits, now: datetime
    ) -> tuple[datetime, UnrealizedPnl]:
        """What positions would bring, and since when; a price older than the fill or too old is none."""
        marks = Marks(self._ledger.queries).for_symbols(p.symbol for p in positions)
        filled = {p.symbol: p.last_at for p in positions}
        for symbol, mark in list(marks.items()):
            too_old = plan.stale_after is not None and now - mark.time > plan.stale_after
            if mark.time < filled[symbol] or too_old:
                del marks[symbol]
        at = max((mark.time for mark in marks.values()), default=EARLIEST)
        return at, compute_unrealized_pnl(positions, {symbol: mark.price for symbol, mark in marks.items()})


def _booking_order(booking: Booking) -> tuple[object, ...]:
    return booking.order
