"""Lines of trade logs as they are stored: the body of a record, its place and whether it counts."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Literal

import msgspec
from msgspec import Struct

from tearsheet.store.tables.columns import RecordRow, Row
from tearsheet.store.tables.rows import LINE_BITS
from tearsheet.trade.fill import Side, TradeRecord
from tearsheet.trade.session import DAY, EARLIEST, to_micros


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


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_RecordBody).decode


def to_body(r: TradeRecord) -> bytes:
    """Encode a record for storage."""
    exit_timestamp = None if r.exit_timestamp is None else r.exit_timestamp.astimezone(UTC)
    return _encode(
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


def from_body(body: bytes) -> TradeRecord:
    """Decode a stored record."""
    return TradeRecord(**msgspec.structs.asdict(_decode(body)))


#: Days are counted from here; a file of this day or earlier does not exist.
_FIRST_DAY = EARLIEST.date() - DAY
_LINES = (1 << LINE_BITS) - 1


class RecordLine(Row, frozen=True, gc=False):
    """A stored record with its file."""

    id: int
    file: str
    key: str
    account: str
    symbol: str
    closed: int
    live: int
    held_us: int | None
    day: str | None
    body: bytes


class StoredRecord(Struct, gc=False):
    """A stored line of a log; `live` marks the valid version of its order.

    `held_us` is set while the line is ahead of the clock; it counts from that instant on.
    """

    id: int
    file: str
    key: str
    account: str
    symbol: str
    closed: bool
    live: bool
    body: bytes
    held_us: int | None = None
    day: str | None = None
    record: TradeRecord | None = None

    @property
    def line(self) -> int:
        """The number of the line in its file."""
        return self.id & _LINES

    @property
    def rank(self) -> int:
        """The place of the line in the log: the day of its file, else of the record, then the line."""
        day = date.fromisoformat(self.day) if self.day else self.to_record().timestamp.astimezone(UTC).date()
        return (day - _FIRST_DAY).days << LINE_BITS | self.line

    def to_record(self) -> TradeRecord:
        """Return the record."""
        return from_body(self.body) if self.record is None else self.record


def stored_records(rows: Iterable[RecordLine]) -> list[StoredRecord]:
    """Return stored lines."""
    return list(map(stored_record, rows))


def stored_record(row: RecordLine) -> StoredRecord:
    """Return the stored line of a row."""
    return StoredRecord(
        row.id,
        row.file,
        row.key,
        row.account,
        row.symbol,
        bool(row.closed),
        bool(row.live),
        row.body,
        row.held_us,
        row.day,
    )


def valid_version(versions: list[StoredRecord]) -> StoredRecord:
    """Return the valid version of an order: of its distinct contents, the one that appears last."""
    first_of: dict[bytes, StoredRecord] = {}
    for version in sorted(versions, key=lambda one: (one.file, one.line)):
        first_of.setdefault(version.body, version)
    return list(first_of.values())[-1]


def record_row(stored: StoredRecord) -> RecordRow:
    """Return the row of a new line."""
    assert stored.record is not None
    return RecordRow(
        stored.id,
        stored.key,
        stored.account,
        stored.symbol,
        to_micros(stored.record.timestamp),
        int(stored.closed),
        int(stored.live),
        stored.body,
        stored.held_us,
    )
