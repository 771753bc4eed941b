"""The shapes of answers about imports, as the OpenAPI document shows them."""

from datetime import date, datetime
from decimal import Decimal

from msgspec import Struct

from tearsheet.web.schemas.performance import RejectionView, Success


class DayChangeView(Struct, kw_only=True):
    """The result after fees of an account in a session, before and after."""

    session: date
    account: str
    currency: str
    before: Decimal
    after: Decimal


class PositionChangeView(Struct, kw_only=True):
    """What an account holds of an instrument (short is negative), and how often it was closed."""

    account: str
    symbol: str
    open_before: Decimal
    open_after: Decimal
    closed_before: int
    closed_after: int


class PreviewChanges(Struct, kw_only=True):
    """Every day and position that a dry run would change."""

    days: tuple[DayChangeView, ...]
    positions: tuple[PositionChangeView, ...]


class UnmatchedCloseView(Struct, kw_only=True):
    """So much was closed on a side that nothing in the ledger had opened: earlier fills are missing."""

    account: str
    symbol: str
    side: str
    quantity: Decimal
    at: datetime
    line: int


class ImportResult(Struct, kw_only=True, omit_defaults=True):
    """What became of a file; `rejections` are the first of its lines that could not be used.

    `id` names the import; a dry run has `changes`, and its id is given to the next import.
    """

    id: int
    file: str
    layout: str
    new: int
    known: int
    rejected: int
    repeated: bool
    rejections: tuple[RejectionView, ...]
    skipped: dict[str, int]
    orphans: tuple[UnmatchedCloseView, ...]
    revision: int
    changes: PreviewChanges | None = None


class UndoView(Struct, kw_only=True):
    """That an import was taken out: when, by whom, and how many of its fills went and stayed."""

    at: datetime
    by: str
    gone: int
    stayed: int


class ImportView(Struct, kw_only=True):
    """An import: who brought it, and what it came to when it was read."""

    id: int
    file: str
    layout: str
    read_at: datetime
    new: int
    known: int
    rejected: int
    skipped: dict[str, int]
    who: str | None
    undone: UndoView | None


class BatchesAnswer(Struct, kw_only=True):
    """Imports, the newest first."""

    status: Success
    timestamp: datetime
    data: tuple[ImportView, ...]


class RejectedRowView(RejectionView, kw_only=True, omit_defaults=True):
    """A line that could not be used; one that was taken back since counts no more."""

    counts: bool


class ImportDetail(ImportView, kw_only=True):
    """An import with the first of its lines that could not be used."""

    rejections: tuple[RejectedRowView, ...]


class BatchAnswer(Struct, kw_only=True):
    """One import."""

    status: Success
    timestamp: datetime
    data: ImportDetail


class UndoReportView(Struct, kw_only=True):
    """What went with an import, and what stayed because other imports brought it too."""

    id: int
    file: str
    gone: int
    stayed: int
    revision: int


class UndoneAnswer(Struct, kw_only=True):
    """The import is taken out."""

    status: Success
    timestamp: datetime
    data: UndoReportView


class ImportAnswer(Struct, kw_only=True):
    """The file is kept."""

    status: Success
    timestamp: datetime
    data: ImportResult
