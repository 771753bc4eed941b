"""Ledgers as an older version left them: its schema files, with the rows of today's tables."""

import sqlite3
from contextlib import closing
from typing import Any

import psycopg

from tearsheet.store.db.connection import SCHEMA_VERSION, migrations
from tearsheet.store.db.dialect import schema_statement
from tearsheet.tracker import PerformanceTracker
from tests.support.place import Place

TABLES = (
    "meta",
    "source",
    "record",
    "log_stream",
    "fill",
    "sighting",
    "rejection",
    "position",
    "booking",
    "tally",
    "alert",
    "mark",
    "receipt",
    "account_state",
    "breach",
    "limit_base",
    "batch",
    "undo",
    "variant",
)


def rows_of(tracker: PerformanceTracker, table: str) -> list[Any]:
    return tracker.ledger.connection.execute(f"SELECT * FROM {table}").fetchall()


def make_old(place: Place, version: int, content: dict[str, list[Any]]) -> None:
    """A ledger as an older version left it."""
    assert version < SCHEMA_VERSION
    statements = [one for number, many in migrations() if number <= version for one in many]
    url = place.env.get("DATABASE_URL")
    if url is None:
        path = place.settings().ledger_path
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path)) as raw:
            for statement in statements:
                raw.execute(statement)
            for table, rows in content.items():
                raw.execute(f"DELETE FROM {table}")
                columns = len(raw.execute(f"SELECT * FROM {table}").description)
                for row in (row[:columns] for row in rows):  # later versions add at the end
                    raw.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
            raw.execute(f"PRAGMA user_version = {version}")
            raw.commit()
        return
    with psycopg.connect(url) as raw:
        raw.execute("DROP SCHEMA tearsheet CASCADE")
        raw.execute("CREATE SCHEMA tearsheet")
        raw.execute("SET search_path TO tearsheet")
        raw.execute("CREATE TABLE schema_version (number BIGINT PRIMARY KEY)")
        for statement in statements:
            raw.execute(schema_statement(statement).encode())
        for table, rows in content.items():
            raw.execute(f"DELETE FROM {table}".encode())
            columns = len(raw.execute(f"SELECT * FROM {table}".encode()).description or ())
            for row in (row[:columns] for row in rows):
                marks = ", ".join(["%s"] * len(row))
                raw.execute(f"INSERT INTO {table} VALUES ({marks})".encode(), row)
        raw.execute("INSERT INTO schema_version VALUES (%s)", (version,))
