"""The schema of a ledger in PostgreSQL, made and migrated once however many processes begin at once."""

from typing import Any

import psycopg

from tearsheet.errors import SchemaError, StoreError
from tearsheet.store.db.connection import SCHEMA_VERSION, migrations
from tearsheet.store.db.dialect import schema_statement

SCHEMA = "tearsheet"
#: A statement that runs longer has gone astray; single statements of a rebuild take seconds.
STATEMENT_SECONDS = 600
_MIGRATION_LOCK = 0x7EA25EE7_00000003
_PREPARE = """
SELECT set_config('search_path', $1, false), set_config('lock_timeout', $2, false),
    set_config('statement_timeout', $3, false), set_config('tcp_keepalives_idle', '30', false),
    set_config('tcp_keepalives_interval', '10', false), set_config('tcp_keepalives_count', '3', false),
    set_config('jit', 'off', false), current_setting('server_encoding'),
    current_setting('transaction_read_only') = 'on'
"""

_IS_MADE = """
SELECT EXISTS (
    SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relname = 'schema_version'
)
"""

Raw = psycopg.Connection[tuple[Any, ...]]


def prepare(raw: Raw, name: str, busy_seconds: float) -> bool:
    """Set what every connection needs; returns whether the database is read-only."""
    waiting, longest = f"{busy_seconds * 1000:.0f}", f"{STATEMENT_SECONDS * 1000}"
    row = _fetch_one(raw, _PREPARE, (SCHEMA, waiting, longest))
    encoding, read_only = row[-2:]
    if encoding != "UTF8":
        raise StoreError(
            f"the ledger {name} is a database in {encoding}, which cannot hold every text",
            "create it with ENCODING 'UTF8' TEMPLATE template0",
        )
    return bool(read_only)


def migrate(raw: Raw, name: str, read_only: bool) -> None:
    """Make the schema, or migrate it, where it is not the newest."""
    version = _version(raw)
    _reject_newer(version, name)
    if version == SCHEMA_VERSION:
        return
    if read_only:
        raise StoreError(
            f"the ledger {name} has the old schema {version} and cannot be written",
            "point DATABASE_URL at the primary server once, so that it can be brought up to date",
        )
    with raw.transaction():
        # whoever comes second finds the work done
        raw.cursor().execute(b"SELECT pg_advisory_xact_lock($1)", (_MIGRATION_LOCK,))
        _apply_migrations(raw, name)


def _apply_migrations(raw: Raw, name: str) -> None:
    cursor = raw.cursor()
    version = _version(raw)
    _reject_newer(version, name)
    if version == 0:
        if not _fetch_one(raw, "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)", (SCHEMA,))[0]:
            cursor.execute(f"CREATE SCHEMA {SCHEMA}".encode())
        cursor.execute(b"CREATE TABLE schema_version (number BIGINT PRIMARY KEY)")
    for number, statements in migrations():
        if number > version:
            for statement in statements:
                cursor.execute(schema_statement(statement).encode())
            cursor.execute(b"INSERT INTO schema_version (number) VALUES ($1)", (number,))


def _version(raw: Raw) -> int:
    # not by to_regclass, which may remember that there was none before another process made it
    if not _fetch_one(raw, _IS_MADE, (SCHEMA,))[0]:
        return 0
    return int(_fetch_one(raw, f"SELECT COALESCE(MAX(number), 0) FROM {SCHEMA}.schema_version")[0])  # noqa: S608


def _reject_newer(version: int, name: str) -> None:
    if version > SCHEMA_VERSION:
        raise SchemaError(
            f"the ledger {name} has schema {version}, this Tearsheet knows up to {SCHEMA_VERSION}",
            "use the Tearsheet that wrote it, or a newer one; or point DATABASE_URL elsewhere",
        )


def _fetch_one(raw: Raw, statement: str, parameters: tuple[object, ...] = ()) -> tuple[Any, ...]:
    row = raw.cursor().execute(statement.encode(), parameters).fetchone()
    assert row is not None
    return row
