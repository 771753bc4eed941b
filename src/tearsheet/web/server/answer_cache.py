"""Cache of answers: in this process, and in Redis if one is set.

A key contains the state ID of the ledger, so an answer is never stale; the time to live only limits the
memory. When Redis fails, answers are computed instead.
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

from tearsheet.errors import SettingsError
from tearsheet.settings import Settings

CacheSource = Literal["memory", "redis", "computed"]
#: Size of one process's cache.
MAX_BYTES = 4 << 20
_TIMEOUT_S = 0.1
_FIRST_BACKOFF_S, _MAX_BACKOFF_S = 1.0, 30.0
_LOCK_MS = 2000
_POLL_INTERVAL_S, _MAX_POLLS = 0.004, 50
_DIGEST = 16


class RedisLike(Protocol):
    """The calls of a Redis client that the cache uses."""

    def get(self, name: str, /) -> object:
        """Return the value of a key."""

    def set(self, name: str, value: bytes, /, *, px: int, nx: bool = False) -> object:
        """Store a value for `px` milliseconds; with `nx` only if the key is unset."""

    def ping(self) -> object:
        """Raise an error unless the server answers."""


class CacheHealth(Struct, frozen=True):
    """Whether the shared cache is available, with its last failure."""

    kind: Literal["memory", "redis"]
    is_up: bool
    failure: str | None = None


class LocalCache:
    """Answers in the memory of this process, evicted by age and total size."""

    def __init__(self, ttl_s: float, timer: Callable[[], float] = time.monotonic) -> None:
        self._entries: TTLCache[str, bytes] = TTLCache(MAX_BYTES, ttl_s, timer, len)
        self._lock = threading.Lock()

    def get(self, key: str) -> bytes | None:
        """Return the answer of a key."""
        with self._lock:
            return self._entries.get(key)

    def put(self, key: str, answer: bytes) -> None:
        """Store an answer, unless it alone exceeds the cache."""
        if len(answer) < MAX_BYTES:
            with self._lock:
                self._entries[key] = answer


class SharedCache:
    """Answers in Redis, shared by all processes, behind a circuit breaker.

    `on_change` is called with the reason when Redis fails, and with None when it has recovered.
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
        self._backoff_s = _FIRST_BACKOFF_S
        self._retry_at = 0.0
        self._failure: str | None = None
        self._lock = threading.Lock()

    @property
    def failure(self) -> str | None:
        """Return the last failure, or None while Redis answers."""
        return self._failure

    def get(self, key: str) -> bytes | None:
        """Return the answer of a key, or None if it is missing or damaged, or if Redis fails."""
        data = self._call(lambda: self._client.get(key))
        if not isinstance(data, bytes):
            return None
        digest, answer = data[:_DIGEST], data[_DIGEST:]
        return answer if digest == _digest(key, answer) else None

    def put(self, key: str, answer: bytes) -> None:
        """Store an answer."""
        data = _digest(key, answer) + answer
        self._call(lambda: self._client.set(key, data, px=self._ttl_ms))

    def try_lock(self, key: str) -> bool:
        """Return whether this process gets to compute an answer; true if Redis fails."""
        name = f"{key}:claim"
        locked = self._call(lambda: self._client.set(name, b"1", px=_LOCK_MS, nx=True))
        return locked is not None or self._failure is not None

    def check(self) -> str | None:
        """Ping Redis regardless of the backoff; return the failure, or None if it answers."""
        with self._lock:
            self._retry_at = 0.0
        self._call(self._client.ping)
        return self._failure

    def _call(self, command: Callable[[], object]) -> object:
        if self._timer() < self._retry_at:
            return None
        try:
            answer = command()
        except self._failures as error:
            self._record_failure(f"{type(error).__name__}: {error}")
            return None
        self._record_success()
        return answer

    def _record_failure(self, failure: str) -> None:
        with self._lock:
            is_change, self._failure = self._failure is None, failure
            self._retry_at = self._timer() + self._backoff_s
            self._backoff_s = min(self._backoff_s * 2, _MAX_BACKOFF_S)
        if is_change:
            self._on_change(failure)

    def _record_success(self) -> None:
        if self._failure is None:
            return
        with self._lock:
            is_change, self._failure = self._failure is not None, None
            self._backoff_s = _FIRST_BACKOFF_S
        if is_change:
            self._on_change(None)


