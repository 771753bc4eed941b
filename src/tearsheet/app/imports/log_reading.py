"""Reading of changed trade logs into the ledger, in one transaction; loaded when a log has changed."""

from datetime import datetime
from pathlib import Path

from tearsheet.app.imports.lost_logs import (
    ARCHIVES,
    FOLDER,
    SIGNATURE,
    LostLogs,
    folder_state,
    update_instruments,
)
from tearsheet.app.imports.unread_files import update_unread
from tearsheet.app.kept_instruments import InstrumentSource
from tearsheet.app.reports import OnProgress, SyncReport
from tearsheet.shared_files import open_regular
from tearsheet.sources.trade_logs.log_folder import LogFile, LogReadPosition, is_appended, read_new
from tearsheet.store.booking_rules import BookingRules
from tearsheet.store.tables.ledger import Ledger
from tearsheet.store.tables.query_rows import SourceFile
from tearsheet.store.tables.sources import DoubtTable
from tearsheet.store.write.stored_record import StoredRecord
from tearsheet.store.write.transaction import FileState, LedgerTransaction, ReadPosition
from tearsheet.trade.fill import Rejection
from tearsheet.trade.session import DAY, EARLIEST


def sync_logs(
    ledger: Ledger,
    folder: Path,
    rules: BookingRules,
    now: datetime,
    on_progress: OnProgress,
    *,
    archives: bool = False,
    is_named: bool = False,
    instruments: InstrumentSource | None = None,
) -> SyncReport:
    """Import the new records of the folder in one write transaction, which waits for other processes' transactions."""
    with ledger.writing():
        state = folder_state(ledger, folder, archives=archives)
        files, trouble = state.listing.logs, state.trouble
        ledger.put(ARCHIVES, "yes" if archives else "no")
        report = SyncReport(files=len(files))
        transaction = LedgerTransaction(ledger, rules, now)
        report.rebuilt = transaction.rebuild_if_outdated()
        transaction.release_held_records()
        known = ledger.sources.log_files()
        todo = [file for file in files if _has_changed(known.get(file.name), file)]
        report.unchanged_files = len(files) - len(todo)
        total = sum(file.size for file in todo)
        for file in todo:
            on_progress(report.read_bytes, total, file.name)
            _read(transaction, folder, file, known.get(file.name), report)
        lost = LostLogs(ledger, rules.calendar, now, archives=archives, is_named=is_named)
        if lost.update(trouble, known.values(), {file.name for file in files}):
            transaction.changed = True
        others = state.listing.others
        if trouble is None and update_unread(DoubtTable(ledger.queries), folder, others, known, now):
            transaction.changed = True
        if instruments is not None and update_instruments(ledger.queries, instruments, rules.calendar, now):
            transaction.changed = True
        on_progress(report.read_bytes, total, "booking")
        if trouble is None and (files or not known) and ledger.get(FOLDER) != str(folder):
            ledger.put(FOLDER, str(folder))
        report.revision = transaction.commit()
        report.changed = transaction.changed
        ledger.put(SIGNATURE, state.signature)
    return report


def _has_changed(source: SourceFile | None, file: LogFile) -> bool:
    return source is None or (source.size, source.mtime_ns, source.inode) != (
        file.size,
        file.mtime_ns,
        file.inode,
    )


def _read(
    transaction: LedgerTransaction, folder: Path, file: LogFile, source: SourceFile | None, report: SyncReport
) -> None:
    """Read a changed file; one that cannot be read keeps its records, is rejected and tried again.

    Records that a rewritten file no longer has are kept, and put its days in doubt.
    """
    state = FileState(file.name, file.size, file.mtime_ns, file.inode)
    source_id = source.id if source else transaction.open_log(state, file.day.isoformat())
    so_far = LogReadPosition() if source is None else _read_position(source)
    before: list[StoredRecord] = []
    facts, rejected = (source.facts, source.rejected) if source else (0, 0)
    try:
        with open_regular(folder / file.name) as opened:
            if source is not None:
                if source.size < 0:
                    transaction.forget_unreadable(source)
                if not is_appended(opened, file, so_far, source.inode == file.inode):
                    before, so_far = transaction.forget_log(source), LogReadPosition()
            started = so_far.offset
            if not started:
                facts = rejected = 0
            for part, reached in read_new(opened, file.name, file.day, so_far):
                so_far = reached
                lines = [(r.line, r.key, r.record) for r in part.records]
                held = transaction.add_records(source_id, file.name, lines, part.rejections)
                facts += len(part.records)
                rejected += len(part.rejections)
                report.records += len(part.records)
                report.rejected += len(part.rejections) + len(held)
        report.read_files += 1
        report.read_bytes += so_far.offset - started
    except OSError as error:
        transaction.add_records(source_id, file.name, [], [_unreadable(file, error)])
        state = FileState(file.name, -1, -1, -1)
        report.rejected += 1
    if source is None or source.complete != so_far.complete:
        transaction.changed = True
    transaction.close_log(source_id, state, _stored_position(so_far), facts, rejected)
    if source is not None:
        report.vanished += transaction.keep_vanished(
            source,
            before,
            lost_lines=so_far.lines < source.lines,
            lost_half_line=not source.complete and 0 <= state.size < source.size,
        )


def _unreadable(file: LogFile, error: OSError) -> Rejection:
    midnight = EARLIEST.replace(year=file.day.year, month=file.day.month, day=file.day.day)
    return Rejection(
        file=file.name,
        line=0,
        text="",
        code="unreadable_file",
        reason=f"the file cannot be read: {error.strerror or error}",
        hint="check the permissions; it is retried at the next sync",
        since=midnight - DAY,
        until=midnight + 2 * DAY,
    )


def _read_position(source: SourceFile) -> LogReadPosition:
    return LogReadPosition(source.offset, source.lines, source.checksum, source.tail, bool(source.complete))


def _stored_position(so_far: LogReadPosition) -> ReadPosition:
    return ReadPosition(so_far.offset, so_far.lines, so_far.checksum, so_far.tail, so_far.complete)
