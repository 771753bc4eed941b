"""Known sources that are gone or have lost records, and decisions on them."""

from flask import Response, request
from msgspec import Struct

from tearsheet.app.config.source_decisions import DECISIONS, Doubt, decide, doubts
from tearsheet.web.http.bodies import json_object
from tearsheet.web.http.errors import HttpError
from tearsheet.web.http.operation import Api, Body, Operation
from tearsheet.web.http.parameters import NAME
from tearsheet.web.http.responses import success_response
from tearsheet.web.schemas.answer import Answer
from tearsheet.web.server.context import AppContext

_DECISION = {
    "type": "object",
    "properties": {
        "source": {"type": "string", "pattern": NAME, "description": "Its name, as it is listed."},
        "decision": {"type": "string", "enum": list(DECISIONS)},
    },
    "required": ["source", "decision"],
    "additionalProperties": False,
}
_EXAMPLE = {"source": "2026-11-30.jsonl", "decision": "keep"}
_DESCRIPTION = (
    "`keep`: what was read goes on, and its absence is normal. `accept`: what is there now is all; what was read "
    "beyond it is taken out. `forget`: the source is given up with what was read of it. It is recorded with the "
    "token's name, which was made with `--risk`."
)


class SourceList(Struct, frozen=True, kw_only=True):
    """The identity and revision of the ledger, and what of its sources is in doubt."""

    ledger: str
    revision: int
    doubts: tuple[Doubt, ...]


def add_sources(api: Api, app_context: AppContext) -> None:
    """Add the operations under `/api/sources`."""
    api.add(
        Operation(
            method="GET",
            path="/api/sources",
            tag="Sources",
            title="Known sources that are gone, or have lost records",
            description="What needs them is partial, and its limits unknown, until they are back or somebody decides.",
            response_type=Answer[SourceList],
        ),
        lambda: _sources(app_context),
    )
    api.add(
        Operation(
            method="POST",
            path="/api/sources/decisions",
            tag="Sources",
            title="Decide on a source that is in doubt",
            description=_DESCRIPTION,
            level="risk",
            body=Body(("application/json",), _DECISION, _EXAMPLE),
            response_type=Answer[tuple[Doubt, ...]],
            statuses=(400, 411, 413, 415, 422),
        ),
        lambda: _decide(app_context),
    )


def _sources(app_context: AppContext) -> Response:
    with app_context.query() as query:
        tracker = query.tracker
        found = SourceList(
            ledger=tracker.known.identity or "", revision=tracker.revision, doubts=tuple(doubts(tracker))
        )
    return success_response(app_context.timestamp, found)


def _decide(app_context: AppContext) -> Response:
    content = json_object("source", "decision")
    source, decision = content.get("source"), content.get("decision")
    chosen = next((one for one in DECISIONS if one == decision), None)
    if not isinstance(source, str) or chosen is None:
        raise HttpError(
            422, "a decision names a source and what is decided", f"one of {', '.join(DECISIONS)}"
        )
    with app_context.keep_worker_alive(), app_context.query() as query:
        ended = decide(query.tracker, source, chosen, app_context.access.client_name(request))
    return success_response(app_context.timestamp, tuple(ended))
