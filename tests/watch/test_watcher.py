"""`tearsheet watch` follows folders: stories with real processes."""

import http.client
import json
import os
import signal
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tearsheet.app.context import LedgerContext
from tearsheet.app.imports.lost_logs import update_folders
from tearsheet.app.limits.guard_heartbeat import record_poll
from tearsheet.watch import watcher as watcher_module
from tearsheet.watch.watcher import Watcher
from tests.support.place import Place, fills_csv, record
from tests.support.postgres_server import PostgresServer
from tests.support.processes import Running, frozen, is_alive, until
from tests.support.redis_server import free_port


def today() -> str:
    """The day by the clock, asked for each time: a run may go past midnight."""
    return f"{datetime.now(UTC):%Y-%m-%d}"


def now_record(number: int, net: str = "5") -> dict[str, object]:
    """A result of this very day."""
    at = datetime.now(UTC) - timedelta(seconds=1)
    return record(order_id=f"N{number}", at=at, held=0, net=net)


def closed_today(place: Place) -> int:
    """How many results of this day the ledger has."""
    place.now = datetime.now(UTC)
    with place.tracker() as tracker:
        return len(tracker.closed_positions(tracker.window("daily")))


def revision(place: Place) -> int:
    """The ledger's revision, read beside the watcher."""
    with place.tracker() as tracker:
        return tracker.revision


def test_a_bot_appends_and_the_watcher_reads_only_that(place: Place) -> None:
    """A folder that appears later, lines one by one, half a line, a late file, a truncated one."""
    with Running(place, "watch") as watch:
        watch.waits_for("watch.begin")
        place.log(today(), now_record(1))
        watch.waits_for("watch.logs", records=1, revision=1)
        place.log(today(), now_record(2), now_record(3), mode="a")
        watch.waits_for("watch.logs", records=2, revision=2)

        line = json.dumps(now_record(4)) + "\n"
        with (place.folder / "logs" / f"{today()}.jsonl").open("a") as file:
            file.write(line[:100])
            file.flush()
            place.log("2026-01-05", record(order_id="late"))
            watch.waits_for("watch.logs", files=2, records=1)
            file.write(line[100:])
        watch.waits_for("watch.logs", files=1, records=1, revision=4)
        assert not [found for found in watch.lines("watch.logs") if found["rejected"]]

        place.log(today(), now_record(9))  # rotated: begun anew, shorter
        until(lambda: len(watch.lines("watch.logs")) >= 5, why=lambda: watch.said)
        assert watch.end() == 0
        watch.waits_for("watch.end")
    assert closed_today(place) == 5  # what the file no longer says stays


def test_statements_are_taken_in_when_they_are_whole(place: Place) -> None:
    inbox = place.folder / "inbox"
    inbox.mkdir()
    with Running(place, "watch", "--statements", "inbox") as watch:
        watch.waits_for("watch.begin")
        text = fills_csv(
            f"A,MSFT,2026-11-1{n}T15:00:00Z,{side},1,100,0,F{n}"
            for n, side in enumerate(["BUY", "SELL", "BUY", "SELL"])
        )
        (inbox / "unfinished.csv.part").write_text(text)
        (inbox / "nothing.csv").write_text("what,is,this\n1,2,3\n")
        with (inbox / "fills.csv").open("w") as file:
            for line in text.splitlines(keepends=True):  # slowly, as a download comes
                file.write(line)
                file.flush()
                time.sleep(0.3)
        read = watch.waits_for("watch.statement")
        assert (read["new"], read["tie_out"]) == (4, None)
        assert "nothing.csv" in watch.waits_for("watch.refused")["file"]
        (inbox / "again.csv").write_text(text)
        watch.waits_for("watch.statement", repeated=True)
        assert len(watch.lines("watch.statement")) == 2
        assert len(watch.lines("watch.refused")) == 1  # told once, not at each look
        assert watch.end(signal.SIGINT) == 0


