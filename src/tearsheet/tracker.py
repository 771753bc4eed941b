"""The verbs of Tearsheet: sync, import, summarise, explain, verify.

Importing, explaining and verifying are imported inside their verbs, so that a summary starts without
what only they need.
"""

import logging
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from tearsheet.app.alerts.evaluator import AlertCheck
from tearsheet.app.analysis.summaries import SummaryBuilder, options_from
from tearsheet.app.book_rules import booking_rules_from, fingerprint
from tearsheet.app.config.targets_file import load_targets_cached
from tearsheet.app.context import LedgerContext
from tearsheet.app.imports.log_sync import is_up_to_date, sync_logs
from tearsheet.app.reports import Explanation, ImportReport, OnProgress, SyncReport, VerifyReport, no_progress
from tearsheet.errors import StoreError
from tearsheet.log import timed_event
from tearsheet.performance.summary import PartialReason, PerformanceSummary, Scope
from tearsheet.rules import Targets, rolling_rules, target_rules
from tearsheet.settings import Settings
from tearsheet.trade.fill import Rejection
from tearsheet.trade.position import Position
from tearsheet.trade.session import DAY, Window, WindowKind

_log = logging.getLogger("tearsheet")


class PerformanceTracker(LedgerContext):
    """Keeps the ledger in step with logs and statements, and answers how the trading is going.

    `clock` gives the present instant (UTC). Close it, or use it in a `with` block.
    """

    def __init__(self, settings: Settings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        super().__init__(settings, clock)
        self._ledger.on_commit = self._evaluate_limits

    def sync(self, on_progress: OnProgress = no_progress) -> SyncReport:
        """Read what is new in the log folder. Raises StoreError, InputError."""
        with timed_event(_log, "tearsheet.sync") as event:
            log_dir = self.settings.log_dir
            same, files = is_up_to_date(self._ledger, log_dir, fingerprint(self.settings))
            if same:
                report = SyncReport(files=files, unchanged_files=files, revision=self._ledger.revision)
            else:
                rules = booking_rules_from(self.settings)
                report = sync_logs(self._ledger, log_dir, rules, self.now, on_progress)
            self.last_checked_at = self.now
            self.publish_pending_alerts()
            event.level = logging.WARNING if report.rejected else logging.INFO
            event.add(
                trades=report.records,
                cache_hits=report.unchanged_files,
                cache_misses=report.read_files,
                rejected=report.rejected,
                revision=report.revision,
            )
        return report

    def refresh(self, patience_s: float) -> list[PartialReason]:
        """Take in what is new in the logs, waiting for another writer no longer than that.

        Returns why the answers to come may lack something. Raises StoreError.
        """
        same, _ = is_up_to_date(self._ledger, self.settings.log_dir, fingerprint(self.settings))
        if same:
            self.last_checked_at = self.now
            return []
        if self._ledger.read_only:
            return self.sync_if_possible()
        try:
            with self._ledger.lock_timeout(patience_s):
                self.sync()
        except StoreError as error:
            return [PartialReason("stale_ledger", f"the logs changed, and {error.message}")]
        return []

    def import_file(
        self,
        path: Path,
        *,
        timezone: ZoneInfo | None = None,
        account: str | None = None,
        layout: str | None = None,
        date_order: Literal["day-first", "month-first"] | None = None,
        name: str | None = None,
        who: str | None = None,
        on_progress: OnProgress = no_progress,
        **said: Any,
    ) -> ImportReport:
        """Take a file of fills, or a trade log, into the ledger; each content counts once.

        It is remembered by `name`, by default its path, and `who` brought it. What else is `said` of
        the file are further fields of `StatementOptions`: decimal_mark, layouts, mapping, fee_sign, fee_rates.
        Raises UsageError, InputError, FormatError, StoreError.
        """
        from tearsheet.app.imports.import_file import import_file
        from tearsheet.sources.statements.options import StatementOptions

        with timed_event(_log, "tearsheet.import") as event:
            options = StatementOptions(timezone, account, layout, date_order, **said)
            report = import_file(
                self._ledger,
                path,
                name or str(path),
                booking_rules_from(self.settings),
                options,
                self.now,
                on_progress,
                who,
            )
            self.publish_pending_alerts()
            event.level = logging.WARNING if report.rejected else logging.INFO
            event.add(
                file=report.file,
                trades=report.new,
                known=report.known,
                rejected=report.rejected,
                revision=report.revision,
            )
        return report

    def get_summary(
        self,
        window: WindowKind | Window = "daily",
        *,
        start: date | None = None,
        end: date | None = None,
        rolling: int | None = None,
        scope: Scope = Scope(),
        currency: str | None = None,
        sync: bool = True,
        stale: Iterable[PartialReason] = (),
    ) -> PerformanceSummary:
        """How the trading went in a window. Log files that did not change are not read again.

        `stale` are reasons to call the answer partial, as `refresh` gives them.
        Raises UsageError, NotFoundError, MixedCurrencyError, StoreError.
        """
        stale = self.sync_if_possible() if sync else stale
        chosen = (
            window
            if isinstance(window, Window)
            else self.window(window, start=start, end=end, rolling=rolling)
        )
        with timed_event(_log, "tearsheet.summary") as event:
            with self._ledger.snapshot():
                answers = self.summary_builder()
                summary = answers.summary(chosen, scope, currency, stale)
            event.add(
                window=chosen.kind,
                start=chosen.start.isoformat(),
                trades=summary.value("total_trades"),
                cache_hits=answers.sessions_loaded,
                cache_misses=answers.sessions_computed,
                revision=summary.freshness.revision,
            )
        return summary

    def backfill(
        self, days: int, *, scope: Scope = Scope(), currency: str | None = None
    ) -> list[PerformanceSummary]:
        """The daily summaries of the last `days` days, today included, the oldest first."""
        self.sync_if_possible()
        today = self.today
        dates = [today - DAY * ago for ago in range(days - 1, -1, -1)]
        return [
            self.get_summary("daily", start=day, scope=scope, currency=currency, sync=False) for day in dates
        ]

    def explain(
        self, metric: str, window: Window, *, scope: Scope = Scope(), currency: str | None = None
    ) -> Explanation:
        """The bookings, positions and fills behind a metric, summing exactly."""
        from tearsheet.app.analysis.explain import explain

        self.sync_if_possible()
        with self._ledger.snapshot():
            answers = self.summary_builder()
            summary = answers.summary(window, scope, currency)
            rows = answers.rows(window, scope, summary.currency)
            return explain(
                self._ledger,
                metric,
                summary,
                rows,
                self.settings.breakeven_band,
                self.settings.calendar.trading_day_of,
            )

    def targets(self) -> Targets:
        """The targets file as it is now; all null where there is none. Raises SettingsError.

        What a file of the same content said before is taken from the ledger, without a YAML parser.
        """
        return load_targets_cached(self._ledger, self.settings.targets_file)

    def check(self, summary: PerformanceSummary, targets: Targets) -> AlertCheck:
        """Judge a summary by the targets, and the last trades of its scope by the rolling rules.

        What began or ended since the last run is written to the alerts file.
        """
        with timed_event(_log, "tearsheet.alerts") as event:
            judged = [(summary, target_rules(targets))]
            for trades, rule in rolling_rules(targets, self.settings.alert_rolling_window):
                last = Window.last(trades, self.today)
                rolling = self.get_summary(last, scope=summary.scope, currency=summary.currency, sync=False)
                judged.append((rolling, [rule]))
            run = self.alerts.evaluate(judged)
            event.add(
                rules=len(run.findings),
                raised=len(run.raised),
                resolved=len(run.resolved),
                open=len(run.open),
                trades=summary.value("total_trades"),
            )
        return run

    def _evaluate_limits(self, accounts: frozenset[str]) -> None:
        """Hold the limits against accounts that a posting touches, in its transaction."""
        if accounts and (self._ledger.get("limits") or self.settings.targets_file.exists()):
            from tearsheet.app.limits.verdicts import account_verdicts  # not where nothing is limited

            self.limit_hook = account_verdicts(self)
            self.limit_hook.evaluate(accounts)

    def open_positions(self, scope: Scope = Scope()) -> list[Position]:
        """Positions that are not flat."""
        with self._ledger.snapshot() as queries:
            return queries.open_positions(scope)

    def closed_positions(
        self, window: Window, scope: Scope = Scope(), currency: str | None = None
    ) -> list[Position]:
        """Positions closed in a window, in order."""
        with self._ledger.snapshot():
            answers = self.summary_builder()
            return answers.rows(window, scope, answers.currency(window, scope, currency)).closed

    def rejections(self, most: int = 100) -> list[Rejection]:
        """Lines that could not be used, the newest first."""
        with self._ledger.snapshot():
            return self._ledger.rejections(most)

    def accounts(self) -> list[str]:
        """Every account that traded."""
        with self._ledger.snapshot():
            return self._ledger.accounts()

    def verify(self, step: Callable[[str], None] = lambda words: None) -> VerifyReport:
        """Make all books anew from the stored facts and compare row by row."""
        from tearsheet.app.verify import verify

        return verify(self._ledger, self.settings.log_dir, booking_rules_from(self.settings), self.now, step)

    def summary_builder(self) -> SummaryBuilder:
        """What makes summaries of the present instant; ask it inside one snapshot of the ledger."""
        return SummaryBuilder(self._ledger, options_from(self.settings), self.now)

    def sync_if_possible(self) -> list[PartialReason]:
        """Sync; where the ledger cannot be written, say what it has not seen."""
        if not self._ledger.read_only:
            self.sync()
            return []
        same, _ = is_up_to_date(self._ledger, self.settings.log_dir, fingerprint(self.settings))
        if same:
            return []
        detail = f"{self._ledger.name} is read-only, and the logs or settings changed since"
        return [PartialReason("stale_ledger", detail)]
