"""Performance page: tiles, curve, daily results, breakdown, distribution and comparison of a period."""

from collections.abc import Callable
from datetime import date
from typing import Any

from flask import Response, request

from tearsheet.app.analysis.charts import Charts, Selection
from tearsheet.app.analysis.curves import Curves
from tearsheet.app.judgement import Judge
from tearsheet.performance.breakdown import GROUPINGS, with_others
from tearsheet.performance.series import by_fitting_period
from tearsheet.performance.summary import PerformanceSummary
from tearsheet.trade.session import Window
from tearsheet.web.api.charts import COMPARISON_PARAMETERS, comparison_selection
from tearsheet.web.http import parameters
from tearsheet.web.pages.frame import PageRoute, Pages
from tearsheet.web.pages.results import (
    MAX_NAMES,
    PARAMETERS,
    PERIODS,
    at_last_data,
    link_parameters,
    selection_from_link,
)
from tearsheet.web.rendering import svg
from tearsheet.web.rendering.labels import incompleteness, link, short_window_label, window_label
from tearsheet.web.rendering.locales import preferred_locale
from tearsheet.web.rendering.report import FEW, metric_groups, month_returns, share_of_peak
from tearsheet.web.rendering.tiles import curves, split_bars, tiles
from tearsheet.web.server.context import QueryContext

_MOST = parameters.number_of("most", "Rows at most, with their sum.", 100)
_BY = parameters.choice("by", "Group by.", *GROUPINGS, default="symbol")
#: Names of groupings that are not their parameter.
_BY_LABELS = {"held": "Duration", "root": "Contract root", "size": "Position size"}
_OF = parameters.choice("of", "Money, or R.", "net", "r", default="net")
_COMPARE = parameters.choice("compare", "Show a comparison period.", "yes")


def add_performance_pages(pages: Pages) -> None:
    """Add the performance page and its parts that the browser loads later."""
    pages.add(
        PageRoute("/performance", parameters=(*PARAMETERS, _COMPARE, *COMPARISON_PARAMETERS)), _view(pages)
    )
    pages.add(PageRoute("/performance/groups", parameters=(*PARAMETERS, _BY, _MOST)), _breakdown(pages))
    pages.add(PageRoute("/performance/metrics", parameters=PARAMETERS), _metrics(pages))
    pages.add(PageRoute("/performance/spread", parameters=(*PARAMETERS, _OF)), _distribution(pages))


def _view(pages: Pages) -> Callable[..., Response]:
    def view(compare: str | None, **values: Any) -> Response:
        other_filters = {parameter.name: values.pop(parameter.name) for parameter in COMPARISON_PARAMETERS}
        filters = link_parameters(**values)
        with pages.app_context.query() as query:
            filters = at_last_data(query.tracker, filters)
            selection = selection_from_link(query.tracker, filters)
            content = _content(query, selection, filters)
            if compare is not None:
                content["comparison"] = _comparison(Charts(query.tracker), selection, filters, other_filters)
            return pages.render("performance.html", **content, other_filters=other_filters)

    return view


def _content(query: QueryContext, selection: Selection, filters: dict[str, Any]) -> dict[str, Any]:
    tracker, window = query.tracker, selection.window
    charts = Charts(tracker)
    previous = charts.previous_window(window)
    other = selection if previous is None else Selection(previous, selection.scope, selection.currency)
    summary, _, comparison = charts.compare(selection, other)
    judge = Judge(tracker, selection.scope.account, query.sync_errors, tolerant=True)
    judged = judge.judge(summary).summary
    curve = charts.daily_curve(selection)
    curves_of = Curves(tracker)
    balance = curves_of.starting_balance(selection)
    sparklines = {
        **split_bars(summary),
        **curves([day.total for day in curve], [day.max_drawdown for day in curve]),
    }
    rolling = tracker.settings.alert_rolling_window
    win_rate_target = next((v.target_value for v in judged.targets if v.metric == "win_rate"), None)
    earlier, later = _adjacent_periods(window, previous, tracker.today)
    return {
        "title": "Performance",
        "window": window,
        "label": window_label(window),
        "summary": judged,
        "partial": incompleteness(judged),
        "before": None if previous is None else short_window_label(previous),
        "tiles": tiles(summary, comparison, _tile_names(summary), filters, sparklines),
        "curve": curve,
        "balance": balance,
        "years": month_returns(curve, balance),
        "drawdowns": curves_of.worst_drawdowns(selection) if curve else (),
        "share_of": share_of_peak(balance),
        "result_unit": by_fitting_period(curve)[0],
        "days_chart": link("/charts/days", filters),
        "last_day": None if curve else charts.last_session(selection.scope.account),
        "periods": PERIODS,
        "accounts": tracker.accounts(),
        "names": charts.filter_values(selection.scope.account, MAX_NAMES),
        "all_names": charts.filter_values(None, MAX_NAMES),
        "max_names": MAX_NAMES,
        "filters": filters,
        "earlier": earlier,
        "later": later,
        "equity": link("/charts/curve", filters, strip="yes"),
        "win_rate_chart": link("/charts/rolling", filters, trades=rolling, target=win_rate_target),
        "expectancy_chart": link("/charts/rolling", filters, trades=rolling, metric="expectancy"),
        "rolling_trades": rolling,
        "win_rate_target": win_rate_target,
        "comparison": None,
    }


