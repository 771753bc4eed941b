"""Curves in other units than money: percent of the balance before the window, and multiples of the initial risk (R)."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from itertools import groupby

from msgspec import structs

from tearsheet.performance.closed_trade import ClosedTrade
from tearsheet.performance.series import CurvePoint, DailyPoint, DrawnCurve
from tearsheet.trade.amount import ZERO, exact

_RATIO = Context(prec=30, rounding=ROUND_HALF_EVEN)
_PERCENT = Decimal(100)


def curve_in_percent(curve: DrawnCurve, days: Sequence[DailyPoint]) -> DrawnCurve | None:
    """Return a curve of money in percent of the balance before its window; None without a positive balance.

    A drawdown is of its peak. That of a day is measured from the peak before the day: within a day that rises to a new
    peak and falls from there, it is shown a little deeper than it was, never less deep.
    """
    balance = curve.balance
    if balance is None or balance <= 0:
        return None
    peaks = _peaks(days)
    grown = _chained(curve, balance) if any(point.flow for point in curve.points) else None
    points: list[CurvePoint] = []
    for point in curve.points:
        with exact():
            peak = point.total + point.drawdown if curve.by_fill else peaks.get(point.session, ZERO)
        points.append(
            structs.replace(
                point,
                change=_share(point.change, balance),
                total=_share(point.total, balance) if grown is None else grown[len(points)],
                drawdown=_share_of_peak(point.drawdown, balance, peak),
            )
        )
    with exact():
        before = curve.start + curve.start_drawdown
    return structs.replace(
        curve,
        points=tuple(points),
        start=_share(curve.start, balance) if grown is None else ZERO,
        start_drawdown=_share_of_peak(curve.start_drawdown, balance, before),
        balance=None,
    )


def _chained(curve: DrawnCurve, balance: Decimal) -> list[Decimal]:
    """Return the returns so far in percent after each point: changes as shares of what was at work; no flow is one."""
    grown, found = Decimal(1), []
    with exact():
        equity = balance + curve.start
    for point in curve.points:
        with exact():
            base = equity + max(point.flow, ZERO)
            made, equity = base + point.change, balance + point.total
        if base > 0:
            grown = _RATIO.divide(_RATIO.multiply(grown, made), base)
        found.append(_RATIO.multiply(_RATIO.subtract(grown, Decimal(1)), _PERCENT))
    return found


def curve_in_r(
    curve: DrawnCurve, trades: Sequence[ClosedTrade], start_of: Callable[[date], datetime]
) -> DrawnCurve:
    """Return the sum of the R-multiples of closed trades with an initial stop, over the sessions of a curve of money.

    It has a point for each trade where the curve has one for each fill, and no points where no trade has an R-multiple.
    """
    first, last = curve.sessions[0], curve.sessions[-1]
    start = fallen = ZERO
    shown = []
    for point in _by_trade(trades, start_of):
        if point.session < first:
            start, fallen = point.total, point.drawdown
        elif point.session <= last and _is_within(point, curve):
            shown.append(point)
    points = shown if curve.by_fill else list(_by_session(shown))
    return structs.replace(curve, points=tuple(points), start=start, start_drawdown=fallen, balance=None)


def _by_trade(trades: Sequence[ClosedTrade], start_of: Callable[[date], datetime]) -> Iterator[CurvePoint]:
    total = high = ZERO
    for trade in trades:
        if trade.r is None:
            continue
        with exact():
            total += trade.r
            high = max(high, total)
            fallen = high - total
        offset = trade.closed_at - start_of(trade.session)
        yield CurvePoint(trade.session, trade.r, total, fallen, 1, trade.symbol, trade.closed_at, offset)


def _by_session(points: Sequence[CurvePoint]) -> Iterator[CurvePoint]:
    for session, group in groupby(points, lambda point: point.session):
        of_day = list(group)
        with exact():
            change = sum((point.change for point in of_day), ZERO)
        deepest = max(point.drawdown for point in of_day)
        yield CurvePoint(session, change, of_day[-1].total, deepest, len(of_day))


def _is_within(point: CurvePoint, curve: DrawnCurve) -> bool:
    """Return whether a point lies within the times of a curve of a part of a day."""
    if len(curve.sessions) > 1 or not curve.by_fill or not curve.points:
        return True
    start, end = curve.points[0].time, curve.points[-1].time
    return start is None or end is None or point.time is None or start <= point.time <= end


def _peaks(days: Sequence[DailyPoint]) -> dict[date, Decimal]:
    """Return the highest total before each session, 0 at the start of the window."""
    peaks = {}
    high = ZERO
    for day in days:
        peaks[day.session] = high
        with exact():
            high = max(high, day.total + day.drawdown)
    return peaks


def _share(amount: Decimal, balance: Decimal) -> Decimal:
    return _RATIO.divide(_RATIO.multiply(amount, _PERCENT), balance)


def _share_of_peak(depth: Decimal, balance: Decimal, peak: Decimal) -> Decimal:
    """Return a fall in percent of the balance at its peak; all of it where that is not above 0."""
    with exact():
        equity = balance + peak
    return _share(depth, equity) if equity > 0 else _PERCENT
