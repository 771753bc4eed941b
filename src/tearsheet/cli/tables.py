"""Terminal output: summaries, alerts and tables as aligned text, and the progress of long work."""

import logging
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import click

from tearsheet.app.reports import OnProgress
from tearsheet.log import log_event
from tearsheet.performance.metric import METRICS, MetricValue
from tearsheet.performance.summary import (
    Conversion,
    LimitStatus,
    PerformanceSummary,
    SessionRate,
    SourceAge,
    Variance,
)
from tearsheet.rules import AlertEvent
from tearsheet.trade.amount import to_plain_string
from tearsheet.trade.fill import Rejection
from tearsheet.words import format_duration, format_metric, format_number

_log = logging.getLogger("tearsheet")
#: First block of metrics in a summary.
_HEAD = ("net_pnl", "total_trades", "win_rate", "profit_factor", "expectancy", "max_drawdown")
_SIGNED = {
    "net_pnl",
    "result",
    "flows",
    "closed_pnl",
    "expectancy",
    "average_daily_pnl",
    "best_day",
    "worst_day",
}
_LABEL, _VALUE = 28, 18


def format_summary(
    summary: PerformanceSummary, open_alerts: Sequence[AlertEvent], raised: Sequence[AlertEvent]
) -> str:
    """Format a summary with targets and alerts."""
    lines = [_title(summary), _data_status(summary)]
    lines += feeds_lines(summary.freshness.feeds, ZoneInfo(summary.window.timezone))
    lines += [note.detail for note in summary.notes if note.code == "cash_not_booked"]
    if summary.is_empty:
        return "\n".join([*lines, *_alerts_and_limits(summary, open_alerts, raised), ""])
    rest = [name for name in summary.shown_metrics if name not in _HEAD]
    lines += ["", *_metrics(summary, _HEAD), "", *_metrics(summary, rest)]
    if summary.conversion is not None:
        lines += ["", *_conversion(summary.conversion)]
    if summary.open_positions:
        lines.append(f"  {'Open positions':<{_LABEL}}{summary.open_positions:>{_VALUE}}")
    if summary.targets:
        lines += ["", click.style("Targets", bold=True), *map(_variance, summary.targets)]
    return "\n".join([*lines, *_alerts_and_limits(summary, open_alerts, raised), ""])


def _conversion(conversion: Conversion) -> Iterator[str]:
    """Yield what a conversion did: the rates of each currency, and what rates did to balances."""
    yield click.style(f"Converted into {conversion.base}", bold=True)
    by_currency: dict[str, list[SessionRate]] = defaultdict(list)
    for rate in conversion.rates:
        by_currency[rate.currency].append(rate)
    for currency, used in by_currency.items():
        last = used[-1]
        how = ", ".join((*last.stated, *last.pegs))
        sessions = f"{len(used)} sessions, the last " if len(used) > 1 else ""
        yield f"  {currency:<6}{sessions}{last.session} at {to_plain_string(last.rate)}: {how}"
    for label, value, reason in (
        ("Currency result", conversion.fx_result, conversion.fx_reason),
        ("Balance", conversion.balance, conversion.balance_reason),
    ):
        if value is None:
            yield f"  {label:<{_LABEL}}{'—':>{_VALUE}}   {reason}"
        else:
            yield f"  {label:<{_LABEL}}{format_number(value):>{_VALUE}}"


def _alerts_and_limits(
    summary: PerformanceSummary, open_alerts: Sequence[AlertEvent], raised: Sequence[AlertEvent]
) -> list[str]:
    lines = []
    if open_alerts:
        new = {alert.id for alert in raised}
        lines += ["", click.style("Alerts", bold=True)]
        lines += [
            format_alert(alert, ZoneInfo(summary.window.timezone), new=alert.id in new)
            for alert in open_alerts
        ]
    if unknown := list(format_unknown_limits(summary.limits)):
        lines += ["", click.style("Limits", bold=True), *unknown]
    return lines


