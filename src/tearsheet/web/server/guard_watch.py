"""Monitor of guards: records who polls verdicts, and reports guards that stopped polling."""

import logging
import time
from contextlib import suppress

from tearsheet.app.limits.guard_heartbeat import ALL_ACCOUNTS, last_polls, missing_guards, record_poll
from tearsheet.errors import StoreError
from tearsheet.log import log_event
from tearsheet.web.http.metrics import Gauge
from tearsheet.web.server.context import AppContext, QueryContext

_log = logging.getLogger("tearsheet")
#: Polls of an account within this number of seconds are recorded once.
_RECORD_EVERY_S = 10.0
#: How long recording a poll may delay its answer.
_LOCK_TIMEOUT_S = 0.1


class GuardMonitor:
    """Polls of verdicts, and the guards that are missing."""

    def __init__(self, app_context: AppContext) -> None:
        self._app_context = app_context
        self._started_at = app_context.now
        self._recorded: dict[str, float] = {}
        self._missing: frozenset[str] = frozenset()

    def record_poll(self, account: str | None) -> None:
        """Record an answered poll of the verdict of an account, or of all."""
        name, now = account or ALL_ACCOUNTS, time.monotonic()
        if now - self._recorded.get(name, -1e9) >= _RECORD_EVERY_S:
            with suppress(StoreError), self._app_context.tracker_pool.borrow() as tracker:
                record_poll(tracker, name, _LOCK_TIMEOUT_S)
                self._recorded[name] = now

    def missing(self, query: QueryContext) -> dict[str, int]:
        """Return the accounts without a guard, with the minutes since its last poll; log each new one."""
        missing = missing_guards(query.tracker, self._started_at)
        for account in missing.keys() - self._missing:
            log_event(
                _log,
                "tearsheet.guard_absent",
                level=logging.WARNING,
                account=account,
                minutes=missing[account],
            )
        self._missing = frozenset(missing)
        return missing

    def gauges(self, query: QueryContext) -> list[Gauge]:
        """Return the age of the last poll of each account."""
        self.missing(query)
        age = Gauge("verdict_asked_age_seconds", "Since the last question for a verdict.", ("account",))
        for account, at in last_polls(query.tracker, self._started_at).items():
            age.set((query.tracker.now - at).total_seconds(), account)
        return [age]


def guard_monitor(app_context: AppContext) -> GuardMonitor | None:
    """Return a monitor of guards; None if the setting is 0."""
    return GuardMonitor(app_context) if app_context.settings.guard_absent_minutes else None
