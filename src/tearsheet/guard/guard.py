"""Polling loop of the guard: fetch the verdict, validate it, run the command once per breach, log.

The state is saved before a command runs, so that a crash leaves it `unsure` and never causes a second
order; only a command that reports failure is retried. `--repeat-if-unsure` reverses this.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from tearsheet.errors import StoreError
from tearsheet.guard.audit import AuditLog
from tearsheet.guard.client import VerdictSource
from tearsheet.guard.command import Command
from tearsheet.guard.state import Action, ActionCause, StateFile, parse_time
from tearsheet.guard.validation import ResponseValidator, ValidationLimits
from tearsheet.guard.verdict import BreachInfo, ReceivedVerdict, UntrustedResponseError, parse_verdict

#: Longest poll interval in seconds while there is no usable verdict.
_UNKNOWN_EVERY_S = 5.0
#: Shortest poll interval in seconds, even if events arrive more often.
_MIN_WAIT_S = 0.2
#: Retry delay of a failed command in seconds: the first, doubled each time up to the last.
_FIRST_RETRY_S, _LAST_RETRY_S = 1.0, 60.0

UnknownPolicy = Literal["hold", "breach"]


@dataclass(frozen=True)
class GuardOptions:
    """Options of the command line; times in seconds."""

    every_s: float
    dead_after_s: float
    on_unknown: UnknownPolicy
    retries: int
    repeat_if_unsure: bool


class Guard:
    """Guard of one account.

    `state` is the latest state: ok, warn, breach or unknown. `must_be_flat`: the latest decision
    requires the command, whether it ran now or earlier.
    """

    def __init__(
        self,
        options: GuardOptions,
        validation: ValidationLimits,
        client: VerdictSource,
        command: Command,
        state_file: StateFile,
        audit: AuditLog,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._options, self._client, self._command = options, client, command
        self._state_file, self._guard_state = state_file, state_file.state
        self._audit, self._clock = audit, clock
        self._validator = ResponseValidator(
            validation, self._guard_state.sequence, parse_time(self._guard_state.as_of)
        )
        self._woken, self._ended = threading.Event(), threading.Event()
        self._due: dict[str, float] = {}
        self._started_at = time.monotonic()
        self._unknown_at: float | None = None
        self._failed_keys: set[str] = set()
        self.state = "unknown"
        self.must_be_flat = False

    def run(self, *, once: bool = False) -> None:
        """Poll until `end` is called; `once` polls one time and runs the due commands to their end.

        Raises StoreError if the state file cannot be written at the start.
        """
        self.check_writable()
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

    def check_writable(self) -> None:
        """Save the state now, so that an unwritable file is not found during a breach. Raises StoreError."""
        self._state_file.save()

    def wake(self) -> None:
        """Poll soon; called for an event."""
        self._woken.set()

    def end(self) -> None:
        """Stop after the current command; safe in a signal handler."""
        self._ended.set()
        self._woken.set()

    @property
    def failed(self) -> bool:
        """Whether a command failed after all retries, or it is unknown whether it ran."""
        return bool(self._failed_keys)

    def _restore(self) -> None:
        """Take over the state of the previous run: unfinished commands, and the time without a verdict."""
        for key, action in self._guard_state.actions.items():
            if action.status == "started":
                self._finish(key, action, "unsure", "the guard ended while the command ran", None)
            elif action.status == "failed":
                self._due[key] = time.monotonic()
        since = parse_time(self._guard_state.unknown_since)
        if since is not None:
            elapsed = max((self._clock() - since).total_seconds(), 0.0)
            self._unknown_at = self._started_at - elapsed

    def _poll(self) -> None:
        try:
            response = self._client.fetch()
            verdict = parse_verdict(response.body, self._guard_state.account)
            self._validator.check(verdict, response.etag, self._clock())
        except UntrustedResponseError as error:
            self._handle_unknown(error.code, error.detail)
            return
        self._guard_state.sequence, self._guard_state.as_of = verdict.sequence, verdict.as_of.isoformat()
        if verdict.state == "unknown" and not verdict.must_be_flat:
            self._handle_unknown("unknown", ", ".join(verdict.reasons), verdict)
        else:
            self._apply_verdict(verdict)

    def _apply_verdict(self, verdict: ReceivedVerdict) -> None:
        """Schedule the commands that a usable verdict requires, and cancel the others."""
        self.state, self.must_be_flat = verdict.state, verdict.must_be_flat
        self._unknown_at, self._guard_state.unknown_since = None, None
        if verdict.state != "unknown":
            self._guard_state.flat_since = None
        elif self._guard_state.flat_since is None:
            self._guard_state.flat_since = verdict.as_of.isoformat()
        required = self._required_actions(verdict)
        new = [key for key, cause, breach in required if self._schedule(key, cause, verdict, breach)]
        self._cancel_obsolete({key for key, _, _ in required})
        self._save()
        message = f"{verdict.state}, to act on: {len(new)}" if verdict.must_be_flat else verdict.state
        self._log("act" if new else "known" if verdict.must_be_flat else "none", message, verdict)

    def _required_actions(self, verdict: ReceivedVerdict) -> list[tuple[str, ActionCause, BreachInfo | None]]:
        """Return idempotency key, cause and breach of each command that a verdict requires."""
        if verdict.state == "unknown":
            return [(f"unknown {self._guard_state.flat_since}", "unknown", None)]
        return [(breach.id, "breach", breach) for breach in verdict.breaches]

    def _handle_unknown(self, code: str, detail: str, verdict: ReceivedVerdict | None = None) -> None:
        """Wait while there is no usable verdict; after `dead_after_s` apply the `on_unknown` policy."""
        self.state = "unknown"
        if self._unknown_at is None:
            self._unknown_at = time.monotonic()
            self._guard_state.unknown_since = self._clock().isoformat()
        unknown_s = time.monotonic() - self._unknown_at
        decision, key = "hold", f"silence {self._guard_state.unknown_since}"
        if unknown_s >= self._options.dead_after_s:
            decision = "dead_hold" if self._options.on_unknown == "hold" else "dead_act"
        self.must_be_flat = decision == "dead_act"
        if decision == "dead_act" and not self._schedule(key, "silence", verdict, None, code):
            decision = "dead_known"
        self._save()
        self._log(decision, f"{code}: {detail}", verdict, silent_s=round(unknown_s, 1))

    def _schedule(
        self,
        key: str,
        cause: ActionCause,
        verdict: ReceivedVerdict | None,
        breach: BreachInfo | None,
        code: str = "",
    ) -> bool:
        """Schedule a command, unless this key had one that was not dropped. Return whether it is new."""
        earlier = self._guard_state.actions.get(key)
        if earlier is not None and earlier.status != "dropped":
            return False
        environment = _command_environment(self._guard_state.account, key, cause, verdict, breach, code)
        attempts = earlier.attempts if earlier else 0
        # "failed" until the first run, so that a restart before it runs the command
        self._guard_state.actions[key] = Action(cause, "failed", environment, attempts)
        self._due[key] = time.monotonic()
        return True

    def _cancel_obsolete(self, required: set[str]) -> None:
        """Cancel retries that a usable verdict no longer requires."""
        for key in [key for key in self._due if key not in required]:
            del self._due[key]
            self._guard_state.actions[key].status = "dropped"
            self._log("dropped", f"{key} is no longer active; command not retried")

    def _run_due(self) -> None:
        for key in [key for key, due in self._due.items() if due <= time.monotonic()]:
            del self._due[key]
            self._run_command(key, self._guard_state.actions[key])

    def _run_command(self, key: str, action: Action) -> None:
        """Run the command; the state file is saved before it starts and after it ends."""
        action.attempts += 1
        action.status, action.last_at = "started", self._clock().isoformat()
        environment = action.environment | {"TEARSHEET_VERDICT_ATTEMPT": str(action.attempts)}
        self._save()
        self._log("run", f"the command, attempt {action.attempts}", key=key, cause=action.cause)
        result = self._command.run(environment)
        self._finish(key, action, result.status, result.message, result.exit_code)

    def _finish(
        self,
        key: str,
        action: Action,
        outcome: Literal["done", "failed", "unsure"],
        message: str,
        code: int | None,
    ) -> None:
        action.status, action.exit_code = outcome, code
        retry = outcome == "failed" or (outcome == "unsure" and self._options.repeat_if_unsure)
        if retry and action.attempts > self._options.retries:
            action.status = "gave_up"
        elif retry:
            action.status = "failed"
            wait = min(_FIRST_RETRY_S * 2 ** (action.attempts - 1), _LAST_RETRY_S)
            self._due[key] = time.monotonic() + wait
        if action.status in ("gave_up", "unsure"):
            self._failed_keys.add(key)
        self._save()
        self._log(
            outcome if action.status == "failed" else action.status,
            message,
            key=key,
            exit_code=code,
            attempt=action.attempts,
        )

    def _save(self) -> None:
        """Save the state. A write error is logged only: a second run after a crash is better than none."""
        try:
            self._state_file.save()
        except StoreError as error:
            self._log("not_remembered", error.message)

    def _wait(self) -> None:
        """Wait for the next poll, retry, dead-man's switch or event, whichever comes first."""
        now, options = time.monotonic(), self._options
        wait = options.every_s
        if self._unknown_at is not None:
            wait = min(wait, _UNKNOWN_EVERY_S)
            dead_at = self._unknown_at + options.dead_after_s
            if dead_at > now:
                wait = min(wait, dead_at - now)
        for due in self._due.values():
            wait = min(wait, due - now)
        self._ended.wait(_MIN_WAIT_S)
        self._woken.wait(max(wait - _MIN_WAIT_S, 0))

    def _log(
        self, decision: str, message: str, verdict: ReceivedVerdict | None = None, **fields: object
    ) -> None:
        if verdict is not None:
            fields |= {
                "state": verdict.state,
                "must_be_flat": verdict.must_be_flat,
                "sequence": verdict.sequence,
                "as_of": verdict.as_of.isoformat(),
                "data_age_s": verdict.data_age_s,
                "broken": [breach.id for breach in verdict.breaches],
                "reasons": list(verdict.reasons),
            }
        self._audit.write(self._clock(), decision, message, **fields)


def _command_environment(
    account: str,
    key: str,
    cause: ActionCause,
    verdict: ReceivedVerdict | None,
    breach: BreachInfo | None,
    code: str,
) -> dict[str, str]:
    """Return the environment variables that describe the verdict to the command."""
    values = {
        "ACCOUNT": account,
        "KEY": key,
        "CAUSE": cause,
        "STATE": verdict.state if verdict else "unknown",
        "REASONS": ",".join(verdict.reasons) if verdict else code,
        "TRADING_DAY": verdict.trading_day if verdict else "",
        "SEQUENCE": str(verdict.sequence) if verdict else "",
        "AS_OF": verdict.as_of.isoformat() if verdict else "",
        "LIMIT": breach.limit if breach else "",
        "VALUE": breach.value if breach else "",
        "THRESHOLD": breach.threshold if breach else "",
    }
    return {f"TEARSHEET_VERDICT_{name}": value for name, value in values.items()}
