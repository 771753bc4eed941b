"""Reader of a table by the rules of its layout, for every kind of file."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from tearsheet.sources.files.csv_rows import CsvPosition, describe_span, strip_cells
from tearsheet.sources.files.table_source import TableSource
from tearsheet.sources.layouts.header import header_places, normalize_name
from tearsheet.sources.layouts.layout import Layout
from tearsheet.sources.statements.corporate_actions import ShareMove, action_events
from tearsheet.sources.statements.expirations import Expirations, PendingExpiration
from tearsheet.sources.statements.fill_rows import FillParser
from tearsheet.sources.statements.plain_columns import PlainColumns
from tearsheet.sources.statements.raw_fill import (
    PickedRow,
    PlainMapper,
    ProblemMapper,
    RawEvent,
    RawFill,
    RoundTripRow,
)
from tearsheet.sources.statements.row_kinds import SkippedRow
from tearsheet.sources.statements.row_rules import RowMapper, RuleMapper
from tearsheet.sources.statements.settlement import result_mismatch, with_implied_fee
from tearsheet.sources.text.encoding import NumberFormat
from tearsheet.sources.text.problem import RowError, RowProblem
from tearsheet.trade.amount import ZERO
from tearsheet.trade.event import EventTerms
from tearsheet.trade.fill import Fill, Rejection

#: Name under which rows are counted that repeat a trade of the file.
STATED_TWICE = "stated_twice"
#: Words of `how` for the rows of a split that states the new and the old shares in two rows.
SPLIT_HALVES = ("open", "close")
_HALF_A_SPLIT = RowProblem(
    "unknown_row",
    "a split has two rows, of the old shares and of the new, and one of them is not in the file",
    "export a period that holds both, or state the split as an event in the generic format",
)


class TableReader:
    """Reader of the fills of a table; `skipped` counts by rule the rows that are not trades."""

    def __init__(
        self,
        table: TableSource,
        layout: Layout,
        header: Sequence[str],
        header_line: int,
        preamble: Mapping[str, str],
        account: str | None = None,
    ) -> None:
        self._account = preamble.get("account") or account
        self._table = table
        self._layout = layout
        self._header = header
        self._header_line = header_line
        self._preamble = preamble
        self._header_marks = _header_marks(layout, header)
        self._current_line = 0
        self.number_format = NumberFormat(".")
        self.skipped: Counter[str] = Counter()

    @property
    def line(self) -> int:
        """First line of the row read last."""
        return self._current_line or self._table.line

    @property
    def bytes_read(self) -> int:
        """Number of bytes of the file read so far."""
        return self._table.bytes_read

    def numbers(self) -> Iterator[str]:
        """Yield the texts that show the number format."""
        for mapper, cells in self._rows():
            yield from mapper.numbers(cells)

    def fees(self) -> Iterator[str]:
        """Yield the first fee of each row as written."""
        for mapper, cells in self._rows():
            yield mapper.fee(cells)

    def times(self) -> Iterator[str]:
        """Yield the times of all rows as written."""
        for mapper, cells in self._rows():
            yield from mapper.times(cells)

    def read(self, parser: FillParser, after: int = 0) -> Iterator[Fill | Rejection]:
        """Yield the fills and rejections of the file below a line, by default from its first row."""
        self.skipped.clear()
        self._current_line = 0
        ended: list[PendingExpiration] = []
        moves: list[ShareMove] = []
        halves: dict[str, tuple[RawEvent, int, list[str]]] = {}
        table, parse = self._table, parser.parse
        for mapper, cells in self._rows(after):
            row = mapper.read(cells)
            if isinstance(row, RawFill):
                made = parse(row, table.line, cells)
                if isinstance(made, Fill):
                    yield made
                    if row.accrued or row.swap or row.foreign_fee is not None:
                        yield from self._events_beside(parser, made, row, cells)
                elif made is not None:
                    yield describe_span(made, table.last_line)
            elif isinstance(row, RawEvent) and row.terms.how in SPLIT_HALVES:
                yield from self._split_half(parser, row, cells, halves)
            elif isinstance(row, RawEvent):
                if (event := parser.parse_event(row, table.line, cells)) is not None:
                    yield event if isinstance(event, Fill) else describe_span(event, table.last_line)
                if isinstance(event, Fill) and (second := row.second_leg()) is not None:
                    yield from filter(None, [parser.parse_event(second, table.line, cells)])
            elif isinstance(row, ShareMove):
                row.line, row.cells = table.line, cells
                moves.append(row)
            elif isinstance(row, SkippedRow):
                self.skipped[row.rule] += 1
            elif isinstance(row, PickedRow):
                assert isinstance(mapper, RuleMapper)
                ended.append(PendingExpiration(table.line, table.last_line, cells, row, mapper))
            elif isinstance(row, RoundTripRow):
                yield from self._round_trip(parser, row, cells)
            else:
                rejection = parser.reject(table.line, cells, row.problem, row.account or self._account)
                yield describe_span(rejection, table.last_line)
        if ended:
            yield from self._expiration_fills(parser, ended)
        yield from self._action_events(parser, moves)
        for raw, line, cells in halves.values():
            yield parser.reject(line, cells, _HALF_A_SPLIT, raw.account or self._account)

    def _action_events(self, parser: FillParser, moves: Sequence[ShareMove]) -> Iterator[Fill | Rejection]:
        """Yield the events of corporate actions and transfers."""
        for move, made in action_events(moves):
            self._current_line = move.line
            if made is None:
                continue
            if isinstance(made, RawEvent):
                yield from filter(None, [parser.parse_event(made, move.line, move.cells)])
            else:
                yield parser.reject(move.line, move.cells, made, move.raw.account or self._account)

    def _events_beside(
        self, parser: FillParser, fill: Fill, row: RawFill, cells: Sequence[str]
    ) -> Iterator[Fill | Rejection]:
        """Yield the events that the row of a fill states: its fee in another currency, accrued interest, swap."""
        yield from filter(None, [parser.foreign_fee(fill, row)])
        for carry in filter(None, (row.accrued_interest(fill.side), row.swap_event())):
            yield from filter(None, [parser.parse_event(carry, self._table.line, cells)])

    def _split_half(
        self,
        parser: FillParser,
        raw: RawEvent,
        cells: list[str],
        halves: dict[str, tuple[RawEvent, int, list[str]]],
    ) -> Iterator[Fill | Rejection]:
        """Yield a split at the second of its two rows; `halves` stores the first."""
        other = halves.pop(raw.symbol, None)
        if other is None or other[0].terms.how == raw.terms.how:
            halves[raw.symbol] = (raw, self._table.line, cells)
            if other is not None:
                yield parser.reject(other[1], other[2], _HALF_A_SPLIT, raw.account or self._account)
            return
        new, old = (raw, other[0]) if raw.terms.how == SPLIT_HALVES[0] else (other[0], raw)
        raw.terms = EventTerms(ratio=(new.quantity, old.quantity))
        raw.quantity, raw.event_id = ZERO, new.event_id
        event = parser.parse_event(raw, self._table.line, cells)
        if event is not None:
            yield event if isinstance(event, Fill) else describe_span(event, self._table.last_line)

    def _round_trip(
        self, parser: FillParser, row: RoundTripRow, cells: Sequence[str]
    ) -> Iterator[Fill | Rejection]:
        """Yield both fills of a round trip, the entry first, or one rejection."""
        is_foreign = row.currency and row.entry.currency and row.currency != row.entry.currency
        if self._layout.multipliers == "result" and row.gross is not None and not is_foreign:
            parser.fit_to_result(row.entry, row.exit, row.gross)
        elif row.result is not None and not row.entry.asset_class:
            parser.find_root(row.entry, row.exit, row.result)
        # Fills of one instant keep the order in which they are parsed, or its reverse in a file newest first.
        raws = (row.exit, row.entry) if parser.is_newest_first else (row.entry, row.exit)
        made = [parser.parse(raw, self.line, cells) for raw in raws]
        rejected = next((one for one in made if isinstance(one, Rejection)), None)
        fills = sorted((one for one in made if isinstance(one, Fill)), key=lambda one: one.order)
        if rejected is None and row.result is not None:
            if self._layout.fees.implied:
                fills = with_implied_fee(row.result, fills)
            problem = result_mismatch(row.result, fills, row.currency)
            rejected = parser.reject(self.line, cells, problem, fills[0].account) if problem else None
        if rejected is not None:
            yield describe_span(rejected, self._table.last_line)
            return
        yield from fills
        for raw in (row.entry, row.exit):
            own = next((one for one, parsed in zip(made, raws, strict=True) if parsed is raw), None)
            if isinstance(own, Fill):
                yield from filter(None, [parser.foreign_fee(own, raw)])
        if (stated := row.exit.swap_event()) and (swap := parser.parse_event(stated, self.line, cells)):
            yield swap

    def _expiration_fills(
        self, parser: FillParser, ended: Sequence[PendingExpiration]
    ) -> Iterator[Fill | Rejection]:
        """Yield the fills that end positions without a trade; the trades of the file give their sides."""
        expirations = Expirations(self._layout, self.number_format)
        known = []
        for pending in ended:
            self._current_line = pending.line
            try:
                known.append((pending, expirations.raw_fill(pending)))
            except RowError as bad:
                yield self._reject_expiration(parser, pending, bad)
        expirations.scan_trades(self.trades(), [raw for _, raw in known])
        for pending, raw in known:
            self._current_line = pending.line
            try:
                is_restated = expirations.set_side(pending, raw)
                settled = expirations.settlement(pending, raw)
            except RowError as bad:
                yield self._reject_expiration(parser, pending, bad)
                continue
            if is_restated:
                self.skipped[STATED_TWICE] += 1
                continue
            yield from filter(None, [parser.parse(raw, pending.line, pending.cells)])
            if settled is not None:
                yield from filter(None, [parser.parse_event(settled, pending.line, pending.cells)])

    def _reject_expiration(self, parser: FillParser, pending: PendingExpiration, bad: RowError) -> Rejection:
        account = pending.row.values.get("account") or self._account
        rejection = parser.reject(pending.line, pending.cells, bad.problem, account)
        return describe_span(rejection, pending.last_line)

    def trades(self) -> Iterator[RawFill]:
        """Yield the raw fills of all trades of the file."""
        for mapper, cells in self._rows():
            row = mapper.read(cells)
            if isinstance(row, RawFill):
                yield row
            elif isinstance(row, RoundTripRow):
                yield from (row.entry, row.exit)

    def columns(
        self, path: Path, position: CsvPosition, parser: FillParser, now: datetime, *, is_utc: bool
    ) -> PlainColumns:
        """Return the fills of a plain table by columns."""
        return PlainColumns(
            path,
            position,
            self._layout,
            parser,
            is_utc=is_utc,
            marks=self._header_marks,
            now=now,
            account=self._account,
        )

    def _rows(self, after: int = 0) -> Iterator[tuple[RowMapper, list[str]]]:
        """Yield the mapper and cells of each row of the table; a header in the file gives a new mapper."""
        header, whole, is_inside = self._header, strip_cells(self._header), True
        is_behind_blank = False
        stated = self._preamble
        mapper = self._mapper(header, stated)
        may_end, marks, titled = self._layout.table_ends == "blank", self._header_marks, self._layout.titles
        for cells, problem in self._table.rows(max(self._header_line, after)):
            if problem is not None:
                yield ProblemMapper(problem), cells
                continue
            if not (cells and cells[0].strip()) and not "".join(cells).strip():
                is_behind_blank = is_behind_blank or (is_inside and may_end)
                is_inside = is_inside and not may_end
                continue
            if not marks.isdisjoint(cells) and self._is_header(cells, whole):
                header, whole, is_inside, is_behind_blank = cells, strip_cells(cells), True, False
                mapper = self._mapper(header, stated)
                continue
            if (may_end or titled) and not "".join(cells[1:]).strip():
                is_inside = is_inside and not may_end  # the title of the next table
                is_behind_blank = False
                if titled:
                    stated = {**stated, titled: cells[0].strip()}
                    mapper = self._mapper(header, stated)
                    continue
            if is_behind_blank:  # of the same table, if it has a time where that has one
                place = (self._layout.match_header(header) or {}).get("time", 0)
                is_timed = any(map(str.isdigit, "".join(cells[place : place + 1])))
                is_inside = is_timed or bool(self._layout.carried)
                is_behind_blank = not is_inside
            if is_inside:
                yield mapper, cells

    def _is_header(self, cells: Sequence[str], header: Sequence[str]) -> bool:
        """Return whether a row repeats the header, or is the header of another table of the layout."""
        return strip_cells(cells) == header or self._layout.match_header(cells) is not None

    def _mapper(self, header: Sequence[str], stated: Mapping[str, str]) -> RowMapper:
        if self._layout.has_rules:
            return RuleMapper(self._layout, header, stated, self.number_format)
        return PlainMapper(self._layout, header, self.number_format)


def _header_marks(layout: Layout, header: Sequence[str]) -> frozenset[str]:
    """Return the spellings of the first field's name that occur in a header."""
    names = next(iter(layout.columns.values()), [])
    wanted = {normalize_name(name) for name in names}
    place = header_places(header).first(names)
    named = [] if place is None else [header[place]]
    return frozenset([*names, *named, *(cell for cell in header if normalize_name(cell) in wanted)])
