"""Notes and tags on positions, with versions and optimistic locking."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from tearsheet.app.context import LedgerContext
from tearsheet.errors import NotFoundError, UsageError
from tearsheet.log import log_event
from tearsheet.store.tables.ledger import NOTES_STATE_ID
from tearsheet.store.tables.notes import Note, NoteTable
from tearsheet.store.tables.queries import Queries
from tearsheet.trade.note import NoteText, NoteVersion, normalize_tag, validate_note

_log = logging.getLogger("tearsheet")
_LONGEST_NAME = 100


def notes_state_id(context: LedgerContext) -> str:
    """Return the state ID of all notes, which is separate from that of the ledger. Raises StoreError."""
    return context.ledger.get(NOTES_STATE_ID) or "0"


class NoteView(Struct, frozen=True):
    """Note with the position that contains its fill; `position` is null while the fill is not in the ledger.

    Before the first save, `version` is 0 and the content is empty.
    """

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
    """Text and tags of all notes on one position, for lists."""

    note: str | None = None
    tags: tuple[str, ...] = ()


class TagCount(Struct, frozen=True):
    """Tag with the number of notes that have it."""

    tag: str
    notes: int


class TradeNotes:
    """Notes of a context's ledger."""

    def __init__(self, context: LedgerContext) -> None:
        self._context = context
        self._ledger = context.ledger

    def for_trade(self, position: str) -> Sequence[NoteView]:
        """Return the position's own note, even if it is empty, and the notes of its other fills.

        Raises NotFoundError.
        """
        with self._ledger.snapshot() as queries:
            own = _note_of(queries, position)
            found = NoteTable(queries).for_positions([position]).get(position, [])
        others = [note for note in found if note.id != own.id]
        return [_to_view(note) for note in (own, *others)]

    def get(self, identity: str) -> NoteView:
        """Return a note by its ID. Raises NotFoundError."""
        with self._ledger.snapshot() as queries:
            return _to_view(_get_note(queries, identity))

    def versions(self, identity: str) -> Sequence[NoteVersion]:
        """Return all versions of a note, oldest first."""
        with self._ledger.snapshot() as queries:
            return NoteTable(queries).versions(identity)

    def unattached(self, most: int, after: str = "") -> Sequence[NoteView]:
        """Return notes whose fill is not in the ledger: its import was undone, or its log was rewritten.

        A note is attached again when its fill is imported again.
        """
        with self._ledger.snapshot() as queries:
            return [_to_view(note) for note in NoteTable(queries).unattached(after, most)]

    def tags(self) -> Sequence[TagCount]:
        """Return all tags, in order."""
        with self._ledger.snapshot() as queries:
            return [TagCount(tag, number) for tag, number in NoteTable(queries).tags()]

    def with_tag(self, tag: str) -> frozenset[str]:
        """Return the IDs of the positions that have a tag."""
        with self._ledger.snapshot() as queries:
            return NoteTable(queries).with_tag(tag)

    def summaries(self, positions: Sequence[str]) -> Mapping[str, NoteSummary]:
        """Return the combined notes and tags of some positions."""
        with self._ledger.snapshot() as queries:
            return note_summaries(queries, positions)

    def write(self, position: str, content: NoteText, by: str, version: int) -> NoteView:
        """Save the note of a position; `version` is the version that was edited, 0 for a new note.

        Unchanged content is not saved again, so that a repeated request is idempotent.
        Raises NotFoundError; UsageError if another version was saved since; StoreError.
        """
        return self._write(lambda queries: _note_of(queries, position), lambda _: content, by, version)

    def rewrite(self, note: str, content: NoteText, by: str, version: int) -> NoteView:
        """Save a note by its ID, also an unattached one. Raises as `write` does."""
        return self._write(lambda queries: _get_note(queries, note), lambda _: content, by, version)

    def modify(self, position: str, change: Callable[[NoteText], NoteText], by: str) -> NoteView:
        """Apply a function to the current note and save the result. Raises as `write` does."""
        return self._write(lambda queries: _note_of(queries, position), change, by, None)

    def versions_of(self, positions: Sequence[str]) -> Mapping[str, int]:
        """Return the sum of the versions of all notes on each position; it grows with every save."""
        with self._ledger.snapshot() as queries:
            found = NoteTable(queries).for_positions(positions)
        return {one: _version_sum(found.get(one, ())) for one in positions}

    def tag_trades(
        self, versions: Mapping[str, int], tag: str, by: str, *, remove: bool = False
    ) -> Mapping[str, int]:
        """Add a tag to positions, or remove it from all their notes, in one transaction; return what changed.

        `versions` are those of `versions_of` when the positions were chosen; so are the returned ones of the
        changed positions. A position that is as wanted already is left alone. Raises NotFoundError; UsageError
        if another one was changed since, or has too many tags, and then saves nothing.
        """
        tag = normalize_tag(tag)
        with self._ledger.snapshot() as queries:
            accounts = frozenset(_note_of(queries, position).account for position in versions)
        with self._ledger.writing(accounts) as queries:
            table, found = NoteTable(queries), NoteTable(queries).for_positions(list(versions))
            changed: dict[str, int] = {}
            for position, version in versions.items():
                notes = found.get(position, [])
                old = [note for note in notes if tag in note.content.tags]
                if bool(old) is not remove:
                    continue
                _check_version_sum(notes, version, position)
                for note in old if remove else [_note_of(queries, position)]:
                    self._save(table, note, _with_tag(note.content, tag, remove=remove), by)
                changed[position] = version + (len(old) if remove else 1)
            if changed:
                self._ledger.acquire_commit_lock()
                self._ledger.bump_notes_version()
        action = "removed" if remove else "added"
        log_event(_log, "tearsheet.tagged", tag=tag, action=action, positions=len(changed), by=by)
        return changed

    def _save(self, table: NoteTable, before: Note, content: NoteText, by: str) -> Note:
        after = replace(
            before, version=before.version + 1, content=content, by=by[:_LONGEST_NAME], at=self._context.now
        )
        table.save(after)
        return after

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
            notes, before = NoteTable(queries), find(queries)
            content = change(before.content)
            if content == before.content:  # also for a repeated request
                return _to_view(before)
            _check_version(before, version)
            after = self._save(notes, before, content, by)
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
    """Return the notes and tags of some positions, combined for each position."""
    return {one: _combine(notes) for one, notes in NoteTable(queries).for_positions(positions).items()}


