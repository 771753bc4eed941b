"""Data of charts and lists: calendar, cumulative P&L, breakdown, distribution, rolling metrics, comparison."""

from collections.abc import Callable
from datetime import date
from typing import Any

from flask import Response
from msgspec import Struct

from tearsheet.app.analysis.charts import Charts, Selection, TradeDetail
from tearsheet.export.files import json_line
from tearsheet.performance.breakdown import GROUPINGS
from tearsheet.performance.calendar import CalendarResults
from tearsheet.performance.series import DailyPoint, FillPoint
from tearsheet.performance.summary import Scope, to_plain_builtins
from tearsheet.store.list_values import SORTS, TradeFilter
from tearsheet.trade.session import WindowKind
from tearsheet.web.http import parameters
from tearsheet.web.http.errors import HttpError
from tearsheet.web.http.operation import Api, Json, Operation, Parameter
from tearsheet.web.http.responses import json_response, success_head, success_response
from tearsheet.web.schemas import charts as answers
from tearsheet.web.schemas.answer import Answer
from tearsheet.web.server.context import AppContext, QueryContext

ComputeData = Callable[[Charts, Selection, Json], Json]

_SELECTION = (*parameters.PERIOD, parameters.ROLLING, *parameters.SCOPE, parameters.CURRENCY)
_BY = parameters.choice("by", "Group by.", *GROUPINGS, default="symbol")
_OF = parameters.choice("of", "Net results in money, or in R.", "net", "r", default="net")
_TRADES = parameters.number_of("trades", "How many closed positions a point is of.", 10_000, 50)
#: Parameters of the window and scope to compare with.
COMPARISON_PARAMETERS = (
    parameters.date_of("other_start", "First day of the other stretch."),
    parameters.date_of("other_end", "Last day of the other stretch, included."),
    parameters.text_of("other_account", "The other stretch is of this account."),
    parameters.text_of("other_strategy", "The other stretch is of this strategy."),
    parameters.text_of("other_symbol", "The other stretch is of this instrument."),
)


#: Parameters of the filtered and sorted trade list.
FILTER = (
    parameters.choice("side", "Only longs or only shorts.", "long", "short"),
    parameters.choice("outcome", "Only these.", "win", "loss", "breakeven"),
    parameters.text_of("text", "Part of a symbol, strategy or account, in any case."),
    parameters.choice("sort", "What the order is by.", *SORTS, default="closed"),
    parameters.choice("order", "Which end stands first.", "asc", "desc", default="desc"),
    parameters.TAG,
    parameters.number_of("offset", "How many to pass over.", 10_000_000, 0, low=0),
    parameters.LIMIT,
)


class _Endpoint(Struct, frozen=True):
    """A chart operation: its own parameters, and the function that computes its answer."""

    path: str
    title: str
    description: str
    parameters: tuple[Parameter, ...]
    response_type: Any
    compute: ComputeData
    shows_notes: bool = False


def _calendar_data(charts: Charts, selection: Selection, values: Json) -> Json:
    return {"data": charts.calendar(selection)}


def _equity(charts: Charts, selection: Selection, values: Json) -> Json:
    return {"data": charts.daily_curve(selection)}


def _by_fill(charts: Charts, selection: Selection, values: Json) -> Json:
    return {"data": charts.fill_curve(selection)}


def _breakdown(charts: Charts, selection: Selection, values: Json) -> Json:
    return {"by": values["by"], "data": charts.breakdown(selection, values["by"])}


def _distribution(charts: Charts, selection: Selection, values: Json) -> Json:
    return {"of": values["of"], "data": charts.distribution(selection, values["of"])}


def _rolling(charts: Charts, selection: Selection, values: Json) -> Json:
    return {"trades": values["trades"], "data": charts.rolling(selection, values["trades"])}


def _comparison(charts: Charts, selection: Selection, values: Json) -> Json:
    this, other, compared = charts.compare(selection, comparison_selection(charts, selection, values))
    return {
        "data": {
            "this": this.window.label,
            "other": other.window.label,
            "this_scope": this.scope.label,
            "other_scope": other.scope.label,
            "metrics": compared,
        }
    }


def _trades(charts: Charts, selection: Selection, values: Json) -> Json:
    page = charts.trades(selection, trade_filter_from(values), values["offset"], values["limit"])
    return {"total": page.total, "offset": page.offset, "data": page.items}


