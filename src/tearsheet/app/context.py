"""What every use case works on: an open ledger, the settings it was opened with, and a clock."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from types import TracebackType
from typing import Any, Self, TypeVar

from tearsheet.app.alerts.evaluator import AlertEvaluator, listeners
from tearsheet.app.book_rules import RulesGuard
from tearsheet.errors import TearsheetError
from tearsheet.settings import Settings
from tearsheet.store.tables.ledger import Ledger
from tearsheet.trade.session import Window, WindowKind

T = TypeVar("T")


class LedgerContext:
    """An open ledger with its settings and clock, and the hooks of the ledger's transactions.

    Close it, or use it in a `with` block. A change of the ledger is followed by `publish_pending_alerts`.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        changes_rules: bool = False,
    ) -> None:
        """Open the ledger; its booking rules override those that the settings do not state.

        `changes_rules` keeps the settings' own rules, for a rebuild by them.
        Raises StoreError; OtherRulesError where the settings contradict the ledger.
        """
        self.ledger = Ledger(settings.ledger)
        try:
            self.rules = RulesGuard(self.ledger, settings, changes_rules=changes_rules)
        except TearsheetError:
            self.ledger.close()
            raise
        self.settings = self.rules.settings
        #: when this process last found the ledger in step with the trade logs
        self.last_checked_at: datetime | None = None
        self._clock = clock
        self._shared: dict[object, Any] = {}
        self._after_commit: set[Callable[[], None]] = set()
        self._after_rollback: set[Callable[[], None]] = set()
        self.ledger.on_begin = self.on_begin
        self.ledger.on_commit = self.on_commit
        self.ledger.on_rollback = self.on_rollback

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the ledger."""
        self.ledger.close()

    @property
    def now(self) -> datetime:
        """The present instant (UTC)."""
        return self._clock()

    @property
    def today(self) -> date:
        """The present trading day."""
        return self.settings.calendar.trading_day_of(self.now)

    @property
    def revision(self) -> int:
        """The number of changes of the ledger so far."""
        return self.ledger.revision

    @property
    def read_only(self) -> bool:
        """Whether the ledger can be read but not written."""
        return self.ledger.read_only

    @property
    def state_id(self) -> str:
        """The unique name of the ledger's present state. Raises StoreError."""
        return self.ledger.state_id

    @property
    def alerts(self) -> AlertEvaluator:
        """The alerts of this ledger."""
        return AlertEvaluator(
            self.ledger, self.settings.alerts_file, self.settings.alert_min_sample, listeners
        )

    def window(
        self,
        kind: WindowKind = "daily",
        *,
        start: date | None = None,
        end: date | None = None,
        rolling: int | None = None,
    ) -> Window:
        """Return the window that a kind, dates or a number of trades mean today. Raises UsageError."""
        if rolling is not None:
            return Window.last(rolling, self.today)
        return Window.choose(kind, self.today, start, end)

    def shared(self, make: Callable[["LedgerContext"], T]) -> T:
        """Return the context's only instance of a class, created on first use."""
        if make not in self._shared:
            self._shared[make] = make(self)
        part: T = self._shared[make]
        return part

    def share(self, make: Callable[["LedgerContext"], T], instance: T) -> None:
        """Make `shared(make)` return an instance that other contexts use too."""
        self._shared[make] = instance

    def after_commit(self, action: Callable[[], None]) -> None:
        """Register an action for the next `publish_pending_alerts`."""
        self._after_commit.add(action)

    def after_rollback(self, action: Callable[[], None]) -> None:
        """Register an action for every transaction that fails."""
        self._after_rollback.add(action)

    def publish_pending_alerts(self) -> None:
        """Publish the alerts of the last changes; outside their transactions."""
        while self._after_commit:
            self._after_commit.pop()()

    def on_begin(self) -> None:
        """Refuse a transaction if the settings changed since this context was opened. Raises StoreError."""
        self.rules.verify()

    def on_commit(self, accounts: frozenset[str]) -> None:
        """Check a change of some accounts, inside its transaction; a context without limits checks nothing."""

    def on_rollback(self) -> None:
        """Discard what was computed from a transaction that failed."""
        for action in self._after_rollback:
            action()
