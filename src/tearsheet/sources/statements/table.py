"""Reads a table by the rules of its layout, whatever kind of file it stands in."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from tearsheet.sources.layouts.layout import Layout, folded
from tearsheet.sources.statements.csv_rows import spanning, surplus, trimmed
from tearsheet.sources.statements.expirations import Endings, Held
from tearsheet.sources.statements.fill_rows import FillRows
from tearsheet.sources.statements.row_kinds import Skipped
from tearsheet.sources.statements.row_rules import RowRules
from tearsheet.sources.statements.settlement import unlike
from tearsheet.sources.text.encoding import NumberForm
from tearsheet.sources.text.problem import Problem, RowError
from tearsheet.trade.fill import Fill, Rejection

#: Under which name rows are counted that say once more what a trade of the file says.
STATED_TWICE = "stated_twice"


class Grid(Protocol):
    """Rows of cells in a file. `line` and `through` bound the row given last, as an editor counts."""

    line: int
    through: int
    bytes_read: int

    @property
    def place(self) -> int:
        """What `rows` has to be told to go on below the row given last."""

    def rows(self, after: int) -> Iterator[tuple[list[str], Problem | None]]:
        """The cells of every row below a line, with what is wrong with them as text."""


class TableReader:
    """The fills of a table. `skipped` counts, by rule, the rows of the last reading that are no trades."""

    def __init__(
        self,
        grid: Grid,
        layout: Layout,
        header: Sequence[str],
        header_line: int,
        preamble: Mapping[str, str],
        account: str | None = None,
    ) -> None:
        self._account = preamble.get("account") or account
        self._grid = grid
        self._layout = layout
        self._header = header
        self._header_line = header_line
        self._preamble = preamble
        self._marks = _marks(layout, header)
        self._current_line = 0
        self.form = NumberForm(".")
        self.skipped: Counter[str] = Counter()

    @property
    def line(self) -> int:
        """The first line of the row given last."""
        return self._current_line or self._grid.line

    @property
    def bytes_read(self) -> int:
        """How far the file has been read."""
        return self._grid.bytes_read

    def numbers(self) -> Iterator[str]:
        """The texts of all its rows that are numbers."""
        for rules, cells in self._trades():
            if not isinstance(rules, Problem):
                yield from rules[0].numbers(rules[1], cells)

    def fees(self) -> Iterator[str]:
        """The first fee of all its rows, as written."""
        for rules, cells in self._trades():
            if not isinstance(rules, Problem):
                yield rules[0].fee(rules[1], cells)

    def times(self) -> Iterator[str]:
        """The times of all its rows, as written."""
        for rules, _ in self._trades():
            if not isinstance(rules, Problem):
                yield from rules[0].times(rules[1])

    def read(self, rows: FillRows) -> Iterator[Fill | Rejection]:
        """The fills and rejections of the file."""
        self.skipped.clear()
        self._current_line = 0
        ended: list[Held] = []
        for found, cells in self._trades():
            if isinstance(found, Problem):
                rejection = rows.reject(self.line, cells, found, self._account)
                yield spanning(rejection, self._grid.through)
            elif "event" in found[1]:
                ended.append(Held(self.line, self._grid.through, cells, found[1], found[0]))
            else:
                yield from self._parse_row(rows, *found, cells)
        if ended:
            yield from self._ended(rows, ended)

    def _ended(self, rows: FillRows, ended: Sequence[Held]) -> Iterator[Fill | Rejection]:
        """The positions that end without a trade; what the file opened tells their sides."""
        endings = Endings(self._layout, self.form)
        known = []
        for held in ended:
            self._current_line = held.line
            try:
                known.append((held, endings.row(held)))
            except RowError as bad:
                yield self._reject_expiration(rows, held, bad)
        skipped = self.skipped.copy()
        endings.look(self._canonical(), [row for _, row in known])
        self.skipped = skipped
        for held, row in known:
            self._current_line = held.line
            try:
                settled = endings.settled(held, row)
            except RowError as bad:
                yield self._reject_expiration(rows, held, bad)
                continue
            if settled is None:
                self.skipped[STATED_TWICE] += 1
            elif (made := rows.make(settled, held.line, held.cells)) is not None:
                yield made

    def _reject_expiration(self, rows: FillRows, held: Held, bad: RowError) -> Rejection:
        whose = held.values.get("account") or self._account
        rejection = rows.reject(held.line, held.cells, bad.problem, whose)
        return spanning(rejection, held.through)

    def _canonical(self) -> Iterator[Sequence[str]]:
        """The texts of all its trades that can be read."""
        for found, cells in self._trades():
            if not isinstance(found, Problem) and "event" not in found[1]:
                try:
                    yield from found[0].fills(found[1], cells, self.form)
                except RowError:
                    continue

    def _parse_row(
        self, rows: FillRows, rules: RowRules, values: Mapping[str, str], cells: Sequence[str]
    ) -> Iterator[Fill | Rejection]:
        """One fill, or both of a round trip; of a round trip never one alone."""
        try:
            texts = rules.fills(values, cells, self.form)
            result = rules.result(values, self.form)
        except RowError as bad:
            whose = values.get("account") or self._account
            rejection = rows.reject(self.line, cells, bad.problem, whose)
            yield spanning(rejection, self._grid.through)
            return
        made = [rows.make(row, self.line, cells) for row in texts]
        rejected = next((one for one in made if isinstance(one, Rejection)), None)
        fills = [one for one in made if isinstance(one, Fill)]
        if rejected is None and result is not None:
            problem = unlike(result, fills, values.get("fee_currency", ""))
            rejected = rows.reject(self.line, cells, problem, fills[0].account) if problem else None
        if rejected is not None:
            yield spanning(rejected, self._grid.through)
        else:
            yield from fills

    def _trades(self) -> Iterator[tuple[tuple[RowRules, dict[str, str]] | Problem, list[str]]]:
        """The rows that are trades, or cannot be told; a header within the file begins anew."""
        header, rules = self._header, self._rules(self._header)
        whole, inside = trimmed(header), True
        may_end = self._layout.table_ends == "blank"
        for cells, problem in self._grid.rows(self._header_line):
            if problem is not None:
                yield problem, cells
                continue
            if not "".join(cells).strip():
                inside = inside and not may_end
                continue
            if not self._marks.isdisjoint(cells) and self._is_header(cells, whole):
                header, rules, whole, inside = cells, self._rules(cells), trimmed(cells), True
                continue
            if may_end and not "".join(cells[1:]).strip():
                inside = False  # a title: another table begins
            if inside:
                found = self._found(rules, cells, len(header))
                if found is not None:
                    yield found, cells

    def _found(
        self, rules: RowRules, cells: list[str], width: int
    ) -> tuple[RowRules, dict[str, str]] | Problem | None:
        padded = [*cells, *[""] * (width - len(cells))]
        try:
            values = rules.values(padded)
        except RowError as bad:
            return bad.problem
        if isinstance(values, Skipped):
            self.skipped[values.rule] += 1
            return None
        if problem := surplus(cells, width):
            return problem
        cells[:] = padded
        return rules, values

    def _is_header(self, cells: Sequence[str], header: Sequence[str]) -> bool:
        """Whether a row is the header again, or begins another table of the layout."""
        return trimmed(cells) == header or self._layout.find(cells) is not None

    def _rules(self, header: Sequence[str]) -> RowRules:
        return RowRules(self._layout, header, self._preamble)


def _marks(layout: Layout, header: Sequence[str]) -> frozenset[str]:
    """Cells by which a header within the file is known: the names of one field, as they may stand."""
    names = next(iter(layout.columns.values()), [])
    wanted = {folded(name) for name in names}
    return frozenset([*names, *(cell for cell in header if folded(cell) in wanted)])
