"""`tearsheet serve`: the application under gunicorn."""

import os
import shutil
import tempfile
from collections.abc import Callable
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from tearsheet.settings import Settings
from tearsheet.web.access import Tokens, may_serve
from tearsheet.web.names import FOLDER

#: A worker that does not answer for so long is replaced; longer than any wait for the ledger.
_TIMEOUT_S = 60
_GRACE_S = 20


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with this application and these options."""

    def __init__(self, make: Callable[[], Flask], options: dict[str, Any]) -> None:
        self._make = make
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        """Take the options over gunicorn's own defaults."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """The application, made in each worker."""
        return self._make()


def serve(settings: Settings, make: Callable[[], Flask], *, threads: int = 1) -> None:
    """Serve until told to stop; running requests are finished first.

    Raises UsageError where it would listen beyond loopback without telling anybody from anybody.
    """
    may_serve(settings.host, Tokens(settings.tokens_file), anonymous_read=settings.anonymous_read)
    kept = os.environ.get(FOLDER)
    folder = kept or tempfile.mkdtemp(prefix="tearsheet-metrics-")
    os.environ[FOLDER] = folder
    try:
        Server(make, _options(settings, threads)).run()
    finally:
        if kept is None:
            shutil.rmtree(folder, ignore_errors=True)


def _options(settings: Settings, threads: int) -> dict[str, Any]:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return {
        "bind": f"{host}:{settings.port}",
        "workers": settings.workers,
        "threads": threads,
        "worker_class": "sync" if threads == 1 else "gthread",
        "timeout": _TIMEOUT_S,
        "graceful_timeout": _GRACE_S,
        "keepalive": 30,
        "proc_name": "tearsheet",
        "child_exit": _child_exit,
        "loglevel": "warning",
        "worker_tmp_dir": "/dev/shm" if os.path.isdir("/dev/shm") else None,  # noqa: PTH112
    }


def _child_exit(server: Any, worker: Any) -> None:
    # imported only here: the client looks for FOLDER when it is imported
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
