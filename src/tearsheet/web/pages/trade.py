"""One trade down to its fills, what is said of it, and notes whose fill is gone."""

from collections.abc import Callable, Sequence

from flask import Response, redirect, request
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
from tearsheet.web.pages.frame import PageRoute, Pages, link

_SAVED = parameters.choice("said", "What was just done.", "kept")
_PAGE_SIZE = 50
_LIMITS = {"text": MAX_TEXT_LENGTH, "tags": (MAX_TAG_LENGTH + 2) * MAX_TAGS}


def add_trade(pages: Pages) -> None:
    """Add a trade, its notes, and the notes that stand with none."""
    pages.add(PageRoute("/trades/<position>", parameters=(_SAVED,)), _trade(pages))
    pages.add(PageRoute("/trades/<position>/notes", "write", method="POST"), _write_note(pages))
    pages.add(PageRoute("/notes", parameters=(AFTER, _SAVED)), _unattached_notes(pages))
    pages.add(PageRoute("/notes/<note>", "write", method="POST"), _update_note(pages))


def _trade(pages: Pages) -> Callable[..., Response]:
    def view(position: str, said: str | None) -> Response:
        return _render(pages, _parse_id(POSITION_ID, position, "trade"), said)

    return view


class _SaveConflict(Struct, frozen=True):
    """What of a form was not kept, why, and of which note; without an id, of the trade's own."""

    error: UsageError
    note: str | None = None

    @property
    def status(self) -> int:
        """A conflict, unless a script fetches the part of the page that says it."""
        return 200 if "HX-Request" in request.headers else 409


def _render(
    pages: Pages, position: str, said: str | None = None, refused: _SaveConflict | None = None
) -> Response:
    """The page of a trade; what was refused stands in its form again, upon the newest version."""
    with pages.served.query() as asked:
        found = Charts(asked.tracker).position(position)
        notes = TradeNotes(asked.tracker)
        own, *others = notes.for_trade(position)
        return pages.render(
            "trade.html",
            refused.status if refused else 200,
            title=f"{found.position.symbol} {found.position.side}",
            found=found,
            position=found.position,
            given={},
            accounts=(),
            own=own,
            others=others,
            versions=notes.versions(own.id),
            tags=notes.tags(),
            said=said,
            refused=refused,
            form=request.form,
            limits=_LIMITS,
            revision=asked.tracker.revision,
        )


def _write_note(pages: Pages) -> Callable[..., Response]:
    def view(position: str) -> Response:
        position = _parse_id(POSITION_ID, position, "trade")
        try:
            _save_note(pages, lambda notes, *what: notes.write(position, *what))
        except UsageError as error:
            return _render(pages, position, None, _SaveConflict(error))
        return _redirect(f"/trades/{position}")

    return view


def _unattached_notes(pages: Pages) -> Callable[..., Response]:
    def view(after: str | None, said: str | None) -> Response:
        return _render_notes(pages, after, said)

    return view


def _render_notes(
    pages: Pages, after: str | None, said: str | None, refused: _SaveConflict | None = None
) -> Response:
    with pages.served.query() as asked:
        notes = TradeNotes(asked.tracker)
        found: Sequence[NoteView] = notes.unattached(_PAGE_SIZE + 1, after or "")
        return pages.render(
            "notes.html",
            refused.status if refused else 200,
            title="Notes without a trade",
            notes=found[:_PAGE_SIZE],
            next=found[_PAGE_SIZE - 1].id if len(found) > _PAGE_SIZE else None,
            tags=notes.tags(),
            said=said,
            refused=refused,
            form=request.form,
            limits=_LIMITS,
            given={},
            accounts=(),
        )


def _update_note(pages: Pages) -> Callable[..., Response]:
    """Write a note by its id, and go on to the trade that it stands with, if any."""

    def view(note: str) -> Response:
        note = _parse_id(NOTE_ID, note, "note")
        try:
            kept = _save_note(pages, lambda notes, *what: notes.rewrite(note, *what))
        except UsageError as error:
            refused = _SaveConflict(error, note)
            with pages.served.trackers.borrow() as tracker:
                position = TradeNotes(tracker).get(note).position
            return (
                _render_notes(pages, None, None, refused)
                if position is None
                else _render(pages, position, None, refused)
            )
        return _redirect("/notes" if kept.position is None else f"/trades/{kept.position}")

    return view


def _save_note(pages: Pages, write: Callable[..., NoteView]) -> NoteView:
    """Write what the form says. Raises UsageError, Refused."""
    form = request.form
    version = form.get("version", "")
    if not (version.isascii() and version.isdigit() and len(version) < 10):
        raise HttpError(422, "the form does not say what it was written upon", "open the page anew")
    what = validate_note(form.get("text", ""), filter(str.strip, form.get("tags", "").split(",")))
    with pages.served.trackers.borrow() as tracker:
        return write(TradeNotes(tracker), what, pages.served.access.client_name(request), int(version))


def _parse_id(parameter: Parameter, text: str, what: str) -> str:
    try:
        return str(parameter.read(text))
    except ValueError as error:
        raise HttpError(404, f"there is no such {what}", str(error)) from None


def _redirect(path: str) -> Response:
    response = redirect(f"{link(path, said='kept')}#notes", 303)
    assert isinstance(response, Response)
    return response
