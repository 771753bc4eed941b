"""What every use case works on: a ledger, the settings it was opened with, and a clock."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from types import TracebackType
from typing import Protocol, Self

from tearsheet.app.alerts.evaluator import AlertEvaluator, listeners
from tearsheet.app.book_rules import RulesGuard
from tearsheet.errors import TearsheetError
from tearsheet.performance.summary import PartialReason
from tearsheet.settings import Settings
from tearsheet.store.tables.ledger import Ledger
from tearsheet.trade.session import Window, WindowKind


class LimitHook(Protocol):
    """What judges limits: inside a posting, and after it tells what came out."""

    def evaluate(self, accounts: Iterable[str]) -> None:
        """Hold the limits against accounts that just changed."""

    def publish_alerts(self) -> None:
        """Raise the alerts that this means."""


class LedgerContext:
    """An open ledger with its settings and clock. Close it, or use it in a `with` block."""

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        changes_rules: bool = False,
    ) -> None:
        """Open the ledger, whose rules take the place of those that the settings do not state.

        `changes_rules` keeps the settings' own rules, for the one who rebuilds the books by them.
        Raises StoreError; OtherRulesError where the settings contradict the ledger.
        """
        self._clock = clock
        self._ledger = Ledger(settings.ledger)
        try:
            self.rules = RulesGuard(self._ledger, settings, changes_rules=changes_rules)
        except TearsheetError:
            self._ledger.close()
            raise
        self.settings = self.rules.settings
        self._ledger.on_begin = self.rules.verify
        #: what judges the limits, made by `verdicts_of` when it is first needed
        self.limit_hook: LimitHook | None = None
        #: when this process last knew all of the logs
        self.last_checked_at: datetime | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the ledger."""
        self._ledger.close()

    @property
    def now(self) -> datetime:
        """The present instant."""
        return self._clock()

    @property
    def today(self) -> date:
        """The present session."""
        return self.settings.calendar.trading_day_of(self.now)

    @property
    def revision(self) -> int:
        """How often the facts changed so far."""
        return self._ledger.revision

    @property
    def ledger(self) -> Ledger:
        """The ledger."""
        return self._ledger

    @property
    def read_only(self) -> bool:
        """Whether the ledger can be asked but not written."""
        return self._ledger.read_only

    @property
    def state_id(self) -> str:
        """A name for the present state of the ledger that no other state bears. Raises StoreError."""
        return self._ledger.state_id

    @property
    def alerts(self) -> AlertEvaluator:
        """The alerts of this ledger."""
        return AlertEvaluator(
            self._ledger, self.settings.alerts_file, self.settings.alert_min_sample, listeners
        )

    def publish_pending_alerts(self) -> None:
        """Raise the alerts of the limits that the last posting touched; after its transaction."""
        if self.limit_hook is not None:
            self.limit_hook.publish_alerts()

    def window(
        self,
        kind: WindowKind = "daily",
        *,
        start: date | None = None,
        end: date | None = None,
        rolling: int | None = None,
    ) -> Window:
        """The window that a kind, dates or a number of trades mean today."""
        if rolling is not None:
            return Window.last(rolling, self.today)
        return Window.choose(kind, self.today, start, end)

    def sync_if_possible(self) -> list[PartialReason]:
        """Take in what is new in the logs; what could not be is returned."""
        return []

    @contextmanager
    def snapshot(self) -> Iterator[Ledger]:
        """The ledger, brought up to date, in one state for all that is read inside."""
        self.sync_if_possible()
        with self._ledger.snapshot():
            yield self._ledger
