"""Incremental evaluation of one account's limits: per booking, mark price, and passing of time.

The cost of a booking does not depend on the history. Past sessions can be added as stored tallies.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from msgspec import Struct, field

from tearsheet.errors import UsageError
from tearsheet.performance.tally import Tally
from tearsheet.rules.breach import Breach, BreachRegister, Release, breach_id
from tearsheet.rules.limit import (
    LIMITS,
    AccountLimits,
    Limit,
    LimitName,
    is_in_news,
    is_within,
    period_start,
    range_ends,
)
from tearsheet.rules.limit_sums import (
    LimitSums,
    LimitSumsSnapshot,
    OpenHolding,
    OutcomeRules,
    UnrealizedPnl,
    holdings_before,
)
from tearsheet.rules.limit_usage import (
    NO_FACTS,
    UNKNOWN_USAGE,
    AccountFacts,
    LimitUsage,
    compute_usage,
    is_breached,
    warning_level,
)
from tearsheet.trade.amount import exact
from tearsheet.trade.position import Booking, Position
from tearsheet.trade.session import EARLIEST, LATEST, TradingCalendar

#: Resolution of timestamps.
INSTANT = timedelta(microseconds=1)
#: How far ahead the next end of the trading hours is searched.
_AHEAD = timedelta(days=2)


class LimitContext(Struct, frozen=True):
    """Trading calendar, currency and outcome rules used to evaluate an account's limits."""

    calendar: TradingCalendar
    currency: str
    outcomes: OutcomeRules = OutcomeRules()
    facts: AccountFacts = NO_FACTS


class LastChange(Struct, frozen=True):
    """The fill that last changed a limit's value, and its time."""

    fill_key: str
    at: datetime


class LimitState:
    """Current usage, warning level and last change of one limit.

    `worst` is the highest value since the trading day began. `episode` is the number of the current or next
    breach of the period. `spent`: after a release the value returned within the threshold, so that the allowance of
    the release no longer applies.
    """

    __slots__ = ("episode", "is_breached", "level", "limit", "moved_by", "spent", "start", "usage", "worst")

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.usage: LimitUsage = UNKNOWN_USAGE
        self.moved_by: LastChange | None = None
        self.level, self.is_breached = 0, False
        self.start: date | None = None
        self.episode, self.spent = 1, False
        self.worst: Decimal | None = None

    def reset_period(self, start: date | None) -> None:
        """Start a new period with unknown usage."""
        self.start, self.moved_by, self.level = start, None, 0
        self.usage, self.is_breached = UNKNOWN_USAGE, False
        self.episode, self.spent = 1, False

    def update(self, sums: LimitSums, facts: AccountFacts, change: LastChange | None) -> None:
        """Recompute usage, breach flag and warning level."""
        usage = compute_usage(self.limit, sums, facts)
        if usage == self.usage:
            return
        self.usage = usage
        if usage.value is not None:
            self.worst = usage.value if self.worst is None else max(self.worst, usage.value)
        self.is_breached = is_breached(self.limit, usage)
        self.level = warning_level(self.limit, usage, self.level)
        if change is not None:
            self.moved_by = change

    def new_breach_number(self, register: BreachRegister, at: datetime, *, ends_day: bool) -> int | None:
        """Return the number of a breach that starts now, or None.

        A limit that is judged at the end of the day is breached only then. After a release the limit is
        breached beyond the released value, until its value returned within the threshold; from then on the
        threshold applies again.
        """
        if not self.is_breached and not register.has_breach(self.limit.name, self.start):
            return None
        number, existing, release = register.next_number(self.limit.name, self.start, at)
        value = self.usage.value
        if existing is not None or value is None:
            return None
        if number != self.episode:
            self.episode, self.spent = number, False
        if not self.is_breached:
            self.spent = True
            return None
        if self.limit.judged == "end_of_day" and not ends_day:
            return None
        return None if release and not self.spent and value <= release.allowed_value else number


class LimitStateSnapshot(Struct, frozen=True):
    """Stored part of a `LimitState`; the usage is recomputed from the sums."""

    start: date | None
    level: int
    episode: int
    spent: bool


class LimitBookSnapshot(Struct, frozen=True):
    """State of a book between two sessions; positions and breaches are stored elsewhere."""

    sums: LimitSumsSnapshot
    at: datetime
    limit_states: tuple[LimitStateSnapshot, ...] = field(name="watches")


