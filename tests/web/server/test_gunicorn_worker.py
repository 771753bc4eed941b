"""The worker of `tearsheet serve` under clients that are silent, slow, greedy or gone: probes beside them are answered."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace

import pytest
from waitress.adjustments import Adjustments

from tearsheet.web.server.gunicorn_worker import _Channel
from tests.support.place import Place
from tests.support.web_server import Server

KIND = "tearsheet.web.worker.StreamingWorker"
FORM = ("Content-Type: application/x-www-form-urlencoded", "Content-Length: 1000")
JSON = ("Content-Type: application/json", "Content-Length: 1000")
PART = '--b\r\nContent-Disposition: form-data; name="file"; filename="x.csv"\r\n\r\n'
FILE = ("Content-Type: multipart/form-data; boundary=b", "Content-Length: 100000")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One worker: whoever holds it up holds up everybody."""
    with Server(Place(tmp_path_factory.mktemp("place"), {}), workers=1, kind=KIND) as server:
        yield server


def connected(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=20)


def request(line: str, *heads: str, body: str = "") -> bytes:
    return "\r\n".join([f"{line} HTTP/1.1", "Host: localhost", *heads, "", body]).encode()


@contextmanager
def held(server: Server, first: bytes, count: int) -> Iterator[list[socket.socket]]:
    """Connections on which so much was sent, and nothing more."""
    with ExitStack() as stack:
        clients = [stack.enter_context(connected(server)) for _ in range(count)]
        for client in clients:
            client.sendall(first)
        yield clients


SLOW = {
    "silent": b"",
    "half a head": b"GET /healthz HTTP/1.1\r\nHost: localh",
    "a long unfinished head": b"GET /healthz HTTP/1.1\r\n"
    + b"".join(b"X-%d: %s\r\n" % (n, b"a" * 4000) for n in range(5)),
    "login": request("POST /login", *FORM, body="token=x"),
    "fills": request("POST /api/fills", *JSON, body="["),
    "import": request("POST /api/import", *FILE, body=PART),
    "chunks": request("POST /login", FORM[0], "Transfer-Encoding: chunked", body="5\r\ntok"),
}


@pytest.mark.parametrize("first", SLOW.values(), ids=SLOW)
def test_clients_that_do_not_finish_hold_up_nobody(server: Server, first: bytes) -> None:
    with held(server, first, 60):
        for path in ("/healthz", "/api/risk/verdict", "/healthz"):
            began = time.monotonic()
            assert server.get(path)[0] == 200
            assert time.monotonic() - began < 10  # threads of this machine are busy, never held


def test_a_request_that_comes_in_pieces_is_answered(server: Server) -> None:
    with connected(server) as slow:
        for piece in (b"GET /healthz HTTP/1.1\r\nHost: localh", b"ost\r\n", b"\r\n"):
            slow.sendall(piece)
            assert server.get("/healthz")[0] == 200
        assert slow.recv(12) == b"HTTP/1.1 200"
    with connected(server):
        pass  # one that goes away without a word
    assert server.get("/healthz")[0] == 200


def test_clients_that_do_not_read_or_close_hold_up_nobody(server: Server) -> None:
    with held(server, request("GET /api/openapi.json"), 40), held(server, request("GET /healthz"), 40):
        assert server.get("/healthz")[0] == 200


def test_a_request_that_trickles_is_cut_off(server: Server) -> None:
    """A byte now and then keeps a connection active, so the whole request has a deadline, too."""
    with connected(server) as client:
        began = time.monotonic()
        client.sendall(request("POST /login", *FORM))
        while time.monotonic() - began < 40:
            try:
                client.sendall(b"x")
            except OSError:
                break
            time.sleep(0.2)
        assert 8 < time.monotonic() - began < 35


@pytest.mark.parametrize(
    ("first", "code"),
    [
        (request("GET /healthz", *(f"X-{n}: {'a' * 4000}" for n in range(20))), 431),
        (request("POST /api/fills", "Content-Type: application/json", "Content-Length: 900000000"), 413),
    ],
)
def test_too_much_is_refused_at_once_in_the_api_s_own_form(server: Server, first: bytes, code: int) -> None:
    with connected(server) as client:
        client.sendall(first)
        answer = b""
        while part := client.recv(65_536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.partition(b"\r\n")[0].split()[1] == b"%d" % code
    error = json.loads(body)["error"]
    assert error["code"] == code
    assert error["message"]
    assert error["hint"]


def test_a_body_on_its_way_is_answered_although_the_server_is_told_to_stop(place: Place) -> None:
    rows = "account,symbol,time,side,quantity,price,commission,fill_id\n" + "".join(
        f"A,AAPL,2026-11-20T10:00:{n % 60:02}Z,BUY,1,100,0,F{n}\n" for n in range(2_000)
    )
    body = f"{PART}{rows}\r\n--b--\r\n"
    whole = request("POST /api/import", FILE[0], f"Content-Length: {len(body)}", body=body)
    with Server(place, workers=1, kind=KIND) as server, connected(server) as client:
        client.sendall(whole[:5_000])
        assert server.get("/healthz")[0] == 200
        server.process.terminate()
        threading.Timer(0.5, client.sendall, [whole[5_000:]]).start()
        assert client.recv(12) in (b"HTTP/1.1 200", b"HTTP/1.1 201")


def test_a_peer_on_a_unix_socket_is_not_this_machine(place: Place) -> None:
    """A proxy reaches the service that way; its clients are strangers."""
    path = place.folder / "s"
    with Server(place, workers=1, kind=KIND, bind=f"unix:{path}"), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(request("GET /api/performance/daily", "Connection: close"))
        assert client.recv(12) == b"HTTP/1.1 401"


def test_a_connection_that_is_closed_twice() -> None:
    ours, theirs = socket.socketpair()
    channel = _Channel(SimpleNamespace(active_channels={}), ours, ("", None), Adjustments(), map={})
    with theirs:
        channel.handle_close()
        channel.handle_close()
        assert theirs.recv(1) == b""
