"""Imports as batches: each can be taken out again, as if it had never come."""

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tearsheet.app.imports.api_posts import ApiWrites
from tearsheet.app.imports.history import ImportHistory
from tearsheet.app.imports.import_file import ImportJob
from tearsheet.app.reconcile.tie_out import preview_import
from tearsheet.errors import NotFoundError, UsageError
from tearsheet.store.db.connection import migrations
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.session import Window
from tests.app.imports.test_api_posts import request
from tests.app.imports.test_import_file import line
from tests.stories.test_ledger_laws import START, fresh_place
from tests.support.laws import examples
from tests.support.place import NOON, Place, as_rows, fills_csv, opened

pytestmark = pytest.mark.both_databases

EVER = Window.choose("all", NOON.date(), None, None)
HEADER = "account,symbol,time,side,quantity,price,commission,fill_id,strategy,status"


def state_of(tracker: PerformanceTracker) -> dict[str, list[Any]]:
    """The books bit for bit, the fills without their ids, and the rejections that count."""
    query = tracker.ledger.connection.execute
    state: dict[str, list[Any]] = {
        name: sorted(query(f"SELECT * FROM {name}").fetchall(), key=str) for name in ("position", "booked")
    }
    state["tally"] = as_rows(tracker)["tally"]
    columns = "account, symbol, key, time_us, rank, side, quantity, price, commission, multiplier, strategy"
    state["fill"] = sorted(query(f"SELECT {columns} FROM fill").fetchall(), key=str)
    found = query("SELECT file, line, code, reason FROM rejection WHERE withdrawn_by IS NULL")
    state["rejection"] = sorted(found.fetchall())
    where = "SELECT s.name, g.line, f.account, f.key FROM sighting g JOIN fill f ON f.id = g.fill_id"
    state["sighting"] = sorted(query(f"{where} JOIN source s ON s.id = g.source_id").fetchall())
    return state


# few ids and prices, so that files overlap, contradict each other, and correct each other
drawn_lines = st.lists(
    st.tuples(
        st.sampled_from(["A", "A", "B"]),
        st.integers(0, 3),  # hours
        st.sampled_from(["buy", "sell"]),
        st.sampled_from(["1", "1.0", "2"]),
        st.sampled_from(["5", "7"]),
        st.sampled_from(["E1", "E2", "E3", "E4", "E5", ""]),
        st.sampled_from(["", "", "orb"]),
        st.sampled_from(["", "", "", "", "", "correction", "bust"]),
    ),
    min_size=1,
    max_size=6,
)
batches = st.lists(st.tuples(st.booleans(), drawn_lines), min_size=2, max_size=4)


def bring(tracker: PerformanceTracker, place: Place, number: int, batch: Any) -> None:
    """Bring a batch as a file, or as a request."""
    is_posted, lines = batch
    texts, fills = [], []
    for n, (account, hour, side, quantity, price, fill_id, strategy, status) in enumerate(lines):
        at = (START + timedelta(hours=hour)).isoformat()
        fill_id = fill_id or (f"P{number}-{n}" if is_posted or status else "")
        texts.append(f"{account},X,{at},{side},{quantity},{price},0,{fill_id},{strategy},{status}")
        fills.append(
            {
                "account": account,
                "symbol": "X",
                "time": at.replace("+00:00", "Z"),
                "side": side.upper(),
                "quantity": quantity,
                "price": price,
                "fill_id": fill_id,
                "strategy": strategy or None,
                "status": status or None,
            }
        )
    if is_posted:
        ApiWrites(tracker).fills(replace(request(fills), name=f"POST {number}"))
    else:
        texts.append(f"A,X,{START.isoformat()},buy,none,1,0,bad{number},,")
        tracker.import_file(place.write(f"{number}.csv", fills_csv(texts, HEADER)))


@examples(150)
@given(batches, st.data())
def test_undoing_a_batch_is_as_if_it_had_never_come(drawn: list[Any], data: st.DataObject) -> None:
    undone = data.draw(st.sets(st.integers(0, len(drawn) - 1), min_size=1))
    with pytest.MonkeyPatch.context() as patch:
        # either take out what went, or book what is left anew; and hold few of what went
        patch.setattr("tearsheet.store.write.undo._FEW", data.draw(st.sampled_from([0, 10_000])))
        patch.setattr("tearsheet.store.tables.account_states._MAX_HELD", data.draw(st.integers(0, 9)))
        compare(drawn, data.draw(st.permutations(sorted(undone))))


