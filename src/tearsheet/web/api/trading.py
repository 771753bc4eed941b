"""What happened: fills, positions, accounts and alerts to read; fills, files and marks to write."""

from collections.abc import Callable
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, request
from msgspec.structs import asdict

from tearsheet.app.analysis.lists import Lists, Page, PageCursor, PositionView
from tearsheet.app.imports.api_posts import ApiWrites
from tearsheet.app.imports.formats import FILL_SCHEMA, MARK_SCHEMA, known_formats, time_zone_names
from tearsheet.app.reports import WriteReport, WriteRequest
from tearsheet.errors import FormatError, UsageError
from tearsheet.performance.summary import Scope
from tearsheet.rules import AlertEvent
from tearsheet.trade.fill import Fill
from tearsheet.trade.session import WindowKind
from tearsheet.web.api.alert_filter import filter_from, filter_parameters
from tearsheet.web.api.charts import TAG
from tearsheet.web.api.performance import json_success
from tearsheet.web.http import parameters
from tearsheet.web.http.bodies import (
    BY,
    NOTE,
    check_content_type,
    cursor_from,
    idempotency_key,
    is_valid_text,
    json_object,
)
from tearsheet.web.http.errors import HttpError, rejected_items, rejection_to_json
from tearsheet.web.http.names import REQUEST_ID
from tearsheet.web.http.operation import Api, Body, Operation, Parameter
from tearsheet.web.http.parameters import cursor_of
from tearsheet.web.schemas.answer import Answer, PageAnswer
from tearsheet.web.schemas.trading import RejectionView, WriteResult
from tearsheet.web.server.context import AppContext, json_response

_MOST_SHOWN = 100
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
_EXAMPLE_MARK = {"symbol": "ES 12-26", "price": 6720.5, "time": "2026-11-20T15:00:00Z"}


def add_list_endpoints(api: Api, served: AppContext) -> None:
    """Add what can be read."""
    stretch = (
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
                *stretch,
                *parameters.SCOPE,
                TAG,
                *parameters.PAGE,
            ),
            response_type=PageAnswer[PositionView],
            statuses=(304, 422),
            aliases=("/api/performance/positions",),
        ),
        _positions_view(served),
    )
    api.add(
        Operation(
            method="GET",
            path="/api/fills",
            tag="Trading",
            title="Fills, the newest first",
            description="Results that a bot logged are positions, not fills.",
            parameters=(*stretch, *parameters.SCOPE, *parameters.PAGE),
            response_type=PageAnswer[Fill],
            statuses=(304, 422),
            aliases=("/api/performance/fills",),
        ),
        _fills_view(served),
    )
    api.add(
        Operation(
            method="GET",
            path="/api/accounts",
            tag="Trading",
            title="Every account that traded",
            response_type=Answer[tuple[str, ...]],
            statuses=(304,),
            aliases=("/api/performance/accounts",),
        ),
        lambda: _accounts(served),
    )
    api.add(
        Operation(
            method="GET",
            path="/api/rejections",
            tag="Trading",
            title="Lines that could not be used",
            parameters=parameters.PAGE,
            response_type=PageAnswer[RejectionView],
            statuses=(422,),
        ),
        lambda limit, cursor: _rejections(served, limit, cursor),
    )


def add_alerts(api: Api, served: AppContext) -> None:
    """Add the alerts and their acknowledgement."""
    api.add(
        Operation(
            method="GET",
            path="/api/alerts",
            tag="Alerts",
            title="Alerts, the newest first",
            parameters=(*filter_parameters("all"), *parameters.PAGE),
            response_type=PageAnswer[AlertEvent],
            statuses=(422,),
            aliases=("/api/performance/alerts",),
        ),
        lambda limit, cursor, **wish: _alerts(served, limit, cursor, wish),
    )
    api.add(
        Operation(
            method="GET",
            path="/api/alerts/{alert}/changes",
            tag="Alerts",
            title="The life of an alert, from its beginning on",
            in_path=(parameters.ALERT_ID,),
            response_type=Answer[tuple[AlertEvent, ...]],
            statuses=(404, 422),
            aliases=("/api/performance/alerts/{alert}/changes",),
        ),
        lambda alert: _alert_changes(served, alert),
    )
    api.add(
        Operation(
            method="POST",
            path="/api/alerts/{alert}/acknowledge",
            tag="Alerts",
            title="Say that somebody has seen an alert",
            level="write",
            in_path=(parameters.ALERT_ID,),
            body=Body(("application/json",), _ACKNOWLEDGEMENT, {"by": "kim", "note": "flat"}),
            response_type=Answer[AlertEvent],
            statuses=(400, 404, 411, 413, 415, 422),
            aliases=("/api/performance/alerts/{alert}/acknowledge",),
        ),
        lambda alert: _acknowledge(served, alert),
    )


def add_write_endpoints(api: Api, served: AppContext) -> None:
    """Add what brings facts in."""
    for name, schema, example, title in (
        ("fills", FILL_SCHEMA, _EXAMPLE_FILL, "Keep fills, all or none"),
        ("marks", MARK_SCHEMA, _EXAMPLE_MARK, "Keep last known prices, all or none"),
    ):
        api.add(
            Operation(
                method="POST",
                path=f"/api/{name}",
                tag="Trading",
                title=title,
                level="write",
                description=f"One object, a list, or an object with `{name}`. A repeated one changes nothing.",
                body=Body(("application/json",), _one_or_many(schema, name), example),
                response_type=Answer[WriteResult],
                statuses=(400, 409, 411, 413, 415, 422),
            ),
            _post_view(served, name),
        )


