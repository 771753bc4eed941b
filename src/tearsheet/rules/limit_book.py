"""LimitBook: one account's limits, held against each fill, price and hour as it comes.

A fill costs the fill, not the history. Sessions that are over may be taken as their tallies.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta

from msgspec import Struct

from tearsheet.errors import UsageError
from tearsheet.performance.tally import Tally
from tearsheet.rules.breach import Breach, Latches, Release, breach_id
from tearsheet.rules.limit import LIMITS, AccountLimits, Limit, LimitName, closings, period_start, within
from tearsheet.rules.limit_sums import Held, OpenPnl, OutcomeRules, Running, Sums, held_before
from tearsheet.rules.limit_usage import UNKNOWN, Reading, crossed, read, warned
from tearsheet.trade.amount import exact
from tearsheet.trade.position import Booking, Position
from tearsheet.trade.session import EARLIEST, LATEST, TradingCalendar

#: The smallest step of time.
INSTANT = timedelta(microseconds=1)
_AHEAD = timedelta(days=2)


class Terms(Struct, frozen=True):
    """What the limits of an account are judged by besides their own words."""

    calendar: TradingCalendar
    currency: str
    outcomes: OutcomeRules = OutcomeRules()


class Mover(Struct, frozen=True):
    """The fill that last changed a limit's value, and when."""

    fill_key: str
    at: datetime


class Watch:
    """A limit with its reading, its warning level, and the fill that moved it last."""

    __slots__ = ("crossed", "episode", "level", "limit", "moved_by", "reading", "spent", "start")

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.reading: Reading = UNKNOWN
        self.moved_by: Mover | None = None
        self.level, self.crossed = 0, False
        self.start: date | None = None
        self.episode, self.spent = 1, False

    def reset_period(self, start: date | None) -> None:
        """A new period: nothing has moved the limit yet."""
        self.start, self.moved_by, self.level = start, None, 0
        self.reading, self.crossed = UNKNOWN, False
        self.episode, self.spent = 1, False

    def update(self, running: Running, mover: Mover | None) -> None:
        """Read the limit anew."""
        reading = read(self.limit, running)
        if reading == self.reading:
            return
        self.reading = reading
        self.crossed = crossed(self.limit, reading)
        self.level = warned(self.limit, reading, self.level)
        if mover is not None:
            self.moved_by = mover

    def new_breach_number(self, latches: Latches, at: datetime) -> int | None:
        """The number of the breach that begins now, None where none does.

        After a release the limit stands at what was allowed then, until its value has come back
        within the threshold: from there on the threshold counts again.
        """
        if not self.crossed and not latches.has_breach(self.limit.name, self.start):
            return None
        number, known, release = latches.next_number(self.limit.name, self.start, at)
        value = self.reading.value
        if known is not None or value is None:
            return None
        if number != self.episode:
            self.episode, self.spent = number, False
        if not self.crossed:
            self.spent = True
            return None
        return None if release and not self.spent and value <= release.upto else number


class WatchBase(Struct, frozen=True):
    """What a watch remembers besides its reading."""

    start: date | None
    level: int
    episode: int
    spent: bool


class BookBase(Struct, frozen=True):
    """A book between two sessions, without what is held and what is latched: others keep that."""

    sums: Sums
    at: datetime
    watches: tuple[WatchBase, ...]


