"""A damaged ledger is rebuilt from what it still has, and from the logs; it is called by its right name.

Kind of fault: something is broken, and the words or the advice are of something else. Places: a file that is
truncated to nothing, cut short, overwritten, no database at all; books that no longer agree with their facts.
"""

import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from tearsheet.cli import main
from tearsheet.performance.summary import Scope
from tests.support.api import Api, fill
from tests.support.place import Place, as_rows, record

DAY = "2026-11-20"


@pytest.fixture
def ledger(place: Place, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a ledger with 400 posted fills and 400 log records."""
    place.log(DAY, *[record(order_id=str(n), net="5", account_id="L") for n in range(400)])
    Api(place).fills(*[fill(n, "SELL" if n % 2 else "BUY", 100 + n % 7) for n in range(400)])
    with place.tracker() as tracker:
        tracker.sync()
        tracker.ledger.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    monkeypatch.chdir(place.folder)
    path = place.settings().ledger_path
    assert path is not None
    return path


def pnl(place: Place, account: str) -> object:
    """The day's P&L, from a ledger that is closed again: an open one writes back what was removed beside it."""
    with place.tracker() as tracker:
        found = tracker.get_summary("daily", start=date.fromisoformat(DAY), scope=Scope(account))
        return found.value("net_pnl")


def remove_logs(ledger: Path) -> None:
    for suffix in ("-wal", "-shm"):
        ledger.with_name(ledger.name + suffix).unlink(missing_ok=True)


def test_books_that_disagree_are_rebuilt_in_place(place: Place, ledger: Path) -> None:
    with place.tracker() as tracker:
        right = as_rows(tracker)
    with closing(sqlite3.connect(ledger)) as damaged:
        damaged.execute("DELETE FROM booking WHERE rowid % 3 = 0")
        damaged.execute("UPDATE position SET gross = '7' WHERE rowid % 5 = 0")
        damaged.commit()
    assert main(["verify"]) == 65
    assert main(["verify", "--repair", "--by", "kim"]) == 0
    with place.tracker() as tracker:
        assert as_rows(tracker) == right


@pytest.mark.parametrize("harm", ["empty", "no database"])
def test_a_file_without_content_is_rebuilt_from_the_logs(
    place: Place, ledger: Path, harm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logged = pnl(place, "L")
    remove_logs(ledger)
    ledger.write_bytes(b"" if harm == "empty" else b"no database" * 1000)
    assert main(["summary"]) == 75
    error = capsys.readouterr().err
    assert ("is empty: its file was truncated" if harm == "empty" else "is not a SQLite database") in error
    assert "verify --repair" in error
    assert "locked" not in error
    assert main(["verify", "--repair", "--by", "kim"]) == 0
    said = capsys.readouterr().out
    assert f"{ledger.name}.damaged-" in said
    assert "fill" in said
    assert pnl(place, "L") == logged
    with place.tracker() as tracker:
        assert not tracker.verify().differences
        rows = tracker.ledger.connection.execute("SELECT * FROM setting_change").fetchall()
    assert any("kim" in row and "repair" in row for row in rows)


def test_pages_that_are_overwritten_cost_only_what_they_held(
    place: Place, ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The books, and pages of indexes, are made anew; facts that can be read are all there."""
    logged, posted = pnl(place, "L"), pnl(place, "A")
    remove_logs(ledger)
    with closing(sqlite3.connect(ledger)) as connection:
        (page,) = connection.execute("PRAGMA page_size").fetchone()
        roots = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name IN ('booking', 'booking_time')"
        )
        pages = [root for (root,) in roots]
    remove_logs(ledger)
    with ledger.open("r+b") as file:
        for number in pages:
            file.seek((number - 1) * page)
            file.write(b"\xff" * page)
    assert main(["verify", "--repair", "--by", "kim"]) == 0
    assert f"{ledger.name}.damaged-" in capsys.readouterr().out
    assert (pnl(place, "L"), pnl(place, "A")) == (logged, posted)


def test_a_running_service_goes_on_with_the_repaired_ledger(place: Place, ledger: Path) -> None:
    api = Api(place)
    before = api.get(f"/api/performance/daily?account=L&date={DAY}")["data"]["daily_pnl"]
    revision = api.get("/api/performance/daily")["metadata"]["revision"]
    remove_logs(ledger)
    ledger.write_bytes(b"no database" * 1000)
    assert api.ask("GET", "/api/performance/daily").status_code == 503
    assert main(["verify", "--repair", "--by", "kim"]) == 0
    answer = api.get(f"/api/performance/daily?account=L&date={DAY}")
    assert answer["data"]["daily_pnl"] == before
    assert answer["metadata"]["revision"] > revision


def test_a_repair_needs_a_name_and_a_ledger(
    place: Place, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("USER", raising=False)
    assert main(["verify", "--repair"]) == 64
    remove_logs(ledger)
    ledger.unlink()
    assert main(["verify", "--repair", "--by", "kim"]) == 75
