"""Any window: curve, days, spread, groups, rolling rates, and another stretch beside it."""

from collections.abc import Callable
from datetime import date
from typing import Any

from flask import Response

from tearsheet.app.analysis.charts import Charts, Selection
from tearsheet.performance.breakdown import GROUPINGS
from tearsheet.performance.summary import Scope
from tearsheet.trade.session import Window, WindowKind
from tearsheet.web.api.charts import COMPARISON_PARAMETERS, comparison_selection
from tearsheet.web.http import parameters
from tearsheet.web.pages import svg as drawing
from tearsheet.web.pages.frame import (
    PageRoute,
    Pages,
    account_names,
    incompleteness,
    link,
    window_name,
    with_targets,
)
from tearsheet.web.pages.tiles import curves, split_bars, tiles
from tearsheet.web.server.context import QueryContext

_TILES = (
    "net_pnl",
    "win_rate",
    "profit_factor",
    "payoff_ratio",
    "max_drawdown",
    "total_trades",
    "expectancy",
    "average_r",
    "average_daily_pnl",
    "fees",
)
PERIODS: tuple[tuple[WindowKind, str], ...] = (
    ("daily", "Day"),
    ("weekly", "Week"),
    ("monthly", "Month"),
    ("quarterly", "Quarter"),
    ("yearly", "Year"),
    ("all", "All"),
)
#: So many names are offered; where there may be more, one can be typed.
MAX_NAMES = 300
WINDOW = parameters.choice("window", "Kind of window.", *parameters.KINDS, default="monthly")
PARAMETERS = (
    WINDOW,
    parameters.START,
    parameters.END,
    parameters.ROLLING,
    *parameters.SCOPE,
    parameters.CURRENCY,
)
_BY = parameters.choice("by", "What the groups are made by.", *GROUPINGS, default="symbol")
_OF = parameters.choice("of", "Money, or R.", "net", "r", default="net")
_COMPARE = parameters.choice("compare", "Whether another stretch stands beside it.", "yes")


def add_performance_pages(pages: Pages) -> None:
    """Add the page of a window, and its parts that are fetched when they are looked at."""
    pages.add(
        PageRoute("/performance", parameters=(*PARAMETERS, _COMPARE, *COMPARISON_PARAMETERS)), _view(pages)
    )
    pages.add(PageRoute("/performance/groups", parameters=(*PARAMETERS, _BY)), _groups(pages))
    pages.add(PageRoute("/performance/spread", parameters=(*PARAMETERS, _OF)), _distribution(pages))


def link_parameters(
    window: WindowKind,
    start: date | None,
    end: date | None,
    rolling: int | None,
    currency: str | None,
    **scope: Any,
) -> dict[str, Any]:
    """The parameters of a window and scope as a link bears them; those that are None are left out."""
    given = {"window": window, "start": start, "end": end, "rolling": rolling, "currency": currency}
    return {name: value for name, value in {**given, **scope}.items() if value is not None}


def selection_from_link(asked: QueryContext, given: dict[str, Any]) -> Selection:
    """The window, scope and money of a link."""
    rest = dict(given)
    window = asked.tracker.window(
        rest.pop("window"),
        start=rest.pop("start", None),
        end=rest.pop("end", None),
        rolling=rest.pop("rolling", None),
    )
    currency = rest.pop("currency", None)
    return Selection(window, Scope(**rest), currency)


def _view(pages: Pages) -> Callable[..., Response]:
    others = [parameter.name for parameter in COMPARISON_PARAMETERS]

    def view(compare: str | None, **values: Any) -> Response:
        more = {name: values.pop(name) for name in others}
        given = link_parameters(**values)
        with pages.served.query() as asked:
            content = _content(asked, given)
            if compare is not None:
                content["comparison"] = _comparison(asked, selection_from_link(asked, given), more)
            return pages.render("performance.html", **content, other=more)

    return view