def format_unknown_limits(limits: Iterable[LimitStatus]) -> Iterator[str]:
    """Yield a line for each account whose limit status is unknown."""
    for one in limits:
        if one.state == "unknown":
            why = "; ".join(reason.detail for reason in one.reasons) or "see `tearsheet verdict`"
            yield f"  UNKNOWN      limits of {one.account}: {why}"


def format_alert(alert: AlertEvent, zone: ZoneInfo, *, new: bool = False) -> str:
    """Format an alert on one line; its time is in the zone of the trading day."""
    color = {"raised": "red", "escalated": "red", "acknowledged": "yellow"}.get(alert.state)
    state = click.style(f"{alert.state.upper():<13}", fg=color, bold=color == "red")
    acknowledged_by = f" · {alert.acknowledged_by}" if alert.acknowledged_by else ""
    note = f": {alert.note}" if alert.note else ""
    since = alert.raised_at.astimezone(zone).strftime("%Y-%m-%d %H:%M")
    return f"  {state}{alert.id}  {since}  {alert.message}{' · new' if new else ''}{acknowledged_by}{note}"


def format_rejection(rejection: Rejection) -> str:
    """Format a rejected line with position, reason and hint."""
    where = click.style(f"{rejection.file}:{rejection.line}", bold=True)
    text = f"\n      {rejection.text[:120]}" if rejection.text else ""
    hint = f"\n      hint: {rejection.hint}" if rejection.hint else ""
    return f"  {where}  {rejection.code}: {rejection.reason}{text}{hint}"


def strip_control(text: str) -> str:
    """Replace control and bidirectional characters, so that stored text cannot control the terminal."""
    return "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in text)


def columns(head: Sequence[str], rows: Iterable[Sequence[str]], right: str = "") -> str:
    """Format aligned columns; `right` has an `r` for each right-aligned column."""
    table = [list(head), *map(list, rows)]
    widths = [max(len(row[n]) for row in table) for n in range(len(head))]
    sides = [">" if mark == "r" else "<" for mark in right.ljust(len(head))]
    lines = [
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True))
        for row in table
    ]
    return "\n".join([click.style(lines[0].rstrip(), bold=True), *(line.rstrip() for line in lines[1:])])


def table(head: Sequence[str], rows: Iterable[Sequence[str]], right: str = "") -> str:
    """Format a table: wrapped to the width of a terminal, else one line per row."""
    if not sys.stdout.isatty():
        return columns(head, rows, right)
    from rich.console import Console
    from rich.table import Table

    rich_table = Table(box=None, pad_edge=False, header_style="bold")
    for name, side in zip(head, right.ljust(len(head)), strict=True):
        rich_table.add_column(name, justify="right" if side == "r" else "left", overflow="fold")
    for row in rows:
        rich_table.add_row(*row)
    console = Console(force_terminal=True, highlight=False, markup=False)
    with console.capture() as capture:
        console.print(rich_table)
    return capture.get().rstrip("\n")


def _title(summary: PerformanceSummary) -> str:
    window = summary.window
    kind = "" if window.last_trades else f"{window.kind} "
    title = f"{kind}{window.label} · {summary.scope.label} · {summary.currency}"
    zone = f"{window.timezone}, day starts at {window.day_starts_at}"
    return f"{click.style(title, bold=True)}  {click.style(zone, dim=True)}"


def feeds_lines(feeds: Iterable[SourceAge], zone: ZoneInfo) -> list[str]:
    """Format what each source said last, as one line, or as none where nothing was heard."""
    said = [
        f"{one.name} {one.last_at.astimezone(zone):%Y-%m-%d %H:%M:%S}, {format_duration(one.age_s)} ago"
        + (click.style(" (stale)", fg="yellow", bold=True) if one.state == "stale" else "")
        for one in feeds
    ]
    return [f"heard: {'; '.join(said)}"] if said else []


