"""A tracker for each thread, opened when it is needed and again after a failure, so that nothing needs a restart."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from tearsheet.errors import StoreError
from tearsheet.performance.summary import PartialReason
from tearsheet.settings import Settings
from tearsheet.tracker import PerformanceTracker

#: How long a question waits for another writer before it answers without the newest log lines.
_LOCK_TIMEOUT_S = 0.2
#: How long a change waits for another writer before it is 503.
_WRITE_LOCK_TIMEOUT_S = 5.0


class TrackerPool:
    """Lends the thread's own tracker; its ledger is opened anew where the file was replaced."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime]) -> None:
        #: as they are now: a change of what the books depend on is taken over
        self.settings = settings
        self._clock = clock
        self._local = threading.local()

    @contextmanager
    def borrow(self) -> Iterator[PerformanceTracker]:
        """The tracker; after a failure of the store it is let go. Raises StoreError."""
        try:
            tracker = self._tracker()
            yield tracker
        except StoreError:
            self.discard()
            raise

    def refresh(self, tracker: PerformanceTracker) -> tuple[PartialReason, ...]:
        """Take in what is new in the logs, if the last look is long enough ago; what was not seen."""
        now = time.monotonic()
        if now - self._local.looked_at < self.settings.sync_every_s:
            return self._local.stale  # type: ignore[no-any-return]
        stale = tuple(tracker.refresh(_LOCK_TIMEOUT_S))
        # what could not be read is looked for again at the next request
        self._local.stale = stale
        self._local.looked_at = -1e9 if stale else time.monotonic()
        if not stale:
            self._local.complete_at = time.monotonic()
        return stale

    @property
    def sync_lag_s(self) -> float:
        """Seconds since this thread last knew all of the logs; 0 while it does."""
        if not self._local.stale:
            return 0.0
        return float(time.monotonic() - self._local.complete_at)

    def discard(self) -> None:
        """Let the thread's tracker go."""
        tracker = getattr(self._local, "tracker", None)
        self._local.tracker = None
        if tracker is not None:
            with contextlib.suppress(StoreError):
                tracker.close()

    def _tracker(self) -> PerformanceTracker:
        tracker: PerformanceTracker | None = getattr(self._local, "tracker", None)
        file = self._file_identity()
        if tracker is not None and (self._local.file != file or tracker.read_only):
            self.discard()
            tracker = None
        if tracker is None:
            tracker = self._open()
        renewed = tracker.rules.refreshed_settings()
        if renewed is not tracker.settings:
            self.settings = renewed
            self.discard()
            tracker = self._open()
        return tracker

    def _open(self) -> PerformanceTracker:
        tracker = PerformanceTracker(self.settings, self._clock)
        self.settings = tracker.settings
        tracker.ledger.set_lock_timeout(_WRITE_LOCK_TIMEOUT_S)
        self._local.tracker = tracker
        self._local.file = self._file_identity()
        self._local.stale, self._local.looked_at = (), -1e9
        self._local.complete_at = time.monotonic()
        return tracker

    def _file_identity(self) -> tuple[int, int] | None:
        path = self.settings.ledger_path
        if path is None:
            return None
        try:
            info = os.stat(path)  # noqa: PTH116 - at every request
        except OSError:
            return None
        return info.st_dev, info.st_ino