def _content(asked: QueryContext, given: dict[str, Any]) -> dict[str, Any]:
    tracker, insights = asked.tracker, Charts(asked.tracker)
    chosen = selection_from_link(asked, given)
    before = insights.previous_window(chosen.window)
    other = chosen if before is None else Selection(before, chosen.scope, chosen.currency)
    summary, _, compared = insights.compare(chosen, other)
    judged, unjudged = with_targets(asked, summary)
    curve = insights.daily_curve(chosen)
    bars, zero = drawing.column_chart([(day.net_pnl, str(day.session)) for day in curve])
    pictures = {
        **split_bars(summary),
        **curves([day.total for day in curve], [day.max_drawdown for day in curve]),
    }
    around = _adjacent_periods(chosen.window, before, tracker.today)
    return {
        "title": "Performance",
        "window": chosen.window,
        "label": window_name(chosen.window),
        "summary": judged,
        "partial": [*incompleteness(summary), *unjudged],
        "before": None if before is None else _short_label(before),
        "tiles": tiles(summary, compared, _TILES, given, pictures),
        "curve": curve,
        "bars": bars,
        "zero": zero,
        "kinds": PERIODS,
        "groupings": GROUPINGS,
        "accounts": account_names(asked),
        "names": insights.filter_values(chosen.scope.account, MAX_NAMES),
        "all_names": insights.filter_values(None, MAX_NAMES),
        "most_names": MAX_NAMES,
        "given": given,
        "scope": {k: v for k, v in given.items() if k not in ("window", "start", "end", "rolling")},
        "earlier": around[0],
        "later": around[1],
        "equity": link("/api/performance/equity", given),
        "rolling_chart": link(
            "/api/performance/rolling", given, trades=tracker.settings.alert_rolling_window
        ),
        "rolling_trades": tracker.settings.alert_rolling_window,
        "win_rate_target": next((v.target_value for v in judged.targets if v.metric == "win_rate"), None),
        "comparison": None,
    }


def _short_label(window: Window) -> str:
    """A window in so few letters that it stands behind a number."""
    start = window.start
    return {
        "daily": f"{start:%a} {start.day}",
        "weekly": f"wk {start.isocalendar().week}",
        "monthly": f"{start:%b}",
        "quarterly": f"Q{(start.month + 2) // 3}",
        "yearly": f"{start.year}",
    }.get(window.kind, "before")


def _adjacent_periods(window: Window, before: Window | None, today: date) -> tuple[date | None, date | None]:
    """A day of the window before and of the one after, to step there."""
    earlier = None if before is None or window.kind == "custom" else before.start
    steps = window.last_trades is None and window.kind not in ("all", "custom")
    later = window.end if steps and window.end <= today else None
    return earlier, later


def _comparison(asked: QueryContext, chosen: Selection, more: dict[str, Any]) -> dict[str, Any]:
    insights = Charts(asked.tracker)
    beside = comparison_selection(insights, chosen, more)
    this, other, compared = insights.compare(chosen, beside)
    totals = [[day.total for day in insights.daily_curve(one)] for one in (chosen, beside)]
    return {
        "this": this,
        "other": other,
        "rows": compared,
        "names": [_comparison_label(one) for one in (chosen, beside)],
        "curves": [drawing.curve_path(found, 100, [n for one in totals for n in one]) for found in totals],
    }


def _comparison_label(chosen: Selection) -> tuple[str, str]:
    return window_name(chosen.window), chosen.scope.label


def _groups(pages: Pages) -> Callable[..., Response]:
    def view(by: str, **values: Any) -> Response:
        given = link_parameters(**values)
        with pages.served.query() as asked:
            insights, chosen = Charts(asked.tracker), selection_from_link(asked, given)
            groups = insights.breakdown(chosen, by)
            return pages.render(
                "groups.html",
                by=by,
                words=GROUPINGS[by][0],
                groups=groups,
                given=given,
                groupings=GROUPINGS,
                currency=insights.currency(chosen),
                most=drawing.largest(group.closed_pnl for group in groups),
            )

    return view


def _distribution(pages: Pages) -> Callable[..., Response]:
    def view(of: str, **values: Any) -> Response:
        given = link_parameters(**values)
        with pages.served.query() as asked:
            insights, chosen = Charts(asked.tracker), selection_from_link(asked, given)
            found = insights.distribution(chosen, "net" if of == "net" else "r")
            return pages.render(
                "spread.html",
                of=of,
                found=found,
                bars=drawing.bin_columns(found),
                given=given,
                currency=insights.currency(chosen),
            )

    return view