class LimitBook:
    """State of one account's limits, updated by its bookings in order.

    `breaches` and `releases` are the stored ones. Methods return new breaches and also append them
    to `new_breaches`; the caller stores them before it publishes anything.
    """

    def __init__(
        self,
        account: str,
        plan: AccountLimits,
        context: LimitContext,
        *,
        breaches: Iterable[Breach] = (),
        releases: Iterable[Release] = (),
    ) -> None:
        drawdown = plan.get("max_drawdown")
        hours = plan.get("trading_hours")
        self.account, self.plan, self.context = account, plan, context
        self.breach_register = BreachRegister(breaches, releases)
        self.sums = LimitSums(
            context.outcomes,
            drawdown.since if drawdown else None,
            payouts_lower=drawdown is not None and drawdown.on_payout != "follow",
        )
        self.limit_states = [LimitState(limit) for limit in plan.limits]
        self.at = EARLIEST
        self.last_fill_at: datetime | None = None
        self.processed_until = EARLIEST
        self.missing_marks: tuple[str, ...] = ()
        self.other_currencies: set[str] = set()
        self.new_breaches: list[Breach] = []
        self._hours = hours.trading_hours if hours else ()
        self._news = plan.get("no_trading")
        self._next_close = EARLIEST if self._hours else LATEST
        self._last: tuple[object, ...] = ()

    @property
    def session(self) -> date:
        """Return the current trading day; it never goes back."""
        return self.sums.session

    @property
    def next_time_event(self) -> datetime:
        """Return the next instant at which time alone can cause a breach.

        That is the end of the day or of the trading hours.
        """
        return min(self.context.calendar.end(self.session), self._next_close)

    def book(self, booking: Booking, position: Position | None = None) -> tuple[Breach, ...]:
        """Add the next booking; `position` is the one it closes, if known. Return new breaches.

        Raises UsageError for a booking earlier than the last one: rebuild the book from all
        bookings and the stored breaches instead.
        """
        self._check_order(booking)
        if booking.is_cash:
            return self._book_cash(booking)
        breaches = self.advance_time(booking.time)
        self._last = booking.order
        self.last_fill_at = self.processed_until = booking.time
        outside = bool(self._hours) and booking.event is None and not self._is_within(booking.time)
        with exact():
            if self._news is not None and self._is_in_news(self._news, booking):
                self.sums.in_news += 1
            if booking.currency == self.context.currency:
                self.sums.add_booking(booking, position, outside=outside)
            else:
                self.other_currencies.add(booking.currency)
                self.sums.add_quantity(booking, outside=outside)
            self.missing_marks = ()
            return breaches + self._evaluate_limits(booking.time, LastChange(booking.fill_key, booking.time))

    def _book_cash(self, booking: Booking) -> tuple[Breach, ...]:
        """Add money of the account: limits judge what it made, and a flow moves balance and floors."""
        with exact():
            is_made = bool(booking.result)
        if booking.currency != self.context.currency:
            if is_made:
                self.other_currencies.add(booking.currency)
            return ()
        breaches = self.advance_time(booking.time)
        self._last, self.processed_until = booking.order, booking.time
        with exact():
            self.sums.add_booking(booking, None, outside=False)
            return breaches + self._evaluate_limits(booking.time, LastChange(booking.fill_key, booking.time))

    def mark(self, at: datetime, pnl: UnrealizedPnl) -> tuple[Breach, ...]:
        """Set the unrealized P&L of the open positions. Return new breaches."""
        breaches = self.advance_time(at)
        with exact():
            self.sums.mark(pnl.amount, pnl.oldest or at)
            self.missing_marks = pnl.missing
            return breaches + self._evaluate_limits(at, None)

    def add_session_tally(
        self, session: date, tally: Tally, until: datetime | None = None
    ) -> tuple[Breach, ...]:
        """Add a later session as its tally, complete or up to an instant. Return new breaches.

        Raises UsageError if the session is not later than the current one.
        """
        if session <= self.session:
            raise UsageError(f"session {session} comes after {self.session}", "begin a new book")
        breaches: list[Breach] = []
        calendar = self.context.calendar
        start = calendar.start(session)
        with exact():
            breaches.extend(self._start_session(session))
            self.sums.add_session_tally(tally, lambda: breaches.extend(self._evaluate_limits(start, None)))
        self.at = self.processed_until = until or calendar.end(session) - INSTANT
        return tuple(breaches)

    def advance_time(self, now: datetime) -> tuple[Breach, ...]:
        """Advance the clock: start trading days, end trading hours. Return new breaches.

        An earlier instant has no effect.
        """
        if now <= self.at:
            return ()
        if now <= self._next_close and self.context.calendar.trading_day_of(now) == self.session:
            self.at = now
            return ()
        with exact():
            breaches = self._apply_session_ends(now) if now > self._next_close else ()
            breaches += self._advance_to_session(self.context.calendar.trading_day_of(now))
        self.at = now
        return breaches

    def evaluate(self, now: datetime) -> tuple[Breach, ...]:
        """Advance the clock and evaluate again: a fill may be dated before a release but arrive after it.

        What is held at the very instant at which the trading hours end is held outside them; a fill of that
        instant may still close it.
        """
        breaches = self.advance_time(now + INSTANT if now == self._next_close else now)
        if not self.breach_register:
            return breaches
        with exact():
            return breaches + self._evaluate_limits(max(now, self.at), None)

    def restore_opening(self, unrealized: Decimal) -> tuple[Breach, ...]:
        """Set what was open when the session began, as it was known then. Return new breaches."""
        self.sums.open_at_open = unrealized
        with exact():
            return self._evaluate_limits(self.at, None)

    def release(self, release: Release) -> None:
        """Release a breach."""
        self.breach_register.release(release)

    def set_open_positions(self, holdings: Iterable[OpenHolding]) -> None:
        """Set the open positions after the past sessions and before the first booking."""
        found = list(holdings)
        own = [one for one in found if one.currency in ("", self.context.currency)]
        self.sums.set_holdings(own)
        self.sums.foreign = {one.position_id: one for one in found if one not in own}

    def set_open_log_trades(self, opened: Iterable[tuple[datetime, OpenHolding]]) -> tuple[Breach, ...]:
        """Set the open trades that a trade log states, in order of time. Return new breaches."""
        breaches: tuple[Breach, ...] = ()
        self.sums.logged = {}
        for at, holding in opened:
            breaches += self.advance_time(at)
            self.sums.logged[holding.position_id] = holding
        with exact():
            return breaches + self._evaluate_limits(self.at, None)

    def snapshot(self) -> LimitBookSnapshot:
        """Return the state for `restore` in another book with the same limits."""
        states = (LimitStateSnapshot(s.start, s.level, s.episode, s.spent) for s in self.limit_states)
        return LimitBookSnapshot(self.sums.snapshot(), self.at, tuple(states))

    def restore(self, snapshot: LimitBookSnapshot) -> None:
        """Continue from the snapshot of another book with the same limits."""
        self.sums.restore(snapshot.sums)
        self.at = self.processed_until = snapshot.at
        for state, stored in zip(self.limit_states, snapshot.limit_states, strict=True):
            state.start, state.level = stored.start, stored.level
            state.episode, state.spent = stored.episode, stored.spent
        with exact():
            for state in self.limit_states:
                state.update(self.sums, self.context.facts, None)

    def clear_positions(self) -> list[OpenHolding]:
        """Remove and return all open positions, as if they were closed now."""
        holdings = [*self.sums.holdings.values(), *self.sums.foreign.values()]
        self.sums.set_holdings(())
        self.sums.foreign = {}
        return holdings

    def period_start(self, limit: LimitName) -> date | None:
        """Return the start of a limit's current period; None if it never resets."""
        return period_start(LIMITS[limit].period, self.session)

    def _is_within(self, at: datetime) -> bool:
        return is_within(self._hours, at, self.context.calendar.timezone)

    def _check_order(self, booking: Booking) -> None:
        """Raise UsageError for a booking before an earlier one or before the current session."""
        late = bool(self._last) and booking.order < self._last
        if late or self.context.calendar.trading_day_of(booking.time) < self.session:
            raise UsageError(
                f"the booking of {booking.time} comes after later ones",
                "rebuild the account's limits from its bookings; stored breaches stay",
            )

    def _apply_session_ends(self, now: datetime) -> tuple[Breach, ...]:
        """Count positions that are open when the trading hours end. Return new breaches."""
        breaches: tuple[Breach, ...] = ()
        calendar = self.context.calendar
        zone = calendar.timezone
        if self.sums.is_open and self.at > EARLIEST:
            for end in range_ends(self._hours, self.at, now, zone):
                breaches += self._advance_to_session(calendar.trading_day_of(end))
                self.sums.outside += 1
                breaches += self._evaluate_limits(end, None)
        ahead = now + _AHEAD
        self._next_close = next(range_ends(self._hours, now, ahead, zone), ahead)
        return breaches

    def _advance_to_session(self, session: date) -> tuple[Breach, ...]:
        """Start a later session and evaluate positions carried into it. Return new breaches."""
        if session <= self.sums.session:
            return ()
        breaches = self._start_session(session)
        start = self.context.calendar.start(session)
        if self._hours and self.sums.is_open and not self._is_within(start):
            self.sums.outside += 1
        return breaches + self._evaluate_limits(start, None)

    def _start_session(self, session: date) -> tuple[Breach, ...]:
        """Start a later session; limits that are judged at the end of the day are judged before it begins."""
        if session <= self.sums.session:
            return ()
        calendar = self.context.calendar
        breaches: tuple[Breach, ...] = ()
        if self.at > EARLIEST and any(state.limit.judged == "end_of_day" for state in self.limit_states):
            breaches = self._evaluate_limits(calendar.end(self.session), None, ends_day=True)
        self.sums.start_session(session, fresh=self._is_fresh(calendar.start(session)))
        for state in self.limit_states:
            state.worst = None
            start = self.period_start(state.limit.name)
            if start != state.start:
                state.reset_period(start)
        return breaches

    def _is_fresh(self, at: datetime) -> bool:
        """Return whether the last prices are recent enough to say what was open at an instant."""
        allowed, marked_at = self.plan.stale_after, self.sums.marked_at
        if marked_at is None or marked_at > at:
            return False
        return allowed is None or at - marked_at <= allowed

    def _is_in_news(self, limit: Limit, booking: Booking) -> bool:
        if booking.event is not None:
            return False
        root = self.context.facts.root_of(booking.symbol)
        return is_in_news(limit.news, booking.time, (booking.symbol, root))

    def _evaluate_limits(
        self, at: datetime, change: LastChange | None, *, ends_day: bool = False
    ) -> tuple[Breach, ...]:
        breaches = []
        for state in self.limit_states:
            state.update(self.sums, self.context.facts, change)
            number = state.new_breach_number(self.breach_register, at, ends_day=ends_day)
            if number is not None:
                breach = self._make_breach(state, number, at, change)
                self.breach_register.add(breach)
                breaches.append(breach)
        self.new_breaches += breaches
        return tuple(breaches)

    def _make_breach(self, state: LimitState, number: int, at: datetime, change: LastChange | None) -> Breach:
        name, usage = state.limit.name, state.usage
        assert usage.value is not None
        assert usage.headroom is not None
        threshold = usage.value + usage.headroom if usage.threshold is None else usage.threshold
        return Breach(
            id=breach_id(self.account, name, state.start, number),
            account=self.account,
            limit=name,
            trading_day=self.session,
            period_start=state.start,
            number=number,
            at=at,
            value=usage.value,
            threshold=threshold,
            fill_key=change.fill_key if change else None,
        )


