"""Usage of each limit: one formula per limit over an account's sums."""

from collections.abc import Callable
from decimal import Decimal

from msgspec import Struct

from tearsheet.rules.limit import Level, Limit, LimitName
from tearsheet.rules.limit_sums import LimitSums
from tearsheet.trade.amount import ONE, ZERO, ratio

_HUNDRED = Decimal(100)


class LimitUsage(Struct, frozen=True, gc=False):
    """Value, threshold and headroom of a limit.

    `headroom` is how much more can be lost, traded or opened before a breach; a gain makes it larger
    than the threshold. All three are None if a required mark price is missing; threshold and headroom
    are None while a profit lock is not armed.

    `standing` is the balance or equity that is judged, and `floor` what it must stay above; both need the
    starting balance. A floor is known without a price of what is open, unless it depends on it.
    """

    value: Decimal | None
    threshold: Decimal | None
    headroom: Decimal | None
    standing: Decimal | None = None
    floor: Decimal | None = None

    @property
    def used(self) -> Decimal | None:
        """Return value ÷ threshold, truncated to 8 decimals; call it inside `exact()`."""
        if self.value is None or not self.threshold:
            return None
        return ratio(self.value, self.threshold)


UNKNOWN_USAGE = LimitUsage(None, None, None)


class AccountFacts(Struct, frozen=True):
    """What is known of an account beside its fills: starting balance, and the root of a symbol."""

    starting_balance: Decimal | None = None
    root_of: Callable[[str], str] = str


NO_FACTS = AccountFacts()


def compute_usage(limit: Limit, sums: LimitSums, facts: AccountFacts = NO_FACTS) -> LimitUsage:
    """Compute the usage of a limit; call it inside `exact()`. It is unknown before the limit's start."""
    if limit.since is not None and sums.session < limit.since:
        return UNKNOWN_USAGE
    return _FORMULAS[limit.name](limit, sums, facts)


def is_breached(limit: Limit, usage: LimitUsage) -> bool:
    """Return whether the value reached the threshold, or exceeds it for limits that may be equal."""
    if usage.headroom is None:
        return False
    return usage.headroom <= 0 if limit.breaks_when_equal else usage.headroom < 0


def warning_level(limit: Limit, usage: LimitUsage, level: int) -> int:
    """Return the number of warning levels reached, given the number reached before.

    A level is reached at its percentage and left `hysteresis` percentage points below it.
    """
    if usage.value is None:
        return level
    if usage.threshold is None or not usage.value:
        return 0
    share, threshold = usage.value * _HUNDRED, usage.threshold
    reached = _reached_levels(limit.warn_at, share, threshold)
    if level <= reached:
        return reached
    lower = [percent - limit.hysteresis for percent in limit.warn_at[:level]]
    return max(reached, sum(share > percent * threshold for percent in lower))


def _reached_levels(percents: tuple[Decimal, ...], share: Decimal, threshold: Decimal) -> int:
    for number, percent in enumerate(percents):
        if share < percent * threshold:
            return number
    return len(percents)


def _amount(limit: Limit, sums: LimitSums, facts: AccountFacts) -> Decimal | None:
    """Return the threshold in money: stated as such, or as a percentage of a level of the account."""
    if limit.percent_of is None:
        return limit.threshold
    level = balance_level(limit.percent_of, sums, facts.starting_balance)
    return None if level is None else level * limit.threshold.scaleb(-2)


def balance_level(level: Level, sums: LimitSums, start: Decimal | None) -> Decimal | None:
    """Return the balance or equity that a percentage is of; None if it is not known. Call it inside `exact()`."""
    if start is None or level == "initial":
        return start
    opened = _opened(level, sums)
    return None if opened is None else start + sums.balance_at_open + opened


def _opened(level: Level, sums: LimitSums) -> Decimal | None:
    """Return what a level adds to the balance at the first instant of the session; None if it is not known."""
    if level == "day_balance":
        return ZERO
    if sums.open_at_open is None:
        return None
    return sums.open_at_open if level == "day_equity" else max(ZERO, sums.open_at_open)


def _below_floor(
    amount: Decimal,
    made: Decimal | None,
    floor: Decimal,
    start: Decimal | None,
    limit: Limit,
    opened: Decimal | None,
) -> LimitUsage:
    """Return the usage of a loss: `made` and `floor` are above `start`, `opened` is what is open at its prices."""
    shown = None if start is None else start + floor
    if made is None or (limit.judged_by == "open_pnl" and opened is None):
        return LimitUsage(None, None, None, floor=shown)
    level = made + opened if limit.judged_by == "open_pnl" and opened is not None else made
    headroom = level - floor
    return LimitUsage(
        max(ZERO, amount - headroom), amount, headroom, None if start is None else start + level, shown
    )


def _period_loss(limit: Limit, net: Decimal, sums: LimitSums, facts: AccountFacts) -> LimitUsage:
    """Measure a result above a floor: the amount below what the account had when the period began."""
    amount, opened = _amount(limit, sums, facts), _opened(limit.day_from, sums)
    if amount is None or opened is None:
        return UNKNOWN_USAGE
    start = None
    if facts.starting_balance is not None:
        start = facts.starting_balance + sums.result + sums.flows - net
    return _below_floor(amount, net, opened - amount, start, limit, sums.pnl_open)


