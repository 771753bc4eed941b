"""Sync of the ledger with the folder of trade logs, in one transaction.

Unchanged files are not opened. Appended files are read from the stored offset, rewritten files from the start.
"""

import logging
from datetime import datetime
from pathlib import Path

from tearsheet.app.book_rules import booking_rules_from, fingerprint
from tearsheet.app.context import LedgerContext
from tearsheet.app.imports.lost_instruments import is_noted, update_instruments
from tearsheet.app.imports.lost_logs import SEEN, LostLogs
from tearsheet.app.imports.unread_files import update_unread
from tearsheet.app.kept_instruments import InstrumentSource
from tearsheet.app.reports import OnProgress, SyncReport, no_progress
from tearsheet.errors import InputError, LedgerGoneError, OtherLedgerError, StoreError
from tearsheet.log import timed_event
from tearsheet.performance.summary import PartialReason
from tearsheet.shared_files import open_regular
from tearsheet.sources.trade_logs.log_folder import (
    LogFile,
    LogReadPosition,
    is_appended,
    log_files,
    other_files,
    read_new,
    signature,
)
from tearsheet.store.tables.ledger import Ledger
from tearsheet.store.tables.query_rows import SourceFile
from tearsheet.store.tables.sources import DoubtTable
from tearsheet.store.write.stored_record import StoredRecord
from tearsheet.store.write.transaction import BookingRules, FileState, LedgerTransaction, ReadPosition
from tearsheet.trade.fill import Rejection
from tearsheet.trade.session import DAY, EARLIEST

_log = logging.getLogger("tearsheet")
SIGNATURE = "log_signature"
#: Key under which the last stated `archive_logs` is kept.
ARCHIVES = "archive_logs"
#: Key of the folder that the logs were read from.
FOLDER = "log_folder"


def sync(context: LedgerContext, on_progress: OnProgress = no_progress) -> SyncReport:
    """Import the new records of the log folder. Raises StoreError, InputError, SettingsError."""
    ledger, folder, archives = context.ledger, context.settings.log_dir, _archives(context)
    if (foreign := _foreign_folder(context)) is not None:
        raise InputError(foreign.detail, "run it where they are, or set TEARSHEET_LOG_DIR")
    with timed_event(_log, "tearsheet.sync") as event:
        same, files = _is_up_to_date(context)
        if same:
            report = SyncReport(files=files, unchanged_files=files, revision=ledger.revision)
        else:
            rules = booking_rules_from(context.settings, ledger)
            report = sync_logs(
                ledger,
                folder,
                rules,
                context.now,
                on_progress,
                archives=archives,
                is_named="log_dir" in context.settings.stated,
                instruments=context.rules.instruments,
            )
        context.last_checked_at = context.now
        context.publish_pending_alerts()
        event.level = logging.WARNING if report.rejected else logging.INFO
        event.add(
            trades=report.records,
            cache_hits=report.unchanged_files,
            cache_misses=report.read_files,
            rejected=report.rejected,
            revision=report.revision,
        )
    return report


def sync_within(context: LedgerContext, lock_timeout_s: float) -> list[PartialReason]:
    """Sync, waiting at most `lock_timeout_s` for another writer.

    Returns the reasons why results may be incomplete; a timeout is one of them. Raises StoreError.
    """
    if confirm_up_to_date(context):
        return []
    if (foreign := _foreign_folder(context)) is not None:
        return [foreign]
    if context.read_only:
        return sync_if_writable(context)
    try:
        with context.ledger.lock_timeout(lock_timeout_s):
            sync(context)
    except (LedgerGoneError, OtherLedgerError):
        raise
    except StoreError as error:
        return [PartialReason("stale_ledger", f"the logs changed, and {error.message}")]
    return []


def sync_if_writable(context: LedgerContext) -> list[PartialReason]:
    """Sync; if the ledger is read-only, return the reasons why results may be incomplete."""
    if (foreign := _foreign_folder(context)) is not None:
        return [foreign]
    if not context.read_only:
        sync(context)
        return []
    if _is_up_to_date(context)[0]:
        return []
    detail = f"{context.ledger.name} is read-only, and the logs or settings changed since"
    return [PartialReason("stale_ledger", detail)]


