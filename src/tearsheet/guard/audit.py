"""The guard's record: a line for every decision, on the disk before the guard goes on."""

import json
import os
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from tearsheet.errors import SettingsError


class AuditLog:
    """Appends JSON lines to a file. Where that fails, standard error says so and the guard goes on:
    protecting the account comes before writing about it."""

    def __init__(self, file: Path, account: str, tell: Callable[[str], None]) -> None:
        self._file, self._account, self._print = file, account, tell
        self._last_printed = ""
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.open("ab").close()
        except OSError as error:
            raise SettingsError(
                f"the audit file {file} cannot be written: {error.strerror or error}",
                "name a file in a folder that can be written by --audit",
            ) from None

    def write(self, at: datetime, decision: str, words: str, **fields: Any) -> None:
        """Record a decision; tell it too where it differs from the last one."""
        line = {
            "at": at.isoformat(),
            "account": self._account,
            "decision": decision,
            "words": words,
            **fields,
        }
        self._append(json.dumps(line, ensure_ascii=False, default=str) + "\n")
        if (told := f"{decision}: {words}") != self._last_printed:
            self._last_printed = told
            self._print(f"{at:%Y-%m-%d %H:%M:%S}Z  {self._account}  {told}")

    def _append(self, line: str) -> None:
        data = line.encode("utf-8", "backslashreplace")
        try:
            with self._file.open("ab") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            sys.stderr.write(f"tearsheet guard: the audit file cannot be written: {error}\n{line}")