def _daily_loss(limit: Limit, sums: LimitSums, facts: AccountFacts) -> LimitUsage:
    return _period_loss(limit, sums.day_net, sums, facts)


def _weekly_loss(limit: Limit, sums: LimitSums, facts: AccountFacts) -> LimitUsage:
    return _period_loss(limit, sums.week_net, sums, facts)


def _monthly_loss(limit: Limit, sums: LimitSums, facts: AccountFacts) -> LimitUsage:
    return _period_loss(limit, sums.month_net, sums, facts)


def _max_drawdown(limit: Limit, sums: LimitSums, facts: AccountFacts) -> LimitUsage:
    """Measure equity above a floor: the amount below the start or the peak, at most `lock_at`."""
    amount = _amount(limit, sums, facts)
    if amount is None:
        return UNKNOWN_USAGE
    floor = _drawdown_floor(limit, sums, amount)
    start = None
    if facts.starting_balance is not None:
        start = facts.starting_balance + sums.drawdown_start
    made = None if limit.counts_open and sums.pnl_open is None else sums.equity
    return _below_floor(amount, made, floor, start, limit, sums.pnl_open)


def _drawdown_floor(limit: Limit, sums: LimitSums, amount: Decimal) -> Decimal:
    if limit.on_payout == "lock" and sums.is_paid_out:
        return limit.lock_at or ZERO
    high = ZERO
    if limit.trailing:
        highs = {"closed": sums.high, "end_of_day": sums.high_at_close, "open_pnl": sums.high_with_open}
        high = highs[limit.basis]
    floor = high - amount
    return floor if limit.lock_at is None or not limit.trailing else min(floor, limit.lock_at)


def _count_usage(limit: Limit, count: int) -> LimitUsage:
    value = Decimal(count)
    return LimitUsage(value, limit.threshold, limit.threshold - value)


def _max_trades(limit: Limit, sums: LimitSums, _: AccountFacts) -> LimitUsage:
    return _count_usage(limit, sums.trades)


def _max_losses(limit: Limit, sums: LimitSums, _: AccountFacts) -> LimitUsage:
    return _count_usage(limit, sums.losses)


def _max_open_quantity(limit: Limit, sums: LimitSums, facts: AccountFacts) -> LimitUsage:
    if not (limit.scale or limit.symbols or limit.weights):
        value = sums.open_quantity(per_symbol=limit.per_symbol)
        return LimitUsage(value, limit.threshold, limit.threshold - value)
    roots = sums.open_by(facts.root_of)
    counted = [quantity * limit.weights.get(root, ONE) for root, quantity in roots.items()]
    value = max(counted, default=ZERO) if limit.per_symbol else sum(counted, ZERO)
    left = [most - roots.get(root, ZERO) for root, most in limit.symbols.items()]
    threshold = _allowed_quantity(limit, sums)
    if threshold is not None:
        left.append(threshold - value)
    return LimitUsage(value, threshold, min(left))


def _allowed_quantity(limit: Limit, sums: LimitSums) -> Decimal | None:
    """Return the quantity that is allowed in all, by the profit when the session began; None if only by symbol."""
    if not limit.scale:
        return limit.threshold or None
    reached = [step for step in limit.scale if sums.profit_at_open >= step.profit]
    return (reached[-1] if reached else limit.scale[0]).quantity


def _profit_lock(limit: Limit, sums: LimitSums, _: AccountFacts) -> LimitUsage:
    best = sums.best
    given_back = best - sums.day_net if best > 0 else ZERO
    if best <= 0 or best < limit.armed_from:
        return LimitUsage(given_back, None, None)
    threshold = best * limit.threshold.scaleb(-2)
    return LimitUsage(given_back, threshold, threshold - given_back)


def _trading_hours(limit: Limit, sums: LimitSums, _: AccountFacts) -> LimitUsage:
    return _count_usage(limit, sums.outside)


def _no_trading(limit: Limit, sums: LimitSums, _: AccountFacts) -> LimitUsage:
    return _count_usage(limit, sums.in_news)


def _inactivity(limit: Limit, sums: LimitSums, _: AccountFacts) -> LimitUsage:
    return _count_usage(limit, sums.days_idle(sums.session))


def _hedged(limit: Limit, sums: LimitSums, facts: AccountFacts) -> LimitUsage:
    return _count_usage(limit, len(sums.hedged_roots(facts.root_of)))


_FORMULAS: dict[LimitName, Callable[[Limit, LimitSums, AccountFacts], LimitUsage]] = {
    "daily_loss": _daily_loss,
    "weekly_loss": _weekly_loss,
    "monthly_loss": _monthly_loss,
    "max_drawdown": _max_drawdown,
    "max_trades": _max_trades,
    "max_losses_in_a_row": _max_losses,
    "max_open_quantity": _max_open_quantity,
    "profit_lock": _profit_lock,
    "trading_hours": _trading_hours,
    "no_trading": _no_trading,
    "inactivity": _inactivity,
    "hedged": _hedged,
}
