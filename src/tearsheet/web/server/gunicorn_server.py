"""`tearsheet serve`: the application under gunicorn, and a watcher process next to the workers."""

import ctypes
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from tearsheet.log import log_event
from tearsheet.settings import Settings
from tearsheet.web.http.auth import Tokens, check_bind_address
from tearsheet.web.http.environ_keys import MULTIPROC_DIR

#: A worker that hangs for so long is replaced; longer than any wait for the ledger.
_TIMEOUT_S = 60
_GRACE_S = 20
#: Seconds before a watcher that died is restarted: the first time, and at most.
_FIRST_RESTART_S, _MAX_RESTART_S = 1.0, 30.0
#: A watcher that ran for so long starts again with the first delay.
_STABLE_S = 60.0
#: Linux signals a worker when its master dies; gunicorn itself checks only every half minute.
_PR_SET_PDEATHSIG = 1
_log = logging.getLogger("tearsheet")


class WatcherProcess:
    """The watcher's command: restarted when it dies, stopped with the server.

    Its last argument is the server's process ID; it exits when that process is gone.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at, self._failures, self._not_before = 0.0, 0, 0.0

    def restart_if_dead(self) -> None:
        """Start the process unless it runs; called every second by the server's main loop."""
        now = time.monotonic()
        if self._process is not None and self._process.poll() is not None:
            self._process = None
            self._failures = 0 if now - self._started_at > _STABLE_S else self._failures + 1
            delay_s = min(_FIRST_RESTART_S * 2 ** max(self._failures - 1, 0), _MAX_RESTART_S)
            self._not_before = now + delay_s
            log_event(_log, "tearsheet.companion_died", level=logging.WARNING, restart_in_s=delay_s)
        if self._process is None and now >= self._not_before:
            self._process = subprocess.Popen([*self._command, str(os.getpid())])
            self._started_at = now
            log_event(_log, "tearsheet.companion", pid=self._process.pid)

    def stop(self) -> None:
        """Terminate the process and wait; kill it after a grace period."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


class _Arbiter(Arbiter):  # type: ignore[misc]
    """gunicorn's master process, which also supervises the watcher.

    It does so in its main loop, not in a thread: the master forks its workers, and a fork can inherit a held
    lock.
    """

    def __init__(self, app: BaseApplication, watcher: WatcherProcess) -> None:
        self._watcher = watcher
        super().__init__(app)

    def manage_workers(self) -> None:
        """Restart dead workers and a dead watcher; called at least every second."""
        super().manage_workers()
        self._watcher.restart_if_dead()

    def stop(self, graceful: bool = True) -> None:
        """Stop workers and watcher."""
        super().stop(graceful)
        self._watcher.stop()


class GunicornServer(BaseApplication):  # type: ignore[misc]
    """gunicorn server of an application."""

    def __init__(
        self, create_app: Callable[[], Flask], options: dict[str, Any], watcher: WatcherProcess | None
    ) -> None:
        self._create_app = create_app
        self._options = options
        self._watcher = watcher
        super().__init__()

    def run(self) -> None:
        """Serve until stopped."""
        if self._watcher is None:
            super().run()
        else:
            _Arbiter(self, self._watcher).run()

    def load_config(self) -> None:
        """Apply the options to gunicorn's defaults."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Create the application, in each worker."""
        return self._create_app()


def serve(
    settings: Settings,
    create_app: Callable[[], Flask],
    *,
    preload: Callable[[], None] = lambda: None,
    watch_command: Sequence[str] | None = None,
) -> None:
    """Serve until stopped; requests in progress are finished first.

    The master calls `preload` before it forks workers; `watch_command` runs the watcher, see `WatcherProcess`.
    Raises UsageError if the host is not loopback and neither tokens nor anonymous reading are set up.
    """
    tokens = Tokens(settings.tokens_file)
    tokens.all()  # known to every worker, should the file vanish
    check_bind_address(settings.host, tokens, anonymous_read=settings.anonymous_read)
    own_folder = None
    if MULTIPROC_DIR not in os.environ:
        own_folder = os.environ[MULTIPROC_DIR] = tempfile.mkdtemp(prefix="tearsheet-metrics-")
    try:
        preload()
        watcher = WatcherProcess(watch_command) if watch_command is not None else None
        GunicornServer(create_app, _options(settings), watcher).run()
    finally:
        if own_folder is not None:
            shutil.rmtree(own_folder, ignore_errors=True)


def _options(settings: Settings) -> dict[str, Any]:
    # imported here: the client reads PROMETHEUS_MULTIPROC_DIR at its import
    from tearsheet.web.server.gunicorn_worker import BufferedWorker

    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return {
        "bind": f"{host}:{settings.port}",
        "workers": settings.workers,
        "worker_class": BufferedWorker,
        "timeout": _TIMEOUT_S,
        "graceful_timeout": _GRACE_S,
        "proc_name": "tearsheet",
        "child_exit": _child_exit,
        "post_fork": _post_fork,
        "loglevel": "warning",
        "worker_tmp_dir": "/dev/shm" if os.path.isdir("/dev/shm") else None,  # noqa: PTH112
    }


def _child_exit(server: Any, worker: Any) -> None:
    # imported here: the client reads PROMETHEUS_MULTIPROC_DIR at its import
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def _post_fork(server: Any, worker: Any) -> None:
    """Signal the worker when its master was killed, on Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
