"""A bounded cache holds no more than its limit, and threads that share it never raise."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from tearsheet.bounded_cache import BoundedCache


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 40)), max_size=60))
def test_a_value_is_computed_once_while_it_fits_and_the_oldest_goes_first(
    asked: list[tuple[int, int]],
) -> None:
    cache = BoundedCache[bytes](100, len)
    expected: dict[int, bytes] = {}
    for key, size in asked:
        computed: list[bytes] = []

        def compute(size: int = size, computed: list[bytes] = computed) -> bytes:
            computed.append(bytes(size))
            return computed[0]

        value = cache.get_or_compute(key, compute)
        assert bool(computed) == (key not in expected)
        expected.setdefault(key, value)
        while sum(map(len, expected.values())) > 100:
            del expected[next(iter(expected))]
        assert value == expected[key]


def test_the_newest_value_is_kept_however_large_it_is() -> None:
    cache = BoundedCache[bytes](10, len)
    cache.get_or_compute("small", lambda: b"123")
    large = cache.get_or_compute("large", lambda: bytes(100))
    assert cache.get_or_compute("large", bytes) is large
    assert cache.get_or_compute("small", lambda: b"new") == b"new"


def test_threads_that_share_a_cache_never_raise() -> None:
    cache = BoundedCache[int](3)

    def work(offset: int) -> None:
        for number in range(3000):
            key = (number + offset) % 17
            assert cache.get_or_compute(key, partial(int, key)) == key

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [None] * 8
