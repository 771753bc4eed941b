"""Rows of queries that are no whole table, by column name, and of three tables: fill bookings, gaps, alert changes."""

from typing import ClassVar

from tearsheet.store.tables.columns import BreachRow, Row, SourceRow


class StreamRow(Row, frozen=True, gc=False):
    """Account and symbol, as queries return them."""

    account: str
    symbol: str


class FillNameRow(Row, frozen=True, gc=False):
    """Account and key of a fill, as queries return them."""

    account: str
    key: str


class SessionRow(Row, frozen=True, gc=False):
    """Session and currency of a tally, as queries return them."""

    session: str
    currency: str


class InstantRow(Row, frozen=True, gc=False):
    """Account, symbol and time of fills, as queries return them."""

    account: str
    symbol: str
    time_us: int


class PassedOverRow(Row, frozen=True, gc=False):
    """Name of an imported file, and how many of its rows changed nothing, by rule (JSON)."""

    name: str
    skipped: str


class ClosedCountRow(Row, frozen=True, gc=False):
    """Number of closed positions of an account and symbol."""

    account: str
    symbol: str
    closed: int


class ImportRow(Row, frozen=True, gc=False):
    """Import with the columns of its undo, which are NULL without an undo."""

    id: int
    name: str
    layout: str
    read_at: int
    new: int
    known: int
    rejected: int
    skipped: str
    events: int
    who: str | None
    tie_out: str | None
    undone_us: int | None
    undone_by: str | None
    gone: int | None
    stayed: int | None


class SupersededClaimRow(Row, frozen=True, gc=False):
    """Fill that a correction or bust replaced, with its file and line."""

    account: str
    symbol: str
    time_us: int
    side: str
    quantity: str
    price: str
    commission: str
    fill_id: str | None
    key: str
    file: str
    line: int


class SupersedingClaimRow(Row, frozen=True, gc=False):
    """Correction or bust, with its file and line."""

    status: str
    file: str
    line: int
    read_at: int


class SourceFile(SourceRow, frozen=True, gc=False):
    """File that was read, with its read position."""

    id: int


class RejectionListRow(Row, frozen=True, gc=False):
    """Rejected line for lists."""

    file: str
    line: int
    text: str
    code: str
    reason: str
    hint: str
    account: str | None
    id: int
    withdrawn_by: int | None


class ReleasedBreachRow(BreachRow, frozen=True, gc=False):
    """Breach with the columns of its release, which are NULL without a release."""

    released_us: int | None
    actor: str | None
    reason: str | None
    upto: str | None


class FirstFillRow(Row, frozen=True, gc=False):
    """The first fill of an instrument in an account."""

    symbol: str
    time_us: int


class UnmatchedReportRow(Row, frozen=True, gc=False):
    """Instrument with closing fills that close what nothing opened and state their result."""

    symbol: str
    currency: str
    first_us: int


class FillBookingRow(Row, frozen=True, gc=False):
    """The booking of a fill, without what the fill says: NULL is its own value, a gross of 0."""

    TABLE: ClassVar[str] = "fill_booking"

    fill_id: int
    part: int
    position: int
    quantity: str | None
    price: str | None
    gross: str | None
    fees: str | None
    closes: int


class GapRow(Row, frozen=True, gc=False):
    """What the books of an instrument lack at a fill or event."""

    TABLE: ClassVar[str] = "gap"

    account: str
    symbol: str
    time_us: int
    rank: int
    fill_key: str
    code: str
    detail: str


class AlertChangeRow(Row, frozen=True, gc=False):
    """A state that an alert has had."""

    TABLE: ClassVar[str] = "alert_change"

    alert_id: str
    body: str
