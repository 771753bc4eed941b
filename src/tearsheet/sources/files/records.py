"""Records of named values as a table; the names are its header."""

from collections.abc import Iterator, Mapping, Sequence

from tearsheet.sources.text.lines import is_text
from tearsheet.sources.text.problem import NOT_TEXT, RowProblem

#: Bytes of the largest file that is read into memory as a whole.
LARGEST = 512 << 20


class RecordTable:
    """Records in memory; `line` is the number of the record."""

    def __init__(self, records: Sequence[Mapping[str, str]]) -> None:
        self._records = records
        self._names = list(dict.fromkeys(name for record in records for name in record))
        self.line = self.last_line = 0
        self.resume_after = 1
        self.bytes_read = 0

    def rows(self, after: int) -> Iterator[tuple[list[str], RowProblem | None]]:
        """Yield the names if `after` is 0, then the values of each record."""
        self.line = self.last_line = 0
        if not after:
            self.line = self.last_line = 1
            yield list(self._names), None
        for number, record in enumerate(self._records, 1):
            self.line = self.last_line = number
            cells = [record.get(name, "") for name in self._names]
            yield cells, None if is_text("".join(cells)) else NOT_TEXT
