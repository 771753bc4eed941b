"""Running sums of one account that all limits are computed from.

Call the methods inside `exact()`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal

from msgspec import Struct

from tearsheet.performance.tally import LOSS, Tally
from tearsheet.rules.limit import period_start
from tearsheet.trade.amount import ZERO, exact, trade_value
from tearsheet.trade.fill import Side
from tearsheet.trade.position import Booking, Position, outcome_of


class OutcomeRules(Struct, frozen=True):
    """Breakeven band, and whether a breakeven trade ends a losing streak."""

    breakeven_band: Decimal = ZERO
    breakeven_breaks_streak: bool = False


class OpenHolding(Struct, frozen=True):
    """Open position: signed quantity, and net P&L booked so far."""

    position_id: str
    symbol: str
    quantity: Decimal
    net: Decimal
    account: str = ""
    currency: str = ""


class UnrealizedPnl(Struct, frozen=True):
    """Unrealized P&L at mark prices, the oldest of `oldest`; `amount` is None if a price is missing."""

    amount: Decimal | None
    missing: tuple[str, ...] = ()
    oldest: datetime | None = None


def compute_unrealized_pnl(positions: Iterable[Position], prices: Mapping[str, Decimal]) -> UnrealizedPnl:
    """Compute the unrealized P&L of open positions from mark prices by symbol."""
    total, missing = ZERO, []
    with exact():
        for position in positions:
            price = prices.get(position.symbol)
            if price is None:
                missing.append(position.symbol)
                continue
            value = trade_value(position.open_quantity, price, position.multiplier)
            total += value - position.cost if position.side is Side.BUY else position.cost - value
    return UnrealizedPnl(None if missing else total, tuple(sorted(set(missing))))


def holdings_before(positions: Iterable[Position], bookings: Iterable[Booking]) -> list[OpenHolding]:
    """Return the positions that were open before the first booking, computed backwards.

    `positions` are those open now and those that the bookings belong to. A logged trade has a single
    booking, its exit, and is never open.
    """
    quantity: dict[str, Decimal] = {}
    net: dict[str, Decimal] = {}
    with exact():
        for booking in bookings:
            key = booking.position_id
            quantity[key] = quantity.get(key, ZERO) + booking.quantity
            net[key] = net.get(key, ZERO) + booking.net
        holdings = []
        for p in positions:
            now = p.open_quantity if p.side is Side.BUY else -p.open_quantity
            before = now - quantity.get(p.id, ZERO)
            if before and (p.fills > 1 or p.closed_at is None):
                held = OpenHolding(p.id, p.symbol, before, p.net - net.get(p.id, ZERO), p.account, p.currency)
                holdings.append(held)
    return holdings


class AccountFlow(Struct, frozen=True):
    """Money that came to an account or, below 0, left it, without being made; a payout is the trader's share."""

    amount: Decimal
    is_payout: bool


def flow_of(booking: Booking) -> AccountFlow | None:
    """Return the flow that a booking is, or None; what a conversion moves is one in its currency."""
    part = booking.account_part
    if part is None or part[0] not in ("flows", "converted"):
        return None
    return AccountFlow(part[1], is_payout=booking.event == "payout" and part[1] < 0)


class LimitSumsSnapshot(Struct, frozen=True, kw_only=True):
    """Stored values of `LimitSums` at the end of a session."""

    session: date
    week: date
    month: date
    day_net: Decimal
    week_net: Decimal
    month_net: Decimal
    best: Decimal
    trades: int
    losses: int
    outside: int
    equity: Decimal
    high: Decimal
    high_at_close: Decimal
    high_with_open: Decimal
    result: Decimal
    flows: Decimal
    payouts: Decimal
    is_paid_out: bool
    last_fill_on: date | None