def _one_or_many(schema: dict[str, Any], name: str) -> dict[str, Any]:
    many = {"type": "array", "items": schema, "minItems": 1}
    named = {"type": "object", "properties": {name: many}, "required": [name], "additionalProperties": False}
    return {"anyOf": [schema, many, named]}


_ACKNOWLEDGEMENT = {
    "type": "object",
    "properties": {
        "by": {"type": "string", "pattern": BY, "description": "Who has seen it."},
        "note": {
            "anyOf": [{"type": "string", "pattern": NOTE}, {"type": "null"}],
            "description": "What they say of it.",
        },
    },
    "required": ["by"],
    "additionalProperties": False,
}


def _parse_zone(text: str) -> ZoneInfo:
    if text not in time_zone_names():
        raise ValueError("allowed is an IANA name such as America/Chicago")
    return ZoneInfo(text)


#: What is said of a file that is brought.
IMPORT_PARAMETERS = (
    Parameter(
        "timezone",
        "Zone of the times in a file that names none.",
        {"type": "string", "enum": time_zone_names()},
        _parse_zone,
    ),
    parameters.ACCOUNT,
    parameters.choice("format", "The file's format, where it is not recognised.", *sorted(known_formats())),
    parameters.choice(
        "date_order", "What stands first in dates such as 3/4/2026.", "day-first", "month-first"
    ),
)


def _positions_view(served: AppContext) -> Callable[..., Response]:
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
        with served.query(noted=True) as asked:
            if (same := served.not_modified(asked)) is not None:
                return same
            lists, whose = Lists(asked.tracker), Scope(**scope)
            if state == "open":
                page = Page(lists.open_positions(whose, tag), None)
            else:
                chosen = asked.tracker.window(window, start=start, end=end)
                page = lists.closed_trades(chosen, whose, limit, after, tag)
        return json_response(json_success(served, page.items, next_cursor=cursor_of(page.next)))

    return view


def _fills_view(served: AppContext) -> Callable[..., Response]:
    def view(
        window: WindowKind,
        start: date | None,
        end: date | None,
        limit: int,
        cursor: PageCursor | None,
        **scope: Any,
    ) -> Response:
        after = cursor_from(cursor, int)
        with served.query() as asked:
            if (same := served.not_modified(asked)) is not None:
                return same
            chosen = asked.tracker.window(window, start=start, end=end)
            page = Lists(asked.tracker).fills(chosen, Scope(**scope), limit, after)
        return json_response(json_success(served, page.items, next_cursor=cursor_of(page.next)))

    return view


def _accounts(served: AppContext) -> Response:
    with served.query() as asked:
        return served.not_modified(asked) or json_response(json_success(served, asked.tracker.accounts()))


def _rejections(served: AppContext, limit: int, cursor: PageCursor | None) -> Response:
    after = cursor_from(cursor, int)
    with served.query() as asked:
        page = Lists(asked.tracker).rejections(limit, after)
    rows = [rejection_to_json(row) for row in page.items]
    return json_response(json_success(served, rows, next_cursor=cursor_of(page.next)))


def _alerts(served: AppContext, limit: int, cursor: PageCursor | None, wish: dict[str, Any]) -> Response:
    after = cursor_from(cursor, str)
    with served.query() as asked:
        wished = filter_from(asked.tracker.settings.calendar, **wish)
        page = asked.tracker.alerts.page(limit, after, wished)
    return json_response(json_success(served, page.items, next_cursor=cursor_of(page.next)))


def _alert_changes(served: AppContext, alert: str) -> Response:
    with served.query() as asked:
        return json_response(json_success(served, asked.tracker.alerts.changes(alert)))


def _acknowledge(served: AppContext, alert: str) -> Response:
    content = json_object("by", "note")
    by, note = content.get("by"), content.get("note")
    if not is_valid_text(by, BY) or not (note is None or is_valid_text(note, NOTE)):
        raise HttpError(422, "an acknowledgement says by whom, in 1 to 100 characters", 'send {"by": "…"}')
    with served.query() as asked:
        seen = asked.tracker.alerts.acknowledge(alert, str(by), note, served.now)
    return json_response(json_success(served, seen))


def _post_view(served: AppContext, name: str) -> Callable[..., Response]:
    def view() -> Response:
        check_content_type("application/json")
        asked_for = WriteRequest(
            request.get_data(), f"POST /api/{name} {request.environ[REQUEST_ID]}", idempotency_key()
        )
        try:
            with served.trackers.borrow() as tracker:
                posts = ApiWrites(tracker)
                report: WriteReport = (posts.fills if name == "fills" else posts.marks)(asked_for)
        except FormatError as error:
            raise HttpError(400, error.message, error.hint) from None
        except UsageError as error:  # a key that was used for another request
            raise HttpError(409, error.message, error.hint) from None
        if report.rejections:
            raise rejected_items(report.rejections)
        data = asdict(report)
        del data["rejections"]
        return json_response(json_success(served, data), 201 if report.new and not report.repeated else 200)

    return view


def sanitize_file_name(name: str | None) -> str:
    """A file's name as its rejections bear it; nothing is opened by it."""
    bare = (name or "").replace("\\", "/").rpartition("/")[2]
    shown = "".join(c if c.isprintable() else "\ufffd" for c in bare)[:200]
    return shown or "upload"
