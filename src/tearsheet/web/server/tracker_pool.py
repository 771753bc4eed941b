"""Pool with one tracker per thread, opened on demand and reopened after a failure."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from tearsheet.app.analysis.charts import ChartCache, chart_cache
from tearsheet.app.imports.log_sync import sync_within
from tearsheet.app.known_ledger import KnownLedger
from tearsheet.errors import StoreError
from tearsheet.performance.summary import PartialReason
from tearsheet.settings import Settings
from tearsheet.tracker import PerformanceTracker

#: How long a query waits for another writer before it answers without the newest log lines; that answer
#: reports `stale_ledger`, is not cached and has no ETag.
_LOCK_TIMEOUT_S = 0.2
#: Seconds for which a successful probe of a write is good.
_PROBE_EVERY_S = 1.0
#: How long a write waits for another writer before it fails with 503.
_WRITE_LOCK_TIMEOUT_S = 5.0


class TrackerPool:
    """Trackers of the threads; a replaced ledger file is reopened, changed settings are reloaded."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime]) -> None:
        #: Current settings: another process may change those that the books depend on.
        self.settings = settings
        self._clock = clock
        self._known = KnownLedger(settings)
        self._chart_cache = ChartCache()
        self._local = threading.local()
        self._probed_at = -1e9

    @contextmanager
    def borrow(self) -> Iterator[PerformanceTracker]:
        """Borrow this thread's tracker; a StoreError discards it."""
        try:
            tracker = self._tracker()
            yield tracker
        except StoreError:
            self.discard()
            raise

    def refresh(self, tracker: PerformanceTracker) -> tuple[PartialReason, ...]:
        """Sync the logs, unless that was done a moment ago; return why the newest lines are missing."""
        now = time.monotonic()
        if now - self._local.synced_at < self.settings.sync_every_s:
            return (*self._local.sync_errors, *tracker.process_reasons(save=True))
        sync_errors = tuple(sync_within(tracker, _LOCK_TIMEOUT_S))
        # lines that could not be read are tried again at the next request
        self._local.sync_errors = sync_errors
        self._local.synced_at = -1e9 if sync_errors else time.monotonic()
        if not sync_errors:
            self._local.complete_at = time.monotonic()
        return (*sync_errors, *tracker.process_reasons(save=True))

    @property
    def sync_lag_s(self) -> float:
        """Seconds since this thread last read all log lines; 0 while it has."""
        if not self._local.sync_errors:
            return 0.0
        return float(time.monotonic() - self._local.complete_at)

    def probe_write(self, tracker: PerformanceTracker) -> None:
        """Write something into a ledger that can be written, at most once a second. Raises StoreError."""
        now = time.monotonic()
        if tracker.read_only or now - self._probed_at < _PROBE_EVERY_S:
            return
        tracker.ledger.connection.probe_write()
        self._probed_at = now

    def discard(self) -> None:
        """Close the thread's tracker."""
        tracker = getattr(self._local, "tracker", None)
        self._local.tracker = None
        if tracker is not None:
            with contextlib.suppress(StoreError):
                tracker.close()

    def _tracker(self) -> PerformanceTracker:
        tracker: PerformanceTracker | None = getattr(self._local, "tracker", None)
        if tracker is not None and (tracker.read_only or not tracker.ledger.connection.is_in_place()):
            self.discard()
            tracker = None
        if tracker is None:
            tracker = self._open()
        settings = tracker.refreshed_settings()
        if settings is not tracker.settings:
            self.settings = settings
            self.discard()
            tracker = self._open()
        return tracker

    def _open(self) -> PerformanceTracker:
        tracker = PerformanceTracker(self.settings, self._clock, known=self._known)
        self.settings = tracker.settings
        tracker.share(chart_cache, self._chart_cache)
        tracker.ledger.set_lock_timeout(_WRITE_LOCK_TIMEOUT_S)
        self._local.tracker = tracker
        self._local.sync_errors, self._local.synced_at = (), -1e9
        self._local.complete_at = time.monotonic()
        return tracker
