"""Results of a day, week, month or any window, and show the fills behind a number."""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Literal

from flask import Response
from msgspec import Struct
from msgspec.structs import replace

from tearsheet.app.judgement import Judge, Judged
from tearsheet.export.files import json_line, summary_json
from tearsheet.performance.metric import METRICS
from tearsheet.performance.summary import PerformanceSummary, Scope
from tearsheet.trade.session import Window, WindowKind
from tearsheet.web.http import parameters
from tearsheet.web.http.operation import Api, Operation
from tearsheet.web.http.plain_answers import Environ, PlainAnswer, PlainView
from tearsheet.web.http.responses import format_timestamp, success_head, success_response
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
    "carry",
    "income",
    "costs",
    "tax",
    "result",
    "flows",
    "balance",
)
_SECOND = timedelta(seconds=1)
_REVISION = re.compile(rb'"revision":\d+')
#: A cached answer is three lines: the last fill's time or nothing, the content, the metadata. What changes with
#: the clock is inserted into them.
_SEPARATOR = b"\n"


def add_performance(api: Api, app_context: AppContext) -> None:
    """Add the operations under `/api/performance`."""
    scope = (*parameters.SCOPE, parameters.CURRENCY, parameters.BASE)
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
        api.add_plain(operation, _period_view(app_context, kind))
    api.add_plain(
        Operation(
            method="GET",
            path="/api/performance/summary",
            tag="Performance",
            title="Summary of any period",
            description="As the summary's JSON files: targets, limits, alerts and state are those of the command line.",
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
            title="Explain a metric",
            description="The listed fills or trades add up to the value.",
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
            title="Metric definitions",
            response_type=Answer[tuple[answers.MetricDefinition, ...]],
            level="open",
            aliases=("/api/performance/metrics/definitions",),
        ),
        lambda: _definitions(app_context),
    )


class Money(Struct, frozen=True):
    """Which money an answer is in: one currency of the ledger, or all converted into a base currency."""

    currency: str | None
    base: str | None

    @property
    def cache_key(self) -> str | None:
        """Return the money as a part of a cache key."""
        return self.currency if self.base is None else f"{self.currency or ''}>{self.base}"


def _period_view(app_context: AppContext, kind: str) -> PlainView:
    def view(
        environ: Environ, date: date | None, currency: str | None, base: str | None, **scope: Any
    ) -> PlainAnswer:
        def content(judged: Judged, window: Window) -> dict[str, Any]:
            return {
                "period": kind,
                **_bounds(kind, window),
                "data": {
                    f"{kind}_pnl": judged.summary.value("net_pnl"),
                    **_period_numbers(judged.summary),
                    **_judgement(judged),
                },
            }

        def choose_window(query: QueryContext) -> Window:
            return query.tracker.window(_KINDS[kind], start=date)

        return _cached_answer(
            app_context, environ, kind, choose_window, Scope(**scope), Money(currency, base), content
        )

    return view


def _bounds(kind: str, window: Window) -> dict[str, date]:
    if kind == "daily":
        return {"date": window.start}
    name = kind.removesuffix("ly")
    return {f"{name}_start": window.start, f"{name}_end": window.last_day}


_KINDS: Mapping[str, WindowKind] = {"daily": "daily", "weekly": "weekly", "monthly": "monthly"}


def _summary_view(app_context: AppContext) -> PlainView:
    def view(
        environ: Environ,
        window: WindowKind,
        start: date | None,
        end: date | None,
        rolling: int | None,
        currency: str | None,
        base: str | None,
        **scope: Any,
    ) -> PlainAnswer:
        def content(judged: Judged, chosen: Window) -> dict[str, Any]:
            plain = summary_json(judged.summary, judged.alerts)
            del plain["freshness"]  # inserted by the clock
            return {"period": chosen.kind, "data": plain}

        def choose_window(query: QueryContext) -> Window:
            return query.tracker.window(window, start=start, end=end, rolling=rolling)

        return _cached_answer(
            app_context,
            environ,
            f"summary-{window}",
            choose_window,
            Scope(**scope),
            Money(currency, base),
            content,
            fresh=True,
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
        base: str | None,
        **scope: Any,
    ) -> Response:
        with app_context.query() as query:
            if (unchanged := app_context.not_modified(query)) is not None:
                return unchanged
            chosen = query.tracker.window(window, start=start, end=end, rolling=rolling)
            explanation = query.tracker.explain(
                metric, chosen, scope=Scope(**scope), currency=currency, base=base
            )
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


