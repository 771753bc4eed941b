"""Response types of imports."""

from msgspec import UNSET, Struct, UnsetType

from tearsheet.app.imports.history import Import
from tearsheet.app.imports.preview import DayChange, PositionChange
from tearsheet.app.reports import TieOut
from tearsheet.trade.fill import UnmatchedClose
from tearsheet.web.schemas.trading import RejectionView


class PreviewChanges(Struct, kw_only=True):
    """Days and positions that an import would change."""

    days: tuple[DayChange, ...]
    positions: tuple[PositionChange, ...]


# a view because its rejections are views, and only a dry run has `changes`
class ImportResult(Struct, kw_only=True):
    """Result of an import; `rejections` are its first rejected lines.

    `id` names the import; a dry run has `changes`, and its id is given to the next import. `executed_legs`: sides of
    round trips that executions tell, too; those count. `tie_out` is null for a file that states fills alone.
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
    assumed: tuple[str, ...]
    nothing: str
    revision: int
    events: int
    tie_out: TieOut | None
    changes: PreviewChanges | UnsetType = UNSET


class StatedEvents(Struct, kw_only=True):
    """Import of what a person stated: how a position ended, or what was held before the history begins."""

    id: int
    events: int
    repeated: bool
    rejections: tuple[RejectionView, ...]
    revision: int


class RejectedRowView(RejectionView, kw_only=True):
    """A rejected line; `counts` is false once the rejection was withdrawn."""

    counts: bool


class ImportDetail(Import, frozen=True):
    """An import with its first rejected lines."""

    rejections: tuple[RejectedRowView, ...]