def compare(drawn: list[Any], undone: list[int]) -> None:
    """Bring all batches and undo some; the ledger is as if these had never come."""
    with closing(fresh_place().tracker()) as without:
        place = Place(Path(without.settings.log_dir).parent, {})
        for number, batch in enumerate(drawn):
            if number not in undone:
                bring(without, place, number, batch)
        wanted = state_of(without)
        refused = [b.file for b in ImportHistory(without).list(100)]
    place = fresh_place()
    with closing(place.tracker()) as tracker:
        numbers = {}
        for number, batch in enumerate(drawn):
            before = {b.id for b in ImportHistory(tracker).list(100)}
            bring(tracker, place, number, batch)
            numbers[number] = [b.id for b in ImportHistory(tracker).list(100) if b.id not in before]
        for number in undone:
            for identity in numbers[number]:
                ImportHistory(tracker).undo(identity, "kim")
        assert tracker.verify().differences == []
        left = [b.file for b in ImportHistory(tracker).list(100) if b.undone is None]
        if [Path(f).name for f in left] == [Path(f).name for f in refused]:
            found = state_of(tracker)
            for part, rows in wanted.items():
                assert _bare(found[part]) == _bare(rows), part


def _bare(rows: list[Any]) -> list[Any]:
    """Rows without the folder in which their file lay."""
    return sorted(tuple(Path(c).name if isinstance(c, str) and "/" in c else c for c in row) for row in rows)


def test_a_batch_can_be_listed_shown_undone_once_and_imported_again(place: Place) -> None:
    first = place.write("first.csv", fills_csv([line(0, 0, "buy", 2, "100"), line(1, 1, "sell", 2, "110")]))
    both = [line(1, 1, "sell", 2, "110"), line(2, 2, "buy", 1, "5"), line(0, 0, "buy", 2, "101")]
    second = place.write("second.csv", fills_csv(both))
    with place.tracker() as tracker:
        tracker.import_file(first)
        before = state_of(tracker)
        tracker.import_file(second)
        batches = ImportHistory(tracker)
        newest, oldest = batches.list(10)
        assert (newest.id, newest.new, newest.known, newest.rejected) == (2, 1, 1, 1)
        assert (oldest.file, oldest.new, oldest.undone) == (str(first), 2, None)
        assert [(r.rejection.code, r.counts) for r in batches.rejections(2, 10)] == [("conflicting_id", True)]
        preview = batches.preview_undo(2, "kim")
        assert [(p.symbol, p.open_before, p.open_after) for p in preview.positions] == [("X", 1, 0)]
        report = batches.undo(2, "kim")
        assert (report.gone, report.stayed) == (1, 1)
        assert state_of(tracker) == before
        undone = batches.get(2).undone
        assert undone is not None
        assert (undone.by, undone.at, undone.gone) == ("kim", place.now, 1)
        assert [r.counts for r in batches.rejections(2, 10)] == [False]
        with pytest.raises(UsageError, match="was already undone"):
            batches.undo(2, "kim")
        again = tracker.import_file(second)
        assert (again.id, again.new, again.repeated) == (3, 1, False)
        with pytest.raises(NotFoundError, match="import 9 not found"):
            batches.get(9)


def test_undoing_the_first_telling_brings_out_what_the_second_said(place: Place) -> None:
    with place.tracker() as tracker:
        tracker.import_file(place.write("1.csv", fills_csv([line(0, 0, "buy", 2, "100")])))
        tracker.import_file(place.write("2.csv", fills_csv([line(0, 0, "buy", 3, "100")])))
        assert [p.open_quantity for p in tracker.open_positions()] == [2]
        assert len(tracker.rejections()) == 1
        ImportHistory(tracker).undo(1, "kim")
        assert [p.open_quantity for p in tracker.open_positions()] == [3]
        assert tracker.rejections() == []
        assert [r.counts for r in ImportHistory(tracker).rejections(2, 10)] == [False]


def test_a_trade_log_that_was_imported_can_be_undone(place: Place) -> None:
    path = place.write("bot.jsonl", json.dumps(opened(order_id="1")) + "\n")
    with place.tracker() as tracker:
        tracker.import_file(path)
        assert tracker.open_positions() != []
        assert ImportHistory(tracker).undo(1, "kim").gone == 1
        assert tracker.open_positions() == []
        assert tracker.verify().matches


def test_a_file_that_is_read_again_takes_its_rejections_back_until_it_is_undone(place: Place) -> None:
    path = place.write("odd.csv", fills_csv(["A,QQQX 12-26,2026-11-16T14:00:00Z,buy,1,1,0,E1"]))
    with place.tracker() as tracker:
        for _ in range(2):
            tracker.import_file(path)
        assert len(tracker.rejections()) == 1
        ImportHistory(tracker).undo(2, "kim")
        assert [r.counts for r in ImportHistory(tracker).rejections(1, 9)] == [True]
        ImportHistory(tracker).undo(1, "kim")
        assert tracker.rejections() == []


def import_e1(tracker: PerformanceTracker, place: Place, *numbers: tuple[str, str]) -> None:
    """Import files whose one line is execution E1, each with a quantity; the same file again is read again."""
    for name, quantity in numbers:
        row = f"A,X,2026-11-16T14:00:00Z,buy,{quantity},100,0,E1"
        tracker.import_file(place.write(f"{name}.csv", fills_csv([row])))


def test_an_undo_keeps_one_rejection_of_a_line_whose_file_was_read_twice(place: Place) -> None:
    with place.tracker() as tracker:
        import_e1(tracker, place, ("first", "2"), ("other", "3"), ("other", "3"), ("same", "2.0"))
        ImportHistory(tracker).undo(4, "kim")
        assert len(tracker.rejections()) == 1
        ImportHistory(tracker).undo(3, "kim")
        assert [r.file for r in tracker.rejections()] == ["other.csv"]


