"""Comparison of two sets of metrics."""

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct, field

from tearsheet.performance.metric import METRICS, MetricScalar, MetricValue, Unit
from tearsheet.trade.amount import exact

#: Metrics where less is better; in all others that are not in `_NEITHER`, more is better.
_LESS_IS_BETTER = {"losing_trades", "fees", "longest_loss_streak", "max_drawdown", "max_drawdown_percent"}
_NEITHER = {
    "total_trades",
    "breakeven_trades",
    "current_streak",
    "average_win_time",
    "average_loss_time",
    "quantity_traded",
    "sessions_traded",
    "trades_per_day",
    "average_risk_reward",
}


class MetricComparison(Struct, frozen=True):
    """Values of a metric in two periods. `change` is this − other, null if one of them is undefined.

    `is_better` is null if the values are equal, or if neither direction is better.
    """

    metric: str
    label: str
    unit: Unit
    this: MetricValue
    other: MetricValue
    change: MetricScalar
    is_better: bool | None = field(name="better")


def compare(
    this: Mapping[str, MetricValue], other: Mapping[str, MetricValue]
) -> tuple[MetricComparison, ...]:
    """Compare every metric, in the order of the table."""
    return tuple(_compare_metric(name, this[name], other[name]) for name in METRICS)


def _compare_metric(name: str, this: MetricValue, other: MetricValue) -> MetricComparison:
    metric = METRICS[name]
    change = _difference(this.value, other.value)
    is_better = None
    if change and not isinstance(change, str) and name not in _NEITHER:
        is_better = (change > 0) is not (name in _LESS_IS_BETTER)
    return MetricComparison(name, metric.label, metric.unit, this, other, change, is_better)


def _difference(this: MetricScalar, other: MetricScalar) -> MetricScalar:
    if this is None or other is None or isinstance(this, str) or isinstance(other, str):
        return None
    with exact():
        if isinstance(this, Decimal) or isinstance(other, Decimal):
            return Decimal(str(this)) - Decimal(str(other))
        return this - other
