"""A ledger in a SQLite file: WAL, numbered migrations, transactions, and errors in plain words."""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from operator import itemgetter
from pathlib import Path

from tearsheet.errors import SchemaError, StoreError
from tearsheet.store.db import connection as limits
from tearsheet.store.db.connection import SCHEMA_VERSION, Parameters, Row, migrations
from tearsheet.store.db.dialect import copy_target, insert_with_nulls

#: So many rows are written at a time; fewer than the least are not worth a statement of their own.
_AT_ONCE, _LEAST = 10_000, 50
#: How much of a ledger is held in memory, and how much of it while a large import is written.
_MANY_KIB, _FEW_KIB = 65_536, 8192


class SqliteConnection(sqlite3.Connection):
    """A connection to a ledger's file; see `connection.Connection`."""

    name: str
    path: Path
    read_only: bool
    _is_memory_limited = False

    def execute(self, statement: str, parameters: Parameters = (), /) -> sqlite3.Cursor:  # type: ignore[override]
        """Run a statement."""
        try:
            return super().execute(statement, parameters)
        except sqlite3.Error as error:
            raise _describe_error(error, self.path) from error

    def execute_many(self, statement: str, rows: Iterable[Row]) -> None:
        """Run a statement once for each row of parameters.

        A None costs Python's driver as much as ten texts, so columns without values go without.
        """
        stream = iter(rows)
        while batch := list(islice(stream, _AT_ONCE)):
            self.executemany(*_drop_null_columns(statement, batch))

    def insert_if_new(self, statement: str, rows: Sequence[Row]) -> bool:
        """Insert rows of which none is there yet; False where one is, and then the others are in."""
        lean, values = _drop_null_columns(statement, rows)
        either = lean.replace("INSERT INTO", "INSERT OR IGNORE INTO", 1)
        return self.executemany(either, values).rowcount == len(rows)

    def execute_each(self, statement: str, rows: Iterable[Row]) -> list[list[Row]]:
        """Run a question once for each row of parameters; the rows of each."""
        return [self.execute(statement, row).fetchall() for row in rows]

    def stream(self, statement: str, parameters: Parameters = (), at_once: int = 5000) -> Iterator[Row]:
        """Run a question; SQLite never holds more than the row at hand."""
        return self.execute(statement, parameters)

    @contextmanager
    def transaction(self, *, write: bool, accounts: frozenset[str] | None = None) -> Iterator[None]:
        """One transaction: a writer takes its turn at once, a reader sees one state throughout."""
        with translate_errors(self.path):
            self.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            try:
                yield
                self.execute("COMMIT")
            except BaseException:
                if self.in_transaction:
                    self.execute("ROLLBACK")
                raise
            finally:
                if self._is_memory_limited:
                    self._set_cache_size(_MANY_KIB)

    def set_lock_timeout(self, seconds: float) -> None:
        """Set how long another writer is waited for."""
        self.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")

    def limit_memory(self) -> None:
        """Until the end of the transaction hold few pages in memory."""
        self._set_cache_size(_FEW_KIB)
        self._is_memory_limited = True

    def _set_cache_size(self, kib: int) -> None:
        self.execute(f"PRAGMA cache_size = -{kib}")
        self._is_memory_limited = False

    def drop_indexes_temporarily(self, table: str) -> list[str]:
        """Drop a table's indexes; returns the statements that make them again."""
        found = self.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL",
            (table,),
        ).fetchall()
        for name, _ in found:
            self.execute(f"DROP INDEX {name}")
        return [statement for _, statement in found]

    def acquire_commit_lock(self) -> None:
        """A writer of a file is alone from its beginning."""


def _drop_null_columns(statement: str, batch: Sequence[Row]) -> tuple[str, Iterable[Row]]:
    """An INSERT of rows without the columns in which none of them has a value."""
    if len(batch) < _LEAST or copy_target(statement) is None:
        return statement, batch
    empty = [place for place, value in enumerate(batch[0]) if value is None]
    empty = [place for place in empty if [row[place] for row in batch].count(None) == len(batch)]
    if not 0 < len(empty) < len(batch[0]) - 1:
        return statement, batch
    kept = itemgetter(*(place for place in range(len(batch[0])) if place not in empty))
    return insert_with_nulls(statement, tuple(empty)), map(kept, batch)