def test_a_folder_that_goes_while_it_is_looked_at_and_returns_is_in_no_doubt(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = place.folder / "inbox"
    folder.mkdir()
    watcher = Watcher(place.settings(), lambda event: None, [folder])

    def doubts() -> list[Any]:
        with place.tracker() as tracker:
            return tracker.ledger.connection.execute("SELECT code FROM doubt").fetchall()

    def update_without_it(context: LedgerContext, folders: Sequence[Path]) -> set[Path]:
        folder.rename(place.folder / "away")
        lost = update_folders(context, folders)
        (place.folder / "away").rename(folder)
        return lost

    with monkeypatch.context() as patch:
        patch.setattr(watcher_module, "update_folders", update_without_it)
        watcher._run_once()
    assert doubts() == [("source_gone",)]
    watcher._run_once()
    assert doubts() == []
    watcher._close()


def test_alerts_are_raised_as_the_lines_come(place: Place) -> None:
    place.targets(win_rate_target=60)
    with Running(place, "watch", TEARSHEET_ALERT_MIN_SAMPLE="1") as watch:
        watch.waits_for("watch.begin")
        place.log(today(), now_record(1, "-80"))
        assert watch.waits_for("watch.alert", state="raised")["rule"]
        place.log(today(), now_record(2), now_record(3), now_record(4), mode="a")
        watch.waits_for("watch.alert", state="resolved")

        place.targets(win_rate_target="much")
        place.log(today(), now_record(5), mode="a")
        trouble = watch.waits_for("watch.trouble", part="alerts")
        assert "dashboard-targets.yaml" in trouble["reason"]
        place.log(today(), now_record(6), mode="a")
        until(lambda: len(watch.lines("watch.logs")) == 4, why=lambda: watch.said)
        place.targets(win_rate_target=60)
        place.log(today(), now_record(7), mode="a")
        watch.waits_for("watch.over", part="alerts")
        assert len(watch.lines("watch.trouble")) == 1


def test_a_day_that_ended_is_judged_although_nothing_is_written_any_more(place: Place) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    place.targets(daily_pl_target=50)
    place.log(f"{yesterday:%Y-%m-%d}", record(at=yesterday, held=0, net="-80", order_id="1"))
    with Running(place, "watch") as watch:
        alert = watch.waits_for("watch.alert", state="raised", window="daily")
        assert "-80" in alert["words"]


def test_one_acts_and_another_takes_over_when_it_is_killed(place: Place) -> None:
    place.log(today(), now_record(1))
    with Running(place, "watch") as first:
        first.waits_for("watch.logs", records=1)
        with Running(place, "watch") as second:
            assert second.waits_for("watch.standby")["holder"] == first.process.pid
            place.log(today(), now_record(2), mode="a")
            first.waits_for("watch.logs", revision=2)
            assert not second.lines("watch.logs")
            assert first.end(signal.SIGKILL) == -signal.SIGKILL
            place.log(today(), now_record(3), mode="a")
            second.waits_for("watch.begin")
            second.waits_for("watch.logs", revision=3, records=1)
            assert second.end() == 0


def test_one_acts_on_a_ledger_in_postgresql_too(postgres: PostgresServer, tmp_path: Path) -> None:
    place = Place(tmp_path, {"DATABASE_URL": postgres.database()})
    place.log(today(), now_record(1))
    with Running(place, "watch") as first:
        first.waits_for("watch.logs", records=1)
        with Running(place, "watch") as second:
            assert second.waits_for("watch.standby")["holder"] == first.process.pid
            first.end(signal.SIGKILL)
            place.log(today(), now_record(2), mode="a")
            second.waits_for("watch.logs", revision=2, records=1)
            postgres.stop(signal.SIGQUIT)
            try:
                assert second.waits_for("watch.trouble", part="ledger")["code"] == "store_unavailable"
            finally:
                postgres.start()
            place.log(today(), now_record(3), mode="a")
            second.waits_for("watch.logs", revision=3, records=1)
            second.waits_for("watch.over", part="ledger")
            assert len(second.lines("watch.trouble")) == 1
            assert second.end() == 0


@contextmanager
def frozen_outside_a_write(running: Running, place: Place) -> Iterator[sqlite3.Connection]:
    """Freeze a process that does not hold the ledger's lock; yield a connection that does."""
    with closing(sqlite3.connect(place.settings().ledger_path or "", timeout=0.1)) as ledger:
        while True:
            with frozen(running.process):
                try:
                    ledger.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError:  # it was stopped in the middle of a write
                    continue
                yield ledger
                break


def test_one_that_waits_reads_the_folders_that_the_other_does_not(place: Place) -> None:
    """Kind: what only one process reads goes unread because another one acts."""
    drop = place.folder / "drop"
    drop.mkdir()
    with Running(place, "watch") as first:
        first.waits_for("watch.begin")
        with Running(place, "watch", "--statements", str(drop)) as second:
            second.waits_for("watch.standby")
            place.write("drop/a.csv", fills_csv(["A,MSFT,2026-11-20T14:00:00Z,buy,1,100,0,F1"]))
            assert second.waits_for("watch.statement")["new"] == 1


def test_one_that_ends_in_order_is_followed_too_and_one_that_slept_sees_it(place: Place) -> None:
    with Running(place, "watch") as first, Running(place, "watch") as second:
        until(lambda: first.lines() and second.lines())
        acting, waiting = (first, second) if first.lines("watch.begin") else (second, first)
        with frozen_outside_a_write(acting, place) as ledger:
            # its process is there, so the lease must run out; shortened here as time would do it
            (held,) = ledger.execute("SELECT value FROM meta WHERE key = 'watcher'").fetchone()
            over = json.dumps(json.loads(held) | {"until": 1.0})
            ledger.execute("UPDATE meta SET value = ? WHERE key = 'watcher'", (over,))
            ledger.commit()
            waiting.waits_for("watch.begin")
        acting.waits_for("watch.standby")
        assert waiting.end() == 0
        until(lambda: len(acting.lines("watch.begin")) == 2, why=lambda: acting.said)


def test_killed_in_the_middle_nothing_is_lost_and_nothing_doubled(place: Place) -> None:
    for turn in range(4):
        place.log(today(), *[now_record(turn * 500 + n) for n in range(500)], mode="a")
        with Running(place, "watch") as watch:
            watch.waits_for("watch.begin")
            watch.end(signal.SIGKILL)
    with Running(place, "watch") as watch:
        until(lambda: revision(place) and watch.lines("watch.begin"), why=lambda: watch.said)
        assert watch.end() == 0
    assert closed_today(place) == 2000


def test_a_store_that_fails_is_told_once_and_tried_again(place: Place) -> None:
    place.log(today(), now_record(1))
    with Running(place, "watch") as watch:
        watch.waits_for("watch.logs", records=1)
        ledger = place.settings().ledger_path
        assert ledger is not None
        holder = sqlite3.connect(ledger, isolation_level=None)
        assert watch.end() == 0
        holder.close()
    damaged = ledger.read_bytes()
    for beside in ledger.parent.glob(f"{ledger.name}-*"):
        beside.unlink()
    ledger.write_bytes(b"no database at all, and long enough to be looked at" * 100)
    with Running(place, "watch") as watch:
        assert "not a SQLite database" in watch.waits_for("watch.trouble", part="ledger")["reason"]
        place.write("kept", damaged).replace(ledger)
        watch.waits_for("watch.over", part="ledger")
        assert len(watch.lines("watch.trouble")) == 1
        place.log(today(), now_record(2), mode="a")
        watch.waits_for("watch.logs", records=1)


def served(place: Place, port: int, path: str) -> dict[str, Any]:
    """The JSON of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        return dict(json.loads(connection.getresponse().read()))
    finally:
        connection.close()


def test_limits_are_held_and_a_missing_guard_is_told(place: Place) -> None:
    place.write("config/dashboard-targets.yaml", "limits:\n  default: {daily_loss: 100, stale_after: null}\n")
    place.log(today(), now_record(1, "-10"))
    place.now = datetime.now(UTC) - timedelta(hours=1)
    with place.tracker() as tracker:
        record_poll(tracker, "EQ-1", 1.0)
    with Running(place, "watch", TEARSHEET_GUARD_ABSENT_MINUTES="30") as watch:
        assert watch.waits_for("watch.absent", account="EQ-1")["minutes"] == 60
        place.log(today(), now_record(2, "-100"), mode="a")
        assert watch.waits_for("watch.verdict", state="breach")["must_be_flat"] is True
        assert len(watch.lines("watch.absent")) == 1


def test_serve_watches_beside_its_workers_and_leaves_nobody_behind(place: Place) -> None:
    """Started again when it dies, ended with the server, also when that is killed."""
    port = free_port()
    words = ("serve", "--port", str(port), "--watch")
    quick = {"TEARSHEET_SYNC_EVERY_S": "3600", "TEARSHEET_LOG_FORMAT": "json"}
    with Running(place, *words, **quick) as server:
        first = server.waits_for("tearsheet.companion")["pid"]
        server.waits_for("watch.begin")
        place.log(today(), now_record(1))
        server.waits_for("watch.logs", revision=1)
        # the workers look at the folder once in an hour only, so this came by the watcher
        assert served(place, port, "/api/performance/daily")["data"]["total_trades"] == 1
        os.kill(first, signal.SIGKILL)
        server.waits_for("tearsheet.companion_died")
        until(lambda: len(server.lines("watch.begin")) == 2, why=lambda: server.said)
        place.log(today(), now_record(2), mode="a")
        server.waits_for("watch.logs", revision=2)
        assert served(place, port, "/api/performance/daily")["data"]["total_trades"] == 2
        second = server.lines("tearsheet.companion")[-1]["pid"]
        assert server.end() == 0
        assert not is_alive(second)
        assert server.lines("watch.end")
    with Running(place, *words, **quick) as server:
        third = server.waits_for("tearsheet.companion")["pid"]
        server.waits_for("watch.begin")
        assert served(place, port, "/api/performance/daily")["status"] == "success"
        pids = {third, *(line["pid"] for line in server.lines("tearsheet.request"))}
        assert len(pids) >= 2
        server.end(signal.SIGKILL)
        until(lambda: not any(is_alive(pid) for pid in pids))


def test_statements_are_for_a_watcher(place: Place) -> None:
    with Running(place, "serve", "--statements", "inbox") as server:
        assert server.process.wait(60) == 64
        assert "--watch" in server.said
