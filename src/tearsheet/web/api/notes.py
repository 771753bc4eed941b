"""Notes and tags on positions; a write names the version it is based on (optimistic locking)."""

from collections.abc import Callable
from typing import Any

from flask import Response, request
from msgspec.structs import asdict

from tearsheet.app.analysis.notes import NoteView, TagCount, TradeNotes
from tearsheet.errors import UsageError
from tearsheet.trade.note import (
    MAX_TAG_LENGTH,
    MAX_TAGS,
    MAX_TEXT_LENGTH,
    NoteText,
    NoteVersion,
    validate_note,
)
from tearsheet.web.http import parameters
from tearsheet.web.http.bodies import json_object
from tearsheet.web.http.errors import HttpError
from tearsheet.web.http.operation import Api, Body, Operation, Parameter
from tearsheet.web.http.responses import success_response
from tearsheet.web.schemas.answer import Answer
from tearsheet.web.server.context import AppContext

AFTER = Parameter("after", "Only notes with a later id.", parameters.NOTE_ID.schema, parameters.NOTE_ID.read)
_MAX_VERSION = 1_000_000_000
_NOTE = {
    "type": "object",
    "properties": {
        "text": {
            "type": "string",
            "maxLength": MAX_TEXT_LENGTH,
            "description": "What is said, with line breaks. Empty and without tags it takes the note back.",
        },
        "tags": {
            "type": "array",
            "maxItems": MAX_TAGS,
            "items": {"type": "string", "minLength": 1, "maxLength": MAX_TAG_LENGTH},
            "description": "Words to find the position by, kept in small letters; no commas or control characters.",
        },
        "version": {
            "type": "integer",
            "minimum": 0,
            "maximum": _MAX_VERSION,
            "description": "The version that this is written upon; 0 where nothing was said yet.",
        },
    },
    "required": ["text", "tags", "version"],
    "additionalProperties": False,
}
_EXAMPLE = {"text": "Chased it; wait for the retest.", "tags": ["fomo", "breakout"], "version": 0}
_DESCRIPTION = (
    "Replaces the whole note. An identical request changes nothing. If `version` is not the latest, the "
    "request fails with 409 and names the last editor. Notes never affect results."
)


def add_notes(api: Api, app_context: AppContext) -> None:
    """Add the operations of notes and tags."""
    for operation, view in (*_reads(app_context), *_writes(app_context)):
        api.add(operation, view)


def _reads(app_context: AppContext) -> list[tuple[Operation, Callable[..., Response]]]:
    return [
        (
            Operation(
                method="GET",
                path="/api/positions/{position}/notes",
                tag="Notes",
                in_path=(parameters.POSITION_ID,),
                title="What is said of a position",
                response_type=Answer[tuple[NoteView, ...]],
                statuses=(304, 404, 422),
            ),
            lambda position: _respond(app_context, lambda notes: notes.for_trade(position)),
        ),
        (
            Operation(
                method="GET",
                path="/api/notes/{note}/versions",
                tag="Notes",
                in_path=(parameters.NOTE_ID,),
                title="Everything that a note ever said",
                response_type=Answer[tuple[NoteVersion, ...]],
                statuses=(304, 422),
            ),
            lambda note: _respond(app_context, lambda notes: notes.versions(note)),
        ),
        (
            Operation(
                method="GET",
                path="/api/orphaned-notes",
                tag="Notes",
                parameters=(parameters.LIMIT, AFTER),
                title="Notes whose fill is not in the ledger now",
                response_type=Answer[tuple[NoteView, ...]],
                statuses=(304, 422),
                description="Its import was undone, or its log written anew. They come back with it.",
            ),
            lambda limit, after: _respond(app_context, lambda notes: notes.unattached(limit, after or "")),
        ),
        (
            Operation(
                method="GET",
                path="/api/tags",
                tag="Notes",
                title="Every tag",
                response_type=Answer[tuple[TagCount, ...]],
                statuses=(304,),
            ),
            lambda: _respond(app_context, lambda notes: notes.tags()),
        ),
    ]


def _writes(app_context: AppContext) -> list[tuple[Operation, Callable[..., Response]]]:
    body = Body(("application/json",), _NOTE, _EXAMPLE)
    statuses = (400, 404, 409, 411, 413, 415, 422)
    return [
        (
            Operation(
                method="PUT",
                path="/api/positions/{position}/notes",
                tag="Notes",
                level="write",
                in_path=(parameters.POSITION_ID,),
                title="Say something of a position",
                description=_DESCRIPTION,
                body=body,
                response_type=Answer[NoteView],
                statuses=statuses,
            ),
            lambda position: _write(app_context, lambda notes, *args: notes.write(position, *args)),
        ),
        (
            Operation(
                method="PUT",
                path="/api/notes/{note}",
                tag="Notes",
                level="write",
                in_path=(parameters.NOTE_ID,),
                title="Write a note again by its id",
                description=f"Also one whose fill is gone. {_DESCRIPTION}",
                body=body,
                response_type=Answer[NoteView],
                statuses=statuses,
            ),
            lambda note: _write(app_context, lambda notes, *args: notes.rewrite(note, *args)),
        ),
    ]


def _respond(app_context: AppContext, load: Callable[[TradeNotes], object]) -> Response:
    with app_context.query(with_notes=True) as query:
        return app_context.not_modified(query) or success_response(
            app_context.timestamp, load(TradeNotes(query.tracker))
        )


def _write(app_context: AppContext, write: Callable[..., NoteView]) -> Response:
    text, version = _parse_body()
    with app_context.tracker_pool.borrow() as tracker:
        try:
            note = write(TradeNotes(tracker), text, app_context.access.client_name(request), version)
        except UsageError as error:
            raise HttpError(409, error.message, error.hint) from None
    return success_response(app_context.timestamp, asdict(note))


def _parse_body() -> tuple[NoteText, int]:
    """Return the note and the version it is based on. Raises HttpError, UsageError."""
    content = json_object("text", "tags", "version")
    text, tags, version = (content.get(name) for name in ("text", "tags", "version"))
    if not isinstance(text, str) or not _is_string_list(tags):
        raise HttpError(422, "the body needs `text` and `tags`", _HINT)
    if type(version) is not int or not 0 <= version <= _MAX_VERSION:
        raise HttpError(422, f"the version is {str(version)[:50]!r}, not a whole number", _HINT)
    return validate_note(text, tags or ()), version


def _is_string_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


_HINT = 'send {"text": "…", "tags": ["…"], "version": 0}, with the version returned by GET'
