"""What requests bring besides parameters: JSON objects, texts that people say, idempotency keys, cursors."""

import re
from typing import Any

from flask import request

from tearsheet.app.analysis.lists import PageCursor
from tearsheet.web.http.errors import HttpError

_KEY = "Idempotency-Key"
#: Who says something, and what they say.
BY = r"^[^\s\u0000-\u001f\u007f-\u009f]([^\u0000-\u001f\u007f-\u009f]{0,99})$"
NOTE = r"^[^\u0000-\u0008\u000b-\u001f\u007f-\u009f]{1,1000}$"


def is_valid_text(text: Any, pattern: str) -> bool:
    """Whether a value is a text as a pattern wants it."""
    if not isinstance(text, str) or any("\ud800" <= sign <= "\udfff" for sign in text):
        return False
    return re.fullmatch(pattern, text) is not None


def json_object(*allowed: str) -> dict[str, Any]:
    """The JSON object of a request, which has no other fields than these. Raises Refused."""
    check_content_type("application/json")
    content = request.get_json(silent=True)
    fields = ", ".join(f'"{name}": "…"' for name in allowed)
    if not isinstance(content, dict):
        raise HttpError(400, "the body is no JSON object", f"send {{{fields}}}")
    if strange := sorted(content.keys() - set(allowed)):
        raise HttpError(422, f"{strange[0]!r} is no field", f"allowed are {', '.join(allowed)}")
    return content


def check_content_type(*allowed: str) -> None:
    """Refuse a body of another media type, or whose length is not said."""
    if request.mimetype not in allowed:
        raise HttpError(415, f"the body is {request.mimetype or 'of no type'}", f"send {', '.join(allowed)}")
    if request.content_length is None:  # what is cut off at the limit must not pass for a whole
        raise HttpError(411, "the length of the body is not said", "send it with Content-Length")


def idempotency_key() -> str | None:
    """The key that a request bears, if any. Raises Refused."""
    key = request.headers.get(_KEY)
    if key is None:
        return None
    if not re.fullmatch("[!-~]{1,200}", key):
        raise HttpError(
            422, f"the header {_KEY} is {key[:50]!r}", "allowed are 1 to 200 visible ASCII characters"
        )
    return key


def cursor_from(cursor: PageCursor | None, kind: type[int] | type[str]) -> PageCursor | None:
    """The place where a page goes on, if it is one of this list. Raises Refused."""
    if cursor is not None and not isinstance(cursor.id, kind):
        raise HttpError(422, "parameter 'cursor' is one of another list", "take `next_cursor` of this one")
    return cursor
