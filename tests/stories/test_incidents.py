"""Incidents of limits: opened, escalated, acknowledged, resolved; one an account, limit and day."""

import json
from datetime import timedelta
from typing import Any

import jsonschema
import pytest

from tearsheet.app.limits.verdicts import account_verdicts
from tearsheet.errors import NotFoundError
from tearsheet.export.files import schema
from tearsheet.rules import AlertEvent
from tearsheet.tracker import PerformanceTracker
from tests.support.place import NOON, Place
from tests.support.posting_process import post

pytestmark = pytest.mark.both_databases

LIMITS = "limits: {default: {daily_loss: 100, weekly_loss: 1000, stale_after: null}}"


def lines(place: Place) -> list[dict[str, Any]]:
    path = place.folder / "logs/performance-alerts.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def states(place: Place) -> list[tuple[str, str]]:
    return [(line["rule"], line["state"]) for line in lines(place)]


class Day:
    """Trades of a day, each posted with its result."""

    def __init__(self, place: Place, tracker: PerformanceTracker) -> None:
        self.place, self.tracker, self.number = place, tracker, 0

    def trade(self, money: int) -> None:
        """A round trip that brings so much."""
        fills = []
        for side, price in (("BUY", 1000), ("SELL", 1000 + money)):
            self.number += 1
            at = self.place.now + timedelta(seconds=self.number)
            fills.append(
                {
                    "account": "A",
                    "symbol": "MSFT",
                    "time": at.isoformat(),
                    "side": side,
                    "quantity": 1,
                    "price": price,
                    "fill_id": f"{self.number}",
                }
            )
        self.place.now += timedelta(minutes=5)
        post(self.tracker, fills)


def test_the_life_of_an_incident(place: Place) -> None:
    place.write("config/dashboard-targets.yaml", LIMITS)
    with place.tracker() as tracker:
        day = Day(place, tracker)
        day.trade(-60)
        assert states(place) == [("daily_loss", "raised")]
        first = lines(place)[0]
        assert (first["severity"], first["account"], first["kind"]) == ("warning", "A", "limit")
        assert (first["actual"], first["target"], first["window_start"]) == (60, 100, "2026-11-20")
        tracker.alerts.acknowledge(first["id"], "kim", "watching", place.now)
        day.trade(-20)
        assert len(lines(place)) == 2, "a warning that was told is not told again"
        day.trade(-20)
        assert states(place)[2:] == [("daily_loss", "escalated")]
        escalated = lines(place)[2]
        assert (escalated["severity"], escalated["acknowledged_at"]) == ("critical", None)
        again = tracker.alerts.acknowledge(first["id"], "lee", None, place.now)
        assert (again.state, again.acknowledged_by) == ("acknowledged", "lee")
        day.trade(500)
        assert len(lines(place)) == 4, "it is latched"
        place.now += timedelta(days=1)
        assert account_verdicts(tracker).for_account("A").state == "ok"
        assert states(place)[4:] == [("daily_loss", "resolved")]
        life = tracker.alerts.changes(first["id"])
        assert [change.state for change in life] == [
            "raised",
            "acknowledged",
            "escalated",
            "acknowledged",
            "resolved",
        ]
        assert {change.id for change in life} == {first["id"]}
        with pytest.raises(NotFoundError):
            tracker.alerts.changes("0" * 16)
    for line in lines(place):
        jsonschema.validate(line, schema("performance-alert"), format_checker=jsonschema.FormatChecker())


def test_one_incident_a_day_and_another_on_the_next(place: Place) -> None:
    place.write("config/dashboard-targets.yaml", LIMITS)
    with place.tracker() as tracker:
        day = Day(place, tracker)
        day.trade(-60)
        day.trade(60)
        day.trade(-60)
        place.now += timedelta(days=3)
        account_verdicts(tracker).for_account("A")
        day.trade(-120)
    found = lines(place)
    assert [line["state"] for line in found] == ["raised", "resolved", "raised", "resolved", "escalated"]
    assert len({line["id"] for line in found[:4]}) == 1
    assert found[4]["id"] != found[0]["id"]
    assert len({line["episode"] for line in found}) == 1


def test_two_processes_tell_a_breach_once(place: Place) -> None:
    place.write("config/dashboard-targets.yaml", LIMITS)
    with place.tracker() as tracker, place.tracker() as another:
        Day(place, tracker).trade(-120)
        for one in (another, tracker, another):
            assert account_verdicts(one).for_account("A").state == "breach"
    assert states(place) == [("daily_loss", "escalated")]


