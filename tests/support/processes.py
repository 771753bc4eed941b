"""Real processes for stories: commands of ours that run beside the test, and what they say."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.place import TOP, Place

_RUN = "from tearsheet.cli import run; run()"


def until(what: Callable[[], Any], seconds: float = 60.0, why: Callable[[], str] = str) -> Any:
    """Wait for something to become true, and give it."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, why()
        time.sleep(0.02)
    return found


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a child: that of the tests without settings of Tearsheet, and `more`."""
    ours = ("TEARSHEET_", "PERFORMANCE_", "DATABASE_URL", "REDIS_URL", "PROMETHEUS_", "GUNICORN_")
    others = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return others | dict(more)


class Running:
    """A `tearsheet` command at a place; killed at the end if it has not ended."""

    def __init__(self, place: Place, *words: str, **env: str) -> None:
        self._words = words
        self._place = place
        self.file = place.folder / f"{words[0]}-{time.monotonic_ns()}.out"
        self._env = environment({"PYTHONPATH": str(TOP)} | place.env | env)

    def __enter__(self) -> Self:
        with self.file.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _RUN, *self._words],
                cwd=self._place.folder,
                env=self._env,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    @property
    def said(self) -> str:
        """All that it wrote."""
        return self.file.read_text("utf-8", "replace")

    def lines(self, event: str = "", **fields: Any) -> list[dict[str, Any]]:
        """Its JSON lines of an event with these fields."""
        found = [
            json.loads(line) for line in self.said.splitlines() if line.startswith("{") and line.endswith("}")
        ]
        return [
            line
            for line in found
            if (not event or line.get("event") == event) and fields.items() <= line.items()
        ]

    def waits_for(self, event: str, seconds: float = 60.0, **fields: Any) -> dict[str, Any]:
        """The first JSON line of an event with these fields, as soon as it is there."""
        found = until(lambda: self.lines(event, **fields), seconds, lambda: self.said)
        return dict(found[0])

    def end(self, how: signal.Signals = signal.SIGTERM, seconds: float = 60.0) -> int:
        """Send a signal and give the exit code."""
        self.process.send_signal(how)
        return self.process.wait(seconds)


@contextmanager
def frozen(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """A process that does not run on meanwhile."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def is_alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
