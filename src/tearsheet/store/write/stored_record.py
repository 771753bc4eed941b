"""Lines of trade logs as they are stored: the body of a record, its place and whether it counts."""

from collections.abc import Iterable

from msgspec import Struct

from tearsheet.store.tables.columns import RecordRow, Row
from tearsheet.store.tables.rows import line_of, log_rank, record_from_body
from tearsheet.trade.fill import TradeRecord
from tearsheet.trade.session import to_micros


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
    order_key: str | None
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
    order_key: str | None = None

    @property
    def booked_key(self) -> str:
        """The key of the order that the line is the valid version of."""
        return self.order_key or self.key

    @property
    def line(self) -> int:
        """The number of the line in its file."""
        return line_of(self.id)

    @property
    def rank(self) -> int:
        """The place of the line in the log: the day of its file, else of the record, then the line."""
        return log_rank(self.day, line_of(self.id), self.record or self.to_record())

    def to_record(self) -> TradeRecord:
        """Return the record."""
        return record_from_body(self.body) if self.record is None else self.record


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
        None,
        row.order_key,
    )


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
        stored.order_key,
    )
