"""Verdicts and alerts that say what is so, of the right account and day, in words for people."""

import re
from datetime import timedelta
from typing import Any

import pytest

from tearsheet.cli import main
from tests.support.api import Api, fill
from tests.support.place import NOON, Place, record

ONE = "limits:\n  accounts:\n    A: {daily_loss: 500, stale_after: null}\n"


def limits(place: Place, text: str) -> None:
    place.write("config/dashboard-targets.yaml", text)


def loss(api: Api, number: int, money: Any, **more: Any) -> None:
    """A round trip that loses so much."""
    api.fills(fill(number, price=1000, **more), fill(number + 1, "SELL", 1000 - money, **more))


@pytest.fixture
def clocked(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A place whose clock the commands have, too."""
    monkeypatch.chdir(place.folder)
    monkeypatch.setattr("tearsheet.tracker.PerformanceTracker.now", property(lambda tracker: place.now))
    monkeypatch.setenv("TEARSHEET_ALERT_MIN_SAMPLE", "1")
    place.env["TEARSHEET_ALERT_MIN_SAMPLE"] = "1"
    return place


class TestAccountsWithoutLimits:
    """Kind: a total over the judged ones that is silent about those which nobody judges."""

    def test_they_are_named_with_a_reason(self, clocked: Place, capsys: pytest.CaptureFixture[str]) -> None:
        limits(clocked, ONE)
        api = Api(clocked)
        clocked.now += timedelta(minutes=10)
        api.fills(fill(1))
        loss(api, 3, 990, account="A-RENAMED")
        answer = api.get("/api/risk/verdict")["data"]
        assert answer["state"] == "ok"
        [unlimited] = answer["unlimited"]
        assert unlimited["account"] == "A-RENAMED"
        assert "no limits" in unlimited["reason"]
        assert main(["verdict"]) == 0
        assert "A-RENAMED" in capsys.readouterr().err
        assert "A-RENAMED" in api.ask("GET", "/day").text.partition('class="limits-none"')[2][:300]

    @pytest.mark.parametrize(("policy", "flat"), [("hold", False), ("breach", True)])
    def test_the_default_of_the_operator_makes_them_unknown(
        self, clocked: Place, policy: str, flat: bool
    ) -> None:
        limits(clocked, ONE.replace("limits:\n", f"limits:\n  default: {{on_unknown: {policy}}}\n"))
        api = Api(clocked)
        clocked.now += timedelta(minutes=10)
        api.fills(fill(1))
        loss(api, 3, 990, account="A-RENAMED")
        answer = api.get("/api/risk/verdict")["data"]
        assert (answer["state"], answer["must_be_flat"], answer["unlimited"]) == ("unknown", flat, [])
        renamed = next(one for one in answer["accounts"] if one["account"] == "A-RENAMED")
        assert (renamed["state"], renamed["reasons"][0]["code"]) == ("unknown", "no_limits")
        assert main(["verdict"]) == 75
        assert main(["check", "--allow-partial"]) == 75

    def test_an_account_that_only_holds_is_named(self, clocked: Place) -> None:
        limits(clocked, ONE)
        api = Api(clocked)
        api.fills(fill(1), fill(3, account="HOLDS"))
        assert [one["account"] for one in api.get("/api/risk/verdict")["data"]["unlimited"]] == ["HOLDS"]


class TestNotes:
    """Kind: a note that names a cause which it did not look for."""

    def test_a_later_win_changes_no_books(self, place: Place) -> None:
        limits(place, ONE)
        api = Api(place)
        place.now += timedelta(minutes=30)
        loss(api, 1, 600)
        loss(api, 3, -400)
        for one in (api, Api(place)):  # also a process that reads it all again
            [view] = one.get("/api/risk/verdict?account=A")["data"]["limits"]
            assert view["level"] == "breach"
            assert view["note"] == "breached at 600 of 500; it is back within the limit"

    def test_a_busted_fill_does(self, place: Place) -> None:
        limits(place, ONE)
        api = Api(place)
        place.now += timedelta(minutes=30)
        loss(api, 1, 600)
        api.fills(fill(2, "SELL", 400, status="bust"))
        [view] = api.get("/api/risk/verdict?account=A")["data"]["limits"]
        assert view["note"] == "breached at 600 of 500; the books have changed since"


class TestWords:
    """Kind: numbers and times as the machine has them, shown to people."""

    def test_money_time_and_name(self, clocked: Place, capsys: pytest.CaptureFixture[str]) -> None:
        clocked.env["PERFORMANCE_SUMMARY_TIMEZONE"] = "America/Chicago"
        limits(clocked, ONE)
        api = Api(clocked)
        clocked.now += timedelta(minutes=30)
        api.fills(fill(1, quantity=3, price=1000), fill(2, "SELL", "564.291111111111", quantity=3))
        [reason, *_] = api.get("/api/risk/verdict?account=A")["data"]["reasons"]
        assert reason["detail"] == "1,307.13 of 500 USD at 2026-11-20 06:02:00 (America/Chicago)"
        page = api.ask("GET", "/day").text
        assert f"Daily loss: {reason['detail']}" in page
        assert not re.search(r"\d\.\d{5}|T\d\d:\d\d:\d\d\+00:00<", page)
        [alert] = api.get("/api/alerts")["data"]
        assert alert["message"] == "Daily loss of A is breached: 1,307.13 of 500 USD (2026-11-20)"
        assert main(["verdict"]) == 2
        out = capsys.readouterr().out
        assert "2026-11-21 00:00" in out
        assert "resets at (America/Chicago)" in out


class TestAlertsThatAreOver:
    """Kind: an alert whose cause is gone, which nothing evaluates any more, and which stays open for good."""

    def test_a_day_s_alert_is_over_with_its_day(self, clocked: Place) -> None:
        clocked.targets(win_rate_target=90)
        clocked.log("2026-11-20", record(at=NOON - timedelta(hours=1), net="-5", order_id="1"))
        assert main(["check", "--allow-partial"]) == 2
        api = Api(clocked)
        assert [a["window"] for a in api.get("/api/alerts?state=open")["data"]] == ["rolling-20", "daily"]
        clocked.now += timedelta(days=1)
        main(["check", "--allow-partial"])
        still = {a["window"]: a for a in api.get("/api/alerts")["data"]}
        assert (still["daily"]["state"], still["daily"]["resolution"]) == ("resolved", "window_over")
        assert still["rolling-20"]["state"] == "raised"
        number = len(api.get("/api/alerts")["data"])
        assert main(["check", "--start", "2026-11-20", "--allow-partial"]) == 2, "it is missed for ever"
        assert len(api.get("/api/alerts")["data"]) == number, "but not raised again"

    def test_what_is_due_at_the_end_of_a_day_is_open_for_the_next(self, clocked: Place) -> None:
        clocked.targets(daily_pl_target=100)
        clocked.log("2026-11-20", record(at=NOON - timedelta(hours=1), net="5", order_id="1"))
        past = ["check", "--start", "2026-11-20", "--allow-partial"]
        api = Api(clocked)
        for days, states in ((0, []), (1, ["raised"]), (2, ["resolved"])):
            clocked.now = NOON + timedelta(days=days)
            main(past)
            assert [a["state"] for a in api.get("/api/alerts")["data"]] == states

    @pytest.mark.parametrize(
        ("targets", "window", "reason"),
        [
            ({"max_drawdown_target": -1000}, "20", "target_removed"),
            ({"win_rate_target": 90}, "30", "window_changed"),
        ],
    )
    def test_another_target_or_rolling_window(
        self,
        clocked: Place,
        monkeypatch: pytest.MonkeyPatch,
        targets: dict[str, int],
        window: str,
        reason: str,
    ) -> None:
        clocked.targets(win_rate_target=90)
        clocked.log("2026-11-20", record(at=NOON - timedelta(hours=1), net="-5", order_id="1"))
        main(["check", "--allow-partial"])
        clocked.targets(**targets)
        monkeypatch.setenv("PERFORMANCE_ALERT_ROLLING_WINDOW", window)
        main(["check", "--allow-partial"])
        api = Api(clocked)
        over = [a for a in api.get("/api/alerts")["data"] if a["window"] == "rolling-20"]
        assert [(a["state"], a["resolution"]) for a in over] == [("resolved", reason)]
        assert api.ask("GET", "/alerts?state=all").status_code == 200

    def test_a_limit_s_alert_ends_with_its_day_though_nobody_can_judge_the_next(self, clocked: Place) -> None:
        limits(clocked, ONE.replace("stale_after: null", "stale_after: 15m"))
        api = Api(clocked)
        clocked.now += timedelta(minutes=10)
        loss(api, 1, 600)
        clocked.now += timedelta(days=1)
        assert api.get("/api/risk/verdict?account=A")["data"]["state"] == "unknown"
        [alert] = api.get("/api/alerts")["data"]
        assert (alert["state"], alert["resolution"]) == ("resolved", "window_over")

    def test_a_warning_of_the_next_day_is_another_alert(self, clocked: Place) -> None:
        limits(clocked, ONE)
        api = Api(clocked)
        clocked.now += timedelta(minutes=10)
        loss(api, 1, 300)
        clocked.now += timedelta(days=1)
        api.fills(
            fill(11, price=1000, time="2026-11-21T12:01:00Z"),
            fill(12, "SELL", 700, time="2026-11-21T12:02:00Z"),
        )
        api.get("/api/risk/verdict?account=A")
        found = [(a["window_start"], a["state"]) for a in api.get("/api/alerts")["data"]]
        assert found == [("2026-11-21", "raised"), ("2026-11-20", "resolved")]


class TestScopes:
    """Kind: a page of one account or day that lists what belongs to another."""

    def test_pages_list_their_own_alerts(self, clocked: Place) -> None:
        limits(clocked, "limits: {default: {daily_loss: 500, stale_after: null}}")
        api = Api(clocked)
        clocked.now += timedelta(minutes=30)
        loss(api, 1, 600, account="A")
        loss(api, 5, -10, account="B")
        for path, there in (
            ("/day", True),
            ("/day?account=A", True),
            ("/day?account=B", False),
            ("/day?date=2026-11-19", False),
        ):
            alerts = api.ask("GET", path).text.partition("Open alerts")[2].partition("</section>")[0]
            assert ("Daily loss" in alerts) is there, path
        assert "A limits" not in api.ask("GET", "/day?account=B").text
        assert "A limits" not in api.ask("GET", "/day?date=2026-11-19").text
