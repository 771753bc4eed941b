"""The other side of a guard: a real HTTP server that answers as it is told, well or badly."""

import json
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

CERTIFICATE = Path(__file__).parent / "localhost.pem"
Say = Callable[["Conversation"], None]


def verdict(state: str = "ok", *broken: str, ago: float = 0, **fields: Any) -> dict[str, Any]:
    """An answer of now, or of some seconds ago; `broken` are ids of breaches."""
    limits = [
        {"name": "daily_loss", "level": "breach", "breach": {"id": one, "value": -510.5, "threshold": 500}}
        for one in broken
    ]
    data = {
        "schema": "tearsheet.verdict/1",
        "account": "A",
        "state": state,
        "must_be_flat": state == "breach",
        "policy": "hold",
        "trading_day": "2026-11-20",
        "as_of": (datetime.now(UTC) - timedelta(seconds=ago)).isoformat(),
        "data_age_s": 0.5,
        "sequence": 7,
        "limits": limits,
        "reasons": [{"code": "breach"} for _ in broken],
        **fields,
    }
    return {"status": "success", "timestamp": data["as_of"], "data": data}


class Conversation(BaseHTTPRequestHandler):
    """A request, and ways to answer it."""

    server: "_Server"

    def do_GET(self) -> None:
        side = self.server.side
        if self.path == "/api/risk/verdict" and side.accounts is not None:
            side.asked_for_all += 1
            now = datetime.now(UTC).isoformat()
            judged = [{**data, "account": name, "as_of": now} for name, data in side.accounts.items()]
            self.answer({"status": "success", "timestamp": now, "data": {"accounts": judged}})
            return
        if not self.path.startswith("/api/risk/verdict?account="):
            self.send_error(404)
            return
        side.asked.append(dict(self.headers))
        with suppress(BrokenPipeError, ConnectionResetError):  # the guard did not wait
            side.say(self)

    def answer(self, content: Any, status: int = 200, cut: int = 0, more: int = 0, **headers: str) -> None:
        """Answer; `cut` bytes are left out though announced, `more` are announced on top."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) + more))
        self.end_headers()
        self.wfile.write(body[: len(body) - cut])

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    side: "OtherSide"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of those who went away, or did not trust the certificate."""


class OtherSide:
    """A server on a private port; `say` answers the next request, and may be changed."""

    def __init__(self, *, tls: bool = False) -> None:
        self.say: Say = lambda talk: talk.answer(verdict())
        self.asked: list[dict[str, str]] = []
        self.accounts: dict[str, dict[str, Any]] | None = None
        self.asked_for_all = 0
        self._server = _Server(("127.0.0.1", 0), Conversation)
        self._server.side = self
        self.port = self._server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://localhost:{self.port}"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def says(self, state: str = "ok", *broken: str, **fields: Any) -> None:
        """From now on answer with such a verdict of the moment."""
        self.say = lambda talk: talk.answer(verdict(state, *broken, **fields))

    def judges(self, account: str, state: str = "ok", *broken: str, **fields: Any) -> None:
        """From now on answer the question for all accounts, with such a verdict of this one among them."""
        self.accounts = {**(self.accounts or {}), account: verdict(state, *broken, **fields)["data"]}


def drip(talk: Conversation) -> None:
    """Answer, a byte at a time and for ever."""
    talk.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    for _ in range(200):
        talk.wfile.write(b"x")
        talk.wfile.flush()
        time.sleep(0.05)


def nothing(talk: Conversation) -> None:
    """Take the request and say nothing."""
    time.sleep(5)
