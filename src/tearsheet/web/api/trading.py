"""Fills, positions, accounts and rejected rows to read; fills and marks to post."""

from collections.abc import Callable
from datetime import date
from typing import Any

from flask import Response

from tearsheet.app.analysis.lists import CashEvent, ListedFill, Lists, PositionView
from tearsheet.app.imports.api_posts import ApiWrites
from tearsheet.app.imports.formats import CASH_SCHEMA, FILL_SCHEMA, MARK_SCHEMA
from tearsheet.app.reports import WriteReport, WriteRequest
from tearsheet.performance.summary import Scope
from tearsheet.store.list_values import Page, PageCursor
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.session import Window, WindowKind
from tearsheet.web.http import parameters
from tearsheet.web.http.bodies import cursor_from
from tearsheet.web.http.errors import rejection_to_json
from tearsheet.web.http.operation import Api, Body, Operation
from tearsheet.web.http.parameters import cursor_of
from tearsheet.web.http.responses import success_response
from tearsheet.web.schemas.answer import Answer, PageAnswer
from tearsheet.web.schemas.trading import MarkView, RejectionView, WriteResult
from tearsheet.web.server.context import AppContext
from tearsheet.web.server.posting import one_or_many, post_view

#: What finds a page of a list.
FindPage = Callable[[Lists, Window, Scope, int, PageCursor | None], Page[Any]]

_EXAMPLE_FILL = {
    "account": "Sim101",
    "symbol": "ES 12-26",
    "time": "2026-11-20T14:30:00Z",
    "side": "BUY",
    "quantity": 2,
    "price": 6712.25,
    "commission": "4.18",
    "fill_id": "8812-1",
}
_EXAMPLE_CASH = {
    "account": "Sim101",
    "time": "2026-11-20T14:30:00Z",
    "kind": "deposit",
    "amount": "5000.00",
    "currency": "USD",
    "id": "wire-17",
}
_EXAMPLE_MARK = {"symbol": "ES 12-26", "price": 6720.5, "time": "2026-11-20T15:00:00Z"}


def add_list_endpoints(api: Api, app_context: AppContext) -> None:
    """Add the lists."""
    period = (
        parameters.choice("window", "Kind of window.", *parameters.KINDS, default="all"),
        parameters.START,
        parameters.END,
    )
    api.add(
        Operation(
            method="GET",
            path="/api/positions",
            tag="Trading",
            title="Positions, the newest first",
            description="Those closed in a window, or those open now.",
            parameters=(
                parameters.choice(
                    "state", "Closed in the window, or open now.", "open", "closed", default="closed"
                ),
                *period,
                *parameters.SCOPE,
                parameters.TAG,
                *parameters.PAGE,
            ),
            response_type=PageAnswer[PositionView],
            statuses=(304, 422),
            aliases=("/api/performance/positions",),
        ),
        _positions_view(app_context),
    )
    api.add(
        Operation(
            method="GET",
            path="/api/fills",
            tag="Trading",
            title="Fills, the newest first",
            description="Results that a bot logged are positions, not fills.",
            parameters=(*period, *parameters.SCOPE, *parameters.PAGE),
            response_type=PageAnswer[ListedFill],
            statuses=(304, 422),
            aliases=("/api/performance/fills",),
        ),
        _page_view(app_context, Lists.fills),
    )
    api.add(
        Operation(
            method="GET",
            path="/api/cash",
            tag="Trading",
            title="Money of accounts, the newest first",
            description="Deposits, payouts, interest, fees and taxes; funding, dividends and fees of trades too.",
            parameters=(*period, *parameters.SCOPE, *parameters.PAGE),
            response_type=PageAnswer[CashEvent],
            statuses=(304, 422),
        ),
        _page_view(app_context, Lists.cash),
    )
    api.add(
        Operation(
            method="GET",
            path="/api/accounts",
            tag="Trading",
            title="Every account that traded, or that a rejected row names",
            response_type=Answer[tuple[str, ...]],
            statuses=(304,),
            aliases=("/api/performance/accounts",),
        ),
        lambda: _accounts(app_context),
    )
    api.add(
        Operation(
            method="GET",
            path="/api/rejections",
            tag="Trading",
            title="Rejected rows",
            parameters=parameters.PAGE,
            response_type=PageAnswer[RejectionView],
            statuses=(422,),
        ),
        lambda limit, cursor: _rejections(app_context, limit, cursor),
    )


