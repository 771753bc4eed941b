"""Known sources that are gone or have lost records, and decisions on them."""

from datetime import datetime

from flask import Response, request
from msgspec import Struct, convert

from tearsheet.app.config.source_decisions import DECISIONS, Doubt, decide, doubts
from tearsheet.app.feeds import feeds
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


class FeedAge(Struct, frozen=True, kw_only=True):
    """A kind of source: trade log, posts, or a broker's format.

    `sources` counts its files or requests. `last_at` is the time of the last thing that it said, and `age_s` how long
    ago that was, null if it said nothing yet; `read_at` is when something of it was read last.
    """

    name: str
    sources: int
    last_at: datetime | None
    age_s: float | None
    read_at: datetime


class SourceList(Struct, frozen=True, kw_only=True):
    """The identity and revision of the ledger, what of its sources is in doubt, and how old each kind of them is."""

    ledger: str
    revision: int
    doubts: tuple[Doubt, ...]
    feeds: tuple[FeedAge, ...]


def add_sources(api: Api, app_context: AppContext) -> None:
    """Add the operations under `/api/sources`."""
    api.add(
        Operation(
            method="GET",
            path="/api/sources",
            tag="Sources",
            title="Known sources: their age, and what of them is gone or has lost records",
            description="The age of a feed is that of what it said last, not of the last look at it. What needs a "
            "source in doubt is partial, and its limits unknown, until it is back or somebody decides.",
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
            ledger=tracker.known.identity or "",
            revision=tracker.revision,
            doubts=tuple(doubts(tracker)),
            feeds=tuple(convert(feed, FeedAge, from_attributes=True) for feed in feeds(tracker)),
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
