"""Styles, scripts and the font: read once, named by their content, compressed, and kept by browsers for a year.

The libraries and the font under `static/vendor` are as their projects released them; `docs/assets.py` brings
newer ones and checks that they are unchanged.
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

_FOLDER = Path(__file__).parents[1] / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
#: Every bundle and the files that it is made of, in order.
_BUNDLES: dict[str, Sequence[str]] = {
    "dashboard.css": ("vendor/uplot.min.css", "dashboard.css", "duty.css"),
    "dashboard.js": ("dashboard.js", "live.js"),
    "charts.js": ("vendor/uplot.min.js", "charts.js"),
    "htmx.js": ("vendor/htmx.min.js",),
    "icon.svg": ("icon.svg",),
    "inter.woff2": ("vendor/inter.woff2",),
}
#: Where a style names another bundle, whose address is known only here.
_NAMED = re.compile(rb"asset:([a-z0-9.]+)")
FOREVER = "public, max-age=31536000, immutable"


class Asset(Struct, frozen=True):
    """A bundle: its address, its bytes plain and compressed, and its media type."""

    address: str
    plain: bytes
    packed: bytes
    media: str


@cache
def assets() -> dict[str, Asset]:
    """Every bundle by its name."""
    return {name: _asset(name) for name in _BUNDLES}


@cache
def _asset(name: str) -> Asset:
    files = _BUNDLES[name]
    content = b"\n".join((_FOLDER / file).read_bytes() for file in files)
    if name.endswith(".css"):
        content = _NAMED.sub(lambda found: asset_url(found[1].decode()).encode(), content)
    stem, dot, ending = name.partition(".")
    digest = blake2b(content, digest_size=6).hexdigest()
    packed = gzip.compress(content, 9, mtime=0)
    return Asset(f"/static/{stem}.{digest}{dot}{ending}", content, packed, _TYPES[dot + ending])


def add_assets(blueprint: Blueprint) -> None:
    """Answer for every bundle under its address; an old address is 404, never another content."""

    def view(name: str) -> Response:
        request.environ[ROUTE] = "/static"
        found = {asset.address: asset for asset in assets().values()}.get(f"/static/{name}")
        if found is None:
            abort(404)
        zipped = "gzip" in request.headers.get("Accept-Encoding", "")
        response = Response(found.packed if zipped else found.plain, content_type=found.media)
        if zipped:
            response.headers["Content-Encoding"] = "gzip"
        response.headers["Vary"] = "Accept-Encoding"
        response.headers["Cache-Control"] = FOREVER
        return response

    blueprint.add_url_rule("/static/<name>", "asset", view)


def asset_url(name: str) -> str:
    """The address of a bundle."""
    return _asset(name).address