def add_write_endpoints(api: Api, app_context: AppContext) -> None:
    """Add the posts of fills and marks, and the list and removal of marks."""
    for name, schema, example, title, write in (
        ("fills", FILL_SCHEMA, _EXAMPLE_FILL, "Keep fills, all or none", _save_fills),
        ("cash", CASH_SCHEMA, _EXAMPLE_CASH, "Keep money of accounts, all or none", _save_cash),
        ("marks", MARK_SCHEMA, _EXAMPLE_MARK, "Keep last known prices, all or none", _save_marks),
    ):
        api.add(
            Operation(
                method="POST",
                path=f"/api/{name}",
                tag="Trading",
                title=title,
                level="write",
                description=f"One object, a list, or an object with `{name}`. A repeated one changes nothing.",
                body=Body(("application/json",), one_or_many(schema, name), example),
                response_type=Answer[WriteResult],
                statuses=(400, 409, 411, 413, 415, 422),
            ),
            post_view(app_context, name, write),
        )
    _add_mark_endpoints(api, app_context)


def _save_fills(tracker: PerformanceTracker, request: WriteRequest) -> WriteReport:
    return ApiWrites(tracker).fills(request)


def _save_cash(tracker: PerformanceTracker, request: WriteRequest) -> WriteReport:
    return ApiWrites(tracker).cash(request)


def _save_marks(tracker: PerformanceTracker, request: WriteRequest) -> WriteReport:
    return ApiWrites(tracker).marks(request)


def _add_mark_endpoints(api: Api, app_context: AppContext) -> None:
    """Add the list of marks and the removal of one."""
    api.add(
        Operation(
            method="GET",
            path="/api/marks",
            tag="Trading",
            title="Last known prices",
            response_type=PageAnswer[MarkView],
            statuses=(304,),
        ),
        lambda: _marks(app_context),
    )
    api.add(
        Operation(
            method="DELETE",
            path="/api/marks",
            tag="Trading",
            title="Remove the last known price of an instrument",
            description="Open positions in it have no price until the next one is posted.",
            level="write",
            parameters=(parameters.MARKED_SYMBOL,),
            response_type=Answer[MarkView],
            statuses=(404, 422),
        ),
        lambda symbol: _remove_mark(app_context, symbol),
    )


def _marks(app_context: AppContext) -> Response:
    with app_context.query() as query:
        return app_context.not_modified(query) or success_response(
            app_context.timestamp, Lists(query.tracker).marks(), next_cursor=None
        )


def _remove_mark(app_context: AppContext, symbol: str) -> Response:
    with app_context.tracker_pool.borrow() as tracker:
        removed = ApiWrites(tracker).remove_mark(symbol)
    return success_response(app_context.timestamp, removed)


def _positions_view(app_context: AppContext) -> Callable[..., Response]:
    def view(
        state: str,
        window: WindowKind,
        start: date | None,
        end: date | None,
        limit: int,
        cursor: PageCursor | None,
        tag: str | None,
        **scope: Any,
    ) -> Response:
        after = cursor_from(cursor, str)
        with app_context.query(with_notes=True) as query:
            if (unchanged := app_context.not_modified(query)) is not None:
                return unchanged
            lists, trade_scope = Lists(query.tracker), Scope(**scope)
            if state == "open":
                page = Page(lists.open_positions(trade_scope, tag), None)
            else:
                chosen = query.tracker.window(window, start=start, end=end)
                page = lists.closed_trades(chosen, trade_scope, limit, after, tag)
        return success_response(app_context.timestamp, page.items, next_cursor=cursor_of(page.next))

    return view


def _page_view(app_context: AppContext, find: FindPage) -> Callable[..., Response]:
    def view(
        window: WindowKind,
        start: date | None,
        end: date | None,
        limit: int,
        cursor: PageCursor | None,
        **scope: Any,
    ) -> Response:
        after = cursor_from(cursor, int)
        with app_context.query() as query:
            if (unchanged := app_context.not_modified(query)) is not None:
                return unchanged
            chosen = query.tracker.window(window, start=start, end=end)
            page = find(Lists(query.tracker), chosen, Scope(**scope), limit, after)
        return success_response(app_context.timestamp, page.items, next_cursor=cursor_of(page.next))

    return view


def _accounts(app_context: AppContext) -> Response:
    with app_context.query() as query:
        return app_context.not_modified(query) or success_response(
            app_context.timestamp, query.tracker.accounts()
        )


def _rejections(app_context: AppContext, limit: int, cursor: PageCursor | None) -> Response:
    after = cursor_from(cursor, int)
    with app_context.query() as query:
        page = Lists(query.tracker).rejections(limit, after)
    rows = [rejection_to_json(row) for row in page.items]
    return success_response(app_context.timestamp, rows, next_cursor=cursor_of(page.next))
