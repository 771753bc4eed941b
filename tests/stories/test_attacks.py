"""What made a check, a verdict or readiness say well although it was not; one class for each kind."""

import gc
import json
import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from tearsheet.cli import main
from tests.support.api import Api, fill
from tests.support.place import NOON, Place, fills_csv, record

LIMITS = "limits: {default: {daily_loss: 500, stale_after: null}}\n"


@pytest.fixture
def here(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A place whose clock the commands have, too."""
    monkeypatch.chdir(place.folder)
    monkeypatch.setattr("tearsheet.tracker.PerformanceTracker.now", property(lambda tracker: place.now))
    return place


class TestFilters:
    """Kind: a filter that matches nothing, such as a misspelled one, is a healthy nothing for ever."""

    @pytest.mark.parametrize("option", [["--symbol", "AAPl"], ["--strategy", "obr"], ["--mode", "PAPER"]])
    def test_what_never_traded_is_refused(self, here: Place, option: list[str]) -> None:
        here.log("2026-11-20", record(at=NOON - timedelta(hours=1), order_id="1"))
        assert main(["check", *option]) == 64

    def test_what_traded_on_another_day_is_healthy(self, here: Place) -> None:
        here.log("2026-11-20", record(at=NOON - timedelta(hours=1), order_id="1"))
        here.now += timedelta(days=1)
        assert main(["check", "--symbol", "AAPL"]) == 0


class TestWhatIsDueAtTheEndOfADay:
    """Kind: a scheduler asks for the present day, whose end-of-day targets are never due while it asks."""

    @pytest.mark.parametrize("later", [1, 3])
    def test_check_judges_it_afterwards(
        self, here: Place, capsys: pytest.CaptureFixture[str], later: int
    ) -> None:
        here.targets(daily_pl_target=1000)
        here.log("2026-11-20", record(at=NOON - timedelta(hours=1), order_id="1"))
        assert main(["check"]) == 0, "the day is not over"
        here.now += timedelta(days=later)  # the next day, or the Monday after
        assert main(["check"]) == 2
        assert "average_daily_pnl" in capsys.readouterr().out
        assert [alert["rule"] for alert in Api(here).get("/api/alerts")["data"]] == ["daily_pl_breach"]

    def test_what_was_reached_is_healthy(self, here: Place) -> None:
        here.targets(daily_pl_target=50, max_drawdown_target=-1000)
        here.log("2026-11-20", record(at=NOON - timedelta(hours=1), order_id="1"))
        here.now += timedelta(days=1)
        assert main(["check"]) == 0


class TestSpecialFiles:
    """Kind: a path of the settings that is no file: opening a named pipe waits for ever."""

    @pytest.mark.parametrize("name", ["config/dashboard-targets.yaml", "logs/2026-11-20.jsonl"])
    def test_a_named_pipe_holds_nobody(self, here: Place, name: str) -> None:
        here.write("config/x", "")
        here.log("2026-11-19", record(at=NOON - timedelta(days=1), order_id="1"))
        os.mkfifo(here.folder / name)
        answer = Api(here).get("/api/risk/verdict")["data"]
        assert answer["state"] == "unknown"
        assert main(["check"]) in (65, 75)

    def test_endless_targets_are_refused(self, here: Place) -> None:
        here.write("config/x", "")
        (here.folder / "config/dashboard-targets.yaml").symlink_to("/dev/zero")
        here.log("2026-11-20", record(at=NOON - timedelta(hours=1), order_id="1"))
        assert Api(here).get("/api/risk/verdict")["data"]["state"] == "unknown"
        assert main(["check"]) == 65


class TestReadiness:
    """Kind: readiness that looks at the parts, and not at what they need to be right."""

    def test_an_unreadable_limits_file(self, here: Place) -> None:
        here.write("config/dashboard-targets.yaml", LIMITS)
        api = Api(here)
        assert api.get("/readyz")["status"] == "degraded"  # the limits judge nobody yet
        here.write("config/dashboard-targets.yaml", "limits: {default: {daily_loss: lots}}")
        answer = api.get("/readyz")
        assert answer["status"] == "degraded"
        assert "bad_limits" in answer["checks"]["sources"]["detail"]

    def test_records_that_vanished(self, here: Place) -> None:
        at = NOON - timedelta(hours=1)
        here.log("2026-11-20", record(at=at, order_id="1"), record(at=at, order_id="2"))
        api = Api(here, TEARSHEET_SYNC_EVERY_S="0")
        assert api.get("/readyz")["status"] == "healthy"
        here.log("2026-11-20", record(at=at, order_id="1"))
        answer = api.get("/readyz")
        assert (answer["status"], answer["checks"]["sources"]["detail"]) == ("degraded", "records_vanished")

    @pytest.mark.parametrize(("ended", "status"), [(0.0, "healthy"), (100.0, "degraded"), (-10.0, "healthy")])
    def test_a_watcher_that_died(self, here: Place, ended: float, status: str) -> None:
        until = time.time() - ended if ended else 0
        lease = {"holder": "a", "place": "b", "pid": 1, "until": until}
        with here.tracker() as tracker, tracker.ledger.writing():
            tracker.ledger.put("watcher", json.dumps(lease))
        assert Api(here).get("/readyz")["status"] == status


@contextmanager
def full_disk(at_most: int) -> Iterator[None]:
    """Let no file grow beyond a size, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (at_most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


class TestFullDisks:
    """Kind: a disk that is full is told as a fault of the program, wherever a file is written that is no ledger."""

    def test_commands(self, here: Place, capsys: pytest.CaptureFixture[str]) -> None:
        with full_disk(4096):
            assert main(["demo", str(here.folder / "demo")]) == 75
        assert "cannot be written" in capsys.readouterr().err

    @pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
    def test_uploads(self, here: Place) -> None:
        api = Api(here)
        rows = (f"A,X,2026-11-20T10:00:00Z,buy,1,100,0,{number:040}" for number in range(20_000))
        head = '--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
        body = f"{head}{fills_csv(rows)}\r\n--x--\r\n".encode()
        kind = "multipart/form-data; boundary=x"
        api.fills(fill(1))
        with full_disk(1 << 20):
            made = api.client.post("/api/import", data=body, content_type=kind)
        gc.collect()  # the file that the parser of forms leaves open
        assert (made.status_code, made.json["error"]["type"]) == (503, "store_unavailable")
        assert api.get("/api/imports")["data"][0]["file"] != "a.csv"
        assert api.client.post("/api/import", data=body, content_type=kind).status_code == 201


class TestTheWatcher:
    """Kind: what only one process reads goes unread when that process has died."""

    @staticmethod
    def died(here: Place, *folders: str) -> None:
        lease = {"holder": "a", "place": "b", "pid": 1, "until": time.time() - 100, "folders": folders}
        with here.tracker() as tracker, tracker.ledger.writing():
            tracker.ledger.put("watcher", json.dumps(lease))

    def test_statements_may_lie_unread(self, here: Place, capsys: pytest.CaptureFixture[str]) -> None:
        here.write("config/dashboard-targets.yaml", LIMITS)
        api = Api(here)
        api.fills(fill(1), fill(2, "SELL"))
        assert api.get("/api/risk/verdict?account=A")["data"]["state"] == "ok"
        before = api.ask("GET", "/api/performance/daily")
        self.died(here, "/drop")
        found = api.get("/api/risk/verdict?account=A")["data"]
        assert (found["state"], [one["code"] for one in found["reasons"]]) == ("unknown", ["watcher_gone"])
        for path in ("/api/performance/daily", "/api/performance/summary"):
            after = api.ask("GET", path, If_None_Match=before.headers["ETag"])
            assert after.status_code == 200
            assert "watcher_gone" in after.text
        assert api.get("/readyz")["status"] == "degraded"
        assert main(["check"]) == 75
        assert "/drop may have unread statements" in capsys.readouterr().out
        assert [one["source"] for one in api.get("/api/sources")["data"]["doubts"]] == ["watcher"]

    def test_it_is_over_when_somebody_gives_the_folders_up(self, here: Place) -> None:
        here.write("config/dashboard-targets.yaml", LIMITS)
        api = Api(here)
        api.fills(fill(1), fill(2, "SELL"))
        self.died(here, "/drop")
        assert main(["sources", "keep", "watcher", "--by", "kim"]) == 64
        assert main(["sources", "forget", "watcher", "--by", "kim"]) == 0
        assert api.get("/api/risk/verdict?account=A")["data"]["state"] == "ok"
        assert api.get("/readyz")["status"] == "healthy"
        assert main(["sources", "forget", "watcher", "--by", "kim"]) == 64

    def test_one_that_reads_logs_alone_leaves_nothing_unread(self, here: Place) -> None:
        """Every process reads the logs itself; targets are judged by whoever asks."""
        here.write("config/dashboard-targets.yaml", LIMITS)
        api = Api(here)
        api.fills(fill(1), fill(2, "SELL"))
        self.died(here)
        assert api.get("/api/risk/verdict?account=A")["data"]["state"] == "ok"
        assert api.get("/readyz")["status"] == "degraded"


class TestGroups:
    """Kind: an account is well by its own limits while nobody can say so of a group that it is in."""

    @pytest.mark.parametrize(("policy", "must_be_flat"), [("hold", False), ("breach", True)])
    def test_an_unknown_group_is_unknown_for_each_member(
        self, here: Place, policy: str, must_be_flat: bool
    ) -> None:
        group = f"{{members: [A, B], daily_loss: 500, stale_after: null, on_unknown: {policy}}}"
        own = "{daily_loss: 500, stale_after: null}"
        here.write(
            "config/dashboard-targets.yaml",
            f"limits: {{accounts: {{A: {own}, B: {own}}}, groups: {{G: {group}}}}}\n",
        )
        api = Api(here)
        api.fills(fill(1), fill(2, "SELL"))
        found = api.get("/api/risk/verdict?account=A")["data"]
        assert (found["state"], found["must_be_flat"], found["policy"]) == ("unknown", must_be_flat, policy)
        assert [reason["code"] for reason in found["reasons"]] == ["group_unknown"]
        assert "G: nothing_heard" in found["reasons"][0]["detail"]
        api.fills(fill(3, account="B"), fill(4, "SELL", account="B"))
        assert api.get("/api/risk/verdict?account=A")["data"]["state"] == "ok"

    def test_a_member_without_limits_of_its_own_is_judged_by_its_group(self, here: Place) -> None:
        limits = "{groups: {G: {members: [A, B], daily_loss: 500, stale_after: null}}}"
        here.write("config/dashboard-targets.yaml", f"limits: {limits}\n")
        here.now = NOON + timedelta(minutes=10)
        api = Api(here)
        api.fills(fill(1), fill(2, "SELL"), fill(3, account="B"), fill(4, "SELL", account="B"))
        answer = api.get("/api/risk/verdict")["data"]
        assert (answer["state"], answer["unlimited"]) == ("ok", [])
        assert [one["account"] for one in answer["accounts"]] == ["A", "B", "G"]
        assert [main([*command, "--account", "A"]) for command in (["check"], ["verdict"])] == [0, 0]
        api.fills(fill(5, price=1000, account="B"), fill(6, "SELL", 400, account="B"))
        assert [main([*command, "--account", "A"]) for command in (["check"], ["verdict"])] == [2, 2]
        assert api.get("/api/performance/daily?account=A")["data"]["state"] == "breach"

    def test_a_breach_beats_it(self, here: Place) -> None:
        limits = "accounts: {A: {daily_loss: 50, stale_after: null}}, groups: {G: {members: [A, B], daily_loss: 500}}"
        here.write("config/dashboard-targets.yaml", f"limits: {{{limits}}}\n")
        api = Api(here)
        api.fills(fill(1), fill(2, "SELL", 40))
        assert api.get("/api/risk/verdict?account=A")["data"]["state"] == "breach"


class TestNames:
    """Kind: one account whose name is written in two ways is two, each within its limits."""

    @pytest.mark.parametrize("other", ["EVAL%2050K", "ЕVAL 50К", "eval50k", "EVAL  50K"])
    def test_names_that_look_the_same_are_unknown(self, here: Place, other: str) -> None:
        here.write("config/dashboard-targets.yaml", LIMITS)
        api = Api(here)
        for name in ("EVAL 50K", other):
            api.fills(fill(1, account=name), fill(2, "SELL", account=name))
        found = api.get("/api/risk/verdict")["data"]
        assert found["state"] == "unknown"
        assert {tuple(r["code"] for r in one["reasons"]) for one in found["accounts"]} == {
            ("similar_accounts",)
        }

    @pytest.mark.parametrize("other", ["EVAL 51K", "EVAL-50K"])
    def test_other_names_are_other_accounts(self, here: Place, other: str) -> None:
        here.write("config/dashboard-targets.yaml", LIMITS)
        api = Api(here)
        for name in ("EVAL 50K", other):
            api.fills(fill(1, account=name), fill(2, "SELL", account=name))
        assert api.get("/api/risk/verdict")["data"]["state"] == "ok"


class TestCachedAnswers:
    """Kind: an answer that is right for the ledger's state, and not for the instant it is given at."""

    def test_the_daily_state_follows_a_release_and_the_next_day(self, here: Place) -> None:
        here.write("config/dashboard-targets.yaml", LIMITS)
        here.now += timedelta(minutes=10)
        api = Api(here)
        api.fills(fill(1, price=1000), fill(2, "SELL", 400))
        first = api.ask("GET", "/api/performance/daily")
        assert first.json["data"]["state"] == "breach"
        release = {"account": "A", "limit": "daily_loss", "actor": "kim", "reason": "agreed"}
        api.post("/api/risk/releases", release)
        again = api.ask("GET", "/api/performance/daily", If_None_Match=first.headers["ETag"])
        assert again.status_code == 200
        assert again.json["data"]["state"] == "ok"
