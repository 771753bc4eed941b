"""Schema of a ledger in PostgreSQL: created and migrated once, also if several processes start together."""

from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row

from tearsheet.errors import LedgerGoneError, SchemaError, StoreError
from tearsheet.store.db.connection import GONE_HINT, SCHEMA_VERSION, Values, first_value, migrations
from tearsheet.store.db.dialect import schema_statement

SCHEMA = "tearsheet"
#: The server cancels a statement that runs longer; single statements of a rebuild take seconds.
STATEMENT_SECONDS = 600
_MIGRATION_LOCK = 0x7EA25EE7_00000003
_PREPARE = """
SELECT set_config('search_path', $1, false), set_config('lock_timeout', $2, false),
    set_config('statement_timeout', $3, false), set_config('tcp_keepalives_idle', '30', false),
    set_config('tcp_keepalives_interval', '10', false), set_config('tcp_keepalives_count', '3', false),
    set_config('jit', 'off', false), current_setting('server_encoding') AS encoding,
    current_setting('transaction_read_only') = 'on' AS read_only
"""

_SCHEMA_EXISTS = """
SELECT EXISTS (
    SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relname = 'schema_version'
)
"""

#: psycopg's connection.
Raw = psycopg.Connection[Values]


def prepare(raw: Raw, name: str, lock_timeout: float) -> bool:
    """Set the session variables of a new connection; return whether the database is read-only."""
    cursor: psycopg.Cursor[DictRow] = raw.cursor(row_factory=dict_row)
    timeouts = (f"{lock_timeout * 1000:.0f}", f"{STATEMENT_SECONDS * 1000}")
    session = cursor.execute(_PREPARE.encode(), (SCHEMA, *timeouts)).fetchone()
    assert session is not None
    if (encoding := session["encoding"]) != "UTF8":
        raise StoreError(
            f"the ledger {name} is a database in {encoding}, which cannot hold every text",
            "create the database with ENCODING 'UTF8' TEMPLATE template0",
        )
    return bool(session["read_only"])


def migrate(raw: Raw, name: str, read_only: bool, *, create: bool) -> None:
    """Migrate the schema to the newest version; `create` makes it if it does not exist."""
    version = _version(raw)
    if version == 0 and not create:
        raise LedgerGoneError(f"the ledger {name} is gone: the database is empty", GONE_HINT)
    _reject_newer(version, name)
    if version == SCHEMA_VERSION:
        return
    if read_only:
        raise StoreError(
            f"the ledger {name} has the old schema {version} and cannot be written",
            "connect once to the primary server to migrate it",
        )
    with raw.transaction():
        # a second process finds the migration applied
        raw.cursor().execute(b"SELECT pg_advisory_xact_lock($1)", (_MIGRATION_LOCK,))
        _apply_migrations(raw, name)


def _apply_migrations(raw: Raw, name: str) -> None:
    cursor = raw.cursor()
    version = _version(raw)
    _reject_newer(version, name)
    if version == 0:
        if not _value(raw, "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)", (SCHEMA,)):
            cursor.execute(f"CREATE SCHEMA {SCHEMA}".encode())
        cursor.execute(b"CREATE TABLE schema_version (number BIGINT PRIMARY KEY)")
    for number, statements in migrations():
        if number > version:
            for statement in statements:
                cursor.execute(schema_statement(statement).encode())
            cursor.execute(b"INSERT INTO schema_version (number) VALUES ($1)", (number,))


def _version(raw: Raw) -> int:
    # to_regclass may have cached that the schema was missing before another process created it
    if not _value(raw, _SCHEMA_EXISTS, (SCHEMA,)):
        return 0
    return int(_value(raw, f"SELECT COALESCE(MAX(number), 0) FROM {SCHEMA}.schema_version"))  # noqa: S608


def _reject_newer(version: int, name: str) -> None:
    if version > SCHEMA_VERSION:
        raise SchemaError(
            f"the ledger {name} has schema {version}, this Tearsheet knows up to {SCHEMA_VERSION}",
            "upgrade Tearsheet, or use another DATABASE_URL",
        )


def _value(raw: Raw, statement: str, parameters: Values = ()) -> Any:
    return first_value(raw.cursor().execute(statement.encode(), parameters))
