"""gunicorn worker with waitress's connections: application threads receive complete requests only.

One loop does the I/O of all connections, so a client that is silent, slow to send or slow to read blocks no
thread. gunicorn manages the processes; waitress replaces its sockets. Figures: docs/decisions.md.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from gunicorn.workers.base import Worker
from waitress import create_server, wasyncore
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer
from waitress.task import ErrorTask, ThreadedTaskDispatcher

from tearsheet.web.server.worker_process import WorkerProcess

#: Threads that compute answers; each event stream has one more (`max_streams`).
_THREADS = 8
_MAX_HEAD = 32 << 10
#: What a form adds to the file in it.
_FORM_BYTES = 1 << 20
_MAX_CONNECTIONS = 1_000
#: Idle timeout of a connection, in seconds.
_IDLE_S = 20
#: A request must be complete within this time, plus one second per `_BYTES_PER_S` bytes of its body.
_REQUEST_S, _BYTES_PER_S = 10.0, 20_000
#: An answer that its client does not read is buffered up to this size; then its thread waits.
_MAX_UNREAD = 64 << 20
#: Reads of 64 KiB.
_MOST_DISCARDED = 32
_MESSAGES = {
    413: ("the request is too large", "send less at once"),
    431: ("the head of the request is too large", f"send at most {_MAX_HEAD} bytes of headers"),
}


class BufferedWorker(Worker):  # type: ignore[misc]
    """Worker that computes answers on threads and does all I/O in one loop."""

    def run(self) -> None:
        """Serve until stopped; requests that have begun to arrive are answered first."""
        app_context = self.wsgi.extensions["tearsheet"]
        calls = _Calls(self.wsgi, lambda: self._is_wanted)
        app_context.worker = calls
        channels: dict[int, Any] = {}
        dispatcher = ThreadedTaskDispatcher()
        dispatcher.set_thread_count(_THREADS + app_context.settings.max_streams)
        listeners = [self._listen(one, calls, channels, dispatcher) for one in self.sockets]
        while self._is_wanted:
            self.notify()
            wasyncore.loop(timeout=1, use_poll=True, map=channels, count=1)
            _close_overdue(channels)
            if calls.hung_s > self.cfg.timeout:
                self.log.critical("A request has run for %.0f s; this worker ends", calls.hung_s)
                os._exit(1)
        for one in listeners:
            one.accepting = False
            channels.pop(one.socket.fileno(), None)
        self._finish(channels, dispatcher)

    def _listen(
        self, listener: Any, calls: "_Calls", channels: dict[int, Any], dispatcher: ThreadedTaskDispatcher
    ) -> BaseWSGIServer:
        """Accept connections of a socket; waitress cannot combine Internet and Unix sockets in one server."""
        listener.setblocking(False)
        server = create_server(
            calls,
            map=channels,
            _dispatcher=dispatcher,
            sockets=[listener.sock],
            clear_untrusted_proxy_headers=False,  # a request that came through a proxy must not pass as local
            channel_timeout=_IDLE_S,
            channel_request_lookahead=1,  # without it a stream cannot notice that its client left
            cleanup_interval=5,
            connection_limit=_MAX_CONNECTIONS,
            max_request_header_size=_MAX_HEAD,
            max_request_body_size=self.wsgi.extensions["tearsheet"].settings.max_body_bytes + _FORM_BYTES,
            outbuf_high_watermark=_MAX_UNREAD,
            ident=None,
        )
        server.channel_class = _Channel
        server.fix_addr = _peer_address
        return server

    @property
    def _is_wanted(self) -> bool:
        return bool(self.alive) and os.getppid() == self.ppid

    def _finish(self, channels: dict[int, Any], dispatcher: ThreadedTaskDispatcher) -> None:
        """Finish requests in progress within gunicorn's grace period."""
        until = time.monotonic() + self.cfg.graceful_timeout
        while time.monotonic() < until and (
            dispatcher.active_count
            or dispatcher.queue
            or any(one.request or one.total_outbufs_len for one in _connections(channels))
        ):
            wasyncore.loop(timeout=0.1, use_poll=True, map=channels, count=1)
        dispatcher.shutdown(timeout=1)


class _Calls(WorkerProcess):
    """The application, with the start time of each running call."""

    def __init__(self, application: Callable[..., Iterable[bytes]], is_wanted: Callable[[], bool]) -> None:
        self._application = application
        self._is_wanted = is_wanted
        self._started: dict[int, float] = {}
        self._beat = time.monotonic()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        thread = threading.get_ident()
        self._started[thread] = time.monotonic()
        try:
            return self._application(environ, start_response)
        finally:
            self._started.pop(thread, None)

    def beat(self) -> None:
        """Record that a long call still makes progress."""
        self._beat = time.monotonic()

    @property
    def is_ending(self) -> bool:
        """Return whether the worker got a signal to stop, or its server is gone."""
        return not self._is_wanted()

    @property
    def hung_s(self) -> float:
        """Return the seconds for which a call has run without a beat."""
        started = min(list(self._started.values()), default=time.monotonic())
        return time.monotonic() - max(started, self._beat)


class _JsonError(ErrorTask):  # type: ignore[misc]
    """JSON error body, as in the API, for an error that the server itself detects."""

    def execute(self) -> None:
        """Write the error and close the connection."""
        error = self.request.error
        message, hint = _MESSAGES.get(error.code, (str(error.body), "see /docs"))
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        details = {"code": error.code, "message": message, "hint": hint, "timestamp": now}
        body = json.dumps({"status": "error", "error": details}).encode() + b"\n"
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", "application/json"))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Channel(HTTPChannel):  # type: ignore[misc]
    """Connection that records when its request began to arrive."""

    error_task_class = _JsonError
    began = 0.0

    def received(self, data: bytes) -> bool:
        """Parse received data; the timeout of a request starts with its first byte."""
        if self.request is None:
            self.began = time.monotonic()
        is_taken: bool = super().received(data)
        return is_taken

    def handle_close(self) -> None:
        """Close the connection after discarding what has arrived.

        Otherwise the kernel resets the connection, and the answer is lost.
        """
        if self.socket is None:  # one poll can report both data and a hang-up, and each closes
            return
        with suppress(OSError):
            for _ in range(_MOST_DISCARDED):
                if not self.socket.recv(1 << 16):
                    break
        super().handle_close()

    def is_overdue(self, now: float) -> bool:
        """Return whether a request has been arriving for longer than its size allows."""
        if self.request is None:
            return False
        return bool(now - self.began > _REQUEST_S + self.request.body_bytes_received / _BYTES_PER_S)


def _connections(channels: dict[int, Any]) -> list[_Channel]:
    return [one for one in list(channels.values()) if isinstance(one, _Channel)]


def _close_overdue(channels: dict[int, Any]) -> None:
    """Close trickling connections; waitress itself measures only the time since the last byte."""
    now = time.monotonic()
    for one in _connections(channels):
        if one.is_overdue(now):
            one.handle_close()


def _peer_address(addr: Any) -> Any:
    """Return the peer address of the socket. A Unix socket has no address and must not count as loopback."""
    return addr if isinstance(addr, tuple) else ("", None)
