"""Page on which a person states how positions began and ended, where no file says it."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, request

from tearsheet.app.imports.stated_events import (
    ENDS,
    missing_openings,
    open_from_reported,
    settle,
    state_opening,
    unsettled_options,
)
from tearsheet.app.reports import ImportReport
from tearsheet.errors import NotFoundError, UsageError
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.amount import parse_amount
from tearsheet.trade.value_rule import COIN, InvalidValueError
from tearsheet.web.http import parameters
from tearsheet.web.http.errors import HttpError
from tearsheet.web.pages.frame import PageRoute, Pages, form_text, form_time, redirect_to
from tearsheet.web.rendering.labels import link

_PATH = "/openings"
_SAVED = parameters.number_of("saved", "Import that was made.", 999_999_999)
_FIELDS = ("account", "symbol", "quantity", "cost", "held_since", "currency", "price", "ended", "how")
Change = Callable[[PerformanceTracker, Mapping[str, str], str], ImportReport]


def add_opening_pages(pages: Pages) -> None:
    """Add the page and its forms."""
    pages.add(PageRoute(_PATH, parameters=(_SAVED,)), lambda saved: _page(pages, saved=saved))
    for action, change in (("opening", _open), ("reported", _open_reported), ("settlement", _settle)):
        pages.add(PageRoute(f"{_PATH}/{action}", "write", method="POST"), _view(pages, action, change))


def _view(pages: Pages, action: str, change: Change) -> Callable[..., Response]:
    def view() -> Response:
        app_context = pages.app_context
        sent = {name: form_text(name) for name in _FIELDS}
        try:
            with app_context.keep_worker_alive(), app_context.query() as query:
                report = change(query.tracker, sent, app_context.access.client_name(request))
        except (NotFoundError, UsageError, HttpError) as error:
            return _page(pages, action, sent, error)
        if report.rejections:
            first = report.rejections[0]
            return _page(pages, action, sent, UsageError(first.reason, first.hint))
        return redirect_to(link(_PATH, saved=report.id))

    return view


def _page(
    pages: Pages,
    action: str = "",
    sent: Mapping[str, str] | None = None,
    error: NotFoundError | UsageError | HttpError | None = None,
    saved: int | None = None,
) -> Response:
    with pages.app_context.query() as query:
        tracker = query.tracker
        return pages.render(
            "openings.html",
            status=200 if error is None else 422,
            title="Openings and settlements",
            missing=missing_openings(tracker),
            unsettled=unsettled_options(tracker),
            open_positions=tracker.open_positions(),
            names=tracker.accounts(),
            action=action,
            sent=sent or {},
            error=error,
            saved=saved,
            ends=ENDS,
            can_write=pages.app_context.access.is_allowed(request, "write"),
        )


def _open(tracker: PerformanceTracker, sent: Mapping[str, str], who: str) -> ImportReport:
    account, symbol = _required(sent, "account"), _required(sent, "symbol")
    quantity, at = _amount(sent, "quantity"), _time(tracker, sent, "held_since")
    if quantity is None or at is None:
        raise UsageError("quantity and the time since when it is held are needed", "fill them in")
    try:
        currency = COIN.parse(sent["currency"]) if sent["currency"] else None
    except InvalidValueError as error:
        raise UsageError(f"invalid currency: {sent['currency'][:50]!r}", str(error)) from None
    return state_opening(tracker, account, symbol, quantity, _amount(sent, "cost"), at, currency, who)


def _open_reported(tracker: PerformanceTracker, sent: Mapping[str, str], who: str) -> ImportReport:
    return open_from_reported(tracker, _required(sent, "account"), sent["symbol"] or None, who)


def _settle(tracker: PerformanceTracker, sent: Mapping[str, str], who: str) -> ImportReport:
    price, how = _amount(sent, "price"), sent["how"] or ENDS[0]
    if price is None:
        raise UsageError("the price is empty", "use 0 for a position that ended worthless")
    at, quantity = _time(tracker, sent, "ended"), _amount(sent, "quantity")
    return settle(
        tracker, _required(sent, "account"), _required(sent, "symbol"), price, at, quantity, how, who
    )


def _required(sent: Mapping[str, str], name: str) -> str:
    if not sent[name]:
        raise UsageError(f"the {name} is empty", f"enter the {name}")
    return sent[name]


def _amount(sent: Mapping[str, str], name: str) -> Decimal | None:
    if not sent[name]:
        return None
    try:
        return parse_amount(sent[name].replace("\N{MINUS SIGN}", "-"))
    except ValueError:
        raise UsageError(f"invalid {name}: {sent[name][:50]!r}", "use a number such as 1250.50") from None


def _time(tracker: PerformanceTracker, sent: Mapping[str, Any], name: str) -> datetime | None:
    """Return a time, of the trading day's zone unless it states an offset."""
    if not sent[name]:
        return None
    zone: ZoneInfo = tracker.settings.calendar.timezone
    try:
        return form_time(sent[name], zone)
    except ValueError:
        label = name.replace("_", " ")
        raise UsageError(f"invalid time: {label} {sent[name][:50]!r}", "use a date with a time") from None
