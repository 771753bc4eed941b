"""Settings file whose parsed content is cached in the ledger by content hash.

A process that finds the content in the ledger starts without a YAML parser. While the file is invalid, the
ledger has the last valid content.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from tearsheet.app.file_content import RESTORE_HINT, file_digest, read_small_file
from tearsheet.errors import MissingSourceError, SettingsError
from tearsheet.store.tables.ledger import Ledger

T = TypeVar("T")
#: Name of the file of targets and limits among the sources.
TARGETS = "targets"


class ParsedFile(Generic[T]):
    """Parsed content of a file, from memory, from the ledger under `key`, or from `parse`.

    `parse` receives the path, even if the file is missing; `find_loss` the last content, a new one and its text, and
    returns what a half saved file has lost. Not thread-safe: one instance per context.
    """

    def __init__(
        self,
        ledger: Ledger,
        path: Path,
        key: str,
        kind: type[T],
        parse: Callable[[Path], T],
        find_loss: Callable[[T, T, str], str | None] = lambda last, new, text: None,
    ) -> None:
        self._ledger, self._path, self._kind, self._parse = ledger, path, kind, parse
        self._find_loss = find_loss
        self._key, self._digest_key = key, f"{key}_digest"
        self._content: T | SettingsError | None = None
        #: hash of the content that was loaded last; empty for a missing file
        self.digest = ""

    def load(self) -> T:
        """Return the current content; the stored one if the file may be absent.

        Raises MissingSourceError if the file is known and gone, SettingsError if it is invalid or unreadable,
        StoreError.
        """
        try:
            digest = file_digest(self._path)
        except OSError as error:
            reason = error.strerror or error
            raise SettingsError(f"{self._path} cannot be read: {reason}", "it is a YAML file") from None
        if not digest and self._ledger.get(self._digest_key):
            return self._without_file()
        if self._content is None or digest != self.digest:
            self._content, self.digest = self._read(digest), digest
        if isinstance(self._content, SettingsError):
            raise self._content
        return self._content

    def _without_file(self) -> T:
        stored = self.last_stored()
        if stored is not None and self._ledger.queries.exists("absence", (TARGETS,)):
            return stored
        raise MissingSourceError(
            f"{self._path} is gone",
            f"restore it; or decide: `tearsheet sources keep|accept {TARGETS} --by NAME`",
            ("targets_file",),
        )

    @property
    def is_stored(self) -> bool:
        """Whether the ledger has the content that was loaded last."""
        return self._ledger.get(self._digest_key) == self.digest

    def store(self) -> None:
        """Save the content that was loaded last, if it is valid; call it inside a write transaction."""
        if not isinstance(self._content, SettingsError) and not self.is_stored:
            self._ledger.put(self._key, msgspec.json.encode(self._content).decode())
            self._ledger.put(self._digest_key, self.digest)

    def last_stored(self) -> T | None:
        """Return the content that was stored last; None if it is missing or was written by an incompatible version."""
        text = self._ledger.get(self._key)
        try:
            return None if text is None else msgspec.json.decode(text, type=self._kind)
        except msgspec.MsgspecError:
            return None

    def _read(self, digest: str) -> T | SettingsError:
        if digest and self._ledger.get(self._digest_key) == digest and (stored := self.last_stored()):
            return stored
        try:
            content = self._parse(self._path)
        except SettingsError as error:
            return error
        last = self.last_stored() if digest else None
        text = "" if last is None else (read_small_file(self._path) or b"").decode("utf-8", "replace")
        lost = None if last is None else self._find_loss(last, content, text)
        return content if lost is None else SettingsError(f"{self._path} {lost}", RESTORE_HINT)
