"""Linear scale of a chart, shared by exported pictures and the dashboard's small charts."""

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal

#: Context of lengths and labels; a picture rounds at the end.
EXACT = Context(prec=100, rounding=ROUND_HALF_EVEN)
_ZERO = Decimal(0)


class Scale:
    """Scale from the highest amount at the top to the lowest at the bottom; it contains 0."""

    def __init__(self, amounts: Iterable[Decimal]) -> None:
        values = [_ZERO, *amounts]
        self.low, self.high = min(values), max(values)

    def length(self, amount: Decimal, size: int) -> Decimal:
        """Return the length of an amount on a scale of this size, 0 if all amounts are 0."""
        span = self.high - self.low
        return EXACT.divide(EXACT.multiply(abs(amount), size), span) if span else _ZERO

    def offset(self, amount: Decimal, size: int) -> Decimal:
        """Return the distance of an amount from the top."""
        return self.length(self.high - amount, size)


def nice_step(least: Decimal) -> Decimal:
    """Return the smallest of 1, 2, 5, 10, 20 … that is at least this."""
    unit = Decimal(1).scaleb(least.adjusted())
    return next(unit * n for n in (1, 2, 5, 10) if unit * n >= least)
