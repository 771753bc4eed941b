"""Trade page with its fills and notes, and the page of unattached notes."""

from collections.abc import Callable

from flask import Response, request
from msgspec import Struct

from tearsheet.app.analysis.charts import Charts
from tearsheet.app.analysis.notes import NoteView, TradeNotes
from tearsheet.errors import UsageError
from tearsheet.trade.note import MAX_TAG_LENGTH, MAX_TAGS, MAX_TEXT_LENGTH, validate_note
from tearsheet.web.api.notes import AFTER
from tearsheet.web.http import parameters
from tearsheet.web.http.errors import HttpError
from tearsheet.web.http.operation import Parameter
from tearsheet.web.http.parameters import NOTE_ID, POSITION_ID
from tearsheet.web.pages.frame import PageRoute, Pages, redirect_to
from tearsheet.web.rendering.labels import link

_SAVED = parameters.choice("said", "What was just done.", "kept")
_PAGE_SIZE = 50
_MAX_LENGTHS = {"text": MAX_TEXT_LENGTH, "tags": (MAX_TAG_LENGTH + 2) * MAX_TAGS}


def add_trade(pages: Pages) -> None:
    """Add the trade page, its note form, and the page of unattached notes."""
    pages.add(PageRoute("/trades/<position>", parameters=(_SAVED,)), _trade(pages))
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


def _trade(pages: Pages) -> Callable[..., Response]:
    def view(position: str, said: str | None) -> Response:
        return _trade_page(pages, _parse_id(POSITION_ID, position, "trade"), saved=said is not None)

    return view


def _trade_page(
    pages: Pages, position: str, *, saved: bool = False, refused: _NoteError | None = None
) -> Response:
    """Render a trade; after a conflict its form has the submitted text and the newest version."""
    with pages.app_context.query() as query:
        trade = Charts(query.tracker).position(position)
        notes = TradeNotes(query.tracker)
        own, *others = notes.for_trade(position)
        return pages.render(
            "trade.html",
            refused.status if refused else 200,
            title=f"{trade.position.symbol} {trade.position.side}",
            bookings=trade.bookings,
            position=trade.position,
            own_note=own,
            other_notes=others,
            versions=notes.versions(own.id),
            revision=query.tracker.revision,
            **_form_values(notes, refused, saved=saved),
        )


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
            title="Notes without a trade",
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
        raise HttpError(422, "the form does not say what it was written upon", "open the page anew")
    note = validate_note(form.get("text", ""), filter(str.strip, form.get("tags", "").split(",")))
    with pages.app_context.tracker_pool.borrow() as tracker:
        return save(TradeNotes(tracker), note, pages.app_context.access.client_name(request), int(version))


def _parse_id(parameter: Parameter, text: str, kind: str) -> str:
    try:
        return str(parameter.read(text))
    except ValueError as error:
        raise HttpError(404, f"there is no such {kind}", str(error)) from None


def _redirect(path: str) -> Response:
    return redirect_to(f"{link(path, said='kept')}#notes")
