"""Import history of a ledger: list, details, undo."""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct, json

from tearsheet.app.book_rules import booking_rules_from
from tearsheet.app.context import LedgerContext
from tearsheet.app.imports.preview import Preview, preview_change
from tearsheet.app.reports import TieOut
from tearsheet.errors import NotFoundError, UsageError
from tearsheet.log import timed_event
from tearsheet.store.tables.query_rows import ImportRow, RejectionListRow
from tearsheet.store.tables.rows import rejection_from_row
from tearsheet.store.write.transaction import LedgerTransaction
from tearsheet.trade.fill import Rejection
from tearsheet.trade.session import from_micros

_log = logging.getLogger("tearsheet")
#: Imports that are searched by name.
_RECENT = 200
#: Source ids are below this.
_MAX_ID = 1 << 31


class UndoInfo(Struct, frozen=True):
    """Undo of an import: time, actor, and the numbers of fills removed (`gone`) and retained (`stayed`).

    A fill that is also in another import is retained.
    """

    at: datetime
    by: str
    gone: int
    stayed: int


class Import(Struct, frozen=True):
    """An import: its file, time and importer, its counts at that time, and what it states beside the books."""

    id: int
    file: str
    layout: str
    read_at: datetime
    new: int
    known: int
    duplicates: int
    rejected: int
    skipped: dict[str, int]
    who: str | None
    undone: UndoInfo | None
    events: int
    tie_out: TieOut | None


class RejectedRow(Struct, frozen=True):
    """A rejected row of an import; `counts` is false once a later import or an undo superseded the rejection."""

    rejection: Rejection
    counts: bool


class UndoReport(Struct, frozen=True):
    """Result of an undo: numbers of fills removed (`gone`) and retained (`stayed`)."""

    id: int
    file: str
    gone: int
    stayed: int
    revision: int


class ImportHistory:
    """Import history of a context's ledger, with undo."""

    def __init__(self, context: LedgerContext) -> None:
        self._context = context
        self._ledger = context.ledger

    def list(self, most: int, before: int | None = None, *, files_only: bool = False) -> Sequence[Import]:
        """Return the imports before an id, newest first; without `files_only` also those of API requests."""
        which = "batches_of_files" if files_only else "batches"
        with self._ledger.snapshot() as queries:
            return list(map(_to_import, queries.rows(ImportRow, which, (before or _MAX_ID, most))))

    def accounts(self, number: int) -> Sequence[str]:
        """Return the accounts of the fills and records that an import states, also of those that were known before."""
        with self._ledger.snapshot() as queries:
            return sorted(queries.values("accounts_of_source", (number,)))

    def get(self, number: int) -> Import:
        """Return an import. Raises NotFoundError."""
        with self._ledger.snapshot() as queries:
            row = queries.row(ImportRow, "batch", (number,)) if 0 < number < _MAX_ID else None
        if row is None:
            raise NotFoundError(f"import {number} not found", "`tearsheet imports` lists them")
        return _to_import(row)

    def of_files(self, names: Iterable[str]) -> Sequence[int]:
        """Return the imports of files with these names that were not undone, the newest first."""
        wanted = set(names)
        found = self.list(_RECENT, files_only=True)
        return [one.id for one in found if one.file in wanted and one.undone is None]

    def rejections(self, number: int, most: int) -> Sequence[RejectedRow]:
        """Return the rejected rows of an import."""
        with self._ledger.snapshot() as queries:
            found = queries.rows(RejectionListRow, "rejections_of_batch", (number, most))
        return [RejectedRow(rejection_from_row(row), row.withdrawn_by is None) for row in found]

    def undo(self, number: int, who: str) -> UndoReport:
        """Remove the fills of an import in one transaction, except those that are also in other imports.

        Raises NotFoundError, UsageError if it was undone before, StoreError.
        """
        with timed_event(_log, "tearsheet.undo") as event:
            import_ = self._require_not_undone(number)
            with self._ledger.writing():
                report = self._undo(import_, who)
            self._context.publish_pending_alerts()
            event.level = logging.WARNING
            event.add(
                file=import_.file,
                id=number,
                by=who,
                gone=report.gone,
                stayed=report.stayed,
                revision=report.revision,
            )
        return report

    def preview_undo(self, number: int, who: str) -> Preview:
        """Return what an undo would change; its transaction is rolled back. Raises as `undo` does."""
        import_ = self._require_not_undone(number)
        return preview_change(self._ledger, lambda: self._undo(import_, who))

    def _require_not_undone(self, number: int) -> Import:
        import_ = self.get(number)
        if import_.undone is not None:
            raise UsageError(
                f"import {number} was already undone at {import_.undone.at.isoformat()} by {import_.undone.by}",
                "import the file again to restore its fills",
            )
        return import_

    def _undo(self, import_: Import, who: str) -> UndoReport:
        transaction = LedgerTransaction(
            self._ledger, booking_rules_from(self._context.settings, self._ledger), self._context.now
        )
        transaction.rebuild_if_outdated()
        source = self._ledger.sources.get(import_.id)
        if self._ledger.queries.exists("undo", (import_.id,)):
            raise UsageError(f"import {import_.id} has just been undone by someone else", "no action needed")
        undone = transaction.undo_import(source, who)
        revision = transaction.commit()
        return UndoReport(import_.id, import_.file, undone.removed, undone.retained, revision)


def _to_import(row: ImportRow) -> Import:
    return Import(
        id=row.id,
        file=row.name,
        layout=row.layout,
        read_at=from_micros(row.read_at),
        new=row.new,
        known=row.known,
        duplicates=row.known,
        rejected=row.rejected,
        skipped=json.decode(row.skipped, type=dict[str, int]),
        who=row.who,
        undone=_undo_info(row),
        events=row.events,
        tie_out=None if row.tie_out is None else json.decode(row.tie_out, type=TieOut),
    )


def _undo_info(row: ImportRow) -> UndoInfo | None:
    if row.undone_us is None or row.undone_by is None or row.gone is None or row.stayed is None:
        return None
    return UndoInfo(from_micros(row.undone_us), row.undone_by, row.gone, row.stayed)
