"""In-memory cache of limit books, updated incrementally and rebuilt when an update is not possible.

Every method requires a transaction opened by the caller, so that a book reflects one ledger state.
"""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from hashlib import blake2b

from msgspec import MsgspecError, Struct, json

from tearsheet.app.limits.account_rules import AccountRules
from tearsheet.app.limits.foreign_bookings import ForeignBookings
from tearsheet.app.limits.live_limits import LimitSnapshot, LiveLimits
from tearsheet.app.limits.open_pnl import unrealized
from tearsheet.errors import UsageError
from tearsheet.performance.summary import Scope
from tearsheet.performance.tally import Tally
from tearsheet.rules.limit import AccountLimits, period_start
from tearsheet.rules.limit_book import (
    LimitBook,
    LimitBookSnapshot,
    LimitContext,
    build_limit_book,
    first_session_needed,
)
from tearsheet.rules.limit_sums import OpenHolding, OutcomeRules
from tearsheet.rules.limit_usage import AccountFacts
from tearsheet.settings import Settings
from tearsheet.store.tables.account_states import account_state
from tearsheet.store.tables.breaches import (
    BreachRecord,
    BreachTable,
    load_equity_peak,
    load_known_equity,
    load_openings,
    load_snapshot,
    save_equity_peak,
    save_known_equity,
    save_opening,
    save_snapshot,
)
from tearsheet.store.tables.ledger import Ledger
from tearsheet.trade.amount import ZERO
from tearsheet.trade.position import Booking, Position, signed_open_quantity
from tearsheet.trade.session import DAY, EARLIEST, LATEST, TradingCalendar, is_ahead

#: Version in the snapshot cache key; increase it when the same stored fills give other sums.
_VERSION = 2


class _Past(Struct, frozen=True):
    """Sessions before the last traded one: as tallies, or as bookings and the positions that they closed."""

    tallies: list[tuple[date, Tally]] = []
    bookings: list[Booking] = []
    closed: list[Position] = []


