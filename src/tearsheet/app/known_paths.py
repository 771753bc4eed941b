"""Paths of the settings that a ledger has used, to distinguish a path that never existed from one that is gone."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import json

from tearsheet.errors import MissingSourceError, StoreError
from tearsheet.settings import SETTINGS, Settings
from tearsheet.store.tables.ledger import Ledger

#: Settings whose path has to exist if it is stated.
_KEYS = ("log_dir", "targets_file", "instruments_file", "layouts_dir")
_PATHS = "seen_paths"
_LOCK_TIMEOUT_S = 1.0


def note_paths(ledger: Ledger, settings: Settings) -> None:
    """Note in the ledger which paths exist.

    Raises MissingSourceError for a path that is stated, does not exist, and never did for this ledger.
    """
    paths, new = _known_paths(ledger), False
    for key in _KEYS:
        path: Path = getattr(settings, key)
        known = paths.setdefault(key, [])
        if str(path) in known:
            continue
        if path.exists():
            known.append(str(path))
            new = True
        elif settings.origin is not None and key in settings.stated:
            raise MissingSourceError(*_never_there(settings, key, path), (key,))
    if new:
        _save(ledger, paths)


def note_folders(ledger: Ledger, folders: Sequence[Path]) -> None:
    """Note the folders of dropped statements. Raises MissingSourceError for one that never existed."""
    paths = _known_paths(ledger)
    known = paths.setdefault("statements", [])
    for folder in folders:
        if not folder.is_dir() and str(folder) not in known:
            raise MissingSourceError(
                f"--statements names {folder}, which does not exist", "make the folder, or correct the path"
            )
    new = [str(folder) for folder in folders if str(folder) not in known]
    if new:
        known += new
        _save(ledger, paths)


def _known_paths(ledger: Ledger) -> dict[str, list[str]]:
    return json.decode(ledger.get(_PATHS) or "{}", type=dict[str, list[str]])


def _save(ledger: Ledger, paths: dict[str, list[str]]) -> None:
    if not ledger.read_only:
        with suppress(StoreError), ledger.lock_timeout(_LOCK_TIMEOUT_S), ledger.writing():
            ledger.put(_PATHS, json.encode(paths).decode())


def _never_there(settings: Settings, key: str, path: Path) -> tuple[str, str]:
    variable = settings.env_variable_of(key)
    where = f"environment variable {variable}" if variable else f"{settings.file()}: {key}"
    default = next(setting.default for setting in SETTINGS if setting.key == key)
    return (
        f"{where} names {path}, which does not exist",
        f"make it, correct the path, or take the setting out: the default is {default}",
    )
