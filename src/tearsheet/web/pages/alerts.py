"""The alerts page: what is or was in danger, seen by whom; each down to its life."""

from typing import Any

from flask import Response, redirect, request

from tearsheet.app.analysis.lists import PageCursor
from tearsheet.web.api.alerts import RULES, filter_from, filter_parameters
from tearsheet.web.http import parameters
from tearsheet.web.http.errors import HttpError
from tearsheet.web.http.parameters import cursor_of
from tearsheet.web.pages.frame import PageRoute, Pages, link

_PAGE_SIZE = 50
_MAX_LENGTH = 200
_FILTER = filter_parameters("open")
_STATES = (
    ("open", "Open"),
    ("new", "Not seen"),
    ("acknowledged", "Seen"),
    ("resolved", "Over"),
    ("all", "All"),
)


def add_alert_pages(pages: Pages) -> None:
    """Add the alerts page, the life of an alert, and its acknowledgement."""
    views = _AlertPages(pages)
    pages.add(PageRoute("/alerts", parameters=(*_FILTER, parameters.CURSOR)), views.page)
    pages.add(PageRoute("/alerts/<alert>"), views.detail)
    pages.add(PageRoute("/alerts/<alert>/acknowledge", "write", _FILTER, "POST"), views.acknowledge)


class _AlertPages:
    """What the addresses of the alerts page answer."""

    def __init__(self, pages: Pages) -> None:
        self._pages, self._served = pages, pages.served

    def page(self, cursor: PageCursor | None, **values: Any) -> Response:
        """The alerts that are wished for, the newest first."""
        if cursor is not None and not isinstance(cursor.id, str):
            raise HttpError(422, "parameter 'cursor' is one of another list", "begin at /alerts")
        with self._served.query() as asked:
            wish = filter_from(asked.tracker.settings.calendar, **values)
            page = asked.tracker.alerts.page(_PAGE_SIZE, cursor, wish)
            return self._pages.render(
                "alerts.html",
                title="Alerts",
                page=page,
                wished=values,
                states=_STATES,
                rules=RULES,
                names=asked.tracker.accounts(),
                next=cursor_of(page.next),
                is_filtered=any(v for k, v in values.items() if k != "state"),
                may=self._served.access.is_allowed(request, "write"),
                accounts=(),
                given={},
            )

    def detail(self, alert: str) -> Response:
        """One alert, from its beginning on."""
        with self._served.query() as asked:
            changes = asked.tracker.alerts.changes(alert)
            return self._pages.render(
                "alert.html",
                title="Alert",
                alert=changes[-1],
                changes=changes,
                may=self._served.access.is_allowed(request, "write"),
                wished={},
                accounts=(),
                given={},
            )

    def acknowledge(self, alert: str, **values: Any) -> Response:
        """Say that somebody has seen an alert."""
        by, note = _form_text("by"), _form_text("note")
        if not by:
            raise HttpError(422, "an acknowledgement says by whom", "write your name")
        with self._served.query() as asked:
            asked.tracker.alerts.acknowledge(alert, by, note or None, self._served.now)
        response = redirect(link("/alerts", values), 303)
        assert isinstance(response, Response)
        return response


def _form_text(name: str) -> str:
    text = request.form.get(name, "").strip()
    if len(text) > _MAX_LENGTH or any(not c.isprintable() for c in text):
        raise HttpError(422, f"{name} is too long or holds what cannot be printed", "1 to 200 characters")
    return text
