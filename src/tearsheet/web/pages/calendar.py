"""The calendar: a month with its weeks, and the year as a map of its days."""

from collections.abc import Callable
from datetime import date
from typing import Any

from flask import Response

from tearsheet.app.analysis.charts import Charts, Selection
from tearsheet.performance.calendar import CalendarResults, PeriodResult
from tearsheet.performance.summary import Scope
from tearsheet.trade.session import DAY, Window
from tearsheet.web.http import parameters
from tearsheet.web.pages import svg as drawing
from tearsheet.web.pages.frame import PageRoute, Pages, account_names, incompleteness
from tearsheet.web.server.context import QueryContext

_CELL = 13


def add_calendar(pages: Pages) -> None:
    """Add the calendar."""
    pages.add(
        PageRoute("/calendar", parameters=(parameters.DATE, parameters.ACCOUNT, parameters.CURRENCY)),
        _view(pages),
    )


def _view(pages: Pages) -> Callable[..., Response]:
    def view(date: date | None, account: str | None, currency: str | None) -> Response:
        with pages.served.query() as asked:
            return pages.render("calendar.html", **_content(asked, date, Scope(account), currency))

    return view


def _content(asked: QueryContext, day: date | None, scope: Scope, currency: str | None) -> dict[str, Any]:
    tracker, insights = asked.tracker, Charts(asked.tracker)
    month = tracker.window("monthly", start=day)
    year = Window.containing("yearly", month.start)
    summary = tracker.get_summary(month, scope=scope, currency=currency, sync=False)
    found = insights.calendar(Selection(month, scope, summary.currency))
    whole_year = insights.calendar(Selection(year, scope, summary.currency))
    return {
        "title": f"{month.start:%B %Y}",
        "month": month,
        "today": tracker.today,
        "summary": summary,
        "partial": incompleteness(summary),
        "rows": _weeks(month, found, whole_year),
        "most": drawing.largest(result.net_pnl for result in found.days),
        "weekend": any(result.start.weekday() > 4 for result in found.days),
        "total": found.total,
        "year": year.start.year,
        "months": [(result, f"{result.start:%b}") for result in whole_year.months],
        "year_total": whole_year.total,
        "map": _year_map(year, whole_year),
        "map_months": [
            (f"{result.start:%b}", _week_index(result.start) * _CELL) for result in whole_year.months
        ],
        "earlier": month.start - DAY,
        "later": month.end,
        "accounts": account_names(asked),
        "given": {"account": scope.account, "currency": currency},
    }


def _weeks(
    month: Window, found: CalendarResults, year: CalendarResults
) -> list[tuple[PeriodResult, list[tuple[date, bool, PeriodResult | None]]]]:
    """Each week with its seven days: the date, whether it is of the month, and its result."""
    results = {result.start: result for result in (*year.days, *found.days)}
    return [
        (
            week,
            [
                (day, month.start <= day < month.end, results.get(day))
                for day in (week.start + DAY * n for n in range(7))
            ],
        )
        for week in found.weeks
    ]


def _week_index(day: date) -> int:
    """Which week of the map of a year a day stands in."""
    first = day.replace(month=1, day=1)
    return ((day - first).days + first.weekday()) // 7


def _year_map(year: Window, found: CalendarResults) -> list[dict[str, Any]]:
    """Every day of a year as a square: where it stands, how it went."""
    results = {result.start: result for result in found.days}
    most = drawing.largest(result.net_pnl for result in found.days)
    return [
        {
            "day": day,
            "x": _week_index(day) * _CELL,
            "y": day.weekday() * _CELL,
            "result": results.get(day),
            "shade": drawing.shade(results[day].net_pnl, most) if day in results else "idle",
        }
        for day in year.days()
    ]
