"""Audit log of the guard: one JSON line per decision, fsynced before the guard continues."""

import json
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from tearsheet.errors import SettingsError
from tearsheet.shared_files import append_lines


class AuditLog:
    """Append-only JSON lines file. A write error goes to standard error and does not stop the guard:
    protecting the account takes precedence over logging."""

    def __init__(self, file: Path, account: str, print_line: Callable[[str], None]) -> None:
        self._file, self._account, self._print = file, account, print_line
        self._last_printed = ""
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.open("ab").close()
        except OSError as error:
            raise SettingsError(
                f"the audit file {file} cannot be written: {error.strerror or error}",
                "choose a file in a writable folder by --audit",
            ) from None

    def write(self, at: datetime, decision: str, message: str, **fields: Any) -> None:
        """Append a decision; print it if it differs from the last printed one."""
        line = {
            "at": at.isoformat(),
            "account": self._account,
            "decision": decision,
            "words": message,
            **fields,
        }
        self._append(json.dumps(line, ensure_ascii=False, default=str))
        if (text := f"{decision}: {message}") != self._last_printed:
            self._last_printed = text
            self._print(f"{at:%Y-%m-%d %H:%M:%S}Z  {self._account}  {text}")

    def _append(self, line: str) -> None:
        data = line.encode("utf-8", "backslashreplace")
        try:
            append_lines(self._file, [data])
        except OSError as error:
            sys.stderr.write(f"tearsheet guard: the audit file cannot be written: {error}\n{line}\n")
