"""Opens the ledger's SQLite file: WAL, numbered migrations, transactions, and errors in plain words."""

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tearsheet.errors import SchemaError, StoreError

#: How long a writer waits for another one before it gives up, in seconds.
BUSY_SECONDS = 30.0
_MIGRATION = re.compile(r"^(\d{4})_\w+\.sql$")


def migrations() -> list[tuple[int, str]]:
    """Every numbered schema file with its text, in order."""
    folder = Path(__file__).parent / "schema"
    found = [(name, _MIGRATION.match(name.name)) for name in folder.iterdir()]
    return sorted((int(match[1]), file.read_text("utf-8")) for file, match in found if match)


#: Kept beside the files so that an up-to-date ledger is opened without reading them.
SCHEMA_VERSION = 2


def connect(path: Path) -> tuple[sqlite3.Connection, bool]:
    """Open a ledger, made or brought to the newest schema where needed; says if it is read-only.

    Raises StoreError where it cannot be opened, SchemaError where a newer Tearsheet wrote it.
    """
    with store_errors(path):
        read_only = _is_read_only(path)
        if not read_only:
            _make_folder(path)
        connection = _open(path, read_only)
        try:
            _prepare(connection)
            _bring_up_to_date(connection, path, read_only)
        except BaseException:
            connection.close()
            raise
    return connection, read_only


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


def _open(path: Path, read_only: bool) -> sqlite3.Connection:
    uri = uri_of(path, read_only=read_only)
    return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA cache_size = -65536")
    connection.execute("PRAGMA temp_store = MEMORY")


def uri_of(path: Path, *, read_only: bool) -> str:
    """The URI that opens a ledger. In a folder that cannot be written it must be taken as immutable,
    as SQLite would make files beside it otherwise."""
    uri = path.resolve().as_uri()
    if not read_only:
        return uri
    return f"{uri}?mode=ro" if os.access(path.parent, os.W_OK) else f"{uri}?mode=ro&immutable=1"


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _bring_up_to_date(connection: sqlite3.Connection, path: Path, read_only: bool) -> None:
    version = _version(connection)
    if version == SCHEMA_VERSION:
        return
    if version > SCHEMA_VERSION:
        raise SchemaError(
            f"the ledger {path} has schema {version}, this Tearsheet knows up to {SCHEMA_VERSION}",
            "use the Tearsheet that wrote it, or a newer one; or point DATABASE_URL elsewhere",
        )
    if read_only:
        raise StoreError(
            f"the ledger {path} has the old schema {version} and cannot be written",
            "give write permission once, so that it can be brought up to date",
        )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        for number, script in migrations():
            if number > _version(connection):
                for statement in script.split(";\n"):
                    if statement.strip():
                        connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextmanager
def transaction(connection: sqlite3.Connection, path: Path, *, write: bool) -> Iterator[None]:
    """One transaction: a writer takes its turn at once, a reader sees one state throughout."""
    with store_errors(path):
        connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
        try:
            yield
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


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
def store_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite says into a StoreError in plain words."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "") or ""
        for known, (what, hint) in _HINTS.items():
            if name.startswith(known):
                raise StoreError(f"the ledger {path} {what} ({error})", hint) from error
        raise StoreError(f"the ledger {path} failed: {error}", "run `tearsheet verify`") from error
