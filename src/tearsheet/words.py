"""Values as people read them: money with thousands and sign, ratios, percentages, durations."""

from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal

from tearsheet.performance.metric import Metric, MetricValue, Unit, Value

NONE = "—"
_ROUNDING = Context(prec=100, rounding=ROUND_HALF_EVEN)
_CENT = Decimal("0.01")


def shown(metric: Metric, value: MetricValue) -> str:
    """A metric's value in words; a dash where it is undefined."""
    if value.value is None:
        return NONE
    return _BY_UNIT[metric.unit](value.value)


def money(value: Value) -> str:
    """Money with thousands separators and two decimals, rounded half to even for show."""
    return f"{_rounded(value, _CENT):,f}"


def number(value: Value) -> str:
    """A number with all its digits and thousands separators."""
    if value is None:
        return NONE
    exact = _decimal(value)
    return f"{_ROUNDING.normalize(exact):,f}" if exact else "0"


def percent(value: Value) -> str:
    """A ratio as a percentage with one decimal."""
    return f"{_rounded(_decimal(value) * 100, Decimal('0.1')):,f} %"


def duration(value: Value) -> str:
    """Seconds as hours, minutes and seconds, as far as they matter; a change may be negative."""
    seconds = int(_rounded(value, Decimal(1)))
    if seconds < 0:
        return f"-{duration(-seconds)}"
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, rest = divmod(rest, 60)
    if days:
        return f"{days}d {hours:02d}h"
    if hours:
        return f"{hours}h {minutes:02d}m"
    return f"{minutes}m {rest:02d}s"


def _ratio(value: Value) -> str:
    return f"{_rounded(value, _CENT):,f}"


_BY_UNIT: dict[Unit, Callable[[Value], str]] = {
    "count": number,
    "money": money,
    "ratio": _ratio,
    "percent": percent,
    "r": lambda value: f"{_ratio(value)} R",
    "seconds": duration,
    "quantity": number,
    "streak": str,
    "day": str,
}


def _decimal(value: Value) -> Decimal:
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value or 0)


def _rounded(value: Value, step: Decimal) -> Decimal:
    rounded = _ROUNDING.quantize(_decimal(value), step)
    return rounded if rounded else abs(rounded)
