"""Notes and tags on positions: read, written beside those of other people, and never lost."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from tearsheet.app.context import LedgerContext
from tearsheet.errors import NotFoundError, UsageError
from tearsheet.log import log_event
from tearsheet.store.tables import notes as kept
from tearsheet.store.tables.ledger import NOTES_STATE_ID
from tearsheet.store.tables.notes import Note
from tearsheet.store.tables.queries import Queries
from tearsheet.trade.note import NoteText, NoteVersion

_log = logging.getLogger("tearsheet")
_LONGEST_NAME = 100


def notes_state_id(context: LedgerContext) -> str:
    """A name for the present state of all notes, which change no number. Raises StoreError."""
    return context.ledger.get(NOTES_STATE_ID) or "0"


class NoteView(Struct, frozen=True):
    """A note as it is shown. `position` is where the fill that it is of stands now: null while that
    fill is not in the ledger. `version` is 0 and the rest empty where nothing was said yet."""

    id: str
    position: str | None
    account: str
    symbol: str
    filled_at: datetime
    version: int
    text: str
    tags: tuple[str, ...]
    by: str | None
    at: datetime | None


class NoteSummary(Struct, frozen=True):
    """What lists show of all notes on one position."""

    note: str | None = None
    tags: tuple[str, ...] = ()


class TagCount(Struct, frozen=True):
    """A tag, and how many notes bear it."""

    tag: str
    notes: int


class TradeNotes:
    """Asks a context's ledger for notes, and writes them."""

    def __init__(self, context: LedgerContext) -> None:
        self._context = context
        self._ledger = context.ledger

    def for_trade(self, position: str) -> Sequence[NoteView]:
        """The position's own note, be it empty, and those of fills that stand in it by now.

        Raises NotFoundError.
        """
        with self._ledger.snapshot() as queries:
            own = _note_of(queries, position)
            found = kept.NoteTable(queries).for_positions([position]).get(position, [])
        others = [note for note in found if note.id != own.id]
        return [_to_view(note) for note in (own, *others)]

    def get(self, identity: str) -> NoteView:
        """A note by its id. Raises NotFoundError."""
        with self._ledger.snapshot() as queries:
            return _to_view(_get_note(queries, identity))

    def versions(self, identity: str) -> Sequence[NoteVersion]:
        """Everything that a note ever said, the first first."""
        with self._ledger.snapshot() as queries:
            return kept.NoteTable(queries).versions(identity)

    def unattached(self, most: int, after: str = "") -> Sequence[NoteView]:
        """Notes whose fill is not in the ledger now: its import was undone, or its log written anew.

        They stand where they were as soon as the fill is back.
        """
        with self._ledger.snapshot() as queries:
            return [_to_view(note) for note in kept.NoteTable(queries).unattached(after, most)]

    def tags(self) -> Sequence[TagCount]:
        """Every tag, in order."""
        with self._ledger.snapshot() as queries:
            return [TagCount(tag, number) for tag, number in kept.NoteTable(queries).tags()]

    def with_tag(self, tag: str) -> frozenset[str]:
        """The ids of the positions that bear a tag."""
        with self._ledger.snapshot() as queries:
            return kept.NoteTable(queries).with_tag(tag)

    def summaries(self, positions: Sequence[str]) -> Mapping[str, NoteSummary]:
        """What is said of each of some positions."""
        with self._ledger.snapshot() as queries:
            return note_summaries(queries, positions)

    def write(self, position: str, said: NoteText, by: str, version: int) -> NoteView:
        """Say something of a position. `version` is the one that it is said upon, 0 for the first.

        Raises NotFoundError; UsageError where somebody else wrote meanwhile; StoreError.
        """
        return self._write(lambda queries: _note_of(queries, position), lambda _: said, by, version)

    def rewrite(self, note: str, said: NoteText, by: str, version: int) -> NoteView:
        """The same of a note by its id, also of one whose fill is gone."""
        return self._write(lambda queries: _get_note(queries, note), lambda _: said, by, version)

    def modify(self, position: str, change: Callable[[NoteText], NoteText], by: str) -> NoteView:
        """Say of a position what a function makes of what is said now. Raises as `write` does."""
        return self._write(lambda queries: _note_of(queries, position), change, by, None)

    def _write(
        self,
        find: Callable[[Queries], Note],
        change: Callable[[NoteText], NoteText],
        by: str,
        version: int | None,
    ) -> NoteView:
        with self._ledger.snapshot() as queries:
            account = find(queries).account
        with self._ledger.writing(frozenset({account})) as queries:
            notes, before = kept.NoteTable(queries), find(queries)
            said = change(before.content)
            if said == before.content:  # also where a request is repeated
                return _to_view(before)
            _check_version(before, version)
            after = replace(
                before, version=before.version + 1, content=said, by=by[:_LONGEST_NAME], at=self._context.now
            )
            notes.save(after)
            self._ledger.acquire_commit_lock()
            self._ledger.bump_notes_version()
        log_event(
            _log,
            "tearsheet.note",
            id=after.id,
            position=after.position_id,
            version=after.version,
            by=after.by,
        )
        return _to_view(after)


def note_summaries(queries: Queries, positions: Sequence[str]) -> Mapping[str, NoteSummary]:
    """What is said of each of some positions, all notes on it together."""
    return {one: _combine(notes) for one, notes in kept.NoteTable(queries).for_positions(positions).items()}


def tags_by_position(queries: Queries) -> Mapping[str, frozenset[str]]:
    """The tags of each position that bears any."""
    return kept.NoteTable(queries).tags_by_position()


def _combine(notes: Sequence[Note]) -> NoteSummary:
    texts = [note.content.text for note in notes if note.content.text]
    tags = sorted({tag for note in notes for tag in note.content.tags})
    return NoteSummary("\n\n".join(texts) or None, tuple(tags))


def _note_of(queries: Queries, position: str) -> Note:
    """The note of a position, empty where nothing was said. Raises NotFoundError."""
    bookings = queries.bookings_of(position)
    if not bookings:
        raise NotFoundError(f"no position {position!r}", "`tearsheet positions` lists them")
    unsaid = Note.empty(bookings[0])
    return kept.NoteTable(queries).get(unsaid.id) or unsaid


def _get_note(queries: Queries, identity: str) -> Note:
    note = kept.NoteTable(queries).get(identity)
    if note is None:
        raise NotFoundError(f"no note {identity!r}", "a position's page shows its notes")
    return note


def _check_version(note: Note, version: int | None) -> None:
    """Refuse what is said upon another version than the last."""
    if version in (None, note.version):
        return
    if note.version:
        meanwhile = f"{note.by} wrote version {note.version} at {note.at:%Y-%m-%d %H:%M:%S} UTC"
    else:
        meanwhile = "nothing was said of it yet, which is version 0"
    raise UsageError(
        f"this was written upon version {version} of the note, but {meanwhile}",
        "read the note as it is now, and write again upon that version",
    )


def _to_view(note: Note) -> NoteView:
    is_said = note.version > 0
    return NoteView(
        note.id,
        note.position_id,
        note.account,
        note.symbol,
        note.time,
        note.version,
        note.content.text,
        note.content.tags,
        note.by if is_said else None,
        note.at if is_said else None,
    )
