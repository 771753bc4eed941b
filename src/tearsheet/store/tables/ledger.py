"""Ledger: one database with the stored fills, the positions and totals computed from them, and a revision.

Readers have a consistent snapshot. Each change is one transaction, so a crash at any moment neither loses
nor duplicates data.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tearsheet.errors import StoreError
from tearsheet.store.db.opening import open_connection
from tearsheet.store.tables.columns import Row
from tearsheet.store.tables.queries import Queries
from tearsheet.store.tables.sources import SourceFiles
from tearsheet.store.tables.tallies import TallyTable

#: Key of the state id of all notes, which is separate from that of the facts.
NOTES_STATE_ID = "notes"
IDENTITY = "identity"
#: How long a writer waits for another writer before it gives up, in seconds.
BUSY_SECONDS = 30.0


class _Meta(Row, frozen=True, gc=False):
    key: str
    value: str


class TransactionHooks:
    """Hooks of the owner of a ledger in its transactions; these defaults do nothing."""

    def on_begin(self) -> None:
        """Run at the start of every transaction; an error raised here rejects the transaction."""

    def on_commit(self, accounts: frozenset[str]) -> None:
        """Run at the end of every change, inside its transaction, with the changed accounts."""

    def on_rollback(self) -> None:
        """Run after a failed change."""

    def on_revision(self, revision: int) -> None:
        """Run after a transaction that increased the revision."""


class Ledger:
    """Open ledger with its queries and transactions."""

    def __init__(
        self, place: Path | str, hooks: TransactionHooks | None = None, *, create: bool = True
    ) -> None:
        """Open the ledger; `create` makes it if it does not exist. Raises LedgerGoneError, StoreError."""
        self.hooks = hooks or TransactionHooks()
        self._new_revision: int | None = None
        self.connection = open_connection(place, BUSY_SECONDS, create=create)
        self.queries = Queries(self.connection)
        self.tallies = TallyTable(self.queries)
        self.sources = SourceFiles(self.queries)
        self._lock_timeout = BUSY_SECONDS
        #: whether its owner only reads, although the database could be written
        self.is_reader = False
        self._is_in_snapshot = False

    @property
    def name(self) -> str:
        """Return the ledger's name for messages, without secrets."""
        return self.connection.name

    @property
    def read_only(self) -> bool:
        """Return whether the ledger is read-only."""
        return self.is_reader or self.connection.read_only

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    @contextmanager
    def snapshot(self) -> Iterator[Queries]:
        """Run several queries on one consistent snapshot; one inside another is the same."""
        if self._is_in_snapshot:
            yield self.queries
            return
        with self.connection.transaction(write=False):
            self.hooks.on_begin()
            self._is_in_snapshot = True
            try:
                yield self.queries
            finally:
                self._is_in_snapshot = False

    @contextmanager
    def lock_timeout(self, seconds: float) -> Iterator[None]:
        """Limit how long writers inside the block wait for another writer."""
        self.connection.set_lock_timeout(seconds)
        try:
            yield
        finally:
            self.connection.set_lock_timeout(self._lock_timeout)

    def set_lock_timeout(self, seconds: float) -> None:
        """Set how long later writers wait for another writer."""
        self._lock_timeout = seconds
        self.connection.set_lock_timeout(seconds)

    @contextmanager
    def writing(self, accounts: frozenset[str] | None = None) -> Iterator[Queries]:
        """Change the ledger in one transaction.

        A writer that names its accounts may run in parallel with writers of other accounts if the
        database supports it. It must call `acquire_commit_lock` before it changes what all accounts share.
        """
        if self.read_only:
            raise StoreError(
                f"the ledger {self.name} is read-only",
                "give write permission to the file and its folder, or to the database's user",
            )
        self._new_revision = None
        try:
            with self.connection.transaction(write=True, accounts=accounts):
                self.hooks.on_begin()
                yield self.queries
                self.check_in_place()
        except BaseException:
            self.hooks.on_rollback()
            raise
        if self._new_revision is not None:
            self.hooks.on_revision(self._new_revision)

    def check_in_place(self) -> None:
        """Raise StoreError if the opened file is not at its path any more: it was moved, removed or replaced."""
        if not self.connection.is_in_place():
            raise StoreError(f"the ledger {self.name} was moved or replaced meanwhile", "try again")

    @property
    def identity(self) -> str:
        """Return the random ID that the ledger has for life; empty for an old one before `make_identity`."""
        return self.get(IDENTITY) or ""

    def make_identity(self) -> str:
        """Return the identity; create it if there is none and the ledger can be written."""
        if not self.identity and not self.read_only:
            with self.connection.transaction(write=True):
                self.queries.execute("add_meta", (IDENTITY, os.urandom(16).hex()))
            self.connection.flush()
        return self.identity

    def state(self) -> dict[str, str]:
        """Return the values that every transaction compares: identity, revision, fingerprint of the rules."""
        return {row.key: row.value for row in self.queries.rows(_Meta, "ledger_state")}

    def acquire_commit_lock(self) -> None:
        """Wait until no other writer is about to commit, and hold the commit lock until the end."""
        self.connection.acquire_commit_lock()

    def get(self, key: str) -> str | None:
        """Return the value of a key."""
        value: str | None = self.queries.value("get_meta", (key,))
        return value

    def put(self, key: str, value: str) -> None:
        """Save the value of a key."""
        self.queries.execute("put_meta", (key, value))

    @property
    def revision(self) -> int:
        """Return the ledger revision, which increases with every change of the facts."""
        return int(self.get("revision") or 0)

    @property
    def state_id(self) -> str:
        """Return the ID of the current state, `revision-random`, unique among all ledgers."""
        return self.get("stamp") or f"{self.revision}-0"

    def bump_notes_version(self) -> None:
        """Save a new state ID of the notes, as the last step of a transaction that changes one."""
        self.put(NOTES_STATE_ID, os.urandom(8).hex())

    def bump_revision(self) -> int:
        """Increase and return the revision, inside the transaction of the change."""
        revision = self.revision + 1
        self.put("revision", str(revision))
        self.put("stamp", f"{revision}-{os.urandom(8).hex()}")
        self._new_revision = revision
        return revision
