"""Rolling win rate and expectancy over the last N trades, with 95% confidence intervals.

The interval of a win rate is Wilson's score interval, that of an expectancy the mean ± 1.96 standard
errors (n − 1). All numbers are decimals.
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
    """Metrics of the last N trades at the close of one trade; rates are between 0 and 1."""

    number: int
    closed_at: datetime
    win_rate: Decimal
    win_rate_low: Decimal
    win_rate_high: Decimal
    expectancy: Decimal
    expectancy_low: Decimal | None
    expectancy_high: Decimal | None


def rolling_metrics(
    trades: Sequence[ClosedTrade], window: int, max_points: int = 500
) -> tuple[RollingPoint, ...]:
    """Return a point for each trade from the `window`-th on, downsampled evenly to `max_points`."""
    count = len(trades) - window + 1
    if count < 1:
        return ()
    stride = -(-count // max_points)
    wins, total, squares = 0, ZERO, ZERO
    points = []
    with exact():
        for index, trade in enumerate(trades):
            wins += trade.outcome == "win"
            total += trade.net
            squares += trade.net * trade.net
            if index >= window:
                dropped = trades[index - window]
                wins -= dropped.outcome == "win"
                total -= dropped.net
                squares -= dropped.net * dropped.net
            if index + 1 >= window and (len(trades) - 1 - index) % stride == 0:
                points.append(_point(index + 1, trade, window, wins, total, squares))
    return tuple(points)


def _point(
    number: int, trade: ClosedTrade, n: int, wins: int, total: Decimal, squares: Decimal
) -> RollingPoint:
    rate_low, rate_high = wilson(wins, n)
    mean = _C.divide(total, Decimal(n))
    error = _standard_error(n, total, squares)
    return RollingPoint(
        number=number,
        closed_at=trade.closed_at,
        win_rate=_rounded(_C.divide(Decimal(wins), Decimal(n))),
        win_rate_low=rate_low,
        win_rate_high=rate_high,
        expectancy=_rounded(mean),
        expectancy_low=None if error is None else _rounded(mean - _Z * error),
        expectancy_high=None if error is None else _rounded(mean + _Z * error),
    )


def wilson(wins: int, n: int) -> tuple[Decimal, Decimal]:
    """Return Wilson's 95% score interval of a proportion (E. B. Wilson, 1927); `n` is at least 1."""
    share, number, square = _C.divide(Decimal(wins), Decimal(n)), Decimal(n), _Z * _Z
    center = _C.add(share, _C.divide(square, 2 * number))
    spread = _C.add(_C.divide(_C.multiply(share, 1 - share), number), _C.divide(square, 4 * number * number))
    half_width = _C.multiply(_Z, _C.sqrt(spread))
    scale = 1 + _C.divide(square, number)
    low = _C.divide(_C.subtract(center, half_width), scale)
    high = _C.divide(_C.add(center, half_width), scale)
    return _rounded(max(low, ZERO)), _rounded(min(high, Decimal(1)))


def _standard_error(n: int, total: Decimal, squares: Decimal) -> Decimal | None:
    """Return standard deviation (n − 1) ÷ √n; None for a single trade."""
    if n < 2:
        return None
    with exact():
        spread = squares * n - total * total
    variance = _C.divide(spread, Decimal(n * (n - 1)))
    return _C.sqrt(_C.divide(variance, Decimal(n)))


def _rounded(value: Decimal) -> Decimal:
    return _C.quantize(value, _PRECISION)
