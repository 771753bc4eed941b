"""Lines of trade logs as they are stored: the body of a record, its place and whether it counts."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from enum import IntEnum

from msgspec import Struct

from tearsheet.store.tables.columns import RecordRow, Row
from tearsheet.store.tables.queries import Queries
from tearsheet.store.tables.rows import LINE_BITS, line_of, log_rank, record_from_body, record_to_body
from tearsheet.trade.fill import TradeRecord
from tearsheet.trade.session import is_ahead, to_micros


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

    def moved_to(self, source_id: int) -> "StoredRecord":
        """Return the line under another source, not valid yet."""
        return StoredRecord(
            source_id << LINE_BITS | self.line,
            self.file,
            self.key,
            self.account,
            self.symbol,
            self.closed,
            False,
            self.body,
            self.held_us,
            self.day,
            self.to_record(),
        )

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


class LogReading(IntEnum):
    """How the records of an account are read; the number is stored with each of its streams."""

    TRADES = 0
    FILLS = 1
    #: open records are fills, closed ones are results
    BOTH = 2


class StreamMode(Struct):
    """Number of records and results of an account and symbol, how they are read, and the last result."""

    records: int
    closed: int
    reading: LogReading
    last_closed_us: int | None = None
    lost_its_last: bool = False

    def is_fill(self, stored: StoredRecord) -> bool:
        """Return whether a record is a fill."""
        return self.reading is LogReading.FILLS or (self.reading is LogReading.BOTH and not stored.closed)


class AccountMode(Struct):
    """Number of closed records of an account, and how its records are read."""

    closed: int
    reading: LogReading


class LogLines:
    """New lines of log files; one without an order id is known by its content and its number in the file."""

    def __init__(self, queries: Queries, now: datetime) -> None:
        self._queries, self._now = queries, now
        self._source_id: int | None = None
        self._numbers: Counter[str] = Counter()

    def stored(
        self, source_id: int, file: str, day: str | None, line: int, key: str, record: TradeRecord
    ) -> StoredRecord:
        """Return a line as it is stored; it is held while it is ahead of the clock."""
        if key.startswith("c:"):
            key = f"{key}:{self._number(source_id, key)}"
        return StoredRecord(
            source_id << LINE_BITS | line,
            file,
            key,
            record.account,
            record.symbol,
            record.is_closed,
            False,
            record_to_body(record),
            to_micros(last_time) if is_ahead(last_time := record.last_time, self._now) else None,
            day,
            record,
        )

    def _number(self, source_id: int, key: str) -> int:
        """Return how often a content without an order id occurred in the file before."""
        if self._source_id != source_id:
            keys = self._queries.values("keys_of_source", ids_of_source(source_id))
            self._numbers = Counter(key.rpartition(":")[0] for key in keys if key.startswith("c:"))
            self._source_id = source_id
        self._numbers[key] += 1
        return self._numbers[key] - 1


def ids_of_source(source_id: int) -> tuple[int, int]:
    """Return the exclusive bounds of the ids of a file's lines."""
    return source_id << LINE_BITS, (source_id + 1) << LINE_BITS
