"""Rows of the ledger by column name: one class for each table, used to insert rows and to read them.

`tests/store/tables/test_columns.py` compares these classes with the tables and with every statement.
"""

from typing import ClassVar, TypeVar

from msgspec import Struct

from tearsheet.rules.limit import LimitName
from tearsheet.trade.fill import Mode


class Row(Struct, frozen=True, gc=False):
    """Row of a table or of a query: its fields are the columns, in their order.

    Creating one by position costs 0.3 µs for 19 columns, by keyword 1.1 µs. So the bulk tables (fill,
    sighting, booking, position) are created by position in `rows.py`, all others by keyword.
    """

    #: The table that `Queries.add` inserts into.
    TABLE: ClassVar[str] = ""


RowType = TypeVar("RowType", bound=Row)


class SourceRow(Row, frozen=True, gc=False):
    """A file that was read, as it is inserted: the database assigns the id."""

    TABLE: ClassVar[str] = "source"

    kind: str
    name: str
    layout: str
    day: str | None
    size: int
    mtime_ns: int
    inode: int
    offset: int
    lines: int
    checksum: int
    tail: str
    complete: int
    facts: int
    rejected: int
    read_at: int


class RecordRow(Row, frozen=True, gc=False):
    """A line of a trade log."""

    TABLE: ClassVar[str] = "record"

    id: int
    key: str
    account: str
    symbol: str
    time_us: int
    closed: int
    live: int
    body: bytes
    held_us: int | None
    order_key: str | None


class LogStreamRow(Row, frozen=True, gc=False):
    """Stream of the trade log: an account and symbol, with the mode in which its records are used."""

    TABLE: ClassVar[str] = "log_stream"

    account: str
    symbol: str
    records: int
    closed: int
    as_fills: int
    last_closed_us: int | None


class FillRow(Row, frozen=True, gc=False):
    """A fill, or an event with its kind in `event`."""

    TABLE: ClassVar[str] = "fill"

    id: int
    account: str
    symbol: str
    key: str
    time_us: int
    rank: int
    side: str
    quantity: str
    price: str
    commission: str
    multiplier: str
    currency: str
    fill_id: str | None
    order_id: str | None
    strategy: str | None
    stop_loss: str | None
    target: str | None
    mode: Mode | None
    record_id: int | None
    event: str | None
    amount: str | None
    position_side: str | None
    terms: str | None
    closes: int | None
    reported: str | None


class SightingRow(Row, frozen=True, gc=False):
    """A line of an import that contains a stored fill."""

    TABLE: ClassVar[str] = "sighting"

    source_id: int
    line: int
    fill_id: int
    rank: int


class VariantRow(Row, frozen=True, gc=False):
    """Line of an import with other content than the stored fill."""

    TABLE: ClassVar[str] = "variant"

    source_id: int
    line: int
    status: str
    fate: str
    account: str
    symbol: str
    key: str
    time_us: int
    rank: int
    side: str
    quantity: str
    price: str
    commission: str
    multiplier: str
    currency: str
    fill_id: str | None
    order_id: str | None
    strategy: str | None
    stop_loss: str | None
    target: str | None
    mode: Mode | None
    event: str | None
    amount: str | None
    position_side: str | None
    terms: str | None
    closes: int | None
    reported: str | None


class RejectionRow(Row, frozen=True, gc=False):
    """A rejected line, as it is inserted: the database assigns the id."""

    TABLE: ClassVar[str] = "rejection"

    source_id: int
    record_id: int | None
    file: str
    line: int
    text: str
    code: str
    reason: str
    hint: str
    account: str | None
    since_us: int
    until_us: int
    withdrawn_by: int | None = None
    fill_key: str | None = None


class PositionRow(Row, frozen=True, gc=False):
    """A position."""

    TABLE: ClassVar[str] = "position"

    id: str
    account: str
    symbol: str
    currency: str
    multiplier: str
    side: str
    opened_us: int | None
    closed_us: int | None
    last_us: int
    last_rank: int
    last_key: str
    quantity: str
    peak_quantity: str
    open_quantity: str
    entry_value: str
    exit_value: str
    cost: str
    gross: str
    fees: str
    fills: int
    strategy: str | None
    stop_loss: str | None
    target: str | None
    planned: str | None
    mode: Mode | None
    held_us: int | None
    logged: int
    net_order: int
    quantity_order: int
    r_order: int | None
    carry: str | None
    position_side: str | None
    closed_by: str | None


