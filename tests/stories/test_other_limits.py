"""Kind: two processes that judge one ledger by different settings contradict each other, and nobody notices."""

from datetime import timedelta
from typing import Any

import pytest

from tearsheet.cli import main
from tests.support.api import Api, fill
from tests.support.place import Place

STRICT = "limits: {default: {daily_loss: 100, stale_after: null}}\n"
LOOSE = "limits: {default: {daily_loss: 500, stale_after: null}}\n"


@pytest.fixture
def strict(place: Place) -> Api:
    place.write("strict.yaml", STRICT)
    place.write("loose.yaml", LOOSE)
    api = Api(place, TEARSHEET_TARGETS_FILE=str(place.folder / "strict.yaml"))
    api.fills(fill(1, price=100), fill(2, "SELL", 60))
    return api


@pytest.fixture
def loose(strict: Api) -> Api:
    return Api(strict.place, TEARSHEET_TARGETS_FILE=str(strict.place.folder / "loose.yaml"))


def verdict(api: Api) -> dict[str, Any]:
    found: dict[str, Any] = api.get("/api/risk/verdict?account=A")["data"]
    return found


def codes(api: Api) -> list[str]:
    return [reason["code"] for reason in verdict(api)["reasons"]]


def test_a_process_with_another_limits_file_is_noticed_by_both(strict: Api, loose: Api) -> None:
    alone = verdict(strict)
    assert (alone["state"], alone["reasons"]) == ("ok", [])
    other = verdict(loose)
    assert other["state"] == "unknown"
    assert [reason["code"] for reason in other["reasons"]] == ["other_limits"]
    assert alone["limits_digest"] != other["limits_digest"]
    assert alone["limits_digest"] in other["reasons"][0]["detail"]
    assert "strict.yaml" in other["reasons"][0]["detail"]
    assert codes(strict) == ["other_limits"]
    assert loose.get("/api/risk/verdict")["data"]["state"] == "unknown"
    assert "other_limits" in loose.get("/readyz")["checks"]["sources"]["detail"]
    assert loose.get("/api/performance/daily")["data"]["state"] == "unknown"


def test_it_is_over_when_the_other_process_has_ended(strict: Api, loose: Api) -> None:
    verdict(strict)
    assert codes(loose) == ["other_limits"]
    strict.place.now += timedelta(minutes=3)
    assert codes(strict) == []


def test_the_limits_kept_are_not_replaced_by_those_of_another_process(
    strict: Api, loose: Api, place: Place
) -> None:
    verdict(strict)
    verdict(loose)
    place.now += timedelta(minutes=3)
    (place.folder / "strict.yaml").unlink()
    assert verdict(strict)["limits"][0]["threshold"] == 100


def test_two_processes_with_the_same_limits_agree(strict: Api, loose: Api, place: Place) -> None:
    place.write("loose.yaml", STRICT)
    assert (codes(strict), codes(loose), codes(strict)) == ([], [], [])


def test_an_edit_is_no_other_file(strict: Api, loose: Api, place: Place) -> None:
    """Files that are copies of each other are edited one after the other."""
    place.write("loose.yaml", STRICT)
    assert (codes(strict), codes(loose)) == ([], [])
    place.now += timedelta(seconds=5)
    place.write("strict.yaml", LOOSE)
    assert codes(strict) == []
    place.write("loose.yaml", LOOSE)
    assert (codes(loose), codes(strict)) == ([], [])


def test_a_copy_that_was_not_edited_is_noticed(strict: Api, loose: Api, place: Place) -> None:
    place.write("loose.yaml", STRICT)
    assert (codes(strict), codes(loose)) == ([], [])
    place.now += timedelta(seconds=5)
    place.write("strict.yaml", LOOSE)
    assert codes(strict) == []
    place.now += timedelta(seconds=40)
    assert codes(loose) == ["other_limits"]
    assert codes(strict) == ["other_limits"]


def test_the_command_with_another_file_says_so(
    strict: Api, place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place.folder)
    monkeypatch.setattr("tearsheet.tracker.PerformanceTracker.now", property(lambda tracker: place.now))
    verdict(strict)
    monkeypatch.setenv("TEARSHEET_TARGETS_FILE", str(place.folder / "loose.yaml"))
    assert main(["check"]) == 75
    assert "let all processes have one file" in capsys.readouterr().out
    assert main(["verdict"]) == 75


def test_other_targets_are_noticed_too(place: Place) -> None:
    """A file without limits is judged by as well: each process would resolve the alerts of the other."""
    files = [place.write(f"{number}.yaml", f"daily_pl_target: {number}\n") for number in (10, 20)]
    one, two = (Api(place, TEARSHEET_TARGETS_FILE=str(file)) for file in files)
    one.fills(fill(1), fill(2, "SELL"))
    assert one.get("/api/performance/daily")["metadata"]["partial"] is False
    for api in (two, one):
        answer = api.get("/api/performance/daily")
        assert [reason["code"] for reason in answer["metadata"]["partial_reasons"]] == ["other_limits"]
        assert api.get("/readyz")["checks"]["sources"]["detail"] == "other_limits"
    place.now += timedelta(minutes=3)
    assert one.get("/api/performance/daily")["metadata"]["partial"] is False