def _data_status(summary: PerformanceSummary) -> str:
    last = summary.freshness.last_fill_at
    zone = ZoneInfo(summary.window.timezone)
    fresh = f"last fill {last.astimezone(zone):%Y-%m-%d %H:%M:%S} {zone.key}" if last else "no fills yet"
    if summary.trade_log.label:
        fresh = f"{fresh} · {summary.trade_log.label}"
    if not summary.partial:
        message = "complete" if summary.message == "ok" else f"{summary.message}, complete"
        return f"{message} · {fresh} · revision {summary.freshness.revision}"
    reasons = "; ".join(f"{r.code}: {r.detail}" for r in summary.partial_reasons)
    state = click.style("PARTIAL", fg="yellow", bold=True)
    message = "" if summary.message == "ok" else f"{summary.message} · "
    return f"{message}{state} {reasons} · {fresh}"


def _metrics(summary: PerformanceSummary, names: Iterable[str]) -> list[str]:
    gross = next((f"   {note.detail}" for note in summary.notes if note.code == "no_fees_stated"), "")
    return [
        _metric(name, summary.metrics[name]) + (click.style(gross, fg="yellow") if name == "net_pnl" else "")
        for name in names
    ]


def _metric(name: str, value: MetricValue) -> str:
    metric = METRICS[name]
    text = f"{format_metric(metric, value):>{_VALUE}}"
    if value.value is None:
        return click.style(f"  {metric.label:<{_LABEL}}{text}   {value.reason}", dim=True)
    if name in _SIGNED and isinstance(value.value, Decimal | float) and value.value:
        text = click.style(text, fg="green" if value.value > 0 else "red")
    sample = "" if metric.unit == "count" else click.style(f"   n = {value.n:,}", dim=True)
    return f"  {metric.label:<{_LABEL}}{text}{sample}"


def _variance(variance: Variance) -> str:
    metric = METRICS[variance.metric]
    actual = format_metric(metric, MetricValue(variance.actual, 0)) if variance.actual is not None else "—"
    target_value = format_metric(metric, MetricValue(variance.target_value, 0))
    verdict = {
        True: click.style("met", fg="green"),
        False: click.style("MISSED", fg="red", bold=True),
        None: click.style(f"not evaluated: {variance.reason}", dim=True),
    }[variance.met]
    return f"  {metric.label:<{_LABEL}}{actual:>{_VALUE}}   target {target_value:>12}   {verdict}"


#: Smaller reads get no bar.
_WORTH_BYTES = 4_000_000
_LOG_SECONDS = 10.0


@contextmanager
def progress(title: str) -> Iterator[OnProgress]:
    """Yield a callback that shows progress: a bar on a terminal, else log events."""
    if not sys.stderr.isatty():
        yield _LogProgress(title)
        return
    bar = _ProgressBar(title)
    try:
        yield bar
    finally:
        bar.stop()


class _LogProgress:
    """Logs progress every ten seconds."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._next = time.monotonic() + _LOG_SECONDS

    def __call__(self, done: int, total: int, name: str) -> None:
        if time.monotonic() >= self._next:
            self._next += _LOG_SECONDS
            log_event(_log, "tearsheet.progress", task=self._title, file=name, done=done, total=total)


class _ProgressBar:
    """Progress bar; rich is imported for large reads only."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._bar: Any = None

    def __call__(self, done: int, total: int, name: str) -> None:
        if self._bar is None:
            if total < _WORTH_BYTES:
                return
            self._bar = self._start()
            self._task = self._bar.add_task(self._title, total=total, name=name)
        self._bar.update(self._task, completed=done, total=total, name=name)

    def _start(self) -> Any:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[name]}", style="dim"),
            console=Console(stderr=True),
            transient=True,
        )
        bar.start()
        return bar

    def stop(self) -> None:
        if self._bar is not None:
            self._bar.refresh()
            self._bar.stop()


def format_amounts(amounts: Mapping[str, Decimal | None]) -> str:
    """Format amounts by currency; a dash stands for an unknown one."""
    return ", ".join(
        f"{'—' if amount is None else to_plain_string(amount)} {currency}"
        for currency, amount in amounts.items()
    )
