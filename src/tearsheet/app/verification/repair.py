"""Repair of a ledger: books are rebuilt from facts; a damaged file is replaced by what can be read of it."""

import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from tearsheet.app.book_rules import booking_rules_from
from tearsheet.app.config.settings_audit import AuditEntry, record_change
from tearsheet.app.context import LedgerContext
from tearsheet.app.known_ledger import KnownLedger
from tearsheet.errors import LedgerGoneError, StoreError, UsageError
from tearsheet.settings import Settings
from tearsheet.store.db.salvage import SalvagedTable, salvage_tables
from tearsheet.store.db.sqlite import SqliteConnection
from tearsheet.store.tables.ledger import Ledger
from tearsheet.store.write.transaction import LedgerTransaction

#: Tables that are made from others: the books, and what is read from the alerts file.
_MADE = frozenset(
    {
        "position",
        "booking",
        "fill_booking",
        "gap",
        "tally",
        "limit_base",
        "account_state",
        "alert",
        "alert_change",
    }
)
_LOGS = frozenset({"meta", "source", "record", "log_stream"})


class RepairReport(Struct, frozen=True, kw_only=True):
    """What a repair did. `lost` names the tables that could not be read to their end."""

    damaged: str | None
    kept_as: Path | None
    rows: int
    lost: tuple[str, ...]


def repair(settings: Settings, by: str, step: Callable[[str], None] = lambda words: None) -> RepairReport:
    """Rebuild the books from the facts; if the file is damaged, move it aside and save what can be read of it.

    Raises StoreError if the ledger is gone or cannot be written, UsageError for a damaged PostgreSQL.
    """
    damage = _damage(settings)
    kept_as, tables = None, list[SalvagedTable]()
    if damage is not None:
        path = settings.ledger_path
        if path is None:
            raise UsageError(
                f"a database is not repaired here: {damage}", "restore it with the server's tools"
            )
        step(f"the ledger {damage}; reading what can be read")
        kept_as, tables = _replace(settings, path)
    step("rebuilding the books from the facts")
    with LedgerContext(settings) as context, context.ledger.writing():
        posting = LedgerTransaction(
            context.ledger, booking_rules_from(context.settings, context.ledger), context.now
        )
        posting.rebuild()
        old = "books" if kept_as is None else kept_as.name
        record_change(context.ledger, AuditEntry(datetime.now(UTC), by, "ledger", "repair", old, "rebuilt"))
        posting.commit()
    return RepairReport(
        damaged=damage,
        kept_as=kept_as,
        rows=sum(table.rows for table in tables),
        lost=tuple(table.name for table in tables if not table.complete),
    )


def _damage(settings: Settings) -> str | None:
    """Return what is wrong with the ledger's file, None if it can be read to its end."""
    try:
        with closing(KnownLedger(settings).open()) as ledger:
            if isinstance(ledger.connection, SqliteConnection):
                return ledger.connection.damage()
            return None
    except LedgerGoneError as error:
        path = settings.ledger_path
        if path is None or not path.exists():
            raise
        return error.message
    except StoreError as error:
        if isinstance(error.__cause__, sqlite3.DatabaseError) and _is_damage(error.__cause__):
            return error.message
        raise


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    return error.sqlite_errorname.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))


def _replace(settings: Settings, path: Path) -> tuple[Path, list[SalvagedTable]]:
    """Move the damaged file aside and put a new one with its readable rows in its place."""
    known = KnownLedger(settings)
    identity, revision = known.noted_identity(), known.noted_revision()
    new = path.with_name(f".{path.name}.repair")
    for suffix in ("", "-wal", "-shm"):
        Path(f"{new}{suffix}").unlink(missing_ok=True)
    with closing(Ledger(new)) as ledger:
        assert isinstance(ledger.connection, SqliteConnection)
        with ledger.writing():
            tables = salvage_tables(path, ledger.connection, _MADE)
            if any(table.name in _LOGS and not table.complete for table in tables):
                _reread_logs(ledger)
            if identity:
                ledger.put("identity", identity)
            ledger.put("revision", str(max(ledger.revision, revision)))
            ledger.bump_revision()
        ledger.connection.flush()
    kept_as = path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S}")
    path.rename(kept_as)
    for suffix in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").rename(f"{kept_as}{suffix}")
    new.rename(path)
    return kept_as, tables


def _reread_logs(ledger: Ledger) -> None:
    """Remove what was read of logs, which the next sync reads again from their files."""
    for statement in (
        "DELETE FROM record WHERE id >> 32 NOT IN (SELECT id FROM source WHERE kind = 'import')",
        "DELETE FROM rejection WHERE source_id NOT IN (SELECT id FROM source WHERE kind = 'import')",
        "DELETE FROM source WHERE kind = 'log'",
        "DELETE FROM log_stream",
        "DELETE FROM meta WHERE key = 'log_signature'",
    ):
        ledger.connection.execute(statement)
