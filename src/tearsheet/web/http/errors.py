"""HTTP errors: the status of every error class, and the error body."""

from collections.abc import Sequence
from typing import Any

from flask import Response, request

from tearsheet import errors
from tearsheet.export.files import json_line
from tearsheet.trade.fill import Rejection
from tearsheet.web.http.environ_keys import REQUEST_ID

#: Status of every error class; a test proves that the map is complete.
STATUSES: dict[type[errors.TearsheetError], int] = {
    errors.TearsheetError: 500,
    errors.UsageError: 422,
    errors.ChangedMeanwhileError: 409,
    errors.NotFoundError: 404,
    errors.MixedCurrencyError: 422,
    errors.SettingsError: 500,
    errors.OtherRulesError: 503,
    errors.MissingSourceError: 503,
    errors.InputError: 422,
    errors.FormatError: 422,
    errors.SchemaError: 503,
    errors.StoreError: 503,
    errors.LedgerGoneError: 503,
    errors.OtherLedgerError: 503,
    errors.InexactError: 422,
    errors.MissingExtra: 500,
}
#: Seconds before a client should retry.
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
    """A rejected request: status, message for people, and a hint what to do."""

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
    """Return the error of a request with invalid fills or marks; 409 if all of them conflict with the ledger."""
    is_conflict = all(row.code in _CONFLICTS for row in rejections)
    return HttpError(
        409 if is_conflict else 422,
        f"{len(rejections)} of the request are invalid; nothing was saved",
        "correct them and send the request again",
        [
            {"index": row.line - 1, "code": row.code, "reason": row.reason, "hint": row.hint}
            for row in rejections
        ],
    )


def from_error(error: errors.TearsheetError) -> HttpError:
    """Return the HTTP error of a TearsheetError; the message of an internal error stays in the log."""
    status = STATUSES[type(error)]
    if status == 500:
        return internal_error()
    if isinstance(error, errors.LedgerGoneError | errors.OtherLedgerError):
        what = "gone" if isinstance(error, errors.LedgerGoneError) else "not the one that is known"
        return HttpError(
            503,
            f"the ledger is {what}; nothing is answered from another one",
            "an operator brings it back or decides: `tearsheet sources`",
            headers=_RETRY,
            kind=error.code,
        )
    if isinstance(error, errors.MissingSourceError):
        return HttpError(
            503,
            "a file or folder that the settings name or the books depend on is not there",
            "the log tells which one; bring it back, or decide: `tearsheet sources`",
            headers=_RETRY,
            kind=error.code,
        )
    if status == 503:
        return HttpError(503, "the ledger is unavailable", "ask again", headers=_RETRY)
    return HttpError(status, error.message, error.hint)


def internal_error() -> HttpError:
    """Return the 500 error; the log has the details, under the request ID."""
    return HttpError(500, "internal error", "see the server log for this request ID")


_RETRY = {"Retry-After": str(RETRY_AFTER_S)}


def error_response(error: HttpError, timestamp: str) -> Response:
    """Return the response of an error, with the request ID under which the log has it."""
    content: dict[str, Any] = {
        "code": error.status,
        "type": error.kind,
        "message": error.message,
        "hint": error.hint or None,
        "timestamp": timestamp,
        "id": request.environ[REQUEST_ID],
    }
    if error.details:
        content["details"] = list(error.details)
    body = json_line({"status": "error", "error": content}) + b"\n"
    response = Response(body, error.status, mimetype="application/json")
    response.headers.update(error.headers)
    return response


def rejection_to_json(rejection: Rejection) -> dict[str, Any]:
    """Return a rejection as JSON fields, without those that are None."""
    values = ((name, getattr(rejection, name)) for name in Rejection.__struct_fields__)
    return {name: value for name, value in values if value is not None}
