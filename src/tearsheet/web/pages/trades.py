"""The list of trades, and what a number rests on."""

from collections.abc import Callable
from typing import Any

import msgspec
from flask import Response, request

from tearsheet.app.analysis.charts import Charts, TradeCursor, TradePage
from tearsheet.app.analysis.notes import TradeNotes
from tearsheet.performance.metric import METRICS
from tearsheet.web.api.charts import FILTER, trade_filter_from
from tearsheet.web.http import parameters
from tearsheet.web.http.csv_download import csv_response
from tearsheet.web.http.operation import Parameter
from tearsheet.web.pages.frame import PageRoute, Pages, account_names, link
from tearsheet.web.pages.performance import (
    MAX_NAMES,
    PARAMETERS,
    PERIODS,
    link_parameters,
    selection_from_link,
)

_PAGE_SIZE = 50
_AT_ONCE = 5000
_MOST_TERMS = 500
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
_WINDOW = parameters.choice("window", "Kind of window.", *parameters.KINDS, default="all")
_PARAMETERS = (_WINDOW, *PARAMETERS[1:])
_FILTERS = FILTER[:6]
_NAMES = [parameter.name for parameter in _FILTERS]
#: What is in the form that filters besides the window.
_IN_FORM = ("strategy", "symbol", "start", "end")


def _parse_cursor(text: str) -> TradeCursor:
    try:
        content = bytes.fromhex(text)
        value, time_us, identity = msgspec.json.decode(content, type=tuple[int | str | None, int, str])
    except (ValueError, msgspec.MsgspecError):
        raise ValueError("allowed is what the link to the next page says") from None
    if abs(time_us) >= 1 << 62 or (isinstance(value, int) and abs(value) >= 1 << 63):
        raise ValueError("allowed is what the link to the next page says")
    return TradeCursor(value, time_us, identity)


def _encode_cursor(place: TradeCursor | None) -> str | None:
    """A place as links bear it."""
    if place is None:
        return None
    return msgspec.json.encode((place.value, place.time_us, place.id)).hex()


_CURSORS = tuple(
    Parameter(name, "Where the page begins.", {"type": "string"}, _parse_cursor)
    for name in ("after", "before")
)
_PAGE = (parameters.number_of("page", "Which page.", 1_000_000, 1), *_CURSORS)


def add_trades(pages: Pages) -> None:
    """Add the list, its CSV, and what a number rests on."""
    pages.add(PageRoute("/trades", parameters=(*_PARAMETERS, *_FILTERS, *_PAGE)), _list(pages))
    pages.add(PageRoute("/trades.csv", parameters=(*_PARAMETERS, *_FILTERS)), _csv(pages))
    pages.add(PageRoute("/explain", parameters=(*PARAMETERS, parameters.METRIC)), _explain(pages))


def _list(pages: Pages) -> Callable[..., Response]:
    def view(page: int, after: TradeCursor | None, before: TradeCursor | None, **values: Any) -> Response:
        more = _filter_values(values)
        given = link_parameters(**values)
        with pages.served.query() as asked:
            insights, chosen = Charts(asked.tracker), selection_from_link(asked, given)
            offset = (page - 1) * _PAGE_SIZE
            found = insights.trades(chosen, trade_filter_from(more), offset, _PAGE_SIZE, after, before)
            notes = TradeNotes(asked.tracker)
            kept = {**given, **{k: v for k, v in more.items() if v is not None}}
            return pages.render(
                "trades.html",
                title="Trades",
                found=found,
                given=given,
                more=more,
                kept=kept,
                columns=_COLUMNS,
                kinds=PERIODS,
                page=page,
                last=_pages(found),
                accounts=account_names(asked),
                currency=insights.currency(chosen),
                first=min(found.offset + 1, found.total),
                until=found.offset + len(found.items),
                label=insights.clipped(chosen).label,
                tags=notes.tags()[:MAX_NAMES],
                orphaned=bool(notes.unattached(1)),
                names=insights.filter_values(chosen.scope.account, MAX_NAMES),
                hidden={k: v for k, v in given.items() if k not in _IN_FORM},
                revision=asked.tracker.revision,
                after=_encode_cursor(found.next),
                before=_encode_cursor(found.previous),
            )

    return view


def _filter_values(values: dict[str, Any]) -> dict[str, Any]:
    return {name: values.pop(name) for name in _NAMES}


def _pages(found: TradePage) -> int:
    return max(1, -(-found.total // _PAGE_SIZE))


def _csv(pages: Pages) -> Callable[..., Response]:
    def view(**values: Any) -> Response:
        wanted = trade_filter_from(_filter_values(values))
        given = link_parameters(**values)
        with pages.served.keep_worker_alive():
            with pages.served.query() as asked:
                insights, chosen = Charts(asked.tracker), selection_from_link(asked, given)
                found = insights.trades(chosen, wanted, 0, _AT_ONCE)
                rows = [*found.items]
                while found.next is not None:
                    found = insights.trades(chosen, wanted, 0, _AT_ONCE, found.next)
                    rows += found.items
            cells = ([getattr(row, name) for name in _CSV] for row in rows)
            return csv_response(_CSV, cells, "trades.csv")

    return view


def _explain(pages: Pages) -> Callable[..., Response]:
    def view(metric: str, **values: Any) -> Response:
        given = link_parameters(**values)
        with pages.served.query() as asked:
            chosen = selection_from_link(asked, given)
            found = asked.tracker.explain(metric, chosen.window, scope=chosen.scope, currency=chosen.currency)
            return pages.render(
                "explain.html",
                title=found.label,
                found=found,
                metric=METRICS[metric],
                given=given,
                most=_MOST_TERMS,
                whole=link("/api/performance/explain", dict(request.args)),
                accounts=(),
            )

    return view
