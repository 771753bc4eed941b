"""With several worker processes, no answer is ever of an earlier state or of yesterday."""

import http.client
import json
import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.api import fill
from tests.support.place import Place, record
from tests.support.redis_server import RedisServer, redis_server
from tests.support.web_server import Server

__all__ = ["redis_server"]
DAILY = "/api/performance/daily"


@pytest.fixture(params=["without Redis", "with Redis"])
def env(request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings of both kinds of cache."""
    if request.param == "without Redis":
        return {}
    server: RedisServer = request.getfixturevalue("redis_server")
    return {"REDIS_URL": server.url}


def everywhere(server: Server, check: Callable[[Any], None], workers: int = 3) -> None:
    """Ask until every worker has answered, and hold every answer against the check."""
    start = len(server.logged("tearsheet.request"))
    deadline = time.monotonic() + 60
    while True:
        for _ in range(8):
            status, answer = server.get(DAILY)
            assert status == 200, answer
            check(answer)
        pids = {line["pid"] for line in server.logged("tearsheet.request")[start:] if line["path"] == DAILY}
        if len(pids) >= workers:
            return
        assert time.monotonic() < deadline, f"only {len(pids)} workers answered"


def test_a_posted_fill_is_in_the_next_answer_of_every_worker(place: Place, env: dict[str, str]) -> None:
    with Server(place, **env) as server:
        for number in range(1, 9):
            side, price = ("BUY", 100) if number % 2 else ("SELL", 100 + number)
            assert server.post("/api/fills", fill(number, side, price))[0] == 201
            pnl = sum(n for n in range(2, number + 1, 2))

            def is_of_now(answer: Any, pnl: int = pnl, revision: int = number) -> None:
                assert answer["data"]["daily_pnl"] == pnl
                assert answer["metadata"]["revision"] == revision

            everywhere(server, is_of_now)
        # judging an answer also summarizes the last trades, for the rolling rules
        found = [one for one in server.logged("tearsheet.summary") if one["window"] == "daily"]
        assert len(found) < len([r for r in server.logged("tearsheet.request") if r["path"] == DAILY]) / 2


@pytest.mark.parametrize(
    ("zone", "starts", "roll"),
    [
        ("UTC", "00:00", datetime(2026, 11, 21, tzinfo=UTC)),
        ("America/Chicago", "17:00", datetime(2026, 11, 19, 23, tzinfo=UTC)),
    ],
)
def test_the_new_session_is_in_every_worker_at_once(
    place: Place, env: dict[str, str], zone: str, starts: str, roll: datetime
) -> None:
    settings = {"PERFORMANCE_SUMMARY_TIMEZONE": zone, "TEARSHEET_DAY_STARTS_AT": starts}
    at = (roll - timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    with Server(place, **env, **settings) as server:
        server.set_clock(roll - timedelta(microseconds=1))
        server.post("/api/fills", [fill(1, time=at), fill(2, "SELL", 107, time=at)])

        def is_of(pnl: int) -> Callable[[Any], None]:
            def check(answer: Any) -> None:
                assert answer["data"]["daily_pnl"] == pnl

            return check

        everywhere(server, is_of(7))
        tag = server.ask("GET", DAILY)[2]["ETag"]
        assert server.get(DAILY, If_None_Match=tag)[0] == 304
        server.set_clock(roll)
        assert server.get(DAILY, If_None_Match=tag)[0] == 200
        everywhere(server, is_of(0))


def test_a_line_of_the_log_is_in_the_next_answer_of_every_worker(place: Place, env: dict[str, str]) -> None:
    place.log("2026-11-20", record(order_id="0", net="5"))
    with Server(place, TEARSHEET_SYNC_EVERY_S="0", **env) as server:
        for number in range(1, 4):
            place.log("2026-11-20", record(order_id=str(number), net="5"), mode="a")

            def has_all(answer: Any, pnl: int = 5 * number + 5) -> None:
                assert answer["data"]["daily_pnl"] == pnl

            everywhere(server, has_all)


def test_redis_failing_in_mid_run_changes_no_answer(place: Place, redis_server: RedisServer) -> None:
    with Server(place, REDIS_URL=redis_server.url) as server:
        harms = (None, redis_server.hang, redis_server.wake, redis_server.kill, redis_server.start)
        for number, harm in enumerate(harms):
            if harm is not None:
                harm()
            server.post("/api/fills", [fill(2 * number), fill(2 * number + 1, "SELL", 101)])
            for _ in range(12):
                status, answer = server.get(DAILY)
                assert (status, answer["data"]["daily_pnl"]) == (200, number + 1)
        _, health = server.get("/readyz")
        assert health["checks"]["cache"]["status"] == "ok"
        redis_server.kill()
        status, health = server.get("/api/performance/health")
        assert (status, health["status"], health["checks"]["cache"]["status"]) == (
            200,
            "degraded",
            "degraded",
        )
        downs = server.logged("tearsheet.cache_down")
        assert 1 <= len(downs) <= 3 * 3, "at most once a worker for each of its failures"
        _, page = server.get("/metrics")
        assert b"tearsheet_cache_failures_total" in page
        assert b'tearsheet_cache_total{found="' in page


def test_a_killed_worker_loses_and_doubles_nothing(place: Place) -> None:
    with Server(place) as server:
        for number in range(1, 7):
            server.post("/api/fills", [fill(2 * number), fill(2 * number + 1, "SELL", 101)])
            server.get(DAILY)
            pid = server.logged("tearsheet.request")[-1]["pid"]
            os.kill(pid, signal.SIGKILL)
            everywhere(server, lambda answer, n=number: _same(answer["data"]["daily_pnl"], n), workers=2)


def _same(found: Any, wanted: int) -> None:
    assert found == wanted


def test_a_question_never_waits_for_a_writer(place: Place) -> None:
    place.log("2026-11-20", record(order_id="0", net="5"))
    with Server(place, TEARSHEET_SYNC_EVERY_S="0") as server, place.tracker() as tracker:
        assert server.get(DAILY)[1]["data"]["daily_pnl"] == 5
        with tracker.ledger.writing():
            place.log("2026-11-20", record(order_id="1", net="5"), mode="a")
            status, answer = server.get(DAILY)
            assert status == 200
            assert answer["data"]["daily_pnl"] == 5
            assert answer["metadata"]["partial_reasons"][0]["code"] == "stale_ledger"
            assert server.ask("GET", DAILY)[2].get("ETag") is None, "a client must not keep it"
            assert server.get("/readyz")[1]["checks"]["sources"]["status"] == "degraded"
        status, answer = server.get(DAILY)
        assert (answer["data"]["daily_pnl"], answer["metadata"]["partial"]) == (10, False)


def test_health_counts_every_worker(place: Place) -> None:
    with Server(place, PROMETHEUS_MULTIPROC_DIR=str(place.folder / "counts")) as server:
        everywhere(server, lambda answer: None)
        asked = len([r for r in server.logged("tearsheet.request") if r["path"] == DAILY])
        _, page = server.get("/metrics")
        (line,) = [
            text
            for text in page.decode().splitlines()
            if text.startswith("tearsheet_request_seconds_count") and f'route="{DAILY}"' in text
        ]
        assert float(line.rpartition(" ")[2]) == asked
        assert "tearsheet_revision 0.0" in page.decode()


def test_the_clock_of_the_test_is_that_of_the_server(place: Place) -> None:
    with Server(place, workers=1) as server:
        assert server.get(DAILY)[1]["timestamp"] == place.now.isoformat().replace("+00:00", "Z")


def test_a_change_that_meets_another_is_503_in_the_end_and_done_when_asked_again(place: Place) -> None:
    with Server(place, workers=1) as server, place.tracker() as tracker:
        with tracker.ledger.writing():
            status, answer, headers = server.ask("POST", "/api/fills", fill(1))
            assert (status, headers["Retry-After"]) == (503, "1")
            assert answer["error"]["type"] == "store_unavailable"
            assert server.get(DAILY)[0] == 200
        assert server.post("/api/fills", fill(1))[0] == 201


def test_a_body_of_unknown_length_is_refused_rather_than_cut(place: Place) -> None:
    with Server(place, workers=1, TEARSHEET_MAX_BODY_BYTES="1000") as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        whole = json.dumps(fill(1)).encode()
        for body in (whole, whole + b" " * 2000):
            connection.request("POST", "/api/fills", iter([body]), {"Content-Type": "application/json"})
            response = connection.getresponse()
            assert (response.status, json.loads(response.read())["error"]["type"]) == (411, "length_required")
            connection.close()
