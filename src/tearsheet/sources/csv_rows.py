"""Streams a CSV file as rows of texts, one for each field; a row that is none is a problem."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from pathlib import Path

from msgspec import Struct, structs

from tearsheet.sources.fill_rows import FillRows
from tearsheet.sources.layout import FIELDS
from tearsheet.sources.lines import Lines
from tearsheet.sources.problem import NOT_TEXT, Problem
from tearsheet.trade.fill import Fill, Rejection

_TOO_LONG = Problem(
    "line_too_long", "a cell is far longer than any value", "check for a missing quote"
)
_SURPLUS = Problem(
    "extra_columns", "the row has more cells than the header", "quote cells with separators"
)
_PROGRESS_EVERY = 1000


class CsvShape(Struct, frozen=True):
    """Where the rows of a CSV file begin, and where its fields stand in them."""

    encoding: str
    separator: str
    header: list[str]
    header_line: int
    places: Mapping[str, int]


class CsvReader:
    """Reads a CSV file from its header on; `line` is the first line of the row given last."""

    def __init__(self, path: Path, shape: CsvShape) -> None:
        self._path = path
        self._shape = shape
        self._header = _trimmed(shape.header) or [""]
        self.line = 0
        self.through = 0
        self.bytes_read = 0

    def texts(self) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
        """The fields of every row that is one, and its cells."""
        for row, cells in self._rows():
            if not isinstance(row, Problem):
                yield row, cells

    def read(self, rows: FillRows) -> Iterator[Fill | Rejection]:
        """The fills and rejections of the file."""
        for row, cells in self._rows():
            made = (
                rows.reject(self.line, cells, row)
                if isinstance(row, Problem)
                else rows.make(row, self.line, cells)
            )
            if made is not None:
                yield made if isinstance(made, Fill) else self._spanning(made)
        self.bytes_read = self._path.stat().st_size

    def _rows(self) -> Iterator[tuple[Sequence[str] | Problem, list[str]]]:
        """Every row below the header that is not blank and no header again."""
        shape = self._shape
        width = len(shape.header)
        pick = itemgetter(*(shape.places.get(field, width) for field in FIELDS))
        header, is_no_row = self._header[0], self._is_no_row
        with Lines(self._path, shape.encoding) as lines:
            for cells in self._cells(lines):
                if len(cells) != width or lines.odd or lines.cut:
                    if problem := _problem(lines, cells[width:]):
                        yield problem, cells
                        continue
                    cells[width:] = [""] * (width - len(cells))
                first = cells[0]
                if (not first or first[0] <= " " or first == header) and is_no_row(cells):
                    continue
                cells.append("")  # stands for the fields that the file has not
                yield pick(cells), cells

    def _cells(self, lines: Lines) -> Iterator[list[str]]:
        """The cells of every row below the header; none where one was beyond all limits."""
        stream = iter(lines)
        skipped = self._shape.header_line
        for _ in range(skipped):
            next(stream, None)
        lines.odd = lines.cut = False
        rows = csv.reader(stream, delimiter=self._shape.separator)
        self.through = skipped
        while True:
            try:
                for cells in rows:
                    self._came_to(skipped + rows.line_num, lines)
                    yield cells
                return
            except csv.Error:  # a cell beyond the limit of the csv module
                self._came_to(skipped + rows.line_num, lines)
                lines.cut = True
                yield []

    def _came_to(self, line: int, lines: Lines) -> None:
        self.line, self.through = self.through + 1, line
        if line % _PROGRESS_EVERY == 0:
            self.bytes_read = lines.tell()

    def _is_no_row(self, cells: list[str]) -> bool:
        """Whether the row is blank or the header again."""
        first = cells[0].strip()
        if not first:
            return not "".join(cells).strip()
        return first == self._header[0] and _trimmed(cells) == self._header

    def _spanning(self, rejection: Rejection) -> Rejection:
        """A rejection of several lines says so: a quote that is never closed swallows rows."""
        if self.through == self.line:
            return rejection
        return structs.replace(
            rejection,
            reason=f"{rejection.reason}; lines {self.line}–{self.through} were read as one row",
            hint="check for a missing quote",
        )


def _problem(lines: Lines, surplus: list[str]) -> Problem | None:
    """What is wrong with a row as such; the marks of its lines are taken away."""
    problem = _TOO_LONG if lines.cut else NOT_TEXT if lines.odd else None
    lines.cut = lines.odd = False
    if problem is None and "".join(surplus).strip():
        return _SURPLUS
    return problem


def _trimmed(cells: Sequence[str]) -> list[str]:
    """Cells without the spaces around them and the empty ones at the end."""
    bare = [cell.strip() for cell in cells]
    while bare and not bare[-1]:
        bare.pop()
    return bare
