"""Salvage of a damaged SQLite ledger: whatever rows of its tables can still be read."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct

from tearsheet.store.db.connection import Values, first_value
from tearsheet.store.db.sqlite import SqliteConnection


class SalvagedTable(Struct, frozen=True):
    """A table, the number of its rows that were read, and whether it was read to its end."""

    name: str
    rows: int
    complete: bool


def salvage_tables(damaged: Path, target: SqliteConnection, but: frozenset[str]) -> list[SalvagedTable]:
    """Copy the readable rows of all tables but some into a ledger, inside its write transaction.

    The damaged file is copied with its write-ahead log and opened elsewhere, so that it stays as it is.
    """
    with TemporaryDirectory(prefix="tearsheet-repair-") as folder:
        copy = Path(folder) / "damaged.db"
        for suffix in ("", "-wal"):
            with suppress(FileNotFoundError):
                Path(f"{copy}{suffix}").write_bytes(Path(f"{damaged}{suffix}").read_bytes())
        tables = target.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        names = [name for name in map(_only, tables) if name not in but]
        with closing(sqlite3.connect(copy)) as source:
            return [_salvage(source, target, name) for name in names]


def _salvage(source: sqlite3.Connection, target: SqliteConnection, name: str) -> SalvagedTable:
    try:
        found = _columns(source, name)
    except sqlite3.Error:
        return SalvagedTable(name, 0, complete=False)
    columns = [column for column in _columns(target, name) if column in found]
    if not columns:
        return SalvagedTable(name, 0, complete=False)
    listed = ", ".join(f'"{column}"' for column in columns)
    marks = ", ".join("?" * len(columns))
    insert = f"INSERT OR REPLACE INTO {name} ({listed}) VALUES ({marks})"  # noqa: S608
    complete = _copy(source, target, f"SELECT {listed} FROM {name}", insert)  # noqa: S608
    if not complete:  # from the other end, up to what is damaged
        _copy(source, target, f"SELECT {listed} FROM {name} ORDER BY rowid DESC", insert)  # noqa: S608
    rows = int(first_value(target.execute(f"SELECT COUNT(*) FROM {name}")))  # noqa: S608
    return SalvagedTable(name, rows, complete)


def _copy(source: sqlite3.Connection, target: SqliteConnection, select: str, insert: str) -> bool:
    """Copy rows until the end or a damaged page; return whether the end was reached."""
    rows = _ReadableRows(source, select)
    target.execute_many(insert, rows)
    return rows.complete


class _ReadableRows:
    """Rows of a query up to the first that cannot be read."""

    def __init__(self, source: sqlite3.Connection, select: str) -> None:
        self._source, self._select = source, select
        self.complete = False

    def __iter__(self) -> Iterator[Values]:
        try:
            yield from self._source.execute(self._select)
            self.complete = True
        except sqlite3.Error:
            return


def _columns(connection: sqlite3.Connection, name: str) -> list[str]:
    rows = connection.execute("SELECT name FROM pragma_table_info(?)", (name,))
    return list(map(_only, rows))


def _only(row: Values) -> str:
    """Return the only column of a row."""
    return str(first_value([row]))