def unread_reasons(context: LedgerContext) -> list[PartialReason]:
    """Return why the ledger may be behind its files, of which nothing is read; no log at all is none behind."""
    if (foreign := _foreign_folder(context)) is not None:
        return [foreign]
    never_synced = context.ledger.get(SIGNATURE) is None and not log_files(context.settings.log_dir)
    if never_synced or _is_up_to_date(context)[0]:
        return []
    return [PartialReason("stale_ledger", "the logs or settings changed since the last sync")]


def confirm_up_to_date(context: LedgerContext) -> bool:
    """Return whether the ledger has all of the logs; if so, update the context's `last_checked_at`."""
    same, _ = _is_up_to_date(context)
    if same:
        context.last_checked_at = context.now
    return same


def _archives(context: LedgerContext) -> bool:
    """Return whether files of finished days may leave: as the settings state it, or else as the ledger knows it.

    Otherwise two processes, of which only one states it, would raise and end the same doubts in turn.
    """
    if "archive_logs" in context.settings.stated:
        return context.settings.archive_logs
    return context.ledger.get(ARCHIVES) == "yes"


def _foreign_folder(context: LedgerContext) -> PartialReason | None:
    """Return a reason if the logs of the ledger are in another folder than the one where this process looks.

    It looks there by default only, such as in another working directory, and nothing of the logs is there.
    """
    ledger, folder = context.ledger, context.settings.log_dir
    home = ledger.get(FOLDER)
    if home in (None, str(folder)) or "log_dir" in context.settings.stated:
        return None
    names = ledger.sources.log_files()
    if not names or any((folder / name).exists() for name in names):
        return None
    return PartialReason(
        "source_gone", f"the logs of the ledger are in {home}, and {folder} has none of them"
    )


def _is_up_to_date(context: LedgerContext) -> tuple[bool, int]:
    """Compare the signature of the log folder and the fingerprint of the rules; also return the number of files."""
    ledger = context.ledger
    number, signed, _ = _folder_state(ledger, context.settings.log_dir, archives=_archives(context))
    same = ledger.get(SIGNATURE) == signed and ledger.get("fingerprint") == fingerprint(
        context.settings, ledger
    )
    same = same and is_noted(ledger.queries, context.rules.instruments)
    return same and not ledger.sources.has_due_records(context.now), number


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
        _, signed, trouble = _folder_state(ledger, folder, archives=archives)
        ledger.put(ARCHIVES, "yes" if archives else "no")
        files = log_files(folder) if trouble is None else []
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
        others = other_files(folder) if trouble is None else []
        if trouble is None and update_unread(DoubtTable(ledger.queries), folder, others, known, now):
            transaction.changed = True
        if instruments is not None and update_instruments(ledger.queries, instruments, rules.calendar, now):
            transaction.changed = True
        on_progress(report.read_bytes, total, "booking")
        if trouble is None and (files or not known) and ledger.get(FOLDER) != str(folder):
            ledger.put(FOLDER, str(folder))
        report.revision = transaction.commit()
        report.changed = transaction.changed
        ledger.put(SIGNATURE, signed)
    return report


def _folder_state(ledger: Ledger, folder: Path, *, archives: bool) -> tuple[int, str, str | None]:
    """Return the number of log files, a signature of them, and why a known folder cannot be listed.

    Raises InputError if a folder that was never listed cannot be.
    """
    try:
        number, signed = signature(folder)
    except InputError as error:
        if not ledger.get(SEEN):
            raise
        return 0, "unreadable", error.message
    if not number and not folder.exists():
        return 0, "missing", f"{folder} is gone"
    return number, f"{signed}+archives" if archives else signed, None


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
        hint="give read permission; it is tried again at the next sync",
        since=midnight - DAY,
        until=midnight + 2 * DAY,
    )


def _read_position(source: SourceFile) -> LogReadPosition:
    return LogReadPosition(source.offset, source.lines, source.checksum, source.tail, bool(source.complete))


def _stored_position(so_far: LogReadPosition) -> ReadPosition:
    return ReadPosition(so_far.offset, so_far.lines, so_far.checksum, so_far.tail, so_far.complete)
