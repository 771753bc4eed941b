"""The service notices when nobody asks for a verdict any more."""

import logging
from datetime import timedelta

import pytest

from tests.support.api import Api, fill
from tests.support.place import Place

LIMITS = "limits:\n  default: {daily_loss: 100, stale_after: null}\n"


def test_nobody_asking_is_a_reason_a_line_and_a_number(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("tearsheet").addHandler(caplog.handler)
    place.write("config/dashboard-targets.yaml", LIMITS)
    api = Api(place, TEARSHEET_GUARD_ABSENT_MINUTES="5")
    api.fills(fill(1), fill(2, account="B"))
    assert guard_of(api)["status"] == "ok"  # nobody has asked yet, but there was no time to
    place.now += timedelta(minutes=6)
    assert guard_of(api) == {
        "status": "degraded",
        "detail": "no guard has polled the verdict of 2 accounts for 6 minutes",
    }
    guard_of(api)
    # a record may come to both of the logger and the root, which is one line all the same
    records = {id(record): record for record in caplog.records}.values()
    lines = [line for line in records if line.getMessage() == "tearsheet.guard_absent"]
    logging.getLogger("tearsheet").removeHandler(caplog.handler)
    assert [line.levelname for line in lines] == ["WARNING"] * 2  # one an account, told once
    api.get("/api/risk/verdict?account=A")
    assert "1 account for 6 minutes" in guard_of(api)["detail"]
    place.now += timedelta(minutes=1)
    metrics = api.ask("GET", "/metrics").text
    assert 'tearsheet_verdict_asked_age_seconds{account="A"} 60.0' in metrics
    assert 'tearsheet_verdict_asked_age_seconds{account="B"} 420.0' in metrics
    api.get("/api/risk/verdict")  # of all
    assert guard_of(api)["status"] == "ok"
    again = Api(place, TEARSHEET_GUARD_ABSENT_MINUTES="5")  # another worker knows it too
    place.now += timedelta(minutes=5)
    assert "2 accounts for 5 minutes" in guard_of(again)["detail"]
    assert api.get("/api/performance/health")["status"] == "degraded"


def test_a_question_that_was_refused_is_none(place: Place) -> None:
    place.write("config/dashboard-targets.yaml", LIMITS)
    api = Api(place, TEARSHEET_GUARD_ABSENT_MINUTES="5")
    api.fills(fill(1))
    place.now += timedelta(minutes=6)
    api.get("/api/risk/verdict?acount=A", 400)
    assert guard_of(api)["status"] == "degraded"


def test_without_the_setting_nothing_is_noted(place: Place) -> None:
    place.write("config/dashboard-targets.yaml", LIMITS)
    api = Api(place)
    api.fills(fill(1))
    api.get("/api/risk/verdict?account=A")
    assert "guard" not in api.get("/api/performance/health")["checks"]
    with place.tracker() as tracker:
        assert tracker.ledger.get("verdict_asked") is None


def guard_of(api: Api) -> dict[str, str]:
    """What the health answer says of guards."""
    check = api.get("/api/performance/health")["checks"]["guard"]
    return {name: check[name] for name in ("status", "detail") if check[name]}
