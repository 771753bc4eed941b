"""The cache: an answer is computed once, and a Redis that fails in any way costs time only."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from tearsheet.errors import SettingsError
from tearsheet.settings import Settings
from tearsheet.web.server import answer_cache as cache
from tearsheet.web.server.answer_cache import (
    AnswerCache,
    LocalCache,
    SharedCache,
    create_answer_cache,
    redis_cache,
)
from tests.support.redis_server import RedisServer, redis_server

__all__ = ["redis_server"]


class Clock:
    """A timer that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_an_answer_is_kept_for_its_time() -> None:
    clock = Clock()
    memory = LocalCache(45, clock)
    memory.put("k", b"v")
    clock.now += 44.9
    assert memory.get("k") == b"v"
    clock.now += 0.2
    assert memory.get("k") is None


def test_memory_is_bounded() -> None:
    memory = LocalCache(45)
    for number in range(100):
        memory.put(str(number), b"x" * 100_000)
    kept = [n for n in range(100) if memory.get(str(n)) is not None]
    assert len(kept) * 100_000 <= cache.MAX_BYTES
    assert kept[-1] == 99
    memory.put("whale", b"x" * (cache.MAX_BYTES + 1))
    assert memory.get("whale") is None


def test_a_stampede_computes_once() -> None:
    answers, computed = AnswerCache(LocalCache(45)), []

    def compute() -> bytes:
        computed.append(1)
        time.sleep(0.05)
        return b"v"

    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(lambda _: answers.answer("k", compute), range(40)))
    assert {body for body, _ in found} == {b"v"}
    assert len(computed) == 1
    assert sorted({how for _, how in found}) == ["computed", "memory"]


def test_a_failure_is_told_to_each_and_kept_for_nobody() -> None:
    answers = AnswerCache(LocalCache(45))

    def fail() -> bytes:
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            answers.answer("k", fail)
    assert answers.answer("k", lambda: b"v") == (b"v", "computed")
    assert not answers._flights


def shared_of(server: RedisServer) -> tuple[SharedCache, list[str | None]]:
    told: list[str | None] = []
    return redis_cache(server.url, 45, told.append), told


def test_processes_share_answers_and_compute_once(redis_server: RedisServer) -> None:
    computed = []

    def compute() -> bytes:
        computed.append(1)
        time.sleep(0.03)
        return b"v"

    caches = [AnswerCache(LocalCache(45), shared_of(redis_server)[0]) for _ in range(6)]
    barrier = threading.Barrier(6)

    def ask(one: AnswerCache) -> tuple[bytes, str]:
        barrier.wait()
        return one.answer("k", compute)

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(ask, caches))
    assert len(computed) == 1
    assert sorted(how for _, how in found) == ["computed"] + ["redis"] * 5
    with redis.Redis(port=redis_server.port) as client:
        assert 30_000 < client.pttl("k") <= 45_000


def test_an_answer_that_was_tampered_with_is_computed_anew(redis_server: RedisServer) -> None:
    shared, _ = shared_of(redis_server)
    shared.put("k", b"right")
    with redis.Redis(port=redis_server.port) as client:
        kept = client.get("k")
        assert isinstance(kept, bytes)
        for bad in (b"", b"short", kept[:-1], kept + b"x", b"\0" * 16 + b"right"):
            client.set("k", bad)
            assert shared.get("k") is None, bad
        client.set("k2", kept)
        assert shared.get("k2") is None, "an answer of another key"
        client.set("k", kept)
        assert shared.get("k") == b"right"
        client.delete("k")
        client.lpush("k", "a list")
        assert shared.get("k") is None


def test_redis_gone_costs_time_and_is_told_once(redis_server: RedisServer) -> None:
    shared, told = shared_of(redis_server)
    answers = AnswerCache(LocalCache(45), shared)
    assert answers.answer("a", lambda: b"1") == (b"1", "computed")
    redis_server.kill()
    started = time.monotonic()
    for number in range(50):
        assert answers.answer(f"b{number}", lambda: b"2") == (b"2", "computed")
    assert time.monotonic() - started < 2, "a bound of the pauses, not of the machine"
    assert len(told) == 1
    assert "ConnectionError" in (told[0] or "")
    assert not answers.health().is_up
    redis_server.start()
    assert answers.health(ping=True).is_up
    assert told[1:] == [None]
    assert answers.answer("c", lambda: b"3") == (b"3", "computed")
    with redis.Redis(port=redis_server.port) as client:
        assert client.exists("c")


def test_redis_hanging_costs_one_short_wait(redis_server: RedisServer) -> None:
    shared, told = shared_of(redis_server)
    answers = AnswerCache(LocalCache(45), shared)
    answers.answer("a", lambda: b"1")
    redis_server.hang()
    try:
        found = [answers.answer(f"k{n}", lambda: b"2") for n in range(20)]
        assert {how for _, how in found} == {"computed"}
        assert len(told) == 1
        assert "Timeout" in (told[0] or "")
    finally:
        redis_server.wake()
    assert answers.health(ping=True).is_up


class Broken:
    """A client whose calls fail as often as it is told to."""

    def __init__(self) -> None:
        self.calls = 0
        self.broken = True

    def get(self, name: str, /) -> object:
        return self._call()

    def set(self, name: str, value: bytes, /, *, px: int, nx: bool = False) -> object:
        return self._call()

    def ping(self) -> object:
        return self._call()

    def _call(self) -> object:
        self.calls += 1
        if self.broken:
            raise OSError("gone")
        return None


def test_a_failing_cache_is_asked_ever_more_seldom() -> None:
    client, clock, told = Broken(), Clock(), []
    shared = SharedCache(client, (OSError,), 45, told.append, clock)
    asked = []
    for _ in range(200):
        before = client.calls
        shared.get("k")
        if client.calls > before:
            asked.append(clock.now - 100)
        clock.now += 0.5
    assert asked == [0, 1, 3, 7, 15, 31, 61, 91]
    client.broken = False
    clock.now += 30
    shared.get("k")
    client.broken = True
    shared.get("k")
    assert [text and text[:7] for text in told] == ["OSError", None, "OSError"]


def test_a_bad_redis_url_is_a_settings_error(tmp_path: Path) -> None:
    settings = Settings.load({"REDIS_URL": "redis://host:no-port/0"}, tmp_path)
    with pytest.raises(SettingsError, match="REDIS_URL cannot be used"):
        create_answer_cache(settings, lambda _: None)
