"""Progress of long work: a bar on a terminal, a log line now and then otherwise."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tearsheet.app.reports import OnProgress
from tearsheet.log import log_event

#: Smaller reads are done before a bar could be drawn.
_WORTH_BYTES = 4_000_000
_LOG_SECONDS = 10.0
_log = logging.getLogger("tearsheet")


@contextmanager
def progress(title: str) -> Iterator[OnProgress]:
    """A callback that shows how far a read has come."""
    if not sys.stderr.isatty():
        yield _LogProgress(title)
        return
    bar = _ProgressBar(title)
    try:
        yield bar
    finally:
        bar.stop()


class _LogProgress:
    """A log line every ten seconds."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._next = time.monotonic() + _LOG_SECONDS

    def __call__(self, done: int, total: int, name: str) -> None:
        if time.monotonic() >= self._next:
            self._next += _LOG_SECONDS
            log_event(_log, "tearsheet.progress", task=self._title, file=name, done=done, total=total)


class _ProgressBar:
    """A rich bar, imported and drawn only when there is something to wait for."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._bar: Any = None

    def __call__(self, done: int, total: int, name: str) -> None:
        if self._bar is None:
            if total < _WORTH_BYTES:
                return
            self._bar = self._start()
            self._task = self._bar.add_task(self._title, total=total, name=name)
        self._bar.update(self._task, completed=done, total=total, name=name)

    def _start(self) -> Any:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[name]}", style="dim"),
            console=Console(stderr=True),
            transient=True,
        )
        bar.start()
        return bar

    def stop(self) -> None:
        if self._bar is not None:
            self._bar.refresh()
            self._bar.stop()
