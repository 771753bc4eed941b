"""Results by day, week and month."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

from msgspec import Struct

from tearsheet.performance.metric import MetricInput, Ratio, ratio_of
from tearsheet.performance.tally import Tally, merge
from tearsheet.trade.session import DAY


class PeriodResult(Struct, frozen=True):
    """Result of the sessions from `start` to `end`, both included."""

    start: date
    end: date
    net_pnl: Decimal
    fees: Decimal
    trades: int
    winning_trades: int
    losing_trades: int
    breakeven_trades: int
    win_rate: Ratio
    days_traded: int
    winning_days: int
    carry: Decimal


class CalendarResults(Struct, frozen=True):
    """Results of the traded days, weeks and months of a window, and their total.

    `days`, `months` and `total` contain only the window. Weeks are complete, Monday to Sunday, so the
    first and the last may contain days outside the window.
    """

    days: tuple[PeriodResult, ...]
    weeks: tuple[PeriodResult, ...]
    months: tuple[PeriodResult, ...]
    total: PeriodResult


def period_result(start: date, end: date, sessions: Sequence[tuple[date, Tally]]) -> PeriodResult:
    """Return the result of the given sessions between two dates, both included."""
    tally = merge(tally for _, tally in sessions)
    return PeriodResult(
        start=start,
        end=end,
        net_pnl=tally.curve.net,
        fees=tally.fees,
        trades=tally.closed,
        winning_trades=tally.wins,
        losing_trades=tally.losses,
        breakeven_trades=tally.breakevens,
        win_rate=ratio_of("win_rate", MetricInput(tally)),
        days_traded=len(sessions),
        winning_days=sum(tally.curve.net > 0 for _, tally in sessions),
        carry=tally.carry,
    )


def calendar_results(first: date, last: date, sessions: Iterable[tuple[date, Tally]]) -> CalendarResults:
    """Return the results from a first to a last day; `sessions` may include the rest of their weeks."""
    all_sessions = list(sessions)
    in_window = [(day, tally) for day, tally in all_sessions if first <= day <= last]
    mondays = sorted({day - DAY * day.weekday() for day in _days(first, last)})
    months = sorted({day.replace(day=1) for day in _days(first, last)})
    return CalendarResults(
        days=tuple(period_result(day, day, [(day, tally)]) for day, tally in in_window),
        weeks=tuple(_within(monday, monday + DAY * 6, all_sessions) for monday in mondays),
        months=tuple(_within(max(month, first), min(_month_end(month), last), in_window) for month in months),
        total=period_result(first, last, in_window),
    )


def _within(start: date, end: date, sessions: Iterable[tuple[date, Tally]]) -> PeriodResult:
    return period_result(start, end, [pair for pair in sessions if start <= pair[0] <= end])


def _days(first: date, last: date) -> Iterable[date]:
    return (first + DAY * n for n in range((last - first).days + 1))


def _month_end(month: date) -> date:
    return (month + DAY * 32).replace(day=1) - DAY
