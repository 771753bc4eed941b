"""Replay: had the limits held, when would the account have been stopped, and what did that save or cost?

The account is replayed as stopped: what was traded between a stop and its reset did not happen, nor
what became of positions that were open at the stop or opened after it. All of that is the stop's
`pnl_after_stop`. No price is guessed for what was open at the stop: it counts as left where it stood.
"""

from datetime import date, datetime
from decimal import Decimal

from msgspec import Struct, field

from tearsheet.rules.breach import Breach
from tearsheet.rules.limit import LIMITS, LimitName, period_end
from tearsheet.rules.limit_book import INSTANT, LimitBook
from tearsheet.trade.amount import ZERO, exact
from tearsheet.trade.position import Booking, Position


class Stop(Struct, frozen=True, kw_only=True):
    """A moment at which the limits would have stopped an account, and what came after it.

    `day_net` is the day's result up to it, `pnl_after_stop` what was made afterwards until `until` (None is
    for ever) in `fills_after_stop` bookings, and `saved` its opposite: below 0 the stop would have cost.
    """

    account: str
    limit: LimitName
    simultaneous_limits: tuple[LimitName, ...] = field(name="beside")
    trading_day: date
    at: datetime
    until: datetime | None
    fill_key: str | None
    value: Decimal
    threshold: Decimal
    day_net: Decimal
    pnl_after_stop: Decimal = field(name="rest")
    fills_after_stop: int = field(name="rest_fills")
    saved: Decimal
    open_at_stop: tuple[str, ...]


class ReplayDay(Struct, frozen=True):
    """A session's result as it was and as it would have been, and how often it was stopped."""

    session: date
    net: Decimal
    net_with_limits: Decimal = field(name="net_as_stopped")
    stops: int


class Replay(Struct, frozen=True, kw_only=True):
    """An account's history with its limits held: `saved` is `net_with_limits` − `net`."""

    account: str
    currency: str
    start: date
    end: date
    net: Decimal
    net_with_limits: Decimal = field(name="net_as_stopped")
    saved: Decimal
    stops: tuple[Stop, ...]
    days: tuple[ReplayDay, ...]
    notes: tuple[str, ...] = ()


class _ActiveStop:
    """A stop while its rest is being counted."""

    def __init__(self, book: LimitBook, found: tuple[Breach, ...]) -> None:
        ends = {breach.id: _until(book, breach) for breach in found}
        self.breach = max(found, key=lambda b: (ends[b.id] is None, ends[b.id] or b.at))
        self.until = ends[self.breach.id]
        self.simultaneous_limits = tuple(b.limit for b in found if b.id != self.breach.id)
        self.day_net = book.sums.day_net
        self.pnl, self.fills = ZERO, 0
        self.open: set[str] = set()

    def covers(self, at: datetime) -> bool:
        return self.until is None or at < self.until

    def merge(self, book: LimitBook, found: tuple[Breach, ...]) -> None:
        """The other part of the same fill broke more."""
        for breach in found:
            self.simultaneous_limits = (*self.simultaneous_limits, breach.limit)
            until = _until(book, breach)
            if self.until is not None and (until is None or until > self.until):
                self.until = until

    def to_stop(self) -> Stop:
        breach = self.breach
        return Stop(
            account=breach.account,
            limit=breach.limit,
            simultaneous_limits=self.simultaneous_limits,
            trading_day=breach.trading_day,
            at=breach.at,
            until=self.until,
            fill_key=breach.fill_key,
            value=breach.value,
            threshold=breach.threshold,
            day_net=self.day_net,
            pnl_after_stop=self.pnl,
            fills_after_stop=self.fills,
            saved=-self.pnl,
            open_at_stop=tuple(sorted(self.open)),
        )


class Simulation:
    """Takes an account's bookings in order, and leaves out what its limits would have prevented."""

    def __init__(self, book: LimitBook, start: date, end: date) -> None:
        self._book = book
        self._start, self._end = start, end
        self._stops: list[_ActiveStop] = []
        self._prevented: dict[str, _ActiveStop] = {}
        self._days: dict[date, list[Decimal]] = {}
        begins = book.context.calendar.start(start)
        book.advance_time(begins)
        standing = tuple(book.breach_register.active_in(book.session))
        if standing:
            self._record_stop(standing)

    def add_booking(self, booking: Booking, position: Position | None = None) -> None:
        """The next booking as it happened; `position` is the closed one, where it is at hand."""
        if booking.currency != self._book.context.currency:
            return
        with exact():
            self._add_booking(booking, position, booking.gross - booking.fees)

    def _add_booking(self, booking: Booking, position: Position | None, net: Decimal) -> None:
        day = self._days.setdefault(self._book.context.calendar.trading_day_of(booking.time), [ZERO, ZERO])
        day[0] += net
        stop = self._cause(booking)
        if stop is not None:
            stop.pnl += net
            stop.fills += 1
            self._prevented[booking.position_id] = stop
            return
        day[1] += net
        found = self._book.book(booking, position)
        if self._is_trigger(booking):
            self._stops[-1].merge(self._book, found)
            self._close_positions(self._stops[-1])
        elif found:
            self._record_stop(found)

    def result(self, notes: tuple[str, ...] = ()) -> Replay:
        """What came out."""
        stopped = [stop.breach.trading_day for stop in self._stops]
        days = tuple(
            ReplayDay(session, net, kept, stopped.count(session))
            for session, (net, kept) in sorted(self._days.items())
        )
        with exact():
            net = sum((day.net for day in days), ZERO)
            kept = sum((day.net_with_limits for day in days), ZERO)
            return Replay(
                account=self._book.account,
                currency=self._book.context.currency,
                start=self._start,
                end=self._end,
                net=net,
                net_with_limits=kept,
                saved=kept - net,
                stops=tuple(stop.to_stop() for stop in self._stops),
                days=days,
                notes=notes,
            )

    def _cause(self, booking: Booking) -> _ActiveStop | None:
        """The stop that prevents a booking, also one that time brings before it."""
        while True:
            stop = self._stop_for(booking)
            if stop is not None:
                return stop
            found = self._advance_time(booking.time)
            if not found:
                return None
            self._record_stop(found)

    def _advance_time(self, now: datetime) -> tuple[Breach, ...]:
        """Let time pass up to its first breach, since what comes after a stop finds nothing held."""
        while self._book.sums.holdings and (turn := self._book.next_time_event) < now:
            found = self._book.advance_time(turn + INSTANT)
            if found:
                return found
        return self._book.advance_time(now)

    def _stop_for(self, booking: Booking) -> _ActiveStop | None:
        """The stop because of which a booking would not have been made."""
        dropped = self._prevented.get(booking.position_id)
        if dropped is not None:
            return dropped
        if self._stops and self._stops[-1].covers(booking.time):
            return None if self._is_trigger(booking) else self._stops[-1]
        return None

    def _is_trigger(self, booking: Booking) -> bool:
        """Whether a booking is the other part of the fill that led to the last stop."""
        return bool(self._stops) and self._stops[-1].breach.fill_key == booking.fill_key

    def _record_stop(self, found: tuple[Breach, ...]) -> _ActiveStop:
        stop = _ActiveStop(self._book, found)
        self._stops.append(stop)
        self._close_positions(stop)
        return stop

    def _close_positions(self, stop: _ActiveStop) -> None:
        for held in self._book.clear_positions():
            self._prevented[held.position_id] = stop
            stop.open.add(held.symbol)


def _until(book: LimitBook, breach: Breach) -> datetime | None:
    end = period_end(LIMITS[breach.limit].period, breach.trading_day)
    return None if end is None else book.context.calendar.start(end)
