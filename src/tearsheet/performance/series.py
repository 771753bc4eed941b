"""Cumulative P&L and drawdown of a window, per session and per fill."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal

from msgspec import Struct, field

from tearsheet.performance.tally import Curve, Tally
from tearsheet.trade.amount import ZERO, exact
from tearsheet.trade.position import Booking


class DailyPoint(Struct, frozen=True):
    """Net P&L, cumulative P&L and drawdown of a session.

    `drawdown` is that at the end of the session, `max_drawdown` the largest within it. Both are
    measured from the highest cumulative P&L since the start of the window, also within sessions, and
    are never negative.
    """

    session: date
    net_pnl: Decimal
    trades: int
    total: Decimal
    drawdown: Decimal
    max_drawdown: Decimal = field(name="deepest")


class FillPoint(Struct, frozen=True):
    """Cumulative P&L and drawdown after a fill, and the P&L of the fill."""

    time: datetime
    account: str
    symbol: str
    change: Decimal = field(name="adds")
    total: Decimal
    drawdown: Decimal


def daily_curve(sessions: Iterable[tuple[date, Tally]]) -> tuple[DailyPoint, ...]:
    """Return the points of consecutive sessions, in order."""
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


def fill_curve(bookings: Sequence[Booking], max_points: int = 1000) -> tuple[FillPoint, ...]:
    """Return a point per booking, in order; more than `max_points` are downsampled."""
    points = []
    total = high = ZERO
    with exact():
        for booking in bookings:
            change = booking.net
            total += change
            high = max(high, total)
            points.append(
                FillPoint(booking.time, booking.account, booking.symbol, change, total, high - total)
            )
    if len(points) <= max_points:
        return tuple(points)
    return tuple(_downsample(points, max_points))


def _downsample(points: list[FillPoint], max_points: int) -> Iterable[FillPoint]:
    """Yield the lowest, highest and last point of each chunk."""
    size = -(-2 * len(points) // max_points)
    for start in range(0, len(points), size):
        chunk = range(start, min(start + size, len(points)))
        low = min(chunk, key=lambda n: points[n].total)
        high = max(chunk, key=lambda n: points[n].total)
        yield from (points[n] for n in sorted({low, high, chunk[-1]}))
