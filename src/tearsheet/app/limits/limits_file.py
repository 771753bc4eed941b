"""The limits as their file states them now; while it cannot be read, as it last did.

What the file said is kept in the ledger under a digest of its content, so that a change is judged
without a YAML parser, and still judged when somebody breaks the file.
"""

from pathlib import Path

import msgspec
from msgspec import Struct

from tearsheet.app.book_rules import file_digest
from tearsheet.errors import SettingsError
from tearsheet.rules.limit import Limits
from tearsheet.store.tables.ledger import Ledger

_DIGEST, _CONTENT = "limits_digest", "limits"


class LoadedLimits(Struct, frozen=True):
    """The limits to judge by; `trouble` says why they may not be those of the file."""

    limits: Limits
    digest: str
    error: str | None = None


class LimitsFile:
    """Reads the limits, each content once a process."""

    def __init__(self, ledger: Ledger, path: Path) -> None:
        self._ledger = ledger
        self._path = path
        self._loaded: LoadedLimits | None = None

    def load(self) -> LoadedLimits:
        """The limits that hold now. Raises StoreError."""
        try:
            digest = file_digest(self._path)
        except OSError as error:
            return self._last_good(f"{self._path} cannot be read: {error.strerror or error}")
        if self._loaded is None or self._loaded.digest != digest:
            self._loaded = self._load(digest)
        return self._loaded

    def save_snapshot(self, stated: LoadedLimits) -> None:
        """Remember in the ledger what the file said; inside a transaction that writes."""
        if stated.error is None and self._ledger.get(_DIGEST) != stated.digest:
            self._ledger.put(_CONTENT, msgspec.json.encode(stated.limits).decode())
            self._ledger.put(_DIGEST, stated.digest)

    def _load(self, digest: str) -> LoadedLimits:
        if not digest:
            return LoadedLimits(Limits(), digest)
        if self._ledger.get(_DIGEST) == digest and (kept := self._saved()) is not None:
            return LoadedLimits(kept, digest)
        from tearsheet.sources.config.limits import (
            limits_in,  # a YAML parser, only where the content is new
        )

        try:
            return LoadedLimits(limits_in(self._path) or Limits(), digest)
        except SettingsError as error:
            return self._last_good(error.message, digest)

    def _last_good(self, trouble: str, digest: str = "") -> LoadedLimits:
        return LoadedLimits(self._saved() or Limits(), digest, trouble)

    def _saved(self) -> Limits | None:
        """What the file last said, None where it said nothing or another Tearsheet wrote it down."""
        text = self._ledger.get(_CONTENT)
        try:
            return None if text is None else msgspec.json.decode(text, type=Limits)
        except msgspec.MsgspecError:
            return None
