"""Checks an .ods spreadsheet, and copies what is needed to read its cells."""

from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

from tearsheet.sources.files.workbook_limits import CellBudget, CheckedWorkbook, WorkbookParts, XmlScanner

_MIMETYPE = "application/vnd.oasis.opendocument.spreadsheet"
_NAMESPACE = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
_CELLS = ("table:table-cell", "table:covered-table-cell")
_VALUES = (
    "office:value-type",
    "office:value",
    "office:string-value",
    "office:date-value",
    "office:time-value",
    "office:boolean-value",
    "table:formula",
)


def check_ods(archive: ZipFile) -> CheckedWorkbook:
    """Check and copy a spreadsheet. Raises WorkbookTooLargeError, ExpatError, ValueError and LookupError."""
    parts = WorkbookParts(archive)
    if parts.has("META-INF/manifest.xml"):
        parts.scan("META-INF/manifest.xml", _ManifestScanner())
    content = BytesIO()
    tables = _TableScanner(CellBudget())
    with ZipFile(content, "w", ZIP_DEFLATED, compresslevel=1) as copy:
        copy.writestr("mimetype", _MIMETYPE)
        copy.writestr("META-INF/manifest.xml", f'<manifest:manifest xmlns:manifest="{_NAMESPACE}"/>')
        parts.copy("content.xml", tables, copy, "content.xml")
    content.seek(0)
    return CheckedWorkbook(content, tables.error_cells)


class _ManifestScanner(XmlScanner):
    """Refuses encrypted parts, which would be taken for damaged ones."""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "manifest:encryption-data":
            raise ValueError("it is protected by a password")


class _TableScanner(XmlScanner):
    """The used range of each table. Repeated rows and columns count as often as they are repeated."""

    def __init__(self, budget: CellBudget) -> None:
        super().__init__()
        self.parser.CharacterDataHandler = self.text
        self.parser.EndElementHandler = self.end
        self.error_cells: list[dict[tuple[int, int], str]] = []
        self._budget = budget
        self._row = self._rows = self._column = self._columns = 0
        self._has_value = self._is_error = False
        self._value: str | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name in _CELLS:
            self._budget.add_cells(self._columns)
            self._columns = _count(attributes, "table:number-columns-repeated")
            self._has_value = not attributes.keys().isdisjoint(_VALUES)
            self._is_error = attributes.get("calcext:value-type") == "error"
            self._value = attributes.get("office:string-value", "")
        elif name == "text:s" and self._value is not None:
            self._budget.add_text(self._rows * self._columns * _count(attributes, "text:c"))
        elif name == "table:table-row":
            self._rows = _count(attributes, "table:number-rows-repeated")
            self._column = self._columns = 0
        elif name == "table:table" and "table:name" in attributes:
            self._budget.start_sheet()
            self.error_cells.append({})
            self._row = 0

    def text(self, text: str) -> None:
        if self._value is not None:
            self._value += text

    def end(self, name: str) -> None:
        if name in _CELLS and self._value is not None:
            if self._has_value:
                last = self._row + self._rows - 1, self._column + self._columns - 1
                self._budget.add(0, 0, *last)
                self._budget.add_text(self._rows * self._columns * len(self._value))
            if self._has_value and self._is_error and self.error_cells:
                for row in range(self._row, self._row + self._rows):
                    for column in range(self._column, self._column + self._columns):
                        self.error_cells[-1][row, column] = self._value
            self._column += self._columns
            self._value = None
        elif name == "table:table-row":
            self._row += self._rows


def _count(attributes: dict[str, str], name: str) -> int:
    """Return a number of repetitions. Raises ValueError."""
    return max(int(attributes.get(name, "1")), 0)
