"""Makes the application: blueprints, errors, access, request log."""

import logging
import os
import re
import time
from collections.abc import Callable
from datetime import datetime

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from tearsheet import log
from tearsheet.errors import TearsheetError
from tearsheet.log import event
from tearsheet.settings import Settings
from tearsheet.web.contract import Api, Operation
from tearsheet.web.documents import add_documents
from tearsheet.web.ops import add_ops
from tearsheet.web.performance import add_performance
from tearsheet.web.refusal import RETRY_AFTER_S, Refused, internal, of_error, response_of
from tearsheet.web.risk import add_risk
from tearsheet.web.served import Served, text_of
from tearsheet.web.trading import add_alerts, add_lists, add_writes

_log = logging.getLogger("tearsheet")
_REQUEST_ID = re.compile(r"^[A-Za-z0-9._-]{1,64}$")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def application(settings: Settings | None, clock: Callable[[], datetime]) -> Flask:
    """The WSGI application; see `tearsheet.web.create_app`."""
    if settings is None:
        settings = Settings.load()
        log.configure(settings, verbose=1)
    app = Flask("tearsheet.web", static_folder=None, template_folder="templates")
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.config["MAX_FORM_MEMORY_SIZE"] = settings.max_body_bytes
    app.url_map.strict_slashes = True
    served = Served(settings, clock)
    app.extensions["tearsheet"] = served
    _add_edges(app, served)
    apis = _apis(served)
    add_documents(apis[-1], [operation for api in apis for operation in api.operations])
    for api in apis:
        app.register_blueprint(api.blueprint)
    return app


def _apis(served: Served) -> list[Api]:
    def guard(operation: Operation) -> None:
        served.access.check(request, operation.level)

    performance, trading, risk, ops, documents = (
        Api(name, guard) for name in ("performance", "trading", "risk", "ops", "documents")
    )
    add_performance(performance, served)
    add_lists(trading, served)
    add_writes(trading, served)
    add_alerts(trading, served)
    add_risk(risk, served)
    add_ops(ops, served)
    return [performance, trading, risk, ops, documents]


def _add_edges(app: Flask, served: Served) -> None:
    """What happens around every view: a request id, one log line, headers, errors."""

    def begin() -> None:
        served.deliver()
        g.started = time.perf_counter()
        given = request.headers.get("X-Request-ID", "")
        g.request_id = given if _REQUEST_ID.match(given) else os.urandom(8).hex()

    def end(response: Response) -> Response:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers["X-Request-ID"] = g.request_id
        response.headers["Cache-Control"] = "private, no-cache"
        if g.get("etag") and response.status_code in (200, 304):
            response.headers["ETag"] = g.etag
        _count(served, response)
        return response

    def refused(error: Refused) -> Response:
        return response_of(error, text_of(served.now))

    def broken(error: TearsheetError) -> Response:
        answer = of_error(error)
        if answer.status >= 500:
            event(_log, "tearsheet.error", level=logging.ERROR, request_id=g.request_id,
                  code=error.code, reason=error.message, path=request.path)  # fmt: skip
        return refused(answer)

    def unexpected(error: Exception) -> Response:
        _log.exception("internal error, request %s", g.request_id)
        return refused(internal())

    app.before_request(begin)
    app.after_request(end)
    app.register_error_handler(Refused, refused)
    app.register_error_handler(TearsheetError, broken)
    app.register_error_handler(HTTPException, lambda error: refused(_http(error)))
    app.register_error_handler(Exception, unexpected)


def _http(error: HTTPException) -> Refused:
    """What Flask itself refuses: no such path, wrong method, too large a body."""
    status = error.code or 500
    headers = {name: value for name, value in error.get_headers() if name in ("Allow", "Location")}
    if status == 405 and "Allow" in headers:
        return Refused(405, f"{request.method} is not allowed here", f"allowed: {headers['Allow']}",
                       headers=headers)  # fmt: skip
    if status == 503:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    words = {
        404: ("there is nothing at this path", "/docs lists every path"),
        413: ("the body is too large", "TEARSHEET_MAX_BODY_BYTES bounds it; split it"),
    }
    message, hint = words.get(status, (error.name, ""))
    return Refused(status, message, hint, headers=headers)


def _count(served: Served, response: Response) -> None:
    """One log line and one observation a request."""
    took = time.perf_counter() - g.started
    route = request.url_rule.rule if request.url_rule else "none"
    served.meters.requests.labels(request.method, route, response.status_code).observe(took)
    event(
        _log, "tearsheet.request", request_id=g.request_id, method=request.method,
        path=request.path, route=route, status=response.status_code,
        duration_ms=round(took * 1000, 3), bytes=response.content_length,
        remote=request.remote_addr, pid=os.getpid(),
    )  # fmt: skip
