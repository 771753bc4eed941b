"""The list of trades, and what a number rests on."""

from collections.abc import Callable
from typing import Any

import msgspec
from flask import Response, request

from tearsheet.app.analysis.charts import Insights, TradeCursor, TradePage
from tearsheet.app.analysis.notes import Notes
from tearsheet.performance.metric import METRICS
from tearsheet.web.api.charts import FILTER, filter_of
from tearsheet.web.http import parameters
from tearsheet.web.http.csv_download import csv_answer
from tearsheet.web.http.operation import Parameter
from tearsheet.web.pages.frame import Page, Pages, accounts_of, link
from tearsheet.web.pages.performance import ASKED, KINDS, MOST_NAMES, chosen_in, given_of

_A_PAGE = 50
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
_ASKED = (_WINDOW, *ASKED[1:])
_FILTERS = FILTER[:6]
_NAMES = [parameter.name for parameter in _FILTERS]
#: What is in the form that filters besides the window.
_IN_FORM = ("strategy", "symbol", "start", "end")


def _place(text: str) -> TradeCursor:
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


_PLACES = tuple(
    Parameter(name, "Where the page begins.", {"type": "string"}, _place) for name in ("after", "before")
)
_PAGE = (parameters.number_of("page", "Which page.", 1_000_000, 1), *_PLACES)


def add_trades(pages: Pages) -> None:
    """Add the list, its CSV, and what a number rests on."""
    pages.add(Page("/trades", parameters=(*_ASKED, *_FILTERS, *_PAGE)), _list(pages))
    pages.add(Page("/trades.csv", parameters=(*_ASKED, *_FILTERS)), _csv(pages))
    pages.add(Page("/explain", parameters=(*ASKED, parameters.METRIC)), _explain(pages))


def _list(pages: Pages) -> Callable[..., Response]:
    def view(page: int, after: TradeCursor | None, before: TradeCursor | None, **values: Any) -> Response:
        more = _wanted(values)
        given = given_of(**values)
        with pages.served.asked() as asked:
            insights, chosen = Insights(asked.tracker), chosen_in(asked, given)
            offset = (page - 1) * _A_PAGE
            found = insights.trades(chosen, filter_of(more), offset, _A_PAGE, after, before)
            notes = Notes(asked.tracker)
            kept = {**given, **{k: v for k, v in more.items() if v is not None}}
            return pages.shown(
                "trades.html",
                title="Trades",
                found=found,
                given=given,
                more=more,
                kept=kept,
                columns=_COLUMNS,
                kinds=KINDS,
                page=page,
                last=_pages(found),
                accounts=accounts_of(asked),
                currency=insights.currency(chosen),
                first=min(found.offset + 1, found.total),
                until=found.offset + len(found.items),
                label=insights.bounded(chosen).label,
                tags=notes.tags()[:MOST_NAMES],
                orphaned=bool(notes.orphaned(1)),
                names=insights.names(chosen.scope.account, MOST_NAMES),
                hidden={k: v for k, v in given.items() if k not in _IN_FORM},
                revision=asked.tracker.revision,
                after=_encode_cursor(found.next),
                before=_encode_cursor(found.previous),
            )

    return view


def _wanted(values: dict[str, Any]) -> dict[str, Any]:
    return {name: values.pop(name) for name in _NAMES}


def _pages(found: TradePage) -> int:
    return max(1, -(-found.total // _A_PAGE))


def _csv(pages: Pages) -> Callable[..., Response]:
    def view(**values: Any) -> Response:
        wanted = filter_of(_wanted(values))
        given = given_of(**values)
        with pages.served.at_work():
            with pages.served.asked() as asked:
                insights, chosen = Insights(asked.tracker), chosen_in(asked, given)
                found = insights.trades(chosen, wanted, 0, _AT_ONCE)
                rows = [*found.items]
                while found.next is not None:
                    found = insights.trades(chosen, wanted, 0, _AT_ONCE, found.next)
                    rows += found.items
            cells = ([getattr(row, name) for name in _CSV] for row in rows)
            return csv_answer(_CSV, cells, "trades.csv")

    return view


def _explain(pages: Pages) -> Callable[..., Response]:
    def view(metric: str, **values: Any) -> Response:
        given = given_of(**values)
        with pages.served.asked() as asked:
            chosen = chosen_in(asked, given)
            found = asked.tracker.explain(metric, chosen.window, scope=chosen.scope, currency=chosen.currency)
            return pages.shown(
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
