"""The trades that imports close, read inside the transaction of a preview."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from tearsheet.store.tables.columns import PositionRow
from tearsheet.store.tables.queries import Queries
from tearsheet.store.tables.query_rows import InstantRow
from tearsheet.store.tables.rows import LINE_BITS, position_from_row
from tearsheet.trade.amount import exact
from tearsheet.trade.fill import Side
from tearsheet.trade.position import Position
from tearsheet.trade.session import from_micros

_MOST_ROWS = 20_000
_NEVER = 1 << 62
Streams = dict[tuple[str, str], int]


class PreviewedTrade(Struct, frozen=True):
    """Position that an import would close, as the preview lists it."""

    account: str
    symbol: str
    currency: str
    side: str
    opened_at: datetime | None
    closed_at: datetime
    quantity: Decimal
    entry: Decimal | None
    exit: Decimal | None
    gross: Decimal
    fees: Decimal
    net: Decimal


class ImportedTrades(Struct, frozen=True):
    """The latest trades of some imports, the first fill of each, and how many fills have no fee."""

    trades: tuple[PreviewedTrade, ...] = ()
    first_at: dict[int, datetime] = {}
    fees_unstated: int = 0


def imported_trades(queries: Queries, imports: Iterable[int], number: int) -> ImportedTrades:
    """Return the last `number` trades of the accounts and symbols of some imports, since their first fills."""
    first_at: dict[int, datetime] = {}
    streams: Streams = {}
    for import_id in imports:
        rows = queries.rows(
            InstantRow, "streams_of_batch", (import_id << LINE_BITS, (import_id + 1) << LINE_BITS)
        )
        if rows:
            first_at[import_id] = from_micros(min(row.time_us for row in rows))
        for row in rows:
            name = (row.account, row.symbol)
            streams[name] = min(streams.get(name, row.time_us), row.time_us)
    positions = _last_closed(queries, streams, number)
    return ImportedTrades(
        tuple(map(_to_trade, positions)), first_at, _count_unstated(queries, streams, positions)
    )


def _last_closed(queries: Queries, streams: Streams, number: int) -> list[Position]:
    """Return the positions of some streams that closed last, the newest first."""
    found: list[Position] = []
    for account in sorted({account for account, _ in streams}):
        since = min(first for (owner, _), first in streams.items() if owner == account)
        taken = 0
        rows = queries.stream(PositionRow, "last_closed_account", (account, _NEVER), at_once=200)
        for read, row in enumerate(rows):
            closed = row.closed_us or 0
            if closed < since or taken == number or read == _MOST_ROWS:
                break
            if closed >= streams.get((account, row.symbol), _NEVER):
                found.append(position_from_row(row))
                taken += 1
    found.sort(key=lambda one: (one.closed_at, one.last_rank), reverse=True)
    return found[:number]


def _count_unstated(queries: Queries, streams: Streams, positions: Iterable[Position]) -> int:
    names = {(one.account, one.symbol, one.currency) for one in positions}
    return sum(
        queries.value("count_without_fee", (streams[account, symbol], _NEVER, currency, account, symbol))
        for account, symbol, currency in names
    )


def _to_trade(position: Position) -> PreviewedTrade:
    assert position.closed_at is not None
    with exact():
        return PreviewedTrade(
            account=position.account,
            symbol=position.symbol,
            currency=position.currency,
            side="long" if position.side is Side.BUY else "short",
            opened_at=position.opened_at,
            closed_at=position.closed_at,
            quantity=position.quantity,
            entry=position.average_entry,
            exit=position.average_exit,
            gross=position.gross,
            fees=position.fees,
            net=position.net,
        )
