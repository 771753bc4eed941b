"""Checks an .xlsx workbook, and copies what is needed to read its cells.

The copy has a workbook part of its own with the sheets in the order of the original, so the reader
cannot find a part that was not checked.
"""

import posixpath
from array import array
from collections.abc import Iterable
from io import BytesIO
from itertools import islice, product
from xml.sax.saxutils import quoteattr
from zipfile import ZIP_DEFLATED, ZipFile

from tearsheet.sources.files.workbook_limits import CellBudget, CheckedWorkbook, WorkbookParts, XmlScanner

_LAST_ROW = 1_048_576
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NAMES = (name for width in (1, 2, 3) for name in map("".join, product(_LETTERS, repeat=width)))
_COLUMNS = {name: column for column, name in enumerate(islice(_NAMES, 16_384))}
_SCHEMAS = "http://schemas.openxmlformats.org/"
_RELATIONS = f"{_SCHEMAS}officeDocument/2006/relationships"
_PACKAGE = f"{_SCHEMAS}package/2006/relationships"
_MAIN = f"{_SCHEMAS}spreadsheetml/2006/main"


def check_xlsx(archive: ZipFile) -> CheckedWorkbook:
    """Check and copy a workbook. Raises WorkbookTooLargeError, ExpatError, ValueError and LookupError."""
    parts = WorkbookParts(archive)
    workbook, relations, strings = _WorkbookScanner(), _RelationScanner(), _StringScanner()
    parts.scan("xl/workbook.xml", workbook)
    parts.scan("xl/_rels/workbook.xml.rels", relations)
    sheets = [path for key in workbook.sheets if (path := relations.worksheets.get(key))]
    budget = CellBudget()
    content = BytesIO()
    error_cells = []
    with ZipFile(content, "w", ZIP_DEFLATED, compresslevel=1) as copy:
        _write_frame(copy, len(sheets), workbook.date1904)
        for name, scanner in (("xl/sharedStrings.xml", strings), ("xl/styles.xml", XmlScanner())):
            if parts.has(name):
                parts.copy(name, scanner, copy, name)
        for number, path in enumerate(sheets, 1):
            budget.start_sheet()
            sheet = _SheetScanner(budget, strings.lengths)
            parts.copy(path, sheet, copy, f"xl/worksheets/sheet{number}.xml")
            error_cells.append(sheet.error_cells)
    content.seek(0)
    return CheckedWorkbook(content, error_cells)


def _write_frame(copy: ZipFile, sheets: int, date1904: str) -> None:
    """Write the parts that lead to the sheets."""
    numbers = range(1, sheets + 1)
    entries = "".join(f'<sheet name="{n}" sheetId="{n}" r:id="s{n}"/>' for n in numbers)
    settings = f"<workbookPr date1904={quoteattr(date1904)}/>"
    workbook = (
        f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}">{settings}<sheets>{entries}</sheets></workbook>'
    )
    copy.writestr("xl/workbook.xml", workbook)
    links = [(f"s{n}", "worksheet", f"worksheets/sheet{n}.xml") for n in numbers]
    copy.writestr("xl/_rels/workbook.xml.rels", _relations(links))
    copy.writestr("_rels/.rels", _relations([("w", "officeDocument", "xl/workbook.xml")]))


def _relations(links: Iterable[tuple[str, str, str]]) -> str:
    entries = "".join(
        f'<Relationship Id="{key}" Type="{_RELATIONS}/{kind}" Target="{target}"/>'
        for key, kind, target in links
    )
    return f'<Relationships xmlns="{_PACKAGE}">{entries}</Relationships>'


class _WorkbookScanner(XmlScanner):
    """The relation keys of the sheets in their order, and the date system."""

    def __init__(self) -> None:
        super().__init__()
        self.sheets: list[str] = []
        self.date1904 = "0"

    def start(self, name: str, attributes: dict[str, str]) -> None:
        tag = _local(name)
        if tag == "sheet":
            self.sheets += [value for key, value in attributes.items() if _local(key) == "id"]
        elif tag == "workbookPr":
            self.date1904 = attributes.get("date1904", "0")


class _RelationScanner(XmlScanner):
    """The paths of the worksheets by their relation keys."""

    def __init__(self) -> None:
        super().__init__()
        self.worksheets: dict[str, str] = {}

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if _local(name) == "Relationship" and attributes.get("Type", "").endswith("/worksheet"):
            target = attributes["Target"]
            path = target.lstrip("/") if target.startswith(("/", "xl/")) else f"xl/{target}"
            self.worksheets[attributes["Id"]] = posixpath.normpath(path)


class _StringScanner(XmlScanner):
    """The lengths of the shared strings."""

    def __init__(self) -> None:
        super().__init__()
        self.lengths = array("L")
        self.parser.CharacterDataHandler = self.text

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if _local(name) == "si":
            self.lengths.append(0)

    def text(self, text: str) -> None:
        if self.lengths:
            self.lengths[-1] += len(text)


class _SheetScanner(XmlScanner):
    """The used range of a sheet: the cells that have a value or a text."""

    def __init__(self, budget: CellBudget, lengths: "array[int]") -> None:
        super().__init__()
        self.error_cells: dict[tuple[int, int], str] = {}
        self._budget = budget
        self._lengths = lengths
        self._row = self._column = self._row_element = -1
        self._kind: str | None = None
        self._value = ""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        tag = _local(name)
        if tag == "c":
            self._kind = attributes.get("t")
            if "r" in attributes:
                self._row, self._column = _position(attributes["r"])
            else:
                self._row, self._column = self._row_element, self._column + 1
        elif tag in ("v", "is"):
            self._budget.add(self._row, self._column, self._row, self._column)
            if self._kind in ("s", "e"):  # only then is the value needed: a quarter less time
                self._value = ""
                self.parser.CharacterDataHandler = self.text
                self.parser.EndElementHandler = self.end
        elif tag == "row":
            self._row_element = int(attributes.get("r", self._row_element + 2)) - 1
            self._column = -1

    def text(self, text: str) -> None:
        self._value += text

    def end(self, name: str) -> None:
        self.parser.CharacterDataHandler = self.parser.EndElementHandler = None
        if self._kind == "s":
            self._budget.add_text(self._lengths[int(self._value)])
        else:
            self.error_cells[self._row, self._column] = self._value


def _local(name: str) -> str:
    """Return a name without its prefix."""
    return name.rpartition(":")[2] if ":" in name else name


def _position(place: str) -> tuple[int, int]:
    """Return the row and the column, from 0, of a reference such as B12."""
    letters = place.rstrip("0123456789")
    column = _COLUMNS.get(letters)
    row = int(place[len(letters) :] or 0)
    if column is None or not 1 <= row <= _LAST_ROW:
        raise ValueError(f"it has a cell {place!r}")
    return row - 1, column
