"""Links, labels of days and periods, and texts with code marks."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup, escape

from tearsheet.performance.summary import PARTIAL_CODES, PerformanceSummary
from tearsheet.trade.session import Window

#: Labels of an account's limit status, by the state of its verdict.
VERDICT_LABELS = {
    "ok": "✓ within limits",
    "warn": "! near a limit",
    "unknown": "? limits not known",
    "breach": "✗ limit broken",
}
#: Why an alert is over.
RESOLUTION_LABELS = {
    None: "it is kept again",
    "limit_removed": "the limit was taken out",
    "target_removed": "the target was taken out",
    "window_changed": "the number of trades of the rolling window was changed",
    "window_over": "its day, week or month is over",
}
_CODE = re.compile(r"`([^`]*)`")


def link(path: str, parameters: Mapping[str, Any] | None = None, **more: object) -> str:
    """Return a path with its query parameters, without those that are None."""
    values = {**(parameters or {}), **more}
    query = urlencode([(name, str(value)) for name, value in values.items() if value is not None])
    return f"{path}?{query}" if query else path


def render_code(text: str) -> Markup:
    """Escape a text and mark what is between backticks as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))


def incompleteness(summary: PerformanceSummary) -> list[tuple[str, str]]:
    """Return why a summary is incomplete: the reason and its details."""
    return [(PARTIAL_CODES[reason.code], reason.detail) for reason in summary.partial_reasons]


def day_label(day: date) -> str:
    """Return a date with its weekday, for headings."""
    return f"{day:%a} {day.day} {day:%b %Y}"


def window_label(window: Window) -> str:
    """Return the name of a period: a day, a month, a quarter; else its dates."""
    start = window.start
    if window.last_trades is not None:
        return f"last {window.last_trades} trades"
    return {
        "daily": day_label(start),
        "weekly": f"week of {start.day} {start:%b %Y}",
        "monthly": f"{start:%B %Y}",
        "quarterly": f"Q{(start.month + 2) // 3} {start.year}",
        "yearly": f"{start.year}",
        "all": "everything",
    }.get(window.kind, f"{day_label(start)} to {day_label(window.last_day)}")


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
