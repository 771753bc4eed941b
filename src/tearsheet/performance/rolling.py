"""Win rate and expectancy over the last N trades, trade by trade, with how sure they are.

The band of a win rate is Wilson's score interval, that of an expectancy the mean ± 1.96 standard
errors (n − 1): where 95 of 100 such samples would hold the true value. All of it is decimal.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal

from msgspec import Struct

from tearsheet.performance.closed_trade import ClosedTrade
from tearsheet.trade.amount import ZERO, exact

_C = Context(prec=50, rounding=ROUND_HALF_EVEN)
_Z = Decimal("1.96")
_PRECISION = Decimal("1E-8")


class RollingPoint(Struct, frozen=True):
    """The last N trades as of one closing. Rates are fractions of 1, an expectancy is money."""

    number: int
    closed_at: datetime
    win_rate: Decimal
    win_rate_low: Decimal
    win_rate_high: Decimal
    expectancy: Decimal
    expectancy_low: Decimal | None
    expectancy_high: Decimal | None


def rolling_metrics(
    closings: Sequence[ClosedTrade], window: int, most: int = 500
) -> tuple[RollingPoint, ...]:
    """A point for each closing that has `window` closings up to itself, thinned evenly to `most`."""
    points = len(closings) - window + 1
    if points < 1:
        return ()
    stride = -(-points // most)
    wins, total, squares = 0, ZERO, ZERO
    found = []
    with exact():
        for index, closing in enumerate(closings):
            wins += closing.outcome == "win"
            total += closing.net
            squares += closing.net * closing.net
            if index >= window:
                gone = closings[index - window]
                wins -= gone.outcome == "win"
                total -= gone.net
                squares -= gone.net * gone.net
            if index + 1 >= window and (len(closings) - 1 - index) % stride == 0:
                found.append(_point(index + 1, closing, window, wins, total, squares))
    return tuple(found)


def _point(
    number: int, closing: ClosedTrade, n: int, wins: int, total: Decimal, squares: Decimal
) -> RollingPoint:
    rate_low, rate_high = wilson(wins, n)
    mean = _C.divide(total, Decimal(n))
    error = _standard_error(n, total, squares)
    return RollingPoint(
        number=number,
        closed_at=closing.closed_at,
        win_rate=_rounded(_C.divide(Decimal(wins), Decimal(n))),
        win_rate_low=rate_low,
        win_rate_high=rate_high,
        expectancy=_rounded(mean),
        expectancy_low=None if error is None else _rounded(mean - _Z * error),
        expectancy_high=None if error is None else _rounded(mean + _Z * error),
    )


def wilson(wins: int, n: int) -> tuple[Decimal, Decimal]:
    """Wilson's score interval of a share of 1 or more, at 95 % (E. B. Wilson, 1927)."""
    share, number, square = _C.divide(Decimal(wins), Decimal(n)), Decimal(n), _Z * _Z
    middle = _C.add(share, _C.divide(square, 2 * number))
    spread = _C.add(_C.divide(_C.multiply(share, 1 - share), number), _C.divide(square, 4 * number * number))
    reach = _C.multiply(_Z, _C.sqrt(spread))
    whole = 1 + _C.divide(square, number)
    low = _C.divide(_C.subtract(middle, reach), whole)
    high = _C.divide(_C.add(middle, reach), whole)
    return _rounded(max(low, ZERO)), _rounded(min(high, Decimal(1)))


def _standard_error(n: int, total: Decimal, squares: Decimal) -> Decimal | None:
    """Standard deviation (n − 1) / √n; None for a single trade."""
    if n < 2:
        return None
    with exact():
        spread = squares * n - total * total
    variance = _C.divide(spread, Decimal(n * (n - 1)))
    return _C.sqrt(_C.divide(variance, Decimal(n)))


def _rounded(value: Decimal) -> Decimal:
    return _C.quantize(value, _PRECISION)
