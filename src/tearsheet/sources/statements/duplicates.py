"""Which rows of one file are the same fill, remembered in as little memory as exactness allows."""

from collections import Counter
from datetime import datetime

from tearsheet.sources.statements.spill import DiskMap, SpilledNumbers
from tearsheet.sources.text.problem import RowError

_BITS = 30
_LOW = (1 << _BITS) - 1
_KEY = (1 << 60) - 1


class OccurrenceCounter:
    """Counts equal contents among the rows without an execution id.

    While the times of a file go one way, an equal content can only stand at the same instant, so
    the counts of the others are dropped; eight bytes a row are kept on the disk in case they turn.
    """

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._past = SpilledNumbers()
        self._at: datetime | None = None
        self._rises: bool | None = None
        #: the counts of all rows so far, once the times have turned
        self._all: DiskMap | None = None

    def next_number(self, content: int, at: datetime) -> int:
        """How many rows with this content (a 64-bit digest) came before."""
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
    """Knows the execution ids of a file: 60 bits for each id, 30 for its content, and its line.

    While the ids of each account go one way, none can have come before, so they need not be asked
    for; sixteen bytes a row are kept on the disk in case they turn. Contents are compared by
    digests; two ids that share one would be rejected, never merged.
    """

    def __init__(self) -> None:
        self._last: dict[str, str] = {}
        self._rises: dict[str, bool] = {}
        self._past = SpilledNumbers()
        #: all ids so far, once those of an account have turned
        self._all: DiskMap | None = None

    def is_duplicate(self, account: str, fill_id: str, content: int, line: int) -> bool:
        """Whether the execution stood in the file before. Raises RowError if with other content."""
        mark = hash((account, fill_id)) & _KEY
        entry = (content & _LOW) << _BITS | (line & _LOW)
        if self._all is None:
            if self._is_monotonic(account, fill_id):
                self._past.append(mark)
                self._past.append(entry)
                return False
            self._switch_direction()
            assert self._all is not None
        seen = self._all.get(mark)
        if seen is None:
            self._all.put(mark, entry)
            return False
        if seen >> _BITS == content & _LOW:
            return True
        raise RowError(
            "conflicting_id",
            f"execution {fill_id} of account {account} stands in line {seen & _LOW} with other content",
            "the first one is kept; check which is right with the broker",
        )

    def _is_monotonic(self, account: str, fill_id: str) -> bool:
        """Whether an id comes after, or before, all others of its account: by length, then letters."""
        before = self._last.get(account)
        self._last[account] = fill_id
        if before is None:
            return True
        length = len(before)
        rises = fill_id > before if len(fill_id) == length else len(fill_id) > length
        return fill_id != before and self._rises.setdefault(account, rises) is rises

    def _switch_direction(self) -> None:
        self._all = DiskMap()
        past = iter(self._past)
        for mark, entry in zip(past, past, strict=True):
            self._all.put(mark, entry)
        self._past = SpilledNumbers()


def _count_up(counts: DiskMap, content: int) -> int:
    before = counts.get(content) or 0
    counts.put(content, before + 1)
    return before
