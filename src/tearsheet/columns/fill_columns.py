"""Fills as columns, and what a batch of them comes to: the same rows from the kernel and from the exact lane."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import chain, pairwise
from typing import Any, NamedTuple

from msgspec.structs import replace

from tearsheet.columns.sort_keys import sort_keys
from tearsheet.errors import UsageError
from tearsheet.performance.tally import Tally
from tearsheet.trade.amount import exact, to_plain_string
from tearsheet.trade.fill import Fill, Side
from tearsheet.trade.position import Booking, Position, log_place
from tearsheet.trade.session import from_micros, to_micros


class FillColumns(NamedTuple):
    """Fills in order of (time, account, line of a log, symbol, rank, key), one list a field; amounts are texts."""

    account: Sequence[str]
    symbol: Sequence[str]
    position_side: Sequence[str | None]
    currency: Sequence[str]
    time_us: Sequence[int]
    rank: Sequence[int]
    key: Sequence[str]
    side: Sequence[str]
    closes: Sequence[int | None]
    mode: Sequence[str | None]
    strategy: Sequence[str | None]
    quantity: Sequence[str]
    price: Sequence[str]
    commission: Sequence[str]
    multiplier: Sequence[str]
    stop_loss: Sequence[str | None]
    target: Sequence[str | None]

    @classmethod
    def from_fills(cls, fills: Sequence[Fill]) -> "FillColumns":
        """Return the columns of fills."""
        return cls(*_columns(map(_row, fills), len(cls._fields)))

    def fills(self) -> list[Fill]:
        """Return the fills."""
        return [_fill(*row) for row in zip(*self, strict=True)]


class StatedFills(NamedTuple):
    """Fills as a file states them, with the line and the ids of each; the order is that of the file."""

    lines: Sequence[int]
    fill_ids: Sequence[str | None]
    order_ids: Sequence[str | None]
    columns: FillColumns

    @classmethod
    def of(cls, columns: Iterable[Sequence[Any]]) -> "StatedFills":
        """Return the fills of lines, ids, ids of orders, and the columns of fills."""
        lines, fill_ids, order_ids, *rest = columns
        return cls(lines, fill_ids, order_ids, FillColumns(*rest))

    @classmethod
    def joined(cls, parts: Sequence["StatedFills"]) -> "StatedFills":
        """Return the fills of parts, one after the other."""
        if len(parts) == 1:
            return parts[0]
        columns = zip(*(part.flat() for part in parts), strict=True)
        return cls.of([list(chain.from_iterable(column)) for column in columns] or _empty())

    def flat(self) -> tuple[Sequence[Any], ...]:
        """Return lines, ids, ids of orders, and the columns of fills."""
        return (self.lines, self.fill_ids, self.order_ids, *self.columns)

    def part(self, start: int, end: int) -> "StatedFills":
        """Return the fills from one place to another."""
        if (start, end) == (0, len(self.lines)):
            return self
        return self.of([column[start:end] for column in self.flat()])

    def numbered(self) -> list[tuple[int, Fill]]:
        """Return the fills with their lines."""
        fills = zip(self.columns.fills(), self.fill_ids, self.order_ids, strict=True)
        whole = (replace(fill, fill_id=fill_id, order_id=order_id) for fill, fill_id, order_id in fills)
        return list(zip(self.lines, whole, strict=True))


#: Time, account, line of a log, symbol, rank and key: the order in which fills are folded.
FillPlace = tuple[int, str, int, str, int, str]


def fill_place(columns: FillColumns, row: int) -> FillPlace:
    """Return the place of a fill in the order."""
    account, symbol, rank = columns.account[row], columns.symbol[row], columns.rank[row]
    return columns.time_us[row], account, log_place(rank), symbol, rank, columns.key[row]


def check_order(columns: FillColumns) -> None:
    """Raise UsageError where a fill does not come after the one before it."""
    for before, here in pairwise(fill_place(columns, row) for row in range(len(columns.key))):
        if here <= before:
            raise out_of_order(here, before)


def out_of_order(here: FillPlace, before: FillPlace) -> UsageError:
    """Return the error of a fill that does not come after the one before it."""
    return UsageError(f"the fill at {here} does not come after the one at {before}")


class BookedColumns(NamedTuple):
    """Bookings in order, one list a field, as the ledger keeps them."""

    position_id: list[str]
    account: list[str]
    symbol: list[str]
    currency: list[str]
    time_us: list[int]
    rank: list[int]
    fill_key: list[str]
    part: list[int]
    quantity: list[str]
    price: list[str]
    gross: list[str]
    fees: list[str]
    closes: list[int]


class PositionColumns(NamedTuple):
    """Closed positions, and at the end the open ones, one list a field, as the ledger keeps them."""

    id: list[str]
    account: list[str]
    symbol: list[str]
    currency: list[str]
    multiplier: list[str]
    side: list[str]
    opened_us: list[int | None]
    closed_us: list[int | None]
    last_us: list[int]
    last_rank: list[int]
    last_key: list[str]
    quantity: list[str]
    peak_quantity: list[str]
    open_quantity: list[str]
    entry_value: list[str]
    exit_value: list[str]
    cost: list[str]
    gross: list[str]
    fees: list[str]
    fills: list[int]
    strategy: list[str | None]
    stop_loss: list[str | None]
    target: list[str | None]
    planned: list[str | None]
    mode: list[str | None]
    held_us: list[int | None]
    position_side: list[str | None]
    net_order: list[int]
    quantity_order: list[int]
    r_order: list[int | None]


class SessionTally(NamedTuple):
    """The tally of an account, or of all by the empty name, in a session and currency."""

    account: str
    session: date
    currency: str
    last_us: int
    tally: Tally


class FoldOutput(NamedTuple):
    """What a batch of fills came to; the tallies are those of sessions that are over."""

    bookings: BookedColumns
    positions: PositionColumns
    tallies: list[SessionTally]


def _empty() -> list[list[Any]]:
    return [[] for _ in range(len(FillColumns._fields) + 3)]


def booked_columns(bookings: Sequence[Booking]) -> BookedColumns:
    """Return bookings as columns."""
    return BookedColumns(*_columns(map(_booking_row, bookings), len(BookedColumns._fields)))


def position_columns(positions: Sequence[Position]) -> PositionColumns:
    """Return positions as columns."""
    with exact():
        return PositionColumns(*_columns(map(_position_row, positions), len(PositionColumns._fields)))


def positions_from_columns(columns: PositionColumns) -> list[Position]:
    """Return the positions of columns."""
    return [_position(*row) for row in zip(*columns, strict=True)]


def empty_fold() -> FoldOutput:
    """Return what no fills come to."""
    return FoldOutput(booked_columns([]), position_columns([]), [])


def _columns(rows: Iterable[tuple[object, ...]], count: int) -> list[list[Any]]:
    return list(map(list, zip(*rows, strict=True))) or [[] for _ in range(count)]


def _text(value: Decimal | None) -> str | None:
    return None if value is None else to_plain_string(value)


def _row(fill: Fill) -> tuple[object, ...]:
    amounts = (fill.quantity, fill.price, fill.commission, fill.multiplier, fill.stop_loss, fill.target)
    return (
        fill.account,
        fill.symbol,
        fill.position_side,
        fill.currency,
        to_micros(fill.time),
        fill.rank,
        fill.key,
        fill.side.value,
        int(fill.closes),
        fill.mode,
        fill.strategy,
        *map(_text, amounts),
    )


def _fill(*row: Any) -> Fill:
    account, symbol, position_side, currency, time_us, rank, key, side, closes, mode, strategy, *amounts = row
    numbers = (None if text is None else Decimal(text) for text in amounts)
    quantity, price, commission, multiplier, stop_loss, target = numbers
    assert quantity is not None
    assert price is not None
    assert commission is not None
    assert multiplier is not None
    return Fill(
        account=account,
        symbol=symbol,
        position_side=position_side,
        currency=currency,
        time=from_micros(time_us),
        rank=rank,
        key=key,
        side=Side(side),
        closes=bool(closes),
        mode=mode,
        strategy=strategy,
        quantity=quantity,
        price=price,
        commission=commission,
        multiplier=multiplier,
        stop_loss=stop_loss,
        target=target,
    )


def _booking_row(b: Booking) -> tuple[object, ...]:
    amounts = map(to_plain_string, (b.quantity, b.price, b.gross, b.fees))
    start = (b.position_id, b.account, b.symbol, b.currency, to_micros(b.time), b.rank, b.fill_key, b.part)
    return (*start, *amounts, int(b.closes))


def _position_row(p: Position) -> tuple[object, ...]:
    sums = (
        p.quantity,
        p.peak_quantity,
        p.open_quantity,
        p.entry_value,
        p.exit_value,
        p.cost,
        p.gross,
        p.fees,
    )
    opened, closed = (None if at is None else to_micros(at) for at in (p.opened_at, p.closed_at))
    return (
        *(p.id, p.account, p.symbol, p.currency, to_plain_string(p.multiplier), p.side.value, opened, closed),
        *(to_micros(p.last_at), p.last_rank, p.last_key, *map(to_plain_string, sums), p.fills, p.strategy),
        *(_text(p.stop_loss), _text(p.target), _text(p.planned_risk_reward), p.mode),
        *(None if closed is None or opened is None else closed - opened, p.position_side),
        *sort_keys(p),
    )


def _position(*row: Any) -> Position:
    id_, account, symbol, currency, multiplier, side, opened, closed, last, rank, key, *rest = row
    sums, (fills, strategy, stop_loss, target, planned, mode, held, position_side, *_) = rest[:8], rest[8:]
    stop_loss, target, planned = (
        None if text is None else Decimal(text) for text in (stop_loss, target, planned)
    )
    opened_at, closed_at = (None if at is None else from_micros(at) for at in (opened, closed))
    quantity, peak, left, entry, exit_, cost, gross, fees = map(Decimal, sums)
    return Position(
        id=id_,
        account=account,
        symbol=symbol,
        currency=currency,
        multiplier=Decimal(multiplier),
        side=Side(side),
        opened_at=opened_at,
        closed_at=closed_at,
        last_at=from_micros(last),
        last_rank=rank,
        last_key=key,
        quantity=quantity,
        peak_quantity=peak,
        open_quantity=left,
        entry_value=entry,
        exit_value=exit_,
        cost=cost,
        gross=gross,
        fees=fees,
        fills=fills,
        strategy=strategy,
        stop_loss=stop_loss,
        target=target,
        planned_risk_reward=planned,
        mode=mode,
        held=None if held is None else timedelta(microseconds=held),
        position_side=position_side,
    )
