"""Creates the WSGI application: blueprints, error handlers, access control."""

import logging
from collections.abc import Callable
from datetime import datetime

from flask import Flask, Request, Response, request
from werkzeug.exceptions import HTTPException

from tearsheet import log
from tearsheet.errors import TearsheetError, disk_error
from tearsheet.log import log_event
from tearsheet.settings import Settings
from tearsheet.web.api.alerts import add_alerts
from tearsheet.web.api.charts import add_charts
from tearsheet.web.api.currency.rates import add_rates
from tearsheet.web.api.events import add_events
from tearsheet.web.api.fees import add_fees
from tearsheet.web.api.health import add_health
from tearsheet.web.api.imports import add_imports
from tearsheet.web.api.notes import add_notes
from tearsheet.web.api.openings import add_openings
from tearsheet.web.api.performance import add_performance
from tearsheet.web.api.prometheus import add_prometheus
from tearsheet.web.api.reconcile import add_reconcile
from tearsheet.web.api.risk import add_risk
from tearsheet.web.api.sources import add_sources
from tearsheet.web.api.trading import add_list_endpoints, add_write_endpoints
from tearsheet.web.http.docs import add_docs
from tearsheet.web.http.environ_keys import REQUEST_ID
from tearsheet.web.http.errors import RETRY_AFTER_S, HttpError, error_response, from_error, internal_error
from tearsheet.web.http.middleware import RequestMiddleware
from tearsheet.web.http.operation import Api, Operation
from tearsheet.web.http.plain_answers import PlainAnswers
from tearsheet.web.pages import dashboard
from tearsheet.web.pages.frame import error_page
from tearsheet.web.server.context import AppContext
from tearsheet.web.server.guard_watch import GuardMonitor, guard_monitor

_log = logging.getLogger("tearsheet")


def create_application(settings: Settings | None, clock: Callable[[], datetime]) -> Flask:
    """Return the WSGI application; see `tearsheet.web.create_app`."""
    if settings is None:
        settings = Settings.load()
        log.configure(settings, verbose=1)
    app = Flask("tearsheet.web", static_folder=None, template_folder="templates")
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.config["MAX_FORM_MEMORY_SIZE"] = settings.max_body_bytes
    app.url_map.strict_slashes = True
    app_context = AppContext(settings, clock)
    app.extensions["tearsheet"] = app_context
    _add_errors(app, app_context)
    plain = PlainAnswers()
    app.wsgi_app = RequestMiddleware(plain.below(app.wsgi_app), app_context.metrics)  # type: ignore[method-assign]
    apis = _apis(app_context, guard_monitor(app_context), plain)
    add_docs(apis[-1], [operation for api in apis for operation in api.operations])
    for api in apis:
        app.register_blueprint(api.blueprint)
    app.register_blueprint(dashboard(app_context))
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    return app


def _apis(app_context: AppContext, monitor: GuardMonitor | None, plain: PlainAnswers) -> list[Api]:
    def guard(asked: Request, operation: Operation) -> None:
        app_context.start_webhook()
        app_context.access.authorize(asked, operation.level)

    performance, trading, risk, events, ops, documents = (
        Api(name, guard, plain) for name in ("performance", "trading", "risk", "events", "ops", "documents")
    )
    add_performance(performance, app_context)
    add_charts(performance, app_context)
    add_list_endpoints(trading, app_context)
    add_write_endpoints(trading, app_context)
    add_imports(trading, app_context)
    add_reconcile(trading, app_context)
    add_openings(trading, app_context)
    add_fees(trading, app_context)
    add_rates(trading, app_context)
    add_notes(trading, app_context)
    add_alerts(trading, app_context)
    add_risk(risk, app_context, monitor)
    add_sources(risk, app_context)
    add_events(events, app_context)
    add_health(ops, app_context, monitor)
    add_prometheus(ops, app_context, monitor)
    return [performance, trading, risk, events, ops, documents]


def _add_errors(app: Flask, app_context: AppContext) -> None:
    def respond(error: HttpError) -> Response:
        if request.blueprint == "pages" or _wants_html():
            return error_page(error, request.environ[REQUEST_ID])
        return error_response(error, app_context.timestamp)

    def respond_to_known(error: TearsheetError) -> Response:
        http_error = from_error(error)
        if http_error.status >= 500:
            log_event(
                _log,
                "tearsheet.error",
                level=logging.ERROR,
                request_id=request.environ[REQUEST_ID],
                code=error.code,
                reason=error.message,
                path=request.path,
            )
        return respond(http_error)

    def respond_to_unexpected(error: Exception) -> Response:
        if (disk := disk_error(error)) is not None:
            return respond_to_known(disk)
        _log.exception("internal error, request %s", request.environ[REQUEST_ID])
        return respond(internal_error())

    app.register_error_handler(HttpError, respond)
    app.register_error_handler(TearsheetError, respond_to_known)
    app.register_error_handler(HTTPException, lambda error: respond(_http_error(error)))
    app.register_error_handler(Exception, respond_to_unexpected)


def _wants_html() -> bool:
    """Return whether a browser requested a path that does not exist."""
    return request.url_rule is None and "text/html" in request.headers.get("Accept", "")


def _http_error(error: HTTPException) -> HttpError:
    """Return the error of a request that Flask rejects: unknown path, wrong method, body too large."""
    status = error.code or 500
    headers = {name: value for name, value in error.get_headers() if name in ("Allow", "Location")}
    if status == 405 and "Allow" in headers:
        return HttpError(
            405, f"{request.method} is not allowed here", f"allowed: {headers['Allow']}", headers=headers
        )
    if status == 503:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    words = {
        404: ("path not found", "see /docs for all paths"),
        413: ("request body too large", "split it or raise TEARSHEET_MAX_BODY_BYTES"),
    }
    message, hint = words.get(status, (error.name, ""))
    return HttpError(status, message, hint, headers=headers)
