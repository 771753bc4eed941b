"""Cumulative P&L and drawdown of a window, per session and per fill."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from types import MappingProxyType
from typing import Literal

from msgspec import Struct, field

from tearsheet.performance.tally import Curve, Tally
from tearsheet.trade.amount import ZERO, exact
from tearsheet.trade.event import RESULT_PARTS
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


class CurvePoint(Struct, frozen=True):
    """Point of a drawn curve: after a fill, or after a session, whose `drawdown` is the deepest within it.

    `offset` is the time since the session's start; a point of a whole session has neither `time` nor `offset`. `flow`
    is money that came or, below 0, went: it moves the total and its high, and is no change.
    """

    session: date
    change: Decimal
    total: Decimal
    drawdown: Decimal
    trades: int = 0
    name: str = ""
    time: datetime | None = None
    offset: timedelta | None = None
    flow: Decimal = ZERO


class DrawnCurve(Struct, frozen=True):
    """Points of a picture in order, total and drawdown before the first, and the sessions that take room on its axis.

    With a `balance` before the total of 0, the picture is of equity.
    """

    points: tuple[CurvePoint, ...]
    start: Decimal
    sessions: tuple[date, ...]
    by_fill: bool
    balance: Decimal | None = None
    start_drawdown: Decimal = ZERO


class PeriodNet(Struct, frozen=True):
    """Net P&L and closed positions of a day, week or month, with its first and last session."""

    first: date
    last: date
    net_pnl: Decimal
    trades: int


PeriodUnit = Literal["day", "week", "month"]


def by_fitting_period(days: Sequence[DailyPoint], most: int = 260) -> tuple[PeriodUnit, list[PeriodNet]]:
    """Return the results by day, by week, or by month: the first of them that is no more than `most`, else by month."""
    parts: dict[PeriodUnit, Callable[[date], object]] = {
        "day": lambda day: day,
        "week": lambda day: day - timedelta(days=day.weekday()),
        "month": lambda day: (day.year, day.month),
    }
    unit: PeriodUnit
    for unit, part in parts.items():
        groups = [list(group) for _, group in groupby(days, key=lambda day: part(day.session))]
        if len(groups) <= most or unit == "month":
            break
    with exact():
        return unit, [
            PeriodNet(
                group[0].session,
                group[-1].session,
                sum((day.net_pnl for day in group), ZERO),
                sum(day.trades for day in group),
            )
            for group in groups
        ]


def daily_curve(
    sessions: Iterable[tuple[date, Tally]], *, of_account: bool = False
) -> tuple[DailyPoint, ...]:
    """Return the points of consecutive sessions, in order.

    Those `of_account` are what the account made; flows move total and high alike, so that none is a fall.
    """
    days = []
    total = high = ZERO
    with exact():
        for session, tally in sessions:
            curve: Curve = tally.result_curve if of_account else tally.curve
            flow = tally.balance_change - tally.result if of_account else ZERO
            max_drawdown = max(curve.drawdown, high - (total + curve.low))
            high = max(high, total + curve.high) + flow
            total += curve.net + flow
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


def _flow_of(booking: Booking) -> Decimal:
    """Return what a booking moved without making it."""
    part = booking.account_part
    return ZERO if part is None or part[0] in RESULT_PARTS else part[1]


def points_by_day(
    days: Iterable[DailyPoint], flows: Mapping[date, Decimal] = MappingProxyType({})
) -> tuple[CurvePoint, ...]:
    """Return a point for each session, at its end, with what came or went on it."""
    return tuple(
        CurvePoint(
            day.session,
            day.net_pnl,
            day.total,
            day.max_drawdown,
            day.trades,
            flow=flows.get(day.session, ZERO),
        )
        for day in days
    )


def points_by_fill(
    bookings: Iterable[Booking],
    placed: Callable[[Booking], tuple[date, datetime]],
    total: Decimal,
    high: Decimal,
    *,
    of_account: bool = False,
) -> tuple[CurvePoint, ...]:
    """Return a point for each booking, on top of an earlier total and high; `placed` gives a session and its start.

    Those `of_account` have what the account made and what came and went.
    """
    points = []
    with exact():
        for booking in bookings:
            session, start = placed(booking)
            result, flow = (booking.result, _flow_of(booking)) if of_account else (booking.net, ZERO)
            total += result
            high = max(high, total) + flow
            total += flow
            points.append(
                CurvePoint(
                    session,
                    result,
                    total,
                    high - total,
                    0,
                    (booking.event or "").replace("_", " ") if booking.is_cash else booking.symbol,
                    booking.time,
                    booking.time - start,
                    flow,
                )
            )
    return tuple(points)


def _downsample(points: list[FillPoint], max_points: int) -> Iterable[FillPoint]:
    """Yield the lowest, highest and last point of each chunk."""
    size = -(-2 * len(points) // max_points)
    for start in range(0, len(points), size):
        chunk = range(start, min(start + size, len(points)))
        low = min(chunk, key=lambda n: points[n].total)
        high = max(chunk, key=lambda n: points[n].total)
        yield from (points[n] for n in sorted({low, high, chunk[-1]}))
