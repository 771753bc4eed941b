"""Notices who asks for verdicts, and when nobody has for too long."""

import logging
import time
from contextlib import suppress

from flask import Flask, Response, request

from tearsheet.app.limits.guard_heartbeat import ALL_ACCOUNTS, last_polls, missing_guards, record_poll
from tearsheet.errors import StoreError
from tearsheet.log import log_event
from tearsheet.web.http.metrics import Gauge
from tearsheet.web.server.context import AppContext, QueryContext

_log = logging.getLogger("tearsheet")
#: A question within so many seconds of the last one is not written down again.
_RECORD_EVERY_S = 10.0
#: How long writing it down may hold an answer up.
_LOCK_TIMEOUT_S = 0.1


class GuardMonitor:
    """The guards that are missed; nothing is noted while the setting is 0."""

    def __init__(self, served: AppContext) -> None:
        self._served = served
        self._started_at = served.now
        self._recorded: dict[str, float] = {}
        self._missing: frozenset[str] = frozenset()

    def record_poll(self, response: Response) -> Response:
        """Remember a question for a verdict that was answered."""
        if request.path == "/api/risk/verdict" and response.status_code == 200:
            account, now = request.args.get("account", ALL_ACCOUNTS), time.monotonic()
            if now - self._recorded.get(account, -1e9) >= _RECORD_EVERY_S:
                with suppress(StoreError), self._served.trackers.borrow() as tracker:
                    record_poll(tracker, account, _LOCK_TIMEOUT_S)
                    self._recorded[account] = now
        return response

    def missing(self, asked: QueryContext) -> dict[str, int]:
        """The accounts about which nobody asked for too long, in minutes; told when there is a new one."""
        found = missing_guards(asked.tracker, self._started_at)
        for account in found.keys() - self._missing:
            log_event(
                _log, "tearsheet.guard_absent", level=logging.WARNING, account=account, minutes=found[account]
            )
        self._missing = frozenset(found)
        return found

    def gauges(self, asked: QueryContext) -> list[Gauge]:
        """How long ago somebody asked about each account."""
        self.missing(asked)
        age = Gauge("verdict_asked_age_seconds", "Since the last question for a verdict.", ("account",))
        for account, at in last_polls(asked.tracker, self._started_at).items():
            age.set((asked.tracker.now - at).total_seconds(), account)
        return [age]


def add_guard_monitor(app: Flask, served: AppContext) -> GuardMonitor | None:
    """Watch who asks, where the setting says so."""
    if not served.settings.guard_absent_minutes:
        return None
    absence = GuardMonitor(served)
    app.after_request(absence.record_poll)
    return absence
