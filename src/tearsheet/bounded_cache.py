"""Thread-safe cache, bounded by the total size of its values."""

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class BoundedCache(Generic[T]):
    """First-in, first-out cache with a total size of at most `limit`; the newest value is never evicted.

    Two threads that miss the same key both compute its value; neither waits for the other.
    """

    def __init__(self, limit: int, size_of: Callable[[T], int] = lambda value: 1) -> None:
        self._limit, self._size_of = limit, size_of
        self._lock = threading.Lock()
        self._values: dict[Hashable, T] = {}
        self._size = 0

    def get_or_compute(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Return the value of a key, computed if it is missing. `compute` runs outside the lock."""
        with self._lock:
            if key in self._values:
                return self._values[key]
        value = compute()
        with self._lock:
            self._remove(key)
            self._values[key] = value
            self._size += self._size_of(value)
            while self._size > self._limit and len(self._values) > 1:
                self._remove(next(iter(self._values)))
        return value

    def _remove(self, key: Hashable) -> None:
        if key in self._values:
            self._size -= self._size_of(self._values.pop(key))
