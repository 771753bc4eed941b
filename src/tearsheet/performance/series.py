"""The running total of a window: by session with its drawdown, and within a day by fill."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal

from msgspec import Struct, field

from tearsheet.performance.tally import Curve, Tally
from tearsheet.trade.amount import ZERO, exact
from tearsheet.trade.position import Booking


class DailyPoint(Struct, frozen=True):
    """A session: its own net P&L, the total so far, and how far below its high that is.

    `drawdown` is that at the end of the session, `max_drawdown` the deepest within it; both from the
    highest total since the window began, highs within a session included, and never negative.
    """

    session: date
    net_pnl: Decimal
    trades: int
    total: Decimal
    drawdown: Decimal
    max_drawdown: Decimal = field(name="deepest")


class FillPoint(Struct, frozen=True):
    """The total after a fill, what the fill added, and how far below the highest total so far that is."""

    time: datetime
    account: str
    symbol: str
    change: Decimal = field(name="adds")
    total: Decimal
    drawdown: Decimal


def daily_curve(sessions: Iterable[tuple[date, Tally]]) -> tuple[DailyPoint, ...]:
    """The curve of neighbouring sessions in order."""
    days = []
    total = high = ZERO
    with exact():
        for session, tally in sessions:
            curve: Curve = tally.curve
            max_drawdown = max(curve.drawdown, high - (total + curve.low))
            high = max(high, total + curve.high)
            total += curve.net
            days.append(DailyPoint(session, curve.net, tally.closed, total, high - total, max_drawdown))
    return tuple(days)


def fill_curve(bookings: Sequence[Booking], most: int = 1000) -> tuple[FillPoint, ...]:
    """The total after each booking in order; of more than `most`, each stretch's lowest and highest."""
    points = []
    total = high = ZERO
    with exact():
        for booking in bookings:
            change = booking.gross - booking.fees
            total += change
            high = max(high, total)
            points.append(
                FillPoint(booking.time, booking.account, booking.symbol, change, total, high - total)
            )
    if len(points) <= most:
        return tuple(points)
    return tuple(_downsample(points, most))


def _downsample(points: list[FillPoint], most: int) -> Iterable[FillPoint]:
    size = -(-2 * len(points) // most)
    for start in range(0, len(points), size):
        part = range(start, min(start + size, len(points)))
        kept = {min(part, key=lambda n: points[n].total), max(part, key=lambda n: points[n].total), part[-1]}
        yield from (points[n] for n in sorted(kept))
