"""Alerts page: alerts with filters, the history of each, and their acknowledgement."""

from typing import Any

from flask import Response, request

from tearsheet.app.analysis.charts import Selection
from tearsheet.performance.summary import Scope
from tearsheet.store.list_values import PageCursor
from tearsheet.web.api.alerts import RULES, filter_from, filter_parameters
from tearsheet.web.http import parameters
from tearsheet.web.http.errors import HttpError
from tearsheet.web.http.parameters import cursor_of
from tearsheet.web.pages.frame import PageRoute, Pages, form_text, redirect_to
from tearsheet.web.pages.results import partial_of
from tearsheet.web.rendering.labels import link

_PAGE_SIZE = 50
_FILTER = filter_parameters("open")
_STATES = (
    ("open", "Open"),
    ("new", "Not seen"),
    ("acknowledged", "Seen"),
    ("resolved", "Over"),
    ("all", "All"),
)


def add_alert_pages(pages: Pages) -> None:
    """Add the alerts page, the page of an alert, and its acknowledgement."""
    views = _AlertPages(pages)
    pages.add(PageRoute("/alerts", parameters=(*_FILTER, parameters.CURSOR)), views.page)
    pages.add(PageRoute("/alerts/<alert>"), views.detail)
    pages.add(PageRoute("/alerts/<alert>/acknowledge", "write", _FILTER, "POST"), views.acknowledge)


class _AlertPages:
    """Views of the alerts page."""

    def __init__(self, pages: Pages) -> None:
        self._pages, self._app_context = pages, pages.app_context

    def page(self, cursor: PageCursor | None, **filters: Any) -> Response:
        """List the alerts that match the filter, newest first."""
        if cursor is not None and not isinstance(cursor.id, str):
            raise HttpError(422, "parameter 'cursor' is one of another list", "begin at /alerts")
        with self._app_context.query() as query:
            alert_filter = filter_from(query.tracker.settings.calendar, **filters)
            page = query.tracker.alerts.page(_PAGE_SIZE, cursor, alert_filter)
            return self._pages.render(
                "alerts.html",
                title="Alerts",
                page=page,
                filters=filters,
                states=_STATES,
                rules=RULES,
                names=query.tracker.accounts(),
                next=cursor_of(page.next),
                is_filtered=any(v for k, v in filters.items() if k != "state"),
                can_write=self._app_context.access.is_allowed(request, "write"),
                partial=partial_of(
                    query, Selection(query.tracker.window("daily"), Scope(alert_filter.account))
                ),
            )

    def detail(self, alert: str) -> Response:
        """Show the history of an alert."""
        with self._app_context.query() as query:
            changes = query.tracker.alerts.changes(alert)
            return self._pages.render(
                "alert.html",
                title="Alert",
                alert=changes[-1],
                changes=changes,
                can_write=self._app_context.access.is_allowed(request, "write"),
            )

    def acknowledge(self, alert: str, **filters: Any) -> Response:
        """Record who acknowledges an alert, with a note."""
        by, note = form_text("by"), form_text("note")
        if not by:
            raise HttpError(422, "an acknowledgement says by whom", "write your name")
        with self._app_context.query() as query:
            query.tracker.alerts.acknowledge(alert, by, note or None, self._app_context.now)
        return redirect_to(link("/alerts", filters))
