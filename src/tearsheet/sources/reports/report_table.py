"""Table of a report: the rows below its header, with line numbers. An invalid row raises an error."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

from tearsheet.errors import FormatError
from tearsheet.sources.files.csv_rows import strip_cells
from tearsheet.sources.files.table_source import TableSource
from tearsheet.sources.layouts.header import header_places
from tearsheet.sources.text.encoding import NumberFormat, detect_number_format
from tearsheet.trade.instrument import Instrument, Instruments, UnknownInstrument


class ReportTable:
    """Table of a report. Repeated headers are skipped; a row with only its first cell is a title."""

    def __init__(
        self, path: Path, grid: TableSource, header: Sequence[str], header_line: int, separator: str
    ) -> None:
        self.path = path
        self.places = header_places(header)
        self.separator = separator or ","
        self.rows: list[tuple[int, list[str]]] = []
        self._titles: list[tuple[int, str]] = []
        whole = strip_cells(header)
        for cells, problem in grid.rows(0):
            if problem is not None:
                raise FormatError(f"{path}, line {grid.line}: {problem.reason}", problem.hint)
            if not "".join(cells).strip() or strip_cells(cells) == whole:
                continue
            if len(whole) > 1 and not "".join(cells[1:]).strip():
                self._titles.append((grid.line, cells[0].strip()))
            elif grid.resume_after > header_line:
                self.rows.append((grid.line, cells))
        if not self.rows:
            raise FormatError(f"{path}: the table is empty", "export it again")

    def title_above(self, line: int) -> str:
        """Return the last title above a line: some reports state the instrument there."""
        return next((title for at, title in reversed(self._titles) if at < line), "")

    def text(self, cells: Sequence[str], names: Sequence[str]) -> str:
        """Return the cell of the first of these columns that the table has."""
        for name in names:
            place = self.places.place(name)
            if place is not None and place < len(cells):
                return cells[place].strip()
        return ""

    def number_format(self, names: Sequence[str]) -> NumberFormat:
        """Return the detected number format of some columns."""
        cells = [self.text(row, [name]) for _, row in self.rows for name in names]
        return detect_number_format(cells, cells, self.separator, str(self.path))

    def number(self, line: int, cells: Sequence[str], name: str, form: NumberFormat) -> Decimal | None:
        """Return the number in a column, or None if the cell is empty. Raises FormatError."""
        text = self.text(cells, [name])
        try:
            return form.parse(text) if text else None
        except ValueError as error:
            raise FormatError(f"{self.path}, line {line}: {name} {error}", "correct it") from None


def instrument_of(path: Path, line: int, text: str, day: date, instruments: Instruments) -> Instrument:
    """Return the instrument that a report names. Raises FormatError with the line."""
    if not text:
        raise FormatError(f"{path}, line {line}: no symbol", "export the report with the symbol column")
    instrument = instruments.resolve(text, day)
    if isinstance(instrument, UnknownInstrument):
        raise FormatError(f"{path}, line {line}: {instrument.reason}", instrument.hint)
    return instrument
