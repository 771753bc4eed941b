"""What goes wrong in a request, and the status and body it is answered with: the one map of statuses."""

from collections.abc import Sequence
from typing import Any

from flask import Response, request
from msgspec.structs import asdict

from tearsheet import errors
from tearsheet.export.files import json_line
from tearsheet.trade.fill import Rejection
from tearsheet.web.http.environ_keys import REQUEST_ID

#: Every error class has its status; a test proves that none is left out.
STATUSES: dict[type[errors.TearsheetError], int] = {
    errors.TearsheetError: 500,
    errors.UsageError: 422,
    errors.NotFoundError: 404,
    errors.MixedCurrencyError: 422,
    errors.SettingsError: 500,
    errors.OtherRulesError: 503,
    errors.InputError: 422,
    errors.FormatError: 422,
    errors.SchemaError: 503,
    errors.StoreError: 503,
}
#: What a client waits before it asks again, in seconds.
RETRY_AFTER_S = 1
_CONFLICTS = {"conflicting_id", "unknown_instrument", "ambiguous_instrument"}
_KINDS = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    411: "length_required",
    413: "too_large",
    415: "unsupported_media_type",
    422: "bad_request",
    500: "internal",
    503: "store_unavailable",
}


class HttpError(Exception):
    """A request that is not carried out: its status, a message for people, and what to do."""

    def __init__(
        self,
        status: int,
        message: str,
        hint: str = "",
        details: Sequence[Any] = (),
        headers: dict[str, str] | None = None,
        kind: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.hint = hint
        self.details = details
        self.headers = headers or {}
        self.kind = kind or _KINDS.get(status, "bad_request")


def rejected_items(rejections: Sequence[Rejection]) -> HttpError:
    """The refusal of a request whose fills or marks cannot all be used."""
    conflict = all(row.code in _CONFLICTS for row in rejections)
    return HttpError(
        409 if conflict else 422,
        f"{len(rejections)} of the request cannot be used, so nothing of it was kept",
        "correct them and send the whole request again",
        [
            {"index": row.line - 1, "code": row.code, "reason": row.reason, "hint": row.hint}
            for row in rejections
        ],
    )


def from_error(error: errors.TearsheetError) -> HttpError:
    """The refusal that an error of Tearsheet's comes to; what is our own fault is not told."""
    status = STATUSES[type(error)]
    if status == 500:
        return internal_error()
    if status == 503:
        return HttpError(503, "the ledger cannot be used now", "ask again", headers=_RETRY)
    return HttpError(status, error.message, error.hint)


def internal_error() -> HttpError:
    """The refusal of a request that met a fault of ours; the log tells more under its id."""
    return HttpError(500, "internal error", "the log tells more under this error's id")


_RETRY = {"Retry-After": str(RETRY_AFTER_S)}


def error_response(refused: HttpError, now: str) -> Response:
    """The error body, with the request's id so that it is found in the log."""
    error: dict[str, Any] = {
        "code": refused.status,
        "type": refused.kind,
        "message": refused.message,
        "hint": refused.hint or None,
        "timestamp": now,
        "id": request.environ[REQUEST_ID],
    }
    if refused.details:
        error["details"] = list(refused.details)
    body = json_line({"status": "error", "error": error}) + b"\n"
    response = Response(body, refused.status, mimetype="application/json")
    response.headers.update(refused.headers)
    return response


def rejection_to_json(rejection: Rejection) -> dict[str, Any]:
    """A rejection as it is listed."""
    return {name: value for name, value in asdict(rejection).items() if value is not None}
