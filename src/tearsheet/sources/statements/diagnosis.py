"""Diagnosis of a file without saving: its detected format, a sample of its fills, and the error of an import."""

import itertools
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from msgspec import Struct

from tearsheet.errors import TearsheetError
from tearsheet.sources.layouts.catalogue import LayoutMatch, all_layouts, rank_layouts
from tearsheet.sources.statements.detect import FileKind, detect_kind, header_rows, open_rows
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.sources.statements.statement import Statement, open_statement
from tearsheet.sources.statements.unmatched_closes import UnmatchedCloseFinder
from tearsheet.trade.amount import ZERO, exact
from tearsheet.trade.event import Event
from tearsheet.trade.fill import Fill, FillRevision, Rejection, Side, UnmatchedClose
from tearsheet.trade.instrument import Instruments
from tearsheet.trade.position import Book

_FIRST = 5
#: Of larger files the positions are not shown.
_MOST_BOOKED = 100_000
_MAX_ALTERNATIVES = 3
_HEADER_LINES = 200
#: What a table that can be mapped has at least, how many rows and columns are shown of it, and what is no heading.
_FEWEST_COLUMNS, _SAMPLES, _MOST_COLUMNS = 3, 3, 100
_NUMBER = re.compile(r"\s*[-+(]?\W?[\d.,]+")
_CLOSE = 0.3
_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", "": "none"}


class AlternativeLayout(Struct, frozen=True):
    """A layout that does not match, or matches less well, with the columns that the header lacks."""

    name: str
    missing: list[str]


class PositionSketch(Struct, frozen=True):
    """Result of the file's fills of an account and instrument: closed positions, net P&L and open quantity."""

    account: str
    symbol: str
    currency: str
    closed: int
    net: Decimal
    open_quantity: Decimal


class ColumnSample(Struct, frozen=True):
    """Column of a file with values of its first rows."""

    name: str
    values: list[str]


class Diagnosis(Struct, kw_only=True):
    """What the importer detects in a file; `error` is the reason it cannot be read, `hint` what to do.

    `positions` are the results of its fills alone, without the ledger.
    """

    file: str
    kind: str = ""
    encoding: str = ""
    separator: str = ""
    header_line: int = 0
    header: list[str] = []
    layout: str = ""
    title: str = ""
    notes: str = ""
    alternatives: list[AlternativeLayout] = []
    header_values: dict[str, str] = {}
    zone: str = ""
    decimal_mark: str = ""
    date_order: str = ""
    fills: int = 0
    first: list[Fill] = []
    positions: list[PositionSketch] = []
    assumed: tuple[str, ...] = ()
    rejected: int = 0
    rejections: list[Rejection] = []
    events: int = 0
    skipped: dict[str, int] = {}
    unmatched_closes: list[UnmatchedClose] = []
    error: str = ""
    hint: str = ""

    @property
    def is_readable(self) -> bool:
        """Return whether an import would succeed: the file has fills or events, or nothing was rejected."""
        return not self.error and (self.fills + self.events > 0 or not self.rejected)


def diagnose(path: Path, instruments: Instruments, options: StatementOptions) -> Diagnosis:
    """Diagnose a file by the same steps as an import; errors are part of the result."""
    diagnosis = Diagnosis(file=str(path))
    try:
        sniffed = detect_kind(path)
        diagnosis.kind, diagnosis.encoding = sniffed.kind, sniffed.encoding
        _diagnose_header(diagnosis, path, sniffed, options)
        statement = open_statement(path, instruments, options)
        diagnosis.assumed = statement.assumed
        _diagnose_statement(diagnosis, statement)
        _diagnose_rows(diagnosis, statement)
    except TearsheetError as error:
        diagnosis.error, diagnosis.hint = error.message, error.hint
    return diagnosis


def column_samples(path: Path) -> list[ColumnSample]:
    """Return the columns of a file that no layout fits, with values of the first rows; empty if it has no table.

    The header is the row with the most cells that are no numbers, among the first rows.
    """
    try:
        rows = list(itertools.islice(_rows(path, detect_kind(path)), _HEADER_LINES))
    except TearsheetError:
        return []
    counts = [sum(1 for cell in cells if cell.strip() and not _NUMBER.match(cell)) for *_, cells in rows]
    if not counts or max(counts) < _FEWEST_COLUMNS:
        return []
    place = counts.index(max(counts))
    header, below = rows[place][2], [cells for *_, cells in rows[place + 1 :]]
    below = [cells for cells in below if len(cells) == len(header)][:_SAMPLES]
    return [
        ColumnSample(name.strip(), [cells[number].strip() for cells in below])
        for number, name in enumerate(header[:_MOST_COLUMNS])
        if name.strip()
    ]


def trade_log_diagnosis(path: Path) -> Diagnosis:
    """Return the diagnosis of a trade log, which another reader imports."""
    return Diagnosis(
        file=str(path),
        kind="json",
        encoding="utf-8",
        layout="trade_log",
        title="Trade log (JSON Lines)",
        notes="`tearsheet import` reads it, or `tearsheet sync` in logs/",
    )


