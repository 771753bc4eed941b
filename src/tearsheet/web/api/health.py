"""For those who run the service: health, readiness, Prometheus."""

import time
from collections.abc import Callable
from typing import Any, Literal

import msgspec
from flask import Response

from tearsheet import __version__
from tearsheet.errors import MixedCurrencyError, TearsheetError
from tearsheet.log import elapsed_ms
from tearsheet.performance.metric import METRICS
from tearsheet.performance.summary import Scope
from tearsheet.rules import target_rules
from tearsheet.tracker import PerformanceTracker
from tearsheet.web.api.performance import to_float
from tearsheet.web.api.risk import limit_gauges
from tearsheet.web.http.metrics import CONTENT_TYPE, Gauge
from tearsheet.web.http.operation import Api, Operation
from tearsheet.web.schemas.health import AliveAnswer, HealthAnswer, HealthCheck
from tearsheet.web.server.context import AppContext, QueryContext, json_response
from tearsheet.web.server.guard_watch import GuardMonitor

_GAUGE_METRICS = ("net_pnl", "total_trades", "win_rate", "max_drawdown")


def add_health(api: Api, served: AppContext, absence: GuardMonitor | None) -> None:
    """Add the operations for machines that watch the service."""
    health = lambda: _health(served, absence)  # noqa: E731 - one view under two paths
    for path, title, view, answer in (
        ("/api/performance/health", "Whether the service works", health, HealthAnswer),
        ("/readyz", "Whether it can answer: ledger, cache, logs", health, HealthAnswer),
        ("/healthz", "Whether the process lives", lambda: _live(served), AliveAnswer),
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
    api.add(
        Operation(
            method="GET",
            path="/metrics",
            tag="Operation",
            title="Metrics for Prometheus",
            media="text/plain",
            response_type=str,
        ),
        lambda: Response(served.metrics.page(_gauges(served, absence)), content_type=CONTENT_TYPE),
    )


def _live(served: AppContext) -> Response:
    return json_response(msgspec.json.encode({"status": "ok", "timestamp": served.timestamp}))


def _health(served: AppContext, absence: GuardMonitor | None) -> Response:
    checks = {
        "store": _timed_check(lambda: _store(served), "down"),
        "cache": _timed_check(lambda: _cache(served), "degraded"),
        "sources": _timed_check(lambda: _sources(served), "degraded"),
    }
    if absence is not None:
        checks["guard"] = _timed_check(lambda: _guard(served, absence), "degraded")
    states = {check.status for check in checks.values()}
    status: Literal["healthy", "degraded", "unhealthy"] = (
        "unhealthy" if "down" in states else "degraded" if "degraded" in states else "healthy"
    )
    answer = HealthAnswer(status=status, timestamp=served.now, version=__version__, checks=checks)
    response = json_response(msgspec.json.encode(answer), 503 if status == "unhealthy" else 200)
    if status == "unhealthy":
        response.headers["Retry-After"] = "1"
    return response


def _timed_check(look: Callable[[], str | None], failing: Literal["degraded", "down"]) -> HealthCheck:
    """How a look at a part ends; it returns what is wrong, if anything."""
    started = time.perf_counter()
    try:
        wrong = look()
    except TearsheetError as error:
        wrong = error.code  # the message names paths, and this is open to all
    return HealthCheck(
        status="ok" if wrong is None else failing, latency_ms=elapsed_ms(started), detail=wrong
    )


def _store(served: AppContext) -> None:
    with served.trackers.borrow() as tracker:
        assert tracker.state_id


def _cache(served: AppContext) -> str | None:
    found = served.cache.health(ask=True)
    return None if found.is_up else f"{found.kind} does not answer; answers are computed"


def _sources(served: AppContext) -> str | None:
    with served.query() as asked:
        return ", ".join(reason.code for reason in asked.sync_errors) or None


def _guard(served: AppContext, absence: GuardMonitor) -> str | None:
    """How many accounts nobody asks about; the log names them, as this is open to all."""
    with served.query() as asked:
        missed = absence.missing(asked)
    if not missed:
        return None
    accounts = f"{len(missed)} account{'' if len(missed) == 1 else 's'}"
    return f"nobody asked for the verdict of {accounts} for {max(missed.values())} minutes"


def _gauges(served: AppContext, absence: GuardMonitor | None) -> list[Gauge]:
    """The ledger as it is now."""
    up = Gauge("store_up", "Whether the ledger can be asked.")
    cache = served.cache.health()
    gauges = [up, Gauge("cache_up", "Whether the shared cache answers.").set(float(cache.is_up))]
    try:
        with served.query() as asked:
            gauges += [*_ledger_gauges(served, asked), *_account_gauges(asked.tracker), *limit_gauges(asked)]
            if absence is not None:
                gauges += absence.gauges(asked)
    except TearsheetError:
        up.set(0)
        return gauges
    up.set(1)
    return gauges


def _ledger_gauges(served: AppContext, asked: QueryContext) -> list[Gauge]:
    summary = asked.tracker.get_summary("all", sync=False, currency=served.settings.currency)
    last = Gauge("last_fill_timestamp_seconds", "When the last fill happened.")
    if summary.freshness.last_fill_at is not None:
        last.set(summary.freshness.last_fill_at.timestamp())
    return [
        last,
        Gauge("revision", "How often the facts changed.").set(summary.freshness.revision),
        Gauge("rejected_lines", "Lines that could not be used.").set(summary.rejected_lines),
        Gauge("partial", "Whether answers may lack something.").set(float(summary.partial)),
        Gauge("sync_lag_seconds", "Since when log lines could not be taken in; 0 while they are.").set(
            served.trackers.sync_lag_s
        ),
    ]


def _account_gauges(tracker: PerformanceTracker) -> list[Gauge]:
    """The present day of every account, and the targets that it is held against."""
    gauges = {
        name: Gauge(f"daily_{name}", METRICS[name].description, ("account", "currency"))
        for name in _GAUGE_METRICS
    }
    targets = Gauge("target", "What was promised.", ("target",))
    for rule in target_rules(tracker.targets()):
        targets.set(to_float(rule.target_value), rule.name)
    for account in tracker.accounts():
        _day_gauges(tracker, account, gauges)
    return [*gauges.values(), targets]


def _day_gauges(tracker: PerformanceTracker, account: str, gauges: dict[str, Gauge]) -> None:
    try:
        summary = tracker.get_summary("daily", scope=Scope(account), sync=False)
    except MixedCurrencyError:
        return  # no one number says how an account with several currencies stands
    for name, gauge in gauges.items():
        value: Any = summary.value(name)
        if value is not None:
            gauge.set(to_float(value), account, summary.currency)
