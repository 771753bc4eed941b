"""How far each limit is used: one formula a limit over an account's running sums."""

from collections.abc import Callable
from decimal import Decimal

from msgspec import Struct

from tearsheet.rules.limit import Limit, LimitName
from tearsheet.rules.limit_sums import LimitSums
from tearsheet.trade.amount import ONE, ZERO, ratio

_HUNDRED = Decimal(100)


class LimitUsage(Struct, frozen=True, gc=False):
    """A limit's value beside its threshold, and what is left until it breaks.

    `headroom` is how much more can be lost, traded or opened; a gain makes it larger than the
    threshold. All three are None without the prices that the limit needs; threshold and headroom
    are None while a profit lock is not armed.
    """

    value: Decimal | None
    threshold: Decimal | None
    headroom: Decimal | None

    @property
    def used(self) -> Decimal | None:
        """The used share of the threshold, cut off after 8 decimals; inside `exact()`."""
        if self.value is None or self.threshold is None:
            return None
        return ratio(self.value, self.threshold)


UNKNOWN_USAGE = LimitUsage(None, None, None)


def compute_usage(limit: Limit, running: LimitSums) -> LimitUsage:
    """How far a limit is used now; to be called inside `exact()`."""
    return _FORMULAS[limit.name](limit, running)


def is_breached(limit: Limit, reading: LimitUsage) -> bool:
    """Whether a limit's value is at or beyond what it may be."""
    if reading.headroom is None:
        return False
    return reading.headroom <= 0 if limit.type.breach_when_equal else reading.headroom < 0


def warning_level(limit: Limit, reading: LimitUsage, level: int) -> int:
    """How many warning thresholds stand crossed, if so many stood before.

    One is crossed at its percentage, and left only `hysteresis` points below it.
    """
    if reading.value is None:
        return level
    if reading.threshold is None or not reading.value:
        return 0
    share, threshold = reading.value * _HUNDRED, reading.threshold
    up = _reached_levels(limit.warn_at, share, threshold)
    if level <= up:
        return up
    lower = [mark - limit.hysteresis for mark in limit.warn_at[:level]]
    return max(up, sum(share > mark * threshold for mark in lower))


def _reached_levels(marks: tuple[Decimal, ...], share: Decimal, threshold: Decimal) -> int:
    for number, mark in enumerate(marks):
        if share < mark * threshold:
            return number
    return len(marks)


def _loss(limit: Limit, net: Decimal, running: LimitSums) -> LimitUsage:
    if limit.needs_marks:
        if running.pnl_open is None:
            return UNKNOWN_USAGE
        net += running.pnl_open
    return LimitUsage(max(ZERO, -net), limit.threshold, limit.threshold + net)


def _daily_loss(limit: Limit, running: LimitSums) -> LimitUsage:
    return _loss(limit, running.day_net, running)


def _weekly_loss(limit: Limit, running: LimitSums) -> LimitUsage:
    return _loss(limit, running.week_net, running)


def _monthly_loss(limit: Limit, running: LimitSums) -> LimitUsage:
    return _loss(limit, running.month_net, running)


def _max_drawdown(limit: Limit, running: LimitSums) -> LimitUsage:
    """Equity above a floor that lies `threshold` below the start or the high, and never above the lock."""
    equity, high = running.equity, running.high
    if limit.needs_marks:
        if running.pnl_open is None:
            return UNKNOWN_USAGE
        equity, high = equity + running.pnl_open, running.high_with_open
    elif limit.basis == "end_of_day":
        high = running.high_at_close
    floor = (high if limit.trailing else ZERO) - limit.threshold
    if limit.lock_at is not None:
        floor = min(floor, limit.lock_at)
    headroom = equity - floor
    return LimitUsage(max(ZERO, limit.threshold - headroom), limit.threshold, headroom)


def _count_usage(limit: Limit, count: int) -> LimitUsage:
    value = Decimal(count)
    return LimitUsage(value, limit.threshold, limit.threshold - value)


def _max_trades(limit: Limit, running: LimitSums) -> LimitUsage:
    return _count_usage(limit, running.trades)


def _max_losses(limit: Limit, running: LimitSums) -> LimitUsage:
    return _count_usage(limit, running.losses)


def _max_open_quantity(limit: Limit, running: LimitSums) -> LimitUsage:
    value = running.open_quantity(per_symbol=limit.per_symbol)
    return LimitUsage(value, limit.threshold, limit.threshold - value)


def _profit_lock(limit: Limit, running: LimitSums) -> LimitUsage:
    best = running.best
    given_back = best - running.day_net if best > 0 else ZERO
    if best <= 0 or best < limit.armed_from:
        return LimitUsage(given_back, None, None)
    threshold = best * limit.threshold.scaleb(-2)
    return LimitUsage(given_back, threshold, threshold - given_back)


def _trading_hours(limit: Limit, running: LimitSums) -> LimitUsage:
    value = Decimal(running.outside)
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
