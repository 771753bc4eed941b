"""Calendar page: a month with its weeks, and the year as a heat map of its days."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from flask import Response

from tearsheet.app.analysis.charts import Charts, Selection
from tearsheet.performance.calendar import CalendarResults, PeriodResult
from tearsheet.performance.summary import Scope
from tearsheet.trade.session import DAY, Window
from tearsheet.web.http import parameters
from tearsheet.web.pages.frame import PageRoute, Pages
from tearsheet.web.rendering import svg
from tearsheet.web.rendering.labels import incompleteness
from tearsheet.web.server.context import QueryContext

#: Width and height of a day in the heat map, with its gap.
_CELL = 13


def add_calendar(pages: Pages) -> None:
    """Add the calendar page."""
    pages.add(
        PageRoute("/calendar", parameters=(parameters.DATE, parameters.ACCOUNT, parameters.CURRENCY)),
        _view(pages),
    )


def _view(pages: Pages) -> Callable[..., Response]:
    def view(date: date | None, account: str | None, currency: str | None) -> Response:
        with pages.app_context.query() as query:
            return pages.render("calendar.html", **_content(query, date, Scope(account), currency))

    return view


def _content(query: QueryContext, day: date | None, scope: Scope, currency: str | None) -> dict[str, Any]:
    tracker = query.tracker
    charts = Charts(tracker)
    month = tracker.window("monthly", start=day)
    last_day = charts.last_session(scope.account)
    if day is None and last_day is not None and last_day < month.start:  # opens on data rather than on now
        month = Window.containing("monthly", last_day)
    year = Window.containing("yearly", month.start)
    summary = tracker.get_summary(month, scope=scope, currency=currency, sync=False, stale=query.sync_errors)
    year_results = charts.calendar(Selection(year, scope, summary.currency))
    return {
        "title": f"{month.start:%B %Y}",
        **month_content(charts, month.start, scope, summary.currency, year_results.days),
        "today": tracker.today,
        "summary": summary,
        "partial": incompleteness(summary),
        "year": year.start.year,
        "year_before": month.start.replace(year=year.start.year - 1),
        "year_after": month.start.replace(year=year.start.year + 1),
        "months": [(result, f"{result.start:%b}") for result in year_results.months],
        "year_total": year_results.total,
        "heat_map": _heat_map(year, year_results),
        "heat_map_months": [
            (f"{result.start:%b}", _week_index(result.start) * _CELL) for result in year_results.months
        ],
        "accounts": tracker.accounts(),
        "filters": {"account": scope.account, "currency": currency},
    }


def month_content(
    charts: Charts, day: date, scope: Scope, currency: str, outside: Sequence[PeriodResult] = ()
) -> dict[str, Any]:
    """Return the values of the month table for the month of a day; `outside` are days of its neighbors."""
    month = Window.containing("monthly", day)
    results = charts.calendar(Selection(month, scope, currency))
    return {
        "month": month,
        "earlier": month.start - DAY,
        "later": month.end,
        "weeks": _weeks(month, results, outside),
        "shades": svg.quartile_shades({result.start: result.net_pnl for result in results.days}),
        "has_weekend": any(result.start.weekday() > 4 for result in results.days),
        "total": results.total,
    }


def _weeks(
    month: Window, month_results: CalendarResults, outside: Sequence[PeriodResult]
) -> list[tuple[PeriodResult, list[tuple[date, bool, PeriodResult | None]]]]:
    """Return each week with its days: the date, whether it is in the month, and its result."""
    results = {result.start: result for result in (*outside, *month_results.days)}
    return [
        (
            week,
            [
                (day, month.start <= day < month.end, results.get(day))
                for day in (week.start + DAY * n for n in range(7))
            ],
        )
        for week in month_results.weeks
    ]


def _week_index(day: date) -> int:
    """Return the heat map's column of a day."""
    first = day.replace(month=1, day=1)
    return ((day - first).days + first.weekday()) // 7


def _heat_map(year: Window, year_results: CalendarResults) -> list[dict[str, Any]]:
    """Return a square for every day of a year: its place, result and shade."""
    results = {result.start: result for result in year_results.days}
    largest = svg.largest(result.net_pnl for result in year_results.days)
    return [
        {
            "day": day,
            "x": _week_index(day) * _CELL,
            "y": day.weekday() * _CELL,
            "result": results.get(day),
            "shade": svg.shade(results[day].net_pnl, largest) if day in results else "idle",
        }
        for day in year.days()
    ]
