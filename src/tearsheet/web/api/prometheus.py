"""`GET /metrics`: gauges of the ledger, of every account's present day, and of its limits."""

from typing import Any

from flask import Response

from tearsheet.app.limits.verdicts import account_verdicts
from tearsheet.errors import MixedCurrencyError, TearsheetError
from tearsheet.performance.metric import METRICS
from tearsheet.performance.summary import Scope
from tearsheet.rules import target_rules
from tearsheet.rules.verdict import VerdictState
from tearsheet.tracker import PerformanceTracker
from tearsheet.web.http.metrics import CONTENT_TYPE, Gauge
from tearsheet.web.http.operation import Api, Operation
from tearsheet.web.server.context import AppContext, QueryContext
from tearsheet.web.server.guard_watch import GuardMonitor

_DAILY_METRICS = ("net_pnl", "total_trades", "win_rate", "max_drawdown")

#: A larger number is a worse state.
_STATE_NUMBERS: dict[VerdictState, int] = {"ok": 0, "warn": 1, "unknown": 2, "breach": 3}


def add_prometheus(api: Api, app_context: AppContext, guard_monitor: GuardMonitor | None) -> None:
    """Add the page that Prometheus reads."""
    api.add(
        Operation(
            method="GET",
            path="/metrics",
            tag="Operation",
            title="Metrics for Prometheus",
            media="text/plain",
            response_type=str,
        ),
        lambda: Response(
            app_context.metrics.page(_gauges(app_context, guard_monitor)), content_type=CONTENT_TYPE
        ),
    )


def _gauges(app_context: AppContext, guard_monitor: GuardMonitor | None) -> list[Gauge]:
    up = Gauge("store_up", "Whether the ledger can be asked.")
    cache = app_context.cache.health()
    gauges = [up, Gauge("cache_up", "Whether the shared cache answers.").set(float(cache.is_up))]
    try:
        with app_context.query() as query:
            gauges += [
                *_ledger_gauges(app_context, query),
                *_account_gauges(query.tracker),
                *_limit_gauges(query),
            ]
            if guard_monitor is not None:
                gauges += guard_monitor.gauges(query)
    except TearsheetError:
        up.set(0)
        return gauges
    up.set(1)
    return gauges


def _ledger_gauges(app_context: AppContext, query: QueryContext) -> list[Gauge]:
    summary = query.tracker.get_summary("all", sync=False, currency=app_context.settings.currency)
    last = Gauge("last_fill_timestamp_seconds", "When the last fill happened.")
    if summary.freshness.last_fill_at is not None:
        last.set(summary.freshness.last_fill_at.timestamp())
    return [
        last,
        Gauge("revision", "How often the facts changed.").set(summary.freshness.revision),
        Gauge("rejected_lines", "Rejected rows.").set(summary.rejected_lines),
        Gauge("partial", "Whether answers may lack something.").set(float(summary.partial)),
        Gauge("sync_lag_seconds", "Since when log lines could not be taken in; 0 while they are.").set(
            app_context.tracker_pool.sync_lag_s
        ),
    ]


def _account_gauges(tracker: PerformanceTracker) -> list[Gauge]:
    gauges = {
        name: Gauge(f"daily_{name}", METRICS[name].description, ("account", "currency"))
        for name in _DAILY_METRICS
    }
    targets = Gauge("target", "What was promised.", ("target",))
    for rule in target_rules(tracker.targets()):
        targets.set(float(rule.target_value), rule.name)
    for account in tracker.accounts():
        _day_gauges(tracker, account, gauges)
    return [*gauges.values(), targets]


def _day_gauges(tracker: PerformanceTracker, account: str, gauges: dict[str, Gauge]) -> None:
    try:
        summary = tracker.get_summary("daily", scope=Scope(account), sync=False)
    except MixedCurrencyError:
        return  # an account with several currencies has no single number
    for name, gauge in gauges.items():
        value: Any = summary.value(name)
        if value is not None:
            gauge.set(float(value), account, summary.currency)


def _limit_gauges(query: QueryContext) -> list[Gauge]:
    where = ("account", "limit")
    level = Gauge("limit_level", "0 ok, 1 warn, 2 unknown, 3 breach.", where)
    numbers = {
        "value": Gauge("limit_value", "How far a limit is used.", where),
        "threshold": Gauge("limit_threshold", "Where a limit breaks.", where),
        "headroom": Gauge("limit_headroom", "What is left until a limit breaks.", where),
    }
    state = Gauge("verdict_state", "0 ok, 1 warn, 2 unknown, 3 breach.", ("account",))
    flat = Gauge("must_be_flat", "Whether an account must be flat.", ("account",))
    for verdict in account_verdicts(query.tracker).all(query.sync_errors):
        state.set(_STATE_NUMBERS[verdict.state], verdict.account)
        flat.set(float(verdict.must_be_flat), verdict.account)
        for limit in verdict.limits:
            level.set(_STATE_NUMBERS[limit.level], verdict.account, limit.name)
            for name, gauge in numbers.items():
                if (value := getattr(limit, name)) is not None:
                    gauge.set(float(value), verdict.account, limit.name)
    return [state, flat, level, *numbers.values()]
