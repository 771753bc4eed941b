"""How results spread: counts in bins of equal and round width, with a bound at 0."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct

from tearsheet.trade.amount import ONE, exact

_STEPS = (Decimal(1), Decimal(2), Decimal(5), Decimal(10))
#: So many of a hundred results on either side may lie in the two outermost, open bins.
_TAIL = 100


class Bin(Struct, frozen=True):
    """How many results lie in `[low, high)`; the outermost bins are open, so that a bound is null."""

    low: Decimal | None
    high: Decimal | None
    count: int


class Distribution(Struct, frozen=True):
    """The bins in order, without gaps. `n` results are counted; `median` is the middle one."""

    n: int
    width: Decimal | None
    median: Decimal | None
    bins: tuple[Bin, ...]


def distribution(values: Sequence[Decimal], most: int = 30) -> Distribution:
    """The distribution of results in about `most` bins at most."""
    if not values:
        return Distribution(0, None, None, ())
    ordered = sorted(values)
    n = len(ordered)
    low, high = ordered[n // _TAIL], ordered[n - 1 - n // _TAIL]
    with exact():
        width = _round_width(high - low, most)
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
    return Distribution(n, width, median, bins)


def _bin_floor(value: Decimal, width: Decimal) -> int:
    """Which multiple of the width lies at or below a value; `//` would cut towards 0."""
    whole, rest = divmod(value, width)
    return int(whole) - (rest < 0)


def _round_width(span: Decimal, most: int) -> Decimal:
    """The least of 1, 2, 5 × 10ⁿ of which `most` cover the span."""
    if not span:
        return ONE
    decade = ONE.scaleb(span.adjusted() - 4)
    while decade * 10 * most < span:
        decade *= 10
    return next(step * decade for step in _STEPS if step * decade * most >= span)
