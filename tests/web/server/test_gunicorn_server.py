"""gunicorn as people run it: by its own command, told to stop in the middle, a worker killed."""

import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.running import SERVE, Running, ask, eventually
from tests.support.api import fill

DAILY = "/api/performance/daily"
GUNICORN = (
    sys.executable,
    "-m",
    "gunicorn",
    "tearsheet.web:create_app()",
    "--workers",
    "3",
    "--bind",
    "127.0.0.1:{port}",
)
SENT = {"Content-Type": "application/json"}


@pytest.fixture(params=[GUNICORN, SERVE], ids=["gunicorn", "tearsheet serve"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    """A server of three workers, started one way or the other."""
    counts = tmp_path / "counts"
    counts.mkdir()
    with Running(
        tmp_path,
        request.param,
        TEARSHEET_WORKERS="3",
        TEARSHEET_LOG_FORMAT="json",
        PROMETHEUS_MULTIPROC_DIR=str(counts),
    ) as running:
        yield running


def post(server: Running, number: int) -> None:
    side = "BUY" if number % 2 else "SELL"
    body = json.dumps(fill(number, side, 100 + number)).encode()
    status, answer = ask(server.port, "POST", "/api/fills", body=body, headers=SENT)
    assert status == 201, answer


def revision(server: Running) -> int:
    status, body = server.get(DAILY)
    assert status == 200, body
    return int(json.loads(body)["metadata"]["revision"])


def counted(server: Running, route: str) -> float:
    """How many requests of a route all workers have counted."""
    page = server.get("/metrics")[1].decode().splitlines()
    wanted = ("tearsheet_request_seconds_count{", f'route="{route}"')
    return sum(
        float(line.rpartition(" ")[2]) for line in page if line.startswith(wanted[0]) and wanted[1] in line
    )


def test_every_worker_answers_and_all_agree(server: Running) -> None:
    assert eventually(lambda: len(server.workers) == 3, 30)
    for number in range(1, 5):
        post(server, number)
        assert [revision(server) for _ in range(6)] == [number] * 6
    assert counted(server, DAILY) == 24
    assert counted(server, "/api/fills") == 4


def test_a_request_under_way_is_finished_before_the_server_ends(server: Running) -> None:
    body = json.dumps(fill(1)).encode()
    head = (
        f"POST /api/fills HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=20)) as client:
        client.sendall(head + body[:10])
        assert eventually(lambda: _is_being_read(client), 20)
        os.kill(server.pid, signal.SIGTERM)
        assert eventually(lambda: len(server.workers) == 1), "the idle ones go, the busy one stays"
        client.sendall(body[10:])
        answer = b"".join(iter(lambda: client.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 201 "), answer
    assert server.stop() == 0
    with Running(server.folder, TEARSHEET_WORKERS="1") as again:
        assert revision(again) == 1


def _is_being_read(client: socket.socket) -> bool:
    """Whether the kernel has handed on all that was sent: nothing waits to be taken in."""
    local, remote = client.getsockname()[1], client.getpeername()[1]
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    for row in rows:  # the server's end of this very connection
        if row[1].endswith(f":{remote:04X}") and row[2].endswith(f":{local:04X}"):
            return int(row[4].partition(":")[2], 16) == 0
    return False


def test_a_killed_worker_is_replaced_and_its_counts_stay(server: Running) -> None:
    post(server, 1)
    before = set(server.workers)
    assert [revision(server) for _ in range(9)] == [1] * 9
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: len(set(server.workers) - before) == 3, 30)
    assert eventually(lambda: _answers(server), 30)
    assert [revision(server) for _ in range(9)] == [1] * 9
    assert counted(server, DAILY) == 18
    assert counted(server, "/api/fills") == 1


def _answers(server: Running) -> bool:
    try:
        return server.get("/healthz")[0] == 200
    except OSError:
        return False
