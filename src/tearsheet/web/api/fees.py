"""The fee schedule: fees of trades whose source states none."""

import re
from typing import Any

from flask import Response, request
from msgspec.structs import replace

from tearsheet.app.config.edit_fees import RULE_KEYS, FeeRules, FeesEditor
from tearsheet.errors import ChangedMeanwhileError, SettingsError, UsageError
from tearsheet.trade.value_rule import text_rule
from tearsheet.web.http.bodies import is_valid_text, json_object
from tearsheet.web.http.errors import HttpError
from tearsheet.web.http.operation import Api, Body, Operation, Parameter
from tearsheet.web.http.parameters import NAME
from tearsheet.web.http.responses import success_response
from tearsheet.web.schemas.answer import Answer
from tearsheet.web.server.context import AppContext

_TEXT = {"type": "string", "pattern": NAME}
_AMOUNT = {"type": "string", "pattern": r"^[0-9]{1,12}(\.[0-9]{1,12})?$"}
_TEXTS = ("account", "venue", "root", "symbol", "asset_class", "from")
_RULE = {
    "type": "object",
    "properties": {key: _TEXT if key in _TEXTS else _AMOUNT for key in RULE_KEYS},
    "additionalProperties": False,
}
_EXAMPLE = {"root": "MNQ", "per_contract": "0.52", "from": "2026-01-01"}


def _hash(text: str) -> str:
    if re.fullmatch(r"[0-9a-f]{0,64}", text):
        return text
    raise ValueError


def _number(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 6 and int(text) > 0:
        return int(text)
    raise ValueError("allowed is the number of a rule, from 1 on")


_NUMBER = Parameter(
    "number", "The rule's place in the list, from 1 on.", {"type": "integer", "minimum": 1}, _number
)
#: `digest` of a schedule is empty where there is no file yet.
_DIGEST = Parameter(
    "digest",
    "The `digest` of the schedule that this change is based on; upon another one it is refused (409).",
    {"type": "string", "pattern": "^([0-9a-f]{1,64})?$"},
    text_rule("the digest that GET /api/fees shows", _hash).parse,
)


def add_fees(api: Api, app_context: AppContext) -> None:
    """Add the operations under `/api/fees`."""
    api.add(
        Operation(
            method="GET",
            path="/api/fees",
            tag="Imports",
            title="The fee schedule",
            description="It gives the fees of trades whose source states none; `digest` is the hash of its file.",
            response_type=Answer[FeeRules],
        ),
        lambda: _show(app_context),
    )
    api.add(
        Operation(
            method="POST",
            path="/api/fees",
            tag="Imports",
            title="Add a rule to the fee schedule, or replace the one that names the same",
            description="Amounts are texts, in the currency of the instrument; they are added. The change is recorded "
            "with the token's name, and the books are rebuilt by it. It needs a token made with `--risk`.",
            level="risk",
            parameters=(_DIGEST,),
            body=Body(("application/json",), _RULE, _EXAMPLE),
            response_type=Answer[FeeRules],
            statuses=(400, 409, 411, 413, 415, 422),
        ),
        lambda digest: _set(app_context, digest),
    )
    api.add(
        Operation(
            method="DELETE",
            path="/api/fees/{number}",
            tag="Imports",
            title="Remove a rule of the fee schedule",
            description="A number is a place in the schedule that `digest` names.",
            level="risk",
            parameters=(replace(_DIGEST, required=True),),
            in_path=(_NUMBER,),
            response_type=Answer[FeeRules],
            statuses=(404, 409, 422),
        ),
        lambda number, digest: _remove(app_context, number, digest),
    )


def _show(app_context: AppContext) -> Response:
    with app_context.query() as query:
        return success_response(app_context.timestamp, FeesEditor(query.tracker).show())


def _set(app_context: AppContext, digest: str | None) -> Response:
    content: dict[str, Any] = json_object(*RULE_KEYS)
    for key, value in content.items():
        if not is_valid_text(value, NAME):
            raise HttpError(
                422, f"{key} is {str(value)[:50]!r}", 'allowed is a text, also for an amount: "0.52"'
            )
    try:
        with app_context.keep_worker_alive(), app_context.query() as query:
            who = app_context.access.client_name(request)
            found = FeesEditor(query.tracker).set_rule(content, who, digest)
    except ChangedMeanwhileError:
        raise
    except (SettingsError, UsageError) as error:
        raise HttpError(422, error.message, error.hint) from None
    return success_response(app_context.timestamp, found)


def _remove(app_context: AppContext, number: int, digest: str) -> Response:
    try:
        with app_context.keep_worker_alive(), app_context.query() as query:
            who = app_context.access.client_name(request)
            found = FeesEditor(query.tracker).remove_rule(number, who, digest)
    except UsageError as error:
        raise HttpError(409, error.message, error.hint) from None
    return success_response(app_context.timestamp, found)
