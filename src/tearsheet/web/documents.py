"""The API's own description: `/openapi.json`, and `/docs` for people, without anything from elsewhere."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import msgspec
from flask import Response, render_template

from tearsheet import __version__
from tearsheet.web.contract import Api, Operation
from tearsheet.web.openapi import document

_STYLE = Path(__file__).parent / "static" / "docs.css"


def add_documents(api: Api, operations: Sequence[Operation]) -> None:
    """Add the description of these operations and of itself."""
    added = [
        Operation(method="GET", path="/openapi.json", tag="Documents", title="This description",
                  level="open", answer=dict),
        Operation(method="GET", path="/docs", tag="Documents", title="This description, to read",
                  level="open", answer=str, media="text/html"),
        Operation(method="GET", path="/docs.css", tag="Documents", title="Its style",
                  level="open", answer=str, media="text/css"),
    ]  # fmt: skip
    every = [*operations, *added]

    @cache
    def described() -> bytes:
        return msgspec.json.encode(document(every)) + b"\n"

    views = (
        lambda: Response(described(), mimetype="application/json"),
        lambda: _page(every),
        lambda: Response(_STYLE.read_bytes(), mimetype="text/css"),
    )
    for operation, view in zip(added, views, strict=True):
        api.add(operation, view)


def _page(operations: Sequence[Operation]) -> Response:
    tags: dict[str, list[Operation]] = {}
    for operation in operations:
        tags.setdefault(operation.tag, []).append(operation)
    described = document(operations)
    page = render_template("docs.html", tags=tags, document=described, version=__version__,
                           pretty=_pretty)  # fmt: skip
    response = Response(page, mimetype="text/html")
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return response


def _pretty(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
