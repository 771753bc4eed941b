"""Response types of imports."""

from msgspec import UNSET, Struct, UnsetType

from tearsheet.app.imports.history import Import
from tearsheet.app.imports.preview import DayChange, PositionChange
from tearsheet.trade.fill import UnmatchedClose
from tearsheet.web.schemas.trading import RejectionView


class PreviewChanges(Struct, kw_only=True):
    """Every day and position that a dry run would change."""

    days: tuple[DayChange, ...]
    positions: tuple[PositionChange, ...]


# a view because its rejections are views, and only a dry run has `changes`
class ImportResult(Struct, kw_only=True):
    """What became of a file; `rejections` are the first of its lines that could not be used.

    `id` names the import; a dry run has `changes`, and its id is given to the next import. `executed_legs`: sides of
    round trips that executions tell, too; those count.
    """

    id: int
    file: str
    layout: str
    new: int
    known: int
    duplicates: int
    rejected: int
    repeated: bool
    rejections: tuple[RejectionView, ...]
    skipped: dict[str, int]
    orphans: tuple[UnmatchedClose, ...]
    unmatched_closes: tuple[UnmatchedClose, ...]
    executed_legs: int
    revision: int
    events: int
    changes: PreviewChanges | UnsetType = UNSET


class RejectedRowView(RejectionView, kw_only=True):
    """A line that could not be used; one that was taken back since counts no more."""

    counts: bool


class ImportDetail(Import, frozen=True):
    """An import with the first of its lines that could not be used."""

    rejections: tuple[RejectedRowView, ...]
