"""Notes on positions, stored by the fill that opened the position; see `schema/0005_notes.sql`."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct, json
from msgspec.structs import replace

from tearsheet.store.tables.columns import NoteRow, NoteTagRow, NoteVersionRow, Row
from tearsheet.store.tables.queries import Queries
from tearsheet.trade.note import NoteText, NoteVersion, fill_keys, note_id, opening_fill_key
from tearsheet.trade.position import Booking, position_id
from tearsheet.trade.session import from_micros, to_micros


class _TagCount(Row, frozen=True, gc=False):
    tag: str
    notes: int


class _PositionTag(Row, frozen=True, gc=False):
    position_id: str
    tag: str


class _Location(Row, frozen=True, gc=False):
    """Position that contains the fill of a note."""

    position_id: str
    symbol: str
    time_us: int
    part: int


class Note(Struct, frozen=True):
    """Note on the position that contains its fill; `position_id` is that position now.

    `version` is the number of saved versions, 0 for a note that was never saved.
    """

    id: str
    account: str
    opening_key: str
    symbol: str
    time: datetime
    position_id: str | None
    version: int
    content: NoteText
    by: str
    at: datetime

    @classmethod
    def empty(cls, opening: Booking) -> "Note":
        """Return the empty note of the position that a booking opened."""
        key = opening_fill_key(opening.fill_key)
        return cls(
            note_id(opening.account, key),
            opening.account,
            key,
            opening.symbol,
            opening.time,
            opening.position_id,
            0,
            NoteText(),
            "",
            opening.time,
        )


class NoteTable:
    """Table of notes; used inside a transaction of the ledger."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    def get(self, identity: str) -> Note | None:
        """Return the note with an id."""
        row = self._queries.row(NoteRow, "note", (identity,))
        return None if row is None else _note(row)

    def for_positions(self, positions: Sequence[str]) -> Mapping[str, list[Note]]:
        """Return the notes of each position that has some, in the order of the fills."""
        found = self._queries.rows_each(NoteRow, "notes_of_position", [(one,) for one in positions])
        return {
            position: list(map(_note, notes))
            for position, notes in zip(positions, found, strict=True)
            if notes
        }

    def versions(self, identity: str) -> list[NoteVersion]:
        """Return every version of a note, oldest first."""
        return [
            NoteVersion(row.version, row.text, _decode_tags(row.tags), row.who, from_micros(row.at_us))
            for row in self._queries.rows(NoteVersionRow, "note_versions", (identity,))
        ]

    def unattached(self, after: str, most: int) -> list[Note]:
        """Return notes whose fill is not in the ledger, in order of ID, after an ID."""
        return list(map(_note, self._queries.rows(NoteRow, "orphaned_notes", (after, most))))

    def tags(self) -> list[tuple[str, int]]:
        """Return every tag with the number of notes that have it."""
        return [(row.tag, row.notes) for row in self._queries.rows(_TagCount, "note_tags")]

    def with_tag(self, tag: str) -> frozenset[str]:
        """Return the ids of the positions that have a tag."""
        return frozenset(self._queries.values("positions_with_tag", (tag,)))

    def tags_by_position(self) -> Mapping[str, frozenset[str]]:
        """Return the tags of each position that has some."""
        tags: dict[str, set[str]] = defaultdict(set)
        for row in self._queries.rows(_PositionTag, "tags_of_positions"):
            tags[row.position_id].add(row.tag)
        return {position: frozenset(own) for position, own in tags.items()}

    def save(self, note: Note) -> None:
        """Save a note as its next version; earlier versions are never removed."""
        before = self.get(note.id)
        tags_before = set() if before is None else set(before.content.tags)
        tags = set(note.content.tags)
        self._queries.execute("put_note", _row(note))
        version = NoteVersionRow(
            note_id=note.id,
            version=note.version,
            text=note.content.text,
            tags=_encode_tags(note.content.tags),
            who=note.by,
            at_us=to_micros(note.at),
        )
        self._queries.add(NoteVersionRow, [version])
        removed = [NoteTagRow(tag=tag, note_id=note.id) for tag in sorted(tags_before - tags)]
        self._queries.execute_many("remove_note_tag", removed)
        added = [NoteTagRow(tag=tag, note_id=note.id) for tag in sorted(tags - tags_before)]
        self._queries.add(NoteTagRow, added)

    def reattach(self, account: str, since_us: int | None) -> None:
        """Find the positions of an account's notes after its bookings changed from an instant on.

        Unattached notes are always checked, since their fill may have been imported.
        """
        notes = self._queries.rows(NoteRow, "orphaned_notes_of_account", (account,))
        if since_us is not None:
            notes += self._queries.rows(NoteRow, "notes_since", (account, since_us))
        self._attach(notes)

    def reattach_all(self) -> None:
        """Find the position of every note after a rebuild."""
        self._attach(self._queries.rows(NoteRow, "notes"))

    def find_misattached(self) -> list[tuple[Note, Note]]:
        """Return notes with a wrong stored position and their corrected form; empty in a correct ledger."""
        notes = map(_note, self._queries.rows(NoteRow, "notes"))
        located = [(note, self._location(note)) for note in notes]
        return [(note, right) for note, right in located if note != right]

    def _attach(self, notes: Iterable[NoteRow]) -> None:
        for note in map(_note, notes):
            right = self._location(note)
            if right != note:
                parameters = (right.symbol, to_micros(right.time), right.position_id, right.id)
                self._queries.execute("place_note", parameters)

    def _location(self, note: Note) -> Note:
        """Return a note with the position that its fill opens now, or else is part of.

        A fill that crosses zero closes one position and opens the next, to which the note belongs.
        """
        for key in fill_keys(note.opening_key):
            location = self._queries.row(_Location, "booking_of_fill", (note.account, key))
            if location is not None:
                return _with_location(note, location)
        logged = position_id(note.account, note.symbol, note.opening_key)
        location = self._queries.row(_Location, "logged_position", (logged,))
        return replace(note, position_id=None) if location is None else _with_location(note, location)


def _with_location(note: Note, at: _Location) -> Note:
    return replace(note, position_id=at.position_id, symbol=at.symbol, time=from_micros(at.time_us))


def _note(row: NoteRow) -> Note:
    return Note(
        id=row.id,
        account=row.account,
        opening_key=row.fill_key,
        symbol=row.symbol,
        time=from_micros(row.time_us),
        position_id=row.position_id,
        version=row.version,
        content=NoteText(row.text, _decode_tags(row.tags)),
        by=row.who,
        at=from_micros(row.at_us),
    )


def _row(note: Note) -> NoteRow:
    return NoteRow(
        id=note.id,
        account=note.account,
        fill_key=note.opening_key,
        symbol=note.symbol,
        time_us=to_micros(note.time),
        position_id=note.position_id,
        version=note.version,
        text=note.content.text,
        tags=_encode_tags(note.content.tags),
        who=note.by,
        at_us=to_micros(note.at),
    )


def _decode_tags(text: str) -> tuple[str, ...]:
    return json.decode(text, type=tuple[str, ...])


def _encode_tags(tags: Sequence[str]) -> str:
    return json.encode(tags).decode()
