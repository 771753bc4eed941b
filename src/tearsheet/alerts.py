"""AlertEvaluator: judges summaries, remembers what is open, writes alerts once, lets others listen.

The alerts file is the truth, written ahead: one JSON line for each change in the life of a breach.
The ledger only indexes it; what a crash left out of the index is read from the file the next time.
"""

import logging
import os
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tearsheet.errors import InputError, NotFoundError, UsageError
from tearsheet.export import json_line
from tearsheet.log import event
from tearsheet.performance.summary import PerformanceSummary
from tearsheet.rules import AlertEvent, Finding, Rule, judge, raise_alert
from tearsheet.store.alert_index import AlertIndex
from tearsheet.store.ledger import Ledger
from tearsheet.store.pages import Page, Place, page_of
from tearsheet.trade.fill import digest
from tearsheet.trade.session import to_micros

_log = logging.getLogger("tearsheet")
#: Entry point group: each entry names a callable that is given every new AlertEvent.
PUBLISH_GROUP = "tearsheet.alerts"
_decode = msgspec.json.Decoder(AlertEvent).decode

Publish = Callable[[AlertEvent], None]
#: The last state of an episode's newest alert, None where there is none.
Last = Callable[[str], AlertEvent | None]


class AlertRun(Struct, frozen=True):
    """What a run of the evaluator found: every rule's finding, and what changed."""

    findings: tuple[Finding, ...]
    raised: tuple[AlertEvent, ...]
    resolved: tuple[AlertEvent, ...]
    open: tuple[AlertEvent, ...]

    @property
    def breached(self) -> bool:
        """Whether any rule is broken now."""
        return any(finding.breached for finding in self.findings)


