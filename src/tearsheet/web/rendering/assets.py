"""Styles, scripts and the font: bundled, addressed by content digest, compressed, cached for a year.

The files under `static/vendor` are unchanged releases; `docs/assets.py` updates and verifies them.
"""

import gzip
import re
from collections.abc import Sequence
from functools import cache
from hashlib import blake2b
from pathlib import Path

from flask import Blueprint, Response, abort, request
from msgspec import Struct

from tearsheet.web.http.environ_keys import ROUTE

_STATIC = Path(__file__).parents[1] / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
#: Bundles with their files in order.
_BUNDLES: dict[str, Sequence[str]] = {
    "dashboard.css": (
        "dashboard.css",
        "../../export/chart.css",
        "forms.css",
        "overview.css",
        "import.css",
        "tables.css",
        "report.css",
    ),
    "dashboard.js": ("dashboard.js", "tables.js", "live.js"),
    "charts.js": ("charts.js",),
    "htmx.js": ("vendor/htmx.min.js",),
    "icon.svg": ("icon.svg",),
    "inter.woff2": ("vendor/inter.woff2",),
}
#: A reference to another bundle in a style; its address has a digest.
_REFERENCE = re.compile(rb"asset:([a-z0-9.]+)")
_FOREVER = "public, max-age=31536000, immutable"


class Asset(Struct, frozen=True):
    """A bundle: its address, its content plain and gzipped, and its media type."""

    address: str
    plain: bytes
    gzipped: bytes
    media_type: str


@cache
def assets() -> dict[str, Asset]:
    """Return all bundles by name."""
    return {name: _asset(name) for name in _BUNDLES}


@cache
def _asset(name: str) -> Asset:
    files = _BUNDLES[name]
    content = b"\n".join((_STATIC / file).read_bytes() for file in files)
    if name.endswith(".css"):
        content = _REFERENCE.sub(lambda match: asset_url(match[1].decode()).encode(), content)
    stem, dot, ending = name.partition(".")
    digest = blake2b(content, digest_size=6).hexdigest()
    gzipped = gzip.compress(content, 9, mtime=0)
    return Asset(f"/static/{stem}.{digest}{dot}{ending}", content, gzipped, _TYPES[dot + ending])


def add_assets(blueprint: Blueprint) -> None:
    """Serve each bundle at its address; an outdated address is 404, so no digest has other content."""

    def view(name: str) -> Response:
        request.environ[ROUTE] = "/static"
        asset = {asset.address: asset for asset in assets().values()}.get(f"/static/{name}")
        if asset is None:
            abort(404)
        gzipped = "gzip" in request.headers.get("Accept-Encoding", "")
        response = Response(asset.gzipped if gzipped else asset.plain, content_type=asset.media_type)
        if gzipped:
            response.headers["Content-Encoding"] = "gzip"
        response.headers["Vary"] = "Accept-Encoding"
        response.headers["Cache-Control"] = _FOREVER
        return response

    blueprint.add_url_rule("/static/<name>", "asset", view)


def asset_url(name: str) -> str:
    """Return the address of a bundle."""
    return _asset(name).address
