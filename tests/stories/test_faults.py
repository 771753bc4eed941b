"""What happens when things break: killed processes, two at once, full disks, strange ledgers."""

import json
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from tearsheet.errors import SchemaError, StoreError
from tearsheet.sample import write_fills_csv, write_log
from tearsheet.store.db import connection
from tearsheet.store.db.connection import load_statements
from tests.support.place import NOON, Place, as_rows, fills_csv, opened, record
from tests.support.processes import environment

SYNC = "import sys; from tearsheet.cli import main; sys.exit(main(sys.argv[1:]))"


def command(place: Place, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", SYNC, *arguments],
        cwd=place.folder,
        env=environment({}),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_several_processes_at_once_all_succeed_and_nothing_doubles(place: Place) -> None:
    write_log(place.folder / "logs", days=5, trades_per_day=200, last_day=date(2026, 11, 20))
    write_fills_csv(place.folder / "fills.csv", count=500, accounts=2, symbols=3)
    started = [command(place, "sync") for _ in range(3)] + [
        command(place, "import", "fills.csv") for _ in range(3)
    ]
    ended = [(process.communicate(timeout=120), process.returncode) for process in started]
    assert all(code == 0 for _, code in ended), ended
    with place.tracker() as tracker:
        assert tracker.verify().differences == []
        query = tracker.ledger.connection.execute
        assert query("SELECT COUNT(*) FROM record").fetchone() == (1000,)
        assert query("SELECT COUNT(*), COUNT(DISTINCT key) FROM fill").fetchone() == (500, 500)
        assert query("SELECT COUNT(*) FROM source WHERE kind = 'log'").fetchone() == (5,)


def test_kill_9_at_any_moment_loses_and_doubles_nothing(place: Place) -> None:
    write_log(place.folder / "logs", days=6, trades_per_day=300, last_day=date(2026, 11, 20))
    write_fills_csv(place.folder / "fills.csv", count=2000, accounts=2, symbols=3)
    for delay in (0.05, 0.12, 0.18, 0.24, 0.3, 0.4):
        for arguments in (["sync"], ["import", "fills.csv"]):
            process = command(place, *arguments)
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=60)
    for arguments in (["sync"], ["import", "fills.csv"]):
        process = command(place, *arguments)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, (out, err)
    straight = Place(place.folder / "straight", {})
    write_log(straight.folder / "logs", days=6, trades_per_day=300, last_day=date(2026, 11, 20))
    with place.tracker() as killed, straight.tracker() as clean:
        clean.sync()
        clean.import_file(place.folder / "fills.csv")
        assert as_rows(killed) == as_rows(clean)
        assert killed.verify().differences == []


def test_kill_9_while_a_large_file_is_read_by_columns_loses_and_doubles_nothing(place: Place) -> None:
    write_fills_csv(place.folder / "fills.csv", count=16_000, accounts=2, symbols=3)
    for delay in (0.3, 0.6, 0.9):
        process = command(place, "import", "fills.csv")
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
    out, err = command(place, "import", "fills.csv").communicate(timeout=120)
    assert "16,000 new" in out or "already imported" in out, (out, err)
    with place.tracker() as killed, Place(place.folder / "straight", {}).tracker() as clean:
        clean.import_file(place.folder / "fills.csv")
        assert as_rows(killed) == as_rows(clean)
        query = killed.ledger.connection.execute
        assert query("SELECT COUNT(*), COUNT(DISTINCT key) FROM fill").fetchone() == (16_000, 16_000)
        assert query("SELECT COUNT(*) FROM sighting").fetchone() == (16_000,)
        assert killed.verify().differences == []


def test_a_full_disk_is_said_and_the_ledger_is_as_before(place: Place) -> None:
    place.log("2026-11-20", record(order_id="0", net="5"))
    with place.tracker() as tracker:
        tracker.sync()
        before, revision = as_rows(tracker), tracker.revision
        write_log(place.folder / "logs", days=2, trades_per_day=2000, last_day=date(2026, 11, 19))
        query = tracker.ledger.connection.execute
        pages = query("PRAGMA page_count").fetchone()[0]
        query(f"PRAGMA max_page_count = {pages + 5}")
        with pytest.raises(StoreError, match="cannot grow: the disk is full"):
            tracker.sync()
        assert (as_rows(tracker), tracker.revision) == (before, revision)
        query("PRAGMA max_page_count = 1000000")
        assert tracker.sync().records == 4000


