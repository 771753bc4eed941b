"""What the guard must not forget: the breaches it acted on, and how far the service had come.

Kept in a file that is replaced whole, before and after each command, so that neither a restart nor a
kill forgets one or repeats one.
"""

import fcntl
import json
import os
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Literal

from tearsheet.errors import SettingsError, StoreError, UsageError

SCHEMA = "tearsheet.guard/1"
_MAX_ACTIONS = 1000
#: started: it may have run. failed: it said that it failed, and is tried again.
ActionStatus = Literal["started", "done", "failed", "gave_up", "unsure", "dropped"]
ActionCause = Literal["breach", "unknown", "silence"]


@dataclass
class Action:
    """What was done about a breach, or about not knowing."""

    cause: ActionCause
    standing: ActionStatus
    about: dict[str, str]
    attempts: int = 0
    last_at: str = ""
    exit_code: int | None = None


@dataclass
class GuardState:
    """All that the file holds. `trouble_since` is when verdicts stopped being usable."""

    account: str
    sequence: int = 0
    as_of: str | None = None
    trouble_since: str | None = None
    flat_since: str | None = None
    acts: dict[str, Action] = field(default_factory=dict)


class StateFile:
    """The file, held by this guard alone as long as it runs. Raises SettingsError, UsageError, StoreError."""

    def __init__(self, file: Path, account: str) -> None:
        self._file = file
        self._lock = _lock(file)
        self.state = _load(file, account)

    def close(self) -> None:
        """Let another guard have the file."""
        self._lock.close()

    def save(self) -> None:
        """Replace the file, on the disk before this returns. Raises StoreError."""
        newest = list(self.state.acts.items())[-_MAX_ACTIONS:]
        self.state.acts = dict(newest)
        content = json.dumps({"schema": SCHEMA, **asdict(self.state)}, indent=1)
        beside = self._file.with_name(f"{self._file.name}.new")
        try:
            with beside.open("w", encoding="utf-8") as file:
                file.write(content + "\n")
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._file)
            _fsync_folder(self._file.parent)
        except OSError as error:
            raise StoreError(
                f"the guard's state {self._file} cannot be written: {error.strerror or error}",
                "check the disk and the permissions, or name another file by --state",
            ) from None


def parse_time(text: str | None) -> datetime | None:
    """An instant as the file holds it."""
    return None if text is None else datetime.fromisoformat(text)


def _fsync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _lock(file: Path) -> IO[bytes]:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        opened = file.with_name(f"{file.name}.lock").open("ab")
    except OSError as error:
        raise StoreError(
            f"the guard's state {file} cannot be written: {error.strerror or error}",
            "name a file in a folder that can be written by --state",
        ) from None
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        opened.close()
        raise StoreError(
            f"another guard holds {file}", "one guard an account; stop it, or name another --state"
        ) from None
    return opened


def _load(file: Path, account: str) -> GuardState:
    try:
        content = json.loads(file.read_text("utf-8"))
        kept = _state_from(content)
    except FileNotFoundError:
        return GuardState(account)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"the guard's state {file} cannot be used: {type(error).__name__}: {error}",
            "it says which breaches were acted on; restore it, or remove it and check by hand",
        ) from None
    if kept.account != account:
        raise UsageError(
            f"the guard's state {file} is of account {kept.account!r}",
            f"name another --state for {account!r}",
        )
    return kept


def _state_from(content: dict[str, Any]) -> GuardState:
    if content.pop("schema") != SCHEMA:
        raise ValueError("it is of another version")
    acts = {key: Action(**act) for key, act in content.pop("acts").items()}
    kept = GuardState(**content, acts=acts)
    for text in (kept.as_of, kept.trouble_since, kept.flat_since):
        parse_time(text)
    return kept
