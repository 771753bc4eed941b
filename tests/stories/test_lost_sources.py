"""Known things do not vanish in silence: what is gone makes what needs it partial, until somebody decides.

Kind of fault: what was read is taken back because its source changed or is missing, and nothing says so. Places:
a log that is rotated, truncated, started anew, rewritten, unreadable or removed; the log folder, missing, empty
or not to be listed; the files of targets, limits and instruments; a folder of dropped statements; a path that is
named and never existed; another working directory.
"""

import gzip
import json
import os
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tearsheet.app.config.source_decisions import decide
from tearsheet.cli import main
from tearsheet.settings import Settings
from tearsheet.web import create_app
from tearsheet.web.http.auth import Tokens
from tests.support.api import Api, fill
from tests.support.place import NOON, Place, opened, record
from tests.support.processes import Running, until

pytestmark = pytest.mark.both_databases

TODAY, YESTERDAY = "2026-11-20", "2026-11-19"
LIMITS = "limits:\n  default: {daily_loss: 500, stale_after: null}\n"


@pytest.fixture
def api(place: Place) -> Api:
    """A service that has read a loss of 400 of A today, one of 50 of A yesterday, and fills of P by post."""
    place.write("config/dashboard-targets.yaml", LIMITS)
    place.now = NOON + timedelta(minutes=30)
    place.log(YESTERDAY, trade("0", "-50", days=1))
    place.log(TODAY, trade("1", "-400"))
    api = Api(place, TEARSHEET_SYNC_EVERY_S="0")
    posted = [fill(1, account="P"), fill(2, "SELL", 95, account="P")]
    api.fills(*posted)
    assert state(api) == (-400, False, [], "warn")
    return api


def trade(number: str, net: str, days: int = 0, **more: Any) -> dict[str, Any]:
    at = NOON - timedelta(days=days, minutes=60)
    return record(order_id=number, net=net, at=at, **{"account_id": "A", **more})


def state(api: Api, account: str = "A", day: str = TODAY) -> tuple[Any, bool, list[str], str]:
    """Result of a day, whether it is partial and why, and the verdict."""
    answer = api.get(f"/api/performance/daily?account={account}&date={day}")
    verdict = api.get(f"/api/risk/verdict?account={account}")["data"]["state"]
    return answer["data"]["daily_pnl"], answer["metadata"]["partial"], codes(answer), verdict


def codes(answer: Any) -> list[str]:
    return [reason["code"] for reason in answer["metadata"]["partial_reasons"]]


def log_file(place: Place, day: str = TODAY) -> Path:
    return place.folder / "logs" / f"{day}.jsonl"


def rotate(place: Place) -> None:
    """By rename, and a new file."""
    log_file(place).rename(log_file(place).with_suffix(".jsonl.1"))
    place.log(TODAY, trade("2", "-200"))


def rotate_seen(place: Place) -> None:
    """By rename; the folder is looked at before the new file is there."""
    log_file(place).rename(log_file(place).with_suffix(".jsonl.1"))
    with place.tracker() as tracker:
        tracker.sync()
    place.log(TODAY, trade("2", "-200"))


def copytruncate(place: Place) -> None:
    """By a copy; the file itself is truncated and written on."""
    shutil.copy(log_file(place), log_file(place).with_suffix(".copy"))
    os.truncate(log_file(place), 0)
    place.log(TODAY, trade("2", "-200"), mode="a")


def restart(place: Place) -> None:
    """The bot starts again and opens its log with mode "w"."""
    place.log(TODAY, trade("2", "-200"))


@pytest.mark.parametrize("change", [rotate, rotate_seen, copytruncate, restart])
def test_records_that_vanish_stay_booked_and_in_doubt(place: Place, api: Api, change: Any) -> None:
    change(place)
    assert state(api) == (-600, True, ["records_vanished"], "breach")
    assert state(api, "P") == (-5, False, [], "ok")
    assert state(api, day=YESTERDAY)[:3] == (-50, False, [])
    with place.tracker() as tracker:
        assert not tracker.verify().differences
        assert not tracker.sync().changed


