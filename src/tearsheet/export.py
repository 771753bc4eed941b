"""What goes out: summaries and alerts as JSON and Markdown, written atomically and only when changed."""

import contextlib
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from tearsheet.errors import InputError
from tearsheet.performance.metric import METRICS, MetricValue
from tearsheet.performance.summary import PerformanceSummary, Variance, as_plain
from tearsheet.rules import AlertEvent
from tearsheet.trade.fill import digest
from tearsheet.words import NONE, shown

_encode = msgspec.json.Encoder(decimal_format="number").encode
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_MARKED = re.compile(r"([\\`*_{}\[\]<>|#])")


class ExportedFile(Struct, frozen=True):
    """A file of an export, and whether it had to be written."""

    path: Path
    changed: bool


def json_bytes(value: object) -> bytes:
    """A value as indented JSON whose numbers bear every digit, with a line break at its end."""
    return msgspec.json.format(json_line(value), indent=2) + b"\n"


def json_line(value: object) -> bytes:
    """A value as JSON in one line; decimals are numbers with every digit and no exponent."""
    return _encode(_without_exponents(as_plain(value)))


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of `performance-summary` or `performance-alert`."""
    file = Path(__file__).parent / "schemas" / f"{name}.schema.json"
    content: dict[str, Any] = msgspec.json.decode(file.read_bytes())
    return content


def export_summary(
    summary: PerformanceSummary, alerts: Sequence[AlertEvent], folder: Path
) -> list[ExportedFile]:
    """Write `{window}-summary-{start}.json` and `.md`; files that say the same stay as they are.

    Raises InputError where the folder cannot be written.
    """
    name = file_name(summary)
    content = {**as_plain(summary), "alerts": as_plain(list(alerts))}
    path = folder / f"{name}.json"
    if _says_the_same(path, content) and (folder / f"{name}.md").exists():
        return [ExportedFile(path, False), ExportedFile(folder / f"{name}.md", False)]
    page = markdown(summary, alerts).encode()
    return [_write(path, json_bytes(content)), _write(folder / f"{name}.md", page)]


def file_name(summary: PerformanceSummary) -> str:
    """The name of a summary's files without ending: window, start, and whose trading it is."""
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
    whole = "\0".join(
        f"{p}" for p in (scope.account, scope.strategy, scope.symbol, scope.mode, summary.currency)
    )
    slug = _UNSAFE.sub("-", "-".join(parts)).strip("-")[:60]
    return f"{name}-{slug}-{digest(whole)[:6]}"


def markdown(summary: PerformanceSummary, alerts: Sequence[AlertEvent]) -> str:
    """A summary as a page: Overview, Metrics, Alerts."""
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
            "## Metrics",
            "",
            *_metrics(summary),
            "",
            *_targets(summary.targets),
            "## Alerts",
            "",
            *_alerts(alerts),
            "",
        ]
    )


def _overview(summary: PerformanceSummary) -> list[str]:
    window = summary.window
    last = summary.freshness.last_fill_at
    rows = [
        ("Scope", _marked(summary.scope.label)),
        ("Sessions", f"{window.start} to {window.end}" if not window.last_trades else window.label),
        ("Trading day", f"{window.timezone}, starts at {window.day_starts_at}"),
        ("Currency", summary.currency),
        ("Result", _head(summary)),
        ("Last fill", f"{last:%Y-%m-%d %H:%M:%S} UTC" if last else NONE),
        ("Open positions", str(summary.open_positions)),
        ("Complete", _completeness(summary)),
    ]
    return ["| | |", "|---|---|", *(f"| {name} | {text} |" for name, text in rows)]


def _head(summary: PerformanceSummary) -> str:
    if summary.is_empty:
        return summary.message
    net, trades, rate = (
        shown(METRICS[name], summary.metrics[name])
        for name in ("net_pnl", "total_trades", "win_rate")
    )
    return f"**{net} {summary.currency}** net in {trades} trades, {rate} won"


def _completeness(summary: PerformanceSummary) -> str:
    if not summary.partial:
        return "yes"
    return "**partial**: " + "; ".join(
        f"{reason.code}: {_marked(reason.detail)}" for reason in summary.partial_reasons
    )


def _metrics(summary: PerformanceSummary) -> list[str]:
    lines = ["| Metric | Value | n | |", "|---|---:|---:|---|"]
    for name, value in summary.metrics.items():
        metric = METRICS[name]
        lines.append(
            f"| {metric.label} | {shown(metric, value)} | {value.n:,} | {value.reason or ''} |"
        )
    return lines


def _targets(targets: Iterable[Variance]) -> list[str]:
    rows = [_target(variance) for variance in targets]
    if not rows:
        return []
    return ["### Targets", "", "| Target | Actual | Wanted | |", "|---|---:|---:|---|", *rows, ""]


def _target(variance: Variance) -> str:
    metric = METRICS[variance.metric]
    verdict = {True: "met", False: "**missed**", None: f"not judged: {variance.reason}"}[
        variance.met
    ]
    actual = shown(metric, MetricValue(variance.actual, 0))
    wanted = shown(metric, MetricValue(variance.wanted, 0))
    return f"| {metric.label} | {actual} | {wanted} | {verdict} |"


def _alerts(alerts: Sequence[AlertEvent]) -> list[str]:
    if not alerts:
        return ["None."]
    head = ["| Since (UTC) | Alert | State | Id |", "|---|---|---|---|"]
    return head + [
        f"| {a.raised_at:%Y-%m-%d %H:%M} | {_marked(a.message)} | {a.state} | `{a.id}` |"
        for a in alerts
    ]


def _marked(text: str) -> str:
    """A text that means nothing to Markdown or HTML."""
    flat = " ".join(text.split())
    return (
        _MARKED.sub(r"\\\1", flat.replace("&", "&amp;"))
        .replace("\\<", "&lt;")
        .replace("\\>", "&gt;")
    )


def _says_the_same(path: Path, content: dict[str, Any]) -> bool:
    """Whether a file holds the content already, but for how fresh it is."""
    try:
        kept = msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError):
        return False
    fresh = msgspec.json.decode(json_line(content))
    if not isinstance(kept, dict):
        return False
    return {**kept, "freshness": None} == {**fresh, "freshness": None}


def _write(path: Path, data: bytes) -> ExportedFile:
    """Put a file in place whole: beside it first, to the disk, then renamed over it."""
    import tempfile  # only where something is written

    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        raise InputError(
            f"{path} cannot be written: {error.strerror or error}",
            "check the folder, its permissions and the space on the disk",
        ) from error
    return ExportedFile(path, True)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _without_exponents(value: Any) -> Any:
    """Decimals that `str` would write with an exponent, as raw JSON with all their digits."""
    if isinstance(value, dict):
        return {key: _without_exponents(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_exponents(item) for item in value]
    if hasattr(value, "as_tuple") and "E" in str(value):
        return msgspec.Raw(format(value, "f").encode())
    return value
