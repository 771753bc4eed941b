"""Trade page with its fills and notes, and the page of unattached notes."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from flask import Response, request
from markupsafe import Markup
from msgspec import Struct

from tearsheet.app.analysis.charts import Charts, Selection, TradeDetail
from tearsheet.app.analysis.lists import PositionView
from tearsheet.app.analysis.notes import NoteView, TradeNotes
from tearsheet.app.reports import ExplainedFill, FillPlace
from tearsheet.errors import UsageError
from tearsheet.export.executions_chart import Execution, PriceWords, executions_picture
from tearsheet.performance.summary import Scope
from tearsheet.store.list_values import TradeFilter
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.amount import ZERO
from tearsheet.trade.note import MAX_TAG_LENGTH, MAX_TAGS, MAX_TEXT_LENGTH, validate_note
from tearsheet.web.api.notes import AFTER
from tearsheet.web.http import parameters
from tearsheet.web.http.errors import HttpError
from tearsheet.web.http.operation import Parameter
from tearsheet.web.http.parameters import NOTE_ID, POSITION_ID
from tearsheet.web.pages.frame import PageRoute, Pages, redirect_to
from tearsheet.web.rendering.chart_words import chart_words
from tearsheet.web.rendering.labels import link
from tearsheet.web.rendering.locales import preferred_locale

_MAX_OF_DAY = 500
#: Sizes of the picture of the executions: on a desk, on a phone.
_SIZES = ((760, 380), (330, 340))
_SAVED = parameters.choice("said", "What was just done.", "kept")
_PAGE_SIZE = 50
_MAX_LENGTHS = {"text": MAX_TEXT_LENGTH, "tags": (MAX_TAG_LENGTH + 2) * MAX_TAGS}


def add_trade(pages: Pages) -> None:
    """Add the trade page, its note form, and the page of unattached notes."""
    pages.add(PageRoute("/trades/<position>", parameters=(_SAVED, parameters.ACCOUNT)), _trade(pages))
    pages.add(PageRoute("/trades/<position>/notes", "write", method="POST"), _save_trade_note(pages))
    pages.add(PageRoute("/notes", parameters=(AFTER, _SAVED)), _unattached_notes(pages))
    pages.add(PageRoute("/notes/<note>", "write", method="POST"), _update_note(pages))


class _NoteError(Struct, frozen=True):
    """Why a note was not saved; `note` is None for the note of the trade itself."""

    error: UsageError
    note: str | None = None

    @property
    def status(self) -> int:
        """409, but 200 for htmx, which shows only successful answers as part of the page."""
        return 200 if "HX-Request" in request.headers else 409


class _PlaceInDay(Struct, frozen=True):
    """Place of a trade among those closed on its trading day, with the IDs of its neighbors."""

    number: int
    total: int
    previous: str | None
    next: str | None


class _ShownFill(Struct, frozen=True, kw_only=True):
    """Row of the table of fills; a logged trade has one for its entry and one for its exit."""

    time: datetime
    session: str
    action: str
    quantity: Decimal
    price: Decimal | None
    is_implied: bool = False
    gross: Decimal = ZERO
    fees: Decimal = ZERO
    carry: Decimal = ZERO
    net: Decimal = ZERO
    places: tuple[FillPlace, ...] = ()


def _trade(pages: Pages) -> Callable[..., Response]:
    def view(position: str, said: str | None, account: str | None) -> Response:
        identity = _parse_id(POSITION_ID, position, "trade")
        return _trade_page(pages, identity, saved=said is not None, account=account)

    return view


def _trade_page(
    pages: Pages,
    position: str,
    *,
    saved: bool = False,
    refused: _NoteError | None = None,
    account: str | None = None,
) -> Response:
    """Render a trade; after a conflict its form has the submitted text and the newest version."""
    with pages.app_context.query() as query:
        trade = Charts(query.tracker).position(position)
        fills = _shown_fills(trade)
        notes = TradeNotes(query.tracker)
        own, *others = notes.for_trade(position)
        return pages.render(
            "trade.html",
            refused.status if refused else 200,
            title=f"{trade.position.symbol} {trade.position.side}",
            position=trade.position,
            executions=fills,
            one_day=len({one.session for one in fills}) == 1,
            pictures=_pictures(query.tracker, trade.position, fills),
            place=_place_in_day(query.tracker, trade.position, account),
            account=account,
            own_note=own,
            other_notes=others,
            versions=notes.versions(own.id),
            revision=query.tracker.revision,
            **_form_values(notes, refused, saved=saved),
        )


def _shown_fills(trade: TradeDetail) -> list[_ShownFill]:
    position = trade.position
    if position.fills == 1 and position.closed_at and position.opened_at and len(trade.bookings) == 1:
        return _logged_fills(position, trade.bookings[0])
    return [
        _ShownFill(
            time=one.time,
            session=one.session,
            action=one.event.replace("_", " ").capitalize() if one.event else _action(position, one.quantity),
            quantity=one.quantity,
            price=None if one.event and not one.price else one.price,
            gross=one.gross,
            fees=one.fees,
            carry=one.carry,
            net=one.net,
            places=one.places,
        )
        for one in trade.bookings
    ]


def _logged_fills(position: PositionView, booking: ExplainedFill) -> list[_ShownFill]:
    """Return the entry and the exit of a trade whose log states its result in one line."""
    assert position.opened_at
    assert position.closed_at
    signed = position.quantity if position.side == "long" else -position.quantity
    is_implied = position.average_exit is None
    entry = _ShownFill(
        time=position.opened_at,
        session=booking.session,
        action=_action(position, signed),
        quantity=signed,
        price=position.average_entry,
        places=booking.places,
    )
    exit_price = position.implied_exit if is_implied else position.average_exit
    return [
        entry,
        _ShownFill(
            time=position.closed_at,
            session=booking.session,
            action=_action(position, -signed),
            quantity=-signed,
            price=exit_price,
            is_implied=is_implied and exit_price is not None,
            gross=booking.gross,
            fees=booking.fees,
            carry=booking.carry,
            net=booking.net,
            places=booking.places,
        ),
    ]


def _action(position: PositionView, quantity: Decimal) -> str:
    if quantity > 0:
        return "Buy"
    return "Sell short" if position.side == "short" else "Sell"


def _pictures(tracker: PerformanceTracker, position: PositionView, fills: list[_ShownFill]) -> list[Markup]:
    """Return the picture of the executions for a desk and a phone; none without prices."""
    zone = tracker.settings.calendar.timezone
    locale = preferred_locale(tag for tag, _ in request.accept_languages)
    prices = PriceWords(
        lambda amount: locale.price(amount),
        lambda amount: locale.price(amount),
        lambda text: locale.chart_mark(text, ""),
        zone,
    )
    found = [Execution(one.time, one.quantity, one.price if one.quantity else None, one.net) for one in fills]
    words = chart_words(locale, position.currency, zone)
    drawn = (executions_picture(found, words, prices, size) for size in _SIZES)
    # the picture escapes its words itself
    return [Markup(picture) for picture in drawn if picture is not None]


def _place_in_day(
    tracker: PerformanceTracker, position: PositionView, account: str | None
) -> _PlaceInDay | None:
    """Return the place of a closed trade in its trading day; None for an open one, or among too many."""
    if position.closed_at is None:
        return None
    day = tracker.calendars.trading_day_of(position.account, position.closed_at)
    selection = Selection(tracker.window("daily", start=day), Scope(account), position.currency)
    page = Charts(tracker).trades(selection, TradeFilter(ascending=True), 0, _MAX_OF_DAY)
    found = [trade.id for trade in page.items]
    if position.id not in found or page.total > _MAX_OF_DAY:
        return None
    at = found.index(position.id)
    before, after = found[:at], found[at + 1 :]
    return _PlaceInDay(at + 1, len(found), before[-1] if before else None, after[0] if after else None)


def _save_trade_note(pages: Pages) -> Callable[..., Response]:
    def view(position: str) -> Response:
        position = _parse_id(POSITION_ID, position, "trade")
        try:
            _save_note(pages, lambda notes, *values: notes.write(position, *values))
        except UsageError as error:
            return _trade_page(pages, position, refused=_NoteError(error))
        return _redirect(f"/trades/{position}")

    return view


def _unattached_notes(pages: Pages) -> Callable[..., Response]:
    def view(after: str | None, said: str | None) -> Response:
        return _notes_page(pages, after, saved=said is not None)

    return view


def _notes_page(
    pages: Pages, after: str | None = None, *, saved: bool = False, refused: _NoteError | None = None
) -> Response:
    with pages.app_context.query() as query:
        notes = TradeNotes(query.tracker)
        unattached = notes.unattached(_PAGE_SIZE + 1, after or "")
        return pages.render(
            "notes.html",
            refused.status if refused else 200,
            title="Unattached notes",
            notes=unattached[:_PAGE_SIZE],
            next=unattached[_PAGE_SIZE - 1].id if len(unattached) > _PAGE_SIZE else None,
            **_form_values(notes, refused, saved=saved),
        )


def _form_values(notes: TradeNotes, refused: _NoteError | None, *, saved: bool) -> dict[str, object]:
    return {
        "tags": notes.tags(),
        "saved": saved,
        "refused": refused,
        "form": request.form,
        "max_lengths": _MAX_LENGTHS,
    }


def _update_note(pages: Pages) -> Callable[..., Response]:
    """Save a note by its ID, then redirect to its trade, or to the unattached notes."""

    def view(note: str) -> Response:
        note = _parse_id(NOTE_ID, note, "note")
        try:
            saved = _save_note(pages, lambda notes, *values: notes.rewrite(note, *values))
        except UsageError as error:
            refused = _NoteError(error, note)
            with pages.app_context.tracker_pool.borrow() as tracker:
                position = TradeNotes(tracker).get(note).position
            if position is None:
                return _notes_page(pages, refused=refused)
            return _trade_page(pages, position, refused=refused)
        return _redirect("/notes" if saved.position is None else f"/trades/{saved.position}")

    return view


def _save_note(pages: Pages, save: Callable[..., NoteView]) -> NoteView:
    """Save the submitted note. Raises UsageError, HttpError."""
    form = request.form
    version = form.get("version", "")
    if not (version.isascii() and version.isdigit() and len(version) < 10):
        raise HttpError(422, "the form has no version number", "reload the page")
    note = validate_note(form.get("text", ""), filter(str.strip, form.get("tags", "").split(",")))
    with pages.app_context.tracker_pool.borrow() as tracker:
        return save(TradeNotes(tracker), note, pages.app_context.access.client_name(request), int(version))


def _parse_id(parameter: Parameter, text: str, kind: str) -> str:
    try:
        return str(parameter.read(text))
    except ValueError as error:
        raise HttpError(404, f"{kind} not found", str(error)) from None


def _redirect(path: str) -> Response:
    return redirect_to(f"{link(path, said='kept')}#notes")
