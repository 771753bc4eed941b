"""Histogram of results with bins of equal, round width and a bound at 0."""

from collections import Counter
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal

from msgspec import Struct

from tearsheet.trade.amount import ONE, ZERO, exact

_ROUNDING, _PLACES = Context(prec=100, rounding=ROUND_HALF_EVEN), Decimal("1E-8")
_STEPS = (Decimal(1), Decimal(2), Decimal(5), Decimal(10))
#: One result in a hundred on either side may be in the outermost, open bin.
_TAIL = 100


class Bin(Struct, frozen=True):
    """Number of results in `[low, high)`; an outermost bin may be open, with a bound of null."""

    low: Decimal | None
    high: Decimal | None
    count: int


class Distribution(Struct, frozen=True):
    """Bins in order, without gaps. `n` is the number of results, `mean` is rounded to 8 decimals."""

    n: int
    width: Decimal | None
    median: Decimal | None
    bins: tuple[Bin, ...]
    mean: Decimal | None = None


def distribution(values: Sequence[Decimal], max_bins: int = 30) -> Distribution:
    """Return the distribution of results in about `max_bins` bins at most."""
    if not values:
        return Distribution(0, None, None, ())
    ordered = sorted(values)
    n = len(ordered)
    low, high = ordered[n // _TAIL], ordered[n - 1 - n // _TAIL]
    with exact():
        width = _round_width(high - low, max_bins)
        first, last = (_bin_floor(value, width) for value in (low, high))
        counts = Counter(min(max(_bin_floor(value, width), first), last) for value in ordered)
        median = (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
        bins = tuple(
            Bin(
                None if number == first and ordered[0] < first * width else number * width,
                None if number == last and ordered[-1] >= (last + 1) * width else (number + 1) * width,
                counts[number],
            )
            for number in range(first, last + 1)
        )
        total = sum(ordered, ZERO)
    mean = _ROUNDING.divide(total, Decimal(n)).quantize(_PLACES, context=_ROUNDING)
    return Distribution(n, width, median, bins, mean)


def _bin_floor(value: Decimal, width: Decimal) -> int:
    """Return the number of widths at or below a value; Decimal `//` would truncate towards 0."""
    whole, remainder = divmod(value, width)
    return int(whole) - (remainder < 0)


def _round_width(span: Decimal, max_bins: int) -> Decimal:
    """Return the smallest of 1, 2, 5 × 10ⁿ with which `max_bins` bins cover the span."""
    if not span:
        return ONE
    decade = ONE.scaleb(span.adjusted() - 4)
    while decade * 10 * max_bins < span:
        decade *= 10
    return next(step * decade for step in _STEPS if step * decade * max_bins >= span)
