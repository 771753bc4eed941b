"""Results of sync, import, verify and explain."""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct
from msgspec.structs import force_setattr

from tearsheet.performance.metric import MetricValue
from tearsheet.performance.summary import SessionRate
from tearsheet.trade.fill import Rejection, UnmatchedClose
from tearsheet.trade.position import Outcome

#: Called with the bytes done, the total bytes, and the current file.
OnProgress = Callable[[int, int, str], None]


def no_progress(done: int, total: int, name: str) -> None:
    """Ignore the progress."""


class SyncReport(Struct, kw_only=True):
    """Result of a sync. `unchanged_files` were not opened; `rebuilt` is true after a rebuild from stored fills."""

    files: int = 0
    unchanged_files: int = 0
    read_files: int = 0
    read_bytes: int = 0
    records: int = 0
    rejected: int = 0
    #: records that a file no longer has, which stay booked until somebody decides
    vanished: int = 0
    rebuilt: bool = False
    changed: bool = False
    revision: int = 0


class TieOutDifference(Struct, frozen=True):
    """Number that differs between a file and the ledger; `kind` is the cause, as far as shown, `words` its detail."""

    account: str
    session: date
    symbol: str | None
    what: str
    theirs: Decimal
    ours: Decimal
    difference: Decimal
    kind: str
    words: str


class TieOut(Struct, frozen=True, kw_only=True):
    """Comparison of what an imported file states with the ledger.

    `compared` numbers are those that the file states, `agreeing` those that are the same, or differ only as a method
    (first in, first out) or a rounding does, and `kinds` counts the others and those by kind. `fills` are fills that
    one side lacks or has otherwise. `text` says it in one line; `differences` and `fills` are the first of them.
    `contradicts`: the days that it is about are partial until they agree or an operator accepts them.
    """

    compared: int
    agreeing: int
    agrees: bool
    text: str
    kinds: dict[str, int] = {}
    differences: tuple[TieOutDifference, ...] = ()
    fills: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    contradicts: bool = False


class ImportReport(Struct, kw_only=True):
    """Result of an import: new, duplicate and rejected fills or records, new events, and rows known to change nothing.

    `unmatched_closes` are closing fills without an opening fill in the ledger. `known` and `orphans` are the older
    names of `duplicates` and `unmatched_closes` in JSON. `id` is permanent. `executed_legs` are sides of round trips of
    the instruments it changed that executions tell, too; those count. `assumed` is what neither file nor user state.
    `lane` says how a large file was read: by columns, and how many of its lines one by one; empty for others.
    `nothing` is empty: a file without a readable row is refused. `tie_out` is None for a file that states
    nothing beside its fills.
    """

    file: str
    id: int = 0
    layout: str
    new: int = 0
    known: int = 0
    duplicates: int = 0
    rejected: int = 0
    repeated: bool = False
    rejections: list[Rejection] = []
    skipped: dict[str, int] = {}
    orphans: list[UnmatchedClose] = []
    unmatched_closes: list[UnmatchedClose] = []
    executed_legs: int = 0
    assumed: tuple[str, ...] = ()
    nothing: str = ""
    revision: int = 0
    events: int = 0
    tie_out: TieOut | None = None
    lane: str = ""

    def __post_init__(self) -> None:
        # stored reports of an older version lack the new names
        self.set_duplicates(self.known)
        self.set_unmatched_closes(self.orphans)

    def set_duplicates(self, number: int) -> None:
        """Set the number of duplicates, under both names."""
        self.known = self.duplicates = number

    def set_unmatched_closes(self, closes: list[UnmatchedClose]) -> None:
        """Set the unmatched closes, under both names."""
        self.orphans = self.unmatched_closes = closes


class WriteRequest(Struct, frozen=True):
    """Write request of the API: its body, the name to store, and an optional idempotency key."""

    body: bytes
    name: str
    key: str | None = None


class WriteReport(Struct, kw_only=True, frozen=True):
    """Result of a write request; if it has `rejections`, no item was saved."""

    new: int = 0
    known: int = 0
    duplicates: int = 0
    repeated: bool = False
    rejections: list[Rejection] = []
    revision: int = 0

    def __post_init__(self) -> None:
        # `duplicates` is the newer name of `known` in JSON
        force_setattr(self, "duplicates", self.known)


class RatesReport(Struct, kw_only=True, frozen=True):
    """Result of stating exchange rates; if any is rejected, none was saved. `corrected` had another value before."""

    file: str
    id: int | None = None
    new: int = 0
    corrected: int = 0
    known: int = 0
    rejected: int = 0
    repeated: bool = False
    rejections: list[Rejection] = []
    revision: int = 0


class VerifyReport(Struct, kw_only=True):
    """Result of a verification: numbers of rows compared, and every difference as text."""

    rows: dict[str, int]
    differences: list[str]

    @property
    def matches(self) -> bool:
        """Whether there are no differences."""
        return not self.differences


ExplanationBasis = Literal["bookings", "positions"]


class FillPlace(Struct, frozen=True):
    """File and line of a fill or record."""

    file: str
    line: int


class ExplainedFill(Struct, frozen=True):
    """Booking with its contribution to a metric, and the places of its fill; `event` is its kind for an event.

    `rate` is the one by which its amounts were converted, None where they are in their own currency.
    """

    session: str
    time: datetime
    account: str
    symbol: str
    position_id: str
    fill_key: str
    quantity: Decimal
    price: Decimal
    gross: Decimal
    fees: Decimal
    carry: Decimal
    event: str | None
    net: Decimal
    adds: Decimal
    places: tuple[FillPlace, ...]
    rate: SessionRate | None = None


class ReplacedFill(Struct, frozen=True):
    """Fill that a correction or bust superseded.

    `by` and `by_place` are the kind and place of the superseding record, `since` the time when it was read.
    """

    time: datetime
    account: str
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    fees: Decimal
    fill_id: str | None
    place: FillPlace
    by: str
    by_place: FillPlace
    since: datetime


class ExplainedTrade(Struct, frozen=True):
    """Closed position with its contribution to a metric, and its bookings."""

    id: str
    account: str
    symbol: str
    side: str
    opened_at: datetime | None
    closed_at: datetime | None
    quantity: Decimal
    gross: Decimal
    fees: Decimal
    carry: Decimal
    net: Decimal
    outcome: Outcome
    adds: Decimal
    bookings: tuple[ExplainedFill, ...]


class Explanation(Struct, frozen=True, kw_only=True):
    """Metric of a window, with the bookings or positions behind it.

    `total` is the exact sum of the contributions. For a sum (P&L, fees, counts), it equals the value.
    For a ratio, the terms are its sample, and `words` describes the formula.
    """

    metric: str
    label: str
    words: str
    window: str
    currency: str
    value: MetricValue
    basis: ExplanationBasis
    is_sum: bool
    total: Decimal
    bookings: tuple[ExplainedFill, ...] = ()
    positions: tuple[ExplainedTrade, ...] = ()
    superseded: tuple[ReplacedFill, ...] = ()
