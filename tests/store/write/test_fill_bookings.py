"""Bookings of large imports hold only what their fills do not say, and are whole again before a fill changes."""

from pathlib import Path

import pytest

from tearsheet.app.imports.history import ImportHistory
from tearsheet.tracker import PerformanceTracker
from tests.support.old_ledger import TABLES, make_old, rows_of
from tests.support.place import Place, as_rows, fills_csv

pytestmark = pytest.mark.both_databases

HEADER = "account,symbol,time,side,quantity,price,commission,fill_id,status"
#: Opens, adds, reverses, closes, and opens again; amounts with zeros at their end, too.
FILLS = [
    "A,X,2026-11-17T09:30:00Z,buy,2,10.50,1.00,1,",
    "A,X,2026-11-17T09:31:00Z,buy,1,11,0.30,2,",
    "A,Y,2026-11-17T09:31:00Z,sell,5,7.1,0,3,",
    "A,X,2026-11-17T09:32:00Z,sell,5,12.10,1.10,4,",
    "B,X,2026-11-17T09:33:00Z,buy,1.50,12,0,5,",
    "A,X,2026-11-17T09:34:00Z,buy,2,11.9,0.2,6,",
    "A,X,2026-11-18T09:34:00Z,buy,2,12.25,0.2,7,",
]
#: What changes stored fills and their positions: late ones, a correction, a bust.
CHANGES = {
    "a late fill": ["A,X,2026-11-17T09:31:30Z,sell,1,12,0.1,8,"],
    "a late fill before all": ["A,X,2026-11-16T09:31:30Z,sell,1,12,0.1,8,"],
    "a correction": ["A,X,2026-11-17T09:32:00Z,sell,4,12.5,1.1,4,correction"],
    "a correction of an opening fill": ["A,X,2026-11-17T09:35:00Z,buy,3,10,1,1,correction"],
    "a bust": ["A,X,2026-11-17T09:31:00Z,buy,1,11,0.3,2,bust"],
    "a later fill": ["A,X,2026-11-19T09:31:00Z,sell,2,13,0.3,9,"],
}


def take(tracker: PerformanceTracker, place: Place, name: str, lines: list[str]) -> int:
    return tracker.import_file(place.write(name, fills_csv(lines, HEADER))).id


def make_large(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("tearsheet.store.write.transaction._BULK_BYTES", 1)
    patch.setattr("tearsheet.store.write.imported_fills._LEAST_ROWS", 1)


@pytest.mark.parametrize("what", CHANGES)
def test_fills_of_a_large_import_change_and_change_back(
    place: Place, tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "small").mkdir()
    small = Place(tmp_path / "small", {})
    with small.tracker() as tracker:
        take(tracker, small, "fills.csv", FILLS)
        before = as_rows(tracker)
        take(tracker, small, "changes.csv", CHANGES[what])
        after = as_rows(tracker)
    with place.tracker() as tracker:
        with monkeypatch.context() as patch:
            make_large(patch)
            take(tracker, place, "fills.csv", FILLS)
        assert not tracker.ledger.queries.exists("any_booking")
        assert as_rows(tracker) == before
        changed = take(tracker, place, "changes.csv", CHANGES[what])
        assert as_rows(tracker) == after != before
        assert tracker.verify().differences == []
        ImportHistory(tracker).undo(changed, "test")
        assert as_rows(tracker) == before
        assert tracker.verify().differences == []


def test_a_kept_ledger_of_statements_is_booked_again_once(place: Place, tmp_path: Path) -> None:
    """Before version 30 every booking was kept whole."""
    (tmp_path / "source").mkdir()
    source = Place(tmp_path / "source", {})
    with source.tracker() as tracker:
        take(tracker, source, "fills.csv", FILLS)
        books = as_rows(tracker)
        content = {table: rows_of(tracker, table) for table in TABLES}
    assert len(content["booking"]) == len(books["booked"])
    make_old(place, 29, content)
    with place.tracker() as tracker:
        assert as_rows(tracker) == books
        assert tracker.sync().rebuilt
        assert not tracker.ledger.queries.exists("any_booking")
        assert as_rows(tracker) == books
        assert not tracker.sync().rebuilt
        assert tracker.verify().differences == []
