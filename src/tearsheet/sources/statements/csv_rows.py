"""Streams a CSV file as rows of texts, one for each field; a row that is none is a problem."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from pathlib import Path

from msgspec import Struct, structs

from tearsheet.sources.layouts.layout import FIELDS
from tearsheet.sources.statements.fill_rows import FillParser
from tearsheet.sources.text.lines import Lines
from tearsheet.sources.text.problem import NOT_TEXT, RowProblem
from tearsheet.trade.fill import Fill, Rejection

_TOO_LONG = RowProblem("line_too_long", "a cell is far longer than any value", "check for a missing quote")
_EXTRA_COLUMNS = RowProblem(
    "extra_columns", "the row has more cells than the header", "quote cells with separators"
)
_PROGRESS_EVERY = 1000


class CsvPosition(Struct, frozen=True):
    """Where the rows of a CSV file begin, and where its fields stand in them."""

    encoding: str
    separator: str
    header: list[str]
    header_line: int
    places: Mapping[str, int]


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
        """The cells of every row below a line, with what is wrong with them as text."""
        with self.open_lines() as lines:
            for cells in self.iter_cells(lines, after):
                yield cells, encoding_problem(lines)
        self.bytes_read = self._path.stat().st_size

    def open_lines(self) -> Lines:
        """The lines of the file."""
        return Lines(self._path, self._encoding)

    def iter_cells(self, lines: Lines, after: int) -> Iterator[list[str]]:
        """The cells of every row below a line; none where one was beyond all limits."""
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
                    yield cells
                return
            except csv.Error:  # a cell beyond the limit of the csv module
                self.line, self.last_line = self.last_line + 1, after + rows.line_num
                lines.has_truncated = True
                yield []


class CsvReader:
    """Reads a CSV file whose cells are the fields as they stand, from its header on."""

    def __init__(self, path: Path, shape: CsvPosition) -> None:
        self._table = CsvTable(path, shape.encoding, shape.separator)
        self._path = path
        self._position = shape
        self._header = strip_cells(shape.header) or [""]
        self._read = 0

    @property
    def line(self) -> int:
        """The first line of the row given last."""
        return self._table.line

    @property
    def bytes_read(self) -> int:
        """How far the file has been read."""
        return self._read or self._table.bytes_read

    def texts(self) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
        """The fields of every row that is one, and its cells."""
        for row, cells in self._rows():
            if not isinstance(row, RowProblem):
                yield row, cells

    def read(self, rows: FillParser) -> Iterator[Fill | Rejection]:
        """The fills and rejections of the file."""
        self._read = 0
        for row, cells in self._rows():
            made = (
                rows.reject(self.line, cells, row)
                if isinstance(row, RowProblem)
                else rows.parse(row, self.line, cells)
            )
            if made is not None:
                yield made if isinstance(made, Fill) else describe_span(made, self._table.last_line)
        self._read = self._path.stat().st_size

    def _rows(self) -> Iterator[tuple[Sequence[str] | RowProblem, list[str]]]:
        """Every row below the header that is not blank and no header again."""
        shape = self._position
        width = len(shape.header)
        pick = itemgetter(*(shape.places.get(field, width) for field in FIELDS))
        header, is_no_row = self._header[0], self._is_blank_or_header
        with self._table.open_lines() as lines:
            for cells in self._table.iter_cells(lines, shape.header_line):
                if len(cells) != width or lines.has_invalid or lines.has_truncated:
                    if problem := encoding_problem(lines) or extra_columns_problem(cells, width):
                        yield problem, cells
                        continue
                    cells[width:] = [""] * (width - len(cells))
                first = cells[0]
                if (not first or first[0] <= " " or first == header) and is_no_row(cells):
                    continue
                cells.append("")  # stands for the fields that the file has not
                yield pick(cells), cells

    def _is_blank_or_header(self, cells: list[str]) -> bool:
        """Whether the row is blank or the header again."""
        first = cells[0].strip()
        if not first:
            return not "".join(cells).strip()
        return first == self._header[0] and strip_cells(cells) == self._header


def describe_span(rejection: Rejection, through: int) -> Rejection:
    """A rejection of several lines says so: a quote that is never closed swallows rows."""
    if through == rejection.line:
        return rejection
    return structs.replace(
        rejection,
        reason=f"{rejection.reason}; lines {rejection.line}–{through} were read as one row",
        hint=f"check for a missing quote; {rejection.hint}",
    )


def encoding_problem(lines: Lines) -> RowProblem | None:
    """What is wrong with a row as text; the marks of its lines are taken away."""
    problem = _TOO_LONG if lines.has_truncated else NOT_TEXT if lines.has_invalid else None
    lines.has_truncated = lines.has_invalid = False
    return problem


def extra_columns_problem(cells: Sequence[str], width: int) -> RowProblem | None:
    """Whether cells stand beyond the header."""
    return _EXTRA_COLUMNS if "".join(cells[width:]).strip() else None


def strip_cells(cells: Sequence[str]) -> list[str]:
    """Cells without the spaces around them and the empty ones at the end."""
    bare = [cell.strip() for cell in cells]
    while bare and not bare[-1]:
        bare.pop()
    return bare
