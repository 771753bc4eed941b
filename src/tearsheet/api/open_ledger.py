"""An open ledger behind all its scopes: the tracker, what was warned of, and the answers of the use cases."""

import json
import logging
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from weakref import finalize

from tearsheet.api.notebook import Chart, Report
from tearsheet.app import arguments
from tearsheet.app.analysis.summaries import summary_builder
from tearsheet.app.analysis.table_rows import TableScope, check_filters
from tearsheet.app.imports.log_sync import unread_reasons
from tearsheet.app.judgement import Judge, Judged
from tearsheet.app.known_ledger import KnownLedger
from tearsheet.app.reports import ExplainedTrade, Explanation, ImportReport
from tearsheet.errors import InputError, UsageError
from tearsheet.performance.summary import PartialReason
from tearsheet.rules.limit import Limits
from tearsheet.rules.replay import Replay
from tearsheet.rules.verdict import Verdict
from tearsheet.settings import Settings
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.session import Window

# without handlers of its own, Python prints a library's warnings; a program that wants them adds one
logging.getLogger("tearsheet").addHandler(logging.NullHandler())


class OpenedLedger:
    """An open ledger that scopes share; `folder` is one that lives as long as it."""

    def __init__(
        self,
        settings: Settings,
        *,
        is_reader: bool,
        clock: Callable[[], datetime] | None = None,
        folder: Path | None = None,
    ) -> None:
        known = KnownLedger(settings, is_reader=is_reader)
        self._tracker = PerformanceTracker(settings, clock or _now, known=known)
        self._is_reader = is_reader
        # a ledger that is let go without being closed leaves nothing open, and nothing on disk
        self._finish = finalize(self, _discard, self._tracker, folder)
        self.is_open = True
        self.name = "fills of a frame" if folder else self._tracker.ledger.name
        self.warned: set[object] = set()
        self.imported: ImportReport | None = None

    @property
    def tracker(self) -> PerformanceTracker:
        """Return the tracker. Raises UsageError once it is closed."""
        if not self.is_open:
            raise UsageError("the ledger is closed", "open it again; tables that were read stay valid")
        return self._tracker

    def writable(self, verb: str) -> PerformanceTracker:
        """Return the tracker. Raises UsageError for a ledger that was opened for reading."""
        if self._is_reader:
            raise UsageError(
                f"{verb} changes the ledger, which is open for reading", "ts.open(…, write=True)"
            )
        return self.tracker

    def close(self) -> None:
        """Close the ledger, and remove its folder if it has one."""
        if self.is_open:
            self.is_open = False
            self._finish()

    def check_filters(self, **filters: str | None) -> None:
        """Raise UsageError with the nearest known name for a filter that names what the ledger does not have."""
        check_filters(self.tracker, **filters)

    def stale_reasons(self) -> list[PartialReason]:
        """Return why the ledger may be behind its files; nothing is read of them."""
        return [*unread_reasons(self.tracker), *self.tracker.process_reasons()]

    def partial_reasons(self, chosen: TableScope) -> list[PartialReason]:
        """Return why what a scope shows may be incomplete."""
        tracker = self.tracker
        builder = summary_builder(tracker)
        window = builder.from_first_session(chosen.window, chosen.scope)
        currency = chosen.currency or tracker.settings.currency
        return [*self.stale_reasons(), *builder.incompleteness_reasons(window, chosen.scope, currency)]

    def judged(self, window: Window, chosen: TableScope) -> Judged:
        """Return a summary with its targets, limits and alerts, none of which is saved."""
        tracker, stale = self.tracker, self.stale_reasons()
        summary = tracker.get_summary(
            window, scope=chosen.scope, currency=chosen.currency, sync=False, stale=stale
        )
        return Judge(tracker, chosen.scope.account, stale).judge(summary)

    def verdicts(self, account: str | None) -> list[Verdict]:
        """Return the verdicts of the accounts with limits, or of one account."""
        from tearsheet.app.limits.verdicts import account_verdicts  # 15 ms that other verbs do not need

        verdicts, stale = account_verdicts(self.tracker), self.stale_reasons()
        return verdicts.all(stale) if account is None else [verdicts.for_account(account, stale)]

    def replay(
        self, limits: object, start: date | None, end: date | None, account: str | None, currency: str | None
    ) -> list[Replay]:
        """Apply limits to history."""
        from tearsheet.app.limits.replay import replay_history  # 15 ms that other verbs do not need

        found = self._limits(limits)
        return replay_history(self.tracker, found, start=start, end=end, account=account, currency=currency)

    def _limits(self, limits: object) -> Limits:
        from tearsheet.app.limits.replay import load_replay_limits  # 15 ms that other verbs do not need

        if isinstance(limits, Limits):
            return limits
        if isinstance(limits, Mapping):
            stated = limits if "limits" in limits else {"limits": limits}
            with TemporaryDirectory() as folder:
                file = Path(folder) / "limits.yaml"
                file.write_text(json.dumps(stated, default=str), "utf-8")  # JSON is YAML
                return load_replay_limits(self.tracker, file)
        file_path = None if limits is None else arguments.path(limits, "limits")
        return load_replay_limits(self.tracker, file_path)

    def explain(self, metric: str, window: Window, chosen: TableScope) -> Explanation:
        """Return the bookings, positions and fills behind a metric."""
        from tearsheet.app.analysis.explain import explain  # only for this

        return explain(self.tracker, metric, window, chosen.scope, chosen.currency)

    def explain_trade(self, identity: str) -> ExplainedTrade:
        """Return the fills behind a trade. Raises NotFoundError."""
        from tearsheet.app.analysis.explain import explain_trade  # only for this

        return explain_trade(self.tracker, identity)

    def report(self, window: Window, chosen: TableScope, *, html: bool) -> Report:
        """Return the tear sheet of a window."""
        from tearsheet.export.files import render_markdown
        from tearsheet.web.rendering.tear_sheet import render_tear_sheet  # Jinja, only for this

        judged = self.judged(window, chosen)
        if not html:
            return Report(render_markdown(judged.summary, judged.alerts), is_html=False)
        return Report(render_tear_sheet(self.tracker, judged.summary, judged.alerts), is_html=True)

    def chart(self, window: Window, chosen: TableScope) -> Chart:
        """Return the picture of a window."""
        from tearsheet.app.analysis.summary_picture import summary_picture  # drawn only for this

        tracker = self.tracker
        summary = tracker.get_summary(window, scope=chosen.scope, currency=chosen.currency, sync=False)
        return Chart(summary_picture(tracker, summary))


def _discard(tracker: PerformanceTracker, folder: Path | None) -> None:
    tracker.close()
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def _now() -> datetime:
    return datetime.now(UTC)


def require_ledger(settings: Settings) -> None:
    """Raise InputError if there is no ledger to read."""
    path = settings.ledger_path
    if path is not None and not path.exists():
        raise InputError(
            f"there is no ledger at {path}",
            "name its path or URL; a ledger is made by `tearsheet import`, or by ts.open(…, write=True)",
        )