class BookingRow(Row, frozen=True, gc=False):
    """A booking."""

    TABLE: ClassVar[str] = "booking"

    position_id: str
    account: str
    symbol: str
    currency: str
    time_us: int
    rank: int
    fill_key: str
    part: int
    quantity: str
    price: str
    gross: str
    fees: str
    closes: int
    carry: str | None
    event: str | None
    cash: str | None


class TallyRow(Row, frozen=True, gc=False):
    """The tally of an account, or of all accounts, in a session and currency."""

    TABLE: ClassVar[str] = "tally"

    account: str
    session: str
    currency: str
    last_us: int
    body: str


class AlertRow(Row, frozen=True, gc=False):
    """The newest state of an alert."""

    TABLE: ClassVar[str] = "alert"

    id: str
    episode: str
    state: str
    raised_us: int
    body: str


class MarkRow(Row, frozen=True, gc=False):
    """The last known price of an instrument."""

    TABLE: ClassVar[str] = "mark"

    symbol: str
    price: str
    time_us: int


class ReceiptRow(Row, frozen=True, gc=False):
    """The answer to a request with an idempotency key."""

    TABLE: ClassVar[str] = "receipt"

    key: str
    request: str
    answer: str
    at_us: int


class AccountStateRow(Row, frozen=True, gc=False):
    """State of an account: number of rewrites, last booking, and last update from its source."""

    TABLE: ClassVar[str] = "account_state"

    account: str
    rewrites: int
    last_us: int | None
    heard_us: int | None


class BreachRow(Row, frozen=True, gc=False):
    """A breach of a limit."""

    TABLE: ClassVar[str] = "breach"

    id: str
    account: str
    name: LimitName
    trading_day: str
    period_start: str
    number: int
    at_us: int
    value: str
    threshold: str
    fill_key: str | None
    found_us: int


class ReleaseRow(Row, frozen=True, gc=False):
    """A release of a breach."""

    TABLE: ClassVar[str] = "breach_release"

    breach_id: str
    at_us: int
    actor: str
    reason: str
    upto: str


class LimitBaseRow(Row, frozen=True, gc=False):
    """The running sums of an account at the start of a session."""

    TABLE: ClassVar[str] = "limit_base"

    account: str
    plan: str
    session: str
    start_us: int
    body: str


class BatchRow(Row, frozen=True, gc=False):
    """The counts of an import."""

    TABLE: ClassVar[str] = "batch"

    source_id: int
    new: int
    known: int
    rejected: int
    skipped: str
    who: str | None
    events: int
    tie_out: str | None = None
    contradictions: str | None = None
    agreed: str | None = None


class UndoRow(Row, frozen=True, gc=False):
    """An undone import."""

    TABLE: ClassVar[str] = "undo"

    source_id: int
    at_us: int
    who: str
    gone: int
    stayed: int


class NoteRow(Row, frozen=True, gc=False):
    """A note."""

    TABLE: ClassVar[str] = "note"

    id: str
    account: str
    fill_key: str
    symbol: str
    time_us: int
    position_id: str | None
    version: int
    text: str
    tags: str
    who: str
    at_us: int


class NoteTagRow(Row, frozen=True, gc=False):
    """A tag of a note."""

    TABLE: ClassVar[str] = "note_tag"

    tag: str
    note_id: str


class NoteVersionRow(Row, frozen=True, gc=False):
    """A saved version of a note."""

    TABLE: ClassVar[str] = "note_version"

    note_id: str
    version: int
    text: str
    tags: str
    who: str
    at_us: int


class DoubtRow(Row, frozen=True, gc=False):
    """Source that is known but gone, with the account and time range that it puts in doubt."""

    TABLE: ClassVar[str] = "doubt"

    source: str
    account: str
    code: str
    detail: str
    since_us: int
    until_us: int
    found_us: int
    kept_in: int


class AbsenceRow(Row, frozen=True, gc=False):
    """A source that may be absent, because an operator said so."""

    TABLE: ClassVar[str] = "absence"

    source: str
    at_us: int
    who: str


class SettingChangeRow(Row, frozen=True, gc=False):
    """A changed setting, as it is inserted: the database assigns the id."""

    TABLE: ClassVar[str] = "setting_change"

    at_us: int
    who: str
    file: str
    name: str
    old: str | None
    new: str | None
