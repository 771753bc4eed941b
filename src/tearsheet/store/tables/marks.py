"""The last known price of each instrument, as told by the user or a feed."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from tearsheet.store.tables.queries import Queries
from tearsheet.trade.session import from_micros, to_micros


class Mark(Struct, frozen=True):
    """A price that an instrument had at an instant (UTC)."""

    symbol: str
    price: Decimal
    time: datetime


class Marks:
    """Keeps one mark an instrument: the one with the latest time, however they arrive."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    def save(self, mark: Mark) -> bool:
        """Keep a mark unless a later one is kept; says whether anything changed."""
        if (kept := self.get(mark.symbol)) is not None and (
            mark.time < kept.time or (mark.time, mark.price) == (kept.time, kept.price)
        ):
            return False
        time_us = to_micros(mark.time)
        self._queries.execute("put_mark", (mark.symbol, str(mark.price), time_us))
        return True

    def get(self, symbol: str) -> Mark | None:
        """The last mark of an instrument."""
        row = self._queries.fetch_one("mark", (symbol,))
        return None if row is None else Mark(symbol, Decimal(row[0]), from_micros(row[1]))

    def for_symbols(self, symbols: Iterable[str]) -> dict[str, Mark]:
        """The last marks of instruments, as far as there are any."""
        found = ((symbol, self.get(symbol)) for symbol in set(symbols))
        return {symbol: mark for symbol, mark in found if mark is not None}
