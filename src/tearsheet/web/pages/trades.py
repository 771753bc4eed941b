"""Trade list with bulk tags, saved filters and CSV, and the explanation of a metric by its fills or trades."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
from flask import Response, request
from msgspec import Struct

from tearsheet.app.analysis.charts import Charts, TradePage
from tearsheet.app.analysis.notes import TradeNotes
from tearsheet.app.analysis.saved_filters import SavedFilters
from tearsheet.errors import UsageError
from tearsheet.performance.metric import METRICS
from tearsheet.store.list_values import TradeCursor
from tearsheet.trade.amount import ZERO, exact
from tearsheet.trade.value_rule import whole_number
from tearsheet.web.api.charts import FILTER, trade_filter_from
from tearsheet.web.http import parameters
from tearsheet.web.http.csv_download import csv_response
from tearsheet.web.http.operation import Parameter
from tearsheet.web.pages.frame import PageRoute, Pages, form_text, redirect_to
from tearsheet.web.pages.results import (
    MAX_NAMES,
    PARAMETERS,
    PERIODS,
    link_parameters,
    partial_of,
    selection_from_link,
    selection_parameters,
)
from tearsheet.web.rendering.labels import link, window_label
from tearsheet.web.rendering.trade_columns import (
    COLUMNS_COOKIE,
    DENSITY_COOKIE,
    TRADE_COLUMNS,
    columns_cookie,
    density_of,
    shown_columns,
)

_PAGE_SIZE = 50
_CSV_CHUNK = 5000
_MAX_ROWS = 500
_VERSION = whole_number(0, 1_000_000_000)
_YEAR_S = 365 * 86_400
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
    "carry",
    "return_on_entry",
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
        raise ValueError("use the link to the next page") from None
    # larger ones do not fit the database's 64-bit integers
    if abs(time_us) >= 1 << 62 or (isinstance(value, int) and abs(value) >= 1 << 63):
        raise ValueError("use the link to the next page")
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
    """Add the trade list, its CSV, bulk tags, saved filters, and the explanation of a metric."""
    views, every = _TradePages(pages), (*_PARAMETERS, *_TRADE_FILTER)
    pages.add(PageRoute("/trades", parameters=(*every, *_PAGE)), views.list)
    pages.add(PageRoute("/trades/tags", "write", (*every, *_PAGE), "POST"), views.tag)
    pages.add(PageRoute("/trades/filters", "write", every, "POST"), views.save_filter)
    pages.add(PageRoute("/trades/view", "read", every, "POST"), views.choose_view)
    pages.add(PageRoute("/trades.csv", parameters=every), _csv(pages))
    pages.add(PageRoute("/explain", parameters=(*PARAMETERS, parameters.METRIC)), _explain(pages))


class _TagResult(Struct, frozen=True):
    """Outcome of a bulk tag: the changed trades with their new versions, or why none was changed."""

    tag: str = ""
    is_removed: bool = False
    versions: Mapping[str, int] = {}
    error: UsageError | None = None

    @property
    def status(self) -> int:
        """409 for a conflict, but 200 for htmx, which shows only successful answers as part of the page."""
        return 409 if self.error and "HX-Request" not in request.headers else 200


class _TradePages:
    """Views of the trade list."""

    def __init__(self, pages: Pages) -> None:
        self._pages, self._app_context = pages, pages.app_context

    def list(
        self,
        page: int,
        after: TradeCursor | None,
        before: TradeCursor | None,
        *,
        result: _TagResult | None = None,
        **values: Any,
    ) -> Response:
        """Show a page of the list, with the result of a bulk tag if there was one."""
        trade_filters, filters = _split_filters(values)
        with self._app_context.query() as query:
            charts, selection = Charts(query.tracker), selection_from_link(query.tracker, filters)
            offset = (page - 1) * _PAGE_SIZE
            trades = charts.trades(
                selection, trade_filter_from(trade_filters), offset, _PAGE_SIZE, after, before
            )
            notes, every = TradeNotes(query.tracker), _set_filters(filters, trade_filters)
            return self._pages.render(
                "trades.html",
                result.status if result else 200,
                title="Trades",
                trades=trades,
                sums=_sums(trades),
                filters=filters,
                trade_filters=trade_filters,
                all_filters=every,
                columns=shown_columns(request.cookies.get(COLUMNS_COOKIE), trades.items),
                all_columns=TRADE_COLUMNS,
                density=density_of(request.cookies.get(DENSITY_COOKIE)),
                periods=PERIODS,
                page=page,
                last_page=max(1, -(-trades.total // _PAGE_SIZE)),
                accounts=query.tracker.accounts(),
                first=min(trades.offset + 1, trades.total),
                last=trades.offset + len(trades.items),
                label=window_label(charts.clipped(selection)),
                now=query.tracker.now,
                tags=notes.tags()[:MAX_NAMES],
                versions=notes.versions_of([trade.id for trade in trades.items]),
                has_unattached_notes=bool(notes.unattached(1)),
                names=charts.filter_values(selection.scope.account, MAX_NAMES),
                partial=partial_of(query, selection),
                hidden={k: v for k, v in filters.items() if k not in _FORM_FIELDS},
                revision=query.tracker.revision,
                after=_encode_cursor(trades.next),
                before=_encode_cursor(trades.previous),
                saved_filters=SavedFilters(query.tracker).all(),
                is_filtered=_is_filtered(filters, trade_filters),
                result=result,
                can_write=self._app_context.access.is_allowed(request, "write"),
            )

    def tag(self, **values: Any) -> Response:
        """Add a tag to the chosen trades, or remove it, and show the list again."""
        tag, is_removed = form_text("tag"), request.form.get("action") == "remove"
        try:
            versions = _chosen_versions(request.form.getlist("trade"))
            with self._app_context.tracker_pool.borrow() as tracker:
                who = self._app_context.access.client_name(request)
                changed = TradeNotes(tracker).tag_trades(versions, tag, who, remove=is_removed)
        except UsageError as error:
            return self.list(**values, result=_TagResult(tag, is_removed, error=error))
        return self.list(**values, result=_TagResult(tag, is_removed, changed))

    def save_filter(self, **values: Any) -> Response:
        """Save the filter of the address under a name, or delete one."""
        trade_filters, filters = _split_filters(values)
        every = _set_filters(filters, trade_filters)
        with self._app_context.tracker_pool.borrow() as tracker:
            saved = SavedFilters(tracker)
            if "delete" in request.form:
                saved.delete(request.form["delete"])
            else:
                saved.save(request.form.get("name", ""), {name: str(value) for name, value in every.items()})
        return redirect_to(link("/trades", every))

    def choose_view(self, **values: Any) -> Response:
        """Remember in the browser which columns the list has, and how dense its rows are."""
        trade_filters, filters = _split_filters(values)
        response = redirect_to(link("/trades", _set_filters(filters, trade_filters)))
        columns = columns_cookie(request.form.getlist("column"))
        for name, value in (
            (COLUMNS_COOKIE, columns),
            (DENSITY_COOKIE, density_of(request.form.get("density"))),
        ):
            response.set_cookie(name, value, max_age=_YEAR_S, samesite="Strict", httponly=True)
        return response


def _set_filters(filters: dict[str, Any], trade_filters: dict[str, Any]) -> dict[str, Any]:
    return {**filters, **{k: v for k, v in trade_filters.items() if v is not None}}


def _is_filtered(filters: dict[str, Any], trade_filters: dict[str, Any]) -> bool:
    fields = {k: v for k, v in trade_filters.items() if k not in ("sort", "order") and v is not None}
    return bool(fields) or filters != {"window": "all"}


def _chosen_versions(chosen: Sequence[str]) -> dict[str, int]:
    """Return the chosen trades with the versions that the page showed. Raises UsageError."""
    if not 1 <= len(chosen) <= _MAX_ROWS:
        raise UsageError(f"{len(chosen)} trades are selected", f"select 1 to {_MAX_ROWS}")
    versions = {}
    for text in chosen:
        position, _, version = text.partition(":")
        try:
            name = str(parameters.POSITION_ID.read(position))
            versions[name] = _VERSION.parse(version)
        except ValueError as error:
            raise UsageError(f"invalid trade {text[:40]!r}", str(error)) from None
    return versions


def _sums(trades: TradePage) -> dict[str, Decimal] | None:
    """Return the sums of a list that is on one page and in one currency."""
    items = trades.items
    if len(items) < 2 or len(items) != trades.total or len({trade.currency for trade in items}) > 1:
        return None
    with exact():
        return {
            name: sum((getattr(trade, name) for trade in items), ZERO)
            for name in ("gross", "fees", "carry", "net")
        }


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
