"""What every view of an application uses: settings, clock, trackers, cache, access, meters."""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from zlib import crc32

from flask import Response, request

from tearsheet.app.alerts.webhook import open_queue, run_delivery_loop
from tearsheet.app.analysis.notes import notes_state_id
from tearsheet.export.files import json_line
from tearsheet.log import log_event
from tearsheet.performance.summary import PartialReason, Scope
from tearsheet.settings import Settings
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.session import Window
from tearsheet.web.http.auth import Access, Tokens
from tearsheet.web.http.environ_keys import ETAG
from tearsheet.web.http.metrics import Metrics
from tearsheet.web.http.responses import format_timestamp
from tearsheet.web.server.cache import AnswerCache, answer_cache
from tearsheet.web.server.tracker_pool import TrackerPool

_log = logging.getLogger("tearsheet")
#: Seconds between two signs of life while a request takes long.
_BEAT_S = 5.0


class AppContext:
    """One application's parts; made once a process."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime]) -> None:
        self.metrics = Metrics()
        self.trackers = TrackerPool(settings, clock)
        self.cache: AnswerCache = answer_cache(settings, self._on_cache_change)
        self.access = Access(Tokens(settings.tokens_file), anonymous_read=settings.anonymous_read)
        #: tells the server that this worker is well; `serving.py` puts gunicorn's own here
        self.beat: Callable[[], object] = lambda: None
        self._clock = clock
        self._webhook_queue = open_queue(settings, clock)
        self._webhook_pid = 0

    @property
    def settings(self) -> Settings:
        """The settings as they are now."""
        return self.trackers.settings

    @property
    def now(self) -> datetime:
        """The present instant."""
        return self._clock()

    @property
    def timestamp(self) -> str:
        """The present instant as answers bear it."""
        return format_timestamp(self.now)

    def start_webhook(self) -> None:
        """Begin to deliver alerts in this process, if a webhook is set; a worker is forked before."""
        if self._webhook_queue is None or self._webhook_pid == os.getpid():
            return
        self._webhook_pid = os.getpid()
        run_delivery_loop(
            self._webhook_queue,
            lambda error: log_event(_log, "tearsheet.webhook", level=logging.WARNING, reason=error.message),
        )

    @contextmanager
    def keep_worker_alive(self) -> Iterator[None]:
        """What may take longer than a server waits for a worker: tell it meanwhile that all is well."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(_BEAT_S):
                self.beat()

        threading.Thread(target=beat, name="beat", daemon=True).start()
        try:
            yield
        finally:
            over.set()
            self.beat()

    @contextmanager
    def query(self, *, noted: bool = False) -> Iterator["QueryContext"]:
        """A tracker that knows the newest log lines, and the state that its answers are of.

        The state of the notes is part of it only where an answer shows them: no number depends on it.
        """
        with self.trackers.borrow() as tracker:
            stale = self.trackers.refresh(tracker)
            notes = f"-{notes_state_id(tracker)}" if noted else ""
            rules = tracker.settings.digest
            stamp = f"{tracker.state_id}{notes}.{tracker.today:%Y%m%d}.{rules}"
            yield QueryContext(tracker, stamp, stale)

    def not_modified(self, asked: "QueryContext") -> Response | None:
        """304 where the client has the answer of this very state, else None."""
        environ = request.environ
        if asked.sync_errors:
            return None
        # an entity tag is of one address, so that no other one's can be mistaken for it
        address = f"{environ['PATH_INFO']}?{environ.get('QUERY_STRING', '')}"
        tag = f"{asked.state_id}.{crc32(address.encode('utf-8', 'replace')):08x}"
        environ[ETAG] = f'W/"{tag}"'
        if "HTTP_IF_NONE_MATCH" not in environ:
            return None
        known = request.if_none_match  # by name: `*` would stand for any state
        return Response(status=304) if known.is_weak(tag) or known.is_strong(tag) else None

    def cached_answer(
        self,
        asked: "QueryContext",
        period: str,
        window: Window,
        scope: Scope,
        currency: str | None,
        compute: Callable[[], bytes],
    ) -> bytes:
        """An answer of this state from the cache, or computed now."""
        if asked.sync_errors:
            self.metrics.count_cache_source("bypassed")
            return compute()
        whose = _scope_key(scope, currency)
        stretch = f"{window.start}" if window.last_trades is None else f"last-{window.last_trades}"
        key = f"performance:{whose}:{period}:{stretch}-{window.end}:{asked.state_id}"
        answer, found = self.cache.answer(key, compute)
        self.metrics.count_cache_source(found)
        return answer

    def _on_cache_change(self, failure: str | None) -> None:
        if failure is None:
            log_event(_log, "tearsheet.cache_up")
            return
        self.metrics.cache_failures.inc()
        log_event(_log, "tearsheet.cache_down", level=logging.WARNING, reason=failure)


class QueryContext:
    """A question: who answers it, of which state, and what that state may lack."""

    def __init__(self, tracker: PerformanceTracker, stamp: str, stale: tuple[PartialReason, ...]) -> None:
        self.tracker = tracker
        self.state_id = stamp
        self.sync_errors = stale


@lru_cache(1000)
def _scope_key(scope: Scope, currency: str | None) -> str:
    """Whose answers, as a cache key says it."""
    digest = blake2b(json_line([scope, currency]), digest_size=8).hexdigest()
    return f"all-{digest}" if scope == Scope() else digest