class LiveLimitBooks:
    """Cache of limit books by account, valid for the state of the current transaction."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self._ledger = ledger
        self._settings = settings
        self._live: dict[str, LiveLimits] = {}
        self.rules = AccountRules(ledger, settings)
        #: number of full rebuilds and of incremental updates; for tests and benchmarks
        self.built, self.updated = 0, 0

    def invalidate(self) -> None:
        """Clear the cache after a rollback, because the books may contain discarded rows."""
        self._live.clear()

    def for_account(
        self, account: str, plan: AccountLimits, now: datetime, *, tracks_equity: bool = False
    ) -> LiveLimits:
        """Return the book of an account, evaluated at an instant; read-only.

        `tracks_equity`: what is open is followed at its prices, although no limit needs it.
        """
        state_id = self._ledger.state_id
        self.rules.refresh(state_id)
        live = self._live.get(account)
        if live is None or not self._is_known(live, plan) or not self._update(live, state_id, now):
            live = self._build(account, plan, now)
        live.tracks_equity = tracks_equity or any(limit.needs_opening_equity for limit in plan.limits)
        self.apply_open_log_trades(live, [account], now)
        live.state_id = state_id
        if live.tracks_equity:
            self._restore_equity(live, now)
        self.apply_marks(live, [account], now)
        live.book.evaluate(now)
        if live.tracks_equity and live.book.sums.open_at_open is None:
            self._restore_opening(live.book)
        return live

    def _is_known(self, live: LiveLimits, plan: AccountLimits) -> bool:
        """Return whether a book is of this plan and of what is stated of its account and of currencies."""
        terms = self.rules.terms(live.book.account)
        return live.book.plan == plan and live.terms == terms and live.base == self.rules.base

    def _restore_equity(self, live: LiveLimits, now: datetime) -> None:
        """Give the book what was open before the session began, if an earlier process knew it."""
        book = live.book
        session = book.context.calendar.trading_day_of(now)
        if session <= book.session or not book.sums.is_open:
            return
        known = load_known_equity(self._ledger.queries, book.account)
        if known is not None and self._is_of_now(book, *known):
            book.sums.marked_at, book.sums.pnl_open = known

    def _restore_opening(self, book: LimitBook) -> None:
        stored = load_openings(self._ledger.queries, book.account, book.session).get(book.session)
        if stored is not None:
            book.restore_opening(stored)

    @staticmethod
    def _is_of_now(book: LimitBook, at: datetime, unrealized: Decimal) -> bool:
        """Return whether a known value is of what the book holds: no fill came since."""
        return book.last_fill_at is not None and at >= book.last_fill_at

    def save_equity(self, live: LiveLimits) -> None:
        """Save what is open now and what was when the session began. Requires a write transaction."""
        sums, queries, account = live.book.sums, self._ledger.queries, live.book.account
        if not live.tracks_equity:
            return
        if sums.open_at_open is not None:
            save_opening(queries, account, sums.session, sums.open_at_open)
        if sums.pnl_open is not None and sums.marked_at is not None:
            save_known_equity(queries, account, sums.marked_at, sums.pnl_open)

    def openings(self, live: LiveLimits, since: date) -> dict[date, Decimal]:
        """Return what was open when each session began, as far as it is known."""
        book = live.book
        found = load_openings(self._ledger.queries, book.account, since)
        if book.sums.open_at_open is not None:
            found[book.session] = book.sums.open_at_open
        return found

    def save_equity_peak(self, live: LiveLimits) -> None:
        """Save the highest equity reached at market prices. Requires a write transaction."""
        high, book = live.equity_peak, live.book
        if high is not None and high > (self._saved_peak(book) or high - 1):
            save_equity_peak(self._ledger.queries, book.account, book.sums.since, high)

    def _saved_peak(self, book: LimitBook) -> Decimal | None:
        return load_equity_peak(self._ledger.queries, book.account, book.sums.since)

    def _update(self, live: LiveLimits, state_id: str, now: datetime) -> bool:
        """Add the changes since the last read; return False if the book must be rebuilt."""
        book, calendar = live.book, live.book.context.calendar
        session = calendar.trading_day_of(now)
        if session < book.session or (book.at > book.processed_until and is_ahead(book.at, now)):
            return False  # the clock was ahead when the book was evaluated
        if live.state_id == state_id and now < live.read_until:
            return True
        live.read_until = calendar.end(session)
        account = book.account
        live.state = account_state(self._ledger.queries, account)
        if live.state.rewrites != live.rewrites:
            return False
        live.sync_breaches(self.active_breaches(account, book.session))
        return self._add_new_bookings(live)

    def _add_new_bookings(self, live: LiveLimits) -> bool:
        last, last_us = live.last_booking, live.state.last_us
        if last is None or last_us is None:
            return last_us is None
        found, closed = self._ledger.queries.in_window(live.book.account, last.time, live.read_until)
        found.sort(key=booking_order)
        already_read = sum(b.time == last.time and b.order <= last.order for b in found)
        new = found[already_read:]
        if already_read != live.bookings_at_last_instant or any(
            b.currency not in live.currencies for b in new
        ):
            return False
        ended = {position.id: position for position in closed}
        try:
            for booking in new:
                position = ended.get(booking.position_id) if booking.closes else None
                live.book.book(booking, position)
        except UsageError:  # the session of the booking has ended
            return False
        live.mark_read(new)
        self.updated += 1
        return True

    def _build(self, account: str, plan: AccountLimits, now: datetime) -> LiveLimits:
        """Build the book from stored daily totals, plus the bookings of the last traded session."""
        queries, calendar = self._ledger.queries, self.rules.calendar(account)
        state = account_state(queries, account)
        session = calendar.trading_day_of(now)
        cut = min(session, self._ledger.tallies.last_session(account) or session)
        first = self._first_session(account, plan, cut)
        digest = self._digest(account, plan, first)
        start, base = self._load_snapshot(account, digest, first, cut)
        currency, others = self.currency_of(account, start, base)
        foreign = ForeignBookings(self._ledger, calendar, currency) if others else None
        if base is not None and (currency != base.currency or foreign is not None):
            start, base = first, None
        bookings, closed = queries.in_window(account, calendar.start(cut), LATEST)
        bookings.sort(key=booking_order)
        past = self._past(account, plan, calendar, start, cut, currency, by_rows=foreign is not None)
        opened = self.open_positions(account)
        if foreign is not None:
            rows = foreign.convert([*past.bookings, *bookings], [*past.closed, *closed, *opened])
            past = _Past(bookings=rows.bookings[: len(past.bookings)])
            bookings, closed, opened = rows.bookings[len(past.bookings) :], rows.closed, []
            others = others & rows.unconverted
        records = self.active_breaches(account, session)
        bases: list[LimitBookSnapshot] = []
        book = build_limit_book(
            account,
            plan,
            self._context(account, plan, calendar, currency),
            past=past.tallies,
            past_bookings=past.bookings,
            bookings=bookings,
            positions=[*closed, *past.closed, *opened],
            breaches=[record.breach for record in records],
            releases=[record.release for record in records if record.release],
            snapshot=base.book if base else None,
            until=calendar.end(session),
            between=lambda book: bases.append(book.snapshot()),
        )
        book.other_currencies |= others
        live = LiveLimits(book, state)
        live.terms, live.base, live.foreign = self.rules.terms(account), self.rules.base, foreign
        live.saved_breaches = {record.breach.id for record in records}
        live.currencies = {currency, *others}
        live.read_until = calendar.end(session)
        live.mark_read(one for one in bookings if one.time < live.read_until)
        live.sessions = len(past.tallies) or len(past.bookings)
        if live.sessions and first == EARLIEST.date() and foreign is None:  # rates may be corrected
            live.new_snapshot = (digest, cut, LimitSnapshot(bases[0], currency, tuple(sorted(others))))
        self.restore_peak(book)
        self._live[account] = live
        self.built += 1
        return live

    def _context(
        self, account: str, plan: AccountLimits, calendar: TradingCalendar, currency: str
    ) -> LimitContext:
        balance = self.rules.starting_balance(account, currency, plan)
        known = AccountFacts(balance, self.rules.root_of(plan))
        return LimitContext(calendar, currency, self.outcome_rules(), known)

    def _first_session(self, account: str, plan: AccountLimits, cut: date) -> date:
        """Return the first session that is needed; a balance is what all of them came to."""
        is_share = any(limit.needs_starting_balance for limit in plan.limits)
        has_balance = is_share or self.rules.terms(account).starting_balance is not None
        needed = None if has_balance else first_session_needed(plan, cut)
        return EARLIEST.date() if needed is None else needed

    def _past(
        self,
        account: str,
        plan: AccountLimits,
        calendar: TradingCalendar,
        start: date,
        cut: date,
        currency: str,
        *,
        by_rows: bool,
    ) -> "_Past":
        """Return the sessions before `cut` as tallies.

        They say nothing of the order of results and payouts within a session: an account with a floor that a
        payout leaves where it is begins with its bookings, and the next time from a snapshot. So does one in
        several currencies, each time.
        """
        drawdown = plan.get("max_drawdown")
        in_order = drawdown is not None and drawdown.on_payout != "follow"
        if not in_order and not by_rows:
            return _Past(tallies=self._ledger.tallies.between(account, start, cut, currency))
        first, last = calendar.start(start), calendar.start(cut)
        bookings, closed = self._ledger.queries.in_window(account, first, last)
        bookings.sort(key=booking_order)
        return _Past(bookings=bookings, closed=closed)

    def save_snapshot(self, live: LiveLimits) -> None:
        """Save the snapshot that the next build starts from. Requires a write transaction."""
        if live.new_snapshot is not None:
            digest, session, base = live.new_snapshot
            start = live.book.context.calendar.start(session)
            body = json.encode(base).decode()
            save_snapshot(self._ledger.queries, live.book.account, digest, session, start, body)
            live.new_snapshot = None

    def _load_snapshot(
        self, account: str, digest: str, first: date, cut: date
    ) -> tuple[date, LimitSnapshot | None]:
        """Return the first session whose totals are needed, and the snapshot before it."""
        found = load_snapshot(self._ledger.queries, account, digest)
        if found is None or found[0] > cut or first != EARLIEST.date():
            return first, None
        try:
            return found[0], json.decode(found[1], type=LimitSnapshot)
        except MsgspecError:  # written by another Tearsheet version
            return first, None

    def _digest(self, account: str, plan: AccountLimits, first: date) -> str:
        """Return the snapshot cache key: hash of plan, calendar and outcome rules; empty if not cached."""
        if first != EARLIEST.date():
            return ""
        calendar, terms = self.rules.calendar(account), self.rules.terms(account)
        parts = (
            plan,
            calendar.timezone.key,
            calendar.day_starts_at,
            self.outcome_rules(),
            terms.currency,
            _VERSION,
        )
        return blake2b(json.encode(parts), digest_size=8).hexdigest()

    def restore_peak(self, book: LimitBook) -> None:
        """Give a book the highest equity that prices ever made."""
        high = self._saved_peak(book)
        if high is not None:
            book.sums.high_with_open = max(book.sums.high_with_open, high)

    def currency_of(self, account: str, first: date, base: LimitSnapshot | None) -> tuple[str, set[str]]:
        """Return the currency of the account's limits, and the other currencies traded."""
        found = set(self._ledger.tallies.currencies(account, first, LATEST.date()))
        if base is not None:
            found |= {base.currency, *base.others}
        stated = self.rules.terms(account).currency
        if stated is not None:
            return stated, found - {stated}
        chosen = self._settings.currency
        traded = self._ledger.tallies.traded(account, sorted(found))
        if len(traded) == 1:
            (chosen,) = traded
        others = found - {chosen}
        return chosen, {one for one in others if one in traded or self._has_result(account, first, one)}

    def _has_result(self, account: str, first: date, currency: str) -> bool:
        """Return whether an account made anything in a currency, so that limits would lack it."""
        sessions = self._ledger.tallies.between(account, first, LATEST.date(), currency)
        return any(tally.fills or tally.result for _, tally in sessions)

    def outcome_rules(self) -> OutcomeRules:
        """Return what counts as a win or a loss."""
        breaks = self._settings.breakeven_streak == "break"
        return OutcomeRules(self._settings.breakeven_band, breaks)

    def active_breaches(self, account: str, session: date) -> list[BreachRecord]:
        """Return the breaches that may be active in a session or in the previous one."""
        starts = (period_start(period, session - DAY) for period in ("day", "week", "month"))
        since = min(start for start in starts if start is not None)
        return BreachTable(self._ledger.queries).for_account(account, since)

    def open_positions(self, account: str) -> list[Position]:
        """Return the open positions of an account."""
        return self._ledger.queries.open_positions(Scope(account))

    def apply_marks(self, live: LiveLimits, members: Sequence[str], now: datetime) -> None:
        """Mark the open positions of these accounts to market at the last known prices, if a limit needs it."""
        book = live.book
        if not live.tracks_equity and not any(limit.needs_marks for limit in book.plan.limits):
            return
        number = len(book.sums.logged)
        if number or not book.sums.holdings:  # the log does not state what is left of a trade
            book.sums.pnl_open = None if number else ZERO
            book.missing_marks = (f"{number} open trades of the log",) if number else ()
            return
        self._mark_positions(live, [p for one in members for p in self.open_positions(one)], now)

    def _mark_positions(self, live: LiveLimits, held: list[Position], now: datetime) -> None:
        """Mark positions to market at the last known prices, those in other currencies at the rate of today."""
        book = live.book
        positions = [p for p in held if p.currency == book.context.currency]
        if live.foreign is not None:
            counted = [p for p in held if p.id in book.sums.holdings]
            converted = [live.foreign.position(p, now) for p in counted]
            without = sorted({p.symbol for p, own in zip(counted, converted, strict=True) if own is None})
            if without:
                book.sums.pnl_open, book.missing_marks = None, tuple(without)
                return
            positions = [own for own in converted if own is not None]
        at, pnl = unrealized(self._ledger.queries, positions, book.plan, now)
        book.mark(at, pnl)
        if pnl.amount is not None:
            live.equity_peak = book.sums.high_with_open

    def apply_open_log_trades(self, live: LiveLimits, members: Sequence[str], now: datetime) -> None:
        """Set the open trades of these accounts' logs that began until now, once per ledger state."""
        state_id = self._ledger.state_id
        if live.open_log_state == state_id:
            return
        live.open_log_state = state_id
        queries, currency = self._ledger.queries, self._settings.currency
        opened = [p for one in members for p in queries.open_log_positions(Scope(one), currency)]
        if opened or live.book.sums.logged:
            live.book.set_open_log_trades(
                (p.last_at, OpenHolding(p.id, p.symbol, signed_open_quantity(p), ZERO, p.account))
                for p in sorted(opened, key=lambda one: one.last_at)
                if not is_ahead(p.last_at, now)
            )


def booking_order(booking: Booking) -> tuple[object, ...]:
    """Return the sort key of a booking."""
    return booking.order
