"""Formatting of values for display: money, ratios, percentages and durations."""

from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal

from tearsheet.performance.metric import Metric, MetricScalar, MetricValue, Unit

NONE = "—"
_ROUNDING = Context(prec=100, rounding=ROUND_HALF_EVEN)
_CENT = Decimal("0.01")


def format_metric(metric: Metric, value: MetricValue) -> str:
    """Format a metric's value; a dash if it is undefined."""
    if value.value is None:
        return NONE
    return _BY_UNIT[metric.unit](value.value)


def format_money(value: MetricScalar) -> str:
    """Format money with thousands separators and two decimals, rounded half to even."""
    return f"{_rounded(value, _CENT):,f}"


def format_number(value: MetricScalar) -> str:
    """Format a number with all digits and thousands separators."""
    if value is None:
        return NONE
    exact = _decimal(value)
    return f"{_ROUNDING.normalize(exact):,f}" if exact else "0"


def format_percent(value: MetricScalar) -> str:
    """Format a ratio as a percentage with one decimal."""
    return f"{_rounded(_decimal(value) * 100, Decimal('0.1')):,f}%"


def format_duration(value: MetricScalar) -> str:
    """Format seconds as the two largest units; negative for a change."""
    seconds = int(_rounded(value, Decimal(1)))
    if seconds < 0:
        return f"-{format_duration(-seconds)}"
    days, seconds = divmod(seconds, 86_400)
    hours, seconds = divmod(seconds, 3_600)
    minutes, seconds = divmod(seconds, 60)
    if days:
        return f"{days}d {hours:02d}h"
    if hours:
        return f"{hours}h {minutes:02d}m"
    return f"{minutes}m {seconds:02d}s"


def _format_ratio(value: MetricScalar) -> str:
    return f"{_rounded(value, _CENT):,f}"


_BY_UNIT: dict[Unit, Callable[[MetricScalar], str]] = {
    "count": format_number,
    "money": format_money,
    "ratio": _format_ratio,
    "percent": format_percent,
    "r": lambda value: f"{_format_ratio(value)} R",
    "seconds": format_duration,
    "quantity": format_number,
    "streak": str,
    "day": str,
}


def _decimal(value: MetricScalar) -> Decimal:
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value or 0)


def _rounded(value: MetricScalar, step: Decimal) -> Decimal:
    rounded = _ROUNDING.quantize(_decimal(value), step)
    return rounded if rounded else abs(rounded)
