"""Ledger that a process knows: it is never created a second time, and no other one answers in its place.

Every ledger has a random identity. It is noted outside the ledger, so that a first use can be told from a
loss, and another ledger from the known one. Only an operator's decision changes what is known.
"""

import os
from contextlib import closing, suppress
from pathlib import Path

import msgspec
from msgspec import Struct, json

from tearsheet.app.book_rules import ledger_name, ledger_rules
from tearsheet.app.clock_watch import ClockWatch
from tearsheet.errors import OtherLedgerError, StoreError, TearsheetError
from tearsheet.settings import Settings, read_setting
from tearsheet.shared_files import replace_file
from tearsheet.store.tables.ledger import Ledger, TransactionHooks

#: File in the folder of the settings, or else of the alerts, that names the ledgers in use.
FILE = "known-ledgers.json"
_HINT = "mount or restore the known one; or say that this is it: `tearsheet sources accept ledger --by NAME`"


class KnownIdentity(Struct, frozen=True):
    """Identity of the ledger at a place; empty if a new one may be made. `decision` identifies who said so."""

    identity: str
    decision: str = ""
    by: str | None = None


class _LedgerMark(Struct, frozen=True):
    """Note beside a SQLite file: its identity, and a revision that it has reached."""

    identity: str
    revision: int


class LedgerNotes:
    """Notes of the known ledger: one outside its folder, and one beside a SQLite file."""

    def __init__(self, settings: Settings) -> None:
        self._place = ledger_name(settings)
        self._outside = [folder / FILE for folder in (settings.file().parent, settings.alerts_file.parent)]
        path = settings.ledger_path
        self._beside = None if path is None else path.with_name(f".{path.name}.known")

    def outside(self) -> KnownIdentity | None:
        """Return the note outside the ledger's folder. Raises StoreError if it is damaged."""
        for path in self._outside:
            if (found := _read(path).get(self._place)) is not None:
                return found
        return None

    def mark(self) -> _LedgerMark | None:
        """Return the note beside the file."""
        if self._beside is None:
            return None
        try:
            identity, revision = self._beside.read_text("ascii").split()
            return _LedgerMark(identity, int(revision))
        except (OSError, ValueError):
            return None

    def save(self, known: KnownIdentity) -> Path | None:
        """Save the note outside; return the file, or None if no folder can be written."""
        for path in self._outside:
            with suppress(OSError):
                replace_file(path, json.format(json.encode(_read(path) | {self._place: known})) + b"\n")
                return path
        return None

    def save_mark(self, identity: str, revision: int) -> None:
        """Save the note beside the file, by one write of a fixed length and without waiting for the disk."""
        if self._beside is None:
            return
        with suppress(OSError):
            descriptor = os.open(self._beside, os.O_WRONLY | os.O_CREAT, 0o666)
            try:
                os.pwrite(descriptor, f"{identity:32} {revision:020}\n".encode(), 0)
            finally:
                os.close(descriptor)

    def remove_mark(self) -> None:
        """Remove the note beside the file."""
        if self._beside is not None:
            self._beside.unlink(missing_ok=True)


