"""A ledger has an identity: who has known it never creates one in its place, nor answers from another one.

Kind of fault: a known thing vanishes, and what is there instead (nothing, an empty one, another one, an older
one) answers for it. Places: service, command line, watcher, SQLite file, its folder, its write-ahead log, an
older copy, and in PostgreSQL a dropped, emptied or replaced database.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from tearsheet.cli import main
from tearsheet.errors import LedgerGoneError, OtherLedgerError
from tests.support.api import Api, fill
from tests.support.place import NOON, Place, fills_csv
from tests.support.postgres_server import PostgresServer
from tests.support.processes import environment
from tests.support.web_server import Server

LIMITS = "limits:\n  default: {daily_loss: 500, stale_after: null}\n"
PATHS = (
    "/api/performance/daily",
    "/api/performance/summary",
    "/api/risk/verdict",
    "/api/risk/verdict?account=A",
    "/api/fills",
    "/api/positions",
    "/readyz",
    "/api/performance/health",
)


@pytest.fixture
def api(place: Place) -> Api:
    """A service with a loss of 410 today and a limit of 500."""
    place.write("config/dashboard-targets.yaml", LIMITS)
    api = Api(place)
    api.fills(fill(1, price=1000), fill(2, "SELL", 590))
    place.now = NOON + timedelta(minutes=5)
    assert api.get("/api/performance/daily")["data"]["daily_pnl"] == -410
    return api


def ledger_files(place: Place, *suffixes: str) -> list[Path]:
    path = place.settings().ledger_path
    assert path is not None
    return [path.with_name(path.name + suffix) for suffix in suffixes]


def remove_ledger(place: Place) -> None:
    for path in ledger_files(place, "", "-wal", "-shm"):
        path.unlink(missing_ok=True)


def remove_folder(place: Place) -> None:
    (path,) = ledger_files(place, "")
    shutil.rmtree(path.parent)


def no_answer(api: Api, code: str) -> None:
    """No path says a number; readiness names the code."""
    for path in PATHS:
        response = api.ask("GET", path)
        assert response.status_code == 503, (path, response.text)
    assert json.loads(api.ask("GET", "/readyz").text)["checks"]["store"]["detail"] == code
    assert json.loads(api.ask("GET", "/api/risk/verdict").text)["error"]["type"] == code
    api.fills(fill(3, price=100), status=503)
    assert api.ask("GET", "/healthz").status_code == 200
    assert "tearsheet_verdict_state" not in api.ask("GET", "/metrics").text


@pytest.mark.parametrize("remove", [remove_ledger, remove_folder])
def test_a_ledger_that_is_gone_is_not_made_anew(
    place: Place,
    api: Api,
    remove: object,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The service, one started later and every command refuse; a fill is not acknowledged meanwhile."""
    kept = [(path, path.read_bytes()) for path in ledger_files(place, "", "-wal", "-shm") if path.exists()]
    assert callable(remove)
    remove(place)
    no_answer(api, "ledger_gone")
    no_answer(Api(place), "ledger_gone")
    monkeypatch.chdir(place.folder)
    for command in ("check", "summary", "verdict", "sync", "verify", "accounts", "calendar"):
        assert main([command]) == 75, command
        assert "is gone" in capsys.readouterr().err
    place.write("more.csv", fills_csv(["A,X,2026-11-20T11:00:00Z,BUY,1,1,0,1"]))
    assert main(["import", "more.csv"]) == 75
    assert not any(path.exists() for path, _ in kept)
    for path, data in kept:  # mounted again
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    assert api.get("/api/performance/daily")["data"]["daily_pnl"] == -410
    assert main(["summary"]) == 0


def test_another_ledger_in_its_place_answers_nothing(place: Place, api: Api) -> None:
    other = Place(place.folder / "other", {})
    Api(other).fills(fill(7, price=5), fill(8, "SELL", 6))
    other.trackers.clear()
    remove_folder(place)
    (path,) = ledger_files(place, "")
    shutil.copytree(other.folder / "logs" / "performance", path.parent)
    no_answer(api, "other_ledger")
    with pytest.raises(OtherLedgerError, match="another ledger is in the place"):
        place.tracker()


def test_an_older_copy_answers_nothing(place: Place, api: Api) -> None:
    """It lacks what was acknowledged since; its file alone was restored, or the folder with its note."""
    with place.tracker() as tracker:
        tracker.ledger.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    (path,) = ledger_files(place, "")
    shutil.copytree(path.parent, place.folder / "backup")
    api.fills(fill(3, price=100), fill(4, "SELL", 10))
    assert api.get("/api/performance/daily")["data"]["daily_pnl"] == -500
    remove_folder(place)
    shutil.copytree(place.folder / "backup", path.parent)
    no_answer(api, "other_ledger")


