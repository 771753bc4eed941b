"""Simulation of limits over past fills: when an account would have been stopped, and the P&L effect.

Bookings between a stop and its reset are left out, and so are all later bookings of positions that
were open at the stop or opened while it applied. Their sum is `pnl_after_stop`. Positions open at the
stop get no exit price: their unrealized P&L counts as 0.
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
    """A moment at which the limits would have stopped an account.

    `day_net` is the P&L of the day before it. `pnl_after_stop` is the P&L of the `fills_after_stop`
    bookings left out until `until` (None: permanently), and `saved` its negative: a stop with `saved`
    below 0 would have cost money. `simultaneous_limits` were breached by the same fill.
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
    """P&L of a session without and with limits, and its number of stops."""

    session: date
    net: Decimal
    net_with_limits: Decimal = field(name="net_as_stopped")
    stops: int


class Replay(Struct, frozen=True, kw_only=True):
    """Result of the simulation for one account; `saved` is `net_with_limits` − `net`."""

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
    """Stop that still collects the bookings it prevents."""

    def __init__(self, book: LimitBook, breaches: tuple[Breach, ...]) -> None:
        ends = {breach.id: _until(book, breach) for breach in breaches}
        self.breach = max(breaches, key=lambda b: (ends[b.id] is None, ends[b.id] or b.at))
        self.until = ends[self.breach.id]
        self.simultaneous_limits = tuple(b.limit for b in breaches if b.id != self.breach.id)
        self.day_net = book.sums.day_net
        self.pnl, self.fills = ZERO, 0
        self.open: set[str] = set()

    def covers(self, at: datetime) -> bool:
        return self.until is None or at < self.until

    def merge(self, book: LimitBook, breaches: tuple[Breach, ...]) -> None:
        """Add the breaches of the second booking of the same fill."""
        for breach in breaches:
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
    """Replay of an account's bookings in order, without those that its limits would have prevented."""

    def __init__(self, book: LimitBook, start: date, end: date) -> None:
        self._book = book
        self._start, self._end = start, end
        self._stops: list[_ActiveStop] = []
        self._prevented: dict[str, _ActiveStop] = {}
        self._days: dict[date, list[Decimal]] = {}
        book.advance_time(book.context.calendar.start(start))
        active = tuple(book.breach_register.active_in(book.session))
        if active:
            self._record_stop(active)

    def add_booking(self, booking: Booking, position: Position | None = None) -> None:
        """Add the next past booking; `position` is the one it closes, if known."""
        if booking.currency != self._book.context.currency:
            return
        with exact():
            if booking.is_cash:
                self._add_cash(booking)
            else:
                self._add_booking(booking, position, booking.net)

    def _add_cash(self, booking: Booking) -> None:
        """Add money of the account, which no limit would have prevented."""
        day = self._days.setdefault(self._book.context.calendar.trading_day_of(booking.time), [ZERO, ZERO])
        result = booking.result
        day[0] += result
        day[1] += result
        breaches = self._book.book(booking)
        if breaches and not (self._stops and self._stops[-1].covers(booking.time)):
            self._record_stop(breaches)

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
        breaches = self._book.book(booking, position)
        if self._is_trigger(booking):
            self._stops[-1].merge(self._book, breaches)
            self._close_positions(self._stops[-1])
        elif breaches:
            self._record_stop(breaches)

    def result(self, notes: tuple[str, ...] = ()) -> Replay:
        """Return the simulated history."""
        stop_days = [stop.breach.trading_day for stop in self._stops]
        days = tuple(
            ReplayDay(session, net, net_with_limits, stop_days.count(session))
            for session, (net, net_with_limits) in sorted(self._days.items())
        )
        with exact():
            net = sum((day.net for day in days), ZERO)
            net_with_limits = sum((day.net_with_limits for day in days), ZERO)
            return Replay(
                account=self._book.account,
                currency=self._book.context.currency,
                start=self._start,
                end=self._end,
                net=net,
                net_with_limits=net_with_limits,
                saved=net_with_limits - net,
                stops=tuple(stop.to_stop() for stop in self._stops),
                days=days,
                notes=notes,
            )

    def _cause(self, booking: Booking) -> _ActiveStop | None:
        """Return the stop that prevents a booking; record stops caused by time before it."""
        while True:
            stop = self._stop_for(booking)
            if stop is not None:
                return stop
            breaches = self._advance_time(booking.time)
            if not breaches:
                return None
            self._record_stop(breaches)

    def _advance_time(self, now: datetime) -> tuple[Breach, ...]:
        """Advance the clock to the first breach: after a stop there are no open positions."""
        while self._book.sums.holdings and (event := self._book.next_time_event) < now:
            breaches = self._book.advance_time(event + INSTANT)
            if breaches:
                return breaches
        return self._book.advance_time(now)

    def _stop_for(self, booking: Booking) -> _ActiveStop | None:
        """Return the stop that covers a booking or its position."""
        earlier = self._prevented.get(booking.position_id)
        if earlier is not None:
            return earlier
        if self._stops and self._stops[-1].covers(booking.time):
            return None if self._is_trigger(booking) else self._stops[-1]
        return None

    def _is_trigger(self, booking: Booking) -> bool:
        """Return whether a booking is the second part of the fill that caused the last stop."""
        return bool(self._stops) and self._stops[-1].breach.fill_key == booking.fill_key

    def _record_stop(self, breaches: tuple[Breach, ...]) -> _ActiveStop:
        stop = _ActiveStop(self._book, breaches)
        self._stops.append(stop)
        self._close_positions(stop)
        return stop

    def _close_positions(self, stop: _ActiveStop) -> None:
        for holding in self._book.clear_positions():
            self._prevented[holding.position_id] = stop
            stop.open.add(holding.symbol)


def _until(book: LimitBook, breach: Breach) -> datetime | None:
    end = period_end(LIMITS[breach.limit].period, breach.trading_day)
    return None if end is None else book.context.calendar.start(end)
