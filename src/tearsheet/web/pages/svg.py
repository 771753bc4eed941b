"""Small drawings as SVG attributes, so that no style has to stand in the page: bars, lines, heat."""

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal

from msgspec import Struct

from tearsheet.performance.distribution import Distribution
from tearsheet.performance.metric import MetricScalar

_C = Context(prec=30, rounding=ROUND_HALF_EVEN)
_ZERO = Decimal(0)
#: Shades of gain and loss in a calendar.
SHADES = 4


class Bar(Struct, frozen=True):
    """A rectangle in a drawing of 100 × 100, and what it says."""

    x: str
    y: str
    width: str
    height: str
    tone: str
    tooltip: str = ""


def tone(value: MetricScalar) -> str:
    """The class of a gain, a loss, or neither."""
    if value is None or isinstance(value, str) or not value:
        return "even"
    return "gain" if value > 0 else "loss"


def sign_symbol(value: MetricScalar) -> str:
    """The sign beside a gain or a loss, so that it is never told by colour alone."""
    return {"gain": "▲", "loss": "▼", "even": "●"}[tone(value)]


def percent_of(part: MetricScalar, whole: MetricScalar) -> str:
    """How much of a hundred a part is, from 0 to 100."""
    top, bottom = _exact(part), abs(_exact(whole))
    if not bottom:
        return "0"
    return _format(min(max(_C.divide(100 * top, bottom), _ZERO), Decimal(100)))


def largest(values: Iterable[MetricScalar]) -> Decimal:
    """The largest amount, whatever its sign."""
    return max((abs(_exact(value)) for value in values), default=_ZERO)


def shade(value: MetricScalar, most: Decimal) -> str:
    """How strong a calendar cell is coloured: `gain-1` to `gain-4`, `loss-1` …, or `even`."""
    kind = tone(value)
    if kind == "even" or not most:
        return "even"
    step = int(_C.divide(abs(_exact(value)) * SHADES, most).to_integral_value("ROUND_CEILING"))
    return f"{kind}-{min(max(step, 1), SHADES)}"


def diverging_bar(value: MetricScalar, most: Decimal) -> Bar:
    """A bar from the middle to the right for a gain, to the left for a loss."""
    amount = _exact(value)
    length = _C.divide(50 * abs(amount), most) if most else _ZERO
    start = Decimal(50) if amount >= 0 else 50 - length
    return Bar(_format(start), "0", _format(length), "100", tone(value))


def column_chart(values: Sequence[tuple[MetricScalar, str]]) -> tuple[list[Bar], str]:
    """Columns up and down from a line at 0, and where that line lies."""
    amounts = [_exact(value) for value, _ in values]
    high, low = max([_ZERO, *amounts]), min([_ZERO, *amounts])
    span = high - low or Decimal(1)
    zero = _C.divide(100 * high, span)
    step = _C.divide(Decimal(100), Decimal(max(len(values), 1)))
    bars = []
    for number, (amount, (value, words)) in enumerate(zip(amounts, values, strict=True)):
        height = _C.divide(100 * abs(amount), span)
        top = zero - height if amount > 0 else zero
        bars.append(
            Bar(
                _format(step * number + step / 10),
                _format(top),
                _format(step * Decimal("0.8")),
                _format(height),
                tone(value),
                words,
            )
        )
    return bars, _format(zero)


def split_bar(parts: Sequence[tuple[MetricScalar, str]]) -> list[Bar]:
    """Amounts beside each other in one bar, each in its tone; what is 0 takes no room."""
    amounts = [(abs(_exact(value)), kind) for value, kind in parts]
    whole = sum(amount for amount, _ in amounts)
    bars, start = [], _ZERO
    for amount, kind in amounts:
        if amount and whole:
            width = _C.divide(100 * amount, whole)
            bars.append(Bar(_format(start), "0", _format(width), "100", kind))
            start += width
    return bars


def result_ticks(values: Sequence[MetricScalar], places: int) -> list[Bar]:
    """A tick up for each gain and down for each loss, in order, of so many places."""
    step = _C.divide(Decimal(100), Decimal(places))
    bars = []
    for number, value in enumerate(values[:places]):
        top = {"gain": "4", "loss": "54", "even": "44"}[tone(value)]
        height = "12" if tone(value) == "even" else "42"
        bars.append(Bar(_format(step * number), top, _format(step * Decimal("0.62")), height, tone(value)))
    return bars


def bin_columns(found: Distribution) -> list[Bar]:
    """The bins of a distribution as columns; a bin below 0 is a loss."""
    most = max((b.count for b in found.bins), default=1) or 1
    step = _C.divide(Decimal(100), Decimal(max(len(found.bins), 1)))
    bars = []
    for number, b in enumerate(found.bins):
        height = _C.divide(Decimal(100 * b.count), Decimal(most))
        low = b.low if b.low is not None else (b.high or _ZERO) - (found.width or _ZERO)
        kind = "loss" if low < 0 else "gain"
        bars.append(
            Bar(
                _format(step * number + step / 20),
                _format(100 - height),
                _format(step * Decimal("0.9")),
                _format(height),
                kind,
            )
        )
    return bars


class CurvePath(Struct, frozen=True):
    """A line in a drawing of 1000 × `height`: its points, the line at 0, and what closes its area."""

    points: str
    zero: str
    area: str
    high: Decimal
    low: Decimal


def curve_path(values: Sequence[Decimal], height: int, beside: Sequence[Decimal] = ()) -> CurvePath:
    """The line of a running total that starts at 0, on one scale with the amounts `beside` it."""
    amounts = [_ZERO, *values]
    high, low = max([*amounts, *beside]), min([*amounts, *beside])
    span = high - low or Decimal(1)
    step = _C.divide(Decimal(1000), Decimal(len(amounts) - 1 or 1))
    points = [
        (_format(step * n), _format(_C.divide((high - amount) * height, span)))
        for n, amount in enumerate(amounts)
    ]
    zero = _format(_C.divide(high * height, span))
    joined = " ".join(f"{x},{y}" for x, y in points)
    return CurvePath(joined, zero, f"0,{zero} {joined} 1000,{zero}", high, low)


def _exact(value: MetricScalar) -> Decimal:
    if value is None or isinstance(value, str):
        return _ZERO
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def _format(value: Decimal) -> str:
    rounded = _C.quantize(value, Decimal("0.01"))
    return f"{_C.normalize(rounded):f}" if rounded else "0"
