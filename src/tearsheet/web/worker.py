"""gunicorn's sync worker, with a thread for each event stream.

A worker that answers one request after another is the quickest, and one stream would block it. So
streams, and nothing else, are answered beside it: the worker itself is as quick as before.
"""

import re
import socket
import threading
from contextlib import suppress
from typing import Any

from gunicorn.workers.sync import SyncWorker

_STREAM = re.compile(rb"GET /api/events[? ]")
_LONGEST = 16


class StreamingWorker(SyncWorker):  # type: ignore[misc]
    """Answers each event stream on a thread of its own, and all other requests one by one."""

    def handle(self, listener: socket.socket, client: socket.socket, addr: Any) -> None:
        """Answer one connection, which bears one request."""
        if not _asks_for_stream(client):
            super().handle(listener, client, addr)
            return
        threading.Thread(
            target=super().handle, args=(listener, client, addr), name="stream", daemon=True
        ).start()


def _asks_for_stream(client: socket.socket) -> bool:
    """Whether what was sent first is a request for events; nothing is taken out."""
    with suppress(OSError):
        return _STREAM.match(client.recv(_LONGEST, socket.MSG_PEEK)) is not None
    return False
