"""What charts and lists are drawn of: calendar, curves, groups, spreads, rolling rates, comparison."""

from collections.abc import Callable
from datetime import date
from typing import Any

from flask import Response
from msgspec import Struct

from tearsheet.app.analysis.charts import SORTS, Charts, Selection, TradeDetail, TradeFilter
from tearsheet.export.files import json_line
from tearsheet.performance.breakdown import GROUPINGS
from tearsheet.performance.calendar import CalendarResults
from tearsheet.performance.series import DailyPoint, FillPoint
from tearsheet.performance.summary import Scope, to_plain_builtins
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
_BY = parameters.choice("by", "What the groups are made by.", *GROUPINGS, default="symbol")
_OF = parameters.choice("of", "Net results in money, or in R.", "net", "r", default="net")
_TRADES = parameters.number_of("trades", "How many closed positions a point is of.", 10_000, 50)
#: The parameters of the stretch that another is compared with.
COMPARISON_PARAMETERS = (
    parameters.date_of("other_start", "First day of the other stretch."),
    parameters.date_of("other_end", "Last day of the other stretch, included."),
    parameters.text_of("other_account", "The other stretch is of this account."),
    parameters.text_of("other_strategy", "The other stretch is of this strategy."),
    parameters.text_of("other_symbol", "The other stretch is of this instrument."),
)


#: The parameters of a filtered and sorted list.
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
    """An operation: its path, titles, further parameters, answer, and how the answer is found."""

    path: str
    title: str
    description: str
    parameters: tuple[Parameter, ...]
    response_type: Any
    compute: ComputeData
    shows_notes: bool = False


def _calendar_data(insights: Charts, chosen: Selection, more: Json) -> Json:
    return {"data": insights.calendar(chosen)}


def _equity(insights: Charts, chosen: Selection, more: Json) -> Json:
    return {"data": insights.daily_curve(chosen)}


def _by_fill(insights: Charts, chosen: Selection, more: Json) -> Json:
    return {"data": insights.fill_curve(chosen)}


def _breakdown(insights: Charts, chosen: Selection, more: Json) -> Json:
    return {"by": more["by"], "data": insights.breakdown(chosen, more["by"])}


def _distribution(insights: Charts, chosen: Selection, more: Json) -> Json:
    return {"of": more["of"], "data": insights.distribution(chosen, more["of"])}


def _rolling(insights: Charts, chosen: Selection, more: Json) -> Json:
    return {"trades": more["trades"], "data": insights.rolling(chosen, more["trades"])}


def _comparison(insights: Charts, chosen: Selection, more: Json) -> Json:
    this, other, compared = insights.compare(chosen, comparison_selection(insights, chosen, more))
    return {
        "data": {
            "this": this.window.label,
            "other": other.window.label,
            "this_scope": this.scope.label,
            "other_scope": other.scope.label,
            "metrics": compared,
        }
    }


def _trades(insights: Charts, chosen: Selection, more: Json) -> Json:
    page = insights.trades(chosen, trade_filter_from(more), more["offset"], more["limit"])
    return {"total": page.total, "offset": page.offset, "data": page.items}


#: Every operation of this kind.
ENDPOINTS = (
    _Endpoint(
        "calendar",
        "What each day, week and month came to",
        "Weeks are whole, Monday to Sunday.",
        (),
        answers.ChartAnswer[CalendarResults],
        _calendar_data,
    ),
    _Endpoint(
        "equity",
        "The running total by session, with its drawdown",
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
        "Closed positions by weekday, hour, symbol, strategy, side, holding time, size or tag",
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
    """Add what is drawn, under `/api/performance`."""
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
    named = [parameter.name for parameter in row.parameters]

    def view(**values: Any) -> Response:
        more = {name: values.pop(name) for name in named}
        with app_context.query(with_notes=row.shows_notes or more.get("by") == "tag") as query:
            if (same := app_context.not_modified(query)) is not None:
                return same
            chosen = selection_from(query, **values)

            def compute() -> bytes:
                insights = Charts(query.tracker)
                found = {**_context(query, insights, chosen), **row.compute(insights, chosen, more)}
                return json_line(to_plain_builtins(found))[1:]

            period = f"{row.path}-{chosen.window.kind}-{json_line(to_plain_builtins(more)).hex()}"
            body = app_context.cached_answer(
                query, period, chosen.window, chosen.scope, chosen.currency, compute
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
    """What the parameters of a window and scope mean today."""
    chosen = query.tracker.window(window, start=start, end=end, rolling=rolling)
    return Selection(chosen, Scope(**scope), currency)


def comparison_selection(insights: Charts, chosen: Selection, more: Json) -> Selection:
    """The other stretch of a comparison. Raises Refused where there is none."""
    window, scope = chosen.window, chosen.scope
    named = {name: more[f"other_{name}"] for name in ("account", "strategy", "symbol")}
    other = Scope(**{**_fields(scope), **{k: v for k, v in named.items() if v is not None}})
    start, end = more["other_start"], more["other_end"]
    if start is not None or end is not None:
        kind: WindowKind = "daily" if window.last_trades is not None else window.kind
        window = type(window).choose(kind, window.last_day, start, end)
    elif other == scope:
        before = insights.previous_window(window)
        if before is None:
            raise HttpError(
                422,
                "this window has none before it to be compared with",
                "give other_start and other_end, or another strategy, symbol or account",
            )
        window = before
    return Selection(window, other, chosen.currency)


def trade_filter_from(more: Json) -> TradeFilter:
    """The filter and order that parameters state."""
    return TradeFilter(
        more["side"], more["outcome"], more["text"], more["sort"], more["order"] == "asc", more["tag"]
    )


def _fields(scope: Scope) -> Json:
    return {name: getattr(scope, name) for name in scope.__struct_fields__}


def _context(query: QueryContext, insights: Charts, chosen: Selection) -> Json:
    window = insights.clipped(chosen)
    return {
        "window": window.kind,
        "start": window.start,
        "end": window.last_day,
        "currency": insights.currency(chosen),
        "partial_reasons": query.sync_errors,
    }


def _position(app_context: AppContext, position: str) -> Response:
    with app_context.query(with_notes=True) as query:
        if (same := app_context.not_modified(query)) is not None:
            return same
        found = Charts(query.tracker).position(position)
    return success_response(app_context.timestamp, found)
