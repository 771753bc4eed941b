"""Parts that the result pages share: selection by query parameters, and targets of a summary."""

from datetime import date
from typing import Any

from tearsheet.app.analysis.charts import Selection
from tearsheet.errors import SettingsError
from tearsheet.performance.summary import PerformanceSummary, Scope
from tearsheet.rules import evaluate_targets
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.session import WindowKind
from tearsheet.web.http import parameters
from tearsheet.web.http.operation import Parameter

#: Periods of the selector with their labels.
PERIODS: tuple[tuple[WindowKind, str], ...] = (
    ("daily", "Day"),
    ("weekly", "Week"),
    ("monthly", "Month"),
    ("quarterly", "Quarter"),
    ("yearly", "Year"),
    ("all", "All"),
)
#: Names that a selector lists; with more, the field becomes a text input.
MAX_NAMES = 300


def selection_parameters(default: WindowKind) -> tuple[Parameter, ...]:
    """Return the parameters of a page with this default period."""
    return (
        parameters.choice("window", "Kind of window.", *parameters.KINDS, default=default),
        parameters.START,
        parameters.END,
        parameters.ROLLING,
        *parameters.SCOPE,
        parameters.CURRENCY,
    )


PARAMETERS = selection_parameters("monthly")


def link_parameters(
    window: WindowKind,
    start: date | None,
    end: date | None,
    rolling: int | None,
    currency: str | None,
    **scope: Any,
) -> dict[str, Any]:
    """Return the parameters for links, without those that are None."""
    values = {"window": window, "start": start, "end": end, "rolling": rolling, "currency": currency}
    return {name: value for name, value in {**values, **scope}.items() if value is not None}


def selection_from_link(tracker: PerformanceTracker, filters: dict[str, Any]) -> Selection:
    """Return the period, scope and currency of link parameters."""
    scope = dict(filters)
    window = tracker.window(
        scope.pop("window"),
        start=scope.pop("start", None),
        end=scope.pop("end", None),
        rolling=scope.pop("rolling", None),
    )
    currency = scope.pop("currency", None)
    return Selection(window, Scope(**scope), currency)


def with_targets(
    tracker: PerformanceTracker, summary: PerformanceSummary
) -> tuple[PerformanceSummary, list[tuple[str, str]]]:
    """Evaluate the targets of a summary; an unreadable targets file becomes a warning."""
    try:
        targets = tracker.targets()
    except SettingsError as error:
        return summary, [("the targets cannot be read, so nothing is judged", error.message)]
    return evaluate_targets(summary, targets, tracker.settings.alert_min_sample), []
