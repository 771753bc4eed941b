"""A ledger in a SQLite file: WAL mode, migrations, transactions, and errors as StoreError."""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import reduce
from itertools import islice, starmap
from operator import add, itemgetter
from pathlib import Path
from typing import Any

from msgspec import Struct

from tearsheet.errors import LedgerGoneError, SchemaError, StoreError
from tearsheet.shared_files import file_size, replace_file
from tearsheet.store.db.connection import (
    EMPTY_HINT,
    GONE_HINT,
    SCHEMA_VERSION,
    Values,
    first_value,
    migrations,
)
from tearsheet.store.db.dialect import copy_target, insert_with_nulls

#: Rows per executemany, and the least number of rows for which removing NULL columns is worth it.
_CHUNK_ROWS, _LEAST_ROWS = 10_000, 50
_PROBE_BYTES = 256 << 10
#: Size of the page cache, and its size while a large import is written.
_CACHE_KIB, _LIMITED_CACHE_KIB = 65_536, 8192


#: Device and inode of a file.
_FileId = tuple[int, int]


class _Index(Struct, frozen=True):
    name: str
    sql: str


class SqliteConnection(sqlite3.Connection):
    """Connection to a ledger in a SQLite file; implements `connection.Connection`."""

    name: str
    path: Path
    read_only: bool
    _is_memory_limited = False
    _opened_files: tuple[_FileId | None, ...] = ()

    def execute(self, statement: str, parameters: Sequence[Any] = (), /) -> sqlite3.Cursor:  # type: ignore[override]
        """Run a statement."""
        try:
            return super().execute(statement, parameters)
        except sqlite3.Error as error:
            raise _describe_error(error, self.path) from error

    def execute_many(self, statement: str, rows: Iterable[Values]) -> None:
        """Run a statement once for each row of parameters."""
        stream = iter(rows)
        while chunk := list(islice(stream, _CHUNK_ROWS)):
            self.executemany(*_drop_null_columns(statement, chunk))

    def insert_if_new(self, statement: str, rows: Sequence[Values]) -> bool:
        """Insert rows by INSERT OR IGNORE; return False if one of them existed already."""
        insert, values = _drop_null_columns(statement, rows)
        insert_new = insert.replace("INSERT INTO", "INSERT OR IGNORE INTO", 1)
        return self.executemany(insert_new, values).rowcount == len(rows)

    def execute_each(self, statement: str, rows: Iterable[Values]) -> list[list[Values]]:
        """Run a query once for each row of parameters; return the rows of each."""
        return [self.execute(statement, row).fetchall() for row in rows]

    def stream(self, statement: str, parameters: Sequence[Any] = (), at_once: int = 5000) -> Iterator[Values]:
        """Run a query; SQLite holds only the current row in memory."""
        return self.execute(statement, parameters)

    @contextmanager
    def transaction(self, *, write: bool, accounts: frozenset[str] | None = None) -> Iterator[None]:
        """Run one transaction: BEGIN IMMEDIATE takes the write lock at once, BEGIN reads one snapshot."""
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
                    self._set_cache_size(_CACHE_KIB)

    def set_lock_timeout(self, seconds: float) -> None:
        """Set how long later transactions wait for another writer."""
        self.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")

    def limit_memory(self) -> None:
        """Limit the page cache for the rest of this transaction."""
        self._set_cache_size(_LIMITED_CACHE_KIB)
        self._is_memory_limited = True

    def _set_cache_size(self, kib: int) -> None:
        self.execute(f"PRAGMA cache_size = -{kib}")
        self._is_memory_limited = False

    def drop_indexes_temporarily(self, table: str) -> list[str]:
        """Drop a table's indexes; return the statements that create them again."""
        found = self.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL",
            (table,),
        )
        indexes = list(starmap(_Index, found.fetchall()))
        for index in indexes:
            self.execute(f"DROP INDEX {index.name}")
        return [index.sql for index in indexes]

    def acquire_commit_lock(self) -> None:
        """Do nothing: BEGIN IMMEDIATE already holds the only write lock."""

    def remember_files(self) -> None:
        """Save the device and inode of the open files, for `is_in_place`."""
        self._opened_files = _file_ids(self.path, with_log=not self.read_only)

    def probe_write(self) -> None:
        """Write a file beside the ledger, as large as a small change; the ledger may be locked by a long one."""
        path = self.path.with_name(f".{self.path.name}.{os.getpid()}.probe")
        try:
            replace_file(path, bytes(_PROBE_BYTES))
        except OSError as error:
            raise StoreError(
                f"the folder of the ledger {self.path} cannot be written: {error.strerror or error}",
                "free some space, or give write permission; nothing was lost",
            ) from error
        finally:
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def damage(self) -> str | None:
        """Return the first fault of the file's pages, None if there is none."""
        try:
            found = first_value(super().execute("PRAGMA integrity_check(1)"))
        except sqlite3.DatabaseError as error:
            return f"is damaged ({error})"
        return None if found == "ok" else f"is damaged ({found})"

    def flush(self) -> None:
        """Checkpoint: copy the write-ahead log into the database file and truncate it."""
        self.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def is_in_place(self) -> bool:
        """Return whether the file, its write-ahead log and its index are still those that are open.

        SQLite keeps the latter two while a connection is open, so another program removed them if they are gone.
        """
        return self._opened_files == _file_ids(self.path, with_log=not self.read_only)

    def close(self) -> None:
        """Close the connection; checkpoint first if the write-ahead log was removed, or its changes are lost."""
        with suppress(StoreError):
            if self._has_lost_its_log():
                self.flush()
        super().close()

    def _has_lost_its_log(self) -> bool:
        """Return whether the database file is in place, but its log was removed and has no successor with content."""
        if self.read_only or not self._opened_files or self.is_in_place():
            return False
        file, log, _ = _file_ids(self.path, with_log=True)
        if file != self._opened_files[0] or log == self._opened_files[1]:
            return False
        return file_size(Path(f"{self.path}-wal")) == 0


