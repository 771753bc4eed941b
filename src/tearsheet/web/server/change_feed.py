"""One look at the ledger for all event streams of a process: a thread, and what it saw last.

Streams compare what they sent with what was seen, so nothing queues up behind a slow client.
"""

import threading
import time
from collections.abc import Callable, Mapping
from hashlib import blake2b

from msgspec import Struct
from msgspec.structs import replace

from tearsheet.app.alerts.alert_log import log_end
from tearsheet.app.limits.verdicts import account_verdicts
from tearsheet.errors import TearsheetError
from tearsheet.export.files import json_line
from tearsheet.trade.session import EARLIEST
from tearsheet.web.http.errors import HttpError
from tearsheet.web.server.context import AppContext, QueryContext

#: Seconds between two looks at the ledger, while there are streams.
POLL_EVERY_S = 0.15
#: Seconds after which verdicts are looked at although the ledger is the same: time changes them too.
VERDICT_EVERY_S = 2.0
#: Seconds for which the newest log lines may be waited for before it is told.
_LATE_S = 3.0
_RETRY = {"Retry-After": "5"}


class VerdictEvent(Struct, frozen=True):
    """A verdict as JSON, and a digest of all in it that does not change by the clock alone."""

    digest: str
    body: bytes


class LedgerSnapshot(Struct, frozen=True, kw_only=True):
    """The ledger as it was seen; `number` counts how often it differed from before, `day` is the session."""

    number: int = 0
    state_id: str | None = None
    alerts_end: int = 0
    verdicts: Mapping[str, "VerdictEvent"] = {}
    error: str | None = None
    day: str = ""

    @property
    def has_data(self) -> bool:
        """Whether anything was seen at all yet."""
        return self.state_id is not None or self.error is not None


class ChangeFeed:
    """Looks while somebody streams. `is_ending` says that the process ends, and its streams with it."""

    def __init__(self, served: AppContext) -> None:
        self._served = served
        self._changed = threading.Condition()
        self._latest = LedgerSnapshot()
        self._streams = 0
        self._thread: threading.Thread | None = None
        self._verdicts_at = -1e9
        self._polled_at = -1e9
        self.is_ending: Callable[[], bool] = lambda: False

    def subscribe(self, *, threaded: bool) -> None:
        """Count one more stream; look anew where it is the first. Raises Refused beyond the cap."""
        most = self._served.settings.max_streams if threaded else 0
        with self._changed:
            if self._streams >= most:
                raise _too_many_streams(most, threaded=threaded)
            self._streams += 1
            if self._thread is None:
                self._latest = LedgerSnapshot(number=self._latest.number)
                self._thread = threading.Thread(target=self._poll, name="lookout", daemon=True)
                self._thread.start()
        self._served.metrics.streams.inc()

    def unsubscribe(self) -> None:
        """Count one stream less."""
        with self._changed:
            self._streams -= 1
        self._served.metrics.streams.dec()

    def wait_after(self, number: int, seconds: float) -> LedgerSnapshot | None:
        """What was seen since, waited for no longer than that; None where streams must end."""
        with self._changed:
            self._changed.wait_for(lambda: self._latest.number > number or self.is_ending(), timeout=seconds)
            return None if self.is_ending() else self._latest

    @property
    def age_s(self) -> float:
        """Seconds since the ledger was last looked at; it grows where a look does not come back."""
        return time.monotonic() - self._polled_at

    def _poll(self) -> None:
        while True:
            self._publish(self._snapshot())
            self._polled_at = time.monotonic()
            with self._changed:
                if not self._streams or self.is_ending():
                    self._thread = None
                    self._changed.notify_all()
                    break
            time.sleep(POLL_EVERY_S)
        self._served.trackers.discard()

    def _snapshot(self) -> LedgerSnapshot:
        before = self._latest
        try:
            with self._served.query() as asked:
                stamp, verdicts = asked.tracker.state_id, before.verdicts
                day = asked.tracker.today.isoformat()
                if stamp != before.state_id or time.monotonic() - self._verdicts_at > VERDICT_EVERY_S:
                    verdicts = _verdict_events(asked, verdicts)
                    self._verdicts_at = time.monotonic()
                trouble = self._lag_reason(asked)
        except TearsheetError as error:
            return replace(before, error=error.code)
        end = log_end(self._served.settings.alerts_file)
        return replace(before, state_id=stamp, alerts_end=end, verdicts=verdicts, error=trouble, day=day)

    def _lag_reason(self, asked: QueryContext) -> str | None:
        """Why what is seen is not all, where that lasts: somebody else has been writing for long."""
        is_late = self._served.trackers.sync_lag_s > _LATE_S
        return asked.sync_errors[0].code if asked.sync_errors and is_late else None

    def _publish(self, seen: LedgerSnapshot) -> None:
        with self._changed:
            if seen != self._latest:
                self._latest = replace(seen, number=self._latest.number + 1)
                self._changed.notify_all()


def _verdict_events(asked: QueryContext, before: Mapping[str, VerdictEvent]) -> Mapping[str, VerdictEvent]:
    """The verdicts of all accounts; those of before where nothing but the time differs."""
    found = {}
    for one in account_verdicts(asked.tracker).all(asked.sync_errors):
        reasons = tuple(replace(reason, detail="") for reason in one.reasons)
        told = replace(one, as_of=EARLIEST, data_age_s=None, sequence=0, reasons=reasons)
        digest = blake2b(json_line(told), digest_size=8).hexdigest()
        known = before.get(one.account)
        same = known is not None and known.digest == digest
        found[one.account] = known if known and same else VerdictEvent(digest, json_line(one))
    return found


def _too_many_streams(most: int, *, threaded: bool) -> HttpError:
    if not threaded:
        hint = "serve it by `tearsheet serve`, or poll with If-None-Match"
        return HttpError(
            503,
            "event streams need threads, and this server has none for them",
            hint,
            headers=_RETRY,
            kind="no_streams",
        )
    hint = "poll with If-None-Match; or raise TEARSHEET_MAX_STREAMS"
    return HttpError(
        503,
        f"all {most} event streams of this process are taken",
        hint,
        headers=_RETRY,
        kind="too_many_streams",
    )
