"""Listens to the service's events, to ask sooner. What they say is not believed, only that there is one."""

import http.client
import threading
from collections.abc import Callable
from contextlib import suppress

from tearsheet.errors import SettingsError
from tearsheet.guard.asking import ApiUrl, TokenFile

#: Seconds without a line, heartbeats included, after which a stream is taken for dead.
_SILENT_S = 45.0
#: Seconds before a stream is asked for again: after it ended, and where none is offered.
_RETRY_S, _NOT_OFFERED_S = 2.0, 60.0
_MAX_LINE_BYTES = 1 << 16


class EventListener:
    """A thread that calls `wake` at each event; without events to be had it only waits."""

    def __init__(self, address: ApiUrl, token: TokenFile, account: str, wake: Callable[[], None]) -> None:
        self._address, self._token, self._wake = address, token, wake
        self._path = address.path("/api/events", account)
        self._ended = threading.Event()

    def start(self) -> None:
        """Listen until the process ends."""
        threading.Thread(target=self._run, name="events", daemon=True).start()

    def end(self) -> None:
        """Listen no more."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.is_set():
            wait = _RETRY_S
            with suppress(OSError, http.client.HTTPException, ValueError, SettingsError):
                wait = self._listen()
            self._ended.wait(wait)

    def _listen(self) -> float:
        connection = self._address.connect(_SILENT_S)
        try:
            headers = {"Accept": "text/event-stream", **self._token.headers()}
            connection.request("GET", self._path, headers=headers)
            response = connection.getresponse()
            kind = response.headers.get_content_type()
            if response.status != 200 or kind != "text/event-stream":
                return _NOT_OFFERED_S
            while line := response.readline(_MAX_LINE_BYTES):
                if self._ended.is_set():
                    break
                if line.startswith(b"event:") and not line.startswith(b"event: alive"):
                    self._wake()
            return _RETRY_S
        finally:
            connection.close()
