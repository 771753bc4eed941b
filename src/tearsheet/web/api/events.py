"""`GET /api/events`: Server-Sent Events of revisions, verdicts and alerts, resumed by Last-Event-ID.

An event's id says all that its reader has heard: the ledger's stamp, how far the alerts file was
read, and which verdicts were sent. Any worker can go on from it, whoever sent it.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator
from hashlib import blake2b

from flask import Response, request, stream_with_context
from msgspec import Struct

from tearsheet.app.alerts.alert_log import read_since
from tearsheet.export.files import json_line
from tearsheet.web.http import parameters
from tearsheet.web.http.errors import HttpError
from tearsheet.web.http.operation import Api, Operation
from tearsheet.web.server.change_feed import ChangeFeed, LedgerSnapshot
from tearsheet.web.server.context import AppContext

MEDIA = "text/event-stream"
#: Seconds after which a silent stream says that it lives.
HEARTBEAT_S = 5.0
#: Seconds without a look at the ledger, after which a stream does not say that it is well.
_STALE_S = 4.0
#: Seconds after which a client that went away is noticed.
_CLIENT_CHECK_S = 1.0
_ID = re.compile(r"^(\d{1,18}-[0-9a-f]{1,32})~(\d{1,15})~([0-9a-f]{0,16})\Z")
_DESCRIPTION = (
    "Server-Sent Events: `revision` when facts changed, `verdict` when an account's verdict did, "
    "`alert` for every line of the alerts file, `trouble` while the ledger cannot be asked or "
    "take in the newest log lines, and `alive` "
    "every 5 seconds while it is looked at. Each worker keeps some streams only: poll with "
    "`If-None-Match` where you can, and where this answers 503."
)


def add_events(api: Api, app_context: AppContext) -> ChangeFeed:
    """Add the stream; returns what looks out for it, which the server may end."""
    lookout = ChangeFeed(app_context)
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
        lambda account, limit, timeout_s: _stream(app_context, lookout, account, limit, timeout_s),
    )
    return lookout


class StreamPosition(Struct):
    """How far a client has heard: what its next event must differ from."""

    state_id: str | None = None
    alerts_end: int | None = None
    verdicts: str = ""

    @property
    def id(self) -> str:
        """The id of an event after which a client has heard so much."""
        return f"{self.state_id or '0-0'}~{self.alerts_end or 0}~{self.verdicts}"


def parse_last_event_id(last_event_id: str | None) -> StreamPosition:
    """What a client says that it has heard; nothing where it says what was never an id."""
    found = _ID.match(last_event_id or "")
    return StreamPosition(found[1], int(found[2]), found[3]) if found else StreamPosition()


def _stream(
    app_context: AppContext, lookout: ChangeFeed, account: str | None, limit: int | None, timeout_s: int
) -> Response:
    lookout.subscribe(threaded=_supports_streaming())
    telling = _EventBuilder(app_context, account, parse_last_event_id(request.headers.get("Last-Event-ID")))
    until = time.monotonic() + timeout_s
    pieces = _chunks(lookout, telling, until, lambda: _is_closed(app_context))
    response = Response(stream_with_context(_limited(pieces, limit)), mimetype=MEDIA)
    response.headers["X-Accel-Buffering"] = "no"
    response.call_on_close(lookout.unsubscribe)
    return response


def _limited(pieces: Iterator[tuple[bytes, int]], limit: int | None) -> Iterator[bytes]:
    """The stream as long as its events are no more than that."""
    told = 0
    for piece, events in pieces:
        yield piece
        told += events
        if limit is not None and told >= limit:
            return


def _chunks(
    lookout: ChangeFeed, telling: "_EventBuilder", until: float, is_over: Callable[[], bool]
) -> Iterator[tuple[bytes, int]]:
    """Pieces of the stream, each with the number of events in it that `limit` counts."""
    yield b"retry: 2000\n\n", 0
    number, spoke, day = -1, time.monotonic(), ""
    while (left := until - time.monotonic()) > 0:
        sight = lookout.wait_after(number, min(left, _CLIENT_CHECK_S))
        if sight is None or is_over():
            return
        if sight.number > number and sight.has_data:
            number = sight.number
            for event in telling.events_for(sight):
                yield event, 1
        if sight.day != day or time.monotonic() - spoke >= HEARTBEAT_S:
            is_well = lookout.age_s < _STALE_S and sight.error is None
            yield telling.heartbeat(sight) if is_well else b": waiting\n\n", 0
            spoke, day = time.monotonic(), sight.day


class _EventBuilder:
    """Makes events of what was seen, for one client."""

    def __init__(self, app_context: AppContext, account: str | None, heard_so_far: StreamPosition) -> None:
        self._served = app_context
        self._account = account
        self._position = heard_so_far
        self._sent: dict[str, str] = {}
        self._error: str | None = None

    def events_for(self, sight: LedgerSnapshot) -> Iterator[bytes]:
        """Every event between what the client has heard and what was seen."""
        yield from self._errors(sight)
        if sight.state_id is None:
            return
        if sight.state_id != self._position.state_id:
            self._position.state_id = sight.state_id
            revision = int(sight.state_id.partition("-")[0])
            yield self._event("revision", json_line({"revision": revision, "stamp": sight.state_id}))
        yield from self._verdicts(sight)
        yield from self._alerts(sight)

    def heartbeat(self, sight: LedgerSnapshot) -> bytes:
        """That the ledger is looked at, when, and which session it is."""
        return self._event("alive", json_line({"at": self._served.timestamp, "day": sight.day}))

    def _verdicts(self, sight: LedgerSnapshot) -> Iterator[bytes]:
        present = {
            account: sentence
            for account, sentence in sight.verdicts.items()
            if self._account in (None, account)
        }
        digests = {account: sentence.digest for account, sentence in present.items()}
        whole = blake2b(json_line(digests), digest_size=8).hexdigest() if digests else ""
        if whole == self._position.verdicts:
            self._sent = digests
        for account, sentence in present.items():
            if self._sent.get(account) != sentence.digest:
                self._sent[account] = sentence.digest
                if self._sent == digests:  # the last of them: all is heard
                    self._position.verdicts = whole
                yield self._event("verdict", sentence.body)
        self._sent, self._position.verdicts = digests, whole

    def _errors(self, sight: LedgerSnapshot) -> Iterator[bytes]:
        if sight.error != self._error:
            self._error = sight.error
            yield self._event("trouble", json_line({"code": sight.error}))

    def _alerts(self, sight: LedgerSnapshot) -> Iterator[bytes]:
        if self._position.alerts_end is None:  # a client that asks for the first time
            self._position.alerts_end = sight.alerts_end
        for line in read_since(self._served.settings.alerts_file, self._position.alerts_end):
            self._position.alerts_end = line.end
            if self._account is None or line.account in (None, self._account):
                yield self._event("alert", line.body)

    def _event(self, name: str, data: bytes) -> bytes:
        return f"id: {self._position.id}\nevent: {name}\ndata: ".encode() + data + b"\n\n"


def _supports_streaming() -> bool:
    """Whether this thread may be kept; the main one of a worker answers everybody else too."""
    is_main = threading.current_thread() is threading.main_thread()
    return bool(request.environ.get("wsgi.multithread")) or not is_main


def _is_closed(app_context: AppContext) -> bool:
    """Whether the client went away, or may not read any more."""
    try:
        app_context.access.authorize(request, "read")
    except HttpError:
        return True
    is_gone: Callable[[], bool] = request.environ.get("waitress.client_disconnected", lambda: False)
    return is_gone()
