"""A feed's age is the age of what it said, and a service that cannot write is not ready.

Kind of fault: looking counts as hearing, and reading as working. Places: a log that stands still, a statement of
last month, a rebuild; a disk that is full, a folder that cannot be written.
"""

import json
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from tearsheet.cli import main
from tests.support.api import Api, fill
from tests.support.place import NOON, Place, fills_csv, opened, record

LIMITS = "limits:\n  default: {daily_loss: 500, stale_after: 15m}\n"
VERDICT = "/api/risk/verdict?account=A"


def verdict(api: Api) -> tuple[str, list[str], float | None]:
    found = api.get(VERDICT)["data"]
    return found["state"], [reason["code"] for reason in found["reasons"]], found["data_age_s"]


def logged(number: str, minutes: int, **more: Any) -> dict[str, Any]:
    return record(
        order_id=number, net="5", account_id="A", at=NOON + timedelta(minutes=minutes), held=0, **more
    )


def test_a_log_that_stands_still_is_as_old_as_its_last_record(place: Place) -> None:
    place.now = NOON
    place.write("config/dashboard-targets.yaml", LIMITS)
    place.log("2026-11-20", logged("1", -60))
    place.now = NOON - timedelta(minutes=55)
    api = Api(place, TEARSHEET_SYNC_EVERY_S="0")
    assert verdict(api) == ("ok", [], 300)
    place.now = NOON + timedelta(hours=6)
    for one in (api, Api(place, TEARSHEET_SYNC_EVERY_S="0")):
        assert verdict(one) == ("unknown", ["stale_feed"], 7 * 3600)
    place.log("2026-11-20", logged("2", 359), mode="a")
    assert verdict(api) == ("ok", [], 60)


def test_an_open_record_is_heard_too(place: Place) -> None:
    place.now = NOON
    place.write("config/dashboard-targets.yaml", LIMITS)
    place.log(
        "2026-11-20",
        logged("1", -60),
        opened(order_id="2", symbol="MSFT", account_id="A", at=NOON - timedelta(minutes=2)),
    )
    assert verdict(Api(place)) == ("ok", [], 120)


def test_a_file_of_the_past_is_old_though_it_was_read_now(place: Place) -> None:
    place.now = NOON
    place.write("config/dashboard-targets.yaml", LIMITS)
    rows = ["A,X,2026-11-20T09:00:00Z,BUY,1,100,0,1", "A,X,2026-11-20T09:30:00Z,SELL,1,99,0,2"]
    place.write("fills.csv", fills_csv(rows))
    with place.tracker() as tracker:
        tracker.import_file(place.folder / "fills.csv")
    api = Api(place)
    assert verdict(api) == ("unknown", ["stale_feed"], 2.5 * 3600)
    api.post("/api/risk/heartbeats", {"account": "A"}, 200)
    assert verdict(api)[0] == "ok"


def test_the_api_tells_the_age_of_each_feed(place: Place) -> None:
    """Each by what it said last: a log that stands still beside posts that go on, and a statement of the morning."""
    place.now = NOON + timedelta(hours=6)
    place.log("2026-11-20", logged("1", -60))
    rows = ["S,X,2026-11-20T09:00:00Z,BUY,1,100,0,1", "S,X,2026-11-20T09:30:00Z,SELL,1,99,0,2"]
    place.write("fills.csv", fills_csv(rows))
    with place.tracker() as tracker:
        tracker.import_file(place.folder / "fills.csv")
    api = Api(place, TEARSHEET_SYNC_EVERY_S="0")
    api.fills(fill(300, account="P"), fill(350, "SELL", account="P"))
    feeds = {one["name"]: one for one in api.get("/api/sources")["data"]["feeds"]}
    ages = {name: (one["sources"], one["age_s"]) for name, one in feeds.items()}
    assert ages == {"posts": (1, 600), "trade log": (1, 7 * 3600), "generic_fills": (1, 8.5 * 3600)}
    assert feeds["trade log"]["last_at"] == "2026-11-20T11:00:00Z"
    assert feeds["trade log"]["read_at"] == "2026-11-20T18:00:00Z"
    place.now += timedelta(minutes=1)
    (again,) = [one for one in api.get("/api/sources")["data"]["feeds"] if one["name"] == "posts"]
    assert again["age_s"] == 660


@pytest.mark.parametrize("env", [{"TEARSHEET_SILENCE_IS_NORMAL": "yes"}, {}])
def test_silence_is_normal_where_it_is_said(place: Place, env: dict[str, str]) -> None:
    limits = LIMITS if env else LIMITS.replace("15m", "null")
    place.write("config/dashboard-targets.yaml", limits)
    place.log("2026-11-20", logged("1", -60))
    place.now = NOON + timedelta(hours=6)
    assert verdict(Api(place, **env))[0] == "ok"


def test_outside_its_hours_an_account_may_be_silent(place: Place) -> None:
    place.now = NOON
    hours = "daily_loss: 500, stale_after: 15m, trading_hours: 09:30-16:00"
    place.write("config/dashboard-targets.yaml", f"limits:\n  default: {{{hours}}}\n")
    place.log("2026-11-20", logged("1", -60))
    api = Api(place)
    assert verdict(api)[0] == "unknown"  # 12:00, and silent for an hour
    place.now = NOON + timedelta(hours=6)
    assert verdict(api)[0] == "ok"


