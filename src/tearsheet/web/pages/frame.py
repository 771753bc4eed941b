"""Routes of pages: access, parameters, the page frame, security headers and error pages."""

import gzip
from collections.abc import Callable
from datetime import datetime
from hashlib import blake2b
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, make_response, redirect, render_template, request
from msgspec import Struct
from werkzeug.datastructures import MultiDict

from tearsheet import __version__
from tearsheet.performance.metric import METRICS
from tearsheet.rules.limit import LIMITS, limit_label
from tearsheet.web.http.environ_keys import ROUTE
from tearsheet.web.http.errors import HttpError
from tearsheet.web.http.operation import AccessLevel, Parameter, parse_parameters
from tearsheet.web.rendering import svg
from tearsheet.web.rendering.assets import asset_url
from tearsheet.web.rendering.glossary import anchor
from tearsheet.web.rendering.labels import (
    VERDICT_LABELS,
    alert_period,
    link,
    reason_words,
    render_code,
    verdict_reason,
)
from tearsheet.web.rendering.locales import preferred_locale
from tearsheet.web.rendering.report import sample_count
from tearsheet.web.server.context import AppContext

_CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
#: Pages of the navigation: address, name, icon.
_NAVIGATION = (
    ("/", "Overview", "overview"),
    ("/day", "Today", "today"),
    ("/calendar", "Calendar", "calendar"),
    ("/trades", "Trades", "trades"),
    ("/performance", "Performance", "performance"),
    ("/risk", "Risk", "risk"),
    ("/alerts", "Alerts", "alerts"),
    ("/import", "Import", "import"),
    ("/settings", "Settings", "settings"),
)
_THEMES = ("light", "dark")
_COMPRESS_ABOVE = 1000
_MAX_FORM_TEXT = 200


class PageRoute(Struct, frozen=True):
    """An address of the dashboard, the permission it needs, and its query parameters."""

    path: str
    level: AccessLevel = "read"
    parameters: tuple[Parameter, ...] = ()
    method: str = "GET"


class Pages:
    """Blueprint of the dashboard."""

    def __init__(self, app_context: AppContext) -> None:
        self.app_context = app_context
        self.blueprint = Blueprint("pages", __name__)

    def add(self, route: PageRoute, view: Callable[..., Response]) -> None:
        """Route an address to a view, called with its path and query parameters."""

        def answer(**in_path: str) -> Response:
            request.environ[ROUTE] = route.path
            if route.method == "POST":
                _check_origin()
            self.app_context.access.authorize(request, route.level)
            # without scripts, a form also sends its empty fields
            values = MultiDict((k, v) for k, v in request.args.items(multi=True) if v)
            return view(**in_path, **parse_parameters(route.parameters, values))

        name = f"{route.method} {route.path}".replace(".", "_")
        self.blueprint.add_url_rule(route.path, name, answer, methods=[route.method])

    def render(self, template: str, status: int = 200, **values: Any) -> Response:
        """Render a template, compressed; 304 if the browser has the same page."""
        defaults = {"accounts": (), "filters": {}, **_frame_values(), **self._context_values()}
        body = render_template(template, **(defaults | values)).encode()
        tag = f'W/"{blake2b(body, digest_size=9).hexdigest()}"'
        if status == 200 and request.if_none_match.contains_weak(tag[3:-1]):
            response = Response(status=304)
        else:
            response = Response(body, status, mimetype="text/html")
            if len(body) > _COMPRESS_ABOVE and "gzip" in request.headers.get("Accept-Encoding", ""):
                response.set_data(gzip.compress(body, 5, mtime=0))
                response.headers["Content-Encoding"] = "gzip"
        if status == 200:
            response.headers["ETag"] = tag
        response.headers["Vary"] = "Accept-Encoding, Accept-Language, Cookie"
        return with_security_headers(response)

    def _context_values(self) -> dict[str, Any]:
        return {
            "svg": svg,
            "locale": preferred_locale(tag for tag, _ in request.accept_languages),
            "metrics": METRICS,
            "alert_period": alert_period,
            "anchor": anchor,
            "sample_count": sample_count,
            "limit_table": LIMITS,
            "query": request.args,
            "verdict_labels": VERDICT_LABELS,
            "limit_label": limit_label,
            "reason_words": reason_words,
            "verdict_reason": verdict_reason,
            "signed_in": self.app_context.access.cookie(request) is not None,
            "zone": self.app_context.settings.calendar.timezone,
            "local_time": self._local_time,
        }

    def _local_time(self, at: datetime, form: str = "%Y-%m-%d %H:%M:%S") -> str:
        """Format an instant in the trading day's time zone."""
        return at.astimezone(self.app_context.settings.calendar.timezone).strftime(form)


def redirect_to(address: str) -> Response:
    """Redirect to a page with 303, so that the browser gets it."""
    return make_response(redirect(address, 303))


def form_text(name: str) -> str:
    """Return a short text of a form, empty if absent. Raises HttpError 422 for an unprintable or long one."""
    text = request.form.get(name, "").strip()
    if len(text) > _MAX_FORM_TEXT or any(not c.isprintable() for c in text):
        raise HttpError(422, f"{name} is too long or contains control characters", "1 to 200 characters")
    return text


def form_time(text: str, zone: ZoneInfo) -> datetime:
    """Return the instant of a form: in its own offset if it states one, else in the zone. Raises ValueError."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo is not None else at.replace(tzinfo=zone)


def error_page(error: HttpError, request_id: str) -> Response:
    """Render an error; a page without a token redirects to the login page."""
    if error.status == 401 and request.method == "GET":
        login = link("/login", next=request.full_path.rstrip("?"))
        if "HX-Request" in request.headers:
            return with_security_headers(Response(status=204, headers={"HX-Redirect": login}))
        return with_security_headers(redirect_to(login))
    body = render_template(
        "error.html", error=error, request_id=request_id, query={}, signed_in=False, **_frame_values()
    )
    response = Response(body, error.status, mimetype="text/html")
    response.headers.update(error.headers)
    return with_security_headers(response)


def _frame_values() -> dict[str, Any]:
    """Return what the page frame needs, also on error pages."""
    theme = request.cookies.get("theme", "")
    return {
        "asset": asset_url,
        "here": request.path,
        "link": link,
        "navigation": _NAVIGATION,
        "render_code": render_code,
        "theme": theme if theme in _THEMES else "",
        "version": __version__,
    }


def with_security_headers(response: Response, policy: str = _CONTENT_POLICY) -> Response:
    """Add the headers of a page; a page that is a file of its own has a policy of its own."""
    # the Origin check needs the Referrer-Policy: with `no-referrer`, forms send `Origin: null`
    response.headers["Content-Security-Policy"] = policy
    response.headers["Referrer-Policy"] = "same-origin"
    return response


def _check_origin() -> None:
    """Raise 403 unless the form comes from this address; browsers send Origin with every POST."""
    # instead of a token in the form: with SameSite=Strict cookies pages contain no secret, so they can be
    # compressed and answered with 304
    origin = request.headers.get("Origin", "")
    if origin.partition("://")[2] != request.host:
        raise HttpError(403, "this form was not sent from this dashboard", "reload the page and try again")
