"""The worker of `tearsheet serve`: whoever opens a connection and says nothing holds up nobody."""

import socket

from tests.support.place import Place
from tests.support.web_server import Server

KIND = "tearsheet.web.server.gunicorn_worker.StreamingWorker"


def connected(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=20)


def test_silent_and_slow_connections_hold_up_nobody_and_are_answered_in_the_end(place: Place) -> None:
    with Server(place, workers=1, kind=KIND) as server, connected(server) as silent:
        with connected(server) as slow:
            slow.sendall(b"GET /healthz HTTP/1.1\r\nHost: localh")
            assert server.get("/healthz")[0] == 200
            slow.sendall(b"ost\r\n\r\n")
            assert slow.recv(12) == b"HTTP/1.1 200"
        silent.sendall(b"GET /api/performance/daily HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert silent.recv(12) == b"HTTP/1.1 200"
        with connected(server):
            pass  # one that goes away without a word
        assert server.get("/healthz")[0] == 200