def connect(path: Path) -> SqliteConnection:
    """Open a ledger, made or brought to the newest schema where needed.

    Raises StoreError where it cannot be opened, SchemaError where a newer Tearsheet wrote it.
    """
    with translate_errors(path):
        read_only = _is_read_only(path)
        if not read_only:
            _make_folder(path)
        connection = _open(path, read_only)
        try:
            _prepare(connection)
            _migrate(connection)
        except BaseException:
            connection.close()
            raise
    return connection


def _is_read_only(path: Path) -> bool:
    if not path.exists():
        return False
    if path.is_dir():
        raise StoreError(f"the ledger {path} is a folder", "point DATABASE_URL at a file")
    return not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"the ledger's folder {path.parent} cannot be made: {error.strerror or error}",
            "check the path and its permissions, or point DATABASE_URL elsewhere",
        ) from error


def _open(path: Path, read_only: bool) -> SqliteConnection:
    connection = sqlite3.connect(
        _file_uri(path, read_only),
        uri=True,
        timeout=limits.BUSY_SECONDS,
        isolation_level=None,
        factory=SqliteConnection,
    )
    connection.path, connection.name, connection.read_only = path, str(path), read_only
    return connection


def _prepare(connection: SqliteConnection) -> None:
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA cache_size = -{_MANY_KIB}")


def _file_uri(path: Path, read_only: bool) -> str:
    """In a folder that cannot be written a ledger must be taken as immutable, as SQLite would make
    files beside it otherwise."""
    uri = path.resolve().as_uri()
    if not read_only:
        return uri
    return f"{uri}?mode=ro" if os.access(path.parent, os.W_OK) else f"{uri}?mode=ro&immutable=1"


def _version(connection: SqliteConnection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _migrate(connection: SqliteConnection) -> None:
    path, version = connection.path, _version(connection)
    if version == SCHEMA_VERSION:
        return
    if version > SCHEMA_VERSION:
        raise SchemaError(
            f"the ledger {path} has schema {version}, this Tearsheet knows up to {SCHEMA_VERSION}",
            "use the Tearsheet that wrote it, or a newer one; or point DATABASE_URL elsewhere",
        )
    if connection.read_only:
        raise StoreError(
            f"the ledger {path} has the old schema {version} and cannot be written",
            "give write permission once, so that it can be brought up to date",
        )
    connection.execute("PRAGMA journal_mode = WAL")
    with connection.transaction(write=True):
        for number, statements in migrations():
            if number > _version(connection):
                for statement in statements:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number}")


_HINTS = {
    "SQLITE_BUSY": ("is locked by another process", "try again; a long import may be under way"),
    "SQLITE_LOCKED": ("is locked", "try again"),
    "SQLITE_READONLY": ("is read-only", "give write permission to the file and its folder"),
    "SQLITE_FULL": ("cannot grow: the disk is full", "free some space; nothing was lost"),
    "SQLITE_IOERR": ("cannot be read or written: the disk reports an error", "check the disk"),
    "SQLITE_CORRUPT": ("is damaged", "move it away and run `tearsheet sync`; imports again"),
    "SQLITE_NOTADB": ("is no SQLite database", "point DATABASE_URL at another file"),
    "SQLITE_CANTOPEN": ("cannot be opened", "check the path and its permissions"),
}


@contextmanager
def translate_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite says into a StoreError in plain words."""
    try:
        yield
    except sqlite3.Error as error:
        raise _describe_error(error, path) from error


def _describe_error(error: sqlite3.Error, path: Path) -> StoreError:
    name = getattr(error, "sqlite_errorname", "") or ""
    for known, (what, hint) in _HINTS.items():
        if name.startswith(known):
            return StoreError(f"the ledger {path} {what} ({error})", hint)
    return StoreError(f"the ledger {path} failed: {error}", "run `tearsheet verify`")
