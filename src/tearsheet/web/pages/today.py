"""The first page: the present day, or another, in one look."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from flask import Response

from tearsheet.app.analysis.charts import Chosen, Insights, TradeFilter, TradePage
from tearsheet.app.analysis.lists import Lists
from tearsheet.app.limits.verdicts import verdicts_of
from tearsheet.performance.summary import PerformanceSummary, Scope
from tearsheet.rules.verdict import Verdict, worst_state
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.session import DAY, Window
from tearsheet.web.http import parameters
from tearsheet.web.pages.frame import Page, Pages, accounts_of, beside_promises, day_name, link, partial_of
from tearsheet.web.pages.tiles import Picture, results, shares, tiles, totals
from tearsheet.web.server.context import Asked

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


def add_day(pages: Pages) -> None:
    """Add the page of a day."""
    pages.add(Page("/", parameters=(parameters.DATE, parameters.ACCOUNT, parameters.CURRENCY)), _view(pages))


def _view(pages: Pages) -> Callable[..., Response]:
    def view(date: date | None, account: str | None, currency: str | None) -> Response:
        with pages.served.asked() as asked:
            return pages.shown("day.html", **_content(asked, date, Scope(account), currency))

    return view


def _content(asked: Asked, day: date | None, scope: Scope, currency: str | None) -> dict[str, Any]:
    tracker, insights = asked.tracker, Insights(asked.tracker)
    window = tracker.window("daily", start=day)
    before = insights.before(window)
    assert before is not None  # a day always has one
    chosen = Chosen(window, scope, currency)
    summary, _, compared = insights.compare(chosen, Chosen(before, scope, currency))
    judged, unjudged = beside_promises(asked, summary)
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
        "partial": [*partial_of(summary), *_stale(asked), *unjudged],
        "tiles": tiles(summary, compared, _TILES, whole, pictures),
        "before": f"{before.start:%a} {before.start.day}",
        "verdicts": verdicts,
        "worst": worst_state(verdicts) if verdicts else "",
        "open": Lists(tracker).open(scope),
        **traded,
        "alerts": tracker.alerts.newest(_LATEST_ALERTS, only_open=True),
        "accounts": accounts_of(asked),
        "given": given,
        "whole": whole,
        "earlier_day": shown - DAY,
        "later_day": shown + DAY if shown < tracker.today else None,
        "last_day": last_day,
        "chart": link("/api/performance/by-fill", whole),
    }


def _recent_trades(
    insights: Insights, chosen: Chosen, summary: PerformanceSummary, last_day: date | None
) -> tuple[dict[str, Any], dict[str, Picture | None]]:
    """The newest trades, those of the last day where there are none yet; and pictures of the day."""
    latest = insights.trades(chosen, TradeFilter(), 0, _LATEST_TRADES)
    fills = insights.fills(chosen)
    pictures = {
        **shares(summary),
        **totals([point.total for point in fills], [point.drawdown for point in fills]),
        **results([trade.net for trade in latest.items]),
    }
    day = chosen.window.start
    if not latest.total and last_day is not None and last_day < day:
        day, latest = last_day, _trades_on(insights, last_day, chosen.scope, summary.currency)
    shown = latest.items[:_SHOWN_TRADES]
    return {"latest": latest, "shown_trades": shown, "trades_of": day}, pictures


def _trades_on(insights: Insights, day: date, scope: Scope, currency: str) -> TradePage:
    """The newest trades of another day, in the same scope and money."""
    return insights.trades(
        Chosen(Window.containing("daily", day), scope, currency), TradeFilter(), 0, _SHOWN_TRADES
    )


def _verdicts(asked: Asked, scope: Scope) -> Sequence[Verdict]:
    """How the limits of each account stand."""
    found = verdicts_of(asked.tracker).all(asked.stale)
    return [verdict for verdict in found if scope.account in (None, verdict.account)]


def _last_day(tracker: PerformanceTracker, summary: PerformanceSummary) -> date | None:
    """The session of the last fill, where it is another than the one shown."""
    last = summary.freshness.last_fill_at
    session = None if last is None else tracker.settings.calendar.trading_day_of(last)
    return None if session == summary.window.start else session


def _stale(asked: Asked) -> list[tuple[str, str]]:
    return [("the newest lines could not be read", reason.detail) for reason in asked.stale]
