"""Reader of a large CSV file in a plain layout by columns: a chunk of lines at once, odd lines one by one.

Both ways share one `FillParser`, so ranks, duplicates and rejections are those of the file's rows in their order.
Where many lines are odd, or one states more than a fill, columns end and `rest_after` is the line read last.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import chain, compress, repeat
from pathlib import Path
from typing import Any, NamedTuple

from tearsheet.columns import native
from tearsheet.columns.fill_columns import FillColumns, StatedFills
from tearsheet.sources.files.csv_rows import CsvPosition
from tearsheet.sources.layouts.layout import FIELDS, Layout
from tearsheet.sources.statements.fill_rows import FillParser
from tearsheet.sources.statements.raw_fill import PlainMapper, RawFill, TextCache
from tearsheet.sources.text.encoding import NumberFormat
from tearsheet.sources.text.line_blocks import LineBlocks
from tearsheet.sources.text.problem import LONGEST_NAME, MOST_COLUMNS, RowError
from tearsheet.trade.amount import ZERO
from tearsheet.trade.fill import Fill, Rejection, execution_key, future_fill
from tearsheet.trade.session import CLOCK_TOLERANCE, to_micros

#: The most rows of a chunk, and the share of odd lines from which on rows are read one by one.
MOST_ROWS = 10_000
_MOST_ODD = 0.1
#: Numbers whose text is that of their Decimal; with more zeros behind the point it would have an exponent.
_NUMBER = re.compile(r"-?(?!0\.0{6}\d)(?:0|[1-9]\d{0,16})(?:\.\d{1,15})?", re.ASCII)
#: Columns that are empty where a row is no more than a fill.
_SPECIAL = ("amount", "cash", "fee_currency", "status", "position_side", "fee_worth")
_NEEDED = frozenset(("account", "symbol", "time", "side", "quantity", "price", "commission", "fill_id"))
#: What stands for a cell that is not as a fill needs it.
_ODD = ""
#: A longer line may have a cell that the csv module refuses.
_LONGEST = 100_000
_Row = tuple[int, Fill | Rejection]


class PlainChunk(NamedTuple):
    """Rows of a file in their order: fills as columns, and rejections; both with their lines."""

    fills: StatedFills
    rejections: list[tuple[int, Rejection]]

    @property
    def last_line(self) -> int:
        """Line of the last row."""
        return max(chain(self.fills.lines[-1:], (line for line, _ in self.rejections[-1:])))


class _Instrument(NamedTuple):
    """Symbol, multiplier and currency as texts; empty where they are not known."""

    symbol: str = _ODD
    multiplier: str = _ODD
    currency: str = _ODD


class _Regular(NamedTuple):
    """Lines with as many cells as the header, as columns; `odd` are the places of those to be read one by one."""

    fills: StatedFills
    contents: list[int]
    odd: set[int]


class _Instruments(dict[tuple[str, ...], _Instrument]):
    """Instruments by symbol, currency, class, multiplier and day as they are written."""

    def __init__(self, parser: FillParser) -> None:
        super().__init__()
        self._parser = parser

    def __missing__(self, named: tuple[str, ...]) -> _Instrument:
        symbol, currency, asset_class, size, day = named
        found = _Instrument()
        try:
            multiplier = Decimal(size) if _NUMBER.fullmatch(size) else None
            if multiplier is not None or not size:
                made = self._parser.instrument_of(
                    symbol, currency, asset_class, multiplier, date.fromisoformat(day)
                )
                if made.multiplier > ZERO:
                    found = _Instrument(made.symbol, str(made.multiplier), made.currency)
        except (RowError, ValueError):
            pass
        if len(self) >= MOST_ROWS:
            self.clear()
        self[named] = found
        return found


def is_plain(layout: Layout, header: Sequence[str]) -> bool:
    """Return whether the cells are fields without conversion, and all required fields are present."""
    if layout.has_rules or layout.table_ends != "never" or layout.titles or layout.newest_first:
        return False
    places = layout.match_header(header) or {}
    return places.keys() >= _NEEDED and "effect" not in places


class PlainColumns:
    """Chunks of a file as columns, from its first row on."""

    def __init__(
        self,
        path: Path,
        position: CsvPosition,
        layout: Layout,
        parser: FillParser,
        *,
        is_utc: bool,
        marks: frozenset[str],
        now: datetime,
        account: str | None,
    ) -> None:
        self._account = account
        self._parser, self._is_utc, self._marks, self._now = parser, is_utc, marks, now
        self._file, self._latest_us = path.name, to_micros(now + CLOCK_TOLERANCE)
        self._blocks = LineBlocks(path, position.encoding)
        self._header, self._after, self._separator = position.header, position.header_line, position.separator
        self._mapper = PlainMapper(layout, position.header, NumberFormat("."))
        places = layout.match_header(position.header) or {}
        self._places = {field: places[field] for field in FIELDS if field in places}
        self._special = [self._places[field] for field in _SPECIAL if field in self._places]
        self._instruments = _Instruments(parser)
        self._accounts = TextCache(lambda text: text.strip() or parser.account or _ODD)
        self._names = TextCache(lambda text: text.strip() or None)
        self._sides = TextCache(self._side)
        self._above_zero, self._price = TextCache(_above_zero), TextCache(_plain)
        self._fee, self._optional = TextCache(_fee), TextCache(lambda text: _plain(text) if text else None)
        self._canonical = TextCache(_canonical)
        self._parts: list[StatedFills] = []
        self._rejections: list[tuple[int, Rejection]] = []
        self._count = 0
        #: rows that were read one by one
        self.odd_rows = 0
        self.rest_after: int | None = None

    @property
    def bytes_read(self) -> int:
        """Return the number of bytes read so far."""
        return self._blocks.bytes_read

    @property
    def summary(self) -> str:
        """Return in words how the file was read."""
        odd = f", {self.odd_rows:,} line{'s' * (self.odd_rows > 1)} by rows" if self.odd_rows else ""
        if self.rest_after is None:
            return f"columns{odd}"
        return f"columns up to line {self.rest_after:,}{odd}, the rest by rows"

    def chunks(self) -> Iterator[PlainChunk]:
        """Yield chunks of `MOST_ROWS` fills and rejections, and the last one if the file ends."""
        line = 0
        for block in self._blocks:
            lines, line = block[max(self._after - line, 0) :], max(line + len(block), 0)
            first = line - len(lines) + 1
            while lines:
                room = MOST_ROWS - self._count
                taken, lines = lines[:room], lines[room:]
                if not self._take(taken, first):
                    return
                first += len(taken)
                if self._count == MOST_ROWS:
                    yield self._finished()
        if not self._blocks.has_all:
            self.rest_after = line
        elif self._count:
            yield self._finished()

    def left(self) -> list[_Row]:
        """Return the rows that were read and are in no chunk, one by one."""
        chunk = self._finished()
        return sorted([*chunk.fills.numbered(), *chunk.rejections], key=lambda row: row[0])

    def _finished(self) -> PlainChunk:
        chunk = PlainChunk(StatedFills.joined(self._parts), self._rejections)
        self._parts, self._rejections, self._count = [], [], 0
        return chunk

    def _take(self, lines: list[str], first: int) -> bool:
        """Read whole lines; return False at a line after which rows must be read one by one."""
        cells = self._cells(lines)
        if cells is None:
            self.rest_after = first - 1
            return False
        is_regular = list(map(len(self._header).__eq__, map(len, cells)))
        places = list(compress(range(len(lines)), is_regular))
        regular = self._regular([cells[n] for n in places], [first + n for n in places])
        if len(lines) - len(places) + len(regular.odd) > max(_MOST_ODD * len(lines), 1) and len(lines) > 10:
            self.rest_after = first - 1
            return False
        row, start = 0, 0
        if len(places) == len(lines) and not regular.odd:
            return self._take_regular(regular, 0, len(lines), cells, first)
        for n, is_whole in enumerate(is_regular):
            if is_whole and row not in regular.odd:
                row += 1
                continue
            if not self._take_regular(regular, start, row, cells, first):
                return False
            row = start = row + is_whole
            if not self._take_odd(cells[n], first + n):
                return False
        return self._take_regular(regular, start, row, cells, first)

    def _cells(self, lines: list[str]) -> list[list[str]] | None:
        """Return the cells of lines; None if a quoted cell spans several lines."""
        if max(map(len, lines)) > _LONGEST:
            return None
        if not any(map(str.count, lines, repeat('"'))):
            cells = list(map(str.split, lines, repeat(self._separator)))
        elif any(line.count('"') % 2 for line in lines):
            return None
        else:
            cells = list(csv.reader(lines, delimiter=self._separator))
        return cells if max(map(len, cells)) <= MOST_COLUMNS else None

    def _take_regular(
        self, regular: _Regular, start: int, end: int, cells: Sequence[list[str]], first: int
    ) -> bool:
        """Add regular lines; those whose execution the file had before are read one by one."""
        while start < end:
            fills = regular.fills.part(start, end)
            new = self._parser.note_executions(fills, regular.contents[start:end])
            if new:
                fills = fills.part(0, new)
                columns = fills.columns
                ranks = self._parser.next_ranks(columns.account, columns.symbol, columns.time_us)
                self._parts.append(fills._replace(columns=columns._replace(rank=ranks)))
                self._count += new
            start += new
            if start < end:
                line = regular.fills.lines[start]
                if not self._take_odd(cells[line - first], line):
                    return False
                start += 1
        return True

    def _take_odd(self, cells: list[str], line: int) -> bool:
        """Read a line by itself; return False, and leave it, where it is more than a fill or a rejection."""
        if not "".join(cells).strip():
            return True
        is_special = any(len(cells) > place and cells[place].strip() for place in self._special)
        if is_special or not self._marks.isdisjoint(cells):
            self.rest_after = line - 1
            return False
        self.odd_rows += 1
        row = self._mapper.read(cells)
        if isinstance(row, RawFill):
            made = self._parser.parse(row, line, cells)
        else:
            made = self._parser.reject(line, cells, row.problem, row.account or self._account)
        if isinstance(made, Fill):
            made = future_fill(made, self._file, line, self._now) or made
        if isinstance(made, Rejection):
            self._rejections.append((line, made))
        elif made is not None:
            self._parts.append(_as_stated(line, made))
        self._count += made is not None
        return True

    def _regular(self, rows: Sequence[list[str]], lines: list[int]) -> _Regular:
        count = len(rows)
        cells = list(zip(*rows, strict=True)) or [()] * len(self._header)
        absent = [""] * count
        column = {field: cells[self._places[field]] if field in self._places else absent for field in FIELDS}
        times = native.times(column["time"], is_utc=self._is_utc)
        time_us = [native.NO_TIME] * count if times is None else times.tolist()
        days = [text[:10] for text in column["time"]]
        names = (column[name] for name in ("symbol", "currency", "asset_class", "multiplier"))
        named = zip(*names, days, strict=True)
        symbols, multipliers, currencies = _transposed(map(self._instruments.__getitem__, named), 3)
        accounts = list(map(self._accounts.__getitem__, column["account"]))
        sides = list(map(self._sides.__getitem__, column["side"]))
        quantities = list(map(self._above_zero.__getitem__, column["quantity"]))
        prices = list(map(self._price.__getitem__, column["price"]))
        fees = list(map(self._fee.__getitem__, column["commission"]))
        stops, targets = (
            list(map(self._optional.__getitem__, column[name])) for name in ("stop_loss", "target")
        )
        orders, strategies = (
            list(map(self._names.__getitem__, column[name])) for name in ("order_id", "strategy")
        )
        ids = list(map(str.strip, column["fill_id"]))
        nothing = [None] * count
        fills = FillColumns(
            account=accounts,
            symbol=symbols,
            position_side=nothing,
            currency=currencies,
            time_us=time_us,
            rank=[0] * count,
            key=list(map(execution_key, ids)),
            side=sides,
            closes=[0] * count,
            mode=nothing,
            strategy=strategies,
            quantity=quantities,
            price=prices,
            commission=fees,
            multiplier=multipliers,
            stop_loss=stops,
            target=targets,
        )
        odd = _places(accounts, _ODD) | _places(symbols, _ODD) | _places(sides, _ODD) | _places(ids, "")
        odd |= _places(quantities, _ODD) | _places(prices, _ODD) | _places(fees, _ODD) | _places(ids, "0")
        odd |= _places(stops, _ODD) | _places(targets, _ODD) | _places(time_us, native.NO_TIME)
        if count and max(time_us) > self._latest_us:
            odd |= {n for n, at in enumerate(time_us) if at > self._latest_us}
        for place in self._special:
            odd |= {n for n, text in enumerate(cells[place]) if text.strip()} if any(cells[place]) else set()
        odd |= _long_names(accounts, symbols, ids)
        amounts = (map(self._canonical.__getitem__, numbers) for numbers in (quantities, prices, fees))
        contents = list(map(hash, zip(symbols, time_us, sides, *amounts, strict=True)))
        return _Regular(StatedFills(lines, ids, orders, fills), contents, odd)

    def _side(self, text: str) -> str:
        try:
            return self._parser.side_of(text).value
        except RowError:
            return _ODD


def _plain(text: str) -> str:
    """Return a number as it is written if its Decimal is written so, too."""
    return text if _NUMBER.fullmatch(text) and (text[0] != "-" or Decimal(text)) else _ODD


def _above_zero(text: str) -> str:
    return text if _plain(text) and Decimal(text) > ZERO else _ODD


def _fee(text: str) -> str:
    return "0" if _plain(text) and not Decimal(text) else _plain(text)


def _canonical(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def _places(column: Sequence[object], value: object) -> set[int]:
    """Return the indices of the rows of a column that hold a value."""
    return {n for n, own in enumerate(column) if own == value} if value in column else set()


def _long_names(accounts: Sequence[str], symbols: Sequence[str], ids: Sequence[str]) -> set[int]:
    longest = sum(max(map(len, names), default=0) for names in (accounts, symbols, ids))
    if longest <= LONGEST_NAME:
        return set()
    lengths = map(sum, zip(*(map(len, names) for names in (accounts, symbols, ids)), strict=True))
    return {n for n, length in enumerate(lengths) if length > LONGEST_NAME}


def _transposed(rows: Iterable[tuple[str, ...]], width: int) -> list[list[str]]:
    return list(map(list, zip(*rows, strict=True))) or [[] for _ in range(width)]


def _as_stated(line: int, fill: Fill) -> StatedFills:
    """Return a fill as columns, with its numbers as they are written."""
    columns = FillColumns.from_fills([fill])
    names = ("quantity", "price", "commission", "multiplier", "stop_loss", "target")
    numbers = ((name, getattr(fill, name)) for name in names)
    written: dict[str, Any] = {name: [None if number is None else str(number)] for name, number in numbers}
    return StatedFills([line], [fill.fill_id], [fill.order_id], columns._replace(**written))
