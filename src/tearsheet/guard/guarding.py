"""The guard itself: look, believe or not, act once, record; again and again."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from tearsheet.errors import StoreError
from tearsheet.guard.acting import Command
from tearsheet.guard.asking import VerdictClient
from tearsheet.guard.audit import AuditLog
from tearsheet.guard.memory import Action, ActionCause, StateFile, parse_time
from tearsheet.guard.reading import BreachInfo, ReceivedVerdict, UntrustedResponseError, parse_verdict
from tearsheet.guard.trust import ResponseValidator, ValidationLimits

#: Seconds between two looks while nothing can be believed, at most.
_UNKNOWN_EVERY_S = 5.0
#: Seconds between two looks however often events come, at least.
_MIN_WAIT_S = 0.2
#: Seconds before a failed command is tried again: the first time, and at most.
_FIRST_RETRY_S, _LAST_RETRY_S = 1.0, 60.0

UnknownPolicy = Literal["hold", "breach"]


@dataclass(frozen=True)
class GuardOptions:
    """What the guard is told to do."""

    every_s: float
    dead_after_s: float
    on_unknown: UnknownPolicy
    retries: int
    repeat_if_unsure: bool


class Guard:
    """Guards one account. `state` is what it found last: ok, warn, breach, or unknown; and by
    `must_be_flat` it acted, now or before."""

    def __init__(
        self,
        orders: GuardOptions,
        bounds: ValidationLimits,
        asker: VerdictClient,
        command: Command,
        memory: StateFile,
        audit: AuditLog,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._options, self._client, self._command = orders, asker, command
        self._state_file, self._guard_state, self._audit, self._clock = memory, memory.state, audit, clock
        self._validator = ResponseValidator(
            bounds, self._guard_state.sequence, parse_time(self._guard_state.as_of)
        )
        self._woken, self._ended = threading.Event(), threading.Event()
        self._due: dict[str, float] = {}
        self._began = time.monotonic()
        self._unknown_at: float | None = None
        self._failed_keys: set[str] = set()
        self.state = "unknown"
        self.must_be_flat = False

    def run(self, *, once: bool = False) -> None:
        """Guard until `end` is called; `once` looks, acts and is done. Raises StoreError."""
        self._state_file.save()  # what cannot be remembered is seen now, not in need
        self._log("began", "guarding", on_unknown=self._options.on_unknown)
        self._restore()
        while not self._ended.is_set():
            self._woken.clear()
            self._poll()
            self._run_due()
            if once and not self._due:
                break
            self._wait()
        self._log("ended", "told to end" if self._ended.is_set() else "looked once")

    def wake(self) -> None:
        """Look soon: something happened."""
        self._woken.set()

    def end(self) -> None:
        """End after what is under way; may be called by a signal."""
        self._ended.set()
        self._woken.set()

    @property
    def failed(self) -> bool:
        """Whether a command did not succeed for good, or nobody knows whether it ran."""
        return bool(self._failed_keys)

    def _restore(self) -> None:
        """What the last guard left behind: commands of which it saw no end, and old trouble."""
        for key, act in self._guard_state.acts.items():
            if act.standing == "started":
                self._finish(key, act, "unsure", "the guard ended while the command ran", None)
            elif act.standing == "failed":
                self._due[key] = time.monotonic()
        since = parse_time(self._guard_state.trouble_since)
        if since is not None:
            gone = max((self._clock() - since).total_seconds(), 0.0)
            self._unknown_at = self._began - gone

    def _poll(self) -> None:
        try:
            answer = self._client.fetch()
            seen = parse_verdict(answer.body, self._guard_state.account)
            self._validator.check(seen, answer.etag, self._clock())
        except UntrustedResponseError as error:
            self._handle_unknown(error.code, error.detail)
            return
        self._guard_state.sequence, self._guard_state.as_of = seen.sequence, seen.as_of.isoformat()
        if seen.state == "unknown" and not seen.must_be_flat:
            self._handle_unknown("unknown", ", ".join(seen.reasons), seen)
        else:
            self._apply_verdict(seen)

    def _apply_verdict(self, seen: ReceivedVerdict) -> None:
        """Decide by a verdict that says something."""
        self.state, self.must_be_flat = seen.state, seen.must_be_flat
        self._unknown_at, self._guard_state.trouble_since = None, None
        if seen.state != "unknown":
            self._guard_state.flat_since = None
        elif self._guard_state.flat_since is None:
            self._guard_state.flat_since = seen.as_of.isoformat()
        new = [
            key
            for key, cause, broken in self._required_actions(seen)
            if self._schedule(key, cause, seen, broken)
        ]
        self._cancel_obsolete({key for key, _, _ in self._required_actions(seen)})
        self._save()
        words = f"{seen.state}, to act on: {len(new)}" if seen.must_be_flat else seen.state
        self._log("act" if new else "known" if seen.must_be_flat else "none", words, seen)

    def _required_actions(self, seen: ReceivedVerdict) -> list[tuple[str, ActionCause, BreachInfo | None]]:
        """Everything in a verdict that a command belongs to, by key."""
        if seen.state == "unknown":
            return [(f"unknown {self._guard_state.flat_since}", "unknown", None)]
        return [(broken.id, "breach", broken) for broken in seen.breaches]

    def _handle_unknown(self, code: str, detail: str, seen: ReceivedVerdict | None = None) -> None:
        """Hold on while nobody knows; but not for longer than told."""
        self.state = "unknown"
        if self._unknown_at is None:
            self._unknown_at = time.monotonic()
            self._guard_state.trouble_since = self._clock().isoformat()
        silent = time.monotonic() - self._unknown_at
        decision, key = "hold", f"silence {self._guard_state.trouble_since}"
        if silent >= self._options.dead_after_s:
            decision = "dead_hold" if self._options.on_unknown == "hold" else "dead_act"
        self.must_be_flat = decision == "dead_act"
        if decision == "dead_act" and not self._schedule(key, "silence", seen, None, code):
            decision = "dead_known"
        self._save()
        self._log(decision, f"{code}: {detail}", seen, silent_s=round(silent, 1))

    def _schedule(
        self,
        key: str,
        cause: ActionCause,
        seen: ReceivedVerdict | None,
        broken: BreachInfo | None,
        code: str = "",
    ) -> bool:
        """Have a command run, unless one was for this."""
        known = self._guard_state.acts.get(key)
        if known is not None and known.standing != "dropped":
            return False
        about = _command_environment(self._guard_state.account, key, cause, seen, broken, code)
        self._guard_state.acts[key] = Action(cause, "failed", about, known.attempts if known else 0)
        self._due[key] = time.monotonic()
        return True

    def _cancel_obsolete(self, wanted: set[str]) -> None:
        """Try no longer what a believable verdict does not ask for any more."""
        for key in [key for key in self._due if key not in wanted]:
            del self._due[key]
            self._guard_state.acts[key].standing = "dropped"
            self._log("dropped", f"{key} is over; its command is not tried again")

    def _run_due(self) -> None:
        for key in [key for key, due in self._due.items() if due <= time.monotonic()]:
            del self._due[key]
            self._run_command(key, self._guard_state.acts[key])

    def _run_command(self, key: str, act: Action) -> None:
        """Run the command: remembered on the disk before it begins, and after it ended."""
        act.attempts += 1
        act.standing, act.last_at = "started", self._clock().isoformat()
        about = act.about | {"TEARSHEET_VERDICT_ATTEMPT": str(act.attempts)}
        self._save()
        self._log("run", f"the command, attempt {act.attempts}", key=key, cause=act.cause)
        outcome = self._command.run(about)
        self._finish(key, act, outcome.status, outcome.message, outcome.exit_code)

    def _finish(
        self,
        key: str,
        act: Action,
        standing: Literal["done", "failed", "unsure"],
        words: str,
        code: int | None,
    ) -> None:
        act.standing, act.exit_code = standing, code
        again = standing == "failed" or (standing == "unsure" and self._options.repeat_if_unsure)
        if again and act.attempts > self._options.retries:
            act.standing = "gave_up"
        elif again:
            act.standing = "failed"
            wait = min(_FIRST_RETRY_S * 2 ** (act.attempts - 1), _LAST_RETRY_S)
            self._due[key] = time.monotonic() + wait
        if act.standing in ("gave_up", "unsure"):
            self._failed_keys.add(key)
        self._save()
        self._log(
            standing if act.standing == "failed" else act.standing,
            words,
            key=key,
            exit_code=code,
            attempt=act.attempts,
        )

    def _save(self) -> None:
        """Remember; where that fails, go on: once too often after a crash is better than never."""
        try:
            self._state_file.save()
        except StoreError as error:
            self._log("not_remembered", error.message)

    def _wait(self) -> None:
        """Wait for the next look, a retry, the dead-man's switch or an event, whichever is first."""
        now, orders = time.monotonic(), self._options
        every = orders.every_s
        if self._unknown_at is not None:
            every = min(every, _UNKNOWN_EVERY_S)
            dead_at = self._unknown_at + orders.dead_after_s
            if dead_at > now:
                every = min(every, dead_at - now)
        for due in self._due.values():
            every = min(every, due - now)
        self._ended.wait(_MIN_WAIT_S)
        self._woken.wait(max(every - _MIN_WAIT_S, 0))

    def _log(self, decision: str, words: str, seen: ReceivedVerdict | None = None, **fields: object) -> None:
        if seen is not None:
            fields |= {
                "state": seen.state,
                "must_be_flat": seen.must_be_flat,
                "sequence": seen.sequence,
                "as_of": seen.as_of.isoformat(),
                "data_age_s": seen.data_age_s,
                "broken": [broken.id for broken in seen.breaches],
                "reasons": list(seen.reasons),
            }
        self._audit.write(self._clock(), decision, words, **fields)


def _command_environment(
    account: str,
    key: str,
    cause: ActionCause,
    seen: ReceivedVerdict | None,
    broken: BreachInfo | None,
    code: str,
) -> dict[str, str]:
    """What the command sees of the verdict."""
    about = {
        "ACCOUNT": account,
        "KEY": key,
        "CAUSE": cause,
        "STATE": seen.state if seen else "unknown",
        "REASONS": ",".join(seen.reasons) if seen else code,
        "TRADING_DAY": seen.trading_day if seen else "",
        "SEQUENCE": str(seen.sequence) if seen else "",
        "AS_OF": seen.as_of.isoformat() if seen else "",
        "LIMIT": broken.limit if broken else "",
        "VALUE": broken.value if broken else "",
        "THRESHOLD": broken.threshold if broken else "",
    }
    return {f"TEARSHEET_VERDICT_{name}": value for name, value in about.items()}
