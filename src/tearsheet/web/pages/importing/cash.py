"""Cash page: balances of accounts, the money that moved beside fills, and a form that states more of it."""

from typing import Any

from flask import Response, request

from tearsheet.app.analysis.balances import account_list
from tearsheet.app.analysis.lists import Lists
from tearsheet.app.imports.api_posts import state_cash
from tearsheet.performance.summary import Scope
from tearsheet.store.list_values import PageCursor
from tearsheet.trade.event import MONEY_KINDS
from tearsheet.trade.fill import Rejection
from tearsheet.trade.session import EARLIEST, LATEST, Window
from tearsheet.web.http import parameters
from tearsheet.web.http.bodies import cursor_from
from tearsheet.web.http.parameters import cursor_of
from tearsheet.web.pages.frame import PageRoute, Pages, form_text, form_time, redirect_to
from tearsheet.web.rendering.labels import link

_LISTED = 50
_EVER = Window("all", EARLIEST.date(), LATEST.date())
#: Fields of the form, as those of a posted event.
_FIELDS = (
    "account",
    "kind",
    "amount",
    "currency",
    "symbol",
    "ex_date",
    "id",
    "note",
    "refund",
    "to_currency",
    "to_amount",
)


def add_cash_page(pages: Pages) -> None:
    """Add the page and its form."""
    shown = (parameters.ACCOUNT, parameters.CURSOR)
    pages.add(PageRoute("/cash", parameters=shown), lambda **values: _page(pages, **values))
    pages.add(PageRoute("/cash", "write", method="POST"), lambda: _add(pages))


def _page(
    pages: Pages,
    account: str | None = None,
    cursor: PageCursor | None = None,
    refused: tuple[Rejection, ...] = (),
    is_known: bool = False,
) -> Response:
    with pages.app_context.query() as query:
        found = Lists(query.tracker).cash(_EVER, Scope(account), _LISTED, cursor_from(cursor, int))
        content: dict[str, Any] = {
            "title": "Cash",
            "accounts": query.tracker.accounts(),
            "filters": {"account": account},
            "balances": [one for one in account_list(query.tracker) if account in (None, one.account)],
            "events": found.items,
            "next": cursor_of(found.next),
            "kinds": MONEY_KINDS,
            "now": query.tracker.now.astimezone(query.tracker.settings.calendar.timezone),
            "refused": refused,
            "is_known": is_known,
            "form": {name: request.form.get(name, "") for name in (*_FIELDS, "time")},
            "can_write": pages.app_context.access.is_allowed(request, "write"),
            "revision": query.tracker.revision,
        }
        return pages.render("cash.html", 422 if refused else 200, **content)


def _add(pages: Pages) -> Response:
    """Save the money that the form states; times without an offset are those of the trading day's zone."""
    fields = {name: text for name in _FIELDS if (text := form_text(name))}
    with pages.app_context.query() as query:
        zone = query.tracker.settings.calendar.timezone
        try:
            at = form_time(form_text("time"), zone).isoformat()
        except ValueError:
            at = form_text("time")
        report = state_cash(query.tracker, fields | {"time": at})
    if report.rejections:
        return _page(pages, refused=tuple(report.rejections))
    if report.new == 0:
        return _page(pages, is_known=True)
    return redirect_to(link("/cash", account=request.args.get("account")))