def _drop_null_columns(statement: str, rows: Sequence[Values]) -> tuple[str, Iterable[Values]]:
    """Remove the columns from an INSERT in which every value is NULL.

    Python's driver takes as long to bind a None as to bind ten strings.
    """
    if len(rows) < _LEAST_ROWS or copy_target(statement) is None:
        return statement, rows
    # the first row excludes most columns without a look at the other rows
    first = next(iter(rows))
    empty: list[int] = []
    for run in _runs([place for place, value in enumerate(first) if value is None]):
        empty += _empty_columns(rows, run)
    filled = _runs([place for place in range(len(first)) if place not in empty])
    if not empty or not filled:
        return statement, rows
    # slices copy ten columns in the time in which an itemgetter of places takes one
    kept: Iterable[Values] = reduce(lambda left, right: map(add, left, right), _slices(rows, filled))
    return insert_with_nulls(statement, tuple(empty)), kept


def _runs(places: Iterable[int]) -> list[range]:
    """Return ascending places as ranges of neighbours."""
    runs: list[range] = []
    for place in places:
        if runs and runs[-1].stop == place:
            runs[-1] = range(runs[-1].start, place + 1)
        else:
            runs.append(range(place, place + 1))
    return runs


def _slices(rows: Sequence[Values], runs: Iterable[range]) -> list[Iterable[Values]]:
    return [map(itemgetter(slice(run.start, run.stop)), rows) for run in runs]


def _empty_columns(rows: Sequence[Values], run: range) -> list[int]:
    """Return the columns of a range in which every value is NULL."""
    (cells,) = map(list, _slices(rows, [run]))
    if cells.count((None,) * len(run)) == len(rows):
        return list(run)
    columns = zip(run, zip(*cells, strict=True), strict=True)
    return [place for place, column in columns if column.count(None) == len(rows)]


def _file_ids(path: Path, *, with_log: bool) -> tuple[_FileId | None, ...]:
    names = (str(path), f"{path}-wal", f"{path}-shm") if with_log else (str(path),)
    return tuple(map(_file_id, names))


def _file_id(name: str) -> _FileId | None:
    try:
        info = os.stat(name)  # noqa: PTH116 - at every transaction
    except OSError:
        return None
    return info.st_dev, info.st_ino


