"""Run the breach command in its own process group, with a timeout, without a shell by default."""

import os
import shlex
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Literal

from tearsheet.errors import UsageError
from tearsheet.guard.client import TOKEN_VARIABLE

_GRACE_S = 3.0
_MAX_OUTPUT_BYTES = 2000
#: Runs at once, for breaches of many accounts at the same moment.
_MAX_RUNNING = 64


@dataclass(frozen=True)
class CommandResult:
    """Result of one run. `unsure`: the command was stopped by the timeout, its effects are unknown."""

    status: Literal["done", "failed", "unsure"]
    exit_code: int | None
    message: str


class Command:
    """Command that runs on a breach. Raises UsageError if it is empty or cannot be parsed."""

    def __init__(self, line: str, timeout_s: float, *, shell: bool = False) -> None:
        try:
            arguments = shlex.split(line)
        except ValueError as error:
            raise UsageError(f"--on-breach {line!r} cannot be read: {error}", _HINT) from None
        if not arguments:
            raise UsageError("--on-breach names no command", _HINT)
        self._arguments = ["/bin/sh", "-c", line] if shell else arguments
        self._timeout_s = timeout_s
        self._free = threading.BoundedSemaphore(_MAX_RUNNING)

    def run(self, environment: Mapping[str, str]) -> CommandResult:
        """Run the command and wait. `environment` is added to the guard's own variables, minus the token."""
        with self._free:
            return self._run(environment)

    def _run(self, environment: Mapping[str, str]) -> CommandResult:
        inherited = {k: v for k, v in os.environ.items() if k != TOKEN_VARIABLE}
        with tempfile.TemporaryFile() as output:
            try:
                process = subprocess.Popen(
                    self._arguments,
                    env=inherited | dict(environment),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                return CommandResult("failed", None, f"cannot start the command: {error}")
            try:
                code = process.wait(self._timeout_s)
            except subprocess.TimeoutExpired:
                _stop(process)
                message = f"stopped after {self._timeout_s:g} s; {_output_tail(output)}"
                return CommandResult("unsure", process.returncode, message)
            return CommandResult("failed" if code else "done", code, _output_tail(output))


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Stop the process group: SIGTERM, then SIGKILL after a grace period."""
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal_number)
        try:
            process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            continue
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _output_tail(output: IO[bytes]) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - _MAX_OUTPUT_BYTES))
    return output.read().decode("utf-8", "replace").strip()


_HINT = "name a program and its arguments, such as --on-breach 'flatten --account Sim101'"
