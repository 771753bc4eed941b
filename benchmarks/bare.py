"""What the API is held against: the same bytes from a bare Flask route, and from a bare WSGI application."""

from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, Response

PATH = "/api/performance/daily"
#: As long as an answer of the day.
BODY = b'{"status":"success","data":{"daily_pnl":0},"filler":"' + b"x" * 880 + b'"}\n'

bare_flask = Flask("bare")


@bare_flask.get(PATH)
def _daily() -> Response:
    return Response(BODY, content_type="application/json")


@bare_flask.get("/healthz")
def _alive() -> Response:
    return Response(b"{}", content_type="application/json")


def bare_wsgi(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """The least that can answer."""
    start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))])
    return [BODY]
