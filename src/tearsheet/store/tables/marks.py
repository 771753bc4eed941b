"""Last known price of each instrument, sent by the user or a feed."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from tearsheet.store.tables.columns import MarkRow
from tearsheet.store.tables.queries import Queries
from tearsheet.trade.session import from_micros, to_micros


class Mark(Struct, frozen=True):
    """Price of an instrument at an instant (UTC)."""

    symbol: str
    price: Decimal
    time: datetime


class Marks:
    """Table with the latest mark of each instrument; marks may arrive in any order."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    def save(self, mark: Mark) -> bool:
        """Save a mark unless a later one is stored; return whether anything changed."""
        stored = self.get(mark.symbol)
        if stored is not None and (mark.time < stored.time or mark == stored):
            return False
        row = MarkRow(symbol=mark.symbol, price=str(mark.price), time_us=to_micros(mark.time))
        self._queries.execute("put_mark", row)
        return True

    def all(self) -> list[Mark]:
        """Return every mark, by symbol."""
        found = self._queries.rows(MarkRow, "marks")
        return [Mark(row.symbol, Decimal(row.price), from_micros(row.time_us)) for row in found]

    def remove(self, symbol: str) -> bool:
        """Remove the mark of an instrument; return whether it had one."""
        if self.get(symbol) is None:
            return False
        self._queries.execute("remove_mark", (symbol,))
        return True

    def get(self, symbol: str) -> Mark | None:
        """Return the mark of an instrument."""
        row = self._queries.row(MarkRow, "mark", (symbol,))
        return None if row is None else Mark(symbol, Decimal(row.price), from_micros(row.time_us))

    def for_symbols(self, symbols: Iterable[str]) -> dict[str, Mark]:
        """Return the marks of instruments that have one."""
        marks = ((symbol, self.get(symbol)) for symbol in set(symbols))
        return {symbol: mark for symbol, mark in marks if mark is not None}
