"""Reads a table by the rules of its layout, whatever kind of file it stands in."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from tearsheet.sources.layouts.layout import Layout, normalize_name
from tearsheet.sources.statements.csv_rows import describe_span, extra_columns_problem, strip_cells
from tearsheet.sources.statements.expirations import Expirations, PendingExpiration
from tearsheet.sources.statements.fill_rows import FillParser
from tearsheet.sources.statements.row_kinds import SkippedRow
from tearsheet.sources.statements.row_rules import RowMapper
from tearsheet.sources.statements.settlement import result_mismatch
from tearsheet.sources.text.encoding import NumberFormat
from tearsheet.sources.text.problem import RowError, RowProblem
from tearsheet.trade.fill import Fill, Rejection

#: Under which name rows are counted that say once more what a trade of the file says.
STATED_TWICE = "stated_twice"


class TableSource(Protocol):
    """Rows of cells in a file. `line` and `through` bound the row given last, as an editor counts."""

    line: int
    last_line: int
    bytes_read: int

    @property
    def resume_after(self) -> int:
        """What `rows` has to be told to go on below the row given last."""

    def rows(self, after: int) -> Iterator[tuple[list[str], RowProblem | None]]:
        """The cells of every row below a line, with what is wrong with them as text."""


class TableReader:
    """The fills of a table. `skipped` counts, by rule, the rows of the last reading that are no trades."""

    def __init__(
        self,
        grid: TableSource,
        layout: Layout,
        header: Sequence[str],
        header_line: int,
        preamble: Mapping[str, str],
        account: str | None = None,
    ) -> None:
        self._account = preamble.get("account") or account
        self._table = grid
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
        """The first line of the row given last."""
        return self._current_line or self._table.line

    @property
    def bytes_read(self) -> int:
        """How far the file has been read."""
        return self._table.bytes_read

    def numbers(self) -> Iterator[str]:
        """The texts of all its rows that are numbers."""
        for rules, cells in self._trade_rows():
            if not isinstance(rules, RowProblem):
                yield from rules[0].numbers(rules[1], cells)

    def fees(self) -> Iterator[str]:
        """The first fee of all its rows, as written."""
        for rules, cells in self._trade_rows():
            if not isinstance(rules, RowProblem):
                yield rules[0].fee_text(rules[1], cells)

    def times(self) -> Iterator[str]:
        """The times of all its rows, as written."""
        for rules, _ in self._trade_rows():
            if not isinstance(rules, RowProblem):
                yield from rules[0].times(rules[1])

    def read(self, rows: FillParser) -> Iterator[Fill | Rejection]:
        """The fills and rejections of the file."""
        self.skipped.clear()
        self._current_line = 0
        ended: list[PendingExpiration] = []
        for found, cells in self._trade_rows():
            if isinstance(found, RowProblem):
                rejection = rows.reject(self.line, cells, found, self._account)
                yield describe_span(rejection, self._table.last_line)
            elif "event" in found[1]:
                ended.append(PendingExpiration(self.line, self._table.last_line, cells, found[1], found[0]))
            else:
                yield from self._parse_row(rows, *found, cells)
        if ended:
            yield from self._expiration_fills(rows, ended)

    def _expiration_fills(
        self, rows: FillParser, ended: Sequence[PendingExpiration]
    ) -> Iterator[Fill | Rejection]:
        """The positions that end without a trade; what the file opened tells their sides."""
        endings = Expirations(self._layout, self.number_format)
        known = []
        for held in ended:
            self._current_line = held.line
            try:
                known.append((held, endings.row(held)))
            except RowError as bad:
                yield self._reject_expiration(rows, held, bad)
        skipped = self.skipped.copy()
        endings.scan_trades(self._canonical_rows(), [row for _, row in known])
        self.skipped = skipped
        for held, row in known:
            self._current_line = held.line
            try:
                settled = endings.with_side(held, row)
            except RowError as bad:
                yield self._reject_expiration(rows, held, bad)
                continue
            if settled is None:
                self.skipped[STATED_TWICE] += 1
            elif (made := rows.parse(settled, held.line, held.cells)) is not None:
                yield made

    def _reject_expiration(self, rows: FillParser, held: PendingExpiration, bad: RowError) -> Rejection:
        whose = held.values.get("account") or self._account
        rejection = rows.reject(held.line, held.cells, bad.problem, whose)
        return describe_span(rejection, held.last_line)

    def _canonical_rows(self) -> Iterator[Sequence[str]]:
        """The texts of all its trades that can be read."""
        for found, cells in self._trade_rows():
            if not isinstance(found, RowProblem) and "event" not in found[1]:
                try:
                    yield from found[0].to_fill_rows(found[1], cells, self.number_format)
                except RowError:
                    continue

    def _parse_row(
        self, rows: FillParser, rules: RowMapper, values: Mapping[str, str], cells: Sequence[str]
    ) -> Iterator[Fill | Rejection]:
        """One fill, or both of a round trip; of a round trip never one alone."""
        try:
            texts = rules.to_fill_rows(values, cells, self.number_format)
            result = rules.stated_result(values, self.number_format)
        except RowError as bad:
            whose = values.get("account") or self._account
            rejection = rows.reject(self.line, cells, bad.problem, whose)
            yield describe_span(rejection, self._table.last_line)
            return
        made = [rows.parse(row, self.line, cells) for row in texts]
        rejected = next((one for one in made if isinstance(one, Rejection)), None)
        fills = [one for one in made if isinstance(one, Fill)]
        if rejected is None and result is not None:
            problem = result_mismatch(result, fills, values.get("fee_currency", ""))
            rejected = rows.reject(self.line, cells, problem, fills[0].account) if problem else None
        if rejected is not None:
            yield describe_span(rejected, self._table.last_line)
        else:
            yield from fills

    def _trade_rows(self) -> Iterator[tuple[tuple[RowMapper, dict[str, str]] | RowProblem, list[str]]]:
        """The rows that are trades, or cannot be told; a header within the file begins anew."""
        header, rules = self._header, self._rules(self._header)
        whole, inside = strip_cells(header), True
        may_end = self._layout.table_ends == "blank"
        for cells, problem in self._table.rows(self._header_line):
            if problem is not None:
                yield problem, cells
                continue
            if not "".join(cells).strip():
                inside = inside and not may_end
                continue
            if not self._header_marks.isdisjoint(cells) and self._is_header(cells, whole):
                header, rules, whole, inside = cells, self._rules(cells), strip_cells(cells), True
                continue
            if may_end and not "".join(cells[1:]).strip():
                inside = False  # a title: another table begins
            if inside:
                found = self._extract(rules, cells, len(header))
                if found is not None:
                    yield found, cells

    def _extract(
        self, rules: RowMapper, cells: list[str], width: int
    ) -> tuple[RowMapper, dict[str, str]] | RowProblem | None:
        padded = [*cells, *[""] * (width - len(cells))]
        try:
            values = rules.extract(padded)
        except RowError as bad:
            return bad.problem
        if isinstance(values, SkippedRow):
            self.skipped[values.rule] += 1
            return None
        if problem := extra_columns_problem(cells, width):
            return problem
        cells[:] = padded
        return rules, values

    def _is_header(self, cells: Sequence[str], header: Sequence[str]) -> bool:
        """Whether a row is the header again, or begins another table of the layout."""
        return strip_cells(cells) == header or self._layout.match_header(cells) is not None

    def _rules(self, header: Sequence[str]) -> RowMapper:
        return RowMapper(self._layout, header, self._preamble)


def _header_marks(layout: Layout, header: Sequence[str]) -> frozenset[str]:
    """Cells by which a header within the file is known: the names of one field, as they may stand."""
    names = next(iter(layout.columns.values()), [])
    wanted = {normalize_name(name) for name in names}
    return frozenset([*names, *(cell for cell in header if normalize_name(cell) in wanted)])
