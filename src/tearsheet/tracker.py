"""The Python API of Tearsheet: sync, import, summarize, explain, check, verify.

The modules of import, explain and verify are imported inside their methods, which starts a summary 130 ms sooner.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from tearsheet.app import arguments
from tearsheet.app.alerts.evaluator import AlertCheck
from tearsheet.app.analysis.base_view import builder_for
from tearsheet.app.analysis.summaries import summarize, summary_builder
from tearsheet.app.book_rules import booking_rules_from
from tearsheet.app.imports.log_sync import sync, sync_if_writable, sync_within
from tearsheet.app.limits.checked_context import CheckedContext
from tearsheet.app.reports import Explanation, ImportReport, OnProgress, SyncReport, VerifyReport, no_progress
from tearsheet.app.targets import check_targets, load_targets
from tearsheet.performance.summary import PartialReason, PerformanceSummary, Scope
from tearsheet.rules import Targets
from tearsheet.trade.fill import Rejection
from tearsheet.trade.position import Position
from tearsheet.trade.session import DAY, Window, WindowKind


class PerformanceTracker(CheckedContext):
    """Performance tracker: a ledger that is synced with trade logs and statements, and queries on it.

    `clock` returns the current time in UTC. Close it, or use it in a `with` block.
    """

    def sync(self, on_progress: OnProgress = no_progress) -> SyncReport:
        """Import the new records of the log folder. Raises StoreError, InputError."""
        return sync(self, on_progress)

    def refresh(self, patience_s: float) -> list[PartialReason]:
        """Sync the log folder, waiting at most `patience_s` seconds for another writer.

        Returns the reasons why results may be incomplete; a timeout is one of them. Raises StoreError.
        """
        return [*sync_within(self, patience_s), *self.process_reasons()]

    def import_file(
        self,
        path: Path | str,
        *,
        timezone: ZoneInfo | str | None = None,
        account: str | None = None,
        layout: str | None = None,
        date_order: Literal["day-first", "month-first"] | None = None,
        decimal_mark: Literal[".", ","] | None = None,
        layouts: Path | str | None = None,
        mapping: Mapping[str, str] | None = None,
        fee_rates: Mapping[str, Decimal] | None = None,
        fee_sign: Literal["positive", "negative"] | None = None,
        name: str | None = None,
        who: str | None = None,
        on_progress: OnProgress = no_progress,
    ) -> ImportReport:
        """Import a file of fills or a trade log; skip content that was imported before.

        `name` is stored for the file, by default its path, and `who` as its importer; the other values
        are those of `StatementOptions`. Raises UsageError, InputError, FormatError, StoreError.
        """
        from tearsheet.app.imports.import_file import ImportJob, import_file
        from tearsheet.sources.statements.options import StatementOptions

        options = StatementOptions(
            timezone=arguments.zone(timezone),
            account=account,
            layout=layout,
            date_order=date_order,
            decimal_mark=decimal_mark,
            layouts=None if layouts is None else arguments.path(layouts, "layouts"),
            mapping=mapping or {},
            fee_rates=fee_rates or {},
            fee_sign=fee_sign,
        )
        file = arguments.path(path, "path")
        job = ImportJob(path=file, name=name or "", options=options, who=who, on_progress=on_progress)
        return import_file(self, job)

    def get_summary(
        self,
        window: WindowKind | Window = "daily",
        *,
        start: date | str | None = None,
        end: date | str | None = None,
        rolling: int | None = None,
        scope: Scope = Scope(),
        currency: str | None = None,
        base: str | None = None,
        sync: bool = True,
        stale: Iterable[PartialReason] = (),
    ) -> PerformanceSummary:
        """Return the summary of a window. Unchanged log files are not read again.

        `base` is a currency into which all others are converted, each booking at the rate of its session.
        `stale` lists more reasons why it is partial, as `refresh` returns them.
        Raises UsageError, NotFoundError, MixedCurrencyError, StoreError.
        """
        stale = sync_if_writable(self) if sync else stale
        if not isinstance(window, Window):
            window = self.window(window, start=start, end=end, rolling=rolling)
        return summarize(self, window, scope, currency, stale, lambda context: builder_for(context, base))

    def backfill(
        self,
        number: int,
        *,
        kind: WindowKind = "daily",
        scope: Scope = Scope(),
        currency: str | None = None,
        base: str | None = None,
    ) -> list[PerformanceSummary]:
        """Return the summaries of the last `number` days, weeks …, the present one included, oldest first."""
        sync_if_writable(self)
        windows = [self.window(kind)]
        while len(windows) < number:
            windows.append(Window.containing(kind, windows[-1].start - DAY))
        return [
            summarize(self, window, scope, currency, make=lambda context: builder_for(context, base))
            for window in reversed(windows)
        ]

    def explain(
        self,
        metric: str,
        window: Window,
        *,
        scope: Scope = Scope(),
        currency: str | None = None,
        base: str | None = None,
    ) -> Explanation:
        """Return the bookings, positions and fills behind a metric, which sum to it exactly."""
        from tearsheet.app.analysis.explain import explain

        sync_if_writable(self)
        return explain(self, metric, window, scope, currency, base)

    def targets(self) -> Targets:
        """Return the targets of the file, or the defaults if it is missing. Raises SettingsError."""
        return load_targets(self)

    def check(self, summary: PerformanceSummary, targets: Targets) -> AlertCheck:
        """Evaluate a summary by the targets, and save the alerts raised or resolved since the last evaluation."""
        return check_targets(self, summary, targets)

    def open_positions(self, scope: Scope = Scope()) -> list[Position]:
        """Return the positions that are not flat."""
        with self.ledger.snapshot() as queries:
            logged = queries.open_log_positions(scope, self.settings.currency)
            return [*queries.open_positions(scope), *logged]

    def closed_positions(
        self, window: Window, scope: Scope = Scope(), currency: str | None = None
    ) -> list[Position]:
        """Return the positions closed in a window, in order."""
        with self.ledger.snapshot():
            builder = summary_builder(self)
            return builder.rows(window, scope, builder.currency(window, scope, currency)).closed

    def rejections(self, most: int = 100) -> list[Rejection]:
        """Return the rejected rows, newest first."""
        with self.ledger.snapshot():
            return self.ledger.sources.rejections(most)

    def accounts(self) -> list[str]:
        """Return all accounts that traded, or that a rejected row names."""
        with self.ledger.snapshot():
            return self.ledger.queries.accounts()

    def verify(self, step: Callable[[str], None] = lambda words: None) -> VerifyReport:
        """Rebuild positions and totals from the stored fills, and compare them row by row."""
        from tearsheet.app.verification.verify import verify

        return verify(
            self.ledger, self.settings.log_dir, booking_rules_from(self.settings, self.ledger), self.now, step
        )
