"""Clients over raw sockets, each a process of its own, that time what they ask."""

import multiprocessing
import socket
import statistics
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

Client = Callable[[int], list[float]]


class Times:
    """Seconds that requests took, and how long all of them together."""

    def __init__(self, taken: list[float], elapsed: float) -> None:
        self._taken = sorted(taken)
        self.per_second = len(taken) / elapsed

    @property
    def p50(self) -> float:
        """Median milliseconds."""
        return statistics.median(self._taken) * 1000

    @property
    def p99(self) -> float:
        """Milliseconds that one of a hundred exceeds."""
        return self._taken[min(len(self._taken) - 1, int(len(self._taken) * 0.99))] * 1000


def at_once(clients: int, client: Client) -> Times:
    """Run so many clients side by side; `client(number)` gives the seconds of each of its requests."""
    if clients == 1:
        started = time.perf_counter()
        taken = client(0)
        return Times(taken, time.perf_counter() - started)
    context = multiprocessing.get_context("fork")
    ends = [context.Pipe(duplex=False) for _ in range(clients)]
    processes = [
        context.Process(target=_report, args=(client, number, ends[number][1])) for number in range(clients)
    ]
    started = time.perf_counter()
    for process in processes:
        process.start()
    taken = [seconds for receiving, _ in ends for seconds in receiving.recv()]
    elapsed = time.perf_counter() - started
    for process in processes:
        process.join()
    return Times(taken, elapsed)


def _report(client: Client, number: int, sending: Connection) -> None:
    sending.send(client(number))


class Wire:
    """Requests to one port; with keep-alive over one connection, else each over its own."""

    def __init__(self, port: int, *, keep_alive: bool = False) -> None:
        self._address = ("127.0.0.1", port)
        self._keep_alive = keep_alive
        self._open: socket.socket | None = None

    def timed(self, request: bytes) -> float:
        """Seconds from connecting to the last byte of an answer, which must be of status 200 or 201."""
        started = time.perf_counter()
        connection = self._open or socket.create_connection(self._address)
        connection.sendall(request)
        head, body, length = b"", b"", 0
        answer = b""
        while not body:
            answer += connection.recv(65_536)
            head, _, body = answer.partition(b"\r\n\r\n")
        length = _length(head)
        received = len(body)
        while received < length:
            received += len(connection.recv(65_536))
        if self._keep_alive:
            self._open = connection
        else:
            connection.close()
        taken = time.perf_counter() - started
        if head[9:12] not in (b"200", b"201"):
            raise SystemExit(answer.decode())
        return taken


def _length(head: bytes) -> int:
    _, _, rest = head.partition(b"Content-Length: ")
    return int(rest.partition(b"\r\n")[0])


def get(path: str) -> bytes:
    """A request."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def post(path: str, body: bytes) -> bytes:
    """A request with JSON."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
