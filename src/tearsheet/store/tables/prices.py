"""Prices: the last known one of each instrument, and exchange rates.

Rates are facts of an import: a later import of a pair and day corrects an earlier one, and both are kept.
"""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar

from msgspec import Struct, json

from tearsheet.store.tables.columns import MarkRow, Row
from tearsheet.store.tables.queries import Queries
from tearsheet.trade.event import EventTerms
from tearsheet.trade.rate import Rate
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


class RateRow(Row, frozen=True, gc=False):
    """An exchange rate as an import states it."""

    TABLE: ClassVar[str] = "rate"

    from_currency: str
    to_currency: str
    day: str
    source_id: int
    rate: str
    origin: str


class ListedRateRow(RateRow, frozen=True, gc=False):
    """Exchange rate with the time and person of its import."""

    read_at: int
    who: str | None


class StatedRateRow(Row, frozen=True, gc=False):
    """Row of an event that states the rate into its account's currency."""

    account: str
    key: str
    currency: str
    time_us: int
    terms: str


class StoredRate(Struct, frozen=True):
    """A stored rate, its import, and whether it counts: a later import of the pair and day corrects it."""

    day: date
    from_currency: str
    to_currency: str
    rate: Decimal
    source: str
    import_id: int
    recorded_at: datetime
    recorded_by: str | None
    counts: bool


class RowRate(Struct, frozen=True):
    """Rate into the account's currency that the row of a booking states."""

    account: str
    key: str
    currency: str
    time: datetime
    rate: Decimal


class RateTable:
    """Rates by pair, day and import."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    def between(self, pairs: Iterable[tuple[str, str]], first: date, last: date) -> list[Rate]:
        """Return the rates of pairs from the first to the last day that count."""
        span = (first.isoformat(), last.isoformat())
        found: dict[tuple[str, str, str], RateRow] = {}
        for pair in pairs:
            for row in self._queries.rows(RateRow, "rates_of_pair", (*pair, *span)):
                found[row.from_currency, row.to_currency, row.day] = row  # the latest import comes last
        return list(map(_to_rate, found.values()))

    def of_rows(self, account: str | None, since: datetime, until: datetime) -> list[RowRate]:
        """Return the rates that rows of an account, or of any, state themselves."""
        span = (to_micros(since), to_micros(until), account)
        found = self._queries.rows(StatedRateRow, "stated_rates", span)
        return [
            RowRate(row.account, row.key, row.currency, from_micros(row.time_us), rate)
            for row in found
            if (rate := json.decode(row.terms, type=EventTerms).base_rate) is not None
        ]

    def add(self, source_id: int, rates: Iterable[Rate]) -> None:
        """Add the rates of an import."""
        self._queries.add(RateRow, (_to_row(source_id, rate) for rate in rates))

    def remove(self, source_id: int) -> int:
        """Remove the rates of an import, so that those before it count again; return their number."""
        removed = int(self._queries.value("count_rates_of_source", (source_id,)))
        self._queries.execute("remove_rates_of_source", (source_id,))
        return removed

    def currencies(self) -> list[str]:
        """Return the currencies that have a rate."""
        return sorted(self._queries.values("rate_currencies"))

    def listed(
        self, currencies: tuple[str | None, str | None], first: date, last: date, most: int
    ) -> list[StoredRate]:
        """Return the newest rates from and to currencies, those too that a later import corrected."""
        one, other = currencies
        where = (first.isoformat(), last.isoformat(), one or "", one or "", other or "", other or "", most)
        found = self._queries.rows(ListedRateRow, "listed_rates", where)
        seen: set[tuple[str, str, str]] = set()
        listed = []
        for row in found:  # the latest import of a pair and day comes first
            key = (row.from_currency, row.to_currency, row.day)
            listed.append(_to_stored(row, counts=key not in seen))
            seen.add(key)
        return listed


def _to_row(source_id: int, rate: Rate) -> RateRow:
    return RateRow(
        from_currency=rate.from_currency,
        to_currency=rate.to_currency,
        day=rate.day.isoformat(),
        source_id=source_id,
        rate=format(rate.rate, "f"),
        origin=rate.source,
    )


def _to_rate(row: RateRow) -> Rate:
    day = date.fromisoformat(row.day)
    return Rate(day, row.from_currency, row.to_currency, Decimal(row.rate), row.origin)


def _to_stored(row: ListedRateRow, *, counts: bool) -> StoredRate:
    return StoredRate(
        day=date.fromisoformat(row.day),
        from_currency=row.from_currency,
        to_currency=row.to_currency,
        rate=Decimal(row.rate),
        source=row.origin,
        import_id=row.source_id,
        recorded_at=from_micros(row.read_at),
        recorded_by=row.who,
        counts=counts,
    )
