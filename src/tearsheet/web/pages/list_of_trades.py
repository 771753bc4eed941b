"""The list of trades, one trade down to its fills, what a number rests on, and the list as CSV."""

from collections.abc import Callable
from typing import Any

from flask import Response, request

from tearsheet.performance.metric import METRICS
from tearsheet.tracker.insights import Insights, TradePage
from tearsheet.tracker.listing import PositionView
from tearsheet.web import parameters
from tearsheet.web.insights import FILTER, POSITION_ID, filter_of
from tearsheet.web.pages.frame import Page, Pages, accounts_of, link
from tearsheet.web.pages.stretch import ASKED, KINDS, chosen_in, given_of
from tearsheet.web.refusal import Refused
from tearsheet.web.spreadsheet import csv_answer

_A_PAGE = 50
_AT_ONCE = 2000
_MOST_TERMS = 500
_COLUMNS = (
    ("closed", "Closed"), ("symbol", "Symbol"), ("strategy", "Strategy"), ("account", "Account"),
    ("side", "Side"), ("quantity", "Quantity"), ("held", "Held"), ("r", "R"), ("net", "Net"),
)  # fmt: skip
_CSV = (
    "id", "account", "symbol", "strategy", "side", "opened_at", "closed_at", "quantity",
    "average_entry", "average_exit", "gross", "fees", "net", "currency", "outcome", "r_multiple",
    "stop_loss", "target", "mode", "fills",
)  # fmt: skip
_WINDOW = parameters.choice("window", "Kind of window.", *parameters.KINDS, default="all")
_ASKED = (_WINDOW, *ASKED[1:])
_FILTER = (
    *FILTER[:5],
    parameters.number_of("page", "Which page.", 1_000_000, 1),
)
_NAMES = [parameter.name for parameter in FILTER[:5]]


def add_trades(pages: Pages) -> None:
    """Add the list, its CSV, a trade, and what a number rests on."""
    pages.add(Page("/trades", parameters=(*_ASKED, *_FILTER)), _list(pages))
    pages.add(Page("/trades.csv", parameters=(*_ASKED, *FILTER[:5])), _csv(pages))
    pages.add(Page("/trades/<position>"), _trade(pages))
    pages.add(Page("/explain", parameters=(*ASKED, parameters.METRIC)), _explain(pages))


def _list(pages: Pages) -> Callable[..., Response]:
    def view(page: int, **values: Any) -> Response:
        more = _wanted(values)
        given = given_of(**values)
        with pages.served.asked() as asked:
            insights, chosen = Insights(asked.tracker), chosen_in(asked, given)
            found = insights.trades(chosen, filter_of(more), (page - 1) * _A_PAGE, _A_PAGE)
            kept = {**given, **{k: v for k, v in more.items() if v is not None}}
            return pages.shown(
                "trades.html", title="Trades", found=found, given=given, more=more, kept=kept,
                columns=_COLUMNS, kinds=KINDS, page=page, last=_pages(found),
                accounts=accounts_of(asked), currency=insights.currency(chosen),
                first=min(found.offset + 1, found.total), until=found.offset + len(found.items),
                label=insights.bounded(chosen).label,
            )  # fmt: skip

    return view


def _wanted(values: dict[str, Any]) -> dict[str, Any]:
    return {name: values.pop(name) for name in _NAMES}


def _pages(found: TradePage) -> int:
    return max(1, -(-found.total // _A_PAGE))


def _csv(pages: Pages) -> Callable[..., Response]:
    def view(**values: Any) -> Response:
        wanted = filter_of(_wanted(values))
        given = given_of(**values)
        with pages.served.asked() as asked:
            insights, chosen = Insights(asked.tracker), chosen_in(asked, given)
            rows: list[PositionView] = []
            while True:
                found = insights.trades(chosen, wanted, len(rows), _AT_ONCE)
                rows += found.items
                if not found.items:
                    break
        return csv_answer(
            _CSV, ([getattr(row, name) for name in _CSV] for row in rows), "trades.csv"
        )

    return view


def _trade(pages: Pages) -> Callable[..., Response]:
    def view(position: str) -> Response:
        try:
            identity = POSITION_ID.read(position)
        except ValueError as error:
            raise Refused(404, "there is no such trade", str(error)) from None
        with pages.served.asked() as asked:
            found = Insights(asked.tracker).position(identity)
            return pages.shown(
                "trade.html", title=f"{found.position.symbol} {found.position.side}", found=found,
                position=found.position, given={}, accounts=(),
            )  # fmt: skip

    return view


def _explain(pages: Pages) -> Callable[..., Response]:
    def view(metric: str, **values: Any) -> Response:
        given = given_of(**values)
        with pages.served.asked() as asked:
            chosen = chosen_in(asked, given)
            found = asked.tracker.explain(
                metric, chosen.window, scope=chosen.scope, currency=chosen.currency
            )
            return pages.shown(
                "explain.html", title=found.label, found=found, metric=METRICS[metric], given=given,
                most=_MOST_TERMS, whole=link("/api/performance/explain", dict(request.args)),
                accounts=(),
            )  # fmt: skip

    return view
