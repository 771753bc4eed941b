"""The first page: the present day, or another, in one look."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from flask import Response
from msgspec import Struct

from tearsheet.performance.comparison import Compared
from tearsheet.performance.metric import METRICS, Metric
from tearsheet.performance.summary import PerformanceSummary, Scope
from tearsheet.rules.verdict import Verdict
from tearsheet.tracker import PerformanceTracker
from tearsheet.tracker.insights import Chosen, Insights, TradeFilter
from tearsheet.tracker.listing import Lists
from tearsheet.tracker.verdicts import verdicts_of
from tearsheet.trade.session import DAY
from tearsheet.web import parameters
from tearsheet.web.pages.frame import (
    Page,
    Pages,
    accounts_of,
    beside_promises,
    day_name,
    link,
    partial_of,
)
from tearsheet.web.served import Asked

_TILES = (
    "net_pnl", "total_trades", "win_rate", "profit_factor", "expectancy",
    "average_win", "average_loss", "current_streak", "max_drawdown", "fees",
)  # fmt: skip
_LATEST_TRADES, _LATEST_ALERTS = 8, 4
#: Money that is a gain or a loss by its sign; the rest is a size.
SIGNED = {"net_pnl", "closed_pnl", "expectancy", "average_win", "average_loss", "average_daily_pnl",
          "best_day", "worst_day", "largest_win", "largest_loss", "gross_profit", "gross_loss"}  # fmt: skip


class Tile(Struct, frozen=True):
    """A number with its definition, its sample, and how it compares to the period before."""

    metric: Metric
    compared: Compared
    explain: str
    signed: bool
    note: str = ""


def add_day(pages: Pages) -> None:
    """Add the page of a day."""
    pages.add(
        Page("/", parameters=(parameters.DATE, parameters.ACCOUNT, parameters.CURRENCY)),
        _view(pages),
    )


def tiles(
    summary: PerformanceSummary, compared: Sequence[Compared], names: Sequence[str], asked_for: Any
) -> list[Tile]:
    """The tiles of some metrics, each with a way to what it rests on."""
    found = {one.metric: one for one in compared}
    return [
        Tile(
            METRICS[name], found[name], link("/explain", asked_for, metric=name), name in SIGNED,
            _note(name, summary),
        )
        for name in names
    ]  # fmt: skip


def _note(name: str, summary: PerformanceSummary) -> str:
    """What stands beside a number that needs a second one to be understood."""
    value = summary.value
    if name == "total_trades":
        return f"{value('winning_trades')} won, {value('losing_trades')} lost"
    if name == "current_streak" and value("streak_type") is not None:
        return f"in a row: {value('streak_type')}"
    return ""


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
    given = {"account": scope.account, "currency": currency}
    whole = {"window": "daily", "start": shown, **given}
    return {
        "title": "Today" if shown == tracker.today else day_name(shown),
        "day": shown,
        "is_today": shown == tracker.today,
        "summary": judged,
        "partial": [*partial_of(summary), *_stale(asked), *unjudged],
        "tiles": tiles(summary, compared, _TILES, whole),
        "before": f"{before.start:%a} {before.start.day}",
        "verdicts": _verdicts(asked, scope) if shown == tracker.today else (),
        "open": Lists(tracker).open(scope),
        "latest": insights.trades(chosen, TradeFilter(), 0, _LATEST_TRADES),
        "alerts": tracker.alerts.newest(_LATEST_ALERTS, only_open=True),
        "accounts": accounts_of(asked),
        "given": given,
        "whole": whole,
        "earlier_day": shown - DAY,
        "later_day": shown + DAY if shown < tracker.today else None,
        "last_day": _last_day(tracker, summary),
        "chart": link("/api/performance/by-fill", whole),
    }


def _verdicts(asked: Asked, scope: Scope) -> Sequence[Verdict]:
    """How the limits of each account stand."""
    found = verdicts_of(asked.tracker).all(asked.stale)
    return [verdict for verdict in found if scope.account in (None, verdict.account)]


def _last_day(tracker: PerformanceTracker, summary: PerformanceSummary) -> date | None:
    """The session of the last fill, where it is another than the one shown."""
    last = summary.freshness.last_fill_at
    session = None if last is None else tracker.settings.calendar.session(last)
    return None if session == summary.window.start else session


def _stale(asked: Asked) -> list[tuple[str, str]]:
    return [("the newest lines could not be read", reason.detail) for reason in asked.stale]
