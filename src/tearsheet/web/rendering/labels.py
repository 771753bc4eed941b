"""Links, labels of days and periods, and texts with code marks."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup, escape
from msgspec import Struct

from tearsheet.export.plot import date_words
from tearsheet.performance.summary import PARTIAL_CODES, PartialReason, PerformanceSummary
from tearsheet.rules import AlertEvent
from tearsheet.rules.limit import limit_label
from tearsheet.trade.session import Window

#: Labels of an account's limit status, by the state of its verdict.
VERDICT_LABELS = {
    "ok": "✓ Within limits",
    "warn": "! Near a limit",
    "unknown": "? Limit status unknown",
    "breach": "✗ Limit breached",
}
#: Why an alert is resolved although its rule was not met again.
_RESOLUTION_LABELS = {
    "limit_removed": "limit removed",
    "target_removed": "target removed",
    "window_changed": "number of trades of the rolling window changed",
    "window_over": "its day, week or month is over",
}
#: Names of the rules of targets.
_RULE_LABELS = {
    "win_rate_breach": "Win rate target",
    "daily_pl_breach": "Daily P&L target",
    "trades_per_day_breach": "Trades per day target",
    "max_drawdown_breach": "Max drawdown target",
    "avg_risk_reward_breach": "Risk-reward target",
    "rolling_win_rate_breach": "Win rate target, rolling",
    "risk_reward_breach": "Risk-reward, rolling",
}
#: Page that shows the rows of a partial reason or ends it: path, link text, parameters.
_PARTIAL_LINKS: Mapping[str, tuple[str, str, Mapping[str, str]]] = {
    "rejected_lines": ("/import#rejected-title", "See the lines", {}),
    "missing_days": ("/import", "Import the missing days", {}),
    "unfinished_line": ("/import", "See what was read", {}),
    "differs_from_broker": ("/settings#sources-title", "Decide", {}),
    "other_multiplier": ("/settings#sources-title", "Decide", {}),
    "mixed_log": ("/settings#sources-title", "Decide", {}),
    "records_vanished": ("/settings#sources-title", "Decide", {}),
    "source_gone": ("/settings#sources-title", "Decide", {}),
    "unread_file": ("/settings#sources-title", "Decide", {}),
    "refused_statement": ("/settings#sources-title", "Decide", {}),
    "mixed_modes": ("/performance", "Show live trades only", {"mode": "LIVE"}),
    "other_currencies": ("/performance", "Show the other currency", {}),
    "missing_rate": ("/currencies", "See the rates", {}),
    "overlapping_sources": ("/import", "See the imports", {}),
    "stale_ledger": ("/settings#settings-title", "See the ledger", {}),
    "unmatched_closes": ("/openings", "State what was held", {}),
    "unknown_cost": ("/openings", "State the cost", {}),
    "opening_from_reported": ("/openings", "State the cost", {}),
    "unsettled_expiry": ("/openings#unsettled-title", "Say how they ended", {}),
    "clock_back": ("/settings#sources-title", "Decide", {}),
    "watcher_gone": ("/settings#sources-title", "Decide", {}),
    "other_limits": ("/settings", "See the file", {}),
    "bad_targets": ("/settings", "Correct the targets", {}),
}
#: What a terminal needs and a page does not: the command to run, the option to give.
_COMMAND = re.compile(
    r";? (?:see|run) `tearsheet [^`]*`|; if it is right, `tearsheet [^`]*`|; `tearsheet settle` closes it"
)
_OPTION = re.compile(r"; choose one with --\w+")
_REASON_CODE = re.compile(r"^[a-z]+(_[a-z]+)+: ")
_CODE = re.compile(r"`([^`]*)`")


def link(path: str, parameters: Mapping[str, Any] | None = None, **more: object) -> str:
    """Return a path with its query parameters, without those that are None."""
    values = {**(parameters or {}), **more}
    query = urlencode([(name, str(value)) for name, value in values.items() if value is not None])
    return f"{path}?{query}" if query else path


def age_label(seconds: float) -> str:
    """Return the age of something in its largest units, such as `40 s`, `3 min`, `1h 37m` or `2 d`."""
    whole = max(int(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 86_400:
        return f"{whole // 3600}h {whole % 3600 // 60:02}m"
    return f"{whole // 86_400} d"


def rule_label(name: str) -> str:
    """Return the name of the rule of an alert: a limit, or a target."""
    return _RULE_LABELS.get(name) or limit_label(name)


def alert_period(alert: AlertEvent) -> str:
    """Return the period of an alert in words."""
    if alert.window_start is None:
        return ""
    first, last = date.fromisoformat(alert.window_start), alert.window_end
    if alert.window in ("month", "monthly"):
        return f"{first:%B %Y}"
    if alert.window in ("week", "weekly"):
        return f"week of {first.day} {first:%b %Y}"
    if last is None or last == alert.window_start or alert.window in ("day", "daily"):
        return date_words(first)
    return f"{date_words(first)} to {date_words(date.fromisoformat(last))}"


def resolution_label(alert: AlertEvent) -> str:
    """Return why an alert is resolved."""
    if alert.resolution is not None:
        return _RESOLUTION_LABELS[alert.resolution]
    return f"back within the {alert.kind}"


def render_code(text: str) -> Markup:
    """Escape a text and mark what is between backticks as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))


