"""LimitBook: one account's limits, held against each fill, price and hour as it comes.

A fill costs the fill, not the history. Sessions that are over may be taken as their tallies.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta

from msgspec import Struct

from tearsheet.errors import UsageError
from tearsheet.performance.tally import Tally
from tearsheet.rules.breach import Breach, BreachRegister, Release, breach_id
from tearsheet.rules.limit import LIMITS, AccountLimits, Limit, LimitName, is_within, period_start, range_ends
from tearsheet.rules.limit_sums import (
    LimitSums,
    LimitSumsSnapshot,
    OpenHolding,
    OutcomeRules,
    UnrealizedPnl,
    holdings_before,
)
from tearsheet.rules.limit_usage import UNKNOWN_USAGE, LimitUsage, compute_usage, is_breached, warning_level
from tearsheet.trade.amount import exact
from tearsheet.trade.position import Booking, Position
from tearsheet.trade.session import EARLIEST, LATEST, TradingCalendar

#: The smallest step of time.
INSTANT = timedelta(microseconds=1)
_AHEAD = timedelta(days=2)


class LimitContext(Struct, frozen=True):
    """What the limits of an account are judged by besides their own words."""

    calendar: TradingCalendar
    currency: str
    outcomes: OutcomeRules = OutcomeRules()


class LastChange(Struct, frozen=True):
    """The fill that last changed a limit's value, and when."""

    fill_key: str
    at: datetime


class LimitState:
    """A limit with its reading, its warning level, and the fill that moved it last."""

    __slots__ = ("episode", "is_breached", "level", "limit", "moved_by", "spent", "start", "usage")

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.usage: LimitUsage = UNKNOWN_USAGE
        self.moved_by: LastChange | None = None
        self.level, self.is_breached = 0, False
        self.start: date | None = None
        self.episode, self.spent = 1, False

    def reset_period(self, start: date | None) -> None:
        """A new period: nothing has moved the limit yet."""
        self.start, self.moved_by, self.level = start, None, 0
        self.usage, self.is_breached = UNKNOWN_USAGE, False
        self.episode, self.spent = 1, False

    def update(self, running: LimitSums, mover: LastChange | None) -> None:
        """Read the limit anew."""
        reading = compute_usage(self.limit, running)
        if reading == self.usage:
            return
        self.usage = reading
        self.is_breached = is_breached(self.limit, reading)
        self.level = warning_level(self.limit, reading, self.level)
        if mover is not None:
            self.moved_by = mover

    def new_breach_number(self, latches: BreachRegister, at: datetime) -> int | None:
        """The number of the breach that begins now, None where none does.

        After a release the limit stands at what was allowed then, until its value has come back
        within the threshold: from there on the threshold counts again.
        """
        if not self.is_breached and not latches.has_breach(self.limit.name, self.start):
            return None
        number, known, release = latches.next_number(self.limit.name, self.start, at)
        value = self.usage.value
        if known is not None or value is None:
            return None
        if number != self.episode:
            self.episode, self.spent = number, False
        if not self.is_breached:
            self.spent = True
            return None
        return None if release and not self.spent and value <= release.allowed_value else number


class LimitStateSnapshot(Struct, frozen=True):
    """What a watch remembers besides its reading."""

    start: date | None
    level: int
    episode: int
    spent: bool


class LimitBookSnapshot(Struct, frozen=True):
    """A book between two sessions, without what is held and what is latched: others keep that."""

    sums: LimitSumsSnapshot
    at: datetime
    watches: tuple[LimitStateSnapshot, ...]


