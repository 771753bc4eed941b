"""The limits as their file states them; while it cannot be read, as it last did."""

from pathlib import Path

from msgspec import Struct

from tearsheet.app.parsed_file import ParsedFile
from tearsheet.errors import SettingsError
from tearsheet.rules.limit import Limits
from tearsheet.store.tables.ledger import Ledger


class LoadedLimits(Struct, frozen=True):
    """The limits to evaluate; `error` says why they may not be those of the file."""

    limits: Limits
    error: str | None = None


class LimitsFile:
    """The limits of one ledger's targets file."""

    def __init__(self, ledger: Ledger, path: Path) -> None:
        self._file = ParsedFile(ledger, path, "limits", Limits, _parse_limits)

    def load(self) -> LoadedLimits:
        """Return the limits that apply now. Raises StoreError."""
        try:
            return LoadedLimits(self._file.load())
        except SettingsError as error:
            return LoadedLimits(self._file.last_stored() or Limits(), error.message)

    def save_snapshot(self, loaded: LoadedLimits) -> None:
        """Store the limits of a valid file in the ledger; inside a write transaction."""
        if loaded.error is None:
            self._file.store()


def _parse_limits(path: Path) -> Limits:
    if not path.exists():
        return Limits()
    from tearsheet.sources.config.limits import limits_in  # imports a YAML parser and difflib

    return limits_in(path) or Limits()
