"""The alerts page: what is or was in danger, seen by whom."""

from collections.abc import Callable

from flask import Response, redirect, request

from tearsheet.tracker.listing import Place
from tearsheet.web import parameters
from tearsheet.web.pages.frame import Page, Pages, link
from tearsheet.web.parameters import cursor_of
from tearsheet.web.refusal import Refused

_A_PAGE = 50
_LONGEST = 200
_STATE = parameters.choice("state", "Those not over yet, or all.", "open", "all", default="open")


def add_alerting(pages: Pages) -> None:
    """Add the alerts page."""
    pages.add(Page("/alerts", parameters=(_STATE, parameters.CURSOR)), _alerts(pages))
    pages.add(Page("/alerts/<alert>/acknowledge", "write", (_STATE,), "POST"), _acknowledge(pages))


def _alerts(pages: Pages) -> Callable[..., Response]:
    def view(state: str, cursor: Place | None) -> Response:
        if cursor is not None and not isinstance(cursor.id, str):
            raise Refused(422, "parameter 'cursor' is one of another list", "begin at /alerts")
        with pages.served.asked() as asked:
            page = asked.tracker.alerts.page(_A_PAGE, cursor, only_open=state == "open")
            return pages.shown(
                "alerts.html", title="Alerts", page=page, state=state,
                next=cursor_of(page.next), accounts=(), given={},
            )  # fmt: skip

    return view


def _acknowledge(pages: Pages) -> Callable[..., Response]:
    def view(alert: str, state: str) -> Response:
        by, note = _said("by"), _said("note")
        if not by:
            raise Refused(422, "an acknowledgement says by whom", "write your name")
        with pages.served.asked() as asked:
            asked.tracker.alerts.acknowledge(alert, by, note or None, pages.served.now)
        response = redirect(link("/alerts", state=state), 303)
        assert isinstance(response, Response)
        return response

    return view


def _said(name: str) -> str:
    text = request.form.get(name, "").strip()
    if len(text) > _LONGEST or any(not c.isprintable() for c in text):
        raise Refused(
            422, f"{name} is too long or holds what cannot be printed", "1 to 200 characters"
        )
    return text
