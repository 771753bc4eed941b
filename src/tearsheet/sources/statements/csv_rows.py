"""Streams a CSV file as rows of texts, one for each field; a row that is none is a problem."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from pathlib import Path

from msgspec import Struct, structs

from tearsheet.sources.layouts.layout import FIELDS
from tearsheet.sources.statements.fill_rows import FillRows
from tearsheet.sources.text.lines import Lines
from tearsheet.sources.text.problem import NOT_TEXT, Problem
from tearsheet.trade.fill import Fill, Rejection

_TOO_LONG = Problem("line_too_long", "a cell is far longer than any value", "check for a missing quote")
_EXTRA_COLUMNS = Problem("extra_columns", "the row has more cells than the header", "quote cells with separators")
_PROGRESS_EVERY = 1000


class CsvShape(Struct, frozen=True):
    """Where the rows of a CSV file begin, and where its fields stand in them."""

    encoding: str
    separator: str
    header: list[str]
    header_line: int
    places: Mapping[str, int]


class CsvGrid:
    """The rows of a CSV file as cells, from a line on; `line` and `through` are those of the row given last."""

    def __init__(self, path: Path, encoding: str, separator: str) -> None:
        self._path = path
        self._encoding = encoding
        self._separator = separator
        self.line = 0
        self.through = 0
        self.bytes_read = 0

    @property
    def place(self) -> int:
        """The last line of the row given last."""
        return self.through

    def rows(self, after: int) -> Iterator[tuple[list[str], Problem | None]]:
        """The cells of every row below a line, with what is wrong with them as text."""
        with self.opened() as lines:
            for cells in self.cells(lines, after):
                yield cells, marked(lines)
        self.bytes_read = self._path.stat().st_size

    def opened(self) -> Lines:
        """The lines of the file."""
        return Lines(self._path, self._encoding)

    def cells(self, lines: Lines, after: int) -> Iterator[list[str]]:
        """The cells of every row below a line; none where one was beyond all limits."""
        stream = iter(lines)
        for _ in range(after):
            next(stream, None)
        lines.odd = lines.cut = False
        rows = csv.reader(stream, delimiter=self._separator)
        self.line = self.through = after
        while True:
            try:
                for cells in rows:
                    self.line, self.through = self.through + 1, after + rows.line_num
                    if not self.through % _PROGRESS_EVERY:
                        self.bytes_read = lines.tell()
                    yield cells
                return
            except csv.Error:  # a cell beyond the limit of the csv module
                self.line, self.through = self.through + 1, after + rows.line_num
                lines.cut = True
                yield []


class CsvReader:
    """Reads a CSV file whose cells are the fields as they stand, from its header on."""

    def __init__(self, path: Path, shape: CsvShape) -> None:
        self._grid = CsvGrid(path, shape.encoding, shape.separator)
        self._path = path
        self._position = shape
        self._header = trimmed(shape.header) or [""]
        self._read = 0

    @property
    def line(self) -> int:
        """The first line of the row given last."""
        return self._grid.line

    @property
    def bytes_read(self) -> int:
        """How far the file has been read."""
        return self._read or self._grid.bytes_read

    def texts(self) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
        """The fields of every row that is one, and its cells."""
        for row, cells in self._rows():
            if not isinstance(row, Problem):
                yield row, cells

    def read(self, rows: FillRows) -> Iterator[Fill | Rejection]:
        """The fills and rejections of the file."""
        self._read = 0
        for row, cells in self._rows():
            made = (
                rows.reject(self.line, cells, row)
                if isinstance(row, Problem)
                else rows.make(row, self.line, cells)
            )
            if made is not None:
                yield made if isinstance(made, Fill) else spanning(made, self._grid.through)
        self._read = self._path.stat().st_size

    def _rows(self) -> Iterator[tuple[Sequence[str] | Problem, list[str]]]:
        """Every row below the header that is not blank and no header again."""
        shape = self._position
        width = len(shape.header)
        pick = itemgetter(*(shape.places.get(field, width) for field in FIELDS))
        header, is_no_row = self._header[0], self._is_blank_or_header
        with self._grid.opened() as lines:
            for cells in self._grid.cells(lines, shape.header_line):
                if len(cells) != width or lines.odd or lines.cut:
                    if problem := marked(lines) or surplus(cells, width):
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
        return first == self._header[0] and trimmed(cells) == self._header


def spanning(rejection: Rejection, through: int) -> Rejection:
    """A rejection of several lines says so: a quote that is never closed swallows rows."""
    if through == rejection.line:
        return rejection
    return structs.replace(
        rejection,
        reason=f"{rejection.reason}; lines {rejection.line}–{through} were read as one row",
        hint=f"check for a missing quote; {rejection.hint}",
    )


def marked(lines: Lines) -> Problem | None:
    """What is wrong with a row as text; the marks of its lines are taken away."""
    problem = _TOO_LONG if lines.cut else NOT_TEXT if lines.odd else None
    lines.cut = lines.odd = False
    return problem


def surplus(cells: Sequence[str], width: int) -> Problem | None:
    """Whether cells stand beyond the header."""
    return _EXTRA_COLUMNS if "".join(cells[width:]).strip() else None


def trimmed(cells: Sequence[str]) -> list[str]:
    """Cells without the spaces around them and the empty ones at the end."""
    bare = [cell.strip() for cell in cells]
    while bare and not bare[-1]:
        bare.pop()
    return bare