class LimitBook:
    """Folds an account's bookings, in order, into the state of its limits.

    `breaches` and `releases` are those that are kept; what is found anew is returned by each
    method and gathered in `found`, to be kept before anybody is told.
    """

    def __init__(
        self,
        account: str,
        plan: AccountLimits,
        terms: LimitContext,
        *,
        breaches: Iterable[Breach] = (),
        releases: Iterable[Release] = (),
    ) -> None:
        drawdown = plan.get("max_drawdown")
        hours = plan.get("trading_hours")
        self.account, self.plan, self.context = account, plan, terms
        self.breach_register = BreachRegister(breaches, releases)
        self.sums = LimitSums(terms.outcomes, drawdown.since if drawdown else None)
        self.limit_states = [LimitState(limit) for limit in plan.limits]
        self.at = EARLIEST
        self.last_fill_at: datetime | None = None
        self.processed_until = EARLIEST
        self.missing_marks: tuple[str, ...] = ()
        self.other_currencies: set[str] = set()
        self.new_breaches: list[Breach] = []
        self._hours = hours.trading_hours if hours else ()
        self._next_close = EARLIEST if self._hours else LATEST
        self._last: tuple[object, ...] = ()

    @property
    def session(self) -> date:
        """The trading day that the book stands in; it never goes back."""
        return self.sums.session

    @property
    def next_time_event(self) -> datetime:
        """The next instant at which time alone may break a limit: a day or the trading hours end."""
        return min(self.context.calendar.end(self.session), self._next_close)

    def book(self, booking: Booking, position: Position | None = None) -> tuple[Breach, ...]:
        """Take the next booking; `position` is the one it closes, where that is at hand.

        Raises UsageError for a booking that comes before the last one: then the account is folded
        anew, with the breaches that are kept.
        """
        self._check_order(booking)
        if booking.currency != self.context.currency:
            self.other_currencies.add(booking.currency)
            return ()
        found = self.advance_time(booking.time)
        self._last = booking.order
        self.last_fill_at = self.processed_until = booking.time
        outside = bool(self._hours) and not self._is_within(booking.time)
        with exact():
            self.sums.add_booking(booking, position, outside=outside)
            self.missing_marks = ()
            return found + self._evaluate_limits(booking.time, LastChange(booking.fill_key, booking.time))

    def mark(self, at: datetime, pnl: UnrealizedPnl) -> tuple[Breach, ...]:
        """What is open is worth so much now."""
        found = self.advance_time(at)
        with exact():
            self.sums.mark(pnl.amount)
            self.missing_marks = pnl.missing
            return found + self._evaluate_limits(at, None)

    def add_session_tally(
        self, session: date, tally: Tally, until: datetime | None = None
    ) -> tuple[Breach, ...]:
        """Take a session later than all before as its tally, whole or up to an instant."""
        if session <= self.session:
            raise UsageError(f"session {session} comes after {self.session}", "begin a new book")
        found: list[Breach] = []
        calendar = self.context.calendar
        start = calendar.start(session)
        with exact():
            self._start_session(session)
            self.sums.add_session_tally(tally, lambda: found.extend(self._evaluate_limits(start, None)))
        self.at = self.processed_until = until or calendar.end(session) - INSTANT
        return tuple(found)

    def advance_time(self, now: datetime) -> tuple[Breach, ...]:
        """Let the clock come to an instant: days begin, trading hours end.

        A clock that went back changes nothing.
        """
        if now <= self.at:
            return ()
        if now <= self._next_close and self.context.calendar.trading_day_of(now) == self.session:
            self.at = now
            return ()
        with exact():
            found = self._apply_session_ends(now) if now > self._next_close else ()
            found += self._advance_to_session(self.context.calendar.trading_day_of(now))
        self.at = now
        return found

    def evaluate(self, now: datetime) -> tuple[Breach, ...]:
        """Let time pass, and judge again: a fill stamped before a release may have come after it."""
        found = self.advance_time(now)
        if not self.breach_register:
            return found
        with exact():
            return found + self._evaluate_limits(max(now, self.at), None)

    def release(self, release: Release) -> None:
        """Lift a breach."""
        self.breach_register.release(release)

    def set_open_positions(self, held: Iterable[OpenHolding]) -> None:
        """Say what is held after the past sessions and before the first booking."""
        self.sums.set_holdings(held)

    def snapshot(self) -> LimitBookSnapshot:
        """The book as it stands, to begin another one of the same plan with."""
        watches = (LimitStateSnapshot(w.start, w.level, w.episode, w.spent) for w in self.limit_states)
        return LimitBookSnapshot(self.sums.snapshot(), self.at, tuple(watches))

    def restore(self, base: LimitBookSnapshot) -> None:
        """Go on from where another book of the same plan stood."""
        self.sums.restore(base.sums)
        self.at = self.processed_until = base.at
        for watch, kept in zip(self.limit_states, base.watches, strict=True):
            watch.start, watch.level = kept.start, kept.level
            watch.episode, watch.spent = kept.episode, kept.spent
        with exact():
            for watch in self.limit_states:
                watch.update(self.sums, None)

    def clear_positions(self) -> list[OpenHolding]:
        """Forget what is held, as if all of it were closed now; returns it."""
        held = list(self.sums.holdings.values())
        self.sums.set_holdings(())
        return held

    def period_start(self, limit: LimitName) -> date | None:
        """When the present period of a limit began; None for one that never resets."""
        return period_start(LIMITS[limit].period, self.session)

    def _is_within(self, at: datetime) -> bool:
        return is_within(self._hours, at, self.context.calendar.timezone)

    def _check_order(self, booking: Booking) -> None:
        """Refuse a booking that lies before what was taken."""
        late = bool(self._last) and booking.order < self._last
        if late or self.context.calendar.trading_day_of(booking.time) < self.session:
            raise UsageError(
                f"the booking of {booking.time} comes after later ones",
                "fold the account anew; breaches that are kept stay",
            )

    def _apply_session_ends(self, now: datetime) -> tuple[Breach, ...]:
        """What is still held when the trading hours end is outside them."""
        found: tuple[Breach, ...] = ()
        calendar = self.context.calendar
        zone = calendar.timezone
        if self.sums.holdings and self.at > EARLIEST:
            for end in range_ends(self._hours, self.at, now, zone):
                found += self._advance_to_session(calendar.trading_day_of(end))
                self.sums.outside += 1
                found += self._evaluate_limits(end, None)
        ahead = now + _AHEAD
        self._next_close = next(range_ends(self._hours, now, ahead, zone), ahead)
        return found

    def _advance_to_session(self, session: date) -> tuple[Breach, ...]:
        """Judge at the first instant of a session what has been carried into it."""
        if session <= self.sums.session:
            return ()
        self._start_session(session)
        start = self.context.calendar.start(session)
        if self._hours and self.sums.holdings and not self._is_within(start):
            self.sums.outside += 1
        return self._evaluate_limits(start, None)

    def _start_session(self, session: date) -> None:
        if session <= self.sums.session:
            return
        self.sums.start_session(session)
        for watch in self.limit_states:
            start = self.period_start(watch.limit.name)
            if start != watch.start:
                watch.reset_period(start)

    def _evaluate_limits(self, at: datetime, mover: LastChange | None) -> tuple[Breach, ...]:
        found = []
        for watch in self.limit_states:
            watch.update(self.sums, mover)
            number = watch.new_breach_number(self.breach_register, at)
            if number is not None:
                breach = self._record_breach(watch, number, at, mover)
                self.breach_register.add(breach)
                found.append(breach)
        self.new_breaches += found
        return tuple(found)

    def _record_breach(
        self, watch: LimitState, number: int, at: datetime, mover: LastChange | None
    ) -> Breach:
        name, reading = watch.limit.name, watch.usage
        assert reading.value is not None
        assert reading.threshold is not None
        return Breach(
            id=breach_id(self.account, name, watch.start, number),
            account=self.account,
            limit=name,
            trading_day=self.session,
            period_start=watch.start,
            number=number,
            at=at,
            value=reading.value,
            threshold=reading.threshold,
            fill_key=mover.fill_key if mover else None,
        )


