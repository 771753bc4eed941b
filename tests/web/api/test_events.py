"""Event streams of a real server: order, resuming at any worker, the cap, and an end at once."""

import http.client
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime

import pytest

from tearsheet.web.api import events
from tearsheet.web.api.events import parse_last_event_id
from tests.support.api import Api
from tests.support.event_stream import Stream
from tests.support.place import Place, record
from tests.support.processes import Running, until
from tests.support.redis_server import RedisServer, free_port


def answers(port: int) -> bool:
    """Whether a server answers yet."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().read() != b""
    except OSError:
        return False
    finally:
        connection.close()


@contextmanager
def server(place: Place, *words: str, **env: str) -> Iterator[tuple[Running, int]]:
    """A real server at a place, and its port."""
    port = free_port()
    quick = {"TEARSHEET_SYNC_EVERY_S": "0", **env}
    with Running(place, "serve", "--port", str(port), *words, **quick) as running:
        until(lambda: answers(port), why=lambda: running.said)
        yield running, port
        if running.process.poll() is None:
            running.end()


def free_seat(port: int) -> Stream | None:
    """A stream, if one is to be had."""
    stream = Stream(port)
    return stream if stream.status == 200 else None


def test_every_stream_of_every_worker_hears_the_same_and_goes_on_elsewhere(place: Place) -> None:
    place.targets(win_rate_target=60)
    place.log("2026-11-19", record(order_id="1"))
    tracker = place.tracker(TEARSHEET_ALERT_MIN_SAMPLE="1")
    with ExitStack() as stack:
        stack.enter_context(tracker)
        _, port = stack.enter_context(server(place, "--workers", "3"))
        asked = ("", "?account=EQ-1", "?account=other")
        first, second, third = (stack.enter_context(Stream(port, query)) for query in asked)
        assert first.headers["Content-Type"].startswith("text/event-stream")
        for stream in (first, second, third):
            stream.reaches(1)
        place.log("2026-11-19", *(record(order_id=n, net="-5") for n in "23"), mode="a")
        for stream in (first, second, third):
            stream.reaches(2)
        left_at = first.last_id
        first.close()

        tracker.sync()
        tracker.check(tracker.get_summary("all"), tracker.targets())
        alert = second.waits_for("alert")
        assert third.waits_for("alert") == alert  # it is of all accounts
        place.log("2026-11-19", record(order_id="4"), mode="a")
        second.reaches(3)
        for _ in range(6):  # whichever worker answers
            with Stream(port, "?limit=3", left_at) as again:
                assert again.waits_for("alert")["id"] == alert["id"]
                again.reaches(3)
                until(again.ended.is_set)
        with Stream(port, "?timeout_s=1", second.last_id) as again:
            until(again.ended.is_set)
            assert again.events == []  # it had heard all


def test_streams_beyond_the_cap_are_refused_and_a_seat_is_free_again(place: Place) -> None:
    with server(place, "--workers", "1", TEARSHEET_MAX_STREAMS="2") as (running, port):
        with Stream(port) as first, Stream(port) as second:
            refused = Stream(port)
            assert (refused.status, refused.error["type"]) == (503, "too_many_streams")
            assert refused.headers["Retry-After"] == "5"
            assert "TEARSHEET_MAX_STREAMS" in refused.error["hint"]
            first.waits_for("revision")
            second.waits_for("revision")
        with until(lambda: free_seat(port)) as last:
            last.waits_for("revision")
            started = time.monotonic()
            assert running.end() == 0
            assert time.monotonic() - started < 10  # running requests are given 20
            until(last.ended.is_set)


def test_a_worker_of_one_thread_keeps_streams_beside_its_requests(place: Place) -> None:
    with server(place, "--workers", "1", TEARSHEET_MAX_STREAMS="3") as (running, port):
        with Stream(port) as first, Stream(port, "?account=A") as second, Stream(port) as third:
            for stream in (first, second, third):
                stream.waits_for("revision")
            refused = Stream(port)
            assert (refused.status, refused.error["type"]) == (503, "too_many_streams")
            assert answers(port)  # the worker itself is free
            place.log("2026-11-19", record(order_id="1"))
            for stream in (first, second, third):
                stream.reaches(1)
        with until(lambda: free_seat(port)) as last:
            last.waits_for("revision")
            assert running.end() == 0
            until(last.ended.is_set)


def test_a_server_without_a_thread_for_it_has_no_streams_and_says_what_to_do(api: Api) -> None:
    refused = api.get("/api/events", 503)["error"]
    assert refused["type"] == "no_streams"
    assert "tearsheet serve" in refused["hint"]
    assert api.get("/api/events?timeout_s=0", 422)["error"]["code"] == 422


_THREADS = {"wsgi.multithread": True}


def test_a_silent_stream_says_that_it_lives_and_which_day_it_is(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.1)
    said = api.client.get("/api/events?timeout_s=3", environ_overrides=_THREADS).get_data()
    assert said.startswith(b"retry: 2000\n\n")
    assert said.count(b"event: alive\n") >= 2
    assert said.count(b"event: ") == said.count(b"event: alive\n") + 1
    told = json.loads(said.rpartition(b"data: ")[2])
    assert told["day"] == api.get("/api/performance/daily")["date"]


def test_a_stream_that_cannot_see_the_ledger_does_not_say_that_it_is_well(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.1)
    monkeypatch.setattr(events, "_STALE_S", -1.0)
    said = api.client.get("/api/events?timeout_s=2", environ_overrides=_THREADS).get_data()
    assert b"event: alive" not in said
    assert b": waiting\n\n" in said


def test_a_stream_needs_a_token_and_ends_when_it_is_revoked(place: Place) -> None:
    with Running(place, "tokens", "add", "desk") as adding:
        assert adding.process.wait(60) == 0
    token = adding.said.strip()
    with server(place, "--workers", "1") as (_, port):
        assert Stream(port).status == 401
        with Stream(port, Authorization=f"Bearer {token}") as stream:
            stream.waits_for("revision")
            with Running(place, "tokens", "revoke", "desk") as revoking:
                assert revoking.process.wait(60) == 0
            # without any token left this machine may read, but not by one that was taken back
            until(stream.ended.is_set)


LIMITS = "limits:\n  default: {daily_loss: 100, stale_after: null, warn_at: [90]}\n"


def test_a_verdict_is_told_when_it_changes_and_not_again(place: Place) -> None:
    place.write("config/dashboard-targets.yaml", LIMITS)
    today = datetime.now(UTC)
    name = f"{today:%Y-%m-%d}"
    with server(place, "--workers", "2") as (_, port):
        place.log(name, record(at=today, held=0, net="-10", account_id="A", order_id="1"))
        place.log(name, record(at=today, held=0, net="-10", account_id="B", order_id="2"), mode="a")
        with Stream(port) as both, Stream(port, "?account=B") as only_b:
            until(lambda: {found["account"] for found in both.named("verdict")} == {"A", "B"})
            only_b.waits_for("verdict")
            place.log(name, record(at=today, held=0, net="-95", account_id="A", order_id="3"), mode="a")
            until(lambda: [v for v in both.named("verdict") if v["must_be_flat"]])
            broken = [v for v in both.named("verdict") if v["must_be_flat"]]
            assert [(v["account"], v["state"], v["sequence"]) for v in broken] == [
                ("A", "breach", both.named("revision")[-1]["revision"])
            ]
            last = both.last_id
        assert {found["account"] for found in only_b.named("verdict")} == {"B"}
        with Stream(port, "?timeout_s=3", last) as again:
            until(again.ended.is_set)
            assert again.named("verdict") == []  # although time went by


def test_the_shared_cache_changes_nothing(place: Place) -> None:
    redis = RedisServer(place.folder)
    redis.start()
    try:
        running = server(place, REDIS_URL=redis.url)
        with running as (_, port), Stream(port) as stream:
            assert stream.waits_for("revision")["revision"] == 0
            place.log("2026-11-19", record(order_id="1"))
            assert stream.waits_for("revision", 2)["revision"] == 1
    finally:
        redis.kill()


def test_the_store_going_away_is_told_and_coming_back_too(place: Place) -> None:
    ledger = place.settings().ledger_path
    assert ledger is not None
    beside = place.folder / "away"
    with server(place, "--workers", "1") as (_, port), Stream(port) as stream:
        stream.waits_for("revision")
        ledger.parent.rename(beside)
        ledger.parent.write_text("where the folder was is a file now")
        assert stream.waits_for("trouble") == {"code": "ledger_gone"}
        ledger.parent.unlink()
        beside.rename(ledger.parent)
        assert stream.waits_for("trouble", 2) == {"code": None}


def test_a_writer_that_keeps_the_newest_lines_out_is_told_rather_than_called_well(place: Place) -> None:
    ledger = place.settings().ledger_path
    assert ledger is not None
    with server(place, "--workers", "1") as (_, port), Stream(port) as stream:
        stream.waits_for("revision")
        with closing(sqlite3.connect(ledger, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            place.log("2026-11-19", record(order_id="1"))
            assert stream.waits_for("trouble") == {"code": "stale_ledger"}
            other.execute("ROLLBACK")
        assert stream.waits_for("trouble", 2) == {"code": None}
        assert stream.waits_for("revision", 2)["revision"] == 1


@pytest.mark.parametrize("said", ["", "7", "x~1~", "5-ab~-1~", "5-ab~1~" + "a" * 40, "5-ab~1~\n"])
def test_what_was_never_an_id_is_as_none(said: str) -> None:
    assert parse_last_event_id(said).state_id is None


def test_an_id_says_all_that_was_heard() -> None:
    assert parse_last_event_id("12-00ff~345~").id == "12-00ff~345~"