@contextmanager
def small_files(size: int) -> Iterator[None]:
    """No file may grow beyond a size, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.both_databases
def test_a_service_that_cannot_write_is_not_ready(place: Place) -> None:
    api = Api(place)
    api.fills(fill(1))
    assert api.ask("GET", "/readyz").status_code == 200
    if "DATABASE_URL" in place.env:
        return
    time.sleep(1.1)  # a probe is good for a second
    with small_files(4096):
        answer = api.ask("GET", "/readyz")
    assert (answer.status_code, json.loads(answer.text)["checks"]["store"]["status"]) == (503, "down")
    assert api.ask("GET", "/readyz").status_code == 200
    assert not list((place.folder / "logs/performance").glob("*probe*"))


def test_doctor_without_a_file_says_which_ledger_this_is(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place.env["PERFORMANCE_SUMMARY_TIMEZONE"] = "America/Chicago"
    place.log("2026-11-19", logged("0", -26 * 60))
    place.log("2026-11-20", logged("1", -60))
    Api(place).fills(fill(1))
    with place.tracker() as tracker:
        tracker.sync()
        identity = tracker.ledger.identity
    (place.folder / "logs/2026-11-19.jsonl").unlink()
    monkeypatch.chdir(place.folder)
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    for part in (identity, "America/Chicago", "trade log", "2026-11-20 05:00:00", "posts", "06:01:00"):
        assert part in said, part
    assert "in doubt: 2026-11-19.jsonl" in said
    (place.folder / "logs/performance/tearsheet.db").unlink()
    assert main(["doctor"]) == 75
    found = capsys.readouterr()
    assert identity in found.out
    assert "is gone" in found.err


def ages(found: Any) -> list[tuple[str, str, float, str]]:
    return [(one["kind"], one["name"], one["age_s"], one["state"]) for one in found["feeds"]]


@pytest.mark.both_databases
@pytest.mark.parametrize("sign", ["heartbeat", "post", "statement"])
def test_no_other_source_speaks_for_a_silent_log(place: Place, sign: str) -> None:
    """Kind: one sign of life freshens everything that an account needs, and so hides what is silent.

    Places: a heartbeat, a post, a statement beside a log; the age in verdict, summary and on the page. It is as stale as
    its stalest source that may not be silent, and says of each what it said last.
    """
    place.now = NOON + timedelta(minutes=-55)
    place.write("config/dashboard-targets.yaml", LIMITS)
    place.log("2026-11-20", logged("1", -60))
    api = Api(place, TEARSHEET_SYNC_EVERY_S="0")
    assert verdict(api) == ("ok", [], 300)
    place.now = NOON + timedelta(hours=6)
    if sign == "heartbeat":
        api.post("/api/risk/heartbeats", {"account": "A"}, 200)
        others = []
    elif sign == "post":
        api.fills(fill(359))
        others = [("posts", "posts", 0.0, "ok")]
    else:
        place.write("fills.csv", fills_csv(["A,X,2026-11-20T17:59:00Z,BUY,1,100,0,1"]))
        with place.tracker() as tracker:
            tracker.import_file(place.folder / "fills.csv")
        others = [("statement", "generic_fills", 60.0, "quiet")]
    log = ("log", "trade log", 7 * 3600.0, "stale")
    assert verdict(api) == ("unknown", ["stale_feed"], 7 * 3600)
    found = api.get(VERDICT)["data"]
    assert found["reasons"][0]["detail"] == "last heard: trade log 25200 s ago; allowed are 900 s"
    assert sorted(ages(found)) == sorted([*others, log])
    for query in ("?account=A", ""):
        summary = api.get(f"/api/performance/summary{query}")["data"]
        assert sorted(ages(summary["freshness"])) == sorted([*others, log])
    assert "too long ago" in api.ask("GET", "/day?account=A").text
    place.log("2026-11-20", logged("2", 359), mode="a")
    assert verdict(api)[:2] == ("ok", [])


def test_the_silence_of_one_source_is_decided_until_it_speaks(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bot that posts now has left its log behind: that is one recorded decision, and it ends with the next record."""
    place.now = NOON + timedelta(minutes=-55)
    place.write("config/dashboard-targets.yaml", LIMITS)
    place.log("2026-11-20", logged("1", -60))
    api = Api(place, TEARSHEET_SYNC_EVERY_S="0")
    place.now = NOON + timedelta(hours=6)
    api.fills(fill(359))
    assert verdict(api)[0] == "unknown"
    monkeypatch.chdir(place.folder)
    assert main(["sources", "forget", "trade log of A", "--by", "kim"]) == 64
    assert main(["sources", "keep", "trade log of A", "--by", "kim"]) == 0
    assert verdict(api) == ("ok", [], 0)
    assert ("log", "trade log", 7 * 3600.0, "quiet") in ages(api.get(VERDICT)["data"])
    place.log("2026-11-20", logged("2", 300), mode="a")
    assert verdict(api) == ("unknown", ["stale_feed"], 3600)
    capsys.readouterr()
    assert main(["verdict"]) == 75
    assert "heard: posts 2026-" in capsys.readouterr().out


def test_what_a_source_said_is_found_again_when_some_of_it_is_taken_back(place: Place) -> None:
    place.now = NOON
    for name, minute in (("old", "00"), ("new", "30")):
        place.write(f"{name}.csv", fills_csv([f"A,X,2026-11-20T09:{minute}:00Z,BUY,1,100,0,{name}"]))
        with place.tracker() as tracker:
            report = tracker.import_file(place.folder / f"{name}.csv")
    api = Api(place)
    assert ages(api.get(VERDICT)["data"]) == [("statement", "generic_fills", 2.5 * 3600, "stale")]
    api.post(f"/api/imports/{report.id}/undo", {}, 200)
    assert ages(api.get(VERDICT)["data"]) == [("statement", "generic_fills", 3 * 3600, "stale")]
