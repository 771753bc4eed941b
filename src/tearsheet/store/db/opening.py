"""Opens the ledger in the database that its place names."""

from pathlib import Path

from tearsheet.store.db.connection import Connection


def open_connection(place: Path | str) -> Connection:
    """Open the ledger in a SQLite file, or in PostgreSQL by its URL; made where it is not there.

    Raises StoreError where it cannot be opened, SchemaError where a newer Tearsheet wrote it.
    """
    if isinstance(place, Path):
        from tearsheet.store.db import sqlite

        return sqlite.connect(place)
    from tearsheet.store.db import postgres

    return postgres.connect(place)