def build_limit_book(
    account: str,
    plan: AccountLimits,
    terms: LimitContext,
    *,
    past: Iterable[tuple[date, Tally]] = (),
    bookings: Sequence[Booking] = (),
    positions: Iterable[Position] = (),
    breaches: Iterable[Breach] = (),
    releases: Iterable[Release] = (),
    base: LimitBookSnapshot | None = None,
    between: Callable[[LimitBook], None] = lambda book: None,
) -> LimitBook:
    """The book of an account from stored tallies of past sessions and the bookings since, in order.

    `positions` are those that are open now or that a booking concerns. `past` reaches back to
    `past_from`, or to the `base` of an earlier book; `between` sees the book after it.
    """
    positions = list(positions)
    book = LimitBook(account, plan, terms, breaches=breaches, releases=releases)
    if base is not None:
        book.restore(base)
    for session, tally in past:
        book.add_session_tally(session, tally)
    between(book)
    book.set_open_positions(holdings_before(positions, bookings))
    closed = {position.id: position for position in positions if position.closed_at}
    for booking in bookings:
        book.book(booking, closed.get(booking.position_id) if booking.closes else None)
    return book


def first_session_needed(plan: AccountLimits, session: date) -> date | None:
    """The first session whose tally the limits need on a day; None if all that there are."""
    drawdown = plan.get("max_drawdown")
    if drawdown is not None and drawdown.since is None:
        return None
    starts = [period_start(limit.type.period, session) for limit in plan.limits]
    since = drawdown.since if drawdown else None
    return min([day for day in (*starts, since) if day is not None], default=session)
