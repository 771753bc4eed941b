"""Overview page: a range that ends at the last data, with its key numbers, curve, limits, month and trades."""

from calendar import monthrange
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, request
from msgspec import Struct

from tearsheet.app.analysis.charts import Charts, Selection
from tearsheet.app.analysis.curves import Curves
from tearsheet.app.imports.history import ImportHistory
from tearsheet.app.imports.result_sketch import sketch_results
from tearsheet.app.judgement import Judge
from tearsheet.export.plot import date_words
from tearsheet.performance.summary import Scope
from tearsheet.rules.verdict import LimitView, Verdict, worst_state
from tearsheet.sample import write_sample
from tearsheet.sample.account import FUTURES_ACCOUNT, FUTURES_ZONE, STATEMENTS
from tearsheet.settings import Settings
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.store.list_values import TradeFilter
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.session import DAY, EARLIEST, Window
from tearsheet.web.http import parameters
from tearsheet.web.pages.calendar import month_content
from tearsheet.web.pages.frame import PageRoute, Pages, redirect_to
from tearsheet.web.rendering import svg
from tearsheet.web.rendering.brokers import broker_content
from tearsheet.web.rendering.labels import incompleteness, link
from tearsheet.web.rendering.tiles import curves, day_ticks, split_bars, tiles
from tearsheet.web.server.context import QueryContext

_TILES = ("net_pnl", "win_rate", "profit_factor", "expectancy", "winning_days", "max_drawdown")
_LISTED_TRADES, _LISTED_LIMITS, _LISTED_GROUPS, _MAX_CHIPS = 9, 3, 8, 6
#: Longest line of account names beside the ranges; longer ones are a list.
_CHIP_LETTERS = 30
#: Ranges of the selector; each ends at the last session with data.
_RANGES = ("1W", "1M", "3M", "YTD", "1Y", "All")
_MONTHS = {"1M": 1, "3M": 3, "1Y": 12}
_RANGE = parameters.choice("range", "How far back from the last data.", *_RANGES, default="1M")
_MONTH = parameters.date_of("month", "A day of the month in the calendar. By default the last of the range.")
_PARAMETERS = (
    _RANGE,
    _MONTH,
    parameters.START,
    parameters.END,
    parameters.ACCOUNT,
    parameters.CURRENCY,
    parameters.DATE,
)


class NearLimit(Struct, frozen=True):
    """A limit of an account, for the strip of those that are used most."""

    account: str
    currency: str
    limit: LimitView


class SampleSketch(Struct, frozen=True):
    """Curve of the sample, its net P&L, and its numbers of trades and days."""

    curve: svg.CurvePath
    net: Decimal
    trades: int
    days: int


def add_overview(pages: Pages) -> None:
    """Add the first page."""
    pages.add(PageRoute("/", parameters=_PARAMETERS), _view(pages))


def _view(pages: Pages) -> Callable[..., Response]:
    def view(
        range: str,
        start: date | None,
        end: date | None,
        account: str | None,
        currency: str | None,
        date: date | None,
        month: date | None,
    ) -> Response:
        if date is not None:  # until this page came, a day was shown at this address
            return redirect_to(link("/day", date=date, account=account, currency=currency))
        with pages.app_context.query() as query:
            if not query.tracker.accounts() and not query.sync_errors:
                return pages.render("welcome.html", **_welcome(query.tracker))
            chosen = None if start is None or end is None else Window.between(start, end)
            scope = Scope(account)
            last_day = Charts(query.tracker).last_session(account) or query.tracker.today
            window = chosen or _window(query.tracker, range, scope, last_day)
            currencies = Charts(query.tracker).currencies(account, window)
            selection = Selection(window, scope, currency or next(iter(currencies), None))
            content = _content(query, selection, last_day, month or window.last_day)
            content |= {"range": None if chosen else range, "currencies": currencies}
            content["filters"] = {"account": account, "currency": currency}
            content["has_sample"] = bool(ImportHistory(query.tracker).of_files(STATEMENTS))
            content["can_write"] = pages.app_context.access.is_allowed(request, "write")
            return pages.render("overview.html", **content)

    return view


def _welcome(tracker: PerformanceTracker) -> dict[str, Any]:
    return {
        "title": "Welcome to Tearsheet",
        **broker_content(),
        "sample": _sample(tracker.today - DAY, tracker.settings),
        "sample_account": FUTURES_ACCOUNT,
        "day_starts_at": f"{tracker.settings.day_starts_at:%H:%M}",
    }


