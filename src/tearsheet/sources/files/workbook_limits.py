"""Limits on the memory that a workbook may take, counted by a streaming parse before it is opened.

The reader builds dense ranges: two cells far apart in a file of 5 kB can ask for gigabytes.
"""

from collections.abc import Iterator
from io import BytesIO
from xml.parsers import expat
from zipfile import ZipFile

from msgspec import Struct

#: For the unpacked parts that are read, and for the characters of all cells.
MOST_BYTES = 256 << 20
#: A part of this size is refused at once if it is packed more tightly than any sheet.
_SUSPECT_BYTES, _MOST_RATIO = 16 << 20, 200
#: Rows x columns of the used ranges of all sheets: 32 bytes a cell, 160 MB.
MOST_CELLS = 5_000_000
_CHUNK = 1 << 16


class WorkbookTooLargeError(Exception):
    """A workbook that would take too much memory."""


class CheckedWorkbook(Struct, frozen=True):
    """A copy of a workbook that holds only checked parts.

    `error_cells` has the texts of cells with an error such as #N/A, by row and column from 0, for
    each sheet: the reader returns them empty, and an empty fee would count as no fee.
    """

    content: BytesIO
    error_cells: list[dict[tuple[int, int], str]]


class CellBudget:
    """Counts the cells and characters of a workbook. Raises WorkbookTooLargeError beyond a limit."""

    def __init__(self) -> None:
        self._other_sheets = 0
        self._characters = 0
        self._built = 0
        self._range: tuple[int, int, int, int] | None = None

    def start_sheet(self) -> None:
        """Start the used range of the next sheet."""
        self._other_sheets += self._area()
        self._range = None

    def add(self, row: int, column: int, last_row: int, last_column: int) -> None:
        """Extend the used range by a block of cells, given by its first and last row and column."""
        top, left, bottom, right = self._range or (row, column, row - 1, column)
        if row < top or last_row > bottom or column < left or last_column > right:
            self._range = (min(top, row), min(left, column), max(bottom, last_row), max(right, last_column))
            if self._other_sheets + self._area() > MOST_CELLS:
                raise WorkbookTooLargeError(f"it spans more than {MOST_CELLS:,} cells")

    def add_cells(self, number: int) -> None:
        """Count cells that the reader builds, whether they have a value or not."""
        self._built += number
        if self._built > MOST_CELLS:
            raise WorkbookTooLargeError(f"it has more than {MOST_CELLS:,} cells")

    def add_text(self, characters: int) -> None:
        """Count the characters of a cell."""
        self._characters += characters
        if self._characters > MOST_BYTES:
            raise WorkbookTooLargeError(f"it holds more than {MOST_BYTES >> 20} MB of text")

    def _area(self) -> int:
        if self._range is None:
            return 0
        top, left, bottom, right = self._range
        return (bottom - top + 1) * (right - left + 1)


class XmlScanner:
    """Base of the streaming parsers of parts: UTF-8, no document types and so no entities."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate("utf-8")
        self.parser.StartElementHandler = self.start
        self.parser.StartDoctypeDeclHandler = _reject_doctype
        self.parser.buffer_text = True

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Handle the start of an element."""


class WorkbookParts:
    """The parts of a workbook in a ZIP archive, by their names without case."""

    def __init__(self, archive: ZipFile) -> None:
        self._archive = archive
        self._names = {name.casefold(): name for name in archive.namelist()}
        self._bytes = 0

    def has(self, name: str) -> bool:
        """Return whether the archive has a part."""
        return name.casefold() in self._names

    def scan(self, name: str, scanner: XmlScanner) -> None:
        """Parse a part. Raises WorkbookTooLargeError, ExpatError, ValueError and LookupError."""
        for chunk in self._read(name):
            scanner.parser.Parse(chunk, False)
        scanner.parser.Parse(b"", True)

    def copy(self, name: str, scanner: XmlScanner, target: ZipFile, target_name: str) -> None:
        """Parse a part and write it to another archive. Raises like `scan`."""
        with target.open(target_name, "w") as part:
            for chunk in self._read(name):
                scanner.parser.Parse(chunk, False)
                part.write(chunk)
            scanner.parser.Parse(b"", True)

    def _read(self, name: str) -> Iterator[bytes]:
        if not self.has(name):
            raise ValueError(f"{name} is missing")
        info = self._archive.getinfo(self._names[name.casefold()])
        if info.file_size > max(_SUSPECT_BYTES, info.compress_size * _MOST_RATIO):
            raise WorkbookTooLargeError(f"a part of it is packed more than {_MOST_RATIO} to 1")
        with self._archive.open(info) as part:
            while chunk := part.read(_CHUNK):
                self._bytes += len(chunk)
                if self._bytes > MOST_BYTES:
                    raise WorkbookTooLargeError(f"unpacked, it has more than {MOST_BYTES >> 20} MB")
                yield chunk


def _reject_doctype(*_: object) -> None:
    raise ValueError("it declares a document type")