def connect(path: Path, lock_timeout: float, *, create: bool) -> SqliteConnection:
    """Open a ledger and migrate it to the newest schema; `create` makes it if it does not exist.

    Raises LedgerGoneError if it does not exist or is empty, StoreError if it cannot be opened, SchemaError
    if a newer Tearsheet wrote it.
    """
    with translate_errors(path):
        if not create:
            _reject_missing(path)
        read_only = _is_read_only(path)
        if not read_only:
            _create_folder(path)
        connection = _open(path, read_only, lock_timeout, create=create)
        try:
            _prepare(connection)
            _migrate(connection, create=create)
            connection.remember_files()
        except BaseException:
            connection.close()
            raise
    return connection


def _reject_missing(path: Path) -> None:
    try:
        is_empty = path.stat().st_size == 0
    except (FileNotFoundError, NotADirectoryError):
        raise LedgerGoneError(f"the ledger {path} is gone", GONE_HINT) from None
    except OSError:
        return  # opening the file raises the error with its cause
    if is_empty:
        raise LedgerGoneError(f"the ledger {path} is empty: its file was truncated", EMPTY_HINT)


def _is_read_only(path: Path) -> bool:
    if not path.exists():
        return False
    if path.is_dir():
        raise StoreError(f"the ledger {path} is a folder", "point DATABASE_URL at a file")
    return not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))


def _create_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"the ledger's folder {path.parent} cannot be made: {error.strerror or error}",
            "check the path and its permissions, or point DATABASE_URL elsewhere",
        ) from error


def _open(path: Path, read_only: bool, lock_timeout: float, *, create: bool) -> SqliteConnection:
    connection = sqlite3.connect(
        _file_uri(path, read_only, create=create),
        uri=True,
        timeout=lock_timeout,
        isolation_level=None,
        factory=SqliteConnection,
    )
    connection.path, connection.name, connection.read_only = path, str(path), read_only
    return connection


def _prepare(connection: SqliteConnection) -> None:
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")


def _file_uri(path: Path, read_only: bool, *, create: bool) -> str:
    uri = path.resolve().as_uri()
    if not read_only:
        return uri if create else f"{uri}?mode=rw"
    # in a read-only folder SQLite could not create its -wal and -shm files
    return f"{uri}?mode=ro" if os.access(path.parent, os.W_OK) else f"{uri}?mode=ro&immutable=1"


def _version(connection: SqliteConnection) -> int:
    return int(first_value(connection.execute("PRAGMA user_version")))


def _migrate(connection: SqliteConnection, *, create: bool) -> None:
    path, version = connection.path, _version(connection)
    if version == SCHEMA_VERSION:
        return
    if version == 0 and not create:
        raise LedgerGoneError(f"the ledger {path} is gone: the file holds none", GONE_HINT)
    if version > SCHEMA_VERSION:
        raise SchemaError(
            f"the ledger {path} has schema {version}, this Tearsheet knows up to {SCHEMA_VERSION}",
            "upgrade Tearsheet, or use another DATABASE_URL",
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
    "SQLITE_BUSY": ("is locked by another process", "retry; a long import may be running"),
    "SQLITE_LOCKED": ("is locked", "try again"),
    "SQLITE_READONLY": ("is read-only", "give write permission to the file and its folder"),
    "SQLITE_FULL": ("cannot grow: the disk is full", "free disk space; no data was lost"),
    "SQLITE_IOERR": ("cannot be read or written: the disk reports an error", "check the disk"),
    "SQLITE_CORRUPT": ("is damaged", "`tearsheet verify --repair` saves what can be read of it"),
    "SQLITE_NOTADB": ("is not a SQLite database", "restore it, or `tearsheet verify --repair`"),
    "SQLITE_CANTOPEN": ("cannot be opened", "check the path and its permissions"),
}


@contextmanager
def translate_errors(path: Path) -> Iterator[None]:
    """Raise errors of SQLite as StoreError."""
    try:
        yield
    except sqlite3.Error as error:
        raise _describe_error(error, path) from error


def _describe_error(error: sqlite3.Error, path: Path) -> StoreError:
    name = getattr(error, "sqlite_errorname", "") or ""
    for prefix, (what, hint) in _HINTS.items():
        if name.startswith(prefix):
            return StoreError(f"the ledger {path} {what} ({error})", hint)
    return StoreError(f"the ledger {path} failed: {error}", "run `tearsheet verify`")
