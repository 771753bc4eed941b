"""Records of named values as a table; the names are its header."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from tearsheet.errors import FormatError
from tearsheet.sources.text.lines import is_text
from tearsheet.sources.text.problem import MOST_COLUMNS, NOT_TEXT, RowProblem

#: Bytes of the largest file that is read into memory as a whole.
LARGEST = 512 << 20


def column_names(records: Iterable[Mapping[str, str]]) -> list[str]:
    """Return the names of all records, in order of appearance. Raises FormatError for too many."""
    names: dict[str, None] = {}
    for record in records:
        names |= dict.fromkeys(record)
        if len(names) > MOST_COLUMNS:
            raise FormatError(
                f"the file has more than {MOST_COLUMNS:,} columns", "export the table of fills alone"
            )
    return list(names)


class RecordTable:
    """Records in memory; `line` is the number of the record."""

    def __init__(self, records: Sequence[Mapping[str, str]]) -> None:
        self._records = records
        self._names = column_names(records)
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
