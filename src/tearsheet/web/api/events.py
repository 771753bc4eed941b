"""`GET /api/events`: Server-Sent Events of revisions, verdicts and alerts, resumed by Last-Event-ID.

An event's ID is the position of its reader: the ledger's state, the offset in the alerts file, and a
digest of the verdicts that were sent. Any worker can resume from it, with or without Redis.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator
from hashlib import blake2b

from flask import Response, request, stream_with_context
from msgspec import Struct

from tearsheet.app.alerts.alert_reader import read_since
from tearsheet.export.files import json_line
from tearsheet.web.http import parameters
from tearsheet.web.http.errors import HttpError
from tearsheet.web.http.operation import Api, Operation
from tearsheet.web.server.change_feed import ChangeFeed, LedgerSnapshot
from tearsheet.web.server.context import AppContext

MEDIA = "text/event-stream"
#: Seconds between heartbeats.
HEARTBEAT_S = 5.0
#: Seconds without a poll of the ledger after which a stream sends no heartbeat.
_STALE_S = 4.0
#: Seconds between checks whether the client has disconnected.
_CLIENT_CHECK_S = 1.0
_ID = re.compile(r"^(\d{1,18}-[0-9a-f]{1,32})~(\d{1,15})~([0-9a-f]{0,16})\Z")
_DESCRIPTION = (
    "Server-Sent Events: `revision` when facts changed, `verdict` when an account's verdict did, "
    "`alert` for every line of the alerts file, `trouble` while the ledger is unavailable or "
    "take in the newest log lines, and `alive` "
    "every 5 seconds while it is looked at. Each worker keeps some streams only: poll with "
    "`If-None-Match` where you can, and where this answers 503."
)


def add_events(api: Api, app_context: AppContext) -> None:
    """Add the event stream."""
    change_feed = ChangeFeed(app_context)
    api.add(
        Operation(
            method="GET",
            path="/api/events",
            tag="Events",
            title="What happens, as it happens",
            description=_DESCRIPTION,
            parameters=(parameters.ACCOUNT, parameters.MAX_EVENTS, parameters.TIMEOUT),
            media=MEDIA,
            response_type=str,
            statuses=(422,),
        ),
        lambda account, limit, timeout_s: _stream(app_context, change_feed, account, limit, timeout_s),
    )


class StreamPosition(Struct):
    """Position of a client in the event stream."""

    state_id: str | None = None
    alerts_end: int | None = None
    verdicts: str = ""

    @property
    def id(self) -> str:
        """ID of the event that brings a client to this position."""
        return f"{self.state_id or '0-0'}~{self.alerts_end or 0}~{self.verdicts}"


def parse_last_event_id(last_event_id: str | None) -> StreamPosition:
    """Return the position of a Last-Event-ID; that of a new client for an invalid one."""
    match = _ID.match(last_event_id or "")
    return StreamPosition(match[1], int(match[2]), match[3]) if match else StreamPosition()


def _stream(
    app_context: AppContext, change_feed: ChangeFeed, account: str | None, limit: int | None, timeout_s: int
) -> Response:
    change_feed.subscribe(threaded=_supports_streaming())
    builder = _EventBuilder(app_context, account, parse_last_event_id(request.headers.get("Last-Event-ID")))
    until = time.monotonic() + timeout_s
    chunks = _chunks(change_feed, builder, until, lambda: _is_closed(app_context))
    response = Response(stream_with_context(_limited(chunks, limit)), mimetype=MEDIA)
    response.headers["X-Accel-Buffering"] = "no"
    response.call_on_close(change_feed.unsubscribe)
    return response


def _limited(chunks: Iterator[tuple[bytes, int]], limit: int | None) -> Iterator[bytes]:
    """End a stream after this number of events."""
    count = 0
    for chunk, events in chunks:
        yield chunk
        count += events
        if limit is not None and count >= limit:
            return


def _chunks(
    change_feed: ChangeFeed, builder: "_EventBuilder", until: float, is_over: Callable[[], bool]
) -> Iterator[tuple[bytes, int]]:
    """Yield chunks of the stream, each with the number of its events that `limit` counts."""
    yield b"retry: 2000\n\n", 0
    number, last_heartbeat, day = -1, time.monotonic(), ""
    while (left := until - time.monotonic()) > 0:
        snapshot = change_feed.wait_after(number, min(left, _CLIENT_CHECK_S))
        if snapshot is None or is_over():
            return
        if snapshot.number > number and snapshot.has_data:
            number = snapshot.number
            for event in builder.events_for(snapshot):
                yield event, 1
        if snapshot.day != day or time.monotonic() - last_heartbeat >= HEARTBEAT_S:
            is_well = change_feed.age_s < _STALE_S and snapshot.error is None
            yield builder.heartbeat(snapshot) if is_well else b": waiting\n\n", 0
            last_heartbeat, day = time.monotonic(), snapshot.day


class _EventBuilder:
    """Builds the events of one client from snapshots of the ledger."""

    def __init__(self, app_context: AppContext, account: str | None, position: StreamPosition) -> None:
        self._app_context = app_context
        self._account = account
        self._position = position
        self._sent: dict[str, str] = {}
        self._error: str | None = None

    def events_for(self, snapshot: LedgerSnapshot) -> Iterator[bytes]:
        """Yield the events between the client's position and a snapshot."""
        yield from self._errors(snapshot)
        if snapshot.state_id is None:
            return
        if snapshot.state_id != self._position.state_id:
            self._position.state_id = snapshot.state_id
            revision = int(snapshot.state_id.partition("-")[0])
            yield self._event("revision", json_line({"revision": revision, "stamp": snapshot.state_id}))
        yield from self._verdicts(snapshot)
        yield from self._alerts(snapshot)

    def heartbeat(self, snapshot: LedgerSnapshot) -> bytes:
        """Return the event that the ledger is polled, with the time and the trading day."""
        return self._event("alive", json_line({"at": self._app_context.timestamp, "day": snapshot.day}))

    def _verdicts(self, snapshot: LedgerSnapshot) -> Iterator[bytes]:
        present = {
            account: event for account, event in snapshot.verdicts.items() if self._account in (None, account)
        }
        digests = {account: event.digest for account, event in present.items()}
        whole = blake2b(json_line(digests), digest_size=8).hexdigest() if digests else ""
        if whole == self._position.verdicts:
            self._sent = digests
        for account, event in present.items():
            if self._sent.get(account) != event.digest:
                self._sent[account] = event.digest
                if self._sent == digests:  # the last one: the client has received all
                    self._position.verdicts = whole
                yield self._event("verdict", event.body)
        self._sent, self._position.verdicts = digests, whole

    def _errors(self, snapshot: LedgerSnapshot) -> Iterator[bytes]:
        if snapshot.error != self._error:
            self._error = snapshot.error
            yield self._event("trouble", json_line({"code": snapshot.error}))

    def _alerts(self, snapshot: LedgerSnapshot) -> Iterator[bytes]:
        if self._position.alerts_end is None:  # a new client gets no old alerts
            self._position.alerts_end = snapshot.alerts_end
        for line in read_since(self._app_context.settings.alerts_file, self._position.alerts_end):
            self._position.alerts_end = line.end
            if self._account is None or line.account in (None, self._account):
                yield self._event("alert", line.body)

    def _event(self, name: str, data: bytes) -> bytes:
        return f"id: {self._position.id}\nevent: {name}\ndata: ".encode() + data + b"\n\n"


def _supports_streaming() -> bool:
    """Return whether this thread may be blocked; the main thread of a worker serves all other requests too."""
    is_main = threading.current_thread() is threading.main_thread()
    return bool(request.environ.get("wsgi.multithread")) or not is_main


def _is_closed(app_context: AppContext) -> bool:
    """Return whether the client has disconnected, or lost its permission to read."""
    try:
        app_context.access.authorize(request, "read")
    except HttpError:
        return True
    is_gone: Callable[[], bool] = request.environ.get("waitress.client_disconnected", lambda: False)
    return is_gone()