class AlertEvaluator:
    """Holds rules against summaries; each breach is one alert until it is over.

    What `listeners` gives is called with every new event, after it is safely in the alerts file.
    """

    def __init__(
        self,
        ledger: Ledger,
        alerts_file: Path,
        min_sample: int = 1,
        listeners: Callable[[], Iterable[Publish]] = tuple,
    ) -> None:
        self._ledger = ledger
        self._index = AlertIndex(ledger)
        self._file = alerts_file
        self._min_sample = min_sample
        self._listeners = listeners

    def evaluate(self, judged: Iterable[tuple[PerformanceSummary, list[Rule]]]) -> AlertRun:
        """Judge summaries by their rules, and write what began or ended since the last run."""
        pairs = [
            (summary, finding)
            for summary, rules in judged
            for finding in judge(summary, rules, self._min_sample)
        ]
        if self._ledger.read_only:
            raised, resolved = self._changes(pairs) if self._is_read_up() else ([], [])
        elif self._has_news(pairs):
            raised, resolved = self._write(pairs)
        else:
            raised, resolved = [], []
        self._announce([*raised, *resolved])
        findings = tuple(finding for _, finding in pairs)
        return AlertRun(findings, tuple(raised), tuple(resolved), tuple(self._still_open(findings)))

    def follow(self, changes: Callable[[Last], Iterable[AlertEvent]]) -> list[AlertEvent]:
        """Write what has changed, decided by each episode's last alert; returns it."""
        if self._ledger.read_only or (self._is_read_up() and not list(changes(self._last))):
            return []
        with self._ledger.writing():
            self._read_up()
            changed = list(changes(self._last))
            self._append(changed)
        self._announce(changed)
        return changed

    def changes(self, identity: str) -> list[AlertEvent]:
        """The life of an alert, from its beginning on. Raises NotFoundError."""
        self._catch_up()
        found = [_decode(body) for body in self._index.changes(identity)]
        if not found:
            raise _unknown(identity)
        return found

    def acknowledge(self, identity: str, actor: str, note: str | None, now: datetime) -> AlertEvent:
        """Say that somebody has seen an alert. Raises NotFoundError, UsageError."""
        if not actor.strip():
            raise UsageError("an acknowledgement needs a name", "say who with --by")
        with self._ledger.writing():
            self._read_up()
            body = self._index.get(identity)
            if body is None:
                raise _unknown(identity)
            alert = _decode(body)
            if alert.acknowledged_at is not None:
                return alert
            state = alert.state if alert.state == "resolved" else "acknowledged"
            acknowledged = replace(
                alert, state=state, acknowledged_at=now, acknowledged_by=actor, note=note
            )
            self._append([acknowledged])
        self._announce([acknowledged])
        return acknowledged

    def newest(self, most: int = 50, *, only_open: bool = False) -> list[AlertEvent]:
        """The newest alerts in their last state, newest first."""
        self._catch_up()
        found = [_decode(body) for body in self._index.newest(most)]
        return [alert for alert in found if not only_open or alert.state != "resolved"]

    def page(self, number: int, after: Place | None, *, only_open: bool) -> Page[AlertEvent]:
        """A page of alerts in their last state, the newest first."""
        self._catch_up()
        found = ((_decode(body), place) for place, body in self._index.after(after))
        return page_of(found, lambda a: not only_open or a.state != "resolved", number)

    def _has_news(self, pairs: list[tuple[PerformanceSummary, Finding]]) -> bool:
        if not self._is_read_up():
            return True
        raised, resolved = self._changes(pairs)
        return bool(raised or resolved)

    def _write(
        self, pairs: list[tuple[PerformanceSummary, Finding]]
    ) -> tuple[list[AlertEvent], list[AlertEvent]]:
        """Decide and write in one turn, so that two processes never raise the same breach."""
        with self._ledger.writing():
            self._read_up()
            raised, resolved = self._changes(pairs)
            self._append([*raised, *resolved])
        return raised, resolved

    def _changes(
        self, pairs: list[tuple[PerformanceSummary, Finding]]
    ) -> tuple[list[AlertEvent], list[AlertEvent]]:
        raised, resolved = [], []
        for summary, finding in pairs:
            last = self._last(finding.episode)
            is_open = last is not None and last.state != "resolved"
            if finding.breached and not is_open:
                previous = last.id if last else ""
                identity = digest(f"{finding.episode}\0{previous}")
                raised.append(raise_alert(summary, finding, identity))
            elif last is not None and is_open and finding.variance.met:
                now = summary.freshness.as_of
                resolved.append(replace(last, state="resolved", resolved_at=now))
        return raised, resolved

    def _last(self, episode: str) -> AlertEvent | None:
        body = self._index.last_of(episode)
        return None if body is None else _decode(body)

    def _still_open(self, findings: Iterable[Finding]) -> Iterable[AlertEvent]:
        for finding in findings:
            last = self._last(finding.episode)
            if last is not None and last.state != "resolved":
                yield last

    def _is_read_up(self) -> bool:
        try:
            return self._file.stat().st_size == self._index.offset
        except FileNotFoundError:
            return self._index.offset == 0

    def _catch_up(self) -> None:
        if not self._ledger.read_only and not self._is_read_up():
            with self._ledger.writing():
                self._read_up()

    def _read_up(self) -> None:
        """Take into the index what the alerts file says beyond it; a replaced file is read anew."""
        size = self._file.stat().st_size if self._file.exists() else 0
        if size < self._index.offset:
            self._index.clear()
        if size == self._index.offset:
            return
        data = self._beyond(self._index.offset)
        end = data.rfind(b"\n") + 1
        for line in data[:end].splitlines():
            self._take(line)
        self._index.reach(self._index.offset + end)

    def _beyond(self, offset: int) -> bytes:
        try:
            with self._file.open("rb") as file:
                file.seek(offset)
                return file.read()
        except OSError as error:
            raise self._unusable("read", error) from error

    def _unusable(self, what: str, error: OSError) -> InputError:
        return InputError(
            f"the alerts file {self._file} cannot be {what}: {error.strerror or error}",
            "check the path, its permissions and the space on the disk",
        )

    def _take(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            alert = _decode(line)
        except msgspec.MsgspecError as error:
            event(
                _log,
                "tearsheet.alerts_file",
                level=logging.WARNING,
                file=str(self._file),
                reason=f"a line is no alert and is passed over: {error}",
            )
            return
        self._keep(alert)

    def _keep(self, alert: AlertEvent) -> None:
        raised_us = to_micros(alert.raised_at)
        body = json_line(alert).decode()
        self._index.put(alert.id, alert.episode, alert.state, raised_us, body)

    def _append(self, alerts: list[AlertEvent]) -> None:
        """Write alerts ahead: to the file and the disk first, to the index after."""
        if not alerts:
            return
        data = b"".join(json_line(alert) + b"\n" for alert in alerts)
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("ab") as file:
                if _ends_in_half_a_line(self._file):
                    data = b"\n" + data
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                end = file.tell()
        except OSError as error:
            raise self._unusable("written", error) from error
        for alert in alerts:
            self._keep(alert)
        self._index.reach(end)

    def _announce(self, alerts: Iterable[AlertEvent]) -> None:
        for alert in alerts:
            level = logging.WARNING if alert.state in ("raised", "escalated") else logging.INFO
            event(_log, alert.event, level=level, **_told(alert))
            for publish in self._listeners():
                _publish(publish, alert)


def listeners() -> list[Publish]:
    """The publish hooks that installed packages offer; each is called with every new AlertEvent."""
    from importlib.metadata import entry_points

    return [entry.load() for entry in entry_points(group=PUBLISH_GROUP)]


def _publish(publish: Publish, alert: AlertEvent) -> None:
    """Tell a listener; one that fails is logged and hinders nobody."""
    try:
        publish(alert)
    except Exception:  # noqa: BLE001 - other people's code must not stop an alert run
        _log.exception("a publish hook failed on alert %s", alert.id)


def _unknown(identity: str) -> NotFoundError:
    return NotFoundError(f"no alert {identity!r}", "`tearsheet alerts` lists them")


def _told(alert: AlertEvent) -> dict[str, object]:
    return {
        "id": alert.id,
        "state": alert.state,
        "rule": alert.rule,
        "metric": alert.metric,
        "actual": alert.actual,
        "target": alert.target,
        "window": alert.window,
        "account": alert.account,
        "reason": alert.message,
    }


def _ends_in_half_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"