class LimitBook:
    """Folds an account's bookings, in order, into the state of its limits.

    `breaches` and `releases` are those that are kept; what is found anew is returned by each
    method and gathered in `found`, to be kept before anybody is told.
    """

    def __init__(
        self,
        account: str,
        plan: AccountLimits,
        terms: Terms,
        *,
        breaches: Iterable[Breach] = (),
        releases: Iterable[Release] = (),
    ) -> None:
        drawdown = plan.get("max_drawdown")
        hours = plan.get("trading_hours")
        self.account, self.plan, self.terms = account, plan, terms
        self.latches = Latches(breaches, releases)
        self.running = Running(terms.outcomes, drawdown.since if drawdown else None)
        self.watches = [Watch(limit) for limit in plan.limits]
        self.at = EARLIEST
        self.last_fill_at: datetime | None = None
        self.seen_until = EARLIEST
        self.missing_marks: tuple[str, ...] = ()
        self.other_currencies: set[str] = set()
        self.found: list[Breach] = []
        self._hours = hours.hours if hours else ()
        self._next_close = EARLIEST if self._hours else LATEST
        self._last: tuple[object, ...] = ()

    @property
    def session(self) -> date:
        """The trading day that the book stands in; it never goes back."""
        return self.running.session

    @property
    def next_turn(self) -> datetime:
        """The next instant at which time alone may break a limit: a day or the trading hours end."""
        return min(self.terms.calendar.end(self.session), self._next_close)

    def book(self, booking: Booking, position: Position | None = None) -> tuple[Breach, ...]:
        """Take the next booking; `position` is the one it closes, where that is at hand.

        Raises UsageError for a booking that comes before the last one: then the account is folded
        anew, with the breaches that are kept.
        """
        self._check_order(booking)
        if booking.currency != self.terms.currency:
            self.other_currencies.add(booking.currency)
            return ()
        found = self.pass_time(booking.time)
        self._last = booking.order
        self.last_fill_at = self.seen_until = booking.time
        outside = bool(self._hours) and not self._is_within(booking.time)
        with exact():
            self.running.take(booking, position, outside=outside)
            self.missing_marks = ()
            return found + self._judge(booking.time, Mover(booking.fill_key, booking.time))

    def mark(self, at: datetime, pnl: OpenPnl) -> tuple[Breach, ...]:
        """What is open is worth so much now."""
        found = self.pass_time(at)
        with exact():
            self.running.mark(pnl.amount)
            self.missing_marks = pnl.missing
            return found + self._judge(at, None)

    def take_session(self, session: date, tally: Tally, until: datetime | None = None) -> tuple[Breach, ...]:
        """Take a session later than all before as its tally, whole or up to an instant."""
        if session <= self.session:
            raise UsageError(f"session {session} comes after {self.session}", "begin a new book")
        found: list[Breach] = []
        calendar = self.terms.calendar
        start = calendar.start(session)
        with exact():
            self._start_session(session)
            self.running.whole_session(tally, lambda: found.extend(self._judge(start, None)))
        self.at = self.seen_until = until or calendar.end(session) - INSTANT
        return tuple(found)

    def pass_time(self, now: datetime) -> tuple[Breach, ...]:
        """Let the clock come to an instant: days begin, trading hours end.

        A clock that went back changes nothing.
        """
        if now <= self.at:
            return ()
        if now <= self._next_close and self.terms.calendar.trading_day_of(now) == self.session:
            self.at = now
            return ()
        with exact():
            found = self._apply_session_ends(now) if now > self._next_close else ()
            found += self._advance_to_session(self.terms.calendar.trading_day_of(now))
        self.at = now
        return found

    def look(self, now: datetime) -> tuple[Breach, ...]:
        """Let time pass, and judge again: a fill stamped before a release may have come after it."""
        found = self.pass_time(now)
        if not self.latches:
            return found
        with exact():
            return found + self._judge(max(now, self.at), None)

    def release(self, release: Release) -> None:
        """Lift a breach."""
        self.latches.release(release)

    def carry(self, held: Iterable[Held]) -> None:
        """Say what is held after the past sessions and before the first booking."""
        self.running.carry(held)

    def base(self) -> BookBase:
        """The book as it stands, to begin another one of the same plan with."""
        watches = (WatchBase(w.start, w.level, w.episode, w.spent) for w in self.watches)
        return BookBase(self.running.sums(), self.at, tuple(watches))

    def begin(self, base: BookBase) -> None:
        """Go on from where another book of the same plan stood."""
        self.running.begin(base.sums)
        self.at = self.seen_until = base.at
        for watch, kept in zip(self.watches, base.watches, strict=True):
            watch.start, watch.level = kept.start, kept.level
            watch.episode, watch.spent = kept.episode, kept.spent
        with exact():
            for watch in self.watches:
                watch.update(self.running, None)

    def flatten(self) -> list[Held]:
        """Forget what is held, as if all of it were closed now; returns it."""
        held = list(self.running.held.values())
        self.running.carry(())
        return held

    def started(self, limit: LimitName) -> date | None:
        """When the present period of a limit began; None for one that never resets."""
        return period_start(LIMITS[limit].period, self.session)

    def _is_within(self, at: datetime) -> bool:
        return within(self._hours, at, self.terms.calendar.timezone)

    def _check_order(self, booking: Booking) -> None:
        """Refuse a booking that lies before what was taken."""
        late = bool(self._last) and booking.order < self._last
        if late or self.terms.calendar.trading_day_of(booking.time) < self.session:
            raise UsageError(
                f"the booking of {booking.time} comes after later ones",
                "fold the account anew; breaches that are kept stay",
            )

    def _apply_session_ends(self, now: datetime) -> tuple[Breach, ...]:
        """What is still held when the trading hours end is outside them."""
        found: tuple[Breach, ...] = ()
        calendar = self.terms.calendar
        zone = calendar.timezone
        if self.running.held and self.at > EARLIEST:
            for end in closings(self._hours, self.at, now, zone):
                found += self._advance_to_session(calendar.trading_day_of(end))
                self.running.outside += 1
                found += self._judge(end, None)
        ahead = now + _AHEAD
        self._next_close = next(closings(self._hours, now, ahead, zone), ahead)
        return found

    def _advance_to_session(self, session: date) -> tuple[Breach, ...]:
        """Judge at the first instant of a session what has been carried into it."""
        if session <= self.running.session:
            return ()
        self._start_session(session)
        start = self.terms.calendar.start(session)
        if self._hours and self.running.held and not self._is_within(start):
            self.running.outside += 1
        return self._judge(start, None)

    def _start_session(self, session: date) -> None:
        if session <= self.running.session:
            return
        self.running.roll(session)
        for watch in self.watches:
            start = self.started(watch.limit.name)
            if start != watch.start:
                watch.reset_period(start)

    def _judge(self, at: datetime, mover: Mover | None) -> tuple[Breach, ...]:
        found = []
        for watch in self.watches:
            watch.update(self.running, mover)
            number = watch.new_breach_number(self.latches, at)
            if number is not None:
                breach = self._record_breach(watch, number, at, mover)
                self.latches.add(breach)
                found.append(breach)
        self.found += found
        return tuple(found)

    def _record_breach(self, watch: Watch, number: int, at: datetime, mover: Mover | None) -> Breach:
        name, reading = watch.limit.name, watch.reading
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