def test_a_rejection_of_a_file_read_twice_does_not_come_back_when_its_fill_is_stored(place: Place) -> None:
    with place.tracker() as tracker:
        import_e1(tracker, place, ("first", "2"), ("other", "3"), ("other", "3"))
        for number in (1, 3):
            ImportHistory(tracker).undo(number, "kim")
        assert [p.open_quantity for p in tracker.open_positions()] == [3]
        assert tracker.rejections() == []


def test_a_rejection_names_the_fill_that_is_stored_now(place: Place) -> None:
    with place.tracker() as tracker:
        import_e1(tracker, place, ("first", "2"), ("second", "3"), ("third", "4"))
        ImportHistory(tracker).undo(1, "kim")
        assert ["BUY 3 @ 100" in r.reason for r in tracker.rejections()] == [True]


@pytest.mark.sqlite
def test_an_undo_finds_the_rejections_of_an_older_ledger(place: Place) -> None:
    """Before schema 9, only the message named the fill that a line contradicts; the migration reads it there."""
    with place.tracker() as tracker:
        import_e1(tracker, place, ("first", "2"), ("other", "3"))
        path = tracker.ledger.name
    add_column, fill_column = dict(migrations())[9]
    assert add_column.endswith("ADD COLUMN fill_key TEXT")
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE rejection SET fill_key = NULL")
        raw.execute(fill_column)
    with place.tracker() as tracker:
        assert len(tracker.rejections()) == 1
        ImportHistory(tracker).undo(1, "kim")
        assert tracker.rejections() == []


def test_a_dry_run_shows_days_and_positions_and_keeps_nothing(place: Place) -> None:
    lines = [line(0, 0, "buy", 2, "100"), line(1, 1, "sell", 1, "110"), "A,X,never,buy,1,1,0,E9"]
    path = place.write("dry.csv", fills_csv(lines))
    with place.tracker() as tracker:
        preview = preview_import(tracker, ImportJob(path=path))
        assert (preview.report.new, preview.report.rejected) == (2, 1)
        [day] = preview.days
        assert (day.before, day.after) == (0, 8)
        assert [(p.open_after, p.closed_after) for p in preview.positions] == [(1, 0)]
        assert ImportHistory(tracker).list(9) == []
        assert (tracker.revision, tracker.rejections()) == (0, [])


def test_corrections_and_busts_supersede_by_execution_id(place: Place) -> None:
    def row(text: str, status: str) -> str:
        return f"{text},,{status}"

    bought, sold = line(0, 0, "buy", 2, "100"), line(1, 1, "sell", 2, "110")
    with place.tracker() as tracker:
        tracker.import_file(place.write("1.csv", fills_csv([row(bought, ""), row(sold, "fill")], HEADER)))
        better = line(0, 0, "buy", 2, "99")
        report = tracker.import_file(place.write("2.csv", fills_csv([row(better, "correction")], HEADER)))
        assert (report.new, report.known, report.rejected) == (1, 0, 0)
        assert [p.gross for p in tracker.closed_positions(EVER)] == [22]
        # the first telling is known, not contradicted, when it is read once more
        again = tracker.import_file(
            place.write("3.csv", fills_csv([row(bought, ""), row(better, "correction")], HEADER))
        )
        assert (again.new, again.known, again.rejected) == (0, 2, 0)
        [old] = tracker.explain("net_pnl", EVER).superseded[:1]
        assert (old.price, old.by, old.since) == (100, "correction", place.now)
        assert (Path(old.place.file).name, Path(old.by_place.file).name) == ("1.csv", "2.csv")
        tracker.import_file(place.write("4.csv", fills_csv([row(sold, "bust")], HEADER)))
        assert [p.open_quantity for p in tracker.open_positions()] == [2]
        assert tracker.import_file(place.write("5.csv", fills_csv([row(sold, "")] * 1, HEADER))).known == 1
        assert tracker.verify().matches
        other = tracker.import_file(
            place.write("6.csv", fills_csv([row(line(1, 1, "sell", 3, "1"), "")], HEADER))
        )
        assert [r.code for r in other.rejections] == ["conflicting_id"]
        for number in (6, 4, 3, 2):
            ImportHistory(tracker).undo(number, "kim")
        assert [p.gross for p in tracker.closed_positions(EVER)] == [20]


@pytest.mark.parametrize(
    ("status", "fill_id", "code"), [("correction", "", "missing_field"), ("broken", "E1", "bad_value")]
)
def test_a_status_that_cannot_be_used_is_rejected(place: Place, status: str, fill_id: str, code: str) -> None:
    row = f"A,X,2026-11-16T14:00:00Z,buy,1,1,0,{fill_id},,{status}"
    with place.tracker() as tracker:
        report = tracker.import_file(place.write("1.csv", fills_csv([row], HEADER)))
    assert [r.code for r in report.rejections] == [code]
