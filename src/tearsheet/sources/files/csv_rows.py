"""Rows of a CSV file as cells."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct, structs

from tearsheet.sources.text.lines import Lines
from tearsheet.sources.text.problem import MOST_COLUMNS, NOT_TEXT, TOO_WIDE, RowProblem
from tearsheet.trade.fill import Rejection

_TOO_LONG = RowProblem("line_too_long", "a value is too long", "check for a missing closing quote")
_EXTRA_COLUMNS = RowProblem(
    "extra_columns",
    "the row has more columns than the header",
    "put values that contain the separator in quotes",
)
_PROGRESS_EVERY = 1000


class CsvPosition(Struct, frozen=True):
    """Encoding and separator of a CSV file, and its header with its line; rows begin below it."""

    encoding: str
    separator: str
    header: list[str]
    header_line: int


class CsvTable:
    """The rows of a CSV file as cells, from a line on; `line` and `through` are those of the row given last."""

    def __init__(self, path: Path, encoding: str, separator: str) -> None:
        self._path = path
        self._encoding = encoding
        self._separator = separator
        self.line = 0
        self.last_line = 0
        self.bytes_read = 0

    @property
    def resume_after(self) -> int:
        """The last line of the row given last."""
        return self.last_line

    def rows(self, after: int) -> Iterator[tuple[list[str], RowProblem | None]]:
        """Yield the cells of every row below a line, and what is wrong with their text."""
        with Lines(self._path, self._encoding) as lines:
            stream = iter(lines)
            for _ in range(after):
                next(stream, None)
            lines.has_invalid = lines.has_truncated = False
            rows = csv.reader(stream, delimiter=self._separator)
            self.line = self.last_line = after
            while True:
                try:
                    for cells in rows:
                        self.line, self.last_line = self.last_line + 1, after + rows.line_num
                        if not self.last_line % _PROGRESS_EVERY:
                            self.bytes_read = lines.position()
                        if lines.has_invalid or lines.has_truncated:
                            yield cells[:MOST_COLUMNS], _text_problem(lines)
                        elif len(cells) > MOST_COLUMNS:
                            yield cells[:MOST_COLUMNS], TOO_WIDE
                        else:
                            yield cells, None
                    break
                except csv.Error:  # a cell beyond the limit of the csv module
                    self.line, self.last_line = self.last_line + 1, after + rows.line_num
                    lines.has_truncated = True
                    yield [], _text_problem(lines)
        self.bytes_read = self._path.stat().st_size


def describe_span(rejection: Rejection, through: int) -> Rejection:
    """Return a rejection that names its lines if a row spans several: an unclosed quote joins rows."""
    if through == rejection.line:
        return rejection
    return structs.replace(
        rejection,
        reason=f"{rejection.reason}; lines {rejection.line}–{through} were read as one row",
        hint=f"check for a missing closing quote; {rejection.hint}",
    )


def _text_problem(lines: Lines) -> RowProblem:
    """Return what is wrong with the text of a row, and reset the marks of its lines."""
    problem = _TOO_LONG if lines.has_truncated else NOT_TEXT
    lines.has_truncated = lines.has_invalid = False
    return problem


def extra_columns_problem(cells: Sequence[str], width: int) -> RowProblem | None:
    """Return the problem if a row has more cells than the header."""
    return _EXTRA_COLUMNS if "".join(cells[width:]).strip() else None


def strip_cells(cells: Sequence[str]) -> list[str]:
    """Return cells without surrounding spaces, and without the empty cells at the end."""
    bare = [cell.strip() for cell in cells]
    while bare and not bare[-1]:
        bare.pop()
    return bare