class Incompleteness(Struct, frozen=True):
    """Reason why numbers are partial, with the page that shows its rows or ends it."""

    reason: str
    detail: str
    address: str
    action: str


def incompleteness(summary: PerformanceSummary) -> list[Incompleteness]:
    """Return why a summary is incomplete, for its page."""
    window = summary.window
    here = {"window": "custom", "start": window.start, "end": window.end, "account": summary.scope.account}
    return [partial_reason(reason, here) for reason in summary.partial_reasons]


def partial_reason(reason: PartialReason, here: Mapping[str, Any]) -> Incompleteness:
    """Return a reason in the words of a page: no command or option, and a link; `here` selects its window."""
    path, action, parameters = _PARTIAL_LINKS.get(reason.code, ("/import", "See what was read", {}))
    if reason.code == "other_currencies":
        parameters = {"currency": reason.detail.split(",")[0].split(" ")[0]}
    return Incompleteness(
        _OPTION.sub("", PARTIAL_CODES.get(reason.code, reason.code)),
        _COMMAND.sub("", reason.detail),
        link(path, {**here, **parameters}) if path == "/performance" else path,
        action,
    )


def reason_words(reason: str | None) -> str:
    """Return why a metric has no value, without the code that stands before the words."""
    return _REASON_CODE.sub("", reason or "")


def verdict_reason(code: str, detail: str) -> Markup:
    """Return a reason of a verdict for a page: without a command, with the link of its code."""
    text = render_code(_COMMAND.sub("", detail))
    if code not in _PARTIAL_LINKS:
        return text
    path, action, _ = _PARTIAL_LINKS[code]
    return text + Markup(' <a href="{}">{}</a>').format(path, action)


def window_label(window: Window) -> str:
    """Return the name of a period: a day, a month, a quarter; else its dates."""
    start = window.start
    if window.last_trades is not None:
        return f"last {window.last_trades} trades"
    return {
        "daily": date_words(start),
        "weekly": f"week of {start.day} {start:%b %Y}",
        "monthly": f"{start:%B %Y}",
        "quarterly": f"Q{(start.month + 2) // 3} {start.year}",
        "yearly": f"{start.year}",
        "all": "all data",
    }.get(window.kind, f"{date_words(start)} to {date_words(window.last_day)}")


def short_window_label(window: Window) -> str:
    """Return the name of a period in a few letters, to follow a number."""
    start = window.start
    return {
        "daily": f"{start:%a} {start.day}",
        "weekly": f"wk {start.isocalendar().week}",
        "monthly": f"{start:%b}",
        "quarterly": f"Q{(start.month + 2) // 3}",
        "yearly": f"{start.year}",
    }.get(window.kind, "before")
