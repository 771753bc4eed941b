"""The first rows and cells of an Excel workbook; formats are passed over, numbers have 15 digits."""

import re
import zipfile
from collections.abc import Iterator
from decimal import Context, InvalidOperation
from pathlib import Path
from xml.parsers import expat

from tearsheet.errors import FormatError
from tearsheet.sources.text.lines import is_text
from tearsheet.sources.text.problem import NOT_TEXT, RowProblem

_LARGEST = 256 << 20
_MOST_COLUMNS = 16_384
_AS_SHOWN = Context(prec=15)
_SHEETS = re.compile(r"^xl/worksheets/sheet(\d+)\.xml$")
_PLACE = re.compile(r"^([A-Z]{1,3})(\d{1,7})$")


class ExcelSheets:
    """The rows of all sheets, one below the other. `line` is the number of the row in its sheet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._table: list[tuple[int, list[str]]] | None = None
        self.line = self.last_line = self.resume_after = 0
        self.bytes_read = 0

    def rows(self, after: int) -> Iterator[tuple[list[str], RowProblem | None]]:
        """The cells of every row below a row. Raises FormatError where it is no workbook."""
        if self._table is None:
            self._table = list(self._read())
        for number, cells in self._table:
            if number > after:
                self.line = self.last_line = self.resume_after = number
                yield list(cells), None if is_text("".join(cells)) else NOT_TEXT

    def _read(self) -> Iterator[tuple[int, list[str]]]:
        try:
            with zipfile.ZipFile(self._path) as archive:
                names = archive.namelist()
                if sum(info.file_size for info in archive.infolist()) > _LARGEST:
                    raise FormatError(f"{self._path}: the workbook is too large", "save it as CSV")
                shared = _SharedStrings()
                if "xl/sharedStrings.xml" in names:
                    shared.parse(archive.read("xl/sharedStrings.xml"))
                found = sorted((int(m[1]), m[0]) for m in map(_SHEETS.match, names) if m)
                above = 0
                for _, name in found:
                    sheet = _SheetParser(shared.strings)
                    sheet.parse(archive.read(name))
                    yield from ((above + number, cells) for number, cells in sheet.rows)
                    above += sheet.rows[-1][0] + 1 if sheet.rows else 0
        except (
            zipfile.BadZipFile,
            zipfile.LargeZipFile,
            expat.ExpatError,
            LookupError,
            ValueError,
            NotImplementedError,
            RuntimeError,
            EOFError,
            OSError,
        ) as error:
            raise FormatError(
                f"{self._path}: it is no workbook of Excel: {error}", "save it as CSV"
            ) from None


class _Parser:
    """An XML parser without entities."""

    def parse(self, content: bytes) -> None:
        """Read a part of the workbook."""
        parser = expat.ParserCreate()
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.CharacterDataHandler = self.text
        parser.StartDoctypeDeclHandler = _reject_doctype
        parser.Parse(content, True)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""

    def end(self, name: str) -> None:
        """An element ends."""

    def text(self, text: str) -> None:
        """Text within an element."""


class _SharedStrings(_Parser):
    """The texts that cells share."""

    def __init__(self) -> None:
        self.strings: list[str] = []
        self._is_text = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "si":
            self.strings.append("")
        self._is_text = name == "t"

    def end(self, name: str) -> None:
        self._is_text = False

    def text(self, text: str) -> None:
        if self._is_text and self.strings:
            self.strings[-1] += text


class _SheetParser(_Parser):
    """The rows of a sheet."""

    def __init__(self, shared: list[str]) -> None:
        self.rows: list[tuple[int, list[str]]] = []
        self._shared = shared
        self._kind = ""
        self._column = 0
        self._text: str | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "row":
            before = self.rows[-1][0] if self.rows else 0
            self.rows.append((int(attributes.get("r") or before + 1), []))
        elif name == "c":
            self._kind = attributes.get("t", "n")
            place = _PLACE.match(attributes.get("r", ""))
            self._column = _column(place[1]) if place else len(self.rows[-1][1])
        elif name in ("v", "t"):
            self._text = ""

    def end(self, name: str) -> None:
        if name in ("v", "t") and self._text is not None and self.rows:
            cells = self.rows[-1][1]
            cells += [""] * (self._column + 1 - len(cells))
            cells[self._column] += self._value(self._text)
            self._text = None

    def text(self, text: str) -> None:
        if self._text is not None:
            self._text += text

    def _value(self, text: str) -> str:
        if self._kind == "s":
            return self._shared[int(text)]
        if self._kind != "n":
            return text
        try:
            return format(_AS_SHOWN.create_decimal(text), "f")
        except InvalidOperation:
            return text


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    if number > _MOST_COLUMNS:
        raise ValueError(f"column {letters} is beyond the last one")
    return number - 1


def _reject_doctype(*_: object) -> None:
    raise ValueError("it declares a document type")
