"""Export of summaries and alerts as JSON and Markdown, written atomically and only if changed."""

import contextlib
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from tearsheet import shared_files
from tearsheet.errors import InputError
from tearsheet.performance.metric import METRICS, MetricValue
from tearsheet.performance.summary import LimitStatus, PerformanceSummary, Variance, to_plain_builtins
from tearsheet.rules import AlertEvent
from tearsheet.trade.fill import digest
from tearsheet.words import NONE, format_metric

_encode = msgspec.json.Encoder(decimal_format="number").encode
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_MARKUP = re.compile(r"([\\`*_{}\[\]<>|#~])")
#: Start of the Markdown line that shows the age of the data; it does not count as a change.
_FRESH_LINE = b"| Last fill |"
_CHART_ALT = "Cumulative P&L, drawdown and daily net P&L"
_ABANDONED_AFTER_S = 60


class ExportedFile(Struct, frozen=True):
    """A file of an export, and whether its content changed."""

    path: Path
    changed: bool


def json_bytes(value: object) -> bytes:
    """Return indented JSON with exact decimals and a final line break."""
    return msgspec.json.format(json_line(value), indent=2) + b"\n"


def json_line(value: object) -> bytes:
    """Return JSON on one line; decimals are exact numbers without exponent."""
    return _encode(_plain_decimals(to_plain_builtins(value)))


def schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) `performance-summary`, `performance-alert` or `tie-out`."""
    file = Path(__file__).parents[1] / "schemas" / f"{name}.schema.json"
    content: dict[str, Any] = msgspec.json.decode(file.read_bytes())
    return content


def export_summary(
    summary: PerformanceSummary, alerts: Sequence[AlertEvent], folder: Path, picture: str = ""
) -> list[ExportedFile]:
    """Write `{window}-summary-{start}.json` and `.md`; unchanged files are not written.

    `picture` is SVG text, written to the same folder and shown by the Markdown.
    Raises InputError if the folder cannot be written.
    """
    name = file_name(summary)
    content = json_bytes(summary_json(summary, alerts))
    page = render_markdown(summary, alerts, f"{name}.svg" if picture else "").encode()
    # the picture first, so that no page links to a missing file
    files = [write_file(folder / f"{name}.svg", picture.encode())] if picture else []
    files += [
        _write_if_changed(folder / f"{name}.json", content, _fields_without_freshness),
        _write_if_changed(folder / f"{name}.md", page, _lines_without_freshness),
    ]
    written = [file.path for file in files if file.changed]
    if written:
        _remove_temp_files(folder, written[-1])
    return files


def summary_json(summary: PerformanceSummary, alerts: Sequence[AlertEvent]) -> dict[str, Any]:
    """Return a judged summary with its open alerts as the JSON of files, commands and the API."""
    return {**to_plain_builtins(summary), "alerts": to_plain_builtins(list(alerts))}


def write_file(path: Path, data: bytes) -> ExportedFile:
    """Write a file atomically, unless it has the same content. Raises InputError."""
    return _write_if_changed(path, data, lambda content: content)


def file_name(summary: PerformanceSummary) -> str:
    """Return the file name of a summary without suffix: window, start and scope."""
    window, scope = summary.window, summary.scope
    if window.last_trades is not None:
        name = f"rolling-{window.last_trades}-summary"
    elif window.kind == "all":
        name = "all-summary"
    elif window.kind == "custom":
        name = f"custom-summary-{window.start}-to-{window.end}"
    else:
        name = f"{window.kind}-summary-{window.start}"
    parts = [p for p in (scope.account, scope.strategy, scope.symbol, scope.mode) if p]
    if summary.currency != "USD":
        parts.append(summary.currency)
    if not parts:
        return name
    scope_json = json_line([scope, summary.currency]).decode()
    slug = _UNSAFE.sub("-", "-".join(parts)).strip("-")[:60]
    return f"{name}-{slug}-{digest(scope_json)[:6]}"


def render_markdown(summary: PerformanceSummary, alerts: Sequence[AlertEvent], picture: str = "") -> str:
    """Render a summary as Markdown; `picture` is the file name of its chart."""
    window = summary.window
    kind = "" if window.last_trades else f"{window.kind.capitalize()} "
    return "\n".join(
        [
            f"# {kind}performance: {window.label}",
            "",
            "## Overview",
            "",
            *_overview(summary),
            "",
            *([f"![{_CHART_ALT}]({picture})", ""] if picture else []),
            "## Metrics",
            "",
            *_metrics(summary),
            "",
            *_targets(summary.targets),
            "## Alerts",
            "",
            *_alerts(alerts, ZoneInfo(window.timezone)),
            "",
            *_limits(summary.limits),
        ]
    )


def _overview(summary: PerformanceSummary) -> list[str]:
    window = summary.window
    last, zone = summary.freshness.last_fill_at, ZoneInfo(window.timezone)
    rows = [
        ("Scope", _escape_markdown(summary.scope.label)),
        ("Sessions", f"{window.start} to {window.end}" if not window.last_trades else window.label),
        ("Trading day", f"{window.timezone}, starts at {window.day_starts_at}"),
        ("Currency", summary.currency),
        ("Result", _headline(summary)),
        ("Last fill", f"{last.astimezone(zone):%Y-%m-%d %H:%M:%S} ({zone.key})" if last else NONE),
        ("Open positions", str(summary.open_positions)),
        ("Trade log", summary.trade_log.label.removeprefix("trade log ") or NONE),
        ("Complete", _data_status(summary)),
    ]
    return ["| | |", "|---|---|", *(f"| {name} | {text} |" for name, text in rows)]


def _headline(summary: PerformanceSummary) -> str:
    if summary.is_empty:
        return summary.message
    net, trades, rate = (
        format_metric(METRICS[name], summary.metrics[name])
        for name in ("net_pnl", "total_trades", "win_rate")
    )
    notes = "".join(f"; {_escape_markdown(note.detail)}" for note in summary.notes)
    return f"**{net} {summary.currency}** net in {trades} trades, {rate} won{notes}"


def _data_status(summary: PerformanceSummary) -> str:
    if not summary.partial:
        return "yes"
    return "**partial**: " + "; ".join(
        f"{reason.code}: {_escape_markdown(reason.detail)}" for reason in summary.partial_reasons
    )


def _metrics(summary: PerformanceSummary) -> list[str]:
    lines = ["| Metric | Value | n | |", "|---|---:|---:|---|"]
    for name in summary.shown_metrics:
        metric, value = METRICS[name], summary.metrics[name]
        lines.append(
            f"| {metric.label} | {format_metric(metric, value)} | {value.n:,} | {value.reason or ''} |"
        )
    return lines


def _targets(targets: Iterable[Variance]) -> list[str]:
    rows = [_target(variance) for variance in targets]
    if not rows:
        return []
    return ["### Targets", "", "| Target | Actual | Wanted | |", "|---|---:|---:|---|", *rows, ""]


def _target(variance: Variance) -> str:
    metric = METRICS[variance.metric]
    verdict = {True: "met", False: "**missed**", None: f"not evaluated: {variance.reason}"}[variance.met]
    actual = format_metric(metric, MetricValue(variance.actual, 0))
    target_value = format_metric(metric, MetricValue(variance.target_value, 0))
    return f"| {metric.label} | {actual} | {target_value} | {verdict} |"


def _limits(limits: Sequence[LimitStatus]) -> list[str]:
    """Return the limit status of each account; details are left out, because ages change every second."""
    if not limits:
        return []
    head = ["## Limits", "", "| Account | Trading day | Status | |", "|---|---|---|---|"]
    rows = [
        f"| {_escape_markdown(one.account)} | {one.trading_day} | {_limit_state(one)} "
        f"| {', '.join(dict.fromkeys(reason.code for reason in one.reasons))} |"
        for one in limits
    ]
    return [*head, *rows, ""]


def _limit_state(status: LimitStatus) -> str:
    state = status.state if status.state == "ok" else f"**{status.state}**"
    return f"{state}, must be flat" if status.must_be_flat else state


def _alerts(alerts: Sequence[AlertEvent], zone: ZoneInfo) -> list[str]:
    if not alerts:
        return ["None."]
    head = [f"| Since ({zone.key}) | Alert | State | Id |", "|---|---|---|---|"]
    return head + [
        f"| {a.raised_at.astimezone(zone):%Y-%m-%d %H:%M} | {_escape_markdown(a.message)} | {a.state} | `{a.id}` |"
        for a in alerts
    ]


def _escape_markdown(text: str) -> str:
    """Escape Markdown and HTML, and replace control characters."""
    flat = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))
    return _MARKUP.sub(r"\\\1", flat.replace("&", "&amp;")).replace("\\<", "&lt;").replace("\\>", "&gt;")


def _fields_without_freshness(data: bytes) -> object:
    """Return the raw JSON of each field: another number of digits is a change."""
    try:
        fields = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        limits = msgspec.json.decode(fields.pop("limits", b"[]"))
    except (msgspec.DecodeError, RecursionError):
        return None
    fields.pop("freshness", None)
    return {key: bytes(value) for key, value in fields.items()}, _without_details(limits)


def _without_details(limits: object) -> object:
    """Remove the details of limit reasons, whose ages change every second."""
    if isinstance(limits, dict):
        return {key: _without_details(value) for key, value in limits.items() if key != "detail"}
    return [_without_details(one) for one in limits] if isinstance(limits, list) else limits


def _lines_without_freshness(data: bytes) -> object:
    return [line for line in data.split(b"\n") if not line.startswith(_FRESH_LINE)]


def _write_if_changed(path: Path, data: bytes, comparable: Callable[[bytes], object]) -> ExportedFile:
    """Write a file unless its comparable content is unchanged."""
    try:
        current = path.read_bytes()
    except FileNotFoundError:
        current = None
    except OSError as error:
        raise _write_error(path, error) from error
    if current is not None and comparable(current) == comparable(data):
        return ExportedFile(path, False)
    replace_file(path, data)
    return ExportedFile(path, True)


def replace_file(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Replace a file atomically and durably. Raises InputError."""
    try:
        shared_files.replace_file(path, data, mode)
    except OSError as error:
        raise _write_error(path, error) from error


def _remove_temp_files(folder: Path, written: Path) -> None:
    """Remove temporary files of killed runs; a newer one may belong to a running export.

    Their age is counted back from a file just written, since the clock of a network disk may differ from ours.
    """
    with contextlib.suppress(OSError):
        now = written.stat().st_mtime
        for temporary in folder.glob(".*-summary*.tmp"):
            if now - temporary.stat().st_mtime > _ABANDONED_AFTER_S:
                temporary.unlink()


def _write_error(path: Path, error: OSError) -> InputError:
    return InputError(
        f"{path} cannot be written: {error.strerror or error}",
        "check the folder, its permissions and the space on the disk",
    )


def _plain_decimals(value: Any) -> Any:
    """Replace decimals that would be encoded with an exponent by raw JSON with all digits."""
    if isinstance(value, dict):
        return {key: _plain_decimals(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain_decimals(item) for item in value]
    if hasattr(value, "as_tuple") and "E" in str(value):
        return msgspec.Raw(format(value, "f").encode())
    return value
