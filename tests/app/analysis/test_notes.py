"""Notes and tags: kept with the fill that opened a position, whatever becomes of the position."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tearsheet.app.analysis.notes import NoteView, TradeNotes, notes_state_id
from tearsheet.app.imports.history import ImportHistory
from tearsheet.errors import NotFoundError, StoreError, UsageError
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.note import MAX_TAG_LENGTH, MAX_TAGS, MAX_TEXT_LENGTH, NoteText, validate_note
from tearsheet.trade.session import Window
from tests.app.imports.test_history import batches, bring
from tests.app.imports.test_import_file import line
from tests.stories.test_ledger_laws import fresh_place
from tests.support.laws import examples
from tests.support.old_ledger import TABLES, make_old, rows_of
from tests.support.place import NOON, Place, as_rows, fills_csv, opened, record

pytestmark = pytest.mark.both_databases

EVER = Window.choose("all", NOON.date(), None, None)
#: A long from 10 to 20 o'clock, then a short from 30 to 40.
TWO = [
    line(1, 10, "buy", 1, "100"),
    line(2, 20, "sell", 1, "110"),
    line(3, 30, "sell", 1, "105"),
    line(4, 40, "buy", 1, "101"),
]


def take(tracker: PerformanceTracker, place: Place, name: str, lines: list[str]) -> int:
    """Import lines; returns the number of the import."""
    tracker.import_file(place.write(f"{name}.csv", fills_csv(lines)))
    return ImportHistory(tracker).list(1)[0].id


def ids(tracker: PerformanceTracker) -> list[str]:
    """The closed positions in order."""
    return [position.id for position in tracker.closed_positions(EVER)]


def on(tracker: PerformanceTracker, position: str) -> list[str]:
    """The texts that stand with a position."""
    return [note.text for note in TradeNotes(tracker).for_trade(position) if note.text]


def write(tracker: PerformanceTracker, position: str, text: str, *tags: str) -> NoteView:
    """Say something first."""
    return TradeNotes(tracker).write(position, validate_note(text, tags), "kim", 0)


def agrees(tracker: PerformanceTracker) -> bool:
    """The books are those of a rebuild, and every note stands where its fill is."""
    return tracker.verify().differences == []


def test_a_note_is_kept_with_who_when_and_all_that_it_said_before(place: Place) -> None:
    with place.tracker() as tracker:
        take(tracker, place, "a", TWO)
        first, second = ids(tracker)
        notes = TradeNotes(tracker)
        assert notes.for_trade(first)[0].version == 0
        stamp, revision = notes_state_id(tracker), tracker.state_id
        written = write(tracker, first, "  chased it \r\n", "FOMO", "#Breakout  retest", "fomo")
        assert (written.text, written.tags) == ("chased it", ("breakout retest", "fomo"))
        assert (written.version, written.by, written.at) == (1, "kim", place.now)
        changed = notes.write(first, validate_note("waited", ["patience"]), "lee", 1)
        assert notes.for_trade(first) == [changed]
        assert [(v.version, v.text, v.tags, v.by) for v in notes.versions(changed.id)] == [
            (1, "chased it", ("breakout retest", "fomo"), "kim"),
            (2, "waited", ("patience",), "lee"),
        ]
        assert [(t.tag, t.notes) for t in notes.tags()] == [("patience", 1)]
        assert on(tracker, second) == []
        assert notes_state_id(tracker) != stamp
        assert tracker.state_id == revision  # no number of any answer depends on what is said
        assert agrees(tracker)


def test_what_is_written_upon_an_old_version_is_refused(place: Place) -> None:
    with place.tracker() as tracker:
        take(tracker, place, "a", TWO)
        first = ids(tracker)[0]
        notes = TradeNotes(tracker)
        with pytest.raises(UsageError, match=r"based on version 2 .* but there is no note yet"):
            notes.write(first, validate_note("x", []), "lee", 2)
        write(tracker, first, "mine")
        with pytest.raises(
            UsageError, match=r"based on version 0 .* but kim wrote version 1 at 2026-11-20 21:00:00"
        ):
            write(tracker, first, "yours")
        assert on(tracker, first) == ["mine"]
        assert notes.write(first, validate_note("mine", []), "lee", 1).version == 1  # the same is no change


def test_a_note_taken_back_stands_nowhere_but_in_its_history(place: Place) -> None:
    with place.tracker() as tracker:
        take(tracker, place, "a", TWO)
        first = ids(tracker)[0]
        write(tracker, first, "oops", "x")
        empty = TradeNotes(tracker).write(first, validate_note(" ", []), "kim", 1)
        assert (empty.version, empty.text, empty.tags) == (2, "", ())
        assert TradeNotes(tracker).tags() == []
        assert [v.text for v in TradeNotes(tracker).versions(empty.id)] == ["oops", ""]
        assert TradeNotes(tracker).write(first, validate_note("again", []), "kim", 2).version == 3


def test_there_is_no_note_on_what_is_not_there(place: Place) -> None:
    with place.tracker() as tracker:
        with pytest.raises(NotFoundError, match="no position '0123456789abcdef'"):
            write(tracker, "0123456789abcdef", "x")
        with pytest.raises(NotFoundError, match="no note '0123456789abcdef'"):
            TradeNotes(tracker).rewrite("0123456789abcdef", validate_note("x", []), "kim", 0)


def test_a_change_by_function_needs_no_version(place: Place) -> None:
    with place.tracker() as tracker:
        take(tracker, place, "a", TWO)
        first = ids(tracker)[0]
        write(tracker, first, "text", "a")
        more = TradeNotes(tracker).modify(first, lambda s: validate_note(s.text, [*s.tags, "b"]), "bot")
        assert (more.text, more.tags, more.version) == ("text", ("a", "b"), 2)


def test_a_late_fill_that_joins_two_positions_leaves_both_notes_with_the_one(place: Place) -> None:
    with place.tracker() as tracker:
        take(tracker, place, "a", TWO)
        first, second = ids(tracker)
        write(tracker, first, "the long", "one")
        write(tracker, second, "the short", "two")
        late = take(tracker, place, "b", [line(0, 5, "sell", 1, "104")])
        # sell 1, buy 1 | sell 1, sell 1, buy 1: the buy at 10 o'clock now ends a short, and the sell at
        # 20 o'clock opens the one in which the sell at 30 stands
        shorts = ids(tracker)
        assert len(shorts) == 1
        joined = tracker.open_positions()[0].id
        assert on(tracker, shorts[0]) == ["the long"]
        assert on(tracker, joined) == ["the short"]
        assert not {first, second} & {shorts[0], joined}
        own, carried = TradeNotes(tracker).for_trade(joined)
        assert (own.version, carried.text, carried.position) == (0, "the short", joined)
        assert agrees(tracker)
        # it can be written on where it stands now, and goes back with its fill
        TradeNotes(tracker).rewrite(carried.id, validate_note("the short, later", ["two"]), "lee", 1)
        ImportHistory(tracker).undo(late, "kim")
        assert ids(tracker) == [first, second]
        assert (on(tracker, first), on(tracker, second)) == (["the long"], ["the short, later"])
        assert agrees(tracker)


def test_two_notes_stand_with_a_position_that_two_became(place: Place) -> None:
    with place.tracker() as tracker:
        take(
            tracker, place, "a", [TWO[0], TWO[1], line(3, 30, "buy", 1, "105"), line(4, 40, "sell", 1, "101")]
        )
        first, second = ids(tracker)
        write(tracker, first, "one", "a")
        write(tracker, second, "two", "b")
        take(tracker, place, "b", [line(0, 15, "buy", 1, "104")])
        (joined,) = {p.id for p in tracker.open_positions()}
        assert joined == first
        assert on(tracker, joined) == ["one", "two"]


def test_the_note_of_an_undone_batch_is_kept_and_comes_back_with_it(place: Place) -> None:
    with place.tracker() as tracker:
        take(tracker, place, "a", TWO[:2])
        number = take(tracker, place, "b", TWO[2:])
        second = ids(tracker)[1]
        written = write(tracker, second, "the short", "two")
        ImportHistory(tracker).undo(number, "kim")
        (orphan,) = TradeNotes(tracker).unattached(10)
        assert (orphan.position, orphan.text, orphan.account, orphan.symbol) == (None, "the short", "A", "X")
        assert orphan.filled_at == written.filled_at
        assert agrees(tracker)
        again = TradeNotes(tracker).rewrite(orphan.id, validate_note("still here", ["two"]), "lee", 1)
        assert again.position is None
        take(tracker, place, "c", TWO[2:])
        assert TradeNotes(tracker).unattached(10) == []
        assert on(tracker, second) == ["still here"]
        assert agrees(tracker)


def test_a_rebuild_by_other_rules_leaves_notes_alone(place: Place) -> None:
    with place.tracker() as tracker:
        take(tracker, place, "a", TWO)
        first = ids(tracker)[0]
        write(tracker, first, "stays")
    place.change_rules(TEARSHEET_DAY_STARTS_AT="17:00")
    with place.tracker() as tracker:
        assert on(tracker, first) == ["stays"]
        assert agrees(tracker)


def test_the_note_on_a_logged_result_follows_it_from_result_to_fill(place: Place) -> None:
    later = record(order_id="2", net="7", held=900)
    place.log("2026-11-20", opened(order_id="1"), opened(order_id="2", action="SELL"))
    with place.tracker() as tracker:
        tracker.sync()
        first = ids(tracker)[0]
        write(tracker, first, "from a fill")
        place.log("2026-11-20", record(order_id="1", net="5"), later)
        tracker.sync()
        assert [on(tracker, one) for one in ids(tracker)] == [["from a fill"], []]
        assert agrees(tracker)
        place.log("2026-11-20", later)
        tracker.sync()
        # a record that vanishes from its file stays booked, so its note stays with it
        assert [on(tracker, one) for one in ids(tracker)] == [["from a fill"], []]
        assert TradeNotes(tracker).unattached(10) == []


@examples(60)
@given(batches, st.data())
def test_no_note_is_ever_lost(drawn: list[Any], data: st.DataObject) -> None:
    """Files, requests, corrections and undoings in any order: each note stands with its fill."""
    place = fresh_place()
    with closing(place.tracker()) as tracker:
        written: dict[str, str] = {}
        for number, batch in enumerate(drawn):
            bring(tracker, place, number, batch)
            for position in (*ids(tracker), *(p.id for p in tracker.open_positions())):
                own = TradeNotes(tracker).for_trade(position)[0]
                if own.version == 0 and data.draw(st.booleans()):
                    note = TradeNotes(tracker).write(position, validate_note(position, ["t"]), "kim", 0)
                    written[note.id] = note.text
        for identity in [b.id for b in ImportHistory(tracker).list(100)]:
            if data.draw(st.booleans()):
                ImportHistory(tracker).undo(identity, "kim")
        standing = {
            note.id: note.text
            for position in (*ids(tracker), *(p.id for p in tracker.open_positions()))
            for note in TradeNotes(tracker).for_trade(position)
            if note.text
        }
        orphaned = {note.id: note.text for note in TradeNotes(tracker).unattached(100)}
        assert standing | orphaned == written
        assert not standing.keys() & orphaned.keys()
        assert agrees(tracker)


@pytest.mark.parametrize(
    ("text", "tags", "message"),
    [
        ("x" * (MAX_TEXT_LENGTH + 1), [], "the note has 4,001 characters"),
        ("a\0b", [], r"the note contains the character U\+0000"),
        ("a\x1b[31mb", [], r"the note contains the character U\+001B"),
        ("a\ud800b", [], r"the note contains the character U\+D800"),
        ("", ["x" * (MAX_TAG_LENGTH + 1)], "has 41 characters"),
        ("", [" "], "empty tag"),
        ("", ["a,b"], "contains a comma"),
        ("", ["\u202etxt"], r"contains the character U\+202E"),
        ("", ["a\u200bb"], r"contains the character U\+200B"),
        ("", [f"t{n}" for n in range(MAX_TAGS + 1)], "a note has 21 tags"),
    ],
)
@pytest.mark.sqlite
def test_what_may_not_be_said_is_refused_with_its_reason(text: str, tags: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        validate_note(text, tags)


@pytest.mark.sqlite
def test_what_may_be_said() -> None:
    assert validate_note(
        "a\tb\r\nc\rd \u202e", ["A+ Setup", "a+  setup", "e\u0301", "\u00e9", "<b>"]
    ) == NoteText("a\tb\nc\nd \u202e", ("<b>", "a+ setup", "\u00e9"))
    assert not validate_note("\n", [])


def test_a_ledger_that_cannot_be_written_takes_no_notes(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with place.tracker() as tracker:
        take(tracker, place, "a", TWO)
        first = ids(tracker)[0]
    place.make_read_only(monkeypatch)
    with place.tracker() as tracker, pytest.raises(StoreError, match="is read-only"):
        write(tracker, first, "x")


def test_a_ledger_of_version_4_with_data_is_brought_up_to_date(place: Place, tmp_path: Path) -> None:
    """Made by the schema files up to the fourth, with the rows of a ledger of the same trading."""
    place.log("2026-11-20", record(order_id="1", net="5"), "half a line")
    source = Place(tmp_path / "source", {})
    (tmp_path / "source").mkdir()
    source.log("2026-11-20", record(order_id="1", net="5"), "half a line")
    with source.tracker() as tracker:
        tracker.sync()
        take(tracker, source, "a", TWO)
        first = ids(tracker)[0]
        books = as_rows(tracker)
        content = {table: rows_of(tracker, table) for table in TABLES}
    make_old(place, 4, content)
    with place.tracker() as tracker:
        # before anything is made anew
        assert next(p.id for p in tracker.closed_positions(EVER)) == first
        assert tracker.sync().rebuilt
        assert as_rows(tracker) == books
        write(tracker, first, "after the migration", "new")
        assert agrees(tracker)
    with place.tracker() as tracker:
        assert on(tracker, first) == ["after the migration"]
        assert not tracker.sync().changed
