"""What a file of any size makes one remember, of which only the latest is held in memory."""

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import chain
from mmap import ACCESS_READ, mmap
from tempfile import TemporaryFile

from msgspec import Struct

from tearsheet.errors import InputError

#: So many entries are held in memory; the others are on the disk, so many sorted ones in a run.
_MOST = 100_000
#: Two bits for each mark say whether it may be on the disk; all of them are 16 MiB.
_BITS = (1 << 27) - 1
_APART = 30
_AT_ONCE = 1 << 18


class _SortedRun(Struct, frozen=True):
    """Marks in order, and the number of each."""

    marks: Sequence[int]
    numbers: Sequence[int]

    def get(self, mark: int) -> int | None:
        place = bisect_left(self.marks, mark)
        is_here = place < len(self.marks) and self.marks[place] == mark
        return self.numbers[place] if is_here else None


class DiskMap:
    """Remembers a number for each mark, however many there are, in as much memory as a few need."""

    def __init__(self) -> None:
        self._latest: dict[int, int] = {}
        self._bits = bytearray()
        self._runs: list[_SortedRun] = []

    def get(self, mark: int) -> int | None:
        """The number of a mark, None for one that is not known."""
        found = self._latest.get(mark)
        if found is not None or not self._runs:
            return found
        bits, one, other = self._bits, mark & _BITS, mark >> _APART & _BITS
        if not (bits[one >> 3] >> (one & 7) & 1 and bits[other >> 3] >> (other & 7) & 1):
            return None
        numbers = (run.get(mark) for run in reversed(self._runs))
        return next((number for number in numbers if number is not None), None)

    def put(self, mark: int, number: int) -> None:
        """Remember the number of a mark, in place of the one before."""
        latest = self._latest
        latest[mark] = number
        if len(latest) >= _MOST:
            self._flush(sorted(latest))
            latest.clear()

    def _flush(self, marks: list[int]) -> None:
        self._bits = bits = self._bits or bytearray(_BITS + 1 >> 3)
        for mark in marks:
            one, other = mark & _BITS, mark >> _APART & _BITS
            bits[one >> 3] |= 1 << (one & 7)
            bits[other >> 3] |= 1 << (other & 7)
        numbers = map(self._latest.__getitem__, marks)
        self._runs.append(
            _SortedRun(_write_temp_file(array("Q", marks)), _write_temp_file(array("Q", numbers)))
        )


class SpilledNumbers:
    """Numbers of 64 bits in the order in which they came."""

    def __init__(self) -> None:
        self._latest: array[int] = array("Q")
        self._past: list[Sequence[int]] = []

    def append(self, number: int) -> None:
        """Put one behind the others."""
        self._latest.append(number)
        if len(self._latest) >= _AT_ONCE:
            self._past.append(_write_temp_file(self._latest))
            del self._latest[:]

    def __iter__(self) -> Iterator[int]:
        return chain(*self._past, self._latest)


def _disk_full_error(error: Exception) -> InputError:
    return InputError(
        f"what has to be remembered of the file does not fit on the disk: {error}",
        "free some space, or name another folder for temporary files in TMPDIR",
    )


def _write_temp_file(numbers: "array[int]") -> Sequence[int]:
    """The same numbers in a file without a name, which goes with them."""
    try:
        with TemporaryFile() as file:
            numbers.tofile(file)
            file.flush()
            return memoryview(mmap(file.fileno(), 0, access=ACCESS_READ)).cast("Q")
    except OSError as error:
        raise _disk_full_error(error) from error
