"""A real server: gunicorn with several worker processes on a private loopback port."""

import http.client
import json
import signal
import subprocess
import sys
import time
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from tests.support.place import TOP, Place
from tests.support.processes import environment
from tests.support.redis_server import free_port


class Server:
    """Runs the application at a place in worker processes; each request is a connection of its own."""

    def __init__(
        self,
        place: Place,
        workers: int = 3,
        app: str = "tests.support.clocked_app:app()",
        kind: str = "sync",
        bind: str | None = None,
        **env: str,
    ) -> None:
        self.place = place
        self.port = free_port()
        self.log_file = place.folder / "server.log"
        self.clock_file = place.folder / "clock"
        self.set_clock(place.now)
        self._command = [
            sys.executable,
            "-m",
            "gunicorn",
            "-c",
            "python:tests.support.preloaded",
            "-w",
            str(workers),
            "-b",
            f"127.0.0.1:{self.port}",
            *(["-b", bind] if bind else []),
            "-k",
            kind,
            app,
        ]
        self._env = environment(
            {
                "PYTHONPATH": str(TOP),
                "CLOCK_FILE": str(self.clock_file),
                "TEARSHEET_LOG_FORMAT": "json",
                **env,
            }
        )

    def __enter__(self) -> Self:
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, cwd=self.place.folder, env=self._env, stdout=log, stderr=log
            )
        deadline = time.monotonic() + 60
        while True:
            try:
                if self.get("/healthz")[0] == 200:
                    return self
            except OSError:
                assert self.process.poll() is None, self.log_file.read_text()
                assert time.monotonic() < deadline, self.log_file.read_text()
                time.sleep(0.05)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def set_clock(self, now: datetime) -> None:
        """Put the clock of all workers somewhere, whole at once."""
        beside = self.clock_file.with_suffix(".new")
        beside.write_text(now.isoformat())
        beside.replace(self.clock_file)

    def ask(
        self, method: str, path: str, content: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, JSON and headers of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            body = None if content is None else json.dumps(content).encode()
            named = {"Content-Type": "application/json"} if body else {}
            connection.request(method, path, body, named | (headers or {}))
            response = connection.getresponse()
            data = response.read()
            is_json = response.headers.get_content_type() == "application/json"
            found = json.loads(data) if data and is_json else data
            return response.status, found, dict(response.headers)
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> tuple[int, Any]:
        """Status and JSON of an answer."""
        status, content, _ = self.ask("GET", path, None, {k.replace("_", "-"): v for k, v in headers.items()})
        return status, content

    def post(self, path: str, content: Any, **headers: str) -> tuple[int, Any]:
        """Status and JSON of an answer to what is sent."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        status, answer, _ = self.ask("POST", path, content, named)
        return status, answer

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The log lines of an event, of all workers."""
        lines = self.log_file.read_text().splitlines()
        return [line for line in map(_json, lines) if line.get("event") == event]


def _json(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
