"""Documentation of the API: `/openapi.json`, and `/docs` for people, without external resources."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import msgspec
from flask import Response, render_template
from markupsafe import Markup, escape

from tearsheet import __version__
from tearsheet.web.http.openapi import component_name, document
from tearsheet.web.http.operation import Api, Operation

_CONTENT_POLICY = (
    "Content-Security-Policy",
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
)
_STYLE = Path(__file__).parents[1] / "static" / "docs.css"


def add_docs(api: Api, operations: Sequence[Operation]) -> None:
    """Add the documentation of these operations and of its own."""
    added = [
        Operation(
            method="GET",
            path="/openapi.json",
            tag="Documents",
            title="This description",
            level="open",
            response_type=dict,
        ),
        Operation(
            method="GET",
            path="/docs",
            tag="Documents",
            title="This description, to read",
            level="open",
            response_type=str,
            media="text/html",
        ),
        Operation(
            method="GET",
            path="/docs.css",
            tag="Documents",
            title="Its style",
            level="open",
            response_type=str,
            media="text/css",
        ),
    ]
    documented = [*operations, *added]

    @cache
    def openapi() -> bytes:
        return msgspec.json.encode(document(documented)) + b"\n"

    @cache
    def page() -> str:
        return _page(documented)

    views = (
        lambda: Response(openapi(), mimetype="application/json"),
        lambda: Response(page(), mimetype="text/html", headers=[_CONTENT_POLICY]),
        lambda: Response(_STYLE.read_bytes(), mimetype="text/css"),
    )
    for operation, view in zip(added, views, strict=True):
        api.add(operation, view)


def _page(operations: Sequence[Operation]) -> str:
    tags: dict[str, list[Operation]] = {}
    for operation in operations:
        tags.setdefault(operation.tag, []).append(operation)
    return render_template(
        "docs.html",
        tags=tags,
        document=document(operations),
        version=__version__,
        pretty=_pretty_json,
        coded=_render_code,
        component_name=component_name,
    )


def _render_code(text: str) -> Markup:
    """Return a text as HTML in which `names` between backticks are code."""
    parts = escape(text).split("`")
    html = (f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts))
    return Markup("".join(html))


def _pretty_json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