@lru_cache(maxsize=1)
def _sample(until: date, settings: Settings) -> SampleSketch:
    """Return the curve of the sample's futures statements."""
    with TemporaryDirectory() as folder:
        paths = write_sample(Path(folder), until=until).statements
        sketch = sketch_results(paths, settings, StatementOptions(timezone=ZoneInfo(FUTURES_ZONE)))
    curve = svg.curve_path(sketch.totals, 100)
    return SampleSketch(curve, sketch.totals[-1], sketch.trades, sketch.days)


def _window(tracker: PerformanceTracker, name: str, scope: Scope, last_day: date) -> Window:
    """Return the days of a range that ends at the last session with data."""
    if name == "All":
        return Charts(tracker).clipped(Selection(Window("all", EARLIEST.date(), last_day + DAY), scope))
    if name == "1W":
        return Window.between(last_day - 6 * DAY, last_day)
    if name == "YTD":
        return Window.between(last_day.replace(month=1, day=1), last_day)
    return Window.between(_months_before(last_day, _MONTHS[name]) + DAY, last_day)


def _months_before(day: date, months: int) -> date:
    """Return the day of the same number some months before, or the last one of that month."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _content(query: QueryContext, selection: Selection, last_day: date, month_day: date) -> dict[str, Any]:
    tracker, charts, window = query.tracker, Charts(query.tracker), selection.window
    previous = charts.previous_window(window)
    other = selection if previous is None else Selection(previous, selection.scope, selection.currency)
    summary, earlier, comparison = charts.compare(selection, other)
    judge = Judge(tracker, selection.scope.account, query.sync_errors, tolerant=True)
    judged = judge.judge(summary)
    curve = charts.daily_curve(selection)
    trades = charts.trades(selection, TradeFilter(), 0, _LISTED_TRADES)
    sparklines = {
        **split_bars(summary),
        **curves([day.total for day in curve], [day.max_drawdown for day in curve]),
        **day_ticks([day.net_pnl for day in curve]),
    }
    filters = {"account": selection.scope.account, "currency": selection.currency}
    range_filters = {**filters, "window": "custom", "start": window.start, "end": window.last_day}
    verdicts, accounts = judge.verdicts, tracker.accounts()
    fits = len(accounts) <= _MAX_CHIPS and sum(map(len, accounts)) <= _CHIP_LETTERS
    return {
        "title": "Overview",
        "window": window,
        "summary": judged.summary,
        "partial": incompleteness(judged.summary),
        "tiles": tiles(summary, comparison, _TILES, range_filters, sparklines),
        "before": "before" if previous is not None and earlier.metrics["net_pnl"].n else None,
        "compared_days": None if previous is None else _days_label(previous),
        "curve": curve,
        "is_equity": Curves(tracker).starting_balance(selection) is not None,
        "equity": link("/charts/curve", range_filters, strip="yes"),
        "groups": link("/performance/groups", range_filters, by="root", most=_LISTED_GROUPS),
        "ranges": _RANGES,
        "verdicts": verdicts,
        "worst": worst_state(verdicts) if verdicts else "",
        "near_limits": _near_limits(verdicts),
        "unlimited": judge.unlimited,
        **month_content(charts, month_day, selection.scope, summary.currency),
        "today": tracker.today,
        "trades": trades.items,
        "trade_count": trades.total,
        "last_day": last_day,
        "up_to": date_words(last_day),
        "accounts": accounts if len(accounts) > 1 and not fits else (),
        "account_chips": accounts if len(accounts) > 1 and fits else (),
        "filters": filters,
        "range_filters": range_filters,
    }


def _days_label(window: Window) -> str:
    """Return the first and last day of a period, with the year where it is another one."""
    first, last = window.start, window.last_day
    year = "" if first.year == last.year else f" {first.year}"
    return f"{first.day} {first:%b}{year} – {last.day} {last:%b} {last.year}"


def _near_limits(verdicts: Sequence[Verdict]) -> list[NearLimit]:
    """Return the limits that are used most, broken ones first."""
    found = [
        NearLimit(verdict.account, verdict.currency, limit)
        for verdict in verdicts
        for limit in verdict.limits
        if limit.used is not None
    ]
    found.sort(key=lambda one: (one.limit.level != "breach", -(one.limit.used or 0), one.account))
    return found[:_LISTED_LIMITS]
