"""What was held before the history begins, stated by a person or taken from the broker's results."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from flask import Response, request

from tearsheet.app.imports.stated_events import ENDS, open_from_reported, settle, state_opening
from tearsheet.app.reports import ImportReport
from tearsheet.errors import NotFoundError, UsageError
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.amount import parse_amount
from tearsheet.trade.value_rule import COIN_PATTERN
from tearsheet.web.http.bodies import is_valid_text, json_object
from tearsheet.web.http.errors import HttpError, rejection_to_json
from tearsheet.web.http.operation import Api, Body, Operation
from tearsheet.web.http.parameters import NAME
from tearsheet.web.http.responses import success_response
from tearsheet.web.schemas.answer import Answer
from tearsheet.web.schemas.imports import StatedEvents
from tearsheet.web.server.context import AppContext

_TEXT = {"type": "string", "pattern": NAME}
_AMOUNT = {"type": "string", "pattern": r"^-?[0-9]{1,18}(\.[0-9]{1,18})?$"}
_CURRENCY = f"^{COIN_PATTERN}$"
_TIME = {"type": "string", "format": "date-time"}
_OPENING = {
    "type": "object",
    "properties": {
        "account": _TEXT,
        "symbol": _TEXT,
        "quantity": _AMOUNT | {"description": "Below 0 for a short position."},
        "cost": _AMOUNT | {"description": "What it had cost in all; without it, its exits have no result."},
        "time": _TIME | {"description": "Since when it is held, at the latest; with an offset."},
        "currency": {"type": "string", "pattern": _CURRENCY},
        "from_reported": {
            "type": "boolean",
            "description": "Take the broker's own results of closing fills without an opening.",
        },
    },
    "required": ["account"],
    "additionalProperties": False,
}
_SETTLEMENT = {
    "type": "object",
    "properties": {
        "account": _TEXT,
        "symbol": _TEXT,
        "price": _AMOUNT | {"description": "At which it ended, 0 for worthless."},
        "quantity": _AMOUNT | {"description": "How much of it ended; without it, all."},
        "time": _TIME | {"description": "When it ended; without it, at its expiry, else now."},
        "how": {"type": "string", "enum": list(ENDS), "description": "How it ended; without it, by expiry."},
    },
    "required": ["account", "symbol", "price"],
    "additionalProperties": False,
}
_UNDO = "It is an import of its own, which can be undone."


def add_openings(api: Api, app_context: AppContext) -> None:
    """Add the operations that state how positions began and ended."""
    api.add(
        Operation(
            method="POST",
            path="/api/openings",
            tag="Imports",
            title="State what was held before the history begins",
            description="With `quantity` and `time`, of an instrument; or with `from_reported`, of one or of all "
            f"whose closing fills state the broker's result: the windows say `opening_from_reported`. {_UNDO}",
            level="write",
            body=Body(
                ("application/json",),
                _OPENING,
                {
                    "account": "U1",
                    "symbol": "NVDA",
                    "quantity": "10",
                    "cost": "1000",
                    "time": "2026-01-01T00:00:00Z",
                },
            ),
            response_type=Answer[StatedEvents],
            statuses=(400, 404, 409, 411, 413, 415, 422),
        ),
        lambda: _change(app_context, _open, *_OPENING["properties"]),  # type: ignore[misc]
    )
    api.add(
        Operation(
            method="POST",
            path="/api/settlements",
            tag="Imports",
            title="State how an open position ended",
            description=f"Such as an option that expired without a row of the statement. {_UNDO}",
            level="write",
            body=Body(
                ("application/json",),
                _SETTLEMENT,
                {"account": "U1", "symbol": "SPY   260306C00690000", "price": "0", "how": "expiry"},
            ),
            response_type=Answer[StatedEvents],
            statuses=(400, 404, 409, 411, 413, 415, 422),
        ),
        lambda: _change(app_context, _settle, *_SETTLEMENT["properties"]),  # type: ignore[misc]
    )


def _change(
    app_context: AppContext,
    change: Callable[[PerformanceTracker, dict[str, Any], str], ImportReport],
    *allowed: str,
) -> Response:
    content = json_object(*allowed)
    for name in ("account", "symbol", "how"):
        value = content.get(name)
        if value is None and name == "account":
            raise HttpError(422, "account is missing", "say whose position it is")
        if value is not None and not is_valid_text(value, NAME):
            raise HttpError(422, f"{name} is {str(value)[:50]!r}", "allowed is a text of 1 to 200 characters")
    currency = content.get("currency")
    if currency is not None and not is_valid_text(currency, _CURRENCY):
        raise HttpError(
            422,
            f"currency is {str(currency)[:50]!r}",
            "use a code of 2 to 10 letters and digits, for example USD",
        )
    try:
        with app_context.keep_worker_alive(), app_context.query() as query:
            report = change(query.tracker, content, app_context.access.client_name(request))
    except NotFoundError as error:
        raise HttpError(404, error.message, error.hint) from None
    except UsageError as error:
        raise HttpError(422, error.message, error.hint) from None
    data = StatedEvents(
        id=report.id,
        events=report.events,
        repeated=report.repeated,
        rejections=tuple(map(rejection_to_json, report.rejections)),  # type: ignore[arg-type]
        revision=report.revision,
    )
    return success_response(
        app_context.timestamp, data, 201 if report.events and not report.repeated else 200
    )


def _open(tracker: PerformanceTracker, content: dict[str, Any], who: str) -> ImportReport:
    account, symbol = content["account"], content.get("symbol")
    if content.get("from_reported") is True:
        if content.keys() - {"account", "symbol", "from_reported"}:
            raise UsageError(
                "from_reported takes neither quantity, cost, time nor currency", "leave them out"
            )
        return open_from_reported(tracker, account, symbol, who)
    quantity, at = _amount(content, "quantity"), _time(content)
    if symbol is None or quantity is None or at is None:
        raise UsageError("an opening has symbol, quantity and time", "state them; or from_reported: true")
    return state_opening(
        tracker, account, symbol, quantity, _amount(content, "cost"), at, content.get("currency"), who
    )


def _settle(tracker: PerformanceTracker, content: dict[str, Any], who: str) -> ImportReport:
    symbol, price = content.get("symbol"), _amount(content, "price")
    if symbol is None or price is None:
        raise UsageError("a settlement has symbol and price", "0 is a price, for what ended worthless")
    how = content.get("how") or ENDS[0]
    return settle(
        tracker, content["account"], symbol, price, _time(content), _amount(content, "quantity"), how, who
    )


def _amount(content: dict[str, Any], name: str) -> Decimal | None:
    value = content.get(name)
    if value is None:
        return None
    try:
        return parse_amount(value if isinstance(value, str) else "")
    except ValueError:
        raise HttpError(
            422, f"{name} is {str(value)[:50]!r}", 'allowed is a number as a text, such as "1250.50"'
        ) from None


def _time(content: dict[str, Any]) -> datetime | None:
    value = content.get("time")
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise HttpError(
            422, f"time is {str(value)[:50]!r}", "allowed is ISO 8601 with an offset: 2026-01-01T00:00:00Z"
        )
    return at
