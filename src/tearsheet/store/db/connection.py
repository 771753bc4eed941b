"""Interface of a ledger's database connection, and the SQL files that both databases share.

`sqlite.py` and `postgres.py` implement it. Statements use `?` for parameters; each database translates them.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

#: The parameters of a statement, or a row as the database returns it, before `Queries` names its columns.
Values = tuple[Any, ...]
#: A test compares it with the schema files, so that opening a current ledger does not read them.
SCHEMA_VERSION = 30
GONE_HINT = "mount or restore it; or start anew: `tearsheet sources forget ledger --by NAME`"
EMPTY_HINT = "restore it; or rebuild it from the logs: `tearsheet verify --repair --by NAME`"
_MIGRATION = re.compile(r"^(\d{4})_\w+\.sql$")


class Cursor(Protocol):
    """Rows of an executed statement."""

    def fetchone(self) -> Any:
        """Return the next row, or None after the last."""
        ...

    def fetchall(self) -> list[Any]:
        """Return the remaining rows."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """Open connection to a ledger. Every database error is raised as StoreError."""

    #: The ledger's name in messages, without secrets.
    name: str
    read_only: bool

    def execute(self, statement: str, parameters: Sequence[Any] = (), /) -> Cursor:
        """Run a statement whose rows fit into memory."""
        ...

    def execute_many(self, statement: str, rows: Iterable[Values]) -> None:
        """Run a statement that returns no rows once for each row of parameters."""
        ...

    def insert_if_new(self, statement: str, rows: Sequence[Values]) -> bool:
        """Insert rows; return False if one of them exists already, in which case some may be inserted."""
        ...

    def execute_each(self, statement: str, rows: Iterable[Values]) -> list[list[Values]]:
        """Run a query once for each row of parameters; return the rows of each."""
        ...

    def stream(self, statement: str, parameters: Sequence[Any] = (), at_once: int = 5000) -> Iterator[Values]:
        """Run a query inside a transaction, with at most `at_once` of its rows in memory."""
        ...

    def transaction(
        self, *, write: bool, accounts: frozenset[str] | None = None
    ) -> AbstractContextManager[None]:
        """Run one transaction. A reader has a consistent snapshot; a writer first waits for other writers.

        A writer that names the accounts it changes may run in parallel with writers of other accounts.
        """
        ...

    def set_lock_timeout(self, seconds: float) -> None:
        """Set how long later transactions wait for another writer."""
        ...

    def limit_memory(self) -> None:
        """Limit the page cache for the rest of this transaction."""
        ...

    def drop_indexes_temporarily(self, table: str) -> list[str]:
        """Drop a table's indexes if that speeds up filling it and blocks no reader.

        Returns the statements that create them again, which must run in the same transaction.
        """
        ...

    def acquire_commit_lock(self) -> None:
        """Wait until this is the only writer, which then sees everything that others have committed."""
        ...

    def probe_write(self) -> None:
        """Write something and wait until it is on the disk. Raises StoreError if that fails."""
        ...

    def flush(self) -> None:
        """Write what was committed into the ledger's file, where it would else be in a log beside it."""
        ...

    def is_in_place(self) -> bool:
        """Return whether the opened files are still those at the ledger's path."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


def first_value(rows: Iterable[Values]) -> Any:
    """Return the first column of the first row, or None if there is no row."""
    return next(chain.from_iterable(rows), None)


@cache
def load_statements() -> dict[str, str]:
    """Return every statement of `queries.sql` by its name: `-- name: x`, then one statement."""
    text = (Path(__file__).parent / "queries.sql").read_text("utf-8")
    named = (block.partition("\n") for block in text.split("-- name: ")[1:])
    return {name.strip(): statement.strip() for name, _, statement in named}


def migrations() -> list[tuple[int, list[str]]]:
    """Return every numbered schema file with its statements, in order."""
    folder = Path(__file__).parent / "schema"
    matches = [(path, _MIGRATION.match(path.name)) for path in folder.iterdir()]
    return sorted((int(match[1]), _statements(path)) for path, match in matches if match)


def _statements(path: Path) -> list[str]:
    return [part for part in path.read_text("utf-8").split(";\n") if part.strip()]
