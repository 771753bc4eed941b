"""Request bodies and headers: JSON objects, texts, idempotency keys, cursors."""

import json
import re
from typing import Any

from flask import request

from tearsheet.store.list_values import PageCursor
from tearsheet.web.http.errors import HttpError

_KEY = "Idempotency-Key"
#: Bytes of a body that is one object of texts.
_MOST_OBJECT_BYTES = 200_000
#: Objects of one request; 6 million empty ones took 190 s and 5.5 GB to refuse one by one.
MOST_OBJECTS = 20_000
_VALUES_OF_OBJECT = 20
_LONG_NUMBER = 20
#: Pattern of a person's name, and of a short text of theirs.
BY = r"^[^\s\u0000-\u001f\u007f-\u009f]([^\u0000-\u001f\u007f-\u009f]{0,99})$"
NOTE = r"^[^\u0000-\u0008\u000b-\u001f\u007f-\u009f]{1,1000}$"


def is_valid_text(text: Any, pattern: str) -> bool:
    """Return whether a value is a text that matches a pattern as a whole, without lone surrogates."""
    if not isinstance(text, str) or any("\ud800" <= sign <= "\udfff" for sign in text):
        return False
    return re.fullmatch(pattern, text) is not None


def json_object(*allowed: str) -> dict[str, Any]:
    """Return the JSON object of the request. Raises HttpError for another body or an unknown field."""
    check_content_type("application/json")
    content = _parse_json(request.get_data())
    fields = ", ".join(f'"{name}": "…"' for name in allowed)
    if not isinstance(content, dict):
        raise HttpError(400, "the body must be a JSON object", f"send {{{fields}}}")
    if unknown := sorted(content.keys() - set(allowed)):
        raise HttpError(422, f"{unknown[0]!r} is no field", f"allowed are {', '.join(allowed)}")
    return content


def _parse_json(body: bytes) -> Any:
    """Return the content of a body, None if it is no JSON. Raises HttpError for one that is too large or deep."""
    if len(body) > _MOST_OBJECT_BYTES:
        raise HttpError(413, "request body too large", f"allowed are {_MOST_OBJECT_BYTES:,} bytes here")
    try:
        return json.loads(body, parse_int=_parse_int)
    except RecursionError:
        raise HttpError(422, "the body is nested too deeply", "send one flat object") from None
    except ValueError:
        return None


def _parse_int(text: str) -> int | float:
    """Return an integer; one of more digits than any field has as a float, as `int` refuses 5,000 digits."""
    return int(text) if len(text) < _LONG_NUMBER else float(text)


def check_json_counts(body: bytes) -> None:
    """Raise 413 for a body with more objects or values than one request may have, before it is parsed."""
    if body.count(b"{") > MOST_OBJECTS + 1 or body.count(b",") > MOST_OBJECTS * _VALUES_OF_OBJECT:
        raise HttpError(
            413,
            f"the request has more than {MOST_OBJECTS:,} objects or {_VALUES_OF_OBJECT} values an object",
            "send several requests",
        )


def check_content_type(*allowed: str) -> None:
    """Raise HttpError for a body of another media type (415) or without Content-Length (411)."""
    if request.mimetype not in allowed:
        raise HttpError(415, f"the body is {request.mimetype or 'of no type'}", f"send {', '.join(allowed)}")
    if request.content_length is None:  # a body cut off at the size limit must not pass for a complete one
        raise HttpError(411, "Content-Length is required", "send it with Content-Length")


def idempotency_key(client: str) -> str | None:
    """Return the request's idempotency key with the client's name, if any: a key belongs to a token.

    Raises HttpError for an invalid one.
    """
    key = request.headers.get(_KEY)
    if key is None:
        return None
    if not re.fullmatch("[!-~]{1,200}", key):
        raise HttpError(
            422, f"the header {_KEY} is {key[:50]!r}", "allowed are 1 to 200 visible ASCII characters"
        )
    return f"{client} {key}"  # a key has no space, so a name with one is not ambiguous


def cursor_from(cursor: PageCursor | None, kind: type[int] | type[str]) -> PageCursor | None:
    """Return a cursor whose ID has this type. Raises HttpError for the cursor of another list."""
    if cursor is not None and not isinstance(cursor.id, kind):
        raise HttpError(422, "the cursor belongs to another list", "take `next_cursor` of this one")
    return cursor
