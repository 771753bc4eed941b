"""Detection of duplicate rows within one file, with bounded memory.

Hashes beyond a fixed number lie in sorted temporary files behind a Bloom filter. A plain dict of a
million execution IDs takes 129 MiB.
"""

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain, compress
from mmap import ACCESS_READ, mmap
from operator import lt, not_
from tempfile import TemporaryFile

from msgspec import Struct

from tearsheet.errors import InputError
from tearsheet.sources.text.problem import RowError

_BITS = 30
_LOW = (1 << _BITS) - 1
_KEY = (1 << 60) - 1
#: Entries of a DiskMap in memory; each time it is full, they become one sorted run on disk.
_RUN_SIZE = 100_000
#: The Bloom filter sets two bits per key: its low bits, and the bits above the shift. It takes 16 MiB.
_FILTER_MASK = (1 << 27) - 1
_FILTER_SHIFT = 30
_BUFFER_SIZE = 1 << 18


class OccurrenceCounter:
    """Counter of equal contents among the rows without an execution ID.

    While times only rise or only fall, equal contents share an instant, so the counts of other
    instants are dropped. Eight bytes a row stay on disk, to count them all once the direction changes.
    """

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._past = SpilledNumbers()
        self._at: datetime | None = None
        self._rises: bool | None = None
        #: Counts of all rows, once the direction has changed.
        self._all: DiskMap | None = None

    def next_number(self, content: int, at: datetime) -> int:
        """Return how many rows with this content, a 64-bit digest, came before."""
        if self._all is None and at != self._at:
            self._advance(at)
        if self._all is not None:
            return _count_up(self._all, content)
        self._past.append(content)
        before = self._counts.get(content, 0)
        self._counts[content] = before + 1
        return before

    def _advance(self, at: datetime) -> None:
        rises = None if self._at is None else at > self._at
        if self._rises is None or rises == self._rises:
            self._counts.clear()
            self._at, self._rises = at, rises
            return
        self._all = DiskMap()
        for content in self._past:
            _count_up(self._all, content)
        self._past = SpilledNumbers()


class ExecutionIndex:
    """Index of the execution IDs of a file: 60 bits of hash per ID, 30 of its content, and its line.

    While the IDs of each account only rise or only fall, none can repeat, and nothing is looked up.
    Sixteen bytes a row stay on disk, to index them all once the direction changes. Two IDs with
    the same hash but other content would be rejected, never merged.
    """

    def __init__(self) -> None:
        self._last: dict[str, str] = {}
        self._rises: dict[str, bool] = {}
        self._past = SpilledNumbers()
        #: All IDs, once the direction of an account has changed.
        self._all: DiskMap | None = None

    def is_duplicate(self, account: str, fill_id: str, content: int, line: int) -> bool:
        """Return whether an earlier line has the execution. Raises RowError if its content differs."""
        key = hash((account, fill_id)) & _KEY
        entry = (content & _LOW) << _BITS | (line & _LOW)
        if self._all is None:
            if self._is_monotonic(account, fill_id):
                self._past.append_pair(key, entry)
                return False
            self._all = self._index_past()
        earlier = self._all.get(key)
        if earlier is None:
            self._all.put(key, entry)
            return False
        if earlier >> _BITS == content & _LOW:
            return True
        raise RowError(
            "conflicting_id",
            f"execution {fill_id} of account {account} stands in line {earlier & _LOW} with other content",
            "the first one is used; check with your broker",
        )

    def add_all(
        self, accounts: Sequence[str], fill_ids: Sequence[str], contents: Sequence[int], lines: Sequence[int]
    ) -> int:
        """Add the executions of rows; return how many come before the first that an earlier row has."""
        count = len(fill_ids)
        new = 0 if self._all is not None else self._count_monotonic(accounts, fill_ids)
        keys = [hash(name) & _KEY for name in zip(accounts, fill_ids, strict=True)]
        entries = [
            (content & _LOW) << _BITS | (line & _LOW) for content, line in zip(contents, lines, strict=True)
        ]
        if self._all is None:
            self._past.extend(list(chain.from_iterable(zip(keys[:new], entries[:new], strict=True))))
            if new == count:
                return count
            self._all = self._index_past()
        for place in range(new, count):
            if self._all.get(keys[place]) is not None:
                return place
            self._all.put(keys[place], entries[place])
        return count

    def _count_monotonic(self, accounts: Sequence[str], fill_ids: Sequence[str]) -> int:
        """Return how many of the next IDs come before the first that may repeat one of its account."""
        places = list(zip(map(len, fill_ids), fill_ids, strict=True))
        first = dict(zip(reversed(accounts), reversed(places), strict=True))
        before = {one: (len(self._last[one]), self._last[one]) for one in first if one in self._last}
        if all(map(lt, places, places[1:])) and all(
            last < first[account] and self._rises.get(account, True) for account, last in before.items()
        ):
            self._rises |= dict.fromkeys(before, True)
            self._last |= zip(accounts, fill_ids, strict=True)
            return len(places)
        repeats = map(not_, map(self._is_monotonic, accounts, fill_ids))
        return next(compress(range(len(places)), repeats), len(places))

    def _is_monotonic(self, account: str, fill_id: str) -> bool:
        """Return whether the IDs of the account are still monotonic, ordered by length, then text."""
        before = self._last.get(account)
        self._last[account] = fill_id
        if before is None:
            return True
        length = len(before)
        rises = fill_id > before if len(fill_id) == length else len(fill_id) > length
        return fill_id != before and self._rises.setdefault(account, rises) is rises

    def _index_past(self) -> "DiskMap":
        index = DiskMap()
        past = iter(self._past)
        for key, entry in zip(past, past, strict=True):
            index.put(key, entry)
        self._past = SpilledNumbers()
        return index


