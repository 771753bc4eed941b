"""The lake beside its ledger: equal, or explained fill by fill."""

from pathlib import Path

import pytest

from tearsheet.bulk.lake import Lake
from tearsheet.bulk.rebuild import rebuild
from tearsheet.bulk.verify import compare
from tearsheet.errors import NotFoundError
from tearsheet.tracker import PerformanceTracker
from tests.bulk.lakes import empty_lake, traded, written
from tests.support.place import Place, fills_csv


def built(tracker: PerformanceTracker, folder: Path) -> Lake:
    """The lake of a ledger, with its books."""
    lake = written(tracker, folder)
    rebuild(str(folder), processes=0, has_rows=False, has_total=True)
    return lake


def test_a_lake_is_as_its_ledger(place: Place, tmp_path: Path) -> None:
    with traded(place) as tracker:
        lake = built(tracker, tmp_path / "lake")
        report = compare(tracker, str(tmp_path / "lake"))
        assert (report.different, report.differences) == (0, [])
        assert (report.fills, report.accounts) == (lake.fills, 3)
        assert report.tallies == tracker.ledger.queries.value("tally_count")


def test_fills_of_later_and_changed_ones_are_named(place: Place, tmp_path: Path) -> None:
    with traded(place) as tracker:
        built(tracker, tmp_path / "lake")
        place.write("more.csv", fills_csv(["A000,NEW,2026-11-20T15:00:00Z,buy,1,10,0,late"]))
        tracker.import_file(place.folder / "more.csv")
        with tracker.ledger.writing():
            tracker.ledger.connection.execute(
                "UPDATE fill SET price = '1.2345' WHERE id = (SELECT min(id) FROM fill)"
            )
        report = compare(tracker, str(tmp_path / "lake"))
    told = {(one.what.rpartition(" ")[2], one.ledger) for one in report.differences}
    assert ("NEW x:late", "a fill") in {(one.what, one.ledger) for one in report.differences}
    assert ("price", "1.2345") in told
    assert report.different >= 2


def test_a_tally_that_was_tampered_with_is_named(place: Place, tmp_path: Path) -> None:
    with traded(place) as tracker:
        built(tracker, tmp_path / "lake")
        with tracker.ledger.writing():
            tracker.ledger.connection.execute(
                "UPDATE tally SET body = replace(body, '\"fills\":', '\"fills\":9') WHERE account = 'A001'"
            )
        report = compare(tracker, str(tmp_path / "lake"))
    assert {(one.account, one.what) for one in report.differences} == {("A001", "fills in USD")}


def test_a_lake_without_this_ledger_is_refused(place: Place, tmp_path: Path) -> None:
    empty_lake(str(tmp_path / "lake"))
    with traded(place) as tracker, pytest.raises(NotFoundError, match="has nothing of the ledger"):
        compare(tracker, str(tmp_path / "lake"))
