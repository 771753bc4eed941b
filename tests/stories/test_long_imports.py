"""Files that take longer than a server waits for a worker: nobody is killed, and whoever asks is told how far it is."""

import http.client
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.impatient_app import PATIENCE_S
from tests.support.place import NOON, Place, fills_csv
from tests.support.web_server import TOP, Server, free_port

ROWS = 120_000
BOUNDARY = "a-line-that-is-in-no-file"

pytestmark = [pytest.mark.slow, pytest.mark.paced]


class Impatient(Server):
    """`tests.support.impatient_app` at a place."""

    def __init__(self, place: Place, workers: int) -> None:
        super().__init__(place)
        self.port = free_port()
        self._command = [sys.executable, "-m", "tests.support.impatient_app"]
        self._env |= {
            "TEARSHEET_PORT": str(self.port),
            "TEARSHEET_WORKERS": str(workers),
            "PYTHONPATH": str(TOP),
        }

    def send(self, path: str, body: bytes, media: str) -> tuple[int, str, str]:
        """Status, text and where the answer leads to."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        origin = f"http://127.0.0.1:{self.port}"
        connection.request("POST", path, body, {"Content-Type": media, "Origin": origin})
        answer = connection.getresponse()
        found = answer.status, answer.read().decode(), answer.headers.get("Location", "")
        connection.close()
        return found

    def file(self, path: str, content: str) -> tuple[int, str, str]:
        """Send a file as a form does."""
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="long.csv"\r\n\r\n'
        body = f"{head}{content}\r\n--{BOUNDARY}--\r\n".encode()
        return self.send(path, body, f"multipart/form-data; boundary={BOUNDARY}")

    def page(self, path: str) -> str:
        """A page."""
        status, content = self.get(path)
        assert status == 200
        return content.decode() if isinstance(content, bytes) else ""

    def until_read(self, address: str) -> Iterator[str]:
        """The page of an upload, again and again until it is read."""
        while True:
            found = self.page(address)
            yield found
            if 'hx-trigger="load' not in found:
                break
            time.sleep(0.05)

    @property
    def killed(self) -> bool:
        """Whether gunicorn lost patience with a worker."""
        return "WORKER TIMEOUT" in self.log_file.read_text()


def long_file() -> str:
    rows = (
        f"A,MSFT,{(NOON - timedelta(seconds=20 * (ROWS - n))).isoformat()},{'buy' if n % 2 else 'sell'},1,{100 + n % 7},0,E{n}"
        for n in range(ROWS)
    )
    return fills_csv(rows)


@pytest.fixture(scope="module")
def content() -> str:
    return long_file()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, {})


def test_a_long_file_shows_how_far_it_is_and_kills_no_worker(place: Place, content: str) -> None:
    with Impatient(place, workers=2) as server:
        _, _, address = server.file("/import", content)
        *reading, seen = server.until_read(address)
        assert "preview, not imported yet" in seen
        steps = {
            found[1]
            for one in reading
            if (found := re.search(r'<progress class="long" max="\d+" value="(\d+)"', one))
        }
        assert steps - {"0"}, (len(reading), steps)
        assert server.get("/api/accounts")[1]["data"] == []
        # whoever says yes goes away at once
        server.send(f"{address}/keep", b"", "application/x-www-form-urlencoded")
        *_, seen = server.until_read(address)
        assert 'class="told ok" role="status"' in seen
        assert server.get("/api/imports")[1]["data"][0]["new"] == ROWS
        status, text, _ = server.send(
            "/import/batches/1/undo", b"action=undo", "application/x-www-form-urlencoded"
        )
        assert status == 303, text
        with ThreadPoolExecutor(1) as client:
            with closing(sqlite3.connect(str(place.settings().ledger), isolation_level=None)) as writer:
                writer.execute("BEGIN IMMEDIATE")
                answer = client.submit(server.file, "/api/import", content)
                time.sleep(PATIENCE_S + 1)  # the request takes longer than that, however fast the machine
            assert answer.result()[0] == 201
        assert not server.killed


def test_workers_killed_while_they_book_leave_nothing_and_it_is_said(place: Place, content: str) -> None:
    with Impatient(place, workers=2) as server:
        _, _, address = server.file("/import", content)
        list(server.until_read(address))
        server.send(f"{address}/keep", b"", "application/x-www-form-urlencoded")
        assert 'hx-trigger="load' in server.page(address)
        for worker in _children(server.process.pid):
            os.kill(worker, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while "Interrupted." not in (seen := _reached(server, address)):
            assert time.monotonic() < deadline, seen
            time.sleep(0.05)
        assert server.get("/api/imports")[1]["data"] == []
        server.send(f"{address}/keep", b"", "application/x-www-form-urlencoded")
        *_, seen = server.until_read(address)
        assert 'class="told ok" role="status"' in seen
        assert server.get("/api/imports")[1]["data"][0]["new"] == ROWS


def _reached(server: Impatient, address: str) -> str:
    try:
        return server.page(address)
    except OSError:
        return "no worker answers yet"


def _children(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return [int(text) for text in found.stdout.split()]