def _tile_names(summary: PerformanceSummary) -> tuple[str, ...]:
    """Return the metrics of the tiles: the Sharpe ratio among them, if there are a balance and days enough for it."""
    sharpe = summary.metrics["sharpe"]
    fifth = "winning_days" if sharpe.value is None or sharpe.n < FEW else "sharpe"
    return ("net_pnl", "win_rate", "profit_factor", "expectancy", fifth, "max_drawdown")


def _adjacent_periods(
    window: Window, previous: Window | None, today: date
) -> tuple[date | None, date | None]:
    """Return a day of the previous period and one of the next, for the steps."""
    earlier = None if previous is None or window.kind == "custom" else previous.start
    has_next = window.last_trades is None and window.kind not in ("all", "custom")
    later = window.end if has_next and window.end <= today else None
    return earlier, later


def _comparison(
    charts: Charts, selection: Selection, filters: dict[str, Any], other_filters: dict[str, Any]
) -> dict[str, Any]:
    selections = (selection, comparison_selection(charts, selection, other_filters))
    _, other, metrics = charts.compare(*selections)
    return {
        "other": other,
        "metrics": metrics,
        "labels": [(window_label(one.window), one.scope.label) for one in selections],
        "chart": link("/charts/comparison", filters, **other_filters),
    }


def _breakdown(pages: Pages) -> Callable[..., Response]:
    def view(by: str, most: int | None, **values: Any) -> Response:
        filters = link_parameters(**values)
        with pages.app_context.query() as query:
            charts, selection = Charts(query.tracker), selection_from_link(query.tracker, filters)
            groups = charts.breakdown(selection, by)
            return pages.render(
                "breakdown.html",
                by=by,
                most=most,
                total=charts.breakdown_total(selection),
                label=GROUPINGS[by][0],
                groups=groups,
                shown=with_others(groups, most) if most else groups,
                by_label="Symbol" if by == "root" and most else _BY_LABELS.get(by, by.capitalize()),
                labels=_BY_LABELS,
                filters=filters,
                groupings=GROUPINGS,
                currency=charts.currency(selection),
                largest=svg.largest(group.closed_pnl for group in groups),
            )

    return view


def _metrics(pages: Pages) -> Callable[..., Response]:
    def view(**values: Any) -> Response:
        filters = link_parameters(**values)
        with pages.app_context.query() as query:
            charts, selection = Charts(query.tracker), selection_from_link(query.tracker, filters)
            summary = query.tracker.get_summary(
                selection.window, scope=selection.scope, currency=selection.currency, sync=False
            )
            trades = len(charts.closed_trades(selection))
            all_trades = charts.rolling(selection, trades) if trades else ()
            locale = preferred_locale(tag for tag, _ in request.accept_languages)
            groups = metric_groups(summary, locale, all_trades[0] if all_trades else None)
            return pages.render("metrics.html", groups=groups, filters=filters)

    return view


def _distribution(pages: Pages) -> Callable[..., Response]:
    def view(of: str, **values: Any) -> Response:
        filters = link_parameters(**values)
        with pages.app_context.query() as query:
            charts, selection = Charts(query.tracker), selection_from_link(query.tracker, filters)
            distribution = charts.distribution(selection, "net" if of == "net" else "r")
            return pages.render(
                "distribution.html",
                of=of,
                distribution=distribution,
                filters=filters,
                currency=charts.currency(selection),
            )

    return view