def account_book(
    account: str,
    plan: AccountLimits,
    terms: Terms,
    *,
    past: Iterable[tuple[date, Tally]] = (),
    bookings: Sequence[Booking] = (),
    positions: Iterable[Position] = (),
    breaches: Iterable[Breach] = (),
    releases: Iterable[Release] = (),
    base: BookBase | None = None,
    between: Callable[[LimitBook], None] = lambda book: None,
) -> LimitBook:
    """The book of an account from stored tallies of past sessions and the bookings since, in order.

    `positions` are those that are open now or that a booking concerns. `past` reaches back to
    `past_from`, or to the `base` of an earlier book; `between` sees the book after it.
    """
    positions = list(positions)
    book = LimitBook(account, plan, terms, breaches=breaches, releases=releases)
    if base is not None:
        book.begin(base)
    for session, tally in past:
        book.take_session(session, tally)
    between(book)
    book.carry(held_before(positions, bookings))
    closed = {position.id: position for position in positions if position.closed_at}
    for booking in bookings:
        book.book(booking, closed.get(booking.position_id) if booking.closes else None)
    return book


def past_from(plan: AccountLimits, session: date) -> date | None:
    """The first session whose tally the limits need on a day; None if all that there are."""
    drawdown = plan.get("max_drawdown")
    if drawdown is not None and drawdown.since is None:
        return None
    starts = [period_start(limit.type.period, session) for limit in plan.limits]
    since = drawdown.since if drawdown else None
    return min([day for day in (*starts, since) if day is not None], default=session)