def test_a_ledger_from_a_newer_schema_is_left_alone(place: Place) -> None:
    place.tracker().close()
    path = place.settings().ledger_path
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA user_version = 99")
        raw.commit()
    with pytest.raises(SchemaError, match="has schema 99, this Tearsheet knows up to"):
        place.tracker()


def test_the_newest_migration_is_the_version_the_program_knows() -> None:
    numbers = [number for number, _ in connection.migrations()]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == connection.SCHEMA_VERSION


def test_a_locked_ledger_is_said_after_a_while(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.log("2026-11-20", record(net="5"))
    place.tracker().close()
    monkeypatch.setattr("tearsheet.store.tables.ledger.BUSY_SECONDS", 0.1)
    other = sqlite3.connect(place.settings().ledger_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with place.tracker() as tracker:
        with pytest.raises(StoreError, match="is locked by another process"):
            tracker.sync()
        other.execute("COMMIT")
        assert tracker.get_summary("daily").value("net_pnl") == 5
    other.close()


def test_a_damaged_ledger_is_said(place: Place) -> None:
    place.log("2026-11-20", *(record(order_id=str(n), net="5") for n in range(300)))
    with place.tracker() as tracker:
        tracker.sync()
        tracker.ledger.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path = place.settings().ledger_path
    data = bytearray(path.read_bytes())
    data[8192:-4096] = b"\xff" * (len(data) - 12288)
    path.write_bytes(bytes(data))
    place.log("2026-11-20", record(order_id="x", net="5"), mode="a")

    def ask() -> None:
        with closing(place.tracker()) as tracker:
            tracker.get_summary("all")

    with pytest.raises(StoreError, match="is damaged"):
        ask()


def test_an_old_ledger_that_cannot_be_written_is_said(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    path = place.settings().ledger_path
    path.parent.mkdir(parents=True)
    sqlite3.connect(path).close()
    path.write_bytes(b"")
    monkeypatch.setattr(
        "tearsheet.store.db.sqlite.os.access", lambda path, mode: not str(path).endswith(".db")
    )
    with pytest.raises(StoreError, match="has the old schema 0 and cannot be written"):
        place.tracker()


def test_a_folder_that_cannot_be_made_is_said(place: Place) -> None:
    place.write("blocked", "a file")
    with pytest.raises(StoreError, match="cannot be made"):
        place.tracker(DATABASE_URL="blocked/ledger.db")


#: Statements that may read a table from end to end.
WHOLE = {
    "log_sources",
    "live_records",
    "log_streams",
    "log_stream_names",
    "log_use",
    "overlapping_streams",
    "open_log_records",
    "repeated_orders",
    "doubts",
    "doubt_of_code",
    "rate_currencies",
    "agreed",
    "taken_back",
    "contradictions",
    "remove_feeds_of_layout",
    "set_multiplier_of_variants",
    "set_multiplier",
    "marks",
    "links",
    "absences",
    "feeds",
    "feeds_of_all",
    "say_no_later",
    "doubts_within",
    "remove_all_positions",
    "remove_all_bookings",
    "remove_all_fill_bookings",
    "remove_all_tallies",
    "remove_log_fills",
    "remove_all_record_rejections",
    "streams_of_fills",
    "remove_all_alerts",
    "open_positions",
    "closed_of_streams",
    "instants_with_posted",
    "notes",
    "note_tags",
    "tags_of_positions",
    "setting_changes",
    "count_fills",
    "remove_all_gaps",
    "any_log_stream",
    "any_gap",
    "tally_count",
    "last_heard",
    "hear_no_later",
}


def test_no_question_scans_a_table_for_a_window(place: Place) -> None:
    """Only small tables, whole rebuilds, undone imports and `verify` may be read from end to end."""
    place.log("2026-11-20", *(record(order_id=str(n), net="5") for n in range(50)))
    with place.tracker() as tracker:
        tracker.sync()
        query = tracker.ledger.connection.execute
        for name, sql in load_statements().items():
            if name in WHOLE or not sql.startswith(("SELECT", "WITH", "UPDATE", "DELETE")):
                continue
            plan = [
                row[3]
                for row in query(
                    f"EXPLAIN QUERY PLAN {sql}",
                    [None] * len(set(re.findall(r"\?\d+", sql)) or re.findall(r"\?", sql)),
                )
            ]
            # a scan along an index that ends with the first row is no scan of the table
            scans = [
                step
                for step in plan
                if step.startswith("SCAN") and "CONSTANT" not in step and "named" not in step
            ]
            if "LIMIT" in sql or "DISTINCT" in sql or "MAX(" in sql or "MIN(" in sql:
                scans = [
                    step
                    for step in scans
                    if "INDEX" not in step and "PRIMARY KEY" not in step and name != "rejections"
                ]
            scans = [step for step in scans if not step.startswith("SCAN source USING INDEX source_import")]
            assert not scans, (name, plan)


def test_ten_years_answer_like_a_week(place: Place) -> None:
    """Counted in rows read, not in time: a day's summary touches the day's tallies and nothing else."""
    for n in range(40):
        day = date.fromordinal(date(2026, 10, 12).toordinal() + n)
        at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        place.log(day.isoformat(), record(order_id=f"{n}", net="1", at=at))
    with place.tracker() as tracker:
        tracker.sync()
        steps: list[str] = []
        tracker.ledger.connection.set_trace_callback(steps.append)
        tracker.get_summary("daily")
        few = len(steps)
        steps.clear()
        tracker.get_summary("all")
        assert len(steps) <= few + 2


def test_a_log_of_a_hundred_thousand_lines_and_one_of_ten_megabytes(place: Place) -> None:
    write_log(place.folder / "logs", days=1, trades_per_day=20_000, last_day=NOON.date())
    place.log(
        "2026-11-19",
        json.dumps(opened(order_id="big", decision_reasoning="x" * 10_000_000)),
        record(order_id="ok", net="3", at=datetime(2026, 11, 19, 12, tzinfo=UTC)),
    )
    with place.tracker() as tracker:
        report = tracker.sync()
        assert (report.records, report.rejected) == (20_001, 1)
        (rejection,) = tracker.rejections()
        assert (rejection.code, rejection.line, len(rejection.text)) == ("line_too_long", 1, 501)


def test_imports_of_the_same_bytes_under_another_name_are_known(place: Place) -> None:
    text = fills_csv(
        ["A,AAPL,2026-11-20T10:00:00Z,buy,1,10,0,1", "A,AAPL,2026-11-20T10:01:00Z,sell,1,12,0,2"]
    )
    with place.tracker() as tracker:
        assert tracker.import_file(place.write("one.csv", text)).new == 2
        again = tracker.import_file(place.write("two.csv", text))
        assert (again.repeated, again.new, again.known) == (True, 0, 2)
        assert tracker.get_summary("daily").value("net_pnl") == 2


def test_the_package_brings_its_data() -> None:
    import tearsheet

    folder = Path(tearsheet.__file__).parent
    for name in (
        "trade/futures.csv",
        "trade/holidays.csv",
        "store/db/queries.sql",
        "store/db/schema/0001_ledger.sql",
        "schemas/performance-alert.schema.json",
        "sources/layouts/generic_fills.toml",
    ):
        assert (folder / name).stat().st_size > 0


def test_an_append_costs_what_was_appended_not_what_was_there(place: Place) -> None:
    """Counted in steps of the database's machine, not in time."""
    steps = []
    for size in (500, 5_000):
        here = Place(place.folder / str(size), {})
        write_log(here.folder / "logs", days=5, trades_per_day=size // 5, last_day=date(2026, 11, 19))
        later = [
            record(order_id=f"late-{n}", net="1", at=datetime(2026, 11, 20, 22, tzinfo=UTC), held=n)
            for n in range(50)
        ]
        with here.tracker() as tracker:
            tracker.sync()
            here.log("2026-11-20", *later)
            count = [0]

            def one_more(counted: list[int] = count) -> int:
                counted[0] += 1
                return 0

            tracker.ledger.connection.set_progress_handler(one_more, 10)
            tracker.get_summary("daily")
            steps.append(count[0])
    assert steps[1] < 1.2 * steps[0]
