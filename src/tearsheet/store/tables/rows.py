"""Conversion between rows of the ledger and the values they represent, one function each way."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import compress, count, islice
from operator import attrgetter, eq, le
from struct import unpack
from typing import Any, Literal, TypeVar, cast

import msgspec
from msgspec import Struct, json, structs

from tearsheet.columns.sort_keys import sort_keys
from tearsheet.store.tables.columns import BookingRow, FillRow, PositionRow, RejectionRow
from tearsheet.store.tables.query_rows import GapRow, RejectionListRow
from tearsheet.trade.amount import ZERO, exact, to_plain_string
from tearsheet.trade.event import NO_TERMS, Event, EventKind, EventTerms, Gap
from tearsheet.trade.fill import ConflictRejection, Fill, Rejection, Side, TradeRecord
from tearsheet.trade.position import Booking, Position
from tearsheet.trade.session import EARLIEST, LATEST, from_micros, to_micros

_Kept = TypeVar("_Kept", Booking, Position)
#: Days of log files are counted from here; a file of this day or earlier does not exist.
_FIRST_DAY = EARLIEST.date() - timedelta(days=1)
_LINES = (1 << 32) - 1
_MICROSECOND = timedelta(microseconds=1)
_BUY = Side.BUY  # Enum.value takes longer than the rest of a row
_SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
#: The id of a record, and of a fill, is that of its file × 2^32 + its number in the file.
LINE_BITS = 32
ALWAYS = (to_micros(EARLIEST), to_micros(LATEST))


def decimal(value: str | None) -> Decimal | None:
    """Return the decimal of a stored text; None for NULL."""
    return None if value is None else Decimal(value)


def date_from_text(text: str | None) -> date | None:
    """Return the date of an ISO text; None for NULL."""
    return date.fromisoformat(text) if text else None


def moment(value: int | None) -> datetime | None:
    """Return the time of microseconds since 1970; None for NULL."""
    return None if value is None else from_micros(value)


def canonical(value: Decimal) -> str:
    """Return the canonical text of an amount of the books; a fee that nobody stated stays -0."""
    if value is ZERO:
        return "0"
    text = str(value)
    if "E" in text:
        return to_plain_string(value)
    if text[-1] == "0" and "." in text:
        text = text.rstrip("0").rstrip(".")
        return "0" if text == "-0" else text
    return text


def positions_to_rows(positions: Iterable[Position], *, logged: bool) -> list[PositionRow]:
    """Return the rows of positions; `logged` marks closed trades taken from trade-log records."""
    with exact():
        return [_position_row(position, logged=logged) for position in positions]


def _position_row(p: Position, *, logged: bool) -> PositionRow:
    last_us, quantity = to_micros(p.last_at), canonical(p.quantity)
    return PositionRow(
        p.id,
        p.account,
        p.symbol,
        p.currency,
        canonical(p.multiplier),
        "BUY" if p.side is _BUY else "SELL",
        None if p.opened_at is None else to_micros(p.opened_at),
        None if p.closed_at is None else last_us if p.closed_at is p.last_at else to_micros(p.closed_at),
        last_us,
        p.last_rank,
        p.last_key,
        quantity,
        quantity if p.peak_quantity is p.quantity else canonical(p.peak_quantity),
        canonical(p.open_quantity),
        canonical(p.entry_value),
        canonical(p.exit_value),
        canonical(p.cost),
        canonical(p.gross),
        canonical(p.fees),
        p.fills,
        p.strategy,
        None if p.stop_loss is None else canonical(p.stop_loss),
        None if p.target is None else canonical(p.target),
        None if p.planned_risk_reward is None else canonical(p.planned_risk_reward),
        p.mode,
        None if p.held is None else p.held // _MICROSECOND,
        int(logged),
        *sort_keys(p),
        canonical(p.carry) if p.carry else None,
        p.position_side,
        p.closed_by,
    )


def position_from_row(row: PositionRow) -> Position:
    """Return the position of a row."""
    held = row.held_us
    return Position(
        id=row.id,
        account=row.account,
        symbol=row.symbol,
        currency=row.currency,
        multiplier=Decimal(row.multiplier),
        side=_SIDES[row.side],
        opened_at=moment(row.opened_us),
        closed_at=moment(row.closed_us),
        last_at=from_micros(row.last_us),
        last_rank=row.last_rank,
        last_key=row.last_key,
        quantity=Decimal(row.quantity),
        peak_quantity=Decimal(row.peak_quantity),
        open_quantity=Decimal(row.open_quantity),
        entry_value=Decimal(row.entry_value),
        exit_value=Decimal(row.exit_value),
        cost=Decimal(row.cost),
        gross=Decimal(row.gross),
        fees=Decimal(row.fees),
        fills=row.fills,
        strategy=row.strategy,
        stop_loss=decimal(row.stop_loss),
        target=decimal(row.target),
        planned_risk_reward=decimal(row.planned),
        mode=row.mode,
        held=None if held is None else timedelta(microseconds=held),
        carry=Decimal(row.carry) if row.carry else ZERO,
        position_side=row.position_side,
        closed_by=row.closed_by,
    )


def position_number(identity: str) -> int | None:
    """Return the id of a position as the signed number of its 16 hexadecimal digits; None for any other id."""
    if len(identity) != 16:
        return None
    try:
        number = int(identity, 16)
    except ValueError:
        return None
    return number - (number >> 63 << 64)


def position_numbers(identities: Sequence[str]) -> Sequence[int]:
    """Return the numbers of ids of positions of fills, as `position_number` does."""
    return unpack(f">{len(identities)}q", bytes.fromhex("".join(identities)))


def booking_to_row(b: Booking) -> BookingRow:
    """Return the row of a booking."""
    return BookingRow(
        b.position_id,
        b.account,
        b.symbol,
        b.currency,
        to_micros(b.time),
        b.rank,
        b.fill_key,
        b.part,
        canonical(b.quantity),
        canonical(b.price),
        canonical(b.gross),
        canonical(b.fees),
        int(b.closes),
        canonical(b.carry) if b.carry else None,
        b.event,
        str(b.cash) if b.cash else None,
    )


def booking_from_row(row: BookingRow) -> Booking:
    """Return the booking of a row."""
    return Booking(
        row.position_id,
        row.account,
        row.symbol,
        row.currency,
        from_micros(row.time_us),
        row.rank,
        row.fill_key,
        row.part,
        Decimal(row.quantity),
        Decimal(row.price),
        Decimal(row.gross),
        Decimal(row.fees) or ZERO,
        bool(row.closes),
        Decimal(row.carry) if row.carry else ZERO,
        row.event,
        Decimal(row.cash) if row.cash else ZERO,
    )


def logged_booking(p: Position) -> Booking:
    """Return the single booking of a trade taken from a trade-log record."""
    at_entry = p.entry_value != 0
    closing = p.side.opposite
    value = p.entry_value if at_entry else p.exit_value
    signed = p.quantity if closing is Side.BUY else -p.quantity
    return Booking(
        p.id,
        p.account,
        p.symbol,
        p.currency,
        p.last_at,
        p.last_rank,
        p.last_key,
        0,
        signed,
        value / p.quantity,
        p.gross,
        p.fees,
        True,
    )


def fill_to_row(identity: int, f: Fill, record_id: int | None) -> FillRow:
    """Return the row of a fill or event; `record_id` is the trade-log record it comes from."""
    event = f if type(f) is not Fill and isinstance(f, Event) else None
    return FillRow(
        identity,
        f.account,
        f.symbol,
        f.key,
        to_micros(f.time),
        f.rank,
        "BUY" if f.side is _BUY else "SELL",
        str(f.quantity),
        str(f.price),
        str(f.commission),
        str(f.multiplier),
        f.currency,
        f.fill_id,
        f.order_id,
        f.strategy,
        None if f.stop_loss is None else str(f.stop_loss),
        None if f.target is None else str(f.target),
        f.mode,
        record_id,
        None if event is None else event.kind,
        None if event is None or event.amount is None else str(event.amount),
        f.position_side,
        None if event is None or event.terms == NO_TERMS else json.encode(event.terms).decode(),
        1 if f.closes else None,
        None if f.reported is None else str(f.reported),
    )


def fill_from_row(row: FillRow) -> Fill:
    """Return the fill or event of a row."""
    fill = Fill(
        row.account,
        row.symbol,
        from_micros(row.time_us),
        _SIDES[row.side],
        Decimal(row.quantity),
        Decimal(row.price),
        Decimal(row.commission),
        Decimal(row.multiplier),
        row.currency,
        row.key,
        row.rank,
        row.fill_id,
        row.order_id,
        row.strategy,
        decimal(row.stop_loss),
        decimal(row.target),
        row.mode,
        row.position_side,
        bool(row.closes),
        decimal(row.reported),
    )
    return fill if row.event is None else _event_of(row, fill)


def _event_of(row: FillRow, fill: Fill) -> Event:
    return Event(
        **structs.asdict(fill),
        kind=cast(EventKind, row.event),
        amount=decimal(row.amount),
        terms=json.decode(row.terms, type=EventTerms) if row.terms else NO_TERMS,
    )


def gap_to_row(gap: Gap) -> GapRow:
    """Return the row of what the books lack."""
    return GapRow(gap.account, gap.symbol, to_micros(gap.time), gap.rank, gap.key, gap.code, gap.detail)


def rejection_to_row(
    source_id: int, r: Rejection, span: tuple[int, int] = ALWAYS, record_id: int | None = None
) -> RejectionRow:
    """Return the row of a rejection; `span` is the range of time of a rejection without one."""
    since_us, until_us = span
    return RejectionRow(
        source_id=source_id,
        record_id=record_id,
        file=r.file,
        line=r.line,
        text=_printable(r.text),
        code=r.code,
        reason=_printable(r.reason),
        hint=r.hint,
        account=None if r.account and "\0" in r.account else r.account,
        since_us=since_us if r.since is None else to_micros(r.since),
        until_us=until_us if r.until is None else to_micros(r.until),
        fill_key=r.fill_key if isinstance(r, ConflictRejection) else None,
    )


def rejection_from_row(row: RejectionListRow) -> Rejection:
    """Return the rejection of a row."""
    return Rejection(
        file=row.file,
        line=row.line,
        text=row.text,
        code=row.code,
        reason=row.reason,
        hint=row.hint,
        account=row.account,
    )


def _printable(text: str) -> str:
    """Replace NUL characters by \\x00, because PostgreSQL cannot store them."""
    return text.replace("\0", "\\x00")


def in_closing_order(positions: Iterable[Position]) -> list[Position]:
    """Return closed positions in the order in which they were closed."""
    return _in_order(list(positions), _closed_at, attrgetter("closing_order"))


def in_booking_order(bookings: Iterable[Booking]) -> list[Booking]:
    """Return bookings in order."""
    return _in_order(list(bookings), attrgetter("time"), attrgetter("order"))


def _in_order(
    rows: list[_Kept], moment: Callable[[_Kept], datetime], order: Callable[[_Kept], Any]
) -> list[_Kept]:
    """Return rows in order; those of an import mostly are, so keys are made of neighbours of one instant only."""
    times = list(map(moment, rows))
    if all(map(le, times, islice(times, 1, None))):
        ties = compress(count(), map(eq, times, islice(times, 1, None)))
        if all(order(rows[place]) <= order(rows[place + 1]) for place in ties):
            return rows
    return sorted(rows, key=order)


def _closed_at(position: Position) -> datetime:
    return position.closed_at or position.last_at


class _RecordBody(Struct, frozen=True, array_like=True, gc=False):
    """Stored part of a record: everything except free text, which stays in the file."""

    timestamp: datetime
    symbol: str
    action: Side
    quantity: Decimal
    price: Decimal
    order_id: str | None
    execution_mode: Literal["PAPER", "LIVE"] | None
    account_id: str | None
    strategy_name: str | None
    stop_loss: Decimal | None
    target: Decimal | None
    risk_reward_ratio: Decimal | None
    outcome: Literal["win", "loss", "breakeven", "open"] | None
    profit_loss: Decimal | None
    hold_duration_seconds: Decimal | None
    exit_timestamp: datetime | None
    slippage: Decimal | None
    commission: Decimal | None
    net_profit_loss: Decimal | None
    session_id: str | None
    bot_version: str | None
    config_hash: str | None


_encode_body = msgspec.msgpack.Encoder().encode
_decode_body = msgspec.msgpack.Decoder(_RecordBody).decode


def record_to_body(r: TradeRecord) -> bytes:
    """Encode a record for storage."""
    exit_timestamp = None if r.exit_timestamp is None else r.exit_timestamp.astimezone(UTC)
    return _encode_body(
        _RecordBody(
            r.timestamp.astimezone(UTC),
            r.symbol,
            r.action,
            r.quantity,
            r.price,
            r.order_id,
            r.execution_mode,
            r.account_id,
            r.strategy_name,
            r.stop_loss,
            r.target,
            r.risk_reward_ratio,
            r.outcome,
            r.profit_loss,
            r.hold_duration_seconds,
            exit_timestamp,
            r.slippage,
            r.commission,
            r.net_profit_loss,
            r.session_id,
            r.bot_version,
            r.config_hash,
        )
    )


def record_from_body(body: bytes) -> TradeRecord:
    """Decode a stored record."""
    return TradeRecord(**structs.asdict(_decode_body(body)))


def line_of(record_id: int) -> int:
    """Return the number of a record's line in its file."""
    return record_id & _LINES


def log_rank(day: str | None, line: int, record: TradeRecord) -> int:
    """Return the place of a line in the log: the day of its file, else of the record, then the line."""
    number = _day_number(day) if day else (record.timestamp.astimezone(UTC).date() - _FIRST_DAY).days
    return number << LINE_BITS | line


@lru_cache(1000)
def _day_number(day: str) -> int:
    return (date.fromisoformat(day) - _FIRST_DAY).days
