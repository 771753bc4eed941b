"""Context of an application, shared by all its views: settings, clock, trackers, cache, access, metrics."""

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
from msgspec import Struct
from werkzeug.http import parse_etags

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
from tearsheet.web.http.plain_answers import Environ
from tearsheet.web.http.responses import format_timestamp
from tearsheet.web.server.answer_cache import create_answer_cache
from tearsheet.web.server.tracker_pool import TrackerPool
from tearsheet.web.server.worker_process import WorkerProcess

_log = logging.getLogger("tearsheet")
#: Seconds between two signs of life during a long request.
_BEAT_S = 5.0


class AppContext:
    """Shared parts of an application, created once per process."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime]) -> None:
        self.metrics = Metrics()
        self.tracker_pool = TrackerPool(settings, clock)
        self.cache = create_answer_cache(settings, self._on_cache_change)
        self.access = Access(Tokens(settings.tokens_file), anonymous_read=settings.anonymous_read)
        self.worker = WorkerProcess()
        self._clock = clock
        self._webhook_queue = open_queue(settings, clock)
        self._webhook_pid = 0

    @property
    def settings(self) -> Settings:
        """Current settings."""
        return self.tracker_pool.settings

    @property
    def now(self) -> datetime:
        """Current time (UTC)."""
        return self._clock()

    @property
    def timestamp(self) -> str:
        """Current time as in answers."""
        return format_timestamp(self.now)

    def start_webhook(self) -> None:
        """Start the webhook's delivery thread, once per process: threads do not survive the fork of a worker."""
        if self._webhook_queue is None or self._webhook_pid == os.getpid():
            return
        self._webhook_pid = os.getpid()
        run_delivery_loop(
            self._webhook_queue,
            lambda error: log_event(_log, "tearsheet.webhook", level=logging.WARNING, reason=error.message),
        )

    @contextmanager
    def keep_worker_alive(self) -> Iterator[None]:
        """Report progress while a request takes longer than the server's worker timeout."""
        done = threading.Event()

        def beat() -> None:
            while not done.wait(_BEAT_S):
                self.worker.beat()

        threading.Thread(target=beat, name="beat", daemon=True).start()
        try:
            yield
        finally:
            done.set()
            self.worker.beat()

    @contextmanager
    def query(self, *, with_notes: bool = False) -> Iterator["QueryContext"]:
        """Borrow a synced tracker, with the state ID of its answers.

        The state ID includes the notes only if the answer shows them, as no number depends on them.
        """
        with self.tracker_pool.borrow() as tracker:
            sync_errors = self.tracker_pool.refresh(tracker)
            notes = f"-{notes_state_id(tracker)}" if with_notes else ""
            rules = tracker.settings.digest
            state_id = f"{tracker.state_id}{notes}.{tracker.today:%Y%m%d}.{rules}"
            yield QueryContext(tracker, state_id, sync_errors)

    def not_modified(self, query: "QueryContext") -> Response | None:
        """Return 304 if the client has the answer of this state, otherwise None."""
        return Response(status=304) if self.is_not_modified(query, request.environ) else None

    def is_not_modified(self, query: "QueryContext", environ: Environ) -> bool:
        """Return whether the client has the answer of this state, and note its tag for the answer."""
        if query.sync_errors:
            return False
        # with the address, so that the tag of another resource never matches
        address = f"{environ['PATH_INFO']}?{environ.get('QUERY_STRING', '')}"
        tag = f"{query.state_id}.{crc32(address.encode('utf-8', 'replace')):08x}"
        environ[ETAG] = f'W/"{tag}"'
        if "HTTP_IF_NONE_MATCH" not in environ:
            return False
        tags = parse_etags(environ["HTTP_IF_NONE_MATCH"])  # checked by name: `*` would match any state
        return tags.is_weak(tag) or tags.is_strong(tag)

    def cached_answer(
        self,
        query: "QueryContext",
        period: str,
        window: Window,
        scope: Scope,
        currency: str | None,
        compute: Callable[[], bytes],
    ) -> bytes:
        """Return an answer of this state from the cache, computed if missing; a stale state is not cached."""
        if query.sync_errors:
            self.metrics.count_cache_source("bypassed")
            return compute()
        scope_key = _scope_key(scope, currency)
        start = f"{window.start}" if window.last_trades is None else f"last-{window.last_trades}"
        key = f"performance:{scope_key}:{period}:{start}-{window.end}:{query.state_id}"
        answer, source = self.cache.answer(key, compute)
        self.metrics.count_cache_source(source)
        return answer

    def _on_cache_change(self, failure: str | None) -> None:
        if failure is None:
            log_event(_log, "tearsheet.cache_up")
            return
        self.metrics.cache_failures.inc()
        log_event(_log, "tearsheet.cache_down", level=logging.WARNING, reason=failure)


class QueryContext(Struct, frozen=True):
    """A tracker, the state ID of its answers, and why that state is not complete."""

    tracker: PerformanceTracker
    state_id: str
    sync_errors: tuple[PartialReason, ...]


@lru_cache(1000)
def _scope_key(scope: Scope, currency: str | None) -> str:
    """Return the part of a cache key that names scope and currency."""
    digest = blake2b(json_line([scope, currency]), digest_size=8).hexdigest()
    return f"all-{digest}" if scope == Scope() else digest
