"""Today page: limits, tiles, fills, open positions and trades of a day."""

from collections.abc import Callable
from datetime import date
from typing import Any

from flask import Response

from tearsheet.app.alerts.evaluator import AlertFilter
from tearsheet.app.analysis.charts import Charts, Selection
from tearsheet.app.analysis.lists import Lists
from tearsheet.app.judgement import Judge, Judged
from tearsheet.export.plot import date_words
from tearsheet.performance.summary import PerformanceSummary, Scope
from tearsheet.rules import AlertEvent
from tearsheet.rules.verdict import WORST_FIRST, worst_state
from tearsheet.store.list_values import TradeFilter
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.session import DAY, Window
from tearsheet.web.http import parameters
from tearsheet.web.pages.frame import PageRoute, Pages
from tearsheet.web.rendering.labels import incompleteness, link, short_window_label
from tearsheet.web.rendering.tiles import Sparkline, curves, recent_results, split_bars, tiles
from tearsheet.web.server.context import QueryContext

_TILES = (
    "net_pnl",
    "win_rate",
    "profit_factor",
    "max_drawdown",
    "current_streak",
    "total_trades",
    "expectancy",
    "average_win",
    "average_loss",
    "fees",
)
_STREAK_TRADES, _LISTED_TRADES, _LISTED_ALERTS, _LISTED_VERDICTS = 20, 8, 4, 6


def add_today(pages: Pages) -> None:
    """Add the page of today or another day."""
    pages.add(
        PageRoute("/day", parameters=(parameters.DATE, parameters.ACCOUNT, parameters.CURRENCY)), _view(pages)
    )


def _view(pages: Pages) -> Callable[..., Response]:
    def view(date: date | None, account: str | None, currency: str | None) -> Response:
        with pages.app_context.query() as query:
            return pages.render("today.html", **_content(query, date, Scope(account), currency))

    return view


def _content(query: QueryContext, day: date | None, scope: Scope, currency: str | None) -> dict[str, Any]:
    tracker, charts = query.tracker, Charts(query.tracker)
    window = tracker.window("daily", start=day)
    previous = charts.previous_window(window)
    assert previous is not None  # every day has one
    selection = Selection(window, scope, currency)
    summary, _, comparison = charts.compare(selection, Selection(previous, scope, currency))
    judge = Judge(tracker, scope.account, query.sync_errors, tolerant=True)
    judged, day = judge.judge(summary), window.start
    verdicts = judge.verdicts if day == tracker.today else []
    last_day = _last_day(tracker, summary)
    trades, sparklines = _recent_trades(charts, selection, summary, last_day)
    filters = {"account": scope.account, "currency": currency}
    day_filters = {"window": "daily", "start": day, **filters}
    return {
        "title": "Today" if day == tracker.today else date_words(day),
        "day": day,
        "is_today": day == tracker.today,
        "summary": judged.summary,
        "partial": incompleteness(judged.summary),
        "tiles": tiles(summary, comparison, _TILES, day_filters, sparklines),
        "before": short_window_label(previous),
        "verdicts": sorted(verdicts, key=lambda one: WORST_FIRST.index(one.state))[:_LISTED_VERDICTS],
        "verdict_count": len(verdicts),
        "unlimited": judge.unlimited if verdicts else [],
        "worst": worst_state(verdicts) if verdicts else "",
        "open_positions": Lists(tracker).open_positions(scope),
        **trades,
        "alerts": _open_alerts(tracker, judged, scope),
        "accounts": tracker.accounts(),
        "filters": filters,
        "day_filters": day_filters,
        "earlier_day": day - DAY,
        "later_day": day + DAY if day < tracker.today else None,
        "last_day": last_day,
        "chart_source": link("/charts/curve", day_filters, look="fills"),
    }


def _recent_trades(
    charts: Charts, selection: Selection, summary: PerformanceSummary, last_day: date | None
) -> tuple[dict[str, Any], dict[str, Sparkline | None]]:
    """Return the newest trades, of the last traded day if this one has none, and the tiles' sparklines."""
    trades = charts.trades(selection, TradeFilter(), 0, _STREAK_TRADES)
    fills = charts.fill_curve(selection)
    sparklines = {
        **split_bars(summary),
        **curves([point.total for point in fills], [point.drawdown for point in fills]),
        **recent_results([trade.net for trade in trades.items]),
    }
    day = selection.window.start
    if not trades.total and last_day is not None and last_day < day:
        day = last_day
        last = Selection(Window.containing("daily", day), selection.scope, summary.currency)
        trades = charts.trades(last, TradeFilter(), 0, _LISTED_TRADES)
    listed = trades.items[:_LISTED_TRADES]
    return {"trades": listed, "trade_count": trades.total, "trades_day": day}, sparklines


def _open_alerts(tracker: PerformanceTracker, judged: Judged, scope: Scope) -> list[AlertEvent]:
    """Return the newest open alerts of the account: today all of them, on a past day those of that day."""
    if judged.summary.window.end >= tracker.today:
        return tracker.alerts.page(_LISTED_ALERTS, None, AlertFilter("open", scope.account)).items
    return [alert for alert in judged.alerts if alert.window_start is not None][:_LISTED_ALERTS]


def _last_day(tracker: PerformanceTracker, summary: PerformanceSummary) -> date | None:
    """Return the trading day of the last fill, None if the page shows it."""
    last = summary.freshness.last_fill_at
    session = None if last is None else tracker.calendars.trading_day_of(summary.scope.account, last)
    return None if session == summary.window.start else session