def test_an_alerts_file_in_trouble_keeps_no_verdict_back(place: Place) -> None:
    place.write("config/dashboard-targets.yaml", LIMITS)
    path = place.folder / "logs/performance-alerts.jsonl"
    path.mkdir(parents=True)
    with place.tracker() as tracker:
        Day(place, tracker).trade(-120)
        assert account_verdicts(tracker).for_account("A").state == "breach"
        path.rmdir()
        assert account_verdicts(tracker).for_account("A").state == "breach"
    assert states(place) == [("daily_loss", "escalated")], "told as soon as it can be"


def test_an_index_that_lags_is_caught_up_from_a_file_of_before(place: Place) -> None:
    old = {
        "event": "performance.alert",
        "id": "a" * 16,
        "episode": "b" * 16,
        "state": "raised",
        "rule": "win_rate_breach",
        "window": "daily",
        "window_start": "2026-11-19",
        "window_end": "2026-11-20",
        "account": None,
        "metric": "win_rate",
        "actual": 0.2,
        "target": 0.6,
        "severity": "warning",
        "sample": 5,
        "message": "below",
        "raised_at": (NOON - timedelta(days=1)).isoformat(),
        "acknowledged_at": None,
        "acknowledged_by": None,
        "resolved_at": None,
        "note": None,
    }
    place.write("logs/performance-alerts.jsonl", json.dumps(old) + "\n")
    with place.tracker() as tracker:
        (found,) = tracker.alerts.changes("a" * 16)
        assert isinstance(found, AlertEvent)
        assert (found.kind, found.escalated_at) == ("target", None)
        tracker.alerts.acknowledge(found.id, "kim", None, place.now)
        assert [one.state for one in tracker.alerts.changes(found.id)] == ["raised", "acknowledged"]


def test_a_limit_that_is_taken_out_ends_its_incident(place: Place) -> None:
    """As a risk desk expects: nothing is in danger any more, and the history says why."""
    place.write("config/dashboard-targets.yaml", LIMITS)
    with place.tracker() as tracker:
        day = Day(place, tracker)
        day.trade(-60)
        place.write("config/dashboard-targets.yaml", "limits: {default: [}")
        account_verdicts(tracker).all()
        assert states(place) == [("daily_loss", "raised")], "nobody knows what the file means"
        place.write(
            "config/dashboard-targets.yaml", "limits: {default: {weekly_loss: 1000, stale_after: null}}"
        )
        account_verdicts(tracker).all()
        assert states(place) == [("daily_loss", "raised"), ("daily_loss", "resolved")]
        assert lines(place)[1]["resolution"] == "limit_removed"
        assert tracker.alerts.newest(only_open=True) == []
        place.write("config/dashboard-targets.yaml", LIMITS)
        account_verdicts(tracker).all()
        again = lines(place)[2]
        assert (again["state"], again["resolution"]) == ("raised", None)
    jsonschema.validate(lines(place)[1], schema("performance-alert"))


def test_an_account_without_any_limit_left_has_no_incident_left(place: Place) -> None:
    place.write(
        "config/dashboard-targets.yaml", "limits: {accounts: {A: {daily_loss: 100, stale_after: null}}}"
    )
    with place.tracker() as tracker:
        Day(place, tracker).trade(-60)
    place.write("config/dashboard-targets.yaml", "win_rate_target: 60\nlimits: {}\n")
    with place.tracker() as tracker:
        assert [v.account for v in account_verdicts(tracker).all()] == []
    assert states(place) == [("daily_loss", "raised"), ("daily_loss", "resolved")]
    assert lines(place)[1]["resolution"] == "limit_removed"


def test_a_breach_outlasts_its_limit_and_so_does_its_incident(place: Place) -> None:
    place.write("config/dashboard-targets.yaml", LIMITS)
    with place.tracker() as tracker:
        Day(place, tracker).trade(-120)
        place.write("config/dashboard-targets.yaml", "win_rate_target: 60\nlimits: {}\n")
        for _ in range(2):
            assert [v.state for v in account_verdicts(tracker).all()] == ["breach"]
        assert states(place) == [("daily_loss", "escalated")]
        place.now += timedelta(days=1)  # the breach was of its day alone
        account_verdicts(tracker).all()
        assert states(place)[1:] == [("daily_loss", "resolved")]
