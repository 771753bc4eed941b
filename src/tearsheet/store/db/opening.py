"""Selection of the ledger's database by its address."""

from pathlib import Path

from tearsheet.store.db.connection import Connection


def open_connection(place: Path | str, lock_timeout: float, *, create: bool) -> Connection:
    """Open the ledger in a SQLite file, or in PostgreSQL by its URL; `create` makes it if it does not exist.

    Raises LedgerGoneError if it does not exist, StoreError if it cannot be opened, SchemaError if a newer
    Tearsheet wrote it.
    """
    if isinstance(place, Path):
        from tearsheet.store.db import sqlite

        return sqlite.connect(place, lock_timeout, create=create)
    from tearsheet.store.db import postgres

    return postgres.connect(place, lock_timeout, create=create)
