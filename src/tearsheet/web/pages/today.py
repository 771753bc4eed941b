"""The first page: the present day, or another, in one look."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from flask import Response

from tearsheet.app.analysis.charts import Charts, Selection, TradeFilter, TradePage
from tearsheet.app.analysis.lists import Lists
from tearsheet.app.limits.verdicts import account_verdicts
from tearsheet.performance.summary import PerformanceSummary, Scope
from tearsheet.rules.verdict import Verdict, worst_state
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.session import DAY, Window
from tearsheet.web.http import parameters
from tearsheet.web.pages.frame import (
    PageRoute,
    Pages,
    account_names,
    day_name,
    incompleteness,
    link,
    with_targets,
)
from tearsheet.web.pages.tiles import Sparkline, curves, recent_results, split_bars, tiles
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
_LATEST_TRADES, _SHOWN_TRADES, _LATEST_ALERTS = 20, 8, 4


def add_today(pages: Pages) -> None:
    """Add the page of a day."""
    pages.add(
        PageRoute("/", parameters=(parameters.DATE, parameters.ACCOUNT, parameters.CURRENCY)), _view(pages)
    )


def _view(pages: Pages) -> Callable[..., Response]:
    def view(date: date | None, account: str | None, currency: str | None) -> Response:
        with pages.served.query() as asked:
            return pages.render("day.html", **_content(asked, date, Scope(account), currency))

    return view


def _content(asked: QueryContext, day: date | None, scope: Scope, currency: str | None) -> dict[str, Any]:
    tracker, insights = asked.tracker, Charts(asked.tracker)
    window = tracker.window("daily", start=day)
    before = insights.previous_window(window)
    assert before is not None  # a day always has one
    chosen = Selection(window, scope, currency)
    summary, _, compared = insights.compare(chosen, Selection(before, scope, currency))
    judged, unjudged = with_targets(asked, summary)
    shown = window.start
    verdicts = _verdicts(asked, scope) if shown == tracker.today else ()
    last_day = _last_day(tracker, summary)
    traded, pictures = _recent_trades(insights, chosen, summary, last_day)
    given = {"account": scope.account, "currency": currency}
    whole = {"window": "daily", "start": shown, **given}
    return {
        "title": "Today" if shown == tracker.today else day_name(shown),
        "day": shown,
        "is_today": shown == tracker.today,
        "summary": judged,
        "partial": [*incompleteness(summary), *_sync_warnings(asked), *unjudged],
        "tiles": tiles(summary, compared, _TILES, whole, pictures),
        "before": f"{before.start:%a} {before.start.day}",
        "verdicts": verdicts,
        "worst": worst_state(verdicts) if verdicts else "",
        "open": Lists(tracker).open_positions(scope),
        **traded,
        "alerts": tracker.alerts.newest(_LATEST_ALERTS, only_open=True),
        "accounts": account_names(asked),
        "given": given,
        "whole": whole,
        "earlier_day": shown - DAY,
        "later_day": shown + DAY if shown < tracker.today else None,
        "last_day": last_day,
        "chart": link("/api/performance/by-fill", whole),
    }


def _recent_trades(
    insights: Charts, chosen: Selection, summary: PerformanceSummary, last_day: date | None
) -> tuple[dict[str, Any], dict[str, Sparkline | None]]:
    """The newest trades, those of the last day where there are none yet; and pictures of the day."""
    latest = insights.trades(chosen, TradeFilter(), 0, _LATEST_TRADES)
    fills = insights.fill_curve(chosen)
    pictures = {
        **split_bars(summary),
        **curves([point.total for point in fills], [point.drawdown for point in fills]),
        **recent_results([trade.net for trade in latest.items]),
    }
    day = chosen.window.start
    if not latest.total and last_day is not None and last_day < day:
        day, latest = last_day, _trades_on(insights, last_day, chosen.scope, summary.currency)
    shown = latest.items[:_SHOWN_TRADES]
    return {"latest": latest, "shown_trades": shown, "trades_of": day}, pictures


def _trades_on(insights: Charts, day: date, scope: Scope, currency: str) -> TradePage:
    """The newest trades of another day, in the same scope and money."""
    return insights.trades(
        Selection(Window.containing("daily", day), scope, currency), TradeFilter(), 0, _SHOWN_TRADES
    )


def _verdicts(asked: QueryContext, scope: Scope) -> Sequence[Verdict]:
    """How the limits of each account stand."""
    found = account_verdicts(asked.tracker).all(asked.sync_errors)
    return [verdict for verdict in found if scope.account in (None, verdict.account)]


def _last_day(tracker: PerformanceTracker, summary: PerformanceSummary) -> date | None:
    """The session of the last fill, where it is another than the one shown."""
    last = summary.freshness.last_fill_at
    session = None if last is None else tracker.settings.calendar.trading_day_of(last)
    return None if session == summary.window.start else session


def _sync_warnings(asked: QueryContext) -> list[tuple[str, str]]:
    return [("the newest lines could not be read", reason.detail) for reason in asked.sync_errors]
