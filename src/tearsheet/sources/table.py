"""Reads a table by the rules of its layout, whatever kind of file it stands in."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from tearsheet.sources.csv_rows import spanning, surplus, trimmed
from tearsheet.sources.fill_rows import FillRows
from tearsheet.sources.layout import Layout, folded
from tearsheet.sources.problem import Problem, RowError
from tearsheet.sources.row_rules import RowRules, Skipped
from tearsheet.sources.text import NumberForm
from tearsheet.trade.fill import Fill, Rejection


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
        self.form = NumberForm(".")
        self.skipped: Counter[str] = Counter()

    @property
    def line(self) -> int:
        """The first line of the row given last."""
        return self._grid.line

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
        """The fees of all its rows, as written, where one column has them."""
        for rules, _ in self._trades():
            if not isinstance(rules, Problem):
                yield rules[1].get("commission", "")

    def times(self) -> Iterator[str]:
        """The times of all its rows, as written."""
        for rules, _ in self._trades():
            if not isinstance(rules, Problem):
                yield from rules[0].times(rules[1])

    def read(self, rows: FillRows) -> Iterator[Fill | Rejection]:
        """The fills and rejections of the file."""
        self.skipped.clear()
        for found, cells in self._trades():
            if isinstance(found, Problem):
                rejection = rows.reject(self.line, cells, found, self._account)
                yield spanning(rejection, self._grid.through)
                continue
            yield from self._made(rows, *found, cells)

    def _made(
        self, rows: FillRows, rules: RowRules, values: Mapping[str, str], cells: Sequence[str]
    ) -> Iterator[Fill | Rejection]:
        """One fill, or both of a round trip; of a round trip never one alone."""
        try:
            texts = rules.fills(values, cells, self.form)
        except RowError as bad:
            whose = values.get("account") or self._account
            rejection = rows.reject(self.line, cells, bad.problem, whose)
            yield spanning(rejection, self._grid.through)
            return
        made = [rows.make(row, self.line, cells) for row in texts]
        rejected = next((one for one in made if isinstance(one, Rejection)), None)
        if rejected is not None:
            yield spanning(rejected, self._grid.through)
        else:
            yield from (one for one in made if one is not None)

    def _trades(
        self,
    ) -> Iterator[tuple[tuple[RowRules, dict[str, str]] | Problem, list[str]]]:
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
