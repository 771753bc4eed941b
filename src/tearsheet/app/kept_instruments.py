"""Instruments that the books are of: the ledger keeps the last content of the file, and goes on with it."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct, json
from msgspec.structs import replace

from tearsheet.app.file_content import RESTORE_HINT, bytes_digest, read_small_file
from tearsheet.errors import MissingSourceError, OtherRulesError, SettingsError, StoreError
from tearsheet.settings import Settings
from tearsheet.sources.config.content import says_nothing
from tearsheet.store.tables.ledger import Ledger
from tearsheet.store.tables.sources import INSTRUMENTS
from tearsheet.trade.fee_schedule import FeeRule
from tearsheet.trade.instrument import InstrumentOverride

_LOCK_TIMEOUT_S = 1.0


class KeptInstruments(Struct, frozen=True):
    """Content of an instruments file with its hash, the places where it was read, and its newest time.

    Without a hash there is no file. `is_known` is False for ledgers that kept the hash alone.
    """

    digest: str = ""
    paths: tuple[str, ...] = ()
    mtime_ns: int = -1
    overrides: dict[str, InstrumentOverride] = {}
    fees: tuple[FeeRule, ...] = ()
    is_known: bool = True


class _File(Struct, frozen=True):
    data: bytes
    digest: str
    mtime_ns: int


class InstrumentSource:
    """Choice between the instruments file of a process and the content that the ledger keeps.

    An edit of a file that the books are of is followed. Another file is refused: two processes with different
    ones would rebuild each other's books in turn. Where there is no file, the ledger's content goes on.
    """

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self._ledger = ledger
        self.path: Path = settings.instruments_file
        self._is_stated = "instruments_file" in settings.stated
        self._last: tuple[tuple[int, int, int], _File | None] | None = None
        #: why the file is there and cannot be used, "" if it can
        self.problem = ""

    def check(self, fingerprint: str | None) -> None:
        """Raise OtherRulesError or MissingSourceError if this process cannot book by the ledger's instruments."""
        rules, _, digest = (fingerprint or "").rpartition("|")
        file = self._file()
        if rules and digest != ("" if file is None else file.digest):  # without rules: an old schema
            self._reject_other(self.kept(), file)

    def current(self) -> KeptInstruments:
        """Return the instruments to book by.

        Raises OtherRulesError, MissingSourceError, and SettingsError if the file is invalid.
        """
        kept, file = self.kept(), self._file()
        self._reject_other(kept, file)
        if file is None:
            return kept
        if file.digest != kept.digest or not kept.is_known:
            return self._parse(file)
        paths = kept.paths if str(self.path) in kept.paths else (*kept.paths, str(self.path))
        return replace(kept, paths=paths, mtime_ns=max(kept.mtime_ns, file.mtime_ns))

    def kept(self) -> KeptInstruments:
        """Return the instruments that the ledger keeps."""
        text = self._ledger.get(INSTRUMENTS)
        if text is not None:
            with suppress(msgspec.MsgspecError):  # written by another version: the hash is enough
                return json.decode(text, type=KeptInstruments)
        rules, _, digest = (self._ledger.get("fingerprint") or "").rpartition("|")
        return KeptInstruments(digest=digest if rules else "", is_known=False)

    @property
    def digest(self) -> str:
        """Return the hash of the instruments to book by. Raises as `current` does."""
        kept, file = self.kept(), self._file()
        self._reject_other(kept, file)
        return kept.digest if file is None else file.digest

    @property
    def is_there(self) -> bool:
        """Whether the file exists. Raises SettingsError if it cannot be read."""
        return self._file() is not None

    @property
    def is_lost(self) -> bool | None:
        """Whether a file that the books are of is gone from its place; None if this is not its place."""
        if self._file() is not None:
            return False
        kept = self.kept()
        if str(self.path) not in kept.paths and not self._is_stated:
            return None
        return bool(kept.digest) and not self._ledger.queries.exists("absence", (INSTRUMENTS,))

    def note_place(self) -> None:
        """Keep the content if only its hash was kept, and note that it is at this place, too."""
        file = self._file()
        if file is None or self._ledger.read_only:
            return
        kept = self.kept()
        if file.digest != kept.digest or (kept.is_known and str(self.path) in kept.paths):
            return
        patience = self._ledger.lock_timeout(_LOCK_TIMEOUT_S)
        with suppress(StoreError, SettingsError), patience, self._ledger.writing():
            self._ledger.put(INSTRUMENTS, as_text(self.current()))

    def _reject_other(self, kept: KeptInstruments, file: _File | None) -> None:
        if file is None:
            if kept.digest and not kept.is_known:
                raise MissingSourceError(
                    f"the books are of the instruments in {self.path}, which is gone",
                    f"restore it; or rebuild the books without it: `tearsheet sources forget {INSTRUMENTS} --by NAME`",
                    ("instruments_file",),
                )
            return
        is_edit = not kept.is_known or (str(self.path) in kept.paths and file.mtime_ns > kept.mtime_ns)
        if kept.digest and file.digest != kept.digest and not is_edit:
            if str(self.path) in kept.paths:
                raise OtherRulesError(
                    f"{self.path} was another file when the books were made, and a newer one: this one is of "
                    f"{_time(file.mtime_ns)}, as after a restore, that one of {_time(kept.mtime_ns)}",
                    f"put the newer one back; or `tearsheet sources accept {INSTRUMENTS} --by NAME`, "
                    "and the books are rebuilt by this one",
                    ("instruments_file",),
                )
            raise OtherRulesError(
                f"{self.path} (hash {file.digest}) states other instruments than those that the books are of "
                f"(hash {kept.digest}, of {', '.join(kept.paths)})",
                f"make it the same or take it away; `tearsheet sources accept {INSTRUMENTS} --by NAME` "
                "rebuilds the books by it",
                ("instruments_file",),
            )

    def _file(self) -> _File | None:
        """Return the file, read again only if its state changed; None if it does not exist."""
        try:
            info = self.path.stat()
            state = (info.st_mtime_ns, info.st_size, info.st_ino)
            if self._last is None or self._last[0] != state:
                data = read_small_file(self.path)
                file = None if data is None else _File(data, bytes_digest(data), info.st_mtime_ns)
                self._last = (state, self._usable(file))
            return self._last[1]
        except (FileNotFoundError, NotADirectoryError):
            self.problem = ""
            if self.path.is_symlink() and not self.kept().digest:
                raise SettingsError(
                    f"{self.path} is a link to a file that is not there", "mount it"
                ) from None
            return None
        except OSError as error:
            reason = error.strerror or error
            raise SettingsError(f"{self.path} cannot be read: {reason}", "it is a YAML file") from None

    def _usable(self, file: _File | None) -> _File | None:
        """Return a file, None for one that is half saved or wrong where the last content is known: that goes on."""
        self.problem = ""
        kept = self.kept()
        if file is None or file.digest == kept.digest or not (kept.is_known and kept.digest):
            return file
        try:
            self._parse(file)
        except SettingsError as error:
            self.problem = error.message
        else:
            if (kept.overrides or kept.fees) and says_nothing(file.data.decode("utf-8")):
                self.problem = f"{self.path} has nothing in it any more ({RESTORE_HINT})"
        return None if self.problem else file

    def _parse(self, file: _File) -> KeptInstruments:
        from tearsheet.sources.config.fees import fees_in  # a YAML parser, only for a changed file
        from tearsheet.sources.config.instruments import overrides_in

        name = str(self.path)
        try:
            text = file.data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise SettingsError(f"{name} cannot be read: {error}", "it is a YAML file") from None
        return KeptInstruments(
            file.digest, (name,), file.mtime_ns, overrides_in(text, name), fees_in(text, name)
        )


def _time(at_ns: int) -> str:
    return f"{datetime.fromtimestamp(at_ns / 1e9, UTC):%Y-%m-%d %H:%M:%S} UTC"


def as_text(kept: KeptInstruments) -> str:
    """Return the instruments as the ledger keeps them."""
    return json.encode(kept).decode()