def test_a_doubt_below_the_limit_makes_the_verdict_unknown_until_it_is_decided(
    place: Place, api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place.log(TODAY, trade("2", "-20"))
    assert state(api) == (-420, True, ["records_vanished"], "unknown")
    shell(place, monkeypatch)
    assert main(["sources"]) == 0
    assert "records_vanished" in capsys.readouterr().out
    assert main(["sources", "keep", f"{YESTERDAY}.jsonl", "--by", "kim"]) == 64
    assert main(["sources", "keep", f"{TODAY}.jsonl", "--by", "kim"]) == 0
    assert state(api) == (-420, False, [], "warn")
    assert main(["sources"]) == 0
    assert "Nothing is in doubt." in capsys.readouterr().out
    with place.tracker() as tracker:
        changes = tracker.ledger.connection.execute("SELECT * FROM setting_change").fetchall()
        assert any("kim" in row and f"{TODAY}.jsonl" in row and "keep" in row for row in changes)
        assert not tracker.verify().differences


def test_accepting_a_rewritten_log_takes_out_what_it_no_longer_has(
    place: Place, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.log(TODAY, trade("2", "-20"))
    assert state(api)[0] == -420
    shell(place, monkeypatch)
    assert main(["sources", "accept", f"{TODAY}.jsonl", "--by", "kim"]) == 0
    assert state(api)[:3] == (-20, False, [])  # the command's clock is ahead of this one
    with place.tracker() as tracker:
        assert not tracker.verify().differences


def test_a_changed_record_of_the_same_order_supersedes_and_nothing_is_in_doubt(
    place: Place, api: Api
) -> None:
    place.log(TODAY, trade("1", "-100"), trade("2", "-20"))
    assert state(api) == (-120, False, [], "ok")


def test_records_that_come_back_end_the_doubt(place: Place, api: Api) -> None:
    place.log(TODAY, trade("2", "-20"))
    assert state(api)[2] == ["records_vanished"]
    place.log(TODAY, trade("1", "-400"), trade("2", "-20"))
    assert state(api) == (-420, False, [], "warn")
    place.log(TODAY, trade("3", "-1"))
    place.log(TODAY, trade("4", "-2"))
    assert state(api) == (-422, True, ["records_vanished"], "unknown")
    with place.tracker() as tracker:
        assert not tracker.verify().differences


def test_records_that_vanish_again_and_again_all_stay(place: Place, api: Api) -> None:
    for number in range(2, 5):
        place.log(TODAY, trade(str(number), "-10"))
        assert state(api) == (-400 - 10 * (number - 1), True, ["records_vanished"], "unknown")
    with place.tracker() as tracker:
        assert not tracker.verify().differences


def test_a_file_that_is_gone_is_a_doubt_of_its_day_until_it_is_back(place: Place, api: Api) -> None:
    kept = log_file(place).read_bytes()
    log_file(place).unlink()
    assert state(api) == (-400, True, ["source_gone"], "unknown")
    assert state(api, day=YESTERDAY)[:3] == (-50, False, [])
    assert state(api, "P") == (-5, False, [], "ok")
    log_file(place).write_bytes(kept)
    assert state(api) == (-400, False, [], "warn")


def test_a_file_of_a_finished_day_does_not_touch_today(place: Place, api: Api) -> None:
    log_file(place, YESTERDAY).unlink()
    assert state(api) == (-400, False, [], "warn")
    assert state(api, day=YESTERDAY)[:3] == (-50, True, ["source_gone"])
    assert codes(api.get("/api/performance/weekly?account=A")) == ["source_gone"]


def test_archiving_is_normal_once_said(place: Place, api: Api) -> None:
    log_file(place, YESTERDAY).unlink()
    assert state(api, day=YESTERDAY)[1]
    archiving = Api(place, TEARSHEET_SYNC_EVERY_S="0", TEARSHEET_ARCHIVE_LOGS="yes")
    assert state(archiving, day=YESTERDAY)[:3] == (-50, False, [])
    with place.tracker() as tracker:  # states nothing, and does as the ledger knows
        assert not tracker.sync().changed
    assert state(api, day=YESTERDAY)[:3] == (-50, False, [])
    log_file(place).unlink()  # today's is not finished
    assert state(archiving) == (-400, True, ["source_gone"], "unknown")


def empty(place: Place) -> None:
    for path in (place.folder / "logs").glob("*.jsonl"):
        path.unlink()


def remove(place: Place) -> None:
    """The folder, while the ledger is elsewhere."""
    shutil.rmtree(place.folder / "logs")


@pytest.mark.parametrize("loss", [empty, remove])
def test_a_log_folder_that_is_empty_or_gone_is_a_doubt_from_its_last_day_on(
    place: Place, loss: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.write("config/dashboard-targets.yaml", LIMITS)
    if "DATABASE_URL" not in place.env:
        place.env["DATABASE_URL"] = "elsewhere/tearsheet.db"
    place.env["TEARSHEET_ALERTS_FILE"] = "elsewhere/alerts.jsonl"
    place.log(YESTERDAY, trade("0", "-50", days=1))
    api = Api(place, TEARSHEET_SYNC_EVERY_S="0")
    assert state(api, day=YESTERDAY)[:3] == (-50, False, [])
    loss(place)
    assert state(api, day=YESTERDAY)[:3] == (-50, True, ["source_gone"])
    assert state(api) == (0, True, ["source_gone"], "unknown")
    shell(place, monkeypatch)
    assert main(["sources", "keep", "logs", "--by", "kim"]) == 0
    assert state(api)[:3] == (0, False, [])
    place.log(TODAY, trade("1", "-400"))
    assert state(api)[:3] == (-400, False, [])


def test_a_file_that_cannot_be_read_any_more_keeps_its_records(place: Place, api: Api) -> None:
    kept = log_file(place).read_bytes()
    log_file(place).unlink()
    log_file(place).mkdir()
    assert state(api)[:2] == (-400, True)
    assert state(api)[3] == "unknown"
    log_file(place).rmdir()
    log_file(place).write_bytes(kept)
    assert state(api) == (-400, False, [], "warn")


def test_a_folder_that_never_was_is_the_first_use(place: Place) -> None:
    api = Api(place)
    assert codes(api.get("/api/performance/daily")) == []


def shell(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The place's folder and environment for `main`."""
    monkeypatch.chdir(place.folder)
    for name, value in place.env.items():
        monkeypatch.setenv(name, value)


NAMED = {
    "log_dir": "TEARSHEET_LOG_DIR",
    "targets_file": "TEARSHEET_TARGETS_FILE",
    "instruments_file": "TEARSHEET_INSTRUMENTS_FILE",
    "layouts_dir": "TEARSHEET_LAYOUTS",
}


@pytest.mark.parametrize("key", NAMED)
def test_a_named_path_that_never_existed_is_an_error_of_the_settings(
    place: Place, key: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shell(place, monkeypatch)
    assert main(["summary"]) == 0
    monkeypatch.setenv(NAMED[key], "nope/there")
    for command in ("summary", "check", "verdict", "sync", "watch", "serve --port 0"):
        assert main(command.split()) == 65, command
        error = capsys.readouterr().err
        assert NAMED[key] in error
        assert "nope/there, which does not exist" in error
    api = Api(place, **{NAMED[key]: "nope/there"})
    assert api.ask("GET", "/api/performance/daily").status_code == 503
    assert api.ask("GET", "/readyz").status_code == 503
    monkeypatch.delenv(NAMED[key])
    place.write("config/tearsheet.toml", f'{key} = "nope/there"\n')
    assert main(["summary"]) == 65
    assert f"tearsheet.toml: {key} names" in capsys.readouterr().err


def test_a_statements_folder_that_never_existed_is_refused(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shell(place, monkeypatch)
    for command in (["watch"], ["serve", "--port", "0", "--watch"]):
        assert main([*command, "--statements", "nope"]) == 65
        assert "nope, which does not exist" in capsys.readouterr().err


def test_limits_whose_file_is_gone_go_on_and_are_unknown(
    place: Place, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = place.folder / "config" / "dashboard-targets.yaml"
    kept = path.read_bytes()
    path.unlink()
    for one in (api, Api(place, TEARSHEET_SYNC_EVERY_S="0")):
        assert state(one)[1:] == (True, ["source_gone"], "unknown")
        limits = one.get("/api/risk/verdict?account=A")["data"]["limits"]
        assert [(limit["name"], limit["threshold"]) for limit in limits] == [("daily_loss", 500)]
    shell(place, monkeypatch)
    monkeypatch.setenv("TEARSHEET_TARGETS_FILE", "config/dashboard-targets.yaml")  # named, known, gone
    assert main(["verdict"]) == 75
    path.write_bytes(kept)
    assert state(api) == (-400, False, [], "warn")
    path.unlink()
    assert main(["sources", "keep", "targets", "--by", "kim"]) == 0
    assert state(api) == (-400, False, [], "warn")


def test_limits_given_up_are_no_limits(place: Place, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    (place.folder / "config" / "dashboard-targets.yaml").unlink()
    shell(place, monkeypatch)
    assert main(["sources", "accept", "targets", "--by", "kim"]) == 0
    assert state(api)[:3] == (-400, False, [])
    assert api.get("/api/risk/verdict?account=A")["data"]["limits"] == []


def test_targets_whose_file_is_gone_are_not_evaluated(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missed target does not become a healthy summary, nor is its alert resolved."""
    path = place.targets(daily_pl_target=-100)
    monkeypatch.setenv("TEARSHEET_ALERTS_FILE", "alerts.jsonl")
    shell(place, monkeypatch)
    place.log(TODAY, trade("1", "-400"))
    window = ["--window", "daily", "--start", TODAY]
    assert main(["check", *window]) == 2
    path.unlink()
    assert main(["check", *window]) == 75
    assert "no target is evaluated" in capsys.readouterr().out
    assert (place.folder / "alerts.jsonl").read_text().count('"state":"resolved"') == 0
    api = Api(place)
    answer = api.get(f"/api/performance/daily?date={TODAY}")
    assert (answer["data"]["state"], codes(answer)) == ("partial", ["source_gone"])


NEAR = (
    "20261120.jsonl",
    "2026-11-20.JSONL",
    "2026_11_20.jsonl",
    "2026-11-20.json",
    "2026-11-20.jsonl.1",
    "2026-11-20.jsonl.gz",
    "2026-11-20-bot.jsonl",
    "trades-2026-11-20.jsonl",
    "2026-11-20.log",
    "2026-11-31.jsonl",
    "2026-11-2.jsonl",
    "20-11-2026.jsonl",
    "2026-11-20 (1).jsonl",
    "trades.jsonl",
    ".jsonl.1",
    "bot/2026-11-20.jsonl",
    "bot/a/trades.ndjson",
)


@pytest.mark.sqlite
@pytest.mark.parametrize("name", NEAR)
def test_a_file_that_is_named_nearly_like_a_log_is_said(
    place: Place, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kind: what is not read is passed over in silence.

    Places: other spellings of date and ending, dates day first and without zeros, no date, packed and rotated copies, files
    in subfolders, which are one doubt together.
    """
    place.log(YESTERDAY, trade("0", "-50", days=1))
    api = Api(place, TEARSHEET_SYNC_EVERY_S="0")
    day = "2026-11-02" if name == "2026-11-2.jsonl" else TODAY
    path = f"/api/performance/daily?account=A&date={day}"
    assert codes(api.get(path)) == []
    place.write(f"logs/{name}", json.dumps(trade("1", "-400")) + "\n")
    whole_time = name in ("2026-11-31.jsonl", "trades.jsonl", ".jsonl.1", "bot/a/trades.ndjson")
    assert codes(api.get(path)) == ["unread_file"]
    assert codes(api.get("/api/performance/daily?account=A&date=2026-11-10")) == ["unread_file"] * whole_time
    assert json.loads(api.ask("GET", "/readyz").text)["checks"]["sources"]["detail"] == "unread_file"
    shell(place, monkeypatch)
    assert main(["check", "--start", day]) == 75
    assert f"{name} is not read: a log is named YYYY-MM-DD.jsonl" in capsys.readouterr().out
    assert main(["sources"]) == 0
    assert name in capsys.readouterr().out
    source = "bot/" if name.startswith("bot/") else name
    assert main(["sources", "keep", source, "--by", "kim"]) == 0
    assert codes(api.get(path)) == []
    with place.tracker() as tracker:
        assert not tracker.sync().changed


@pytest.mark.sqlite
def test_a_misnamed_log_that_is_renamed_is_read(place: Place) -> None:
    place.write(f"logs/{TODAY}.JSONL", json.dumps(trade("1", "-400")) + "\n")
    api = Api(place, TEARSHEET_SYNC_EVERY_S="0")
    assert codes(api.get(f"/api/performance/daily?date={TODAY}")) == ["unread_file"]
    (place.folder / "logs" / f"{TODAY}.JSONL").rename(log_file(place))
    assert state(api)[:3] == (-400, False, [])


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "name",
    [
        "performance-alerts.jsonl",
        "notes-2026-11-20.txt",
        "2026-11-20.jsonl.tmp",
        ".2026-11-20.jsonl.swp",
        "ticks.jsonl",
        "bot/2026-11-20.log",
        "bot/quotes-2026-11-20.json",
    ],
)
def test_other_files_beside_the_logs_are_no_matter(place: Place, name: str) -> None:
    place.log(TODAY, trade("1", "-400"))
    place.write(f"logs/{name}", '{"at": 1, "bid": 2}\n')
    assert state(Api(place))[:3] == (-400, False, [])


@pytest.mark.sqlite
def test_what_a_read_log_was_rotated_to_is_no_second_doubt(place: Place, api: Api) -> None:
    rotate(place)
    assert state(api) == (-600, True, ["records_vanished"], "breach")
    place.write("logs/2026-11-18.jsonl.gz", b"packed")  # never read
    path = "/api/performance/daily?account=A&date=2026-11-18"
    assert codes(api.get(path)) == ["unread_file"]
    archiving = Api(place, TEARSHEET_SYNC_EVERY_S="0", TEARSHEET_ARCHIVE_LOGS="yes")
    assert codes(archiving.get(path)) == ["unread_file"]


@pytest.mark.sqlite
@pytest.mark.parametrize("archives", ["yes", "no"])
@pytest.mark.parametrize("left", ["half a line", "lines"])
def test_a_file_that_leaves_before_it_was_wholly_read_is_never_explained(
    place: Place, api: Api, archives: str, left: str
) -> None:
    """Kind: that some of a file was read explains all of it.

    Places: lines or half a line appended between the last look and the rotation; an archive; a packed copy; the next
    rotation, which renames it.
    """
    text = json.dumps(trade("9", "-500"))
    with log_file(place).open("a") as file:
        file.write(text[:100] if left == "half a line" else text + "\n")
    if left == "half a line":
        assert "unfinished_line" in state(api)[2]
    rotated = log_file(place).rename(log_file(place).with_suffix(".jsonl.1"))
    place.log(TODAY, trade("2", "-200"))
    api = Api(place, TEARSHEET_SYNC_EVERY_S="0", TEARSHEET_ARCHIVE_LOGS=archives)
    with place.tracker(TEARSHEET_ARCHIVE_LOGS=archives) as tracker:
        tracker.sync()
        decide(tracker, f"{TODAY}.jsonl", "keep", "kim")
    assert state(api)[1:3] == (True, ["unread_file"])
    packed = rotated.with_name(f"{TODAY}.jsonl.2.gz")
    packed.write_bytes(gzip.compress(rotated.read_bytes()))
    rotated.unlink()
    assert state(api)[1:3] == (True, ["unread_file"])


@pytest.mark.sqlite
def test_what_was_wholly_read_is_explained_by_whatever_name(place: Place, api: Api) -> None:
    """Renamed again, packed, moved into a folder of archives: its content was read."""
    rotate(place)
    assert "unread_file" not in state(api)[2]
    first = log_file(place).with_suffix(".jsonl.1")
    second = first.rename(first.with_suffix(".2"))
    assert "unread_file" not in state(api)[2]
    (place.folder / "logs/archive").mkdir()
    (place.folder / f"logs/archive/{TODAY}.jsonl.2.gz").write_bytes(gzip.compress(second.read_bytes()))
    second.unlink()
    shutil.copy(log_file(place, YESTERDAY), place.folder / "logs/archive")
    assert "unread_file" not in state(api)[2]


@pytest.mark.sqlite
def test_half_a_line_that_is_gone_is_a_doubt(place: Place) -> None:
    """The file is truncated before its only line was whole, and written on."""
    log = place.log(TODAY)
    log.write_text(json.dumps(trade("1", "-400"))[:300])
    api = Api(place, TEARSHEET_SYNC_EVERY_S="0")
    assert codes(api.get(f"/api/performance/daily?date={TODAY}")) == ["unfinished_line"]
    log.write_text("")
    assert codes(api.get(f"/api/performance/daily?date={TODAY}")) == ["records_vanished"]
    place.log(TODAY, trade("2", "-10"), mode="a")
    assert state(api)[:3] == (-10, True, ["records_vanished"])


@pytest.mark.sqlite
def test_a_log_rotated_before_it_was_ever_read_stays_in_doubt(place: Place) -> None:
    """The service was down: its first look finds the new log and what was rotated away."""
    place.write(f"logs/{TODAY}.jsonl.1", json.dumps(trade("1", "-400")) + "\n")
    place.log(TODAY, trade("2", "-10"))
    api = Api(place, TEARSHEET_SYNC_EVERY_S="0")
    for number in range(3, 6):
        assert state(api)[1:3] == (True, ["unread_file"])
        place.log(TODAY, trade(str(number), "-1"), mode="a")
    (place.folder / "logs" / f"{TODAY}.jsonl.1").unlink()
    assert state(api)[:3] == (-13, False, [])


MSFT_50 = "MSFT: {multiplier: 50}\n"


def test_instruments_whose_file_is_gone_go_on_and_are_in_doubt_for_who_trades_them(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kind: a settings file that is gone takes the whole service down, or changes what is booked."""
    place.write("config/dashboard-targets.yaml", LIMITS)
    path = place.write("config/instruments.yaml", MSFT_50)
    api = Api(place, TEARSHEET_SYNC_EVERY_S="0")
    others = [fill(3, account="P", symbol="AAPL"), fill(4, "SELL", 95, account="P", symbol="AAPL")]
    place.now = NOON + timedelta(minutes=30)
    api.fills(fill(1, price=100), fill(2, "SELL", 99), *others)
    assert state(api) == (-50, False, [], "ok")
    kept = path.read_bytes()
    path.unlink()
    fresh = Api(place, TEARSHEET_SYNC_EVERY_S="0")  # a process that never saw the file
    for one in (api, fresh, api):
        assert state(one) == (-50, True, ["source_gone"], "unknown")
        assert state(one, "P") == (-5, False, [], "ok")
        assert state(one, day=YESTERDAY)[1:3] == (False, [])
    assert json.loads(api.ask("GET", "/readyz").text)["status"] == "degraded"
    api.fills(fill(5, price=100), fill(6, "SELL", 99))
    assert state(fresh) == (-100, True, ["source_gone"], "unknown")
    api.fills(fill(7, account="P"), fill(8, "SELL", 99, account="P"))  # now P needs it, too
    assert state(fresh, "P") == (-55, True, ["source_gone"], "unknown")
    shell(place, monkeypatch)
    assert main(["summary"]) == 75
    assert main(["sources"]) == 0
    assert "instruments.yaml is gone" in capsys.readouterr().out
    with place.tracker() as tracker:
        assert not tracker.verify().differences
    path.write_bytes(kept)
    assert state(api) == (-100, False, [], "ok")
    path.unlink()
    assert state(api)[2] == ["source_gone"]
    assert main(["sources", "keep", "instruments", "--by", "kim"]) == 0
    assert state(api) == (-100, False, [], "ok")


def test_instruments_given_up_are_those_of_the_table(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    path = place.write("config/instruments.yaml", MSFT_50)
    api = Api(place, TEARSHEET_SYNC_EVERY_S="0")
    api.fills(fill(1, price=100), fill(2, "SELL", 99))
    path.unlink()
    assert state(api)[2] == ["source_gone"]
    shell(place, monkeypatch)
    assert main(["sources", "forget", "instruments", "--by", "kim"]) == 0
    assert state(api)[:3] == (-50, False, [])  # the multiplier is stored with the fill
    api.fills(fill(3, price=100), fill(4, "SELL", 99))
    assert state(api)[:3] == (-51, False, [])
    path.write_text(MSFT_50)  # restored, it counts again
    api.fills(fill(5, price=100), fill(6, "SELL", 99))
    # fills 3 and 4 are booked by another multiplier than it states
    assert state(api)[:3] == (-101, True, ["other_multiplier"])


def test_another_instruments_file_is_refused_until_one_act_takes_it(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kind: two processes with different settings rebuild each other's books in turn."""
    path = place.write("config/instruments.yaml", MSFT_50)
    api = Api(place, TEARSHEET_SYNC_EVERY_S="0")
    api.fills(fill(1, price=100), fill(2, "SELL", 99))
    place.log(TODAY, opened(symbol="ZZZ", account_id="A", order_id="9"))
    assert state(api)[0] == -50
    with place.tracker() as tracker:
        before = tracker.revision
    other = place.write("other.yaml", "MSFT: {multiplier: 7}\n")
    shell(place, monkeypatch)
    monkeypatch.setenv("TEARSHEET_INSTRUMENTS_FILE", str(other))
    for command in ("sync", "summary", "check", "verdict"):
        assert main(command.split()) == 65, command
        assert "states other instruments than those that the books are of" in capsys.readouterr().err
    second = Api(place, TEARSHEET_SYNC_EVERY_S="0", TEARSHEET_INSTRUMENTS_FILE=str(other))
    assert second.ask("GET", "/api/performance/daily").status_code == 503
    assert second.ask("GET", "/readyz").status_code == 503
    assert state(api)[0] == -50
    with place.tracker() as tracker:
        assert tracker.revision == before
    # the same content in another place is no other file, and a process without a file uses the ledger's
    other.write_text(MSFT_50)
    assert state(second)[:3] == (-50, False, [])
    other.write_text("MSFT: {multiplier: 7}\n")  # now an edit of a file that the books are of
    second.fills(fill(3, price=100), fill(4, "SELL", 99))
    assert state(second)[:3] == (-57, True, ["other_multiplier"])
    assert api.ask("GET", "/api/performance/daily").status_code == 503
    monkeypatch.setenv("TEARSHEET_INSTRUMENTS_FILE", str(path))
    assert main(["sync"]) == 65
    assert main(["sources", "accept", "instruments", "--by", "kim"]) == 0
    assert state(api)[:3] == (-57, True, ["other_multiplier"])
    api.fills(fill(5, price=100), fill(6, "SELL", 99))
    assert state(api)[:3] == (-107, True, ["other_multiplier"])
    assert second.ask("GET", "/api/performance/daily").status_code == 503
    with place.tracker() as tracker:
        changes = tracker.ledger.connection.execute("SELECT * FROM setting_change").fetchall()
        assert any("kim" in row and "instruments" in row and "accept" in row for row in changes)


def test_a_process_without_an_instruments_file_books_by_the_ledger_s(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.write("config/instruments.yaml", "QQQQ: {multiplier: 50}\n")
    Api(place).fills(fill(1, symbol="QQQQ"), fill(2, "SELL", 99, symbol="QQQQ"))
    elsewhere = place.folder / "elsewhere"
    elsewhere.mkdir()
    with place.tracker() as tracker:
        url, before = str(tracker.settings.ledger), tracker.revision
    settings = Settings.load(place.env | {"DATABASE_URL": place.env.get("DATABASE_URL", url)}, elsewhere)
    other = create_app(settings, lambda: place.now).test_client()
    answer = json.loads(other.get("/api/performance/daily?account=A").text)
    assert (answer["data"]["daily_pnl"], answer["metadata"]["partial"]) == (-50, False)
    fills = [fill(3, symbol="QQQQ"), fill(4, "SELL", 99, symbol="QQQQ")]
    assert other.post("/api/fills", json=fills).status_code == 201
    with place.tracker() as tracker:
        assert tracker.revision == before + 1
    assert state(Api(place))[:3] == (-100, False, [])


def test_another_working_directory_takes_nothing_back(
    place: Place, api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`check` in a shell elsewhere says that the logs are not there, and leaves the ledger as it is."""
    elsewhere = place.folder / "elsewhere"
    elsewhere.mkdir()
    shell(place, monkeypatch)
    url = place.env.get("DATABASE_URL", str(place.settings().ledger))
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.chdir(elsewhere)
    before = state(api)
    assert main(["check"]) == 75
    assert "the logs of the ledger are in" in capsys.readouterr().out
    assert main(["sync"]) == 65
    assert state(api) == before


@pytest.mark.sqlite
def test_a_folder_of_statements_that_goes_is_a_doubt(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = place.folder / "drop"
    folder.mkdir()
    shell(place, monkeypatch)
    with Running(place, "watch", "--statements", str(folder)) as watch:
        watch.waits_for("watch.begin")
        folder.rename(place.folder / "away")

        def said() -> str:
            main(["sources"])
            return capsys.readouterr().out

        until(lambda: f"the folder of statements {folder} is gone" in said(), why=lambda: watch.said)
        assert main(["summary"]) == 75
        (place.folder / "away").rename(folder)
        until(lambda: "Nothing is in doubt" in said(), why=lambda: said() + watch.said)
        assert main(["summary"]) == 0


def test_the_api_lists_what_is_in_doubt_and_the_desk_decides(place: Place, api: Api) -> None:
    assert api.get("/api/sources")["data"]["doubts"] == []
    restart(place)
    found = api.get("/api/sources")["data"]
    with place.tracker() as tracker:
        assert found["ledger"] == tracker.ledger.identity
    (doubt,) = found["doubts"]
    assert (doubt["source"], doubt["code"], doubt["accounts"]) == (f"{TODAY}.jsonl", "records_vanished", "A")
    path = "/api/sources/decisions"
    api.post(path, {"source": "nothing", "decision": "keep"}, 422)
    api.post(path, {"source": f"{TODAY}.jsonl", "decision": "burn"}, 422)
    tokens = Tokens(place.settings().tokens_file)
    bot = {"Authorization": f"Bearer {tokens.add('bot', 'write', NOON)}"}
    chief = {"Authorization": f"Bearer {tokens.add('chief', 'risk', NOON)}"}
    decision = {"source": f"{TODAY}.jsonl", "decision": "accept"}
    api.post(path, decision, 403, **bot)
    assert api.post(path, decision, 200, **chief)["data"][0]["source"] == f"{TODAY}.jsonl"
    assert api.get("/api/sources", **chief)["data"]["doubts"] == []
    assert api.get("/api/performance/daily?account=A", **chief)["data"]["daily_pnl"] == -200


def test_pages_go_on_while_the_file_of_targets_is_gone(place: Place, api: Api) -> None:
    (place.folder / "config" / "dashboard-targets.yaml").unlink()
    for path in ("/", "/settings", "/settings/limits", "/alerts", "/performance", "/api/sources"):
        response = api.ask("GET", path)
        assert response.status_code in (200, 302), (path, response.text)
    assert "dashboard-targets.yaml is gone" in api.ask("GET", "/settings").text


def test_rejected_lines_do_not_vanish_with_their_file(place: Place) -> None:
    """A line that could not be read may hold a loss; mending it in place is another matter."""
    place.log(TODAY, '{"broken": ', '{"broken": ')
    api = Api(place, TEARSHEET_SYNC_EVERY_S="0")
    path = f"/api/performance/daily?date={TODAY}"
    assert codes(api.get(path)) == ["rejected_lines"]
    log_file(place).rename(log_file(place).with_suffix(".jsonl.1"))
    place.log(TODAY, trade("1", "-10"))
    assert codes(api.get(path)) == ["records_vanished"]
    ready = json.loads(api.ask("GET", "/readyz").text)
    assert (ready["status"], ready["checks"]["sources"]["detail"]) == ("degraded", "records_vanished")
    with place.tracker() as tracker:
        decide(tracker, f"{TODAY}.jsonl", "accept", "kim")
    assert codes(api.get(path)) == []
    assert api.get(path)["data"]["daily_pnl"] == -10


def test_a_rejected_line_that_is_mended_in_place_is_no_doubt(place: Place) -> None:
    place.log(TODAY, '{"broken": ', trade("1", "-10"))
    api = Api(place, TEARSHEET_SYNC_EVERY_S="0")
    path = f"/api/performance/daily?date={TODAY}"
    assert codes(api.get(path)) == ["rejected_lines"]
    place.log(TODAY, trade("0", "-5"), trade("1", "-10"))
    assert (api.get(path)["data"]["daily_pnl"], codes(api.get(path))) == (-15, [])
