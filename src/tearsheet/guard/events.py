"""Listen to server-sent events to poll earlier; the content of an event is ignored."""

import http.client
import threading
from collections.abc import Callable
from contextlib import suppress

from tearsheet.errors import SettingsError
from tearsheet.guard.client import ApiUrl, TokenFile

#: Read timeout in seconds; the server sends heartbeats more often than that.
_READ_TIMEOUT_S = 45.0
#: Seconds until the next connection attempt: after a stream ended, and if the server offers none.
_RETRY_S, _NOT_OFFERED_S = 2.0, 60.0
_MAX_LINE_BYTES = 1 << 16


class EventListener:
    """Background thread that calls `wake` at each event of an account, or of all, except heartbeats."""

    def __init__(
        self, address: ApiUrl, token: TokenFile, account: str | None, wake: Callable[[], None]
    ) -> None:
        self._address, self._token, self._wake = address, token, wake
        self._path = address.path("/api/events", account)
        self._ended = threading.Event()

    def start(self) -> None:
        """Start the thread; it ends with the process."""
        threading.Thread(target=self._run, name="events", daemon=True).start()

    def end(self) -> None:
        """Stop after the current read."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.is_set():
            wait = _RETRY_S
            with suppress(OSError, http.client.HTTPException, ValueError, SettingsError):
                wait = self._listen()
            self._ended.wait(wait)

    def _listen(self) -> float:
        connection = self._address.connect(_READ_TIMEOUT_S)
        try:
            headers = {"Accept": "text/event-stream", **self._token.headers()}
            connection.request("GET", self._path, headers=headers)
            response = connection.getresponse()
            content_type = response.headers.get_content_type()
            if response.status != 200 or content_type != "text/event-stream":
                return _NOT_OFFERED_S
            while line := response.readline(_MAX_LINE_BYTES):
                if self._ended.is_set():
                    break
                if line.startswith(b"event:") and not line.startswith(b"event: alive"):
                    self._wake()
            return _RETRY_S
        finally:
            connection.close()
