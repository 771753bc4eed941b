"""Persistent state of the guard: the breaches it acted on, and the last sequence it accepted.

The file is replaced atomically before and after each command, so that a restart or SIGKILL neither
forgets a run nor repeats one.
"""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from tearsheet.errors import SettingsError, StoreError, UsageError
from tearsheet.shared_files import exclusive_lock, replace_file

SCHEMA = "tearsheet.guard/1"
_MAX_ACTIONS = 1000
#: started: may have run. failed: exited with an error, will be retried. dropped: no longer required.
ActionStatus = Literal["started", "done", "failed", "gave_up", "unsure", "dropped"]
ActionCause = Literal["breach", "unknown", "silence"]
#: Keys of the state file that differ from the attribute names; the file format is fixed by `SCHEMA`.
_STATE_KEYS = {"unknown_since": "trouble_since", "actions": "acts"}
_ACTION_KEYS = {"status": "standing", "environment": "about"}


@dataclass
class Action:
    """The command runs for one breach or one unknown period."""

    cause: ActionCause
    status: ActionStatus
    environment: dict[str, str]
    attempts: int = 0
    last_at: str = ""
    exit_code: int | None = None


@dataclass
class GuardState:
    """Content of the state file. `unknown_since`: start of the current period without a usable verdict."""

    account: str
    sequence: int = 0
    as_of: str | None = None
    unknown_since: str | None = None
    flat_since: str | None = None
    actions: dict[str, Action] = field(default_factory=dict)


class StateFile:
    """State file under an exclusive lock. Raises SettingsError, UsageError, StoreError.

    StoreError: another guard is using the lock, or the file cannot be written.
    """

    def __init__(self, file: Path, account: str) -> None:
        self._file = file
        self._lock = _lock(file)
        self.state = _load(file, account)

    def close(self) -> None:
        """Release the lock."""
        self._lock.close()

    def save(self) -> None:
        """Replace the file atomically and fsync it. Raises StoreError."""
        newest = list(self.state.actions.items())[-_MAX_ACTIONS:]
        self.state.actions = dict(newest)
        content = json.dumps({"schema": SCHEMA, **_state_to_json(self.state)}, indent=1)
        try:
            replace_file(self._file, f"{content}\n".encode())
        except OSError as error:
            raise StoreError(
                f"the guard's state {self._file} cannot be written: {error.strerror or error}",
                "check the disk and the permissions, or name another file by --state",
            ) from None


def parse_time(text: str | None) -> datetime | None:
    """Parse a timestamp of the file; None stays None."""
    return None if text is None else datetime.fromisoformat(text)


def guarded_accounts(folder: Path) -> list[str]:
    """Return the accounts whose state files are in a folder. Raises SettingsError for one that is damaged."""
    accounts = []
    for file in sorted(folder.glob("*.json")):
        try:
            content = json.loads(file.read_text("utf-8"))
            if content["schema"] == SCHEMA:
                accounts.append(str(content["account"]))
        except FileNotFoundError:
            continue
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _unusable(file, error) from None
    return accounts


def _unusable(file: Path, error: Exception) -> SettingsError:
    return SettingsError(
        f"the guard's state {file} cannot be used: {type(error).__name__}: {error}",
        "it records which breaches were handled: restore it, or check the account manually before you delete it",
    )


def _lock(file: Path) -> ExitStack:
    """Return the lock of a state file; closing it releases the lock."""
    lock = ExitStack()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        is_mine = lock.enter_context(exclusive_lock(file.with_name(f"{file.name}.lock")))
    except OSError as error:
        raise StoreError(
            f"the guard's state {file} cannot be written: {error.strerror or error}",
            "choose a file in a writable folder by --state",
        ) from None
    if not is_mine:
        lock.close()
        raise StoreError(
            f"another guard is using {file}",
            "run one guard per account: stop the other, or set a different --state",
        )
    return lock


def _load(file: Path, account: str) -> GuardState:
    try:
        state = _state_from_json(json.loads(file.read_text("utf-8")))
    except FileNotFoundError:
        return GuardState(account)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unusable(file, error) from None
    if state.account != account:
        raise UsageError(
            f"the guard's state {file} is of account {state.account!r}",
            f"name another --state for {account!r}",
        )
    return state


def _state_to_json(state: GuardState) -> dict[str, Any]:
    content = _rename_keys(asdict(state), _STATE_KEYS)
    content["acts"] = {key: _rename_keys(action, _ACTION_KEYS) for key, action in content["acts"].items()}
    return content


def _state_from_json(content: dict[str, Any]) -> GuardState:
    if content.pop("schema") != SCHEMA:
        raise ValueError("it is of another version")
    fields = _rename_keys(content, {key: name for name, key in _STATE_KEYS.items()})
    action_fields = {key: name for name, key in _ACTION_KEYS.items()}
    fields["actions"] = {
        key: Action(**_rename_keys(action, action_fields)) for key, action in fields["actions"].items()
    }
    state = GuardState(**fields)
    for text in (state.as_of, state.unknown_since, state.flat_since):
        parse_time(text)
    return state


def _rename_keys(content: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in content.items()}