class _SortedRun(Struct, frozen=True):
    """Keys in order, and the number of each."""

    keys: Sequence[int]
    numbers: Sequence[int]

    def get(self, key: int) -> int | None:
        place = bisect_left(self.keys, key)
        is_here = place < len(self.keys) and self.keys[place] == key
        return self.numbers[place] if is_here else None


class DiskMap:
    """Map of 64-bit keys to numbers: the newest entries in memory, the rest in sorted runs on disk."""

    def __init__(self) -> None:
        self._latest: dict[int, int] = {}
        self._filter = bytearray()
        self._runs: list[_SortedRun] = []

    def get(self, key: int) -> int | None:
        """Return the number of a key, None for an unknown one."""
        number = self._latest.get(key)
        if number is not None or not self._runs:
            return number
        bits, low, high = self._filter, key & _FILTER_MASK, key >> _FILTER_SHIFT & _FILTER_MASK
        if not (bits[low >> 3] >> (low & 7) & 1 and bits[high >> 3] >> (high & 7) & 1):
            return None
        numbers = (run.get(key) for run in reversed(self._runs))
        return next((number for number in numbers if number is not None), None)

    def put(self, key: int, number: int) -> None:
        """Set the number of a key."""
        latest = self._latest
        latest[key] = number
        if len(latest) >= _RUN_SIZE:
            self._flush(sorted(latest))
            latest.clear()

    def _flush(self, keys: list[int]) -> None:
        self._filter = bits = self._filter or bytearray(_FILTER_MASK + 1 >> 3)
        for key in keys:
            low, high = key & _FILTER_MASK, key >> _FILTER_SHIFT & _FILTER_MASK
            bits[low >> 3] |= 1 << (low & 7)
            bits[high >> 3] |= 1 << (high & 7)
        numbers = map(self._latest.__getitem__, keys)
        self._runs.append(
            _SortedRun(_write_temp_file(array("Q", keys)), _write_temp_file(array("Q", numbers)))
        )


class SpilledNumbers:
    """Append-only sequence of 64-bit numbers, on disk but for the last part."""

    def __init__(self) -> None:
        self._latest: array[int] = array("Q")
        self._past: list[Sequence[int]] = []

    def append(self, number: int) -> None:
        """Append a number."""
        self._latest.append(number)
        if len(self._latest) >= _BUFFER_SIZE:
            self._spill()

    def append_pair(self, first: int, second: int) -> None:
        """Append two numbers; one call for both saves 5 % of reading a file."""
        latest = self._latest
        latest.append(first)
        latest.append(second)
        if len(latest) >= _BUFFER_SIZE:
            self._spill()

    def extend(self, numbers: Sequence[int]) -> None:
        """Append numbers."""
        self._latest.extend(numbers)
        if len(self._latest) >= _BUFFER_SIZE:
            self._spill()

    def _spill(self) -> None:
        self._past.append(_write_temp_file(self._latest))
        del self._latest[:]

    def __iter__(self) -> Iterator[int]:
        return chain(*self._past, self._latest)


def _count_up(counts: DiskMap, content: int) -> int:
    before = counts.get(content) or 0
    counts.put(content, before + 1)
    return before


def _disk_full_error(error: Exception) -> InputError:
    return InputError(f"not enough disk space for temporary data: {error}", "free disk space or set TMPDIR")


def _write_temp_file(numbers: "array[int]") -> Sequence[int]:
    """Return the numbers mapped from an unlinked temporary file."""
    try:
        with TemporaryFile() as file:
            numbers.tofile(file)
            file.flush()
            return memoryview(mmap(file.fileno(), 0, access=ACCESS_READ)).cast("Q")
    except OSError as error:
        raise _disk_full_error(error) from error
