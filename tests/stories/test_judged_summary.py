"""One judgement for the command line, JSON, files, API, Markdown, HTML and page.

Kind of fault: a door that shows a summary without what another door judges it by. Each test asks all of them.
"""

import json
from datetime import timedelta
from typing import Any

import jsonschema
import pytest

from tearsheet.cli import main
from tearsheet.export.files import schema
from tests.support.api import Api
from tests.support.exports import summary_validator
from tests.support.place import NOON, Place, record

PLAN = """win_rate_target: 90
max_drawdown_target: -100
limits:
  accounts:
    EQ-1: {daily_loss: 500, stale_after: null}
"""
PERIODS = ("daily", "weekly", "monthly")


@pytest.fixture
def judged(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A day with missed targets and a broken limit."""
    monkeypatch.chdir(place.folder)
    monkeypatch.setattr("tearsheet.tracker.PerformanceTracker.now", property(lambda tracker: place.now))
    monkeypatch.setenv("TEARSHEET_ALERT_MIN_SAMPLE", "1")
    place.env["TEARSHEET_ALERT_MIN_SAMPLE"] = "1"
    place.write("config/dashboard-targets.yaml", PLAN)
    for ago in range(4, 0, -1):
        day = NOON - timedelta(days=ago)
        place.log(day.date().isoformat(), record(at=day, net="1", order_id=f"{ago}"))
    at = NOON - timedelta(minutes=20)
    place.log("2026-11-20", record(at=at, net="-400", order_id="a"), record(at=at, net="-200", order_id="b"))
    return place


def essence(content: dict[str, Any]) -> dict[str, Any]:
    """What is judged, without the times at which it was."""
    return {
        "state": content["state"],
        "targets": content["targets"],
        "limits": [(one["account"], one["state"]) for one in content["limits"]],
        "alerts": sorted((alert["rule"], alert["id"]) for alert in content["alerts"]),
        "trade_log": content["trade_log"],
    }


def test_every_door_judges_alike(judged: Place, capsys: pytest.CaptureFixture[str]) -> None:
    api = Api(judged)
    from_api = api.get("/api/performance/summary")["data"]
    assert main(["summary", "--json"]) == 2
    from_command = json.loads(capsys.readouterr().out)
    assert main(["summary", "--export", "--format", "html"]) == 2
    folder = judged.folder / "logs/performance"
    from_file = json.loads((folder / "daily-summary-2026-11-20.json").read_text())
    contents = [from_api, from_command, from_file, api.get("/api/performance/summary")["data"]]
    contents += [api.get(f"/api/performance/{kind}")["data"] for kind in PERIODS[:1]]
    for content in contents:
        assert essence(content) == essence(from_command)
    found = essence(from_command)
    assert found["state"] == "breach"
    assert found["limits"] == [("EQ-1", "breach")]
    assert {target["target"]: target["met"] for target in found["targets"]} == {
        "win_rate_target": False,
        "max_drawdown_target": False,
    }
    assert {rule for rule, _ in found["alerts"]} >= {"daily_loss", "win_rate_breach", "max_drawdown_breach"}
    for content in (from_api, from_command, from_file):
        summary_validator().validate(content)
    for name in ("daily-summary-2026-11-20.md", "daily-summary-2026-11-20.html"):
        text = (folder / name).read_text().replace("_", " ").replace("\\", "")
        assert "EQ-1" in text.partition("Limits")[2]
        assert "must be flat" in text
    page = api.ask("GET", "/day").text
    assert "Daily loss" in page
    assert "✗ Missed" in page


def test_the_weeks_and_months_are_judged_too(judged: Place) -> None:
    api = Api(judged)
    for kind in PERIODS:
        data = api.get(f"/api/performance/{kind}")["data"]
        assert data["state"] == "breach"
        assert data["limits"][0]["must_be_flat"]
        assert {target["target"] for target in data["targets"]} == {"win_rate_target", "max_drawdown_target"}


def test_reading_the_api_raises_no_alert_of_a_target(judged: Place) -> None:
    api = Api(judged)
    api.get("/api/performance/summary")
    rules = {alert["rule"] for alert in api.get("/api/alerts")["data"]}
    assert rules == {"daily_loss"}


def test_no_cached_answer_or_etag_outlives_what_it_was_judged_by(judged: Place) -> None:
    """Targets, limits and alerts are no part of the ledger's state: each change makes another answer."""
    judged.write("config/dashboard-targets.yaml", PLAN.replace("stale_after: null", "stale_after: 30m"))
    api = Api(judged)
    path = "/api/performance/daily?account=EQ-1"
    first = api.ask("GET", path)
    etag = first.headers["ETag"]
    assert api.ask("GET", path, If_None_Match=etag).status_code == 304
    judged.targets(win_rate_target=1)
    second = api.ask("GET", path, If_None_Match=etag)
    assert second.status_code == 200
    assert json.loads(second.text)["data"]["targets"][0]["wanted"] == 0.01


def test_a_limit_that_grows_unknown_with_time_changes_the_answer(place: Place) -> None:
    """The clock alone makes a verdict unknown; neither cache nor 304 may say `ok` on."""
    place.write(
        "config/dashboard-targets.yaml", "limits:\n  accounts:\n    A: {daily_loss: 500, stale_after: 15m}\n"
    )
    place.now = NOON
    api = Api(place)
    api.fills(
        {
            "account": "A",
            "symbol": "X",
            "time": "2026-11-20T11:59:00Z",
            "side": "BUY",
            "quantity": 1,
            "price": 10,
            "fill_id": "1",
        }
    )
    first = api.ask("GET", "/api/performance/daily")
    assert json.loads(first.text)["data"]["state"] == "ok"
    place.now = NOON + timedelta(minutes=20)
    later = api.ask("GET", "/api/performance/daily", If_None_Match=first.headers["ETag"])
    assert later.status_code == 200
    assert json.loads(later.text)["data"]["state"] == "unknown"
    assert json.loads(later.text)["data"]["limits"][0]["reasons"][0]["code"] == "stale_feed"


def test_an_unreadable_targets_file_is_partial_and_says_so(judged: Place) -> None:
    judged.write("config/dashboard-targets.yaml", "win_rate_target: [")
    api = Api(judged)
    answer = api.get("/api/performance/daily")
    assert "bad_targets" in [reason["code"] for reason in answer["metadata"]["partial_reasons"]]
    assert answer["metadata"]["partial"]
    assert "targets are not evaluated" in api.ask("GET", "/day").text


def test_a_past_day_lists_no_alert_of_today(judged: Place) -> None:
    api = Api(judged)
    api.get("/api/risk/verdict")
    yesterday = api.get("/api/performance/daily?date=2026-11-19")["data"]
    assert [alert for alert in yesterday["alerts"] if alert["kind"] == "limit"] == []


def test_the_answer_s_data_is_valid_by_the_shipped_schema(judged: Place) -> None:
    api = Api(judged)
    for query in ("", "?window=all", "?rolling=3", "?account=EQ-1"):
        summary_validator().validate(api.get(f"/api/performance/summary{query}")["data"])
    with pytest.raises(jsonschema.ValidationError):
        summary_validator().validate({})
    assert "limits" in schema("performance-summary")["properties"]