def test_an_operator_begins_anew_and_running_services_follow(
    place: Place, api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    remove_ledger(place)
    no_answer(api, "ledger_gone")
    monkeypatch.chdir(place.folder)
    monkeypatch.delenv("USER", raising=False)
    assert main(["sources", "forget", "ledger"]) == 64  # by whom?
    assert main(["sources", "forget", "ledger", "--by", "kim"]) == 0
    assert "kim" in capsys.readouterr().out
    assert main(["sources", "forget", "nothing", "--by", "kim"]) == 64
    assert api.get("/api/performance/daily")["data"]["daily_pnl"] == 0
    api.fills(fill(3, price=100), fill(4, "SELL", 90))
    assert api.get("/api/performance/daily")["data"]["daily_pnl"] == -10
    with place.tracker() as tracker:
        changes = tracker.ledger.connection.execute("SELECT * FROM setting_change").fetchall()
    assert any("kim" in row and "ledger" in row for row in changes)


def test_a_removed_write_ahead_log_loses_nothing_and_workers_agree(place: Place) -> None:
    """A process that has it open writes it into the file; until then nobody answers from the file alone."""
    with Server(place, workers=2) as server:
        lost = 0

        def answers() -> set[int]:
            """What is said until ten answers in a row are numbers; before, a worker may say 503."""
            said: list[int] = []
            row = 0
            for _ in range(500):
                status, body = server.get("/api/performance/daily")
                assert status in (200, 503), body
                row = row + 1 if status == 200 else 0
                said += [body["data"]["daily_pnl"]] if status == 200 else []
                if row == 10:
                    break
            assert row == 10
            return set(said)

        for number in range(1, 7, 2):
            loss = 100 * number
            pair = [fill(number, price=1000), fill(number + 1, "SELL", 1000 - loss)]
            assert server.post("/api/fills", pair)[0] == 201
            lost -= loss
            for path in ledger_files(place, "-wal", "-shm"):
                path.unlink()
            command = [sys.executable, "-c", "from tearsheet.cli import run; run()", "accounts"]
            asked = subprocess.run(
                command, cwd=place.folder, env=environment({}), capture_output=True, text=True
            )
            assert asked.returncode == 75, asked.stdout + asked.stderr
            assert "older state" in asked.stderr or "is gone" in asked.stderr
            assert answers() == {lost}
    with place.tracker() as tracker:
        assert not tracker.verify().differences


def test_the_first_use_makes_a_ledger_and_notes_it(place: Place) -> None:
    with place.tracker() as tracker:
        identity = tracker.ledger.identity
        assert len(identity) == 32
    with place.tracker() as tracker:
        assert tracker.ledger.identity == identity
    assert identity in (place.folder / "config" / "known-ledgers.json").read_text()


def test_a_folder_of_settings_that_cannot_be_written_is_no_obstacle(place: Place) -> None:
    """The note then is in the folder of the alerts file."""
    (place.folder / "config" / "known-ledgers.json").mkdir(parents=True)
    with place.tracker():
        pass
    assert (place.folder / "logs" / "known-ledgers.json").exists()
    remove_folder(place)
    with pytest.raises(LedgerGoneError):
        place.tracker()


def test_a_truncated_ledger_is_said_to_be_empty(place: Place, api: Api) -> None:
    (path,) = ledger_files(place, "")
    remove_ledger(place)
    path.write_bytes(b"")
    with pytest.raises(LedgerGoneError, match="is empty: its file was truncated"):
        place.tracker()


@pytest.fixture
def postgres_place(tmp_path: Path, postgres: PostgresServer) -> Iterator[Place]:
    """A place whose ledger is in PostgreSQL."""
    url = postgres.database()
    yield (found := Place(tmp_path, {"DATABASE_URL": url}))
    for tracker in found.trackers:
        tracker.close()
    postgres.drop(url)


@pytest.mark.parametrize("statement", ["DROP SCHEMA tearsheet CASCADE", "another"])
def test_a_database_that_was_emptied_or_replaced_answers_nothing(
    postgres_place: Place, statement: str
) -> None:
    place = postgres_place
    api = Api(place)
    api.fills(fill(1, price=1000), fill(2, "SELL", 590))
    with psycopg.connect(place.env["DATABASE_URL"], autocommit=True) as admin:
        if statement == "another":
            admin.execute("UPDATE tearsheet.meta SET value = 'x' WHERE key = 'identity'")
        else:
            admin.execute(statement.encode())
    for one in (api, Api(place)):
        assert one.ask("GET", "/api/performance/daily").status_code == 503
        assert one.ask("GET", "/readyz").status_code == 503
        one.fills(fill(3, price=100), status=503)
    with pytest.raises((LedgerGoneError, OtherLedgerError)):
        place.tracker()


def test_no_ledger_is_made_where_that_is_said(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A container whose volume is not mounted has no note either; it says so instead of beginning anew."""
    monkeypatch.setenv("TEARSHEET_CREATE_LEDGER", "no")
    monkeypatch.chdir(place.folder)
    api = Api(place, TEARSHEET_CREATE_LEDGER="no")
    assert main(["summary"]) == 75
    assert "is gone" in capsys.readouterr().err
    assert api.ask("GET", "/readyz").status_code == 503
    assert main(["sources", "accept", "ledger", "--by", "kim"]) == 0
    assert main(["summary"]) == 0
    assert api.ask("GET", "/readyz").status_code == 200