def _cached_answer(
    app_context: AppContext,
    environ: Environ,
    period: str,
    choose_window: Callable[[QueryContext], Window],
    scope: Scope,
    money: Money,
    content: Callable[[Judged, Window], dict[str, Any]],
    *,
    fresh: bool = False,
) -> PlainAnswer:
    """Return the cached or computed answer, with its timestamp and data age of now.

    Its ETag and cache key name the targets, limits and alerts that it was judged by. `fresh` inserts the
    freshness into the data.
    """
    with app_context.query() as query:
        judge = Judge(query.tracker, scope.account, query.sync_errors, tolerant=True)
        query = replace(query, state_id=f"{query.state_id}.{judge.digest}")
        if app_context.is_not_modified(query, environ):
            return PlainAnswer(304)
        window = choose_window(query)

        def compute() -> bytes:
            summary = query.tracker.get_summary(
                window,
                scope=scope,
                currency=money.currency,
                base=money.base,
                sync=False,
                stale=query.sync_errors,
            )
            judged = judge.judge(summary)
            return _strip_clock(judged.summary, content(judged, window))

        body = app_context.cached_answer(query, period, window, scope, money.cache_key, compute)
        feeds = json_line(judge.feeds) if fresh else None
    return PlainAnswer(200, _insert_clock(body, app_context.now, feeds))


def _period_numbers(summary: PerformanceSummary) -> dict[str, Any]:
    return {
        **{name: summary.value(name) for name in _PERIOD_METRICS},
        "currency": summary.currency,
        "open_positions": summary.open_positions,
        "unrealized_pnl": summary.unrealized_pnl,
        "unrealized_reason": summary.unrealized_reason,
        "message": summary.message,
        **({} if summary.conversion is None else {"conversion": summary.conversion}),
    }


def _judgement(judged: Judged) -> dict[str, Any]:
    summary = judged.summary
    return {
        "state": summary.state,
        "targets": summary.targets,
        "limits": summary.limits,
        "alerts": judged.alerts,
        "trade_log": summary.trade_log,
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
        "notes": summary.notes,
        "missing_days": summary.missing_days,
        "rejected_lines": summary.rejected_lines,
        "last_updated": fresh.as_of,
        "revision": fresh.revision,
        "last_fill_at": fresh.last_fill_at,
    }


def _strip_clock(summary: PerformanceSummary, content: dict[str, Any]) -> bytes:
    """Return an answer without timestamp and data age, after the time of the last fill."""
    fresh = summary.freshness
    last = format_timestamp(fresh.last_fill_at).encode() if fresh.last_fill_at else b""
    head, metadata = json_line(content), json_line(_metadata(summary))
    # without the braces that end the data, and the metadata
    return _SEPARATOR.join((last, head[1:-2], metadata[:-1]))


def _insert_clock(cached: bytes, now: datetime, feeds: bytes | None) -> bytes:
    last, content, metadata = cached.split(_SEPARATOR)
    age = b"null"
    if last:
        age = b"%.6f" % ((now - datetime.fromisoformat(last.decode())) / _SECOND)
    freshness = b""
    if feeds is not None:
        revision = _REVISION.search(metadata)
        assert revision is not None
        at, of = format_timestamp(now).encode(), b'"%b"' % last if last else b"null"
        freshness = b',"freshness":{%b,"as_of":"%b","last_fill_at":%b,"data_age_s":%b,"feeds":%b}' % (
            revision[0],
            at,
            of,
            age,
            feeds,
        )
    ends = (content, freshness, b'},"metadata":', metadata, b',"data_age_s":', age, b"}}\n")
    return success_head(now) + b"".join(ends)
