"""`tearsheet serve`: the application under gunicorn, and a process of its own beside the workers."""

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
from tearsheet.web.server.gunicorn_worker import BufferedWorker

#: A worker that does not answer for so long is replaced; longer than any wait for the ledger.
_TIMEOUT_S = 60
_GRACE_S = 20
#: Seconds before a companion that died is started again: the first time, and at most.
_FIRST_RESTART_S, _LAST_RESTART_S = 1.0, 30.0
#: One that ran for so long did not die of its start.
_RAN_WELL_S = 60.0
#: PR_SET_PDEATHSIG of Linux; gunicorn itself looks only every half minute.
_PR_SET_PDEATHSIG = 1
_log = logging.getLogger("tearsheet")


class WatcherProcess:
    """A command that runs beside the workers: started again when it dies, ended with the server.

    The command is given the server's process id as its last word, and ends when that one is gone.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._started, self._failures, self._not_before = 0.0, 0, 0.0

    def restart_if_dead(self) -> None:
        """Start it where it does not run; called again and again by the server's main loop."""
        now = time.monotonic()
        if self._process is not None and self._process.poll() is not None:
            self._process = None
            self._failures = 0 if now - self._started > _RAN_WELL_S else self._failures + 1
            wait = min(_FIRST_RESTART_S * 2 ** max(self._failures - 1, 0), _LAST_RESTART_S)
            self._not_before = now + wait
            log_event(_log, "tearsheet.companion_died", level=logging.WARNING, restart_in_s=wait)
        if self._process is None and now >= self._not_before:
            self._process = subprocess.Popen([*self._command, str(os.getpid())])
            self._started = now
            log_event(_log, "tearsheet.companion", pid=self._process.pid)

    def stop(self) -> None:
        """Let it end what is under way, and wait for that."""
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
    """gunicorn's master process, which looks after a companion where it looks after its workers."""

    def __init__(self, app: BaseApplication, companion: WatcherProcess) -> None:
        self._watcher = companion
        super().__init__(app)

    def manage_workers(self) -> None:
        """Keep workers and companion running; called at least every second."""
        super().manage_workers()
        self._watcher.restart_if_dead()

    def stop(self, graceful: bool = True) -> None:
        """End all."""
        super().stop(graceful)
        self._watcher.stop()


class GunicornServer(BaseApplication):  # type: ignore[misc]
    """gunicorn with this application and these options."""

    def __init__(
        self, make: Callable[[], Flask], options: dict[str, Any], companion: WatcherProcess | None
    ) -> None:
        self._make = make
        self._options = options
        self._watcher = companion
        super().__init__()

    def run(self) -> None:
        """Serve until told to stop."""
        if self._watcher is None:
            super().run()
        else:
            _Arbiter(self, self._watcher).run()

    def load_config(self) -> None:
        """Take the options over gunicorn's own defaults."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """The application, made in each worker."""
        return self._make()


def serve(settings: Settings, make: Callable[[], Flask], *, beside: Sequence[str] | None = None) -> None:
    """Serve until told to stop; running requests are finished first.

    `beside` is a command to run beside the workers, as `Companion` says.
    Raises UsageError where it would listen beyond loopback without telling anybody from anybody.
    """
    check_bind_address(settings.host, Tokens(settings.tokens_file), anonymous_read=settings.anonymous_read)
    kept = os.environ.get(MULTIPROC_DIR)
    folder = kept or tempfile.mkdtemp(prefix="tearsheet-metrics-")
    os.environ[MULTIPROC_DIR] = folder
    try:
        companion = WatcherProcess(beside) if beside is not None else None
        GunicornServer(make, _options(settings), companion).run()
    finally:
        if kept is None:
            shutil.rmtree(folder, ignore_errors=True)


def _options(settings: Settings) -> dict[str, Any]:
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
    # imported only here: the client looks for FOLDER when it is imported
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def _post_fork(server: Any, worker: Any) -> None:
    """Where the system can do it, a worker is told at once when its master was killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
