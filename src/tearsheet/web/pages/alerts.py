"""Alerts page: alerts by day and account with filters, the history of each, and their acknowledgement."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from flask import Response, request

from tearsheet.app.analysis.charts import Selection
from tearsheet.errors import NotFoundError, UsageError
from tearsheet.performance.summary import Scope
from tearsheet.rules import AlertEvent
from tearsheet.store.list_values import PageCursor
from tearsheet.web.api.alerts import RULES, filter_from, filter_parameters
from tearsheet.web.http import parameters
from tearsheet.web.http.errors import HttpError
from tearsheet.web.http.parameters import cursor_of
from tearsheet.web.pages.frame import PageRoute, Pages, form_text, redirect_to
from tearsheet.web.pages.results import partial_of
from tearsheet.web.rendering.labels import link, resolution_label, rule_label

#: Why an acknowledgement was refused; each has a message and a hint.
FormProblem = UsageError | NotFoundError | HttpError
_PAGE_SIZE = 100
_MAX_CHOSEN = 5_000
_YEAR_S = 365 * 86_400
#: The cookie with the name of whoever acknowledged last.
WHO_COOKIE = "acknowledged-by"
_FILTER = filter_parameters("open")
_DONE = parameters.number_of("acknowledged", "How many alerts were just acknowledged.", _MAX_CHOSEN, low=0)
_STATES = (
    ("open", "Open"),
    ("unacknowledged", "Unacknowledged"),
    ("acknowledged", "Acknowledged"),
    ("resolved", "Resolved"),
    ("all", "All"),
)


def add_alert_pages(pages: Pages) -> None:
    """Add the alerts page, the page of an alert, and the acknowledgement of one or many."""
    views = _AlertPages(pages)
    pages.add(PageRoute("/alerts", parameters=(*_FILTER, parameters.CURSOR, _DONE)), views.page)
    pages.add(PageRoute("/alerts/acknowledge", "write", _FILTER, "POST"), views.acknowledge_many)
    pages.add(PageRoute("/alerts/<alert>"), views.detail)
    pages.add(PageRoute("/alerts/<alert>/acknowledge", "write", _FILTER, "POST"), views.acknowledge)


def acknowledger() -> tuple[str, str | None]:
    """Return the name and note of a form. Raises UsageError without a name, HttpError for unprintable text."""
    by, note = form_text("by"), form_text("note")
    if not by:
        raise UsageError("a name is required", "enter your name")
    return by, note or None


def seen_alerts(chosen: Sequence[str]) -> dict[str, str | None]:
    """Return the alerts of a form's values, `ID:state`, with the states in which the page showed them."""
    found = (text.partition(":") for text in chosen)
    return {identity: state or None for identity, _, state in found}


def remember_name(response: Response, by: str) -> Response:
    """Return a response that makes the browser remember who acknowledges."""
    response.set_cookie(WHO_COOKIE, by, max_age=_YEAR_S, samesite="Strict", httponly=True)
    return response


class _AlertPages:
    """Views of the alerts page."""

    def __init__(self, pages: Pages) -> None:
        self._pages, self._app_context = pages, pages.app_context

    def page(
        self,
        cursor: PageCursor | None = None,
        acknowledged: int | None = None,
        error: FormProblem | None = None,
        **filters: Any,
    ) -> Response:
        """List the alerts that match the filter, newest first, by day and account."""
        if cursor is not None and not isinstance(cursor.id, str):
            raise HttpError(422, "the cursor belongs to another list", "start again at /alerts")
        if filters["state"] == "new":
            filters["state"] = "unacknowledged"
        with self._app_context.query() as query:
            calendar = query.tracker.settings.calendar
            alert_filter = filter_from(calendar, **filters)
            page = query.tracker.alerts.page(_PAGE_SIZE, cursor, alert_filter)
            return self._pages.render(
                "alerts.html",
                error_status(error),
                title="Alerts",
                days=_by_day(page.items, lambda alert: alert.raised_at.astimezone(calendar.timezone).date()),
                filters=filters,
                states=_STATES,
                rules=RULES,
                names=query.tracker.accounts(),
                next=cursor_of(page.next),
                is_filtered=any(v for k, v in filters.items() if k != "state"),
                partial=partial_of(
                    query, Selection(query.tracker.window("daily"), Scope(alert_filter.account))
                ),
                revision=query.tracker.revision,
                done=acknowledged,
                **self._form_values(error),
            )

    def detail(self, alert: str, error: FormProblem | None = None) -> Response:
        """Show the history of an alert."""
        with self._app_context.query() as query:
            changes = query.tracker.alerts.changes(alert)
            return self._pages.render(
                "alert.html",
                error_status(error),
                title="Alert",
                alert=changes[-1],
                changes=changes,
                **self._form_values(error),
            )

    def acknowledge(self, alert: str, **filters: Any) -> Response:
        """Record who acknowledges an alert, with a note."""
        try:
            by, note = acknowledger()
        except (UsageError, HttpError) as error:
            return self.detail(alert, error)
        with self._app_context.query() as query:
            query.tracker.alerts.acknowledge(alert, by, note, self._app_context.now)
        return remember_name(redirect_to(link("/alerts", filters)), by)

    def acknowledge_many(self, **filters: Any) -> Response:
        """Record who acknowledges the selected alerts, or the one whose button was pressed."""
        only = request.form.get("only")
        chosen = request.form.getlist("alert") if only is None else [only]
        try:
            by, note = acknowledger()
            if not 1 <= len(chosen) <= _MAX_CHOSEN:
                raise UsageError(f"{len(chosen)} alerts are selected", f"select 1 to {_MAX_CHOSEN}")
            with self._app_context.query() as query:
                done = query.tracker.alerts.acknowledge_all(
                    seen_alerts(chosen), by, note, self._app_context.now
                )
        except (UsageError, HttpError, NotFoundError) as error:
            return self.page(error=error, **filters)
        return remember_name(redirect_to(link("/alerts", filters, acknowledged=len(done))), by)

    def _form_values(self, error: FormProblem | None) -> dict[str, Any]:
        return {
            "can_write": self._app_context.access.is_allowed(request, "write"),
            "by": request.form.get("by", request.cookies.get(WHO_COOKIE, "")),
            "note": request.form.get("note", ""),
            "error": error,
            "now": self._app_context.now,
            "rule_label": rule_label,
            "resolution": resolution_label,
        }


def error_status(error: FormProblem | None) -> int:
    """Return 200 without an error, and for htmx, which shows only successful answers as part of the page."""
    if error is None or "HX-Request" in request.headers:
        return 200
    return 404 if isinstance(error, NotFoundError) else 422


def _by_day(
    alerts: Sequence[AlertEvent], day_of: Callable[[AlertEvent], date]
) -> list[tuple[date, list[tuple[str | None, list[AlertEvent]]]]]:
    """Group alerts by day, newest first, and within a day by account, the account of the newest first."""
    days: dict[date, dict[str | None, list[AlertEvent]]] = {}
    for alert in alerts:
        days.setdefault(day_of(alert), {}).setdefault(alert.account, []).append(alert)
    return [(day, list(accounts.items())) for day, accounts in days.items()]
