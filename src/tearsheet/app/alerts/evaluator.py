"""Evaluation of rules, and the alerts that result from it.

The alerts file is a write-ahead log with one JSON line per state change of an alert. The ledger is only its
index; lines missing from the index after a crash are indexed at the next access.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tearsheet.errors import InputError, NotFoundError, UsageError
from tearsheet.export.files import json_line
from tearsheet.log import log_event
from tearsheet.performance.summary import PerformanceSummary
from tearsheet.rules import AlertEvent, Resolution, Rule, TargetResult, evaluate_rules, new_alert
from tearsheet.settings import Settings
from tearsheet.shared_files import append_lines, file_size, read_lines
from tearsheet.store.list_values import Page, PageCursor
from tearsheet.store.tables.alert_index import AlertIndex
from tearsheet.store.tables.ledger import Ledger
from tearsheet.store.tables.pages import make_page
from tearsheet.trade.fill import digest
from tearsheet.trade.session import to_micros

_log = logging.getLogger("tearsheet")
#: Entry point group of publish hooks: callables that receive every new AlertEvent.
PUBLISH_GROUP = "tearsheet.alerts"
_decode = msgspec.json.Decoder(AlertEvent).decode

Publish = Callable[[AlertEvent], None]
#: Returns the last state of an episode's newest alert; None without an alert.
LatestAlert = Callable[[str], AlertEvent | None]


class AlertFilter(Struct, frozen=True):
    """Filter for alerts: state, account, rule, severity, and time range `[since, until)` of raising.

    `open` matches alerts that are not resolved, `unacknowledged` and its older name `new` those that are neither
    resolved nor acknowledged.
    """

    state: Literal["open", "unacknowledged", "new", "acknowledged", "resolved", "all"] = "all"
    account: str | None = None
    rule: str | None = None
    severity: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def matches(self, alert: AlertEvent) -> bool:
        """Return whether an alert matches the filter."""
        return (
            self._is_in_state(alert)
            and self.account in (None, alert.account)
            and self.rule in (None, alert.rule)
            and self.severity in (None, alert.severity)
            and (self.since is None or alert.raised_at >= self.since)
            and (self.until is None or alert.raised_at < self.until)
        )

    def _is_in_state(self, alert: AlertEvent) -> bool:
        if self.state == "open":
            return alert.state != "resolved"
        if self.state in ("unacknowledged", "new"):
            return alert.state in ("raised", "escalated")
        return self.state in ("all", alert.state)


EVERY_ALERT = AlertFilter()


class AlertCheck(Struct, frozen=True):
    """Result of an evaluation: the finding of every rule, the alerts raised and resolved, and those open."""

    findings: tuple[TargetResult, ...]
    raised: tuple[AlertEvent, ...]
    resolved: tuple[AlertEvent, ...]
    open: tuple[AlertEvent, ...]

    @property
    def breached(self) -> bool:
        """Whether any rule is missed now."""
        return any(finding.is_missed for finding in self.findings)


class OpenLedger(Protocol):
    """A ledger with its settings, such as a `PerformanceTracker`."""

    @property
    def ledger(self) -> Ledger: ...

    @property
    def settings(self) -> Settings: ...


class AlertEvaluator:
    """Evaluator of rules; each missed rule has one alert until it is met again.

    It is made from a tracker, `AlertEvaluator(tracker)`, or from a ledger and the path of its alerts file.
    The callables that `listeners` returns receive every new event, after it was written to the alerts file.
    """

    def __init__(
        self,
        ledger: Ledger | OpenLedger,
        alerts_file: Path | None = None,
        min_sample: int | None = None,
        listeners: Callable[[], Iterable[Publish]] | None = None,
    ) -> None:
        if not isinstance(ledger, Ledger):
            settings, ledger = ledger.settings, ledger.ledger
            alerts_file = settings.alerts_file if alerts_file is None else alerts_file
            min_sample = settings.alert_min_sample if min_sample is None else min_sample
            listeners = installed_listeners if listeners is None else listeners
        if alerts_file is None:
            raise UsageError("an evaluator of a ledger needs the path of its alerts file", "give alerts_file")
        self._ledger = ledger
        self._index = AlertIndex(ledger)
        self._file = alerts_file
        self._min_sample = 1 if min_sample is None else min_sample
        self._listeners = listeners or tuple

    def evaluate(self, judged: Iterable[tuple[PerformanceSummary, list[Rule]]]) -> AlertCheck:
        """Evaluate summaries by their rules, and append the alerts raised or resolved since the last evaluation.

        With a read-only ledger, changes are returned and published but not written. Raises InputError.
        """
        pairs = self._findings(judged)
        if self._ledger.read_only:
            raised, resolved = self._changes(pairs) if self._is_index_current() else ([], [])
        elif self._has_changes(pairs):
            raised, resolved = self._write(pairs)
        else:
            raised, resolved = [], []
        self._publish([*raised, *resolved])
        return self._result(pairs, raised, resolved)

    def preview(self, judged: Iterable[tuple[PerformanceSummary, list[Rule]]]) -> AlertCheck:
        """Evaluate summaries like `evaluate`, but write and publish no change.

        `open` has the alerts as `evaluate` would leave them.
        """
        pairs = self._findings(judged)
        return self._result(pairs, *self._changes(pairs))

    def resolve_obsolete(
        self, reason_of: Callable[[AlertEvent], Resolution | None], now: datetime
    ) -> list[AlertEvent]:
        """Resolve the open alerts of targets for which a function returns a reason. Raises InputError."""

        def changes(_: LatestAlert) -> Iterator[AlertEvent]:
            for alert in self.open_alerts():
                if alert.kind == "target" and (reason := reason_of(alert)):
                    yield replace(alert, state="resolved", resolved_at=now, resolution=reason)

        return self.update_incidents(changes)

    def update_incidents(self, changes: Callable[[LatestAlert], Iterable[AlertEvent]]) -> list[AlertEvent]:
        """Append the changes that a function derives from each episode's last alert, and return them.

        The function runs again inside the transaction. Raises InputError.
        """
        if self._ledger.read_only or (self._is_index_current() and not list(changes(self._latest))):
            return []
        with self._ledger.writing():
            self._index_new_lines()
            changed = list(changes(self._latest))
            self._append_lines(changed)
        self._publish(changed)
        return changed

    def changes(self, identity: str) -> list[AlertEvent]:
        """Return the states of an alert, oldest first. Raises NotFoundError."""
        self._update_index()
        found = [_decode(body) for body in self._index.changes(identity)]
        if not found:
            raise _alert_not_found(identity)
        return found

    def acknowledge(self, identity: str, actor: str, note: str | None, now: datetime) -> AlertEvent:
        """Acknowledge an alert; one that was acknowledged before is returned unchanged.

        Raises NotFoundError; UsageError if the actor is blank.
        """
        changed = self.acknowledge_all({identity: None}, actor, note, now)
        return changed[0] if changed else self.changes(identity)[-1]

    def acknowledge_all(
        self, seen: Mapping[str, str | None], actor: str, note: str | None, now: datetime
    ) -> list[AlertEvent]:
        """Acknowledge alerts in one transaction; return those that nobody had acknowledged before.

        `seen` has the state in which each was seen, None for whatever it is now: one that was escalated since is left
        alone. Raises NotFoundError for an unknown one; UsageError if the actor is blank.
        """
        if not actor.strip():
            raise UsageError("a name is required", "set it with --by")
        with self._ledger.writing():
            self._index_new_lines()
            alerts = [self._get(identity) for identity in seen]
            acknowledged = [
                replace(
                    alert,
                    state=alert.state if alert.state == "resolved" else "acknowledged",
                    acknowledged_at=now,
                    acknowledged_by=actor,
                    note=note,
                )
                for alert in alerts
                if alert.acknowledged_at is None and not _is_escalated_since(alert, seen[alert.id])
            ]
            self._append_lines(acknowledged)
        self._publish(acknowledged)
        return acknowledged

    def _get(self, identity: str) -> AlertEvent:
        body = self._index.get(identity)
        if body is None:
            raise _alert_not_found(identity)
        return _decode(body)

    def newest(self, most: int = 50, *, only_open: bool = False) -> list[AlertEvent]:
        """Return the newest alerts in their last state, newest first."""
        return self.page(most, None, AlertFilter("open" if only_open else "all")).items

    def page(
        self, number: int, after: PageCursor | None, wish: AlertFilter = EVERY_ALERT
    ) -> Page[AlertEvent]:
        """Return a page of the alerts that match a filter, in their last state, newest first."""
        self._update_index()
        is_open = wish.state not in ("all", "resolved")
        if after is None and wish.until is not None:
            after = PageCursor(to_micros(wish.until), "")
        rows = self._index.after(after, only_open=is_open)
        return make_page(_before(wish, rows), wish.matches, number)

    def open_alerts(self) -> list[AlertEvent]:
        """Return all unresolved alerts, newest first."""
        return [_decode(body) for _, body in self._index.after(None, only_open=True)]

    def open_limit_alerts(self) -> list[AlertEvent]:
        """Return the unresolved alerts of limits, newest first."""
        return [alert for alert in self.open_alerts() if alert.kind == "limit"]

    def accounts_with_open_limit_alerts(self) -> set[str]:
        """Return the accounts with an unresolved alert of a limit."""
        return {alert.account for alert in self.open_limit_alerts() if alert.account}

    @property
    def version(self) -> str:
        """Return a text that changes with every change of an alert."""
        return f"{self._index.position}-{file_size(self._file)}"

    def _findings(
        self, judged: Iterable[tuple[PerformanceSummary, list[Rule]]]
    ) -> list[tuple[PerformanceSummary, TargetResult]]:
        return [
            (summary, finding)
            for summary, rules in judged
            for finding in evaluate_rules(summary, rules, self._min_sample)
        ]

    def _result(
        self,
        pairs: list[tuple[PerformanceSummary, TargetResult]],
        raised: list[AlertEvent],
        resolved: list[AlertEvent],
    ) -> AlertCheck:
        """Return the result, with the alerts open after the changes, whether these are written or not."""
        findings = tuple(finding for _, finding in pairs)
        changed = {alert.episode: alert for alert in (*raised, *resolved)}
        latest = (changed.get(one.episode) or self._latest(one.episode) for one in findings)
        still_open = (alert for alert in latest if alert is not None and alert.state != "resolved")
        return AlertCheck(findings, tuple(raised), tuple(resolved), tuple(still_open))

    def _has_changes(self, pairs: list[tuple[PerformanceSummary, TargetResult]]) -> bool:
        if not self._is_index_current():
            return True
        raised, resolved = self._changes(pairs)
        return bool(raised or resolved)

    def _write(
        self, pairs: list[tuple[PerformanceSummary, TargetResult]]
    ) -> tuple[list[AlertEvent], list[AlertEvent]]:
        """Evaluate and append in one write transaction, so that two processes never raise the same alert."""
        with self._ledger.writing():
            self._index_new_lines()
            raised, resolved = self._changes(pairs)
            self._append_lines([*raised, *resolved])
        return raised, resolved

    def _changes(
        self, pairs: list[tuple[PerformanceSummary, TargetResult]]
    ) -> tuple[list[AlertEvent], list[AlertEvent]]:
        raised, resolved = [], []
        for summary, finding in pairs:
            last = self._latest(finding.episode)
            is_open = last is not None and last.state != "resolved"
            is_over = last is not None and last.resolution == "window_over"
            if finding.is_missed and not is_open and not is_over:
                previous = last.id if last else ""
                identity = digest(f"{finding.episode}\0{previous}")
                raised.append(new_alert(summary, finding, identity))
            elif last is not None and is_open and finding.variance.met:
                now = summary.freshness.as_of
                resolved.append(replace(last, state="resolved", resolved_at=now))
        return raised, resolved

    def _latest(self, episode: str) -> AlertEvent | None:
        body = self._index.latest_by_episode(episode)
        return None if body is None else _decode(body)

    def _is_index_current(self) -> bool:
        return file_size(self._file) == self._index.position

    def _update_index(self) -> None:
        if not self._ledger.read_only and not self._is_index_current():
            with self._ledger.writing():
                self._index_new_lines()

    def _index_new_lines(self) -> None:
        """Index the lines of the alerts file that are not indexed yet; a replaced file is indexed from its start."""
        position = end = self._index.position
        if file_size(self._file) < position:
            self._index.clear()
        try:
            for line, line_end in read_lines(self._file, position):
                self._index_line(line)
                end = line_end
        except OSError as error:
            raise self._file_error("read", error) from error
        if end != position:
            self._index.set_position(end)

    def _file_error(self, what: str, error: OSError) -> InputError:
        return InputError(
            f"the alerts file {self._file} cannot be {what}: {error.strerror or error}",
            "check the path, its permissions and the free disk space",
        )

    def _index_line(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            alert = _decode(line)
        except (msgspec.MsgspecError, RecursionError) as error:
            log_event(
                _log,
                "tearsheet.alerts_file",
                level=logging.WARNING,
                file=str(self._file),
                reason=f"skipped an invalid line in the alerts file: {error}",
            )
            return
        self._save(alert)

    def _save(self, alert: AlertEvent) -> None:
        raised_us = to_micros(alert.raised_at)
        body = json_line(alert).decode()
        self._index.put(alert.id, alert.episode, alert.state, raised_us, body)

    def _append_lines(self, alerts: list[AlertEvent]) -> None:
        """Append alerts to the file with fsync, then index them. Raises InputError."""
        if not alerts:
            return
        try:
            end = append_lines(self._file, map(json_line, alerts))
        except OSError as error:
            raise self._file_error("written", error) from error
        for alert in alerts:
            self._save(alert)
        self._index.set_position(end)

    def _publish(self, alerts: Iterable[AlertEvent]) -> None:
        for alert in alerts:
            level = logging.WARNING if alert.state in ("raised", "escalated") else logging.INFO
            log_event(_log, alert.event, level=level, **_log_fields(alert))
            for publish in self._listeners():
                _call_listener(publish, alert)


def _before(
    wish: AlertFilter, found: Iterable[tuple[PageCursor, str]]
) -> Iterator[tuple[AlertEvent, PageCursor]]:
    """Yield alerts with their page cursors, down to the filter's `since`."""
    earliest = None if wish.since is None else to_micros(wish.since)
    for place, body in found:
        if earliest is not None and place.time_us < earliest:
            return
        yield _decode(body), place


def _is_escalated_since(alert: AlertEvent, seen: str | None) -> bool:
    return alert.state == "escalated" and seen not in (None, "escalated")


def installed_listeners() -> list[Publish]:
    """Return the publish hooks of installed packages; each receives every new AlertEvent."""
    from importlib.metadata import entry_points

    return [entry.load() for entry in entry_points(group=PUBLISH_GROUP)]


def _call_listener(publish: Publish, alert: AlertEvent) -> None:
    """Call a publish hook; log any exception that it raises."""
    try:
        publish(alert)
    except Exception:  # noqa: BLE001 - a third-party hook must not stop an evaluation
        _log.exception("alert listener failed for alert %s", alert.id)


def _alert_not_found(identity: str) -> NotFoundError:
    return NotFoundError(f"no alert {identity!r}", "`tearsheet alerts` lists them")


def _log_fields(alert: AlertEvent) -> dict[str, object]:
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