def build_limit_book(
    account: str,
    plan: AccountLimits,
    context: LimitContext,
    *,
    past: Iterable[tuple[date, Tally]] = (),
    past_bookings: Sequence[Booking] = (),
    bookings: Sequence[Booking] = (),
    positions: Iterable[Position] = (),
    breaches: Iterable[Breach] = (),
    releases: Iterable[Release] = (),
    snapshot: LimitBookSnapshot | None = None,
    until: datetime = LATEST,
    between: Callable[[LimitBook], None] = lambda book: None,
) -> LimitBook:
    """Build an account's book from stored tallies of past sessions and the bookings since, in order.

    `positions` are those open now and those that the bookings belong to. `past` starts at
    `first_session_needed` or after `snapshot`; `past_bookings` stand for it where the order within a session
    counts. `between` is called between these and `bookings`.
    Bookings from `until` on are not added: their trading day has not begun.
    """
    positions = list(positions)
    book = LimitBook(account, plan, context, breaches=breaches, releases=releases)
    if snapshot is not None:
        book.restore(snapshot)
    for session, tally in past:
        book.add_session_tally(session, tally)
    closed = {position.id: position for position in positions if position.closed_at}
    if past_bookings:
        book.set_open_positions(holdings_before(positions, [*past_bookings, *bookings]))
        for booking in past_bookings:
            book.book(booking, closed.get(booking.position_id) if booking.closes else None)
    between(book)
    book.set_open_positions(holdings_before(positions, bookings))
    for booking in bookings:
        if booking.time >= until:
            break
        book.book(booking, closed.get(booking.position_id) if booking.closes else None)
    return book


def first_session_needed(plan: AccountLimits, session: date) -> date | None:
    """Return the first session whose tally the limits need on a day; None if they need all."""
    drawdown = plan.get("max_drawdown")
    if any(limit.needs_history for limit in plan.limits):
        return None
    starts = [period_start(limit.type.period, session) for limit in plan.limits]
    since = drawdown.since if drawdown else None
    return min([day for day in (*starts, since) if day is not None], default=session)