def tags_by_position(queries: Queries) -> Mapping[str, frozenset[str]]:
    """Return the tags of each position that has tags."""
    return NoteTable(queries).tags_by_position()


def _combine(notes: Sequence[Note]) -> NoteSummary:
    texts = [note.content.text for note in notes if note.content.text]
    tags = sorted({tag for note in notes for tag in note.content.tags})
    return NoteSummary("\n\n".join(texts) or None, tuple(tags))


def _note_of(queries: Queries, position: str) -> Note:
    """Return the note of a position, empty before its first save. Raises NotFoundError."""
    bookings = queries.bookings_of(position)
    if not bookings:
        raise NotFoundError(f"no position {position!r}", "`tearsheet positions` lists them")
    new = Note.empty(bookings[0])
    return NoteTable(queries).get(new.id) or new


def _get_note(queries: Queries, identity: str) -> Note:
    note = NoteTable(queries).get(identity)
    if note is None:
        raise NotFoundError(f"no note {identity!r}", "open the trade to see its notes")
    return note


def _check_version(note: Note, version: int | None) -> None:
    """Raise UsageError if a version is not the latest; None skips the check."""
    if version in (None, note.version):
        return
    if note.version:
        meanwhile = f"{note.by} wrote version {note.version} at {note.at:%Y-%m-%d %H:%M:%S} UTC"
    else:
        meanwhile = "there is no note yet (version 0)"
    raise UsageError(
        f"your edit is based on version {version} of the note, but {meanwhile}",
        "reload the note and save again",
    )


def _version_sum(notes: Sequence[Note]) -> int:
    return sum(note.version for note in notes)


def _check_version_sum(notes: Sequence[Note], version: int, position: str) -> None:
    """Raise UsageError if a note of a position was saved since it had this sum of versions."""
    if _version_sum(notes) != version:
        last = max(notes, key=lambda note: note.at, default=None)
        who = f"by {last.by} at {last.at:%Y-%m-%d %H:%M:%S} UTC" if last else "since"
        raise UsageError(
            f"the notes of trade {position} were changed {who}; no trade was tagged",
            "look at the tags as they are now, and choose again",
        )


def _with_tag(content: NoteText, tag: str, *, remove: bool) -> NoteText:
    """Return a note with a tag added or removed. Raises UsageError for too many tags."""
    tags = (one for one in content.tags if one != tag) if remove else (*content.tags, tag)
    return validate_note(content.text, tags)


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
