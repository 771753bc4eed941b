"""Parts that the result pages share: selection by query parameters."""

from datetime import date
from typing import Any

from tearsheet.app.analysis.charts import Charts, Selection
from tearsheet.errors import NotFoundError
from tearsheet.performance.summary import Scope
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.session import CALENDAR_KINDS, WindowKind
from tearsheet.web.http import parameters
from tearsheet.web.http.operation import Parameter
from tearsheet.web.rendering.labels import Incompleteness, incompleteness
from tearsheet.web.server.context import QueryContext

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


def at_last_data(tracker: PerformanceTracker, filters: dict[str, Any]) -> dict[str, Any]:
    """Return link parameters that begin at the last session with data where the present period has none."""
    if filters["window"] not in CALENDAR_KINDS or not filters.keys().isdisjoint(("start", "end", "rolling")):
        return filters
    last = Charts(tracker).last_session(filters.get("account"))
    if last is None or last >= tracker.window(filters["window"]).start:
        return filters
    return {**filters, "start": last}


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


def partial_of(query: QueryContext, selection: Selection) -> list[Incompleteness]:
    """Return why the rows of a selection may be incomplete; a list of rows shows every currency."""
    account = selection.scope.account
    currencies = Charts(query.tracker).currencies(account, selection.window)
    currency = selection.currency or next(iter(currencies), None)
    try:
        summary = query.tracker.get_summary(
            selection.window, scope=selection.scope, currency=currency, sync=False, stale=query.sync_errors
        )
    except NotFoundError:  # a filter by an account that never traded
        return []
    return [one for one in incompleteness(summary) if "other currencies" not in one.reason]