#: Every chart operation.
ENDPOINTS = (
    _Endpoint(
        "calendar",
        "Results by day, week and month",
        "Weeks are whole, Monday to Sunday.",
        (),
        answers.ChartAnswer[CalendarResults],
        _calendar_data,
    ),
    _Endpoint(
        "equity",
        "Cumulative P&L and drawdown by trading day",
        "The deepest of all drawdowns is the metric `max_drawdown`.",
        (),
        answers.ChartAnswer[tuple[DailyPoint, ...]],
        _equity,
    ),
    _Endpoint(
        "by-fill",
        "The running total by fill",
        "Of more than 1,000 fills, the lowest and highest of each stretch.",
        (),
        answers.ChartAnswer[tuple[FillPoint, ...]],
        _by_fill,
    ),
    _Endpoint(
        "breakdown",
        "Closed positions by weekday, hour, symbol, root, strategy, side, account, holding time, size or tag",
        "Each closed position is in one group; by tag, in that of each of its tags.",
        (_BY,),
        answers.BreakdownAnswer,
        _breakdown,
    ),
    _Endpoint(
        "distribution",
        "How results spread",
        "Bins of one round width; the outermost may be open.",
        (_OF,),
        answers.DistributionAnswer,
        _distribution,
    ),
    _Endpoint(
        "rolling",
        "Win rate and expectancy over the last N trades, with their 95 % bands",
        "Wilson's interval, and the mean ± 1.96 standard errors.",
        (_TRADES,),
        answers.RollingAnswer,
        _rolling,
    ),
    _Endpoint(
        "comparison",
        "Two windows, accounts, strategies or symbols side by side",
        "Without another stretch, the one before of the same kind.",
        COMPARISON_PARAMETERS,
        answers.ChartAnswer[answers.Comparison],
        _comparison,
    ),
    _Endpoint(
        "trades",
        "Closed positions, filtered and sorted",
        "The pages of `offset` and `limit`.",
        FILTER,
        answers.TradesAnswer,
        _trades,
        shows_notes=True,
    ),
)


def add_charts(api: Api, app_context: AppContext) -> None:
    """Add the charts under `/api/performance`, and single positions."""
    for row in ENDPOINTS:
        api.add(
            Operation(
                method="GET",
                path=f"/api/performance/{row.path}",
                tag="Charts",
                title=row.title,
                description=row.description,
                parameters=(*_SELECTION, *row.parameters),
                response_type=row.response_type,
                statuses=(304, 404, 422),
            ),
            _view(app_context, row),
        )
    api.add(
        Operation(
            method="GET",
            path="/api/positions/{position}",
            tag="Trading",
            title="A position, its bookings, and where each fill was read",
            in_path=(parameters.POSITION_ID,),
            response_type=Answer[TradeDetail],
            statuses=(304, 404, 422),
        ),
        lambda position: _position(app_context, position),
    )


def _view(app_context: AppContext, row: _Endpoint) -> Callable[..., Response]:
    own_names = [parameter.name for parameter in row.parameters]

    def view(**selection_values: Any) -> Response:
        values = {name: selection_values.pop(name) for name in own_names}
        with app_context.query(with_notes=row.shows_notes or values.get("by") == "tag") as query:
            if (unchanged := app_context.not_modified(query)) is not None:
                return unchanged
            selection = selection_from(query, **selection_values)

            def compute() -> bytes:
                charts = Charts(query.tracker)
                content = {**_context(query, charts, selection), **row.compute(charts, selection, values)}
                return json_line(to_plain_builtins(content))[1:]  # `success_head` has the brace

            period = f"{row.path}-{selection.window.kind}-{json_line(to_plain_builtins(values)).hex()}"
            body = app_context.cached_answer(
                query, period, selection.window, selection.scope, selection.currency, compute
            )
        return json_response(success_head(app_context.now) + body + b"\n")

    return view


def selection_from(
    query: QueryContext,
    window: WindowKind = "daily",
    start: date | None = None,
    end: date | None = None,
    rolling: int | None = None,
    currency: str | None = None,
    **scope: Any,
) -> Selection:
    """Return the selection of these query parameters; without a date the window contains today."""
    return Selection(
        query.tracker.window(window, start=start, end=end, rolling=rolling), Scope(**scope), currency
    )


def comparison_selection(charts: Charts, selection: Selection, values: Json) -> Selection:
    """Return the selection to compare with. Raises HttpError if there is no previous window."""
    window, scope = selection.window, selection.scope
    other_scope = {name: values[f"other_{name}"] for name in ("account", "strategy", "symbol")}
    other = Scope(**{**_fields(scope), **{k: v for k, v in other_scope.items() if v is not None}})
    start, end = values["other_start"], values["other_end"]
    if start is not None or end is not None:
        kind: WindowKind = "daily" if window.last_trades is not None else window.kind
        window = type(window).choose(kind, window.last_day, start, end)
    elif other == scope:
        previous = charts.previous_window(window)
        if previous is None:
            raise HttpError(
                422,
                "no previous period to compare with",
                "set other_start and other_end, or another strategy, symbol or account",
            )
        window = previous
    return Selection(window, other, selection.currency)


def trade_filter_from(values: Json) -> TradeFilter:
    """Return the filter and order of these query parameters."""
    return TradeFilter(
        values["side"],
        values["outcome"],
        values["text"],
        values["sort"],
        values["order"] == "asc",
        values["tag"],
    )


def _fields(scope: Scope) -> Json:
    return {name: getattr(scope, name) for name in scope.__struct_fields__}


def _context(query: QueryContext, charts: Charts, selection: Selection) -> Json:
    window = charts.clipped(selection)
    return {
        "window": window.kind,
        "start": window.start,
        "end": window.last_day,
        "currency": charts.currency(selection),
        "partial_reasons": query.sync_errors,
    }


def _position(app_context: AppContext, position: str) -> Response:
    with app_context.query(with_notes=True) as query:
        if (unchanged := app_context.not_modified(query)) is not None:
            return unchanged
        detail = Charts(query.tracker).position(position)
    return success_response(app_context.timestamp, detail)
