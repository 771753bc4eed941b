"""What the ledger asks of a database; `opening.py` chooses between the two that can do it.

Statements are written once, with `?` for parameters; each database takes them in its own form.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

Row = tuple[Any, ...]
Parameters = Sequence[Any]
#: How long a writer waits for another one before it gives up, in seconds.
BUSY_SECONDS = 30.0
#: Kept beside the schema files so that an up-to-date ledger is opened without reading them.
SCHEMA_VERSION = 8
_MIGRATION = re.compile(r"^(\d{4})_\w+\.sql$")


class Cursor(Protocol):
    """The rows that a statement gives."""

    def fetchone(self) -> Any:
        """The next row, None after the last."""
        ...

    def fetchall(self) -> list[Any]:
        """All rows that are left."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """A ledger that is open. Whatever the database says against it becomes a StoreError."""

    #: The ledger as messages name it, without secrets.
    name: str
    #: Why nothing can be written, if so.
    read_only: bool

    def execute(self, statement: str, parameters: Parameters = (), /) -> Cursor:
        """Run a statement whose rows fit into the memory."""
        ...

    def execute_many(self, statement: str, rows: Iterable[Row]) -> None:
        """Run a statement that gives nothing once for each row of parameters."""
        ...

    def insert_if_new(self, statement: str, rows: Sequence[Row]) -> bool:
        """Insert rows of which none is there yet; False where one is, and then some may be in."""
        ...

    def execute_each(self, statement: str, rows: Iterable[Row]) -> list[list[Row]]:
        """Run a question once for each row of parameters; the rows of each."""
        ...

    def stream(self, statement: str, parameters: Parameters = (), at_once: int = 5000) -> Iterator[Row]:
        """Run a question inside a transaction, with only some of its rows in the memory."""
        ...

    def transaction(
        self, *, write: bool, accounts: frozenset[str] | None = None
    ) -> AbstractContextManager[None]:
        """One transaction: a reader sees one state throughout, a writer waits for its turn.

        A writer that says which accounts it touches may run beside writers of other accounts.
        """
        ...

    def set_lock_timeout(self, seconds: float) -> None:
        """From now on wait no longer for another writer."""
        ...

    def limit_memory(self) -> None:
        """Until the end of the transaction hold little in memory, however much is written."""
        ...

    def drop_indexes_temporarily(self, table: str) -> list[str]:
        """Drop a table's indexes, where that makes filling an empty table faster and hinders nobody.

        Returns the statements that make them again, which has to be done in the same transaction.
        """
        ...

    def acquire_commit_lock(self) -> None:
        """From here to its end a writer is alone, and sees all that others have written."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...


def migrations() -> list[tuple[int, list[str]]]:
    """Every numbered schema file with its statements, in order."""
    folder = Path(__file__).parent / "schema"
    found = [(name, _MIGRATION.match(name.name)) for name in folder.iterdir()]
    return sorted((int(match[1]), _statements(file)) for file, match in found if match)


def _statements(file: Path) -> list[str]:
    return [part for part in file.read_text("utf-8").split(";\n") if part.strip()]
