"""Rows of the ledger and the values they stand for, one function each way."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tearsheet.trade.amount import EXACT, exact
from tearsheet.trade.fill import Fill, Rejection, Side
from tearsheet.trade.position import Booking, Position
from tearsheet.trade.session import EARLIEST, LATEST, from_micros, to_micros

Row = tuple[Any, ...]
_MICROSECOND = timedelta(microseconds=1)
_BUY = Side.BUY  # Enum.value takes longer than all else in a row
_SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
#: The id of a record, and of a fill, is that of its file × 2^32 + its number therein.
LINE_BITS = 32
#: Places of the first digit of an amount, before and after the point, that `sortable` tells apart.
_PLACES = 400
_DIGITS = 10**16
ALWAYS = (to_micros(EARLIEST), to_micros(LATEST))


def text(value: Decimal | None) -> str | None:
    """A decimal's exact text, None for none."""
    return None if value is None else str(value)


def decimal(value: str | None) -> Decimal | None:
    """The decimal of a text, None for none."""
    return None if value is None else Decimal(value)


def micros(at: datetime | None) -> int | None:
    """Microseconds since 1970, None for none."""
    return None if at is None else to_micros(at)


def moment(value: int | None) -> datetime | None:
    """The instant of microseconds since 1970, None for none."""
    return None if value is None else from_micros(value)


def sortable(value: Decimal) -> int:
    """A whole number of 64 bits in the order of amounts: the place of the first digit, then 16 digits.

    Amounts that agree in all of these are the same to it.
    """
    if not value:
        return 0
    place = value.adjusted()
    digits = int(value.scaleb(15 - place, EXACT))
    beginning = (min(max(place, -_PLACES), _PLACES) + _PLACES) * _DIGITS
    return beginning + digits if digits > 0 else digits - beginning


def position_to_row(p: Position, *, logged: bool) -> Row:
    """A position as a row of `position`."""
    last_us = to_micros(p.last_at)
    multiple = None
    if p.stop_loss is not None:
        with exact():
            multiple = p.r_multiple
    return (
        p.id,
        p.account,
        p.symbol,
        p.currency,
        str(p.multiplier),
        "BUY" if p.side is _BUY else "SELL",
        micros(p.opened_at),
        None if p.closed_at is None else last_us,
        last_us,
        p.last_rank,
        p.last_key,
        str(p.quantity),
        str(p.peak_quantity),
        str(p.open_quantity),
        str(p.entry_value),
        str(p.exit_value),
        str(p.cost),
        str(p.gross),
        str(p.fees),
        p.fills,
        p.strategy,
        text(p.stop_loss),
        text(p.target),
        text(p.planned_risk_reward),
        p.mode,
        None if p.held is None else p.held // _MICROSECOND,
        int(logged),
        sortable(EXACT.subtract(p.gross, p.fees)),
        sortable(p.quantity),
        None if multiple is None else sortable(multiple),
    )


def position_from_row(row: Row) -> Position:
    """A row of `position` as a position."""
    held = row[25]
    return Position(
        id=row[0],
        account=row[1],
        symbol=row[2],
        currency=row[3],
        multiplier=Decimal(row[4]),
        side=_SIDES[row[5]],
        opened_at=moment(row[6]),
        closed_at=moment(row[7]),
        last_at=from_micros(row[8]),
        last_rank=row[9],
        last_key=row[10],
        quantity=Decimal(row[11]),
        peak_quantity=Decimal(row[12]),
        open_quantity=Decimal(row[13]),
        entry_value=Decimal(row[14]),
        exit_value=Decimal(row[15]),
        cost=Decimal(row[16]),
        gross=Decimal(row[17]),
        fees=Decimal(row[18]),
        fills=row[19],
        strategy=row[20],
        stop_loss=decimal(row[21]),
        target=decimal(row[22]),
        planned_risk_reward=decimal(row[23]),
        mode=row[24],
        held=None if held is None else timedelta(microseconds=held),
    )


def is_logged(row: Row) -> bool:
    """Whether a row of `position` came from a logged trade."""
    return bool(row[26])


def booking_to_row(b: Booking) -> Row:
    """A booking as a row of `booking`."""
    return (
        b.position_id,
        b.account,
        b.symbol,
        b.currency,
        to_micros(b.time),
        b.rank,
        b.fill_key,
        b.part,
        str(b.quantity),
        str(b.price),
        str(b.gross),
        str(b.fees),
        int(b.closes),
    )


def booking_from_row(row: Row) -> Booking:
    """A row of `booking` as a booking."""
    return Booking(
        row[0],
        row[1],
        row[2],
        row[3],
        from_micros(row[4]),
        row[5],
        row[6],
        row[7],
        Decimal(row[8]),
        Decimal(row[9]),
        Decimal(row[10]),
        Decimal(row[11]),
        bool(row[12]),
    )


def logged_booking(p: Position) -> Booking:
    """The one booking of a logged trade."""
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


def fill_to_row(identity: int, f: Fill, record_id: int | None) -> Row:
    """A fill as a row of `fill`."""
    return (
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
        text(f.stop_loss),
        text(f.target),
        f.mode,
        record_id,
    )


def fill_from_row(row: Row) -> Fill:
    """A row of `fills_of_stream` as a fill."""
    return Fill(
        account=row[0],
        symbol=row[1],
        key=row[2],
        time=from_micros(row[3]),
        rank=row[4],
        side=_SIDES[row[5]],
        quantity=Decimal(row[6]),
        price=Decimal(row[7]),
        commission=Decimal(row[8]),
        multiplier=Decimal(row[9]),
        currency=row[10],
        fill_id=row[11],
        order_id=row[12],
        strategy=row[13],
        stop_loss=decimal(row[14]),
        target=decimal(row[15]),
        mode=row[16],
    )


def rejection_to_row(
    source_id: int, r: Rejection, span: tuple[int, int] = ALWAYS, record_id: int | None = None
) -> Row:
    """A rejection as a row of `rejection`; `span` bounds it where it does not say itself."""
    since = span[0] if r.since is None else to_micros(r.since)
    until = span[1] if r.until is None else to_micros(r.until)
    return (
        source_id,
        record_id,
        r.file,
        r.line,
        _printable(r.text),
        r.code,
        _printable(r.reason),
        r.hint,
        None if r.account and "\0" in r.account else r.account,
        since,
        until,
    )


def _printable(text: str) -> str:
    """What a bad line says, with its NULs visible: PostgreSQL keeps none."""
    return text.replace("\0", "\\x00")


def rejection_from_row(row: Row) -> Rejection:
    """A row of `rejections` as a rejection."""
    return Rejection(
        file=row[0], line=row[1], text=row[2], code=row[3], reason=row[4], hint=row[5], account=row[6]
    )


def in_closing_order(positions: Iterable[Position]) -> list[Position]:
    """Closed positions in the order in which they came to an end."""
    return sorted(positions, key=lambda p: (p.last_at, p.account, p.symbol, p.last_rank, p.id))
