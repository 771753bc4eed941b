"""Usage of each limit: one formula per limit over an account's sums."""

from collections.abc import Callable
from decimal import Decimal

from msgspec import Struct

from tearsheet.rules.limit import Limit, LimitName
from tearsheet.rules.limit_sums import LimitSums
from tearsheet.trade.amount import ONE, ZERO, ratio

_HUNDRED = Decimal(100)


class LimitUsage(Struct, frozen=True, gc=False):
    """Value, threshold and headroom of a limit.

    `headroom` is how much more can be lost, traded or opened before a breach; a gain makes it larger
    than the threshold. All three are None if a required mark price is missing; threshold and headroom
    are None while a profit lock is not armed.
    """

    value: Decimal | None
    threshold: Decimal | None
    headroom: Decimal | None

    @property
    def used(self) -> Decimal | None:
        """Return value ÷ threshold, truncated to 8 decimals; call it inside `exact()`."""
        if self.value is None or self.threshold is None:
            return None
        return ratio(self.value, self.threshold)


UNKNOWN_USAGE = LimitUsage(None, None, None)


def compute_usage(limit: Limit, sums: LimitSums) -> LimitUsage:
    """Compute the usage of a limit; call it inside `exact()`. It is unknown before the limit's start."""
    if limit.since is not None and sums.session < limit.since:
        return UNKNOWN_USAGE
    return _FORMULAS[limit.name](limit, sums)


def is_breached(limit: Limit, usage: LimitUsage) -> bool:
    """Return whether the value reached the threshold, or exceeds it for limits that may be equal."""
    if usage.headroom is None:
        return False
    return usage.headroom <= 0 if limit.type.breach_when_equal else usage.headroom < 0


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


def _loss(limit: Limit, net: Decimal, sums: LimitSums) -> LimitUsage:
    if limit.needs_marks:
        if sums.pnl_open is None:
            return UNKNOWN_USAGE
        net += sums.pnl_open
    return LimitUsage(max(ZERO, -net), limit.threshold, limit.threshold + net)


def _daily_loss(limit: Limit, sums: LimitSums) -> LimitUsage:
    return _loss(limit, sums.day_net, sums)


def _weekly_loss(limit: Limit, sums: LimitSums) -> LimitUsage:
    return _loss(limit, sums.week_net, sums)


def _monthly_loss(limit: Limit, sums: LimitSums) -> LimitUsage:
    return _loss(limit, sums.month_net, sums)


def _max_drawdown(limit: Limit, sums: LimitSums) -> LimitUsage:
    """Measure equity above a floor: `threshold` below the start or the peak, at most `lock_at`."""
    equity, high = sums.equity, sums.high
    if limit.needs_marks:
        if sums.pnl_open is None:
            return UNKNOWN_USAGE
        equity, high = equity + sums.pnl_open, sums.high_with_open
    elif limit.basis == "end_of_day":
        high = sums.high_at_close
    floor = (high if limit.trailing else ZERO) - limit.threshold
    if limit.lock_at is not None:
        floor = min(floor, limit.lock_at)
    headroom = equity - floor
    return LimitUsage(max(ZERO, limit.threshold - headroom), limit.threshold, headroom)


def _count_usage(limit: Limit, count: int) -> LimitUsage:
    value = Decimal(count)
    return LimitUsage(value, limit.threshold, limit.threshold - value)


def _max_trades(limit: Limit, sums: LimitSums) -> LimitUsage:
    return _count_usage(limit, sums.trades)


def _max_losses(limit: Limit, sums: LimitSums) -> LimitUsage:
    return _count_usage(limit, sums.losses)


def _max_open_quantity(limit: Limit, sums: LimitSums) -> LimitUsage:
    value = sums.open_quantity(per_symbol=limit.per_symbol)
    return LimitUsage(value, limit.threshold, limit.threshold - value)


def _profit_lock(limit: Limit, sums: LimitSums) -> LimitUsage:
    best = sums.best
    given_back = best - sums.day_net if best > 0 else ZERO
    if best <= 0 or best < limit.armed_from:
        return LimitUsage(given_back, None, None)
    threshold = best * limit.threshold.scaleb(-2)
    return LimitUsage(given_back, threshold, threshold - given_back)


def _trading_hours(limit: Limit, sums: LimitSums) -> LimitUsage:
    value = Decimal(sums.outside)
    return LimitUsage(value, ONE, ONE - value)


_FORMULAS: dict[LimitName, Callable[[Limit, LimitSums], LimitUsage]] = {
    "daily_loss": _daily_loss,
    "weekly_loss": _weekly_loss,
    "monthly_loss": _monthly_loss,
    "max_drawdown": _max_drawdown,
    "max_trades": _max_trades,
    "max_losses_in_a_row": _max_losses,
    "max_open_quantity": _max_open_quantity,
    "profit_lock": _profit_lock,
    "trading_hours": _trading_hours,
}
