"""Change feed of a process: one thread polls the ledger for all event streams.

Each stream compares the latest snapshot with what it sent, so no queue grows behind a slow client, and a
stream can be resumed at any worker, with or without Redis.
"""

import threading
import time
from collections.abc import Mapping
from hashlib import blake2b

from msgspec import Struct
from msgspec.structs import replace

from tearsheet.app.limits.verdicts import account_verdicts
from tearsheet.errors import TearsheetError
from tearsheet.export.files import json_line
from tearsheet.shared_files import file_size
from tearsheet.trade.session import EARLIEST
from tearsheet.web.http.errors import HttpError
from tearsheet.web.server.context import AppContext, QueryContext

#: Seconds between two polls of the ledger, while there are streams.
POLL_EVERY_S = 0.15
#: Seconds after which verdicts are evaluated though the ledger is unchanged: time changes them too.
VERDICT_EVERY_S = 2.0
#: Seconds for which the newest log lines may be missing before it counts as an error.
_MAX_LAG_S = 3.0
_RETRY = {"Retry-After": "5"}


class VerdictEvent(Struct, frozen=True):
    """A verdict as JSON, with a digest of what does not change by the clock alone."""

    digest: str
    body: bytes


class LedgerSnapshot(Struct, frozen=True, kw_only=True):
    """State of the ledger at a poll; `number` counts the changes, `day` is the trading day."""

    number: int = 0
    state_id: str | None = None
    alerts_end: int = 0
    verdicts: Mapping[str, "VerdictEvent"] = {}
    error: str | None = None
    day: str = ""

    @property
    def has_data(self) -> bool:
        """Return whether the ledger was polled at all."""
        return self.state_id is not None or self.error is not None


class ChangeFeed:
    """Snapshots for the event streams, polled while there are any; they end with the process."""

    def __init__(self, app_context: AppContext) -> None:
        self._app_context = app_context
        self._changed = threading.Condition()
        self._latest = LedgerSnapshot()
        self._streams = 0
        self._thread: threading.Thread | None = None
        self._verdicts_at = -1e9
        self._polled_at = -1e9

    def subscribe(self, *, threaded: bool) -> None:
        """Add a stream; the first one starts the polling. Raises HttpError above the maximum."""
        maximum = self._app_context.settings.max_streams if threaded else 0
        with self._changed:
            if self._streams >= maximum:
                raise _too_many_streams(maximum, threaded=threaded)
            self._streams += 1
            if self._thread is None:
                self._latest = LedgerSnapshot(number=self._latest.number)
                self._thread = threading.Thread(target=self._poll, name="change-feed", daemon=True)
                self._thread.start()
        self._app_context.metrics.streams.inc()

    def unsubscribe(self) -> None:
        """Remove a stream."""
        with self._changed:
            self._streams -= 1
        self._app_context.metrics.streams.dec()

    def wait_after(self, number: int, seconds: float) -> LedgerSnapshot | None:
        """Wait for a snapshot after this number, up to a maximum time; return the latest.

        Returns None if streams must end.
        """
        with self._changed:
            worker = self._app_context.worker
            self._changed.wait_for(lambda: self._latest.number > number or worker.is_ending, timeout=seconds)
            return None if worker.is_ending else self._latest

    @property
    def age_s(self) -> float:
        """Return the seconds since the last finished poll; it increases while a poll hangs."""
        return time.monotonic() - self._polled_at

    def _poll(self) -> None:
        while True:
            self._publish(self._snapshot())
            self._polled_at = time.monotonic()
            with self._changed:
                if not self._streams or self._app_context.worker.is_ending:
                    self._thread = None
                    self._changed.notify_all()
                    break
            time.sleep(POLL_EVERY_S)
        self._app_context.tracker_pool.discard()

    def _snapshot(self) -> LedgerSnapshot:
        previous = self._latest
        try:
            with self._app_context.query() as query:
                state_id, verdicts = query.tracker.state_id, previous.verdicts
                day = query.tracker.today.isoformat()
                if state_id != previous.state_id or time.monotonic() - self._verdicts_at > VERDICT_EVERY_S:
                    verdicts = _verdict_events(query, verdicts)
                    self._verdicts_at = time.monotonic()
                error = self._lag_reason(query)
        except TearsheetError as failure:
            return replace(previous, error=failure.code)
        end = file_size(self._app_context.settings.alerts_file)
        return replace(previous, state_id=state_id, alerts_end=end, verdicts=verdicts, error=error, day=day)

    def _lag_reason(self, query: QueryContext) -> str | None:
        """Return why the snapshot is incomplete, if another writer has blocked the sync for too long."""
        is_late = self._app_context.tracker_pool.sync_lag_s > _MAX_LAG_S
        return query.sync_errors[0].code if query.sync_errors and is_late else None

    def _publish(self, snapshot: LedgerSnapshot) -> None:
        with self._changed:
            if snapshot != self._latest:
                self._latest = replace(snapshot, number=self._latest.number + 1)
                self._changed.notify_all()


def _verdict_events(query: QueryContext, previous: Mapping[str, VerdictEvent]) -> Mapping[str, VerdictEvent]:
    """Return the verdicts of all accounts; the previous events where only the clock differs."""
    events = {}
    for verdict in account_verdicts(query.tracker).all(query.sync_errors):
        reasons = tuple(replace(reason, detail="") for reason in verdict.reasons)
        feeds = tuple(replace(feed, last_at=EARLIEST, age_s=0.0) for feed in verdict.feeds)
        timeless = replace(verdict, as_of=EARLIEST, data_age_s=None, sequence=0, reasons=reasons, feeds=feeds)
        digest = blake2b(json_line(timeless), digest_size=8).hexdigest()
        event = previous.get(verdict.account)
        if event is None or event.digest != digest:
            event = VerdictEvent(digest, json_line(verdict))
        events[verdict.account] = event
    return events


def _too_many_streams(maximum: int, *, threaded: bool) -> HttpError:
    if not threaded:
        hint = "serve it by `tearsheet serve`, or poll with If-None-Match"
        return HttpError(
            503, "this server does not support event streams", hint, headers=_RETRY, kind="no_streams"
        )
    hint = "poll with If-None-Match; or raise TEARSHEET_MAX_STREAMS"
    return HttpError(
        503, f"all {maximum} event streams are in use", hint, headers=_RETRY, kind="too_many_streams"
    )
