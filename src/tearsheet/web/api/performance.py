"""Results of a day, week, month or any window, and the fills behind a number."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Literal

from flask import Response

from tearsheet.export.files import json_line
from tearsheet.performance.metric import METRICS
from tearsheet.performance.summary import PerformanceSummary, Scope, to_plain_builtins
from tearsheet.trade.session import Window, WindowKind
from tearsheet.web.http import parameters
from tearsheet.web.http.operation import Api, Operation
from tearsheet.web.http.responses import format_timestamp, json_response, success_head, success_response
from tearsheet.web.schemas import performance as answers
from tearsheet.web.schemas.answer import Answer
from tearsheet.web.server.context import AppContext, QueryContext

PeriodKind = Literal["daily", "weekly", "monthly"]
_PERIOD_METRICS = (
    "total_trades",
    "winning_trades",
    "losing_trades",
    "breakeven_trades",
    "win_rate",
    "closed_pnl",
    "gross_profit",
    "gross_loss",
    "fees",
)
_SECOND = timedelta(seconds=1)
#: A cached answer is the last fill's time (or nothing), this, and all but what changes with the clock.
_SEPARATOR = b"\n"


def add_performance(api: Api, app_context: AppContext) -> None:
    """Add the operations under `/api/performance`."""
    scope = (*parameters.SCOPE, parameters.CURRENCY)
    for kind, title, answer in (
        ("daily", "The present day, or another", answers.DailyAnswer),
        ("weekly", "The present week, Monday to Sunday, or another", answers.WeeklyAnswer),
        ("monthly", "The present calendar month, or another", answers.MonthlyAnswer),
    ):
        operation = Operation(
            method="GET",
            path=f"/api/performance/{kind}",
            tag="Performance",
            title=title,
            description="Closed trades are counted in the session of their last fill; the P&L is that of "
            "every fill of the window, after fees.",
            parameters=(parameters.DATE, *scope),
            response_type=answer,
            statuses=(304, 404, 422),
        )
        api.add(operation, _period_view(app_context, kind))
    api.add(
        Operation(
            method="GET",
            path="/api/performance/summary",
            tag="Performance",
            title="Every metric of any window",
            description="As the summary's JSON files.",
            parameters=(*parameters.PERIOD, parameters.ROLLING, *scope),
            response_type=answers.SummaryAnswer,
            statuses=(304, 404, 422),
        ),
        _summary_view(app_context),
    )
    api.add(
        Operation(
            method="GET",
            path="/api/performance/explain",
            tag="Performance",
            title="The fills behind a number",
            description="The terms add up to the number exactly.",
            parameters=(parameters.METRIC, *parameters.PERIOD, parameters.ROLLING, *scope),
            response_type=Answer[answers.ExplanationView],
            statuses=(304, 404, 422),
            aliases=("/api/explain",),
        ),
        _explain_view(app_context),
    )
    api.add(
        Operation(
            method="GET",
            path="/api/metrics/definitions",
            tag="Performance",
            title="The table of metrics",
            response_type=Answer[tuple[answers.MetricDefinition, ...]],
            level="open",
            aliases=("/api/performance/metrics/definitions",),
        ),
        lambda: _definitions(app_context),
    )


def _period_view(app_context: AppContext, kind: str) -> Callable[..., Response]:
    def view(date: date | None, currency: str | None, **scope: Any) -> Response:
        def content(summary: PerformanceSummary, window: Window) -> dict[str, Any]:
            return {
                "period": kind,
                **_bounds(kind, window),
                "data": {f"{kind}_pnl": summary.value("net_pnl"), **_period_numbers(summary)},
            }

        def choose_window(query: QueryContext) -> Window:
            return query.tracker.window(_KINDS[kind], start=date)

        return _cached_response(app_context, kind, choose_window, Scope(**scope), currency, content)

    return view


def _bounds(kind: str, window: Window) -> dict[str, date]:
    if kind == "daily":
        return {"date": window.start}
    name = kind.removesuffix("ly")
    return {f"{name}_start": window.start, f"{name}_end": window.last_day}


_KINDS: Mapping[str, WindowKind] = {"daily": "daily", "weekly": "weekly", "monthly": "monthly"}


def _summary_view(app_context: AppContext) -> Callable[..., Response]:
    def view(
        window: WindowKind,
        start: date | None,
        end: date | None,
        rolling: int | None,
        currency: str | None,
        **scope: Any,
    ) -> Response:
        def content(summary: PerformanceSummary, chosen: Window) -> dict[str, Any]:
            plain = to_plain_builtins(summary)
            del plain["freshness"]
            return {"period": chosen.kind, "data": plain}

        def choose_window(query: QueryContext) -> Window:
            return query.tracker.window(window, start=start, end=end, rolling=rolling)

        return _cached_response(
            app_context, f"summary-{window}", choose_window, Scope(**scope), currency, content
        )

    return view


def _explain_view(app_context: AppContext) -> Callable[..., Response]:
    def view(
        metric: str,
        window: WindowKind,
        start: date | None,
        end: date | None,
        rolling: int | None,
        currency: str | None,
        **scope: Any,
    ) -> Response:
        with app_context.query() as query:
            if (unchanged := app_context.not_modified(query)) is not None:
                return unchanged
            chosen = query.tracker.window(window, start=start, end=end, rolling=rolling)
            explanation = query.tracker.explain(metric, chosen, scope=Scope(**scope), currency=currency)
        return success_response(app_context.timestamp, explanation)

    return view


def _definitions(app_context: AppContext) -> Response:
    rows = [
        answers.MetricDefinition(
            name=row.name,
            label=row.label,
            unit=row.unit,
            words=row.description,
            needs=row.min_sample,
            undefined=row.reason_undefined,
        )
        for row in METRICS.values()
    ]
    return success_response(app_context.timestamp, rows)


def _cached_response(
    app_context: AppContext,
    period: str,
    choose_window: Callable[[QueryContext], Window],
    scope: Scope,
    currency: str | None,
    content: Callable[[PerformanceSummary, Window], dict[str, Any]],
) -> Response:
    """Return the cached or computed answer, with its timestamp and data age of now."""
    with app_context.query() as query:
        if (unchanged := app_context.not_modified(query)) is not None:
            return unchanged
        window = choose_window(query)

        def compute() -> bytes:
            summary = query.tracker.get_summary(
                window, scope=scope, currency=currency, sync=False, stale=query.sync_errors
            )
            return _strip_clock(summary, content(summary, window))

        body = app_context.cached_answer(query, period, window, scope, currency, compute)
    return json_response(_insert_clock(body, app_context.now))


def _period_numbers(summary: PerformanceSummary) -> dict[str, Any]:
    return {
        **{name: summary.value(name) for name in _PERIOD_METRICS},
        "currency": summary.currency,
        "open_positions": summary.open_positions,
        "unrealized_pnl": summary.unrealized_pnl,
        "unrealized_reason": summary.unrealized_reason,
        "message": summary.message,
    }


def _metadata(summary: PerformanceSummary) -> dict[str, Any]:
    window, fresh = summary.window, summary.freshness
    return {
        "calculation_method": "position_based",
        "timezone": window.timezone,
        "day_starts_at": window.day_starts_at,
        "starts_at": window.starts_at,
        "ends_at": window.ends_at,
        "partial": summary.partial,
        "partial_reasons": summary.partial_reasons,
        "missing_days": summary.missing_days,
        "rejected_lines": summary.rejected_lines,
        "last_updated": fresh.as_of,
        "revision": fresh.revision,
        "last_fill_at": fresh.last_fill_at,
    }


def _strip_clock(summary: PerformanceSummary, content: dict[str, Any]) -> bytes:
    """Return an answer without timestamp and data age, after the time of the last fill."""
    last = summary.freshness.last_fill_at
    whole = json_line({**content, "metadata": _metadata(summary)})
    return (format_timestamp(last).encode() if last else b"") + _SEPARATOR + whole[1:-2]


def _insert_clock(cached: bytes, now: datetime) -> bytes:
    last, _, content = cached.partition(_SEPARATOR)
    age = b"null"
    if last:
        age = b"%.6f" % ((now - datetime.fromisoformat(last.decode())) / _SECOND)
    return success_head(now) + content + b',"data_age_s":' + age + b"}}\n"
