"""Runs the command: as a process of its own, without a shell unless asked, within a time."""

import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Literal

from tearsheet.errors import UsageError
from tearsheet.guard.asking import TOKEN_VARIABLE

_GRACE_S = 3.0
_SHOWN = 2000


@dataclass(frozen=True)
class CommandResult:
    """How a run ended. `unsure` says that it was stopped in the middle of who knows what."""

    status: Literal["done", "failed", "unsure"]
    exit_code: int | None
    message: str


class Command:
    """What to run on a breach. Raises UsageError where it is none."""

    def __init__(self, line: str, timeout_s: float, *, shell: bool = False) -> None:
        try:
            words = shlex.split(line)
        except ValueError as error:
            raise UsageError(f"--on-breach {line!r} cannot be read: {error}", _HINT) from None
        if not words:
            raise UsageError("--on-breach names no command", _HINT)
        self._words = ["/bin/sh", "-c", line] if shell else words
        self._timeout_s = timeout_s

    def run(self, about: Mapping[str, str]) -> CommandResult:
        """Run it, and wait. It sees `about` in its environment, and never the token."""
        inherited = {k: v for k, v in os.environ.items() if k != TOKEN_VARIABLE}
        with tempfile.TemporaryFile() as output:
            try:
                process = subprocess.Popen(
                    self._words,
                    env=inherited | dict(about),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                return CommandResult("failed", None, f"it cannot be started: {error}")
            try:
                code = process.wait(self._timeout_s)
            except subprocess.TimeoutExpired:
                _stop(process)
                words = f"stopped after {self._timeout_s:g} s; {_output_tail(output)}"
                return CommandResult("unsure", process.returncode, words)
            return CommandResult("failed" if code else "done", code, _output_tail(output))


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """End the command and all that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            continue
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _output_tail(output: IO[bytes]) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - _SHOWN))
    return output.read().decode("utf-8", "replace").strip()


_HINT = "name a program and its arguments, such as --on-breach 'flatten --account Sim101'"
