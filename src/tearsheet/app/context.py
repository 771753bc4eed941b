"""Context of the use cases: an open ledger, its settings, and a clock."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from types import TracebackType
from typing import Any, Self, TypeVar, get_args

from tearsheet.app import arguments
from tearsheet.app.alerts.evaluator import AlertEvaluator
from tearsheet.app.book_rules import RulesGuard
from tearsheet.app.known_ledger import KnownLedger
from tearsheet.app.known_paths import note_paths
from tearsheet.app.watcher_lease import unread_folders
from tearsheet.errors import TearsheetError
from tearsheet.performance.summary import PartialReason
from tearsheet.settings import Settings
from tearsheet.store.kept_accounts import kept_calendars
from tearsheet.store.tables.ledger import TransactionHooks
from tearsheet.trade.session import AccountCalendars, Window, WindowKind

T = TypeVar("T")


class LedgerContext(TransactionHooks):
    """Open ledger with its settings and clock, and the hooks of its transactions.

    Close it, or use it in a `with` block. Call `publish_pending_alerts` after a change of the ledger.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        changes_rules: bool = False,
        known: KnownLedger | None = None,
    ) -> None:
        """Open the ledger; its booking rules apply if the settings do not set them explicitly.

        Without settings, those of the environment and the working directory are loaded.
        `changes_rules` uses the rules of the settings instead, for a rebuild. `known` is what the process
        knows of the ledger from an earlier context.
        Raises SettingsError, StoreError; OtherRulesError if the settings contradict the ledger;
        MissingSourceError if they name a path that never existed.
        """
        settings = Settings.load() if settings is None else settings
        self.known = known or KnownLedger(settings)
        self.ledger = self.known.open(self)
        try:
            self.rules = RulesGuard(self.ledger, settings, changes_rules=changes_rules)
        except TearsheetError:
            self.ledger.close()
            raise
        self.settings = self.rules.settings
        #: time of the last check in which the ledger was up to date with the trade logs
        self.last_checked_at: datetime | None = None
        self._clock = clock
        self._shared: dict[object, Any] = {}
        self._after_commit: set[Callable[[], None]] = set()
        self._after_rollback: set[Callable[[], None]] = set()
        try:
            note_paths(self.ledger, self.settings)
            self.rules.instruments.note_place()
        except TearsheetError:
            self.ledger.close()
            raise

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
        """Current time in UTC."""
        return self._clock()

    def process_reasons(self, *, save: bool = False) -> list[PartialReason]:
        """Return that the clock was set back, or the watcher died, if so; `save` keeps the time. Raises StoreError."""
        return [*self.known.clock.reasons(self.ledger, self.now, save=save), *unread_folders(self.ledger)]

    @property
    def today(self) -> date:
        """Current trading day."""
        return self.settings.calendar.trading_day_of(self.now)

    @property
    def calendars(self) -> AccountCalendars:
        """Calendars of the accounts as the ledger keeps them; read them once, inside a snapshot."""
        return kept_calendars(self.ledger, self.settings.calendar)

    @property
    def revision(self) -> int:
        """Ledger revision: the number of its changes so far."""
        return self.ledger.revision

    @property
    def read_only(self) -> bool:
        """Whether the ledger can be read but not written."""
        return self.ledger.read_only

    @property
    def state_id(self) -> str:
        """Unique ID of the current ledger state, for cache keys. Raises StoreError."""
        return self.ledger.state_id

    @property
    def alerts(self) -> AlertEvaluator:
        """Alert evaluator of this ledger."""
        return AlertEvaluator(self)

    def window(
        self,
        kind: WindowKind = "daily",
        *,
        start: date | str | None = None,
        end: date | str | None = None,
        rolling: int | None = None,
    ) -> Window:
        """Return the window of a kind, of dates, or of the last `rolling` trades, as of today. Raises UsageError."""
        kind = arguments.choice(kind, "window", get_args(WindowKind))
        if rolling is not None:
            return Window.last(rolling, self.today)
        first, last = arguments.day(start, "start"), arguments.day(end, "end")
        return Window.choose(kind, self.today, first, last)

    def shared(self, make: Callable[["LedgerContext"], T]) -> T:
        """Return the context's single instance of a class, created on first use."""
        if make not in self._shared:
            self._shared[make] = make(self)
        part: T = self._shared[make]
        return part

    def share(self, make: Callable[["LedgerContext"], T], instance: T) -> None:
        """Make `shared(make)` return an existing instance, which several contexts can share."""
        self._shared[make] = instance

    def after_commit(self, action: Callable[[], None]) -> None:
        """Register an action for the next `publish_pending_alerts`."""
        self._after_commit.add(action)

    def after_rollback(self, action: Callable[[], None]) -> None:
        """Register an action for every rollback."""
        self._after_rollback.add(action)

    def publish_pending_alerts(self) -> None:
        """Run the actions registered with `after_commit`, such as publishing alerts; call it outside transactions."""
        while self._after_commit:
            self._after_commit.pop()()

    def on_begin(self) -> None:
        """Raise StoreError if this is not the known ledger, or its booking rules changed since it was opened."""
        self.rules.verify(self.known.check(self.ledger))

    def refreshed_settings(self) -> Settings:
        """Return the settings, with the ledger's rules if they changed since the last read.

        Raises SettingsError, OtherRulesError, StoreError.
        """
        return self.rules.refreshed_settings(self.known.check(self.ledger))

    def on_revision(self, revision: int) -> None:
        """Note the revision that the ledger has reached."""
        self.known.note_revision(revision)

    def on_rollback(self) -> None:
        """Run the actions registered with `after_rollback`, which discard values computed in the transaction."""
        for action in self._after_rollback:
            action()