class KnownLedger:
    """Identity and revision of the ledger known to a process, shared by its contexts; a reader's notes nothing."""

    def __init__(self, settings: Settings, *, is_reader: bool = False) -> None:
        self._place, self._name = settings.ledger, ledger_name(settings)
        self._may_create, self._is_reader = settings.create_ledger and not is_reader, is_reader
        self._notes = LedgerNotes(settings)
        self._known: KnownIdentity | None = None
        self._revision = 0
        #: the clock of this process beside that of the others
        self.clock = ClockWatch()

    @property
    def identity(self) -> str | None:
        """Return the identity of the ledger; None before it was opened."""
        return None if self._known is None else self._known.identity

    def noted_identity(self) -> str | None:
        """Return the identity that is noted for this place. Raises StoreError."""
        outside, mark = self._notes.outside(), self._notes.mark()
        return outside.identity if outside is not None else None if mark is None else mark.identity

    def noted_revision(self) -> int:
        """Return a revision that the ledger has reached, 0 if none is noted."""
        mark = self._notes.mark()
        return 0 if mark is None else mark.revision

    def open(self, hooks: TransactionHooks | None = None) -> Ledger:
        """Open the ledger; create it only if none is known at its place.

        Raises LedgerGoneError, OtherLedgerError, StoreError, SchemaError.
        """
        outside, mark = self._notes.outside(), self._notes.mark()
        if self._known is not None and outside is not None and outside.decision != self._known.decision:
            self._known, self._revision = None, 0
        expected = {note.identity for note in (self._known, outside, mark) if note is not None} - {""}
        floor = max(self._revision, 0 if mark is None else mark.revision)
        ledger = Ledger(self._place, hooks, create=not expected and self._may_create)
        ledger.is_reader = self._is_reader
        try:
            # a file that is not the known ledger must not be written
            identity = ledger.identity if expected else ledger.make_identity()
            revision = ledger.revision
            if identity:
                self._reject_other(expected, identity)
            self._reject_older(floor, revision)
        except TearsheetError:
            ledger.close()
            raise
        self._learn(identity, revision, outside, mark)
        return ledger

    def check(self, ledger: Ledger) -> str | None:
        """Raise OtherLedgerError or StoreError unless this is the known ledger; return its rules' fingerprint."""
        ledger.check_in_place()
        known, floor = self._known, self._revision
        state = ledger.state()
        if known is not None and known.identity:
            self._reject_other({known.identity}, state.get("identity", ""))
        self._reject_older(floor, int(state.get("revision", 0)))
        return state.get("fingerprint")

    def accept(self, by: str) -> str:
        """Accept the ledger that is at the place now, or create one if there is none; return its identity.

        Raises StoreError if that cannot be noted, or the ledger cannot be opened.
        """
        decision = KnownIdentity("", os.urandom(8).hex(), by)
        with suppress(FileNotFoundError, NotADirectoryError):
            self._notes.remove_mark()
        if self._notes.save(decision) is None:
            raise StoreError(
                f"the decision on {self._name} cannot be noted", "let the folder of the settings be written"
            )
        self._known, self._revision, self._may_create = None, 0, True
        with closing(self.open()) as ledger:
            return ledger.identity

    def _learn(
        self, identity: str, revision: int, outside: KnownIdentity | None, mark: _LedgerMark | None
    ) -> None:
        known = KnownIdentity(identity, *(() if outside is None else (outside.decision, outside.by)))
        self._known, self._revision = known, max(self._revision, revision)
        if self._is_reader:
            return
        if identity and outside != known:
            self._notes.save(known)
        if identity and (mark is None or mark.revision < revision):
            self._notes.save_mark(identity, revision)

    def note_revision(self, revision: int) -> None:
        """Note a revision that was committed."""
        self._revision = max(self._revision, revision)
        self._notes.save_mark(self.identity or "", revision)

    def _reject_other(self, expected: set[str], identity: str) -> None:
        if expected - {identity}:
            raise OtherLedgerError(
                f"another ledger is in the place of {self._name}: its identity is {identity or 'not there'}, "
                f"known is {', '.join(sorted(expected - {identity}))}",
                _HINT,
            )

    def _reject_older(self, floor: int, revision: int) -> None:
        if revision < floor:
            raise OtherLedgerError(
                f"the ledger {self._name} is in an older state: it is at revision {revision}, and {floor} was reached",
                _HINT,
            )


def settings_of_ledger(settings: Settings) -> Settings:
    """Return the settings overridden by the ledger's rules. Raises StoreError."""
    with closing(KnownLedger(settings).open()) as ledger:
        stored = ledger_rules(ledger.get("fingerprint"))
    return settings.with_values(**{key: read_setting(key, text) for key, text in stored.items()})


def _read(path: Path) -> dict[str, KnownIdentity]:
    try:
        return json.decode(path.read_bytes(), type=dict[str, KnownIdentity])
    except OSError:
        return {}
    except msgspec.DecodeError as error:
        raise StoreError(
            f"{path} is damaged: {error}", "it names the ledger that is in use; restore or remove it"
        ) from None