def _diagnose_header(diagnosis: Diagnosis, path: Path, sniffed: FileKind, options: StatementOptions) -> None:
    """Set the header row that is closest to a layout, and the closest layouts."""
    known = [one for one in all_layouts(options.layouts).values() if sniffed.kind in one.kinds]
    best: tuple[float, int, str, list[str], list[LayoutMatch]] | None = None
    for line, separator, header in itertools.islice(_rows(path, sniffed), _HEADER_LINES):
        near = rank_layouts(header, known)
        if near and (best is None or near[0].overlap > best[0]):
            best = (near[0].overlap, line, separator, header, near)
    if best is None:
        return
    _, diagnosis.header_line, separator, header, near = best
    diagnosis.separator = _SEPARATORS[separator] if sniffed.kind == "csv" else ""
    diagnosis.header = [cell.strip() for cell in header]
    if not near[0].missing and options.layout is None and not options.mapping:
        diagnosis.layout, diagnosis.title = near[0].layout.name, near[0].layout.title
    diagnosis.alternatives = [
        AlternativeLayout(one.layout.name, one.missing)
        for one in near
        if one.overlap >= _CLOSE and one.layout.name != diagnosis.layout
    ][: _MAX_ALTERNATIVES + 1]


def _rows(path: Path, sniffed: FileKind) -> Iterator[tuple[int, str, list[str]]]:
    if sniffed.kind == "csv":
        yield from header_rows(path, sniffed.encoding)
    else:
        yield from open_rows(path, sniffed)


def _diagnose_statement(diagnosis: Diagnosis, statement: Statement) -> None:
    layout = statement.detected.layout
    diagnosis.layout, diagnosis.title, diagnosis.notes = statement.layout, layout.title, layout.notes
    if not statement.detected.is_json_lines:
        diagnosis.header = [cell.strip() for cell in statement.detected.position.header]
        diagnosis.header_line = statement.detected.position.header_line
    diagnosis.alternatives = [one for one in diagnosis.alternatives if one.name != layout.name][
        :_MAX_ALTERNATIVES
    ]
    diagnosis.header_values = dict(statement.detected.preamble)
    diagnosis.zone, diagnosis.date_order, diagnosis.decimal_mark = describe_parse_rules(statement)


def describe_parse_rules(statement: Statement) -> tuple[str, str, str]:
    """Return the time zone, date order and decimal mark of a statement as text."""
    reading = statement.parse_rules
    zone = reading.zone.key if reading.zone else "included in the file"
    mark = "point" if reading.numbers.decimal_mark == "." else "comma"
    return zone, reading.order or "no doubt", mark


def _diagnose_rows(diagnosis: Diagnosis, statement: Statement) -> None:
    orphans = UnmatchedCloseFinder()
    fills: list[Fill] = []
    for row in statement.rows():
        if isinstance(row, Event):
            diagnosis.events += 1
        elif isinstance(row, Fill):
            diagnosis.fills += 1
            orphans.add(row, statement.effect(row), statement.line)
            diagnosis.first += [row] if diagnosis.fills <= _FIRST else []
            if diagnosis.fills <= _MOST_BOOKED and not isinstance(row, FillRevision):
                fills.append(row)
        else:
            diagnosis.rejected += 1
            diagnosis.rejections += [row] if diagnosis.rejected <= _FIRST else []
    diagnosis.skipped = statement.skipped
    if diagnosis.fills <= _MOST_BOOKED:
        diagnosis.positions = _positions(fills)
    diagnosis.unmatched_closes = orphans.results(lambda account, symbol, at: ZERO)
    if not diagnosis.fills + diagnosis.events + diagnosis.rejected:
        diagnosis.error = f"nothing was read: {statement.nothing_read()}"
        diagnosis.hint = statement.detected.layout.notes or "export a statement of trades"
    if diagnosis.rejected and not diagnosis.fills + diagnosis.events:
        diagnosis.error = f"all of its {diagnosis.rejected} trades are rejected"
        diagnosis.hint = diagnosis.rejections[0].hint


def _positions(fills: list[Fill]) -> list[PositionSketch]:
    book = Book()
    book.book_all(sorted(fills, key=lambda one: one.order))
    sketches: dict[tuple[str, str], PositionSketch] = {}
    with exact():
        for position in (*book.closed, *book.open_positions()):
            name = (position.account, position.symbol)
            before = sketches.get(name)
            is_closed = position.closed_at is not None
            held = position.open_quantity if position.side is Side.BUY else -position.open_quantity
            sketches[name] = PositionSketch(
                *name,
                position.currency,
                (before.closed if before else 0) + is_closed,
                (before.net if before else ZERO) + (position.net if is_closed else ZERO),
                held,
            )
    return [sketches[name] for name in sorted(sketches)]
