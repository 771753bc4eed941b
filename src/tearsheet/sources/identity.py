"""Which rows of one file are the same fill, remembered in as little memory as exactness allows."""

from array import array
from collections import Counter
from datetime import datetime

from tearsheet.sources.problem import RowError

_BITS = 30
_LOW = (1 << _BITS) - 1
_KEY = (1 << 60) - 1


class Occurrences:
    """Counts equal contents among the rows without an execution id.

    While the times of a file go one way, an equal content can only stand at the same instant, so
    the counts of the others are dropped; eight bytes a row are kept in case they turn.
    """

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._past: array[int] = array("Q")
        self._at: datetime | None = None
        self._rises: bool | None = None
        self._is_sorted = True

    def number(self, content: int, at: datetime) -> int:
        """How many rows with this content (a 64-bit digest) came before."""
        if self._is_sorted:
            if at != self._at:
                self._move(at)
            self._past.append(content)
        before = self._counts.get(content, 0)
        self._counts[content] = before + 1
        return before

    def _move(self, at: datetime) -> None:
        rises = None if self._at is None else at > self._at
        if self._rises is None or rises == self._rises:
            self._counts.clear()
            self._at, self._rises = at, rises
            return
        self._counts = Counter(self._past)
        self._past = array("Q")
        self._is_sorted = False


class Executions:
    """Knows the execution ids of a file: 60 bits for each id, 30 for its content, and its line.

    Contents are compared by digests; two ids that share one would be rejected, never merged.
    """

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}

    def is_known(self, account: str, fill_id: str, content: int, line: int) -> bool:
        """Whether the execution stood in the file before. Raises RowError if with other content."""
        entry = (content & _LOW) << _BITS | (line & _LOW)
        seen = self._seen.setdefault(hash((account, fill_id)) & _KEY, entry)
        if seen == entry:
            return False
        if seen >> _BITS == entry >> _BITS:
            return True
        raise RowError(
            "conflicting_id",
            f"execution {fill_id} of account {account} stands in line {seen & _LOW} "
            "with other content",
            "the first one is kept; check which is right with the broker",
        )
