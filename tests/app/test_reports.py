"""Counts and closes bear their old and new names in JSON: `known` and `duplicates`, `orphans` and `unmatched_closes`."""

import json

import msgspec

from tearsheet.app.imports.history import ImportHistory
from tearsheet.app.reports import ImportReport, WriteReport
from tearsheet.export.files import json_bytes
from tests.support.place import Place, fills_csv


def test_an_import_has_both_names_of_its_duplicates(place: Place) -> None:
    rows = [f"A,AAPL,2026-11-20T0{hour}:00:00Z,buy,1,10,0,{hour}" for hour in range(3)]
    with place.tracker() as tracker:
        tracker.import_file(place.write("a.csv", fills_csv(rows[:2])))
        report = tracker.import_file(place.write("b.csv", fills_csv(rows)))
        again = tracker.import_file(place.write("b.csv", fills_csv(rows)))
        listed = json.loads(json_bytes(ImportHistory(tracker).list(5)))
    assert (report.known, report.duplicates, again.known, again.duplicates) == (2, 2, 3, 3)
    assert [(one["known"], one["duplicates"]) for one in listed] == [(2, 2), (0, 0)]


def test_reports_stored_by_an_older_version_get_the_new_names() -> None:
    written = msgspec.json.decode(b'{"new": 1, "known": 4, "revision": 7}', type=WriteReport)
    assert (written.known, written.duplicates) == (4, 4)
    old = {"file": "a.csv", "layout": "generic_fills", "known": 3, "orphans": []}
    report = msgspec.json.decode(json.dumps(old), type=ImportReport)
    assert (report.known, report.duplicates, report.unmatched_closes) == (3, 3, [])
