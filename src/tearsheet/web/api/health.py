"""Health, readiness and liveness of the service."""

import time
from collections.abc import Callable
from typing import Literal

import msgspec
from flask import Response

from tearsheet import __version__
from tearsheet.app.alerts.webhook import webhook_problem
from tearsheet.app.config.source_decisions import doubts
from tearsheet.app.judgement import Judge
from tearsheet.app.limits.verdicts import account_verdicts
from tearsheet.app.watcher_lease import lapsed_for_s
from tearsheet.errors import TearsheetError
from tearsheet.log import elapsed_ms
from tearsheet.web.http.operation import Api, Operation
from tearsheet.web.http.responses import json_response
from tearsheet.web.schemas.health import AliveAnswer, HealthAnswer, HealthCheck
from tearsheet.web.server.context import AppContext
from tearsheet.web.server.guard_watch import GuardMonitor


def add_health(api: Api, app_context: AppContext, guard_monitor: GuardMonitor | None) -> None:
    """Add the health checks."""
    health = lambda: _health(app_context, guard_monitor)  # noqa: E731 - one view under two paths
    for path, title, view, answer in (
        ("/api/performance/health", "Whether the service works", health, HealthAnswer),
        ("/readyz", "Whether it can answer: ledger, cache, logs", health, HealthAnswer),
        ("/healthz", "Whether the process lives", lambda: _live(app_context), AliveAnswer),
    ):
        statuses = (503,) if view is health else ()
        api.add(
            Operation(
                method="GET",
                path=path,
                tag="Operation",
                title=title,
                level="open",
                response_type=answer,
                statuses=statuses,
            ),
            view,
        )


def _live(app_context: AppContext) -> Response:
    return json_response(msgspec.json.encode({"status": "ok", "timestamp": app_context.timestamp}))


def _health(app_context: AppContext, guard_monitor: GuardMonitor | None) -> Response:
    checks = {
        "store": _timed_check(lambda: _store(app_context), "down"),
        "cache": _timed_check(lambda: _cache(app_context), "degraded"),
        "sources": _timed_check(lambda: _sources(app_context), "degraded"),
    }
    if (untold := _timed_check(lambda: _webhook(app_context), "degraded")).detail is not None:
        checks["webhook"] = untold
    if (lapsed := _timed_check(lambda: _watcher(app_context), "degraded")).detail is not None:
        checks["watcher"] = lapsed
    if guard_monitor is not None:
        checks["guard"] = _timed_check(lambda: _guard(app_context, guard_monitor), "degraded")
    states = {check.status for check in checks.values()}
    status: Literal["healthy", "degraded", "unhealthy"] = (
        "unhealthy" if "down" in states else "degraded" if "degraded" in states else "healthy"
    )
    answer = HealthAnswer(status=status, timestamp=app_context.now, version=__version__, checks=checks)
    response = json_response(msgspec.json.encode(answer), 503 if status == "unhealthy" else 200)
    if status == "unhealthy":
        response.headers["Retry-After"] = "1"
    return response


def _timed_check(check: Callable[[], str | None], failing: Literal["degraded", "down"]) -> HealthCheck:
    """Run a check, which returns what is wrong or None; on an error the part is failing too."""
    started = time.perf_counter()
    try:
        wrong = check()
    except TearsheetError as error:
        wrong = error.code  # the message names paths, and this is open to all
    return HealthCheck(
        status="ok" if wrong is None else failing, latency_ms=elapsed_ms(started), detail=wrong
    )


def _store(app_context: AppContext) -> None:
    with app_context.tracker_pool.borrow() as tracker:
        assert tracker.state_id
        app_context.tracker_pool.probe_write(tracker)


def _cache(app_context: AppContext) -> str | None:
    cache = app_context.cache.health(ping=True)
    return None if cache.is_up else f"{cache.kind} is not responding; responses are computed without cache"


def _sources(app_context: AppContext) -> str | None:
    """Return the codes of what may be missing or cannot be read: logs, known sources, targets, limits."""
    with app_context.query() as query:
        codes = [
            reason.code for reason in Judge(query.tracker, None, query.sync_errors, tolerant=True).problems
        ]
        codes += [doubt.code for doubt in doubts(query.tracker)]
        error = account_verdicts(query.tracker).limits_error
        codes += [error.code] if error else []
    return ", ".join(dict.fromkeys(codes)) or None


def _watcher(app_context: AppContext) -> str | None:
    """Return whether a watcher died: then targets are not judged and folders not read by themselves."""
    with app_context.tracker_pool.borrow() as tracker:
        lapsed = lapsed_for_s(tracker.ledger)
    return f"no sign of the watcher for {lapsed:.0f} s" if lapsed else None


def _webhook(app_context: AppContext) -> str | None:
    """Return that the secret cannot be read any more: after a restart no alert would be delivered."""
    return "bad_webhook" if webhook_problem(app_context.settings) else None


def _guard(app_context: AppContext, guard_monitor: GuardMonitor) -> str | None:
    """Return how many accounts no guard polls; the log names them, as this is open to all."""
    with app_context.query() as query:
        missed = guard_monitor.missing(query)
    if not missed:
        return None
    accounts = f"{len(missed)} account{'' if len(missed) == 1 else 's'}"
    return f"no guard has polled the verdict of {accounts} for {max(missed.values())} minutes"