class LimitSums:
    """Current sums of one account: of the day, the week, the month, and since the date `since`.

    `best` is the highest P&L of the day, `losses` the current losing streak, `outside` the number of
    fills and positions outside the trading hours. `high` is the peak of equity per booking,
    `high_at_close` per end of day, `high_with_open` including unrealized P&L. Where `payouts_lower`, money that
    leaves lowers equity and not its high.

    `result` and `flows` are of the whole history, `payouts` since `since`. `balance_at_open` is what the first two
    came to when the session began, `open_at_open` what was open then at its prices, None if unknown.
    """

    __slots__ = (
        "balance_at_open",
        "best",
        "day_flows",
        "day_net",
        "equity",
        "flows",
        "foreign",
        "high",
        "high_at_close",
        "high_with_open",
        "holdings",
        "in_news",
        "is_paid_out",
        "last_fill_on",
        "logged",
        "losses",
        "marked_at",
        "month",
        "month_net",
        "open_at_open",
        "outcomes",
        "outside",
        "payouts",
        "payouts_lower",
        "pnl_open",
        "profit_at_open",
        "result",
        "session",
        "since",
        "trades",
        "week",
        "week_net",
    )

    def __init__(self, outcomes: OutcomeRules, since: date | None, *, payouts_lower: bool = False) -> None:
        self.outcomes = outcomes
        self.since = since
        self.payouts_lower = payouts_lower
        self.session = self.week = self.month = date.min
        self.day_net = self.week_net = self.month_net = self.best = ZERO
        self.trades = self.losses = self.outside = self.in_news = 0
        self.equity = self.high = self.high_at_close = self.high_with_open = ZERO
        self.holdings: dict[str, OpenHolding] = {}
        #: open positions in other currencies, whose money is not counted
        self.foreign: dict[str, OpenHolding] = {}
        #: open trades that a trade log states, without bookings
        self.logged: dict[str, OpenHolding] = {}
        self.pnl_open: Decimal | None = ZERO
        self.marked_at: datetime | None = None
        self.result = self.flows = self.payouts = ZERO
        self.balance_at_open = self.profit_at_open = self.day_flows = ZERO
        self.open_at_open: Decimal | None = ZERO
        self.is_paid_out = False
        self.last_fill_on: date | None = None

    def snapshot(self) -> LimitSumsSnapshot:
        """Return the sums without the open positions."""
        return LimitSumsSnapshot(
            **{name: getattr(self, name) for name in LimitSumsSnapshot.__struct_fields__}
        )

    def restore(self, sums: LimitSumsSnapshot) -> None:
        """Continue from stored sums."""
        for name in LimitSumsSnapshot.__struct_fields__:
            setattr(self, name, getattr(sums, name))
        self.balance_at_open = self.result + self.flows

    def start_session(self, session: date, *, fresh: bool = True) -> None:
        """Start a later session; current equity becomes an end-of-day balance.

        `fresh`: the last price of what is open is recent enough to say what it was worth at that instant.
        """
        self.high_at_close = max(self.high_at_close, self.equity)
        self.session = session
        self.balance_at_open, self.day_flows = self.result + self.flows, ZERO
        self.profit_at_open = self.equity if self.payouts_lower else self.equity - self.payouts
        self.open_at_open = self.pnl_open if fresh or not self.is_open else None
        self.day_net = self.best = ZERO
        self.trades = self.losses = self.outside = self.in_news = 0
        week, month = period_start("week", session), period_start("month", session)
        assert week is not None
        assert month is not None
        if week != self.week:
            self.week, self.week_net = week, ZERO
        if month != self.month:
            self.month, self.month_net = month, ZERO

    def add_booking(self, booking: Booking, position: Position | None, *, outside: bool) -> None:
        """Add a booking; `position` is the closed one, if it was not tracked from its first fill on."""
        flow = flow_of(booking)
        if flow is not None:
            self.add_flow(flow)
        net = booking.net
        before = self.holdings.get(booking.position_id)
        self._add(booking.result)
        if booking.event is None:
            self.last_fill_on = self.session
        if outside and not self._is_reducing(before, booking):
            self.outside += 1
        if booking.closes:
            position_net = position.net if position else net + (before.net if before else ZERO)
            self._close(booking.position_id, position_net)
        elif booking.position_id:
            self._update_holding(before, booking, net)
        if not self.holdings:
            self.pnl_open = ZERO
        elif booking.position_id:
            self.pnl_open = None
        if not self.holdings:
            self.high_with_open = max(self.high_with_open, self.equity)

    def add_quantity(self, booking: Booking, *, outside: bool) -> None:
        """Add what a booking in another currency holds, without its money."""
        before = self.foreign.get(booking.position_id)
        if booking.event is None:
            self.last_fill_on = self.session
        if outside and not self._is_reducing(before, booking):
            self.outside += 1
        quantity = booking.quantity + (before.quantity if before else ZERO)
        if booking.closes or not quantity:
            self.foreign.pop(booking.position_id, None)
        elif booking.position_id:
            held = OpenHolding(booking.position_id, booking.symbol, quantity, ZERO, booking.account)
            self.foreign[booking.position_id] = held

    def add_flow(self, flow: AccountFlow) -> None:
        """Add money that came or left; neither a result nor a high."""
        self.flows += flow.amount
        self.day_flows += flow.amount
        if flow.amount >= 0 or not self._has_equity_started:
            return
        self.payouts -= flow.amount
        self.is_paid_out = self.is_paid_out or flow.is_payout
        if self.payouts_lower:
            self.equity += flow.amount

    def mark(self, pnl: Decimal | None, at: datetime | None = None) -> None:
        """Set the unrealized P&L at prices not older than `at`; None if a price is missing."""
        self.marked_at = at
        self.pnl_open = pnl if self.holdings else ZERO
        if pnl is not None and self._has_equity_started:
            self.high_with_open = max(self.high_with_open, self.equity + pnl)

    def add_session_tally(self, tally: Tally, evaluate: Callable[[], None]) -> None:
        """Add a session, or its first part, as a tally: what came in first, what left at its end.

        `evaluate` is called at the lowest P&L of the session too, so that a loss that was recovered
        is detected. Unrealized P&L is unknown there.
        """
        curve, streak, money = tally.result_curve, tally.streaks, tally.money
        self.add_flow(AccountFlow(money.inflows, is_payout=False))
        before = (self.result, self.day_net, self.week_net, self.month_net, self.equity, self.losses)
        self._add(curve.low)
        first = self.losses + streak.first_length if streak.first == LOSS else 0
        self.losses = max(self.losses, first, streak.longest_loss)
        self.pnl_open = None
        evaluate()
        self.result, self.day_net, self.week_net, self.month_net, self.equity, self.losses = before
        self.best = max(self.best, self.day_net + curve.high)
        if self._has_equity_started:
            self.high = max(self.high, self.equity + curve.high)
        self._add(curve.net)
        if tally.fills:
            self.last_fill_on = self.session
        self.trades += tally.closed
        if streak.count:
            only_losses = streak.last == LOSS and streak.last_length == streak.count
            trailing = streak.last_length if streak.last == LOSS else 0
            self.losses = self.losses + trailing if only_losses else trailing
        self.add_flow(AccountFlow(money.outflows - money.payouts, is_payout=False))
        self.add_flow(AccountFlow(money.payouts, is_payout=money.payouts < 0))
        self.high_with_open = max(self.high_with_open, self.equity)
        evaluate()

    def set_holdings(self, holdings: Iterable[OpenHolding]) -> None:
        """Set the open positions after sessions added as tallies, which do not contain them."""
        self.holdings = {one.position_id: one for one in holdings}
        self.pnl_open = None if self.holdings else ZERO

    @property
    def drawdown_start(self) -> Decimal:
        """Equity 0 of a drawdown above the starting balance: what was made before `since`, and flows."""
        return self.result + self.flows - self.equity

    def open_by(self, name_of: Callable[[str], str]) -> dict[str, Decimal]:
        """Return the absolute open quantity by a name of each symbol, such as its root."""
        found: dict[str, Decimal] = {}
        for one in self._held():
            name = name_of(one.symbol)
            found[name] = found.get(name, ZERO) + abs(one.quantity)
        return found

    def hedged_roots(self, root_of: Callable[[str], str]) -> set[str]:
        """Return the roots that one account is long and another short."""
        net: dict[tuple[str, str], Decimal] = {}
        for one in self._held():
            key = root_of(one.symbol), one.account
            net[key] = net.get(key, ZERO) + one.quantity
        long = {key for key, quantity in net.items() if quantity > 0}
        short = {key for key, quantity in net.items() if quantity < 0}
        return {
            root for root, account in long for other, holder in short if root == other and account != holder
        }

    def open_quantity(self, *, per_symbol: bool) -> Decimal:
        """Return the absolute open quantity: of all instruments, or of the largest one."""
        by_symbol = self.open_by(str)
        if per_symbol:
            return max(by_symbol.values(), default=ZERO)
        return sum(by_symbol.values(), ZERO)

    @property
    def is_open(self) -> bool:
        """Return whether anything is open."""
        return bool(self.holdings or self.logged or self.foreign)

    def _held(self) -> Iterator[OpenHolding]:
        yield from self.holdings.values()
        yield from self.foreign.values()
        yield from self.logged.values()

    def days_idle(self, on: date) -> int:
        """Return the calendar days since the last fill; 0 while anything is open, or before the first fill."""
        if self.is_open or self.last_fill_on is None:
            return 0
        return max(0, (on - self.last_fill_on).days)

    @property
    def _has_equity_started(self) -> bool:
        return self.since is None or self.session >= self.since

    def _add(self, net: Decimal) -> None:
        self.result += net
        self.day_net += net
        self.week_net += net
        self.month_net += net
        if self.day_net > self.best:
            self.best = self.day_net
        if self._has_equity_started:
            self.equity += net
            if self.equity > self.high:
                self.high = self.equity

    def _is_reducing(self, before: OpenHolding | None, booking: Booking) -> bool:
        return before is not None and (before.quantity > 0) != (booking.quantity > 0)

    def _close(self, position_id: str, net: Decimal) -> None:
        self.holdings.pop(position_id, None)
        self.trades += 1
        outcome = outcome_of(net, self.outcomes.breakeven_band)
        if outcome == "loss":
            self.losses += 1
        elif outcome == "win" or self.outcomes.breakeven_breaks_streak:
            self.losses = 0

    def _update_holding(self, before: OpenHolding | None, booking: Booking, net: Decimal) -> None:
        quantity = booking.quantity + (before.quantity if before else ZERO)
        net += before.net if before else ZERO
        held = OpenHolding(booking.position_id, booking.symbol, quantity, net, booking.account)
        self.holdings[booking.position_id] = held
