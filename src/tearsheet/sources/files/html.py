"""Rows of all tables of an HTML file; a cell that spans columns is followed by empty cells."""

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from tearsheet.sources.text.lines import Lines, is_text
from tearsheet.sources.text.problem import MOST_COLUMNS, NOT_TEXT, TOO_WIDE, RowProblem

_WIDEST = 100
#: Characters that are parsed at once: a report may be one line, of which a caller needs the first rows.
_PIECE = 1 << 14
_Attributes = list[tuple[str, str | None]]


class HtmlTables:
    """Tables of an HTML report as one table."""

    def __init__(self, path: Path, encoding: str) -> None:
        self._path = path
        self._encoding = encoding
        self.line = self.last_line = self.resume_after = 0
        self.bytes_read = 0

    def rows(self, after: int) -> Iterator[tuple[list[str], RowProblem | None]]:
        """Yield the cells of every row after a row number."""
        parser = _Rows()
        with Lines(self._path, self._encoding) as lines:
            for line in lines:
                for start in range(0, len(line), _PIECE):
                    parser.feed(line[start : start + _PIECE])
                    self.bytes_read = lines.position()
                    yield from self._rows_after(parser, after)
            parser.close()
            parser.end_row()
            yield from self._rows_after(parser, after)

    def _rows_after(self, parser: "_Rows", after: int) -> Iterator[tuple[list[str], RowProblem | None]]:
        ready, parser.ready = parser.ready, []
        for number, (line, cells) in ready:
            if number > after:
                self.line, self.last_line, self.resume_after = line, line, number
                if len(cells) > MOST_COLUMNS:
                    yield cells[:MOST_COLUMNS], TOO_WIDE
                else:
                    yield cells, None if is_text("".join(cells)) else NOT_TEXT


class _Rows(HTMLParser):
    """Collects rows with their number and their first line."""

    def __init__(self) -> None:
        super().__init__()
        self.ready: list[tuple[int, tuple[int, list[str]]]] = []
        self._count = 0
        self._row: list[str] | None = None
        self._line = 0
        self._cell: list[str] | None = None
        self._span = 1

    def handle_starttag(self, tag: str, attrs: _Attributes) -> None:
        """Start a row or a cell."""
        if tag == "tr":
            self.end_row()
            self._row, self._line = [], self.getpos()[0]
        elif tag in ("td", "th") and self._row is not None:
            self._end_cell()
            named = dict(attrs)
            is_hidden = "hidden" in (named.get("class") or "").split()
            self._cell = None if is_hidden else []
            self._span = _span(named.get("colspan"))

    def handle_endtag(self, tag: str) -> None:
        """End a row or a cell."""
        if tag in ("td", "th"):
            self._end_cell()
        elif tag in ("tr", "table"):
            self.end_row()

    def handle_data(self, data: str) -> None:
        """Add text to a cell."""
        if self._cell is not None:
            self._cell.append(data)

    def end_row(self) -> None:
        """Hand over the current row."""
        self._end_cell()
        if self._row is not None:
            self._count += 1
            self.ready.append((self._count, (self._line, self._row)))
        self._row = None

    def _end_cell(self) -> None:
        if self._cell is not None and self._row is not None:
            text = " ".join("".join(self._cell).replace("\xa0", " ").split())
            if len(self._row) <= MOST_COLUMNS:
                self._row += [text, *[""] * (self._span - 1)]
        self._cell = None


def _span(text: str | None) -> int:
    digits = (text or "").strip()
    return (
        min(max(int(digits), 1), _WIDEST) if digits.isascii() and digits.isdigit() and len(digits) < 5 else 1
    )
