"""What made a check, a verdict or readiness say well although it was not; one class for each kind."""

import json
import os
import time
from datetime import timedelta

import pytest

from tearsheet.cli import main
from tests.support.api import Api, fill
from tests.support.place import NOON, Place, record

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
