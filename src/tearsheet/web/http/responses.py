"""Responses of the API: JSON with its status, timestamp and data."""

from datetime import datetime

from flask import Response

from tearsheet.export.files import json_line
from tearsheet.performance.summary import to_plain_builtins


def format_timestamp(at: datetime) -> str:
    """Return an instant (UTC) as answers show it, ending in Z."""
    return at.isoformat().replace("+00:00", "Z")


def json_response(body: bytes, status: int = 200) -> Response:
    """Return a response whose body is JSON already."""
    return Response(body, status, mimetype="application/json")


def success_response(timestamp: str, data: object, status: int = 200, **more: object) -> Response:
    """Return a successful answer; `more` are fields after `data`."""
    return json_response(success_body(timestamp, data, **more), status)


def success_body(timestamp: str, data: object, **more: object) -> bytes:
    """Return the JSON of a successful answer."""
    fields = {"status": "success", "timestamp": timestamp, "data": to_plain_builtins(data), **more}
    return json_line(fields) + b"\n"


def success_head(now: datetime) -> bytes:
    """Return the beginning of a successful answer, for content that is JSON already."""
    return b'{"status":"success","timestamp":"' + format_timestamp(now).encode() + b'",'
