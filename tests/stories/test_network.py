"""From one container to another: two network namespaces, a cable between them, and the polling client."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.running import SERVE, environment
from tests.support.place import TOP

POLL = (sys.executable, str(TOP / "examples/polling-client/poll.py"))
SERVER, CLIENT = "10.231.77.1", "10.231.77.2"
URL = f"http://{SERVER}:5000"
DAILY = f"{URL}/api/performance/daily"
_STATUS = (
    "import sys, urllib.request, urllib.error\n"
    "try: print(urllib.request.urlopen(sys.argv[1], timeout=5).status)\n"
    "except urllib.error.HTTPError as error: print(error.code, error.read().decode())\n"
)
_POST = (
    "import sys, urllib.request as u\n"
    "headers = {'Authorization': 'Bearer ' + sys.argv[2].strip(), 'Content-Type': 'application/json'}\n"
    "print(u.urlopen(u.Request(sys.argv[1], sys.argv[3].encode(), headers), timeout=5).read().decode())\n"
)


@dataclass
class Namespaces:
    """Two namespaces joined by a veth pair; nothing else reaches either."""

    server: str
    client: str

    def command(self, name: str, *words: str) -> list[str]:
        """A command inside one of them."""
        return ["ip", "netns", "exec", name, *words]

    def ask(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a command where the client is."""
        return subprocess.run(
            self.command(self.client, *words), env=environment({}), capture_output=True, text=True, timeout=60
        )


@pytest.fixture
def namespaces() -> Iterator[Namespaces]:
    """A server's and a client's namespace; skipped where the machine does not allow them."""
    if shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("NOT TESTED: network namespaces need root and the command `ip`")
    pair = Namespaces(f"tearsheet-s{os.getpid()}", f"tearsheet-c{os.getpid()}")
    try:
        for name in (pair.server, pair.client):
            _ip("netns", "add", name)
        _ip("link", "add", "ts0", "netns", pair.server, "type", "veth", "peer", "ts0", "netns", pair.client)
        for name, address in ((pair.server, SERVER), (pair.client, CLIENT)):
            _ip("-n", name, "address", "add", f"{address}/30", "dev", "ts0")
            for link in ("lo", "ts0"):
                _ip("-n", name, "link", "set", link, "up")
        yield pair
    finally:
        for name in (pair.server, pair.client):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"NOT TESTED: no network namespaces here: ip {' '.join(words)}: {done.stderr.strip()}")


@contextmanager
def serving(namespaces: Namespaces, folder: Path, **env: str) -> Iterator["subprocess.Popen[str]"]:
    """A server that listens at every address of its namespace, as in the container."""
    process = subprocess.Popen(
        namespaces.command(namespaces.server, *SERVE),
        cwd=folder,
        text=True,
        env=environment({"TEARSHEET_HOST": "0.0.0.0"} | env),
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=30)


def add_token(folder: Path, *words: str) -> Path:
    """A token made as the documentation says, in a file."""
    command = [*SERVE[:-1], "tokens", "add", *words]
    made = subprocess.run(
        command, cwd=folder, env=environment({}), capture_output=True, text=True, check=True
    )
    path = folder / f"{words[0]}-token"
    path.write_text(made.stdout)
    return path


def test_a_client_in_another_namespace_reads_with_its_token(namespaces: Namespaces, tmp_path: Path) -> None:
    token, writing = add_token(tmp_path, "risk-desk"), add_token(tmp_path, "bot", "--write")
    with serving(namespaces, tmp_path):
        poll = (*POLL, f"--url={URL}", "--once", "--every=0.2")
        done = namespaces.ask(*poll, f"--token-file={token}", "--patience=100")
        assert done.returncode == 0, done.stdout + done.stderr
        assert " OK daily_pnl=0 trades=0 revision=0" in done.stdout.splitlines()[-1]
        fill = {
            "account": "A",
            "symbol": "MSFT",
            "time": "2026-11-20T12:00:00Z",
            "side": "BUY",
            "quantity": 1,
            "price": 100,
            "fill_id": "F1",
        }
        send = namespaces.ask(
            sys.executable, "-c", _POST, f"{URL}/api/fills", writing.read_text(), json.dumps([fill])
        )
        assert (send.returncode, json.loads(send.stdout)["data"]["new"]) == (0, 1)
        done = namespaces.ask(*poll, f"--token-file={token}")
        assert "revision=1" in done.stdout
        assert namespaces.ask(sys.executable, "-c", _STATUS, f"{URL}/healthz").stdout == "200\n"


def test_a_client_without_a_token_gets_401(namespaces: Namespaces, tmp_path: Path) -> None:
    token = add_token(tmp_path, "risk-desk")
    with serving(namespaces, tmp_path):
        poll = (*POLL, f"--url={URL}", "--once", "--every=0.2")
        assert namespaces.ask(*poll, f"--token-file={token}", "--patience=100").returncode == 0
        done = namespaces.ask(*poll, "--patience=2")
        assert (done.returncode, done.stdout.count("status 401: this operation requires a")) == (3, 2)
        assert namespaces.ask(sys.executable, "-c", _STATUS, DAILY).stdout.startswith("401 ")


def test_anonymous_reading_lets_nobody_write(namespaces: Namespaces, tmp_path: Path) -> None:
    with serving(namespaces, tmp_path, TEARSHEET_ANONYMOUS_READ="yes"):
        poll = (*POLL, f"--url={URL}", "--once", "--every=0.2", "--patience=100")
        assert namespaces.ask(*poll).returncode == 0
        post = _STATUS.replace("urlopen(sys.argv[1],", "urlopen(sys.argv[1], b'[]',")
        answer = namespaces.ask(sys.executable, "-c", post, f"{URL}/api/fills").stdout
        assert answer.startswith("401 "), answer


def test_listening_at_every_address_without_a_token_is_refused(
    namespaces: Namespaces, tmp_path: Path
) -> None:
    with serving(namespaces, tmp_path) as process:
        _, said = process.communicate(timeout=30)
    assert process.returncode == 64
    assert "listening at 0.0.0.0 lets every machine that reaches it ask" in said
    assert "tearsheet tokens add NAME" in said


def test_a_client_whose_server_is_gone_says_so(namespaces: Namespaces, tmp_path: Path) -> None:
    done = namespaces.ask(*POLL, f"--url={URL}", "--every=0.1", "--patience=2", "--timeout=1")
    assert done.returncode == 3
    assert "UNREACHABLE" in done.stdout
