"""Attributes of small SVG charts; the page's policy allows no inline styles.

Charts are 100 wide and 100 high unless they say otherwise; the page stretches them.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import TypeVar

from msgspec import Struct

from tearsheet.export.scale import Scale
from tearsheet.performance.metric import MetricScalar

T = TypeVar("T")
_CONTEXT = Context(prec=30, rounding=ROUND_HALF_EVEN)
_ZERO, _FULL = Decimal(0), Decimal(100)
#: Shades of gains and of losses in the calendar.
_SHADES = 4


class Bar(Struct, frozen=True):
    """A rectangle of a chart, with its tooltip."""

    x: str
    y: str
    width: str
    height: str
    tone: str
    tooltip: str = ""


def tone(value: MetricScalar) -> str:
    """Return the CSS class of a value: gain, loss or even."""
    if value is None or isinstance(value, str) or not value:
        return "even"
    return "gain" if value > 0 else "loss"


def percent_of(part: MetricScalar, whole: MetricScalar) -> str:
    """Return a part as percent of the absolute whole, from 0 to 100."""
    return _format(min(max(_percent(_exact(part), abs(_exact(whole))), _ZERO), _FULL))


def largest(values: Iterable[MetricScalar]) -> Decimal:
    """Return the largest absolute amount."""
    return max((abs(_exact(value)) for value in values), default=_ZERO)


def shade(value: MetricScalar, most: Decimal) -> str:
    """Return the CSS class of a calendar cell: `gain-1` to `gain-4`, `loss-1` to `loss-4`, or `even`."""
    kind = tone(value)
    if kind == "even" or not most:
        return "even"
    step = int(_CONTEXT.divide(abs(_exact(value)) * _SHADES, most).to_integral_value("ROUND_CEILING"))
    return f"{kind}-{min(max(step, 1), _SHADES)}"


def quartile_shades(amounts: Mapping[T, Decimal]) -> dict[T, str]:
    """Return the CSS class of calendar cells by quarter of the rank of their size, so that no day pales others."""
    sizes = sorted(abs(amount) for amount in amounts.values() if amount)
    return {
        name: f"{tone(amount)}-{bisect_left(sizes, abs(amount)) * _SHADES // len(sizes) + 1}"
        if amount
        else "even"
        for name, amount in amounts.items()
    }


def diverging_bar(value: MetricScalar, most: Decimal) -> Bar:
    """Return a bar from the middle to the right for a gain, to the left for a loss."""
    amount = _exact(value)
    length = _percent(abs(amount), 2 * most)
    start = 50 if amount >= 0 else 50 - length
    return Bar(_format(start), "0", _format(length), "100", tone(value))


def split_bar(parts: Sequence[tuple[MetricScalar, str]]) -> list[Bar]:
    """Return one bar split by absolute amounts, each with its tone, without those of 0."""
    amounts = [(abs(_exact(value)), kind) for value, kind in parts]
    total = sum(amount for amount, _ in amounts)
    bars, start = [], _ZERO
    for amount, kind in amounts:
        if amount:
            width = _percent(amount, total)
            bars.append(Bar(_format(start), "0", _format(width), "100", kind))
            start += width
    return bars


def result_ticks(values: Sequence[MetricScalar], places: int) -> list[Bar]:
    """Return a tick up for each gain and down for each loss, on this many places."""
    step = _percent(1, places)
    bars = []
    for number, value in enumerate(values[:places]):
        top = {"gain": "4", "loss": "54", "even": "44"}[tone(value)]
        height = "12" if tone(value) == "even" else "42"
        bars.append(Bar(_format(step * number), top, _format(step * Decimal("0.62")), height, tone(value)))
    return bars


class CurvePath(Struct, frozen=True):
    """Points of a line 1000 wide, of the area below it, and the height of 0."""

    points: str
    zero: str
    area: str


def curve_path(values: Sequence[Decimal], height: int) -> CurvePath:
    """Return the line of a running total that starts at 0."""
    amounts = [_ZERO, *values]
    scale = Scale(amounts)
    step = _CONTEXT.divide(Decimal(1000), Decimal(len(amounts) - 1 or 1))
    points = " ".join(
        f"{_format(step * n)},{_format(scale.offset(amount, height))}" for n, amount in enumerate(amounts)
    )
    zero = _format(scale.offset(_ZERO, height))
    return CurvePath(points, zero, f"0,{zero} {points} 1000,{zero}")


def _percent(part: Decimal | int, whole: Decimal | int) -> Decimal:
    return _CONTEXT.divide(100 * Decimal(part), Decimal(whole)) if whole else _ZERO


def _exact(value: MetricScalar) -> Decimal:
    if value is None or isinstance(value, str):
        return _ZERO
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def _format(value: Decimal | int) -> str:
    rounded = _CONTEXT.quantize(Decimal(value), Decimal("0.01"))
    return f"{_CONTEXT.normalize(rounded):f}" if rounded else "0"
