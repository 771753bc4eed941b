"""Reports of MetaTrader 4 and 5 in any language as tables with English headings.

Terminals translate headings, never the words in the cells (buy, in, balance). A table is known by the
place of its numbers, times and words.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Literal

from tearsheet.sources.files.table_source import TableSource
from tearsheet.sources.text.problem import RowProblem
from tearsheet.sources.translations.table_view import TableView

_Part = Literal["deals", "positions", "closed"]
_TIME = re.compile(r"^\d{4}[.-]\d\d[.-]\d\d \d\d:\d\d(?::\d\d)?(?:\.\d+)?$")
_TICKET = re.compile(r"^\d{1,20}$")
_TRADE = re.compile(r"^(?:buy|sell)$", re.IGNORECASE)
_OTHER_DEAL = re.compile(
    r"^(?:balance|credit|charge|correction|bonus|commission|interest|dividend|tax)\b", re.IGNORECASE
)
_DIRECTION = re.compile(r"^(?:in|out|in/out|out by)$", re.IGNORECASE)
#: 1234567 (USD, Server, demo, Hedge)
_ACCOUNT = re.compile(r"^\w+ \([A-Z]{3}\b.*\)$")
_ACCOUNT_4 = re.compile(r"^[^:\d]+:\s*(\d{3,20})$")
_MONEY_4 = re.compile(r"^[^:\d]+:\s*([A-Z]{3})$")
#: A report has a trade or a position within so many rows.
_BEGINS_WITHIN = 3000
_PREFERRED: tuple[_Part, ...] = ("deals", "closed", "positions")
_LEFT: dict[_Part, tuple[str, ...]] = {
    "deals": ("Time", "Deal", "Symbol", "Type", "Direction", "Volume", "Price", "Order"),
    "positions": (
        *("Time", "Position", "Symbol", "Type", "Volume", "Price"),
        *("S / L", "T / P", "Time", "Price"),
    ),
    "closed": (
        *("Ticket", "Open Time", "Type", "Size", "Item", "Price"),
        *("S / L", "T / P", "Close Time", "Price"),
    ),
}
_RIGHT: dict[_Part, tuple[str, ...]] = {
    "deals": ("Swap", "Profit", "Balance", "Comment"),
    "positions": ("Swap", "Profit"),
    "closed": ("Commission", "Taxes", "Swap", "Profit"),
}
#: Columns of costs between those of both sides; older reports have the first only.
_COSTS = ("Commission", "Fee")


class MetaTraderTable(TableView):
    """One part of a report: its deals, else its closed transactions, else its positions."""

    def __init__(self, table: TableSource) -> None:
        super().__init__(table)
        self._above: list[list[str]] = []
        self.part: _Part | None = None
        self._find()

    def rows(self, after: int) -> Iterator[tuple[list[str], RowProblem | None]]:
        """Yield the rows from the heading of the part, below a position; the heading is in English."""
        for cells, problem in self._table.rows(max(after, self.header_at - 1)):
            is_header = self._table.resume_after == self.header_at
            yield (list(self.header), None) if is_header else (cells, problem)

    @property
    def stated(self) -> list[str]:
        """Account and currency of the report, as an English one states them."""
        lines = []
        for cells in self._above:
            for cell in cells:
                if _ACCOUNT.match(cell):
                    lines.append(f"Account:,{cell}")
                elif match := _ACCOUNT_4.match(cell):
                    lines.append(f"Account:,{match[1]}")
                elif match := _MONEY_4.match(cell):
                    lines.append(f"Currency:,{match[1]}")
        return lines

    def _find(self) -> None:
        """Look for the best part, by the first row that only such a part has."""
        heading: tuple[int, list[str]] | None = None
        for number, (cells, problem) in enumerate(self._table.rows(0)):
            if number > _BEGINS_WITHIN and self.part is None:
                return
            if problem is not None:
                continue
            bare = [cell.strip() for cell in cells]
            if not any(bare):
                continue
            places = [place for place, cell in enumerate(bare) if cell]
            part = _part_of(bare)
            if part is None:
                if len(places) >= 10 and not any(map(_TIME.match, bare)):
                    heading = (self._table.resume_after, bare)
                elif heading is None and len(self._above) < 100:
                    self._above.append([cell for cell in bare if cell])
                continue
            if heading is not None and (header := _english(part, heading[1])):
                if self.part is None or _PREFERRED.index(part) < _PREFERRED.index(self.part):
                    self.part, (self.header_at, self.header) = part, (heading[0], header)
                if part == _PREFERRED[0]:
                    return


def _part_of(cells: Sequence[str]) -> _Part | None:
    """Return the part that a row of a trade belongs to, by the places of its texts."""
    if len(cells) < 12:
        return None
    if _TICKET.match(cells[0]) and _TIME.match(cells[1]) and _TRADE.match(cells[2]):
        return "closed" if _TIME.match(cells[8]) else None
    if not (_TIME.match(cells[0]) and _TICKET.match(cells[1])):
        return None
    if _TRADE.match(cells[3]) and _DIRECTION.match(cells[4]):
        return "deals"
    if _TRADE.match(cells[3]) and _TIME.match(cells[8]) and cells[9][:1].isdigit():
        return "positions"
    return "deals" if not cells[2] and _OTHER_DEAL.match(cells[3]) else None


def _english(part: _Part, heading: Sequence[str]) -> list[str]:
    """Return the English names of the columns, nothing if their number is not that of the part."""
    last = max(place for place, cell in enumerate(heading) if cell) + 1
    left, right = _LEFT[part], _RIGHT[part]
    costs = last - len(left) - len(right)
    if not 0 <= costs <= len(_COSTS) or (part == "closed") != (costs == 0):
        return []
    return [*left, *_COSTS[:costs], *right, *[""] * (len(heading) - last)]
