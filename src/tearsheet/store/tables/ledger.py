"""The ledger: one database with the facts, the books made from them, and a revision.

Readers see one state throughout; a posting is one transaction that takes its turn, so a crash at
any moment loses nothing and doubles nothing.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path

from msgspec import Struct, json

from tearsheet.errors import StoreError
from tearsheet.performance.summary import Scope
from tearsheet.performance.tally import Tally
from tearsheet.store.db import connection as limits
from tearsheet.store.db.opening import open_connection
from tearsheet.store.tables import rows
from tearsheet.store.tables.queries import Queries
from tearsheet.store.tables.tallies import ALL_ACCOUNTS, decode
from tearsheet.trade.fill import Rejection
from tearsheet.trade.session import from_micros, to_micros

#: Names the present state of all notes, beside the stamp of the facts, which no note changes.
NOTES_STATE_ID = "notes"


class SourceFile(Struct, frozen=True):
    """A file that was read, and how far."""

    id: int
    kind: str
    name: str
    layout: str
    day: str | None
    size: int
    mtime_ns: int
    inode: int
    offset: int
    lines: int
    checksum: int
    tail: str
    complete: bool
    facts: int
    rejected: int
    read_at: int


class LogUsage(Struct, frozen=True):
    """How many account–symbol pairs the trade log has, and how many of them are read as fills."""

    streams: int
    as_fills: int


def _no_op_on_commit(accounts: frozenset[str]) -> None:
    """What a ledger without limits makes of a change."""


class Ledger:
    """Opens the ledger and answers questions about it.

    `judge` is called at the end of every posting, inside its transaction, with the accounts that it
    touched: what it finds is kept with the facts or not at all. `undone` is called where a change failed,
    `check` at the beginning of every transaction, which it may refuse.
    """

    on_commit: Callable[[frozenset[str]], None]
    on_rollback: Callable[[], None]
    on_begin: Callable[[], None]

    def __init__(self, place: Path | str) -> None:
        self.on_commit, self.on_rollback, self.on_begin = _no_op_on_commit, lambda: None, lambda: None
        self.connection = open_connection(place)
        self.queries = Queries(self.connection)
        self._lock_timeout = limits.BUSY_SECONDS

    @property
    def name(self) -> str:
        """Where the ledger is kept, as messages say it: without secrets."""
        return self.connection.name

    @property
    def read_only(self) -> bool:
        """Whether nothing can be written here."""
        return self.connection.read_only

    def close(self) -> None:
        """Let go of the database."""
        self.connection.close()

    @contextmanager
    def snapshot(self) -> Iterator[Queries]:
        """Ask several questions about one and the same state."""
        with self.connection.transaction(write=False):
            self.on_begin()
            yield self.queries

    @contextmanager
    def lock_timeout(self, seconds: float) -> Iterator[None]:
        """Wait for another writer no longer than that."""
        self.connection.set_lock_timeout(seconds)
        try:
            yield
        finally:
            self.connection.set_lock_timeout(self._lock_timeout)

    def set_lock_timeout(self, seconds: float) -> None:
        """Wait for other writers no longer than that from now on."""
        self._lock_timeout = seconds
        self.connection.set_lock_timeout(seconds)

    @contextmanager
    def writing(self, accounts: frozenset[str] | None = None) -> Iterator[Queries]:
        """Change the ledger in one transaction, alone.

        Who says which accounts are touched, and calls `join` before touching what belongs to all,
        may run beside writers of other accounts where the database can do it.
        """
        if self.read_only:
            raise StoreError(
                f"the ledger {self.name} is read-only",
                "give write permission to the file and its folder, or to the database's user",
            )
        try:
            with self.connection.transaction(write=True, accounts=accounts):
                self.on_begin()
                yield self.queries
        except BaseException:
            self.on_rollback()
            raise

    def acquire_commit_lock(self) -> None:
        """Wait until no other writer of some accounts is in its last step; then this one is in it."""
        self.connection.acquire_commit_lock()

    def get(self, key: str) -> str | None:
        """A value kept beside the books."""
        row = self.queries.fetch_one("get_meta", (key,))
        return None if row is None else str(row[0])

    def put(self, key: str, value: str) -> None:
        """Keep a value beside the books."""
        self.queries.execute("put_meta", (key, value))

    @property
    def revision(self) -> int:
        """How often the facts changed."""
        return int(self.get("revision") or 0)

    @property
    def state_id(self) -> str:
        """A name for the present state, `revision-random`: no other state of any ledger bears it."""
        return self.get("stamp") or f"{self.revision}-0"

    def bump_notes_version(self) -> None:
        """Name the state of all notes anew; the last step of the transaction that changes one."""
        self.put(NOTES_STATE_ID, os.urandom(8).hex())

    def bump_revision(self) -> int:
        """Count a change of the facts; part of the transaction that makes it."""
        revision = self.revision + 1
        self.put("revision", str(revision))
        self.put("stamp", f"{revision}-{os.urandom(8).hex()}")
        return revision

    def log_files(self) -> dict[str, SourceFile]:
        """The trade logs that were read, by file name."""
        found = self.queries.execute("log_sources")
        return {source.name: source for source in map(_source, found)}

    def imports_for(self, checksum: int, size: int) -> list[SourceFile]:
        """Earlier imports of the same content, the newest first."""
        return [_source(row) for row in self.queries.execute("import_known", (checksum, size))]

    def source(self, number: int) -> SourceFile:
        """A file that was read, by its id, which has to be one."""
        row = self.queries.fetch_one("source_of_id", (number,))
        assert row is not None
        return _source(row)

    def tallies(self, account: str | None, first: date, end: date, currency: str) -> list[tuple[date, Tally]]:
        """The kept tallies of an account, or of all, in the sessions `[first, end)`."""
        name = ALL_ACCOUNTS if account is None else account
        span = (name, first.isoformat(), end.isoformat(), currency)
        return [
            (date.fromisoformat(session), decode(body))
            for session, body in self.queries.execute("tallies", span)
        ]

    def currencies(self, account: str | None, first: date, end: date) -> list[str]:
        """The currencies in which an account, or all, traded in the sessions `[first, end)`."""
        name = ALL_ACCOUNTS if account is None else account
        found = self.queries.execute("tally_currencies", (name, first.isoformat(), end.isoformat()))
        return sorted(currency for (currency,) in found)

    def first_session(self, account: str | None) -> date | None:
        """The first session with a booking."""
        row = self.queries.fetch_one("first_session", (account or ALL_ACCOUNTS,))
        return date.fromisoformat(row[0]) if row and row[0] else None

    def last_session(self, account: str) -> date | None:
        """The last session of an account with a booking."""
        row = self.queries.fetch_one("last_session", (account,))
        return date.fromisoformat(row[0]) if row and row[0] else None

    def uses_trade_log(self, account: str) -> bool:
        """Whether an account is in the trade log."""
        return self.queries.fetch_one("log_stream_of_account", (account,)) is not None

    def accounts(self) -> list[str]:
        """Every account that traded."""
        return [account for (account,) in self.queries.execute("accounts")]

    def last_fill_at(self, account: str | None) -> datetime | None:
        """When the last fill or logged result happened."""
        which = "all" if account is None else "account"
        span = () if account is None else (account,)
        found = [self.queries.fetch_one(f"last_{what}_{which}", span) for what in ("booking", "closing")]
        last = max((row[0] for row in found if row and row[0] is not None), default=None)
        return None if last is None else from_micros(last)

    def count_rejections(self, account: str | None, since: datetime, until: datetime) -> int:
        """How many lines that may belong to `[since, until)` could not be read."""
        row = self.queries.fetch_one("count_rejections", (to_micros(until), to_micros(since), account))
        return int(row[0]) if row else 0

    def rejections(self, most: int) -> list[Rejection]:
        """The lines that could not be read, the newest first."""
        return [rows.rejection_from_row(row) for row in self.queries.execute("rejections", (most,))]

    def places(self, account: str, fill_key: str) -> list[tuple[str, int]]:
        """Files and lines where the fill or record of a booking was read."""
        if fill_key.startswith("r:"):
            found = self.queries.execute("live_record_place", (fill_key[2:], account)).fetchall()
        else:
            fill = self.queries.fetch_one("fill_detail", (account, fill_key))
            found = (
                self.queries.execute("live_record_place", (fill_key, account)).fetchall()
                if fill is None
                else self.queries.execute("sightings_of_fill", (fill[-1],)).fetchall()
            )
        return [(name, line) for _, name, line in found]

    def log_days(self, first: date, end: date) -> set[date]:
        """The days in `[first, end)` that have a log file."""
        found = self.queries.execute("log_days", (first.isoformat(), end.isoformat()))
        return {date.fromisoformat(day) for (day,) in found if day}

    def first_log_day(self) -> date | None:
        """The day of the first log file."""
        row = self.queries.fetch_one("first_log_day")
        return date.fromisoformat(row[0]) if row and row[0] else None

    def unfinished_logs(self, first: date, end: date) -> list[str]:
        """Log files of `[first, end)` that end in half a line."""
        found = self.queries.execute("unfinished_logs", (first.isoformat(), end.isoformat()))
        return [name for (name,) in found]

    def log_usage(self) -> LogUsage:
        """How the trade log is read."""
        row = self.queries.fetch_one("log_use")
        return LogUsage(*row) if row else LogUsage(0, 0)

    def find_overlaps(self) -> None:
        """Find the accounts and symbols that have both a trade log and imported fills."""
        found = self.queries.execute("overlapping_streams").fetchall()
        self.put("overlaps", json.encode(found).decode())

    def source_overlaps(self) -> list[tuple[str, str]]:
        """The accounts and symbols that have both a trade log and imported fills."""
        return json.decode(self.get("overlaps") or "[]", type=list[tuple[str, str]])

    def open_log_trades(self, scope: Scope) -> int:
        """Trades that the log says are open, and whose account and symbol had no result since."""
        found = self.queries.execute("open_log_trades")
        return sum(
            number
            for account, symbol, number in found
            if scope.account in (None, account) and scope.symbol in (None, symbol)
        )


def _source(row: rows.Row) -> SourceFile:
    return SourceFile(
        **{**dict(zip(SourceFile.__struct_fields__, row, strict=True)), "complete": bool(row[12])}
    )
