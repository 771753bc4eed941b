"""Sync of the ledger with the folder of trade logs, in one transaction.

Unchanged files are not opened. Appended files are read from the stored offset, rewritten files from the start.
"""

import logging

from tearsheet.app.book_rules import booking_rules_from, fingerprint
from tearsheet.app.context import LedgerContext
from tearsheet.app.imports.lost_logs import ARCHIVES, FOLDER, SIGNATURE, folder_state, is_noted
from tearsheet.app.reports import OnProgress, SyncReport, no_progress
from tearsheet.errors import InputError, LedgerGoneError, OtherLedgerError, StoreError
from tearsheet.log import timed_event
from tearsheet.performance.summary import PartialReason
from tearsheet.sources.trade_logs.log_folder import list_folder

_log = logging.getLogger("tearsheet")


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
            from tearsheet.app.imports.log_reading import (
                sync_logs,  # what writes: 20 ms that most commands do without
            )

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
    never_synced = context.ledger.get(SIGNATURE) is None and not list_folder(context.settings.log_dir).logs
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
    state = folder_state(ledger, context.settings.log_dir, archives=_archives(context))
    same = ledger.get(SIGNATURE) == state.signature and ledger.get("fingerprint") == fingerprint(
        context.settings, ledger
    )
    same = same and is_noted(ledger.queries, context.rules.instruments)
    return same and not ledger.sources.has_due_records(context.now), len(state.listing.logs)