class AnswerCache:
    """Answers of both caches; concurrent requests for a key share one computation."""

    def __init__(self, memory: LocalCache, shared: SharedCache | None = None) -> None:
        self._memory = memory
        self._shared = shared
        self._flights: defaultdict[str, _InFlight] = defaultdict(_InFlight)
        self._lock = threading.Lock()

    def answer(self, key: str, compute: Callable[[], bytes]) -> tuple[bytes, CacheSource]:
        """Return the answer of a key and its source; errors of `compute` are raised."""
        if (cached := self._memory.get(key)) is not None:
            return cached, "memory"
        with self._single_flight(key):
            if (cached := self._memory.get(key)) is not None:
                return cached, "memory"
            shared = self._wait_for_other(key)
            answer = compute() if shared is None else shared
            self._memory.put(key, answer)
            if self._shared is not None and shared is None:
                self._shared.put(key, answer)
            return answer, "computed" if shared is None else "redis"

    def health(self, *, ping: bool = False) -> CacheHealth:
        """Return the state of the shared cache; with `ping` it is checked now."""
        if self._shared is None:
            return CacheHealth("memory", True)
        failure = self._shared.check() if ping else self._shared.failure
        return CacheHealth("redis", failure is None, failure)

    def _wait_for_other(self, key: str) -> bytes | None:
        """Return the answer that another process has computed or is computing, or None."""
        if self._shared is None:
            return None
        answer = self._shared.get(key)
        if answer is not None or self._shared.try_lock(key):
            return answer
        for _ in range(_MAX_POLLS):
            time.sleep(_POLL_INTERVAL_S)
            if (answer := self._shared.get(key)) is not None or self._shared.failure is not None:
                return answer
        return None

    @contextmanager
    def _single_flight(self, key: str) -> Iterator[None]:
        """Let one thread per key compute at a time."""
        with self._lock:
            flight = self._flights[key]
            flight.threads += 1
        try:
            with flight.lock:
                yield
        finally:
            with self._lock:
                flight.threads -= 1
                if not flight.threads:
                    self._flights.pop(key, None)


class _InFlight:
    """Lock of one key, and the number of threads that hold or await it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.threads = 0


def create_answer_cache(settings: Settings, on_change: Callable[[str | None], None]) -> AnswerCache:
    """Return the cache that the settings describe; `on_change` reports failures of Redis.

    Raises SettingsError if Redis is set but its client is not installed, or the URL is invalid.
    """
    memory = LocalCache(settings.cache_ttl_s)
    if settings.redis_url is None:
        return AnswerCache(memory)
    try:
        shared = redis_cache(settings.redis_url, settings.cache_ttl_s, on_change)
    except ModuleNotFoundError:
        raise SettingsError(
            "REDIS_URL is set, but the Redis client is not installed",
            "pip install 'tearsheet[redis]', or unset REDIS_URL",
        ) from None
    except ValueError as error:
        raise SettingsError(f"REDIS_URL cannot be used: {error}", "use redis://host:port/0") from None
    return AnswerCache(memory, shared)


def redis_cache(url: str, ttl_s: float, on_change: Callable[[str | None], None]) -> SharedCache:
    """Return the cache behind a Redis URL, not yet connected. Raises ModuleNotFoundError, ValueError."""
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    client = redis.Redis.from_url(
        url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S, retry=Retry(NoBackoff(), 0)
    )
    return SharedCache(client, (redis.RedisError, OSError), ttl_s, on_change)


def _digest(key: str, answer: bytes) -> bytes:
    """Return a digest that distinguishes the answer of a key from foreign or damaged data in Redis."""
    return blake2b(key.encode() + b"\0" + answer, digest_size=_DIGEST).digest()
