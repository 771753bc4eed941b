"""Posts of items that are kept all or none, and once for each idempotency key."""

from collections.abc import Callable
from typing import Any

from flask import Response, request
from msgspec import Struct
from msgspec.structs import asdict

from tearsheet.app.reports import RatesReport, WriteReport, WriteRequest
from tearsheet.errors import FormatError, UsageError
from tearsheet.tracker import PerformanceTracker
from tearsheet.web.http.bodies import check_content_type, check_json_counts, idempotency_key
from tearsheet.web.http.environ_keys import REQUEST_ID
from tearsheet.web.http.errors import HttpError, rejected_items
from tearsheet.web.http.responses import success_response
from tearsheet.web.server.context import AppContext

#: What saves the items of a request.
Write = Callable[[PerformanceTracker, WriteRequest], WriteReport | RatesReport]


def one_or_many(schema: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the JSON Schema of one item, a list of them, or an object with the list."""
    many = {"type": "array", "items": schema, "minItems": 1}
    named = {"type": "object", "properties": {name: many}, "required": [name], "additionalProperties": False}
    return {"anyOf": [schema, many, named]}


def post_view(app_context: AppContext, name: str, write: Write) -> Callable[[], Response]:
    """Return a view that saves the items of a request."""

    def view() -> Response:
        check_content_type("application/json")
        body = request.get_data()
        check_json_counts(body)
        write_request = WriteRequest(
            body,
            f"{request.method} /api/{name} {request.environ[REQUEST_ID]}",
            idempotency_key(app_context.access.client_name(request)),
        )
        try:
            with app_context.tracker_pool.borrow() as tracker:
                report = write(tracker, write_request)
        except FormatError as error:
            raise HttpError(400, error.message, error.hint) from None
        except UsageError as error:  # the idempotency key was already used for a different request
            raise HttpError(409, error.message, error.hint) from None
        if report.rejections:
            raise rejected_items(report.rejections)
        is_created = request.method == "POST" and report.new and not report.repeated
        return success_response(
            app_context.timestamp, _without_rejections(report), 201 if is_created else 200
        )

    return view


def _without_rejections(report: Struct) -> dict[str, Any]:
    return {name: value for name, value in asdict(report).items() if name not in ("rejections", "rejected")}
