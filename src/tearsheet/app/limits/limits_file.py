"""Limits of the targets file, with the last valid version in the ledger as the fallback."""

import re
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from tearsheet.app.parsed_file import ParsedFile
from tearsheet.errors import MissingSourceError, SettingsError, StoreError
from tearsheet.rules.limit import Limits
from tearsheet.store.tables.ledger import Ledger

_LOCK_TIMEOUT_S = 0.2
_STATED_NONE = re.compile(r"^(?:limits:\s*)?\{\s*\}\s*(?:#.*)?$", re.MULTILINE)


class LoadedLimits(Struct, frozen=True):
    """Limits to evaluate; `error` is the reason why the file could not be loaded, None if it was."""

    limits: Limits
    error: str | None = None


class LimitsFile:
    """Loader for the limits in the targets file of one ledger."""

    def __init__(self, ledger: Ledger, path: Path) -> None:
        self._ledger = ledger
        self._file = ParsedFile(ledger, path, "limits", Limits, _parse_limits, _find_loss)

    def load(self) -> LoadedLimits:
        """Return the current limits, or the last stored ones if the file is invalid. Raises StoreError."""
        try:
            return LoadedLimits(self._file.load())
        except MissingSourceError as error:
            last = self._file.last_stored() or Limits()
            return LoadedLimits(last, error.message if last != Limits() else None)
        except SettingsError as error:
            return LoadedLimits(self._file.last_stored() or Limits(), error.message)

    def remember(self) -> None:
        """Save the limits of a changed valid file, so that they are known if the file vanishes."""
        is_new = self.load().error is None and self._file.digest and not self._file.is_stored
        if is_new and not self._ledger.read_only:
            with suppress(StoreError), self._ledger.lock_timeout(_LOCK_TIMEOUT_S), self._ledger.writing():
                self._file.store()

    def save_snapshot(self, loaded: LoadedLimits) -> None:
        """Save the limits of a valid file in the ledger. Requires a write transaction."""
        if loaded.error is None:
            self._file.store()


def _find_loss(last: Limits, new: Limits, text: str) -> str | None:
    """Return that limits are gone, unless the file says that there are to be none."""
    if last == Limits() or new != Limits() or _STATED_NONE.search(text):
        return None
    return "has no limits any more: the last known ones go on"


def _parse_limits(path: Path) -> Limits:
    if not path.exists():
        return Limits()
    from tearsheet.sources.config.limits import limits_in  # deferred: imports a YAML parser and difflib

    return limits_in(path) or Limits()
