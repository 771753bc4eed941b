"""Rows of workbooks: .xlsx, .xls and .ods, read with python-calamine. Numbers have 15 digits."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from lzma import LZMAError
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError
from zipfile import BadZipFile, LargeZipFile, ZipFile
from zlib import error as ZlibError  # noqa: N812

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook

from tearsheet.errors import FormatError
from tearsheet.sources.files.ods_check import check_ods
from tearsheet.sources.files.workbook_limits import CheckedWorkbook, WorkbookTooLargeError
from tearsheet.sources.files.xls_check import check_xls
from tearsheet.sources.files.xlsx_check import check_xlsx
from tearsheet.sources.text.lines import is_text
from tearsheet.sources.text.problem import NOT_TEXT, RowProblem

_DAMAGED = (
    BadZipFile,
    LargeZipFile,
    ExpatError,
    ZlibError,
    LZMAError,
    LookupError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
)
_HINT = "save it as CSV"


class ExcelSheets:
    """Rows of all sheets in the workbook's order. Rows are counted on from sheet to sheet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._table: list[tuple[int, list[str]]] | None = None
        self.line = self.last_line = self.resume_after = 0
        self.bytes_read = 0

    def rows(self, after: int) -> Iterator[tuple[list[str], RowProblem | None]]:
        """Yield the cells of every row below a row. Raises FormatError for a file that is no workbook."""
        if self._table is None:
            self._table = _read(self._path)
        for number, cells in self._table:
            if number > after:
                self.line = self.last_line = self.resume_after = number
                yield list(cells), None if is_text("".join(cells)) else NOT_TEXT


def _read(path: Path) -> list[tuple[int, list[str]]]:
    """Return the number and the texts of each row."""
    checked = _check(path)
    try:
        with CalamineWorkbook.from_filelike(checked.content) as workbook:
            sheets = [workbook.get_sheet_by_index(number) for number in range(len(workbook.sheet_names))]
        return list(_rows(sheets, checked.error_cells))
    except CalamineError as error:
        raise _not_a_workbook(path, error) from None
    except BaseException as error:
        if type(error).__name__ == "PanicException":  # of Rust; it is not an Exception
            raise _not_a_workbook(path, error) from None
        raise


def _rows(
    sheets: list[CalamineSheet], error_cells: list[dict[tuple[int, int], str]]
) -> Iterator[tuple[int, list[str]]]:
    above = 0
    for sheet, errors in zip(sheets, error_cells, strict=True):
        errors_by_row = _by_row(sheet, errors)
        number = above
        for number, values in enumerate(sheet.iter_rows(), above + 1):
            cells = [value if type(value) is str else _as_text(value) for value in values]
            for column, text in errors_by_row.get(number - above - 1, {}).items():
                cells[column] = text
            yield number, cells
        above = number + 1


def _check(path: Path) -> CheckedWorkbook:
    try:
        with path.open("rb") as file:
            if file.read(2) != b"PK":
                file.seek(0)
                return check_xls(file)
            with ZipFile(file) as archive:
                return (check_ods if "content.xml" in archive.namelist() else check_xlsx)(archive)
    except WorkbookTooLargeError as error:
        raise FormatError(f"{path}: the workbook is too large: {error}", _HINT) from None
    except _DAMAGED as error:
        raise _not_a_workbook(path, error) from None


def _not_a_workbook(path: Path, error: BaseException) -> FormatError:
    return FormatError(f"{path}: not a valid Excel workbook or OpenDocument: {error}", _HINT)


def _by_row(sheet: CalamineSheet, errors: Mapping[tuple[int, int], str]) -> dict[int, dict[int, str]]:
    """Error texts by row and by place in the row: the reader leaves out the columns left of the range."""
    if sheet.start is None or sheet.end is None:
        return {}
    left, right = sheet.start[1], sheet.end[1]
    rows: dict[int, dict[int, str]] = {}
    for (row, column), text in errors.items():
        if left <= column <= right:
            rows.setdefault(row, {})[column - left] = text
    return rows


def _as_text(value: Any) -> str:
    """Return a value as text: a number with 15 digits, as Excel shows it, dates and times in ISO 8601."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        text = f"{value:.15g}"
        return format(Decimal(text), "f") if "e" in text else text
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        minutes, seconds = divmod(int(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return str(value)
