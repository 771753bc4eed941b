"""Keeps answers for some seconds: in this process, and in Redis where one is shared.

A key names the state of the ledger that its answer is of, so an answer is never older than its
question; the time to live only bounds the memory. Redis failing in any way costs time, never truth.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import Literal, Protocol

from cachetools import TTLCache
from msgspec import Struct

CacheSource = Literal["memory", "redis", "computed"]
#: All answers that one process keeps, in bytes.
MOST_BYTES = 4 << 20
_TIMEOUT_S = 0.1
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
_LOCK_MS = 2000
_POLL_INTERVAL_S, _MAX_POLLS = 0.004, 50
_DIGEST = 16


class RedisLike(Protocol):
    """What is used of a Redis client."""

    def get(self, name: str, /) -> object:
        """The value of a key."""

    def set(self, name: str, value: bytes, /, *, px: int, nx: bool = False) -> object:
        """Put a value for so many milliseconds; with `nx` only where there is none."""

    def ping(self) -> object:
        """Whether it answers."""


class CacheHealth(Struct, frozen=True):
    """Whether the shared cache is in use; `failure` says what went wrong last."""

    kind: Literal["memory", "redis"]
    is_up: bool
    failure: str | None = None


class LocalCache:
    """Answers kept by this process, the oldest dropped first where they become too many."""

    def __init__(self, ttl_s: float, timer: Callable[[], float] = time.monotonic) -> None:
        self._entries: TTLCache[str, bytes] = TTLCache(MOST_BYTES, ttl_s, timer, len)
        self._lock = threading.Lock()

    def get(self, key: str) -> bytes | None:
        """The answer of a key."""
        with self._lock:
            return self._entries.get(key)

    def put(self, key: str, answer: bytes) -> None:
        """Keep an answer, unless it is larger than all that may be kept."""
        if len(answer) < MOST_BYTES:
            with self._lock:
                self._entries[key] = answer


class SharedCache:
    """Answers kept in Redis for all processes. After a failure it is left alone for a while.

    `on_change` is told once when Redis fails (with the reason) and once when it is back (None).
    """

    def __init__(
        self,
        client: RedisLike,
        failures: tuple[type[Exception], ...],
        ttl_s: float,
        on_change: Callable[[str | None], None],
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._failures = failures
        self._ttl_ms = int(ttl_s * 1000)
        self._on_change = on_change
        self._timer = timer
        self._pause_s = _FIRST_PAUSE_S
        self._closed_until = 0.0
        self._failure: str | None = None
        self._lock = threading.Lock()

    @property
    def failure(self) -> str | None:
        """What went wrong last; None while Redis answers."""
        return self._failure

    def get(self, key: str) -> bytes | None:
        """The answer of a key; None too where it was damaged or Redis fails."""
        data = self._call(lambda: self._client.get(key))
        if not isinstance(data, bytes):
            return None
        digest, answer = data[:_DIGEST], data[_DIGEST:]
        return answer if digest == _digest(key, answer) else None

    def put(self, key: str, answer: bytes) -> None:
        """Keep an answer."""
        data = _digest(key, answer) + answer
        self._call(lambda: self._client.set(key, data, px=self._ttl_ms))

    def try_lock(self, key: str) -> bool:
        """Whether this process is the one to compute an answer; true where Redis fails."""
        name = f"{key}:claim"
        claimed = self._call(lambda: self._client.set(name, b"1", px=_LOCK_MS, nx=True))
        return claimed is not None or self._failure is not None

    def check(self) -> str | None:
        """Ask Redis now, pause or not: None where it answers, else the failure."""
        with self._lock:
            self._closed_until = 0.0
        self._call(self._client.ping)
        return self._failure

    def _call(self, ask: Callable[[], object]) -> object:
        if self._timer() < self._closed_until:
            return None
        try:
            answer = ask()
        except self._failures as error:
            self._record_failure(f"{type(error).__name__}: {error}")
            return None
        self._record_success()
        return answer

    def _record_failure(self, failure: str) -> None:
        with self._lock:
            is_news, self._failure = self._failure is None, failure
            self._closed_until = self._timer() + self._pause_s
            self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)
        if is_news:
            self._on_change(failure)

    def _record_success(self) -> None:
        if self._failure is None:
            return
        with self._lock:
            is_news, self._failure = self._failure is not None, None
            self._pause_s = _FIRST_PAUSE_S
        if is_news:
            self._on_change(None)


class AnswerCache:
    """Gives the answer of a key, computed once however many ask for it at a time."""

    def __init__(self, memory: LocalCache, shared: SharedCache | None = None) -> None:
        self._memory = memory
        self._shared = shared
        self._flights: defaultdict[str, _InFlight] = defaultdict(_InFlight)
        self._lock = threading.Lock()

    def answer(self, key: str, compute: Callable[[], bytes]) -> tuple[bytes, CacheSource]:
        """The answer of a key, and where it was found. What `compute` raises is raised."""
        kept = self._memory.get(key)
        if kept is not None:
            return kept, "memory"
        with self._single_flight(key):
            kept = self._memory.get(key)
            if kept is not None:
                return kept, "memory"
            shared = self._wait_for_other(key)
            answer = compute() if shared is None else shared
            self._memory.put(key, answer)
            if self._shared is not None and shared is None:
                self._shared.put(key, answer)
            return answer, "computed" if shared is None else "redis"

    def health(self, *, ask: bool = False) -> CacheHealth:
        """Whether the shared cache answers; with `ask` it is asked now."""
        if self._shared is None:
            return CacheHealth("memory", True)
        failure = self._shared.check() if ask else self._shared.failure
        return CacheHealth("redis", failure is None, failure)

    def _wait_for_other(self, key: str) -> bytes | None:
        """What another process has computed, or is just computing."""
        if self._shared is None:
            return None
        found = self._shared.get(key)
        if found is not None or self._shared.try_lock(key):
            return found
        for _ in range(_MAX_POLLS):
            time.sleep(_POLL_INTERVAL_S)
            if (found := self._shared.get(key)) is not None or self._shared.failure is not None:
                return found
        return None

    @contextmanager
    def _single_flight(self, key: str) -> Iterator[None]:
        """One thread a key at a time; the others wait for it."""
        with self._lock:
            flight = self._flights[key]
            flight.waiting += 1
        try:
            with flight.lock:
                yield
        finally:
            with self._lock:
                flight.waiting -= 1
                if not flight.waiting:
                    self._flights.pop(key, None)


class _InFlight:
    """Threads that want the same answer."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.waiting = 0


def redis_cache(url: str, ttl_s: float, on_change: Callable[[str | None], None]) -> SharedCache:
    """The shared cache behind a Redis URL; it is not asked yet. Raises ModuleNotFoundError."""
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    client = redis.Redis.from_url(
        url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S, retry=Retry(NoBackoff(), 0)
    )
    return SharedCache(client, (redis.RedisError, OSError), ttl_s, on_change)


def _digest(key: str, answer: bytes) -> bytes:
    """Tells an answer of this key from anything else that stands in Redis under its name."""
    return blake2b(key.encode() + b"\0" + answer, digest_size=_DIGEST).digest()
