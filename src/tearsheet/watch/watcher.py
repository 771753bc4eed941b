"""Watcher: syncs trade logs and imports statements as they arrive, and checks limits and targets."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from tearsheet.app.analysis.summaries import summarize
from tearsheet.app.imports.import_file import ImportJob, import_file, is_imported
from tearsheet.app.imports.log_sync import confirm_up_to_date, sync
from tearsheet.app.imports.lost_logs import update_folders
from tearsheet.app.imports.unread_files import end_refused, note_refused
from tearsheet.app.known_ledger import KnownLedger
from tearsheet.app.limits.checked_context import CheckedContext
from tearsheet.app.limits.guard_heartbeat import missing_guards
from tearsheet.app.limits.verdicts import account_verdicts
from tearsheet.app.reconcile.kept_tie_out import tie_out_import
from tearsheet.app.reports import ImportReport, SyncReport
from tearsheet.app.targets import check_targets, load_targets
from tearsheet.errors import InputError, StoreError, TearsheetError
from tearsheet.rules import AlertEvent
from tearsheet.settings import Settings
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.trade.session import DAY, WindowKind
from tearsheet.watch.folder_events import FolderEvents
from tearsheet.watch.inbox import Inbox
from tearsheet.watch.leader_lease import LeaderLease

#: Seconds between two checks of limits and targets without a change.
CHECK_EVERY_S = 60.0
#: Seconds before a failed cycle is retried: the first time, and at most.
_FIRST_RETRY_S, _LAST_RETRY_S = 0.5, 30.0
#: The windows whose targets are checked: kind, and how many days ago.
_WINDOWS: tuple[tuple[WindowKind, int], ...] = (("daily", 1), ("daily", 0), ("weekly", 7), ("weekly", 0))

WatchEventKind = Literal[
    "begin", "standby", "logs", "statement", "refused", "verdict", "absent", "alert", "trouble", "over", "end"
]


class WatchEvent(Struct, frozen=True, kw_only=True):
    """Event of a watcher: a message for people, and fields for programs."""

    kind: WatchEventKind
    message: str
    at: datetime
    fields: Mapping[str, Any] = {}


class Watcher:
    """Keeps a ledger in step with its folders as long as `is_wanted`; calls `tell` with each event.

    Of several watchers on one ledger the leader works; the others stand by until it ends, except that they read
    folders of statements that it does not.
    """

    def __init__(
        self,
        settings: Settings,
        tell: Callable[[WatchEvent], None],
        statements: Sequence[Path] = (),
        options: StatementOptions = StatementOptions(),
        *,
        is_wanted: Callable[[], bool] = lambda: True,
        judge_every_s: float = CHECK_EVERY_S,
    ) -> None:
        self._settings = settings
        self._known = KnownLedger(settings)
        self._on_event = tell
        self._statement_options = options
        self._inbox = Inbox(statements)
        self._is_wanted = is_wanted
        self._check_every_s = judge_every_s
        self._lease = LeaderLease(self._inbox.folders)
        self._events = FolderEvents([settings.log_dir, *statements])
        self._context: CheckedContext | None = None
        self._is_leader: bool | None = None
        self._next_check_at = 0.0
        self._started_at = datetime.now(UTC)
        self._missing: set[str] = set()
        #: revision at the last look at refused files
        self._looked_at = -1
        #: unknown at first, since another watcher may have left a doubt
        self._lost_folders: set[Path] | None = None if statements else set()
        self._reported: dict[str, tuple[object, ...]] = {}
        self._errors: dict[str, str] = {}
        self._failures, self._not_before = 0, 0.0

    def run(self) -> None:
        """Watch until `stop` is called or `is_wanted` returns False."""
        for _ in self._events.wait(in_a_hurry=lambda: self._inbox.has_pending):
            if not self._is_wanted():
                self._events.close()
            elif time.monotonic() >= self._not_before:
                self._run_once()
        self._close()
        self._emit("end", "ended")

    def stop(self) -> None:
        """Stop after the current cycle; safe in a signal handler."""
        self._events.close()

    def _run_once(self) -> None:
        try:
            self._work(self._open_context())
        except TearsheetError as error:
            self._failures += 1
            wait = min(_FIRST_RETRY_S * 2 ** (self._failures - 1), _LAST_RETRY_S)
            self._not_before = time.monotonic() + wait
            self._report_error("ledger", error)
            self._close_context()
            return
        self._failures = 0
        self._report_recovery("ledger")

    def _work(self, context: CheckedContext) -> None:
        holder = self._lease.acquire(context.ledger)
        self._report_role(None if holder is None else holder.pid)
        if holder is not None:
            if not set(self._lease.folders) <= set(holder.folders):  # nobody else reads them
                self._guarded("statements", lambda: self._import_statements(context))
            return
        changed = self._guarded("logs", lambda: self._sync_logs(context))
        changed = self._guarded("statements", lambda: self._import_statements(context)) or changed
        if changed or time.monotonic() >= self._next_check_at:
            self._next_check_at = time.monotonic() + self._check_every_s
            self._guarded("limits", lambda: self._check_limits(context))
            self._guarded("alerts", lambda: self._check_targets(context))

    def _guarded(self, name: str, work: Callable[[], bool]) -> bool:
        """Run one part of a cycle; its error, such as an invalid targets file, does not stop the other parts."""
        try:
            done = work()
        except StoreError:
            raise
        except TearsheetError as error:
            self._report_error(name, error)
            return False
        self._report_recovery(name)
        return done

    def _report_role(self, holder: int | None) -> None:
        acts = holder is None
        if acts == self._is_leader:
            return
        self._is_leader, self._next_check_at = acts, 0.0
        if acts:
            folders = [str(path) for path in (self._settings.log_dir, *self._inbox.folders)]
            self._emit("begin", f"watching {', '.join(folders)}", folders=folders)
        else:
            self._emit("standby", f"process {holder} watches; this one waits", holder=holder)

    def _sync_logs(self, context: CheckedContext) -> bool:
        if confirm_up_to_date(context):
            return False
        before = context.revision
        report = sync(context)
        if report.revision == before and not report.rejected:
            return False  # half a line, which is read when it is whole
        self._emit(
            "logs",
            _sync_message(report),
            records=report.records,
            rejected=report.rejected,
            files=report.read_files,
            revision=report.revision,
        )
        return True

    def _import_statements(self, context: CheckedContext) -> bool:
        changed = self._note_lost_folders(context)
        changed = self._end_refused(context) or changed
        for path in list(self._inbox.ready_files()):
            try:
                if path.parent not in self._inbox.folders:
                    raise InputError(f"{path} lies in a subfolder, which is not read", "move it up")
                job = ImportJob(path=path, options=self._statement_options)
                report = import_file(context, job)
            except StoreError:
                raise
            except TearsheetError as error:
                # imported by another door, with what this one did not know
                if os.path.lexists(path) and not is_imported(context, path):
                    account = self._statement_options.account
                    changed = note_refused(context, path, error.message, account) or changed
                    self._emit(
                        "refused",
                        f"{path.name}: {error.message}",
                        file=str(path),
                        code=error.code,
                        reason=error.message,
                        hint=error.hint,
                    )
            else:
                report.tie_out = tie_out_import(context, job, report)
                changed = end_refused(context, [path.parent], path.__eq__) or changed or not report.repeated
                self._emit(
                    "statement",
                    _import_message(path, report),
                    file=str(path),
                    layout=report.layout,
                    new=report.new,
                    known=report.known,
                    rejected=report.rejected,
                    repeated=report.repeated,
                    tie_out=report.tie_out.text if report.tie_out else None,
                    revision=report.revision,
                )
            self._inbox.mark_done(path)
        return changed

    def _end_refused(self, context: CheckedContext) -> bool:
        """End doubts about refused files that were moved away, or imported since the last look."""
        is_new = context.revision != self._looked_at
        ended = end_refused(context, self._inbox.folders, lambda path: is_new and is_imported(context, path))
        self._looked_at = context.revision
        return ended

    def _note_lost_folders(self, context: CheckedContext) -> bool:
        """Save which folders of statements are gone, if that has changed; return whether it has."""
        lost = {folder for folder in self._inbox.folders if not folder.is_dir()}
        if lost == self._lost_folders:
            return False
        # what was saved, since a folder may go or return in between
        self._lost_folders = update_folders(context, self._inbox.folders)
        return True

    def _check_limits(self, context: CheckedContext) -> bool:
        """Evaluate the limits of every account, since time alone can change them, and report what changed."""
        for verdict in account_verdicts(context).all():
            now = (verdict.state, verdict.must_be_flat, *(reason.code for reason in verdict.reasons))
            if now != self._reported.get(verdict.account, ("ok", False)):
                why = "; ".join(f"{reason.code} {reason.detail}" for reason in verdict.reasons)
                flat = ", must be flat" if verdict.must_be_flat else ""
                self._emit(
                    "verdict",
                    f"{verdict.account}: {verdict.state}{flat}{why and ': ' + why}",
                    account=verdict.account,
                    state=verdict.state,
                    must_be_flat=verdict.must_be_flat,
                    reasons=[reason.code for reason in verdict.reasons],
                )
            self._reported[verdict.account] = now
        self._check_missing_guards(context)
        return True

    def _check_missing_guards(self, context: CheckedContext) -> None:
        absent = missing_guards(context, self._started_at)
        for account, minutes in absent.items():
            if account not in self._missing:
                self._emit(
                    "absent",
                    f"{account}: no guard has polled the verdict for {minutes} minutes",
                    account=account,
                    minutes=minutes,
                )
        self._missing = set(absent)

    def _check_targets(self, context: CheckedContext) -> bool:
        """Check the present and previous day and week; some targets are due at the end of a window."""
        targets, today = load_targets(context), context.today
        for kind, ago in _WINDOWS:
            window = context.window(kind, start=today - ago * DAY)
            summary = summarize(context, window, currency=self._settings.currency)
            check = check_targets(context, summary, targets)
            for alert in (*check.raised, *check.resolved):
                self._report_alert(alert)
        return True

    def _report_alert(self, alert: AlertEvent) -> None:
        self._emit(
            "alert",
            f"{alert.state}: {alert.message}",
            id=alert.id,
            state=alert.state,
            rule=alert.rule,
            window=alert.window,
            account=alert.account,
        )

    def _report_error(self, part: str, error: TearsheetError) -> None:
        """Report an error once, until it changes."""
        # a lost database raises several messages one after the other
        same = error.code if isinstance(error, StoreError) else error.message
        if self._errors.get(part) == same:
            return
        self._errors[part] = same
        self._emit(
            "trouble",
            f"{part}: {error.message}; trying again",
            part=part,
            code=error.code,
            reason=error.message,
            hint=error.hint,
        )

    def _report_recovery(self, part: str) -> None:
        if self._errors.pop(part, None) is not None:
            self._emit("over", f"{part}: well again", part=part)

    def _emit(self, what: WatchEventKind, words: str, **fields: Any) -> None:
        at = datetime.now().astimezone()
        self._on_event(WatchEvent(kind=what, message=words, at=at, fields=fields))

    def _open_context(self) -> CheckedContext:
        if self._context is None:
            self._context = CheckedContext(self._settings, known=self._known)
        renewed = self._context.refreshed_settings()
        if renewed is not self._settings:
            self._settings = renewed
            self._close_context()
            self._context = CheckedContext(renewed, known=self._known)
        return self._context

    def _close(self) -> None:
        if self._context is not None:
            with suppress(StoreError):
                self._lease.release(self._context.ledger)
        self._close_context()

    def _close_context(self) -> None:
        """Close the context; the next cycle opens the ledger again."""
        if self._context is not None:
            with suppress(StoreError):
                self._context.close()
            self._context = None


def _sync_message(report: SyncReport) -> str:
    words = f"logs: {_count(report.records, 'new record')}"
    if report.rejected:
        words += f", {_count(report.rejected, 'rejected line')}"
    if report.rebuilt:
        words += "; settings changed, history rebuilt"
    return f"{words}, revision {report.revision}"


def _import_message(path: Path, report: ImportReport) -> str:
    if report.repeated:
        return f"{path.name}: known already"
    compared = f", {report.tie_out.text}" if report.tie_out else ""
    return (
        f"{path.name} ({report.layout}): {report.new:,} new, {report.known:,} known, "
        f"{report.rejected:,} rejected, revision {report.revision}{compared}"
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
