"""What surrounds the books is never well by silence: what is known is listed, and what is not read is said.

Each test names a kind of fault, and goes through the places where it was found.
"""

import json
import os
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tearsheet.app.config.source_decisions import Decision, decide
from tearsheet.app.limits.verdicts import account_verdicts
from tearsheet.cli import main
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.watch.watcher import Watcher
from tests.support.api import Api, fill
from tests.support.place import NOON, Place, fills_csv, record

LIMITS = "limits:\n  default: {daily_loss: 500, stale_after: null}\n"
BAD_ROW = "X,MSFT,2026-11-20T11:00:00Z,BUY,1,abc,0,1"


def logged(number: str, net: str = "5", minutes: int = -60, **more: object) -> dict[str, object]:
    at = NOON + timedelta(minutes=minutes)
    return record(**{"order_id": number, "net": net, "account_id": "A", "at": at, "held": 0, **more})


@pytest.mark.both_databases
@pytest.mark.parametrize("door", ["log", "statement"])
@pytest.mark.parametrize("limits", [LIMITS, "{}\n"])
def test_an_account_that_only_rejected_rows_name_is_in_every_list(
    place: Place, door: str, limits: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kind: what is known by what could not be used is in no list, so that nobody asks for it.

    Places: the verdicts of all accounts (which `guard --all` follows), accounts without limits, the risk board, the list
    of accounts, its summary, `verdict`.
    """
    place.write("config/dashboard-targets.yaml", limits)
    place.log("2026-11-20", logged("1"))
    if door == "log":
        place.log("2026-11-20", json.dumps(logged("2", account_id="X") | {"price": "abc"}), mode="a")
    else:
        place.write("fills.csv", fills_csv([BAD_ROW]))
        with place.tracker() as tracker:
            tracker.import_file(place.folder / "fills.csv")
    api = Api(place)
    assert api.get("/api/accounts")["data"] == ["A", "X"]
    answer = api.get("/api/risk/verdict")["data"]
    board = api.ask("GET", "/risk").text
    assert "X" in board
    if limits == LIMITS:
        assert [(one["account"], one["state"]) for one in answer["accounts"]] == [
            ("A", "ok"),
            ("X", "unknown"),
        ]
        assert answer["state"] == "unknown"
    else:
        assert [one["account"] for one in answer["unlimited"]] == ["A", "X"]
    daily = api.get("/api/performance/daily?account=X&date=2026-11-20")
    assert [one["code"] for one in daily["metadata"]["partial_reasons"]] == ["rejected_lines"]
    monkeypatch.chdir(place.folder)
    for name, value in place.env.items():
        monkeypatch.setenv(name, value)
    assert main(["verdict"]) == 75
    assert "X" in "".join(capsys.readouterr())


@pytest.fixture
def watched(place: Place) -> Api:
    """A service that has read a loss of 400 of A from its log; a watcher of a folder of statements looks at `look`."""
    place.write("config/dashboard-targets.yaml", LIMITS)
    place.log("2026-11-20", logged("1", "-100"))
    (place.folder / "drop").mkdir()
    return Api(place, TEARSHEET_SYNC_EVERY_S="0")


def look(place: Place, account: str | None = None) -> None:
    """Let a watcher look until it has read or refused what is in its folder."""
    watcher = Watcher(
        place.settings(), lambda event: None, [place.folder / "drop"], StatementOptions(account=account)
    )
    for pause in (0.0, 0.8):
        time.sleep(pause)
        watcher._run_once()
    watcher._close()  # it keeps the lease for 15 seconds


def state(api: Api, account: str = "A", day: str = "2026-11-20") -> tuple[list[str], str]:
    answer = api.get(f"/api/performance/daily?account={account}&date={day}")
    codes = [one["code"] for one in answer["metadata"]["partial_reasons"]]
    return codes, api.get(f"/api/risk/verdict?account={account}")["data"]["state"]


REFUSED = (["refused_statement"], "unknown")


@pytest.mark.parametrize("kind", ["unreadable", "empty", "link", "subfolder"])
def test_a_refused_statement_is_a_doubt_until_it_is_moved_away(place: Place, watched: Api, kind: str) -> None:
    """Kind: what could not be read is told once by the process that tried, and is nothing to anybody else.

    Places: a file that no format reads, an empty one, a link to a volume that is not there; told by page, API, readiness.
    """
    path = place.folder / "drop/broker.csv"
    os.mkfifo(place.folder / "drop/pipe.csv")  # nothing waits for it
    if kind == "subfolder":
        path = place.write("drop/2026/broker.csv", fills_csv(["A,X,2026-11-20T12:00:00Z,BUY,1,100,0,1"]))
    elif kind == "link":
        path.symlink_to(place.folder / "not-mounted/broker.csv")
    else:
        path.write_text("what,is,this\n1,2,3\n" if kind == "unreadable" else "")
    look(place)
    assert state(watched) == REFUSED
    assert "broker.csv was refused" in watched.ask("GET", "/day?date=2026-11-20").text
    assert "refused_statement" in watched.ask("GET", "/readyz").text
    look(place)  # another process, later
    assert state(watched) == REFUSED
    path.unlink()
    look(place)
    assert state(watched) == ([], "ok")


def test_a_refused_statement_that_is_imported_otherwise_is_no_doubt_any_more(
    place: Place, watched: Api
) -> None:
    path = place.write("drop/broker.csv", "When,What,How many,At,Dir\n2026-11-20 10:00,MSFT,1,100,BUY\n")
    look(place, account="A")
    assert state(watched) == REFUSED
    columns = {"When": "time", "What": "symbol", "How many": "quantity", "At": "price", "Dir": "side"}
    with place.tracker() as tracker:
        tracker.import_file(path, mapping=columns, account="B", timezone=ZoneInfo("UTC"))
    look(place, account="A")
    assert state(watched) == ([], "ok")


@pytest.mark.parametrize("decision", ["accept", "keep", "forget"])
def test_a_decision_on_a_refused_statement_holds_until_the_file_changes(
    place: Place, watched: Api, decision: Decision
) -> None:
    place.now = datetime.now(UTC)  # a file is written by the real clock
    path = place.write("drop/broker.csv", "what,is,this\n1,2,3\n")
    look(place)
    place.now = datetime.now(UTC) + timedelta(seconds=1)
    with place.tracker() as tracker:
        decide(tracker, str(path), decision, "kim")
    look(place)
    assert "refused_statement" not in watched.ask("GET", "/readyz").text
    path.write_text("what,is,that\n1,2,3\n")
    os.utime(path, times=(place.now.timestamp() + 5,) * 2)
    look(place)
    assert "refused_statement" in watched.ask("GET", "/readyz").text


BOTH = "daily_pl_target: 100\nlimits:\n  default: {daily_loss: 500, stale_after: null}\n"


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("", ["bad_limits", "bad_targets"]),
        ("# nothing\n\n---\n", ["bad_limits", "bad_targets"]),
        ("daily_pl_target: 100\n", ["bad_limits"]),
        ("daily_pl_target: 100\nlimits:\n", ["bad_limits"]),
        ("daily_pl_target: 100\nlimits: {}\n", ["no_limits"]),
        ("{}\n", ["no_limits"]),
    ],
)
def test_limits_and_targets_whose_file_is_emptied_go_on_in_doubt(
    place: Place, text: str, codes: list[str]
) -> None:
    """Kind: an emptied or half saved file is valid, and says that nothing is promised any more.

    Places: limits, targets, instruments; empty, comments alone, cut before or behind `limits:`. Who means it says `{}`.
    """
    place.now = NOON + timedelta(minutes=5)
    place.write("config/dashboard-targets.yaml", BOTH)
    api = Api(place, TEARSHEET_SYNC_EVERY_S="0")
    api.fills(fill(1), fill(2, "SELL", 90))
    assert api.get("/api/risk/verdict?account=A")["data"]["state"] == "ok"
    assert api.get("/api/performance/summary?account=A")["data"]["targets"] != []
    place.write("config/dashboard-targets.yaml", text)
    for one in (api, Api(place, TEARSHEET_SYNC_EVERY_S="0")):
        verdict = one.get("/api/risk/verdict?account=A")["data"]
        assert [reason["code"] for reason in verdict["reasons"]] == codes[:1]
        assert len(verdict["limits"]) == (codes != ["no_limits"])
        summary = one.get("/api/performance/summary?account=A")["data"]
        assert [reason["code"] for reason in summary["partial_reasons"]] == codes[1:]
        assert ("bad_limits" in one.ask("GET", "/readyz").text) == (codes != ["no_limits"])
    place.write("config/dashboard-targets.yaml", BOTH)
    assert api.get("/api/risk/verdict?account=A")["data"]["state"] == "ok"


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}\n"])
def test_instruments_whose_file_is_emptied_go_on_in_doubt(place: Place, text: str) -> None:
    place.write("config/dashboard-targets.yaml", LIMITS)
    path = place.write("config/instruments.yaml", "MSFT: {multiplier: 50}\n")
    api = Api(place, TEARSHEET_SYNC_EVERY_S="0")
    api.fills(fill(1), fill(2, "SELL", 99))
    daily = "/api/performance/daily?account=A&date=2026-11-20"
    assert api.get(daily)["data"]["daily_pnl"] == -50
    before = path.stat().st_mtime
    path.write_text(text)
    os.utime(path, times=(before + 10, before + 10))
    answer = api.get(daily)
    lost = text != "{}\n"
    api.fills(fill(3), fill(4, "SELL", 99))
    assert api.get(daily)["data"]["daily_pnl"] == (-100 if lost else -51)
    assert [one["code"] for one in answer["metadata"]["partial_reasons"]] == ["source_gone"] * lost
    assert api.get("/api/risk/verdict?account=A")["data"]["state"] == ("unknown" if lost else "ok")


def test_an_older_instruments_file_is_refused_in_words_that_say_so(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = place.write("config/instruments.yaml", "MSFT: {multiplier: 50}\n")
    Api(place).fills(fill(1), fill(2, "SELL", 99))
    path.write_text("MSFT: {multiplier: 20}\n")
    os.utime(path, times=(1_600_000_000,) * 2)
    monkeypatch.chdir(place.folder)
    assert main(["check"]) == 65
    said = capsys.readouterr().err
    assert "this one is of 2020-09-13 12:26:40 UTC, as after a restore" in said
    assert main(["sources", "accept", "instruments", "--by", "kim"]) == 0
    assert main(["check", "--allow-partial"]) == 0


def test_a_limits_file_that_is_gone_is_not_said_to_configure_none(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = place.write("config/dashboard-targets.yaml", LIMITS)
    monkeypatch.chdir(place.folder)
    with place.tracker() as tracker:
        account_verdicts(tracker).for_account("A")
    path.unlink()
    assert main(["verdict"]) == 75
    assert "is gone" in capsys.readouterr().out


@pytest.mark.parametrize("stated", [False, True])
def test_one_account_in_two_spellings_is_unknown_unless_both_are_stated(place: Place, stated: bool) -> None:
    """Kind: a name that is nearly right is another, well account.

    Places: a heartbeat or limits in the wrong case; losses that are split between two spellings, each within its limit.
    """
    named = "".join(f"    {name}: {{daily_loss: 500}}\n" for name in ("sim101", "Sim101")[: 1 + stated])
    place.write("config/dashboard-targets.yaml", f"limits:\n  accounts:\n{named}")
    place.now = NOON + timedelta(minutes=9)
    api = Api(place, TEARSHEET_SYNC_EVERY_S="0")
    api.fills(fill(1, account="Sim101"), fill(2, "SELL", 95, account="Sim101"))
    api.post("/api/risk/heartbeats", {"account": "sim101"}, 200)
    for account in ("sim101", "Sim101"):
        found = api.get(f"/api/risk/verdict?account={account}")["data"]
        said = "similar_accounts" in [reason["code"] for reason in found["reasons"]]
        assert (found["state"], said) == (("ok", False) if stated else ("unknown", True))
    assert api.get("/api/risk/verdict")["data"]["state"] == ("ok" if stated else "unknown")


def test_an_account_of_the_log_has_no_spaces_around_it(place: Place) -> None:
    place.write("config/dashboard-targets.yaml", LIMITS)
    place.log("2026-11-20", logged("1", "-300"), logged("2", "-300", account_id="A "))
    api = Api(place)
    assert api.get("/api/accounts")["data"] == ["A", "A "]
    assert state(api) == ([], "unknown")
    assert "spaces around it" in api.get("/api/rejections")["data"][0]["reason"]


def test_a_log_that_links_to_nothing_is_a_doubt(place: Place) -> None:
    """Kind: what is listed and cannot be seen counts as not there. Place: the day's log on a volume that is not mounted."""
    place.write("config/dashboard-targets.yaml", LIMITS)
    place.log("2026-11-19", logged("1", minutes=-24 * 60))
    link = place.folder / "logs/2026-11-20.jsonl"
    link.symlink_to(place.folder / "volume/2026-11-20.jsonl")
    api = Api(place, TEARSHEET_SYNC_EVERY_S="0")
    assert state(api) == (["unread_file"], "unknown")
    (place.folder / "volume").mkdir()
    (place.folder / "volume/2026-11-20.jsonl").write_text(json.dumps(logged("2", "-7")) + "\n")
    assert state(api) == ([], "ok")


@pytest.mark.parametrize("limits", [LIMITS, "{}\n"])
def test_limits_that_judge_nobody_are_not_well(
    place: Place, limits: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kind: nothing to judge is taken for nothing wrong. Place: `check` in a folder without logs, by a scheduler."""
    place.write("config/dashboard-targets.yaml", limits)
    monkeypatch.chdir(place.folder)
    assert main(["check"]) == (75 if limits == LIMITS else 0)
    assert ("nothing_heard" in Api(place).ask("GET", "/readyz").text) == (limits == LIMITS)


@pytest.mark.parametrize("name", ["config/dashboard-targets.yaml", "config/instruments.yaml"])
def test_a_link_to_nothing_is_no_first_use(
    place: Place, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kind: what was put where it belongs and cannot be seen is taken for what was never there.

    Places: the files of limits and instruments, each a link into a volume that is not mounted at the first start.
    """
    path = place.folder / name
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(place.folder / "volume" / path.name)
    monkeypatch.chdir(place.folder)
    assert main(["check"]) == 65
    assert "not there" in capsys.readouterr().err
