"""A client of event streams, on a socket of its own."""

import json
import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from tests.support.processes import until


class Stream:
    """Asks for `/api/events` and reads the events in a thread, as they come, until it is closed."""

    def __init__(self, port: int, query: str = "", last: str | None = None, **headers: str) -> None:
        self.events: list[tuple[str, Any, str]] = []
        self.ended = threading.Event()
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        named = {"Host": "127.0.0.1", **({"Last-Event-ID": last} if last else {}), **headers}
        lines = [f"GET /api/events{query} HTTP/1.0", *(f"{k}: {v}" for k, v in named.items())]
        self._socket.sendall("".join(f"{line}\r\n" for line in [*lines, ""]).encode())
        self._file = self._socket.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        self.headers = dict(self._head())
        self.error: dict[str, Any] = {}
        if self.status != 200:
            self.error = json.loads(self._file.read())["error"]
            self.close()

    def __enter__(self) -> Self:
        assert self.status == 200, self.error
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Go away, as a client does that is shut down."""
        if self._socket.fileno() < 0:
            return
        with suppress(OSError):  # the server may have ended it first
            self._socket.shutdown(socket.SHUT_RDWR)
        if self.status == 200:
            self._thread.join(5)
        self._file.close()
        self._socket.close()

    def waits_for(self, name: str, number: int = 1) -> Any:
        """The data of the n-th event of a name."""
        found = until(lambda: self.named(name)[number - 1 :], why=lambda: str(self.events))
        return found[0]

    def reaches(self, revision: int) -> None:
        """Wait for a revision; none that came before it is later."""

        def heard() -> list[int]:
            return [data["revision"] for data in self.named("revision")]

        until(lambda: revision in heard(), why=lambda: str(self.events))
        assert heard() == sorted(set(heard()))

    def named(self, name: str) -> list[Any]:
        """The data of every event of a name."""
        return [data for event, data, _ in list(self.events) if event == name]

    @property
    def last_id(self) -> str:
        """The id of the last event."""
        return self.events[-1][2]

    def _head(self) -> list[tuple[str, str]]:
        found = []
        while line := self._file.readline().decode().strip():
            name, _, value = line.partition(": ")
            found.append((name, value))
        return found

    def _read(self) -> None:
        fields: dict[str, str] = {}
        for raw in self._file:
            if line := raw.decode().rstrip("\n"):
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "data" in fields:
                if fields["event"] != "alive":  # which comes by the clock
                    self.events.append((fields["event"], json.loads(fields["data"]), fields["id"]))
                fields = {}
        self.ended.set()
