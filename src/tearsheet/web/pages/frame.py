"""What all pages share: who may see them, their parameters, their frame, and how errors look."""

import gzip
import re
from collections.abc import Callable, Sequence
from datetime import date, datetime
from hashlib import blake2b
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, make_response, redirect, render_template, request
from markupsafe import Markup, escape
from msgspec import Struct
from werkzeug.datastructures import MultiDict

from tearsheet import __version__
from tearsheet.errors import SettingsError
from tearsheet.performance.metric import METRICS
from tearsheet.performance.summary import PARTIAL_CODES, PerformanceSummary
from tearsheet.rules import evaluate_targets
from tearsheet.rules.limit import LIMITS
from tearsheet.trade.session import Window
from tearsheet.web.http.environ_keys import ROUTE
from tearsheet.web.http.errors import HttpError
from tearsheet.web.http.operation import AccessLevel, Json, Parameter, parse_parameters
from tearsheet.web.pages import assets, locales
from tearsheet.web.pages import svg as drawing
from tearsheet.web.server.context import AppContext, QueryContext

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
#: Every page of the navigation: address, name, icon.
NAVIGATION = (
    ("/", "Today", "today"),
    ("/calendar", "Calendar", "calendar"),
    ("/performance", "Performance", "performance"),
    ("/trades", "Trades", "trades"),
    ("/alerts", "Alerts", "alerts"),
    ("/import", "Import", "import"),
    ("/settings", "Settings", "settings"),
)
#: What is said of an account, by the state of its verdict.
VERDICT_LABELS = {
    "ok": "✓ within limits",
    "warn": "! near a limit",
    "unknown": "? limits not known",
    "breach": "✗ limit broken",
}
_CODE = re.compile(r"`([^`]*)`")
_THEMES = ("light", "dark")
_COMPRESS_ABOVE = 1000


class PageRoute(Struct, frozen=True):
    """An address of the dashboard: who may ask for it, and the parameters it takes."""

    path: str
    level: AccessLevel = "read"
    parameters: tuple[Parameter, ...] = ()
    method: str = "GET"


class Pages:
    """Adds pages to one blueprint and renders them."""

    def __init__(self, served: AppContext) -> None:
        self.served = served
        self.blueprint = Blueprint("pages", __name__)

    def add(self, page: PageRoute, view: Callable[..., Response]) -> None:
        """Answer a page with a function of its parameters and of what its path names."""

        def answer(**in_path: str) -> Response:
            request.environ[ROUTE] = page.path
            if page.method == "POST":
                _check_origin()
            self.served.access.authorize(request, page.level)
            # a form without scripts sends what was left empty too
            given = MultiDict((k, v) for k, v in request.args.items(multi=True) if v)
            return view(**in_path, **parse_parameters(page.parameters, given))

        name = f"{page.method} {page.path}".replace(".", "_")
        self.blueprint.add_url_rule(page.path, name, answer, methods=[page.method])

    def render(self, template: str, status: int = 200, **values: Any) -> Response:
        """A rendered page, compressed; 304 where the browser has this very page."""
        text = render_template(template, **self._common(), **values)
        return self._respond(text.encode(), status)

    def _respond(self, body: bytes, status: int) -> Response:
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
        _security_headers(response)
        return response

    def _common(self) -> Json:
        locale = locales.locale_for_request(request)
        theme = request.cookies.get("theme", "")
        return {
            "asset": assets.asset_url,
            "draw": drawing,
            "l": locale,
            "metrics": METRICS,
            "navigation": NAVIGATION,
            "partial_codes": PARTIAL_CODES,
            "here": request.path,
            "limit_table": LIMITS,
            "link": link,
            "query": request.args,
            "theme": theme if theme in _THEMES else "",
            "verdict_words": VERDICT_LABELS,
            "version": __version__,
            "worded": render_code,
            "signed_in": self.served.access.cookie(request) is not None,
            "zone": self.served.settings.calendar.timezone,
            "local": self._local,
        }

    def _local(self, at: datetime, form: str = "%Y-%m-%d %H:%M:%S") -> str:
        """An instant in the trading day's zone."""
        return at.astimezone(self.served.settings.calendar.timezone).strftime(form)


def with_targets(
    asked: QueryContext, summary: PerformanceSummary
) -> tuple[PerformanceSummary, list[tuple[str, str]]]:
    """A summary beside its targets; where their file cannot be read that is said, not hidden."""
    tracker = asked.tracker
    try:
        targets = tracker.targets()
    except SettingsError as error:
        return summary, [("the targets cannot be read, so nothing is judged", error.message)]
    return evaluate_targets(summary, targets, tracker.settings.alert_min_sample), []


def incompleteness(summary: PerformanceSummary) -> list[tuple[str, str]]:
    """What a summary may lack, in words, with the particulars."""
    return [(PARTIAL_CODES[reason.code], reason.detail) for reason in summary.partial_reasons]


def account_names(asked: QueryContext) -> Sequence[str]:
    """Every account, for the selector."""
    return asked.tracker.accounts()


def link(path: str, given: Json | None = None, **more: object) -> str:
    """An address with parameters; those that are None are left out."""
    values = {**(given or {}), **more}
    query = urlencode([(name, str(value)) for name, value in values.items() if value is not None])
    return f"{path}?{query}" if query else path


def render_code(text: str) -> Markup:
    """A sentence with what stands between backticks as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))


def day_name(day: date) -> str:
    """A date with its weekday, for headings."""
    return f"{day:%a} {day.day} {day:%b %Y}"


def window_name(window: Window) -> str:
    """A window as people say it: a day, a month, a quarter; else its dates."""
    start = window.start
    if window.last_trades is not None:
        return f"last {window.last_trades} trades"
    return {
        "daily": day_name(start),
        "weekly": f"week of {start.day} {start:%b %Y}",
        "monthly": f"{start:%B %Y}",
        "quarterly": f"Q{(start.month + 2) // 3} {start.year}",
        "yearly": f"{start.year}",
        "all": "everything",
    }.get(window.kind, f"{day_name(start)} to {day_name(window.last_day)}")


def error_page(refused: HttpError, identity: str) -> Response:
    """What went wrong as a page; one that lacks a token leads to the page that takes one."""
    if refused.status == 401 and request.method == "GET":
        there = link("/login", next=request.full_path.rstrip("?"))
        if "HX-Request" in request.headers:
            response = Response(status=204)
            response.headers["HX-Redirect"] = there
        else:
            response = make_response(redirect(there, 303))
        _security_headers(response)
        return response
    theme = request.cookies.get("theme", "")
    body = render_template(
        "error.html",
        refused=refused,
        identity=identity,
        asset=assets.asset_url,
        link=link,
        navigation=NAVIGATION,
        here=request.path,
        version=__version__,
        query={},
        worded=render_code,
        theme=theme if theme in _THEMES else "",
        signed_in=False,
    )
    response = Response(body, refused.status, mimetype="text/html")
    response.headers.update(refused.headers)
    _security_headers(response)
    return response


def _security_headers(response: Response) -> None:
    """Only our own scripts and styles; a form's own page is told, so that others are refused."""
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Referrer-Policy"] = "same-origin"


def _check_origin() -> None:
    """A form is taken only from a page of this very address; every browser names it."""
    origin = request.headers.get("Origin", "")
    if origin.partition("://")[2] != request.host:
        raise HttpError(403, "this form did not come from this dashboard", "open the page and try again")
