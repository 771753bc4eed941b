"""gunicorn's sync worker, with a thread for each event stream and each request that is slow to come.

A worker that answers one request after another is the quickest, and one that waits would block it. So
streams, and connections that say nothing yet, as browsers open them in advance, are answered beside it:
the worker itself is as quick as before.
"""

import re
import socket
import threading
import time
from typing import Any

from gunicorn.workers.sync import SyncWorker

_STREAM = re.compile(rb"GET /api/events[? ]")
#: The head of a request is looked at so far.
_MAX_HEAD = 1 << 14
#: Seconds for which the worker waits for a request to come, and for which a thread of its own does.
_SOON_S, _PATIENCE_S = 0.01, 20.0
_AGAIN_S = 0.05


class StreamingWorker(SyncWorker):  # type: ignore[misc]
    """Answers event streams and slow requests on threads of their own, and all others one by one."""

    def handle(self, listener: socket.socket, client: socket.socket, addr: Any) -> None:
        """Answer one connection, which bears one request."""
        head = b"" if self.cfg.is_ssl else _peek_request(client, _SOON_S)
        if _is_whole(head) and not _STREAM.match(head or b""):
            super().handle(listener, client, addr)
            return
        threading.Thread(
            target=self._handle_in_thread, args=(listener, client, addr), name="beside", daemon=True
        ).start()

    def _handle_in_thread(self, listener: socket.socket, client: socket.socket, addr: Any) -> None:
        """Answer a connection on this thread, unless its request does not come."""
        try:
            if _is_readable(client):
                super().handle(listener, client, addr)
            else:
                client.close()
        finally:
            self.wsgi.extensions["tearsheet"].trackers.discard()


def _peek_request(client: socket.socket, seconds: float) -> bytes | None:
    """What was sent first, of which nothing is taken out; None where nothing comes, empty at its end."""
    client.settimeout(seconds)
    try:
        return client.recv(_MAX_HEAD, socket.MSG_PEEK)
    except TimeoutError:
        return None
    except OSError:  # whoever reads it meets it again
        return b""
    finally:
        client.setblocking(True)


def _is_whole(head: bytes | None) -> bool:
    """Whether the head of a request is there, or will never be."""
    return head is not None and (not head or b"\r\n\r\n" in head or len(head) >= _MAX_HEAD)


def _is_readable(client: socket.socket) -> bool:
    """Whether the head of a request comes in time."""
    until = time.monotonic() + _PATIENCE_S
    while (left := until - time.monotonic()) > 0:
        head = _peek_request(client, left)
        if _is_whole(head):
            return True
        time.sleep(_AGAIN_S)
    return False
