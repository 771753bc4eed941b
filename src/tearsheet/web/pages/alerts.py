"""The alerts page: what is or was in danger, seen by whom; each down to its life."""

from typing import Any

from flask import Response, redirect, request

from tearsheet.app.analysis.lists import PageCursor
from tearsheet.web.api.alert_filter import RULES, wish_of, wish_parameters
from tearsheet.web.http import parameters
from tearsheet.web.http.errors import Refused
from tearsheet.web.http.parameters import cursor_of
from tearsheet.web.pages.frame import Page, Pages, link

_A_PAGE = 50
_LONGEST = 200
_FILTER = wish_parameters("open")
_STATES = (
    ("open", "Open"),
    ("new", "Not seen"),
    ("acknowledged", "Seen"),
    ("resolved", "Over"),
    ("all", "All"),
)


def add_alerting(pages: Pages) -> None:
    """Add the alerts page, the life of an alert, and its acknowledgement."""
    views = _AlertPages(pages)
    pages.add(Page("/alerts", parameters=(*_FILTER, parameters.CURSOR)), views.page)
    pages.add(Page("/alerts/<alert>"), views.life)
    pages.add(Page("/alerts/<alert>/acknowledge", "write", _FILTER, "POST"), views.acknowledge)


class _AlertPages:
    """What the addresses of the alerts page answer."""

    def __init__(self, pages: Pages) -> None:
        self._pages, self._served = pages, pages.served

    def page(self, cursor: PageCursor | None, **values: Any) -> Response:
        """The alerts that are wished for, the newest first."""
        if cursor is not None and not isinstance(cursor.id, str):
            raise Refused(422, "parameter 'cursor' is one of another list", "begin at /alerts")
        with self._served.asked() as asked:
            wish = wish_of(asked.tracker.settings.calendar, **values)
            page = asked.tracker.alerts.page(_A_PAGE, cursor, wish)
            return self._pages.shown(
                "alerts.html",
                title="Alerts",
                page=page,
                wished=values,
                states=_STATES,
                rules=RULES,
                names=asked.tracker.accounts(),
                next=cursor_of(page.next),
                is_filtered=any(v for k, v in values.items() if k != "state"),
                may=self._served.access.allows(request, "write"),
                accounts=(),
                given={},
            )

    def life(self, alert: str) -> Response:
        """One alert, from its beginning on."""
        with self._served.asked() as asked:
            changes = asked.tracker.alerts.changes(alert)
            return self._pages.shown(
                "alert.html",
                title="Alert",
                alert=changes[-1],
                changes=changes,
                may=self._served.access.allows(request, "write"),
                wished={},
                accounts=(),
                given={},
            )

    def acknowledge(self, alert: str, **values: Any) -> Response:
        """Say that somebody has seen an alert."""
        by, note = _said("by"), _said("note")
        if not by:
            raise Refused(422, "an acknowledgement says by whom", "write your name")
        with self._served.asked() as asked:
            asked.tracker.alerts.acknowledge(alert, by, note or None, self._served.now)
        response = redirect(link("/alerts", values), 303)
        assert isinstance(response, Response)
        return response


def _said(name: str) -> str:
    text = request.form.get(name, "").strip()
    if len(text) > _LONGEST or any(not c.isprintable() for c in text):
        raise Refused(422, f"{name} is too long or holds what cannot be printed", "1 to 200 characters")
    return text
