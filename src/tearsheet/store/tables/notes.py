"""What people say of positions, kept by the fill that opened them; see `schema/0005_notes.sql`."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct, json
from msgspec.structs import replace

from tearsheet.store.tables.queries import Queries
from tearsheet.store.tables.rows import Row
from tearsheet.trade.note import NoteText, fill_keys, note_id, opening_fill_key
from tearsheet.trade.position import Booking, position_id
from tearsheet.trade.session import from_micros, to_micros


class Note(Struct, frozen=True):
    """What is said of a position; `position_id` is where the fill that opened it stands now.

    `version` counts what was said of it so far; it is 0 where nothing ever was.
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
        """The empty note of a position, known by the booking that opened it."""
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


class NoteVersion(Struct, frozen=True):
    """What a note said once, by whom and when."""

    version: int
    text: str
    tags: tuple[str, ...]
    by: str
    at: datetime


class NoteTable:
    """Keeps notes; used inside a transaction of the ledger."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    def get(self, identity: str) -> Note | None:
        """The note with an id."""
        row = self._queries.fetch_one("note", (identity,))
        return None if row is None else _note(row)

    def for_positions(self, positions: Sequence[str]) -> Mapping[str, list[Note]]:
        """What is said of each of some positions, in the order of the fills."""
        found = self._queries.execute_each("notes_of_position", [(one,) for one in positions])
        return {one: list(map(_note, its)) for one, its in zip(positions, found, strict=True) if its}

    def versions(self, identity: str) -> list[NoteVersion]:
        """Everything that a note ever said, the first first."""
        found = self._queries.execute("note_versions", (identity,))
        return [
            NoteVersion(version, text, _decode_tags(tags), who, from_micros(at_us))
            for version, text, tags, who, at_us in found
        ]

    def unattached(self, after: str, most: int) -> list[Note]:
        """Notes whose fill is not in the ledger now, by id from after one on."""
        return list(map(_note, self._queries.execute("orphaned_notes", (after, most))))

    def tags(self) -> list[tuple[str, int]]:
        """Every tag, and how many notes bear it."""
        return [(tag, number) for tag, number in self._queries.execute("note_tags")]

    def with_tag(self, tag: str) -> frozenset[str]:
        """The ids of the positions that bear a tag."""
        found = self._queries.execute("positions_with_tag", (tag,))
        return frozenset(identity for (identity,) in found)

    def tags_by_position(self) -> Mapping[str, frozenset[str]]:
        """The tags of each position that bears any."""
        found: dict[str, set[str]] = defaultdict(set)
        for identity, tag in self._queries.execute("tags_of_positions"):
            found[identity].add(tag)
        return {identity: frozenset(tags) for identity, tags in found.items()}

    def save(self, note: Note) -> None:
        """Keep a note as its next version, beside all that it said before."""
        kept = self.get(note.id)
        before = set() if kept is None else set(kept.content.tags)
        self._queries.execute("put_note", _row(note))
        text, tags = note.content.text, _encode_tags(note.content.tags)
        version = (note.id, note.version, text, tags, note.by, to_micros(note.at))
        self._queries.execute("add_note_version", version)
        for name, changed in (
            ("remove_note_tag", before - {*note.content.tags}),
            ("add_note_tag", {*note.content.tags} - before),
        ):
            self._queries.execute_many(name, [(tag, note.id) for tag in sorted(changed)])

    def reattach(self, account: str, since_us: int | None) -> None:
        """Find where the notes of an account belong after its books changed from an instant on.

        Those whose fill was not there may have it back, whenever anything came.
        """
        found = self._queries.execute("orphaned_notes_of_account", (account,)).fetchall()
        if since_us is not None:
            found += self._queries.execute("notes_since", (account, since_us)).fetchall()
        self._attach(found)

    def reattach_all(self) -> None:
        """Find where every note belongs after all books were made anew."""
        self._attach(self._queries.execute("notes").fetchall())

    def find_misattached(self) -> list[tuple[Note, Note]]:
        """Notes that do not stand where they belong, beside how they should; there are none."""
        found = [
            (note, self._location(note)) for note in map(_note, self._queries.execute("notes").fetchall())
        ]
        return [(kept, right) for kept, right in found if kept != right]

    def _attach(self, found: Iterable[Row]) -> None:
        for note in map(_note, found):
            right = self._location(note)
            if right != note:
                row = (right.symbol, to_micros(right.time), right.position_id, right.id)
                self._queries.execute("place_note", row)

    def _location(self, note: Note) -> Note:
        """A note with the position that its fill opens now, or else stands in.

        A fill that crosses zero ends one position and opens the next, which is the one that is meant.
        """
        for key in fill_keys(note.opening_key):
            row = self._queries.fetch_one("booking_of_fill", (note.account, key))
            if row is not None:
                return _with_location(note, row)
        logged = position_id(note.account, note.symbol, note.opening_key)
        row = self._queries.fetch_one("logged_position", (logged,))
        return replace(note, position_id=None) if row is None else _with_location(note, row)


def _with_location(note: Note, row: Row) -> Note:
    position, symbol, time_us = row
    return replace(note, position_id=position, symbol=symbol, time=from_micros(time_us))


def _note(row: Row) -> Note:
    identity, account, key, symbol, time_us, position, version, text, tags, who, at_us = row
    return Note(
        identity,
        account,
        key,
        symbol,
        from_micros(time_us),
        position,
        version,
        NoteText(text, _decode_tags(tags)),
        who,
        from_micros(at_us),
    )


def _row(n: Note) -> Row:
    return (
        n.id,
        n.account,
        n.opening_key,
        n.symbol,
        to_micros(n.time),
        n.position_id,
        n.version,
        n.content.text,
        _encode_tags(n.content.tags),
        n.by,
        to_micros(n.at),
    )


def _decode_tags(text: str) -> tuple[str, ...]:
    return json.decode(text, type=tuple[str, ...])


def _encode_tags(tags: Sequence[str]) -> str:
    return json.encode(tags).decode()
