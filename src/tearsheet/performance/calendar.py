"""A calendar: what each day, week and month came to."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

from msgspec import Struct

from tearsheet.performance.metric import MetricInput, Ratio, ratio_of
from tearsheet.performance.tally import Tally, merge
from tearsheet.trade.session import DAY


class PeriodResult(Struct, frozen=True):
    """What the sessions from `start` to `end`, both inside, came to."""

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


class CalendarResults(Struct, frozen=True):
    """The days that traded, the whole weeks that they lie in, the months, and all together.

    `days`, `months` and `total` are of the window alone; a week is whole, Monday to Sunday, so the
    first and the last may hold days beyond the window.
    """

    days: tuple[PeriodResult, ...]
    weeks: tuple[PeriodResult, ...]
    months: tuple[PeriodResult, ...]
    total: PeriodResult


def period_result(start: date, end: date, sessions: Sequence[tuple[date, Tally]]) -> PeriodResult:
    """The result of sessions that lie between two dates, both inside."""
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
    )


def calendar_results(first: date, last: date, sessions: Iterable[tuple[date, Tally]]) -> CalendarResults:
    """The calendar from a first to a last day; `sessions` may hold days of their weeks beyond."""
    known = list(sessions)
    inside = [(day, tally) for day, tally in known if first <= day <= last]
    mondays = _sorted_starts({day - DAY * day.weekday() for day in _days(first, last)})
    months = _sorted_starts({day.replace(day=1) for day in _days(first, last)})
    return CalendarResults(
        days=tuple(period_result(day, day, [(day, tally)]) for day, tally in inside),
        weeks=tuple(_within(monday, monday + DAY * 6, known) for monday in mondays),
        months=tuple(_within(max(month, first), min(_month_end(month), last), inside) for month in months),
        total=period_result(first, last, inside),
    )


def _within(start: date, end: date, sessions: Iterable[tuple[date, Tally]]) -> PeriodResult:
    return period_result(start, end, [pair for pair in sessions if start <= pair[0] <= end])


def _sorted_starts(days: set[date]) -> list[date]:
    return sorted(days)


def _days(first: date, last: date) -> Iterable[date]:
    return (first + DAY * n for n in range((last - first).days + 1))


def _month_end(month: date) -> date:
    return (month + DAY * 32).replace(day=1) - DAY
