"""Trade list with its CSV, and the explanation of a metric by its fills or trades."""

from collections.abc import Callable
from typing import Any

import msgspec
from flask import Response, request

from tearsheet.app.analysis.charts import Charts
from tearsheet.app.analysis.notes import TradeNotes
from tearsheet.performance.metric import METRICS
from tearsheet.store.list_values import TradeCursor
from tearsheet.web.api.charts import FILTER, trade_filter_from
from tearsheet.web.http import parameters
from tearsheet.web.http.csv_download import csv_response
from tearsheet.web.http.operation import Parameter
from tearsheet.web.pages.frame import PageRoute, Pages
from tearsheet.web.pages.results import (
    MAX_NAMES,
    PARAMETERS,
    PERIODS,
    link_parameters,
    partial_of,
    selection_from_link,
    selection_parameters,
)
from tearsheet.web.rendering.labels import link

_PAGE_SIZE = 50
_CSV_CHUNK = 5000
_MAX_ROWS = 500
_COLUMNS = (
    ("closed", "Closed"),
    ("symbol", "Symbol"),
    ("strategy", "Strategy"),
    ("account", "Account"),
    ("side", "Side"),
    ("quantity", "Quantity"),
    ("held", "Held"),
    ("r", "R"),
    ("net", "Net"),
)
_CSV = (
    "id",
    "account",
    "symbol",
    "strategy",
    "side",
    "opened_at",
    "closed_at",
    "quantity",
    "average_entry",
    "average_exit",
    "gross",
    "fees",
    "net",
    "currency",
    "outcome",
    "r_multiple",
    "stop_loss",
    "target",
    "mode",
    "fills",
    "tags",
    "note",
)
_PARAMETERS = selection_parameters("all")
_TRADE_FILTER = FILTER[:6]
#: Selection parameters that the filter form has fields for.
_FORM_FIELDS = ("strategy", "symbol", "start", "end")


def _parse_cursor(text: str) -> TradeCursor:
    try:
        content = bytes.fromhex(text)
        value, time_us, position = msgspec.json.decode(content, type=tuple[int | str | None, int, str])
    except (ValueError, msgspec.MsgspecError, RecursionError):
        raise ValueError("allowed is what the link to the next page says") from None
    # larger ones do not fit the database's 64-bit integers
    if abs(time_us) >= 1 << 62 or (isinstance(value, int) and abs(value) >= 1 << 63):
        raise ValueError("allowed is what the link to the next page says")
    return TradeCursor(value, time_us, position)


def _encode_cursor(cursor: TradeCursor | None) -> str | None:
    if cursor is None:
        return None
    return msgspec.json.encode((cursor.value, cursor.time_us, cursor.id)).hex()


_CURSORS = tuple(
    Parameter(name, "Where the page begins.", {"type": "string"}, _parse_cursor)
    for name in ("after", "before")
)
_PAGE = (parameters.number_of("page", "Which page.", 1_000_000, 1), *_CURSORS)


def add_trades(pages: Pages) -> None:
    """Add the trade list, its CSV, and the explanation of a metric."""
    pages.add(PageRoute("/trades", parameters=(*_PARAMETERS, *_TRADE_FILTER, *_PAGE)), _list(pages))
    pages.add(PageRoute("/trades.csv", parameters=(*_PARAMETERS, *_TRADE_FILTER)), _csv(pages))
    pages.add(PageRoute("/explain", parameters=(*PARAMETERS, parameters.METRIC)), _explain(pages))


def _list(pages: Pages) -> Callable[..., Response]:
    def view(page: int, after: TradeCursor | None, before: TradeCursor | None, **values: Any) -> Response:
        trade_filters, filters = _split_filters(values)
        with pages.app_context.query() as query:
            charts, selection = Charts(query.tracker), selection_from_link(query.tracker, filters)
            offset = (page - 1) * _PAGE_SIZE
            trades = charts.trades(
                selection, trade_filter_from(trade_filters), offset, _PAGE_SIZE, after, before
            )
            notes = TradeNotes(query.tracker)
            return pages.render(
                "trades.html",
                title="Trades",
                trades=trades,
                filters=filters,
                trade_filters=trade_filters,
                all_filters={**filters, **{k: v for k, v in trade_filters.items() if v is not None}},
                columns=_COLUMNS,
                periods=PERIODS,
                page=page,
                last_page=max(1, -(-trades.total // _PAGE_SIZE)),
                accounts=query.tracker.accounts(),
                first=min(trades.offset + 1, trades.total),
                last=trades.offset + len(trades.items),
                label=charts.clipped(selection).label,
                tags=notes.tags()[:MAX_NAMES],
                has_unattached_notes=bool(notes.unattached(1)),
                names=charts.filter_values(selection.scope.account, MAX_NAMES),
                partial=partial_of(query, selection),
                hidden={k: v for k, v in filters.items() if k not in _FORM_FIELDS},
                revision=query.tracker.revision,
                after=_encode_cursor(trades.next),
                before=_encode_cursor(trades.previous),
            )

    return view


def _split_filters(values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the parameters that filter trades, and those that select the period and scope."""
    trade_filters = {parameter.name: values.pop(parameter.name) for parameter in _TRADE_FILTER}
    return trade_filters, link_parameters(**values)


def _csv(pages: Pages) -> Callable[..., Response]:
    def view(**values: Any) -> Response:
        trade_filters, filters = _split_filters(values)
        trade_filter = trade_filter_from(trade_filters)
        with pages.app_context.keep_worker_alive():
            with pages.app_context.query() as query:
                charts, selection = Charts(query.tracker), selection_from_link(query.tracker, filters)
                page = charts.trades(selection, trade_filter, 0, _CSV_CHUNK)
                trades = [*page.items]
                while page.next is not None:
                    page = charts.trades(selection, trade_filter, 0, _CSV_CHUNK, page.next)
                    trades += page.items
            rows = ([getattr(trade, name) for name in _CSV] for trade in trades)
            return csv_response(_CSV, rows, "trades.csv")

    return view


def _explain(pages: Pages) -> Callable[..., Response]:
    def view(metric: str, **values: Any) -> Response:
        filters = link_parameters(**values)
        with pages.app_context.query() as query:
            selection = selection_from_link(query.tracker, filters)
            explanation = query.tracker.explain(
                metric, selection.window, scope=selection.scope, currency=selection.currency
            )
            return pages.render(
                "explain.html",
                title=explanation.label,
                explanation=explanation,
                partial=partial_of(query, selection),
                metric=METRICS[metric],
                filters=filters,
                max_rows=_MAX_ROWS,
                as_json=link("/api/performance/explain", dict(request.args)),
            )

    return view
