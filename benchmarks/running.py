"""The server as a process of its own, for whoever asks it from outside: tests, benchmarks, the soak."""

import http.client
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Self

from tests.support.processes import environment
from tests.support.redis_server import free_port

__all__ = ["Running", "ask", "children", "environment", "eventually", "free_port"]

SERVE = (sys.executable, "-c", "from tearsheet.cli import run; run()", "serve")


class Running:
    """A server in a folder; `with` starts it, waits until it answers, and stops it.

    `{port}` in a word of the command stands for its port. What it writes goes to `server.log`.
    """

    def __init__(
        self, folder: Path, command: Sequence[str] = SERVE, *, health: str = "/healthz", **env: str
    ) -> None:
        self.folder = folder
        self.port = free_port()
        self.log = folder / "server.log"
        self._health = health
        words = [word.replace("{port}", str(self.port)) for word in command]
        if command == SERVE:
            words += ["--port", str(self.port)]
        self._command = words
        self._env = environment(env)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The master's process."""
        assert self._process is not None
        return self._process.pid

    @property
    def workers(self) -> list[int]:
        """The processes of the workers, as they are now."""
        return children(self.pid)

    def start(self) -> Self:
        """Start, and wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self.folder,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        if not eventually(self._is_settled, 30):
            self.stop()
            raise SystemExit(f"the server does not answer:\n{self.log.read_text()}")
        return self

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Stop it; its exit code."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(how)
        try:
            return self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        """Status and body."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return ask(self.port, "GET", path, headers=named)

    def _is_settled(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            return True  # it ended: the next question fails, and says so
        try:
            return self.get(self._health)[0] == 200
        except OSError:
            return False

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def ask(
    port: int,
    method: str,
    path: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 10,
) -> tuple[int, bytes]:
    """One request over a connection of its own: status and body."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)) as connection:
        connection.request(method, path, body=body, headers=dict(headers or {}))
        response = connection.getresponse()
        return response.status, response.read()


def eventually(holds: Callable[[], bool], seconds: float = 10) -> bool:
    """Whether something comes true in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def children(pid: int) -> list[int]:
    """The processes that a process has started and that still run."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in listed]
