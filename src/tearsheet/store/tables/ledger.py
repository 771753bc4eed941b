"""Ledger: one database with the stored fills, the positions and totals computed from them, and a revision.

Readers have a consistent snapshot. Each change is one transaction, so a crash at any moment neither loses
nor duplicates data.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path

from msgspec import json

from tearsheet.errors import StoreError
from tearsheet.performance.summary import Scope
from tearsheet.performance.tally import Tally
from tearsheet.store.db.opening import open_connection
from tearsheet.store.tables import rows
from tearsheet.store.tables.columns import FillRow, Row, TallyRow
from tearsheet.store.tables.queries import Queries
from tearsheet.store.tables.query_rows import RejectionListRow, SourceFile, StreamRow
from tearsheet.store.tables.tallies import ALL_ACCOUNTS, decode
from tearsheet.trade.fill import Rejection
from tearsheet.trade.session import from_micros, to_micros

#: Key of the state id of all notes, which is separate from that of the facts.
NOTES_STATE_ID = "notes"
IDENTITY = "identity"
#: How long a writer waits for another writer before it gives up, in seconds.
BUSY_SECONDS = 30.0


class LogUsage(Row, frozen=True, gc=False):
    """Number of account–symbol pairs in the trade log, and of those that are read as fills."""

    streams: int
    as_fills: int


class _OpenTrades(Row, frozen=True, gc=False):
    account: str
    symbol: str
    trades: int


class _Meta(Row, frozen=True, gc=False):
    key: str
    value: str


class _Place(Row, frozen=True, gc=False):
    file: str
    line: int


class TransactionHooks:
    """What the owner of a ledger does in its transactions; these defaults do nothing."""

    def on_begin(self) -> None:
        """Run at the start of every transaction; an error raised here rejects the transaction."""

    def on_commit(self, accounts: frozenset[str]) -> None:
        """Run at the end of every change, inside its transaction, with the changed accounts."""

    def on_rollback(self) -> None:
        """Run after a failed change."""

    def on_revision(self, revision: int) -> None:
        """Run after a transaction that increased the revision."""


class Ledger:
    """Open ledger with its queries and transactions."""

    def __init__(
        self, place: Path | str, hooks: TransactionHooks | None = None, *, create: bool = True
    ) -> None:
        """Open the ledger; `create` makes it if it does not exist. Raises LedgerGoneError, StoreError."""
        self.hooks = hooks or TransactionHooks()
        self._new_revision: int | None = None
        self.connection = open_connection(place, BUSY_SECONDS, create=create)
        self.queries = Queries(self.connection)
        self._lock_timeout = BUSY_SECONDS

    @property
    def name(self) -> str:
        """Return the ledger's name for messages, without secrets."""
        return self.connection.name

    @property
    def read_only(self) -> bool:
        """Return whether the ledger is read-only."""
        return self.connection.read_only

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    @contextmanager
    def snapshot(self) -> Iterator[Queries]:
        """Run several queries on one consistent snapshot."""
        with self.connection.transaction(write=False):
            self.hooks.on_begin()
            yield self.queries

    @contextmanager
    def lock_timeout(self, seconds: float) -> Iterator[None]:
        """Limit how long writers inside the block wait for another writer."""
        self.connection.set_lock_timeout(seconds)
        try:
            yield
        finally:
            self.connection.set_lock_timeout(self._lock_timeout)

    def set_lock_timeout(self, seconds: float) -> None:
        """Set how long later writers wait for another writer."""
        self._lock_timeout = seconds
        self.connection.set_lock_timeout(seconds)

    @contextmanager
    def writing(self, accounts: frozenset[str] | None = None) -> Iterator[Queries]:
        """Change the ledger in one transaction.

        A writer that names its accounts may run in parallel with writers of other accounts if the
        database supports it. It must call `acquire_commit_lock` before it changes what all accounts share.
        """
        if self.read_only:
            raise StoreError(
                f"the ledger {self.name} is read-only",
                "give write permission to the file and its folder, or to the database's user",
            )
        self._new_revision = None
        try:
            with self.connection.transaction(write=True, accounts=accounts):
                self.hooks.on_begin()
                yield self.queries
                self.check_in_place()
        except BaseException:
            self.hooks.on_rollback()
            raise
        if self._new_revision is not None:
            self.hooks.on_revision(self._new_revision)

    def check_in_place(self) -> None:
        """Raise StoreError if the opened file is not at its path any more: it was moved, removed or replaced."""
        if not self.connection.is_in_place():
            raise StoreError(f"the ledger {self.name} was moved or replaced meanwhile", "try again")

    @property
    def identity(self) -> str:
        """Return the random ID that the ledger has for life; empty for an old one before `make_identity`."""
        return self.get(IDENTITY) or ""

    def make_identity(self) -> str:
        """Return the identity; create it if there is none and the ledger can be written."""
        if not self.identity and not self.read_only:
            with self.connection.transaction(write=True):
                self.queries.execute("add_meta", (IDENTITY, os.urandom(16).hex()))
            self.connection.flush()
        return self.identity

    def state(self) -> dict[str, str]:
        """Return the values that every transaction compares: identity, revision, fingerprint of the rules."""
        return {row.key: row.value for row in self.queries.rows(_Meta, "ledger_state")}

    def acquire_commit_lock(self) -> None:
        """Wait until no other writer is about to commit, and hold the commit lock until the end."""
        self.connection.acquire_commit_lock()

    def get(self, key: str) -> str | None:
        """Return the value of a key."""
        value: str | None = self.queries.value("get_meta", (key,))
        return value

    def put(self, key: str, value: str) -> None:
        """Save the value of a key."""
        self.queries.execute("put_meta", (key, value))

    @property
    def revision(self) -> int:
        """Return the ledger revision, which increases with every change of the facts."""
        return int(self.get("revision") or 0)

    @property
    def state_id(self) -> str:
        """Return the ID of the current state, `revision-random`, unique among all ledgers."""
        return self.get("stamp") or f"{self.revision}-0"

    def bump_notes_version(self) -> None:
        """Save a new state ID of the notes, as the last step of a transaction that changes one."""
        self.put(NOTES_STATE_ID, os.urandom(8).hex())

    def bump_revision(self) -> int:
        """Increase and return the revision, inside the transaction of the change."""
        revision = self.revision + 1
        self.put("revision", str(revision))
        self.put("stamp", f"{revision}-{os.urandom(8).hex()}")
        self._new_revision = revision
        return revision

    def log_files(self) -> dict[str, SourceFile]:
        """Return the trade logs that were read, by file name."""
        return {source.name: source for source in self.queries.rows(SourceFile, "log_sources")}

    def imports_for(self, checksum: int, size: int) -> list[SourceFile]:
        """Return earlier imports of the same content, newest first."""
        return self.queries.rows(SourceFile, "import_known", (checksum, size))

    def source(self, number: int) -> SourceFile:
        """Return a file that was read, by an existing ID."""
        source = self.queries.row(SourceFile, "source_of_id", (number,))
        assert source is not None
        return source

    def tallies(self, account: str | None, first: date, end: date, currency: str) -> list[tuple[date, Tally]]:
        """Return the tallies of an account, or of all, in the sessions `[first, end)`."""
        name = ALL_ACCOUNTS if account is None else account
        span = (name, first.isoformat(), end.isoformat(), currency)
        found = self.queries.rows(TallyRow, "tallies", span)
        return [(date.fromisoformat(row.session), decode(row.body)) for row in found]

    def currencies(self, account: str | None, first: date, end: date) -> list[str]:
        """Return the currencies in which an account, or all, traded in the sessions `[first, end)`."""
        name = ALL_ACCOUNTS if account is None else account
        return sorted(self.queries.values("tally_currencies", (name, first.isoformat(), end.isoformat())))

    def first_session(self, account: str | None) -> date | None:
        """Return the first session with a booking."""
        return _day(self.queries.value("first_session", (account or ALL_ACCOUNTS,)))

    def last_session(self, account: str) -> date | None:
        """Return the last session of an account with a booking."""
        return _day(self.queries.value("last_session", (account,)))

    def uses_trade_log(self, account: str) -> bool:
        """Return whether an account is in the trade log."""
        return self.queries.exists("log_stream_of_account", (account,))

    def accounts(self) -> list[str]:
        """Return every account that traded."""
        return self.queries.values("accounts")

    def last_fill_at(self, account: str | None) -> datetime | None:
        """Return when the last fill or logged result happened."""
        which = "all" if account is None else "account"
        scope = () if account is None else (account,)
        found = (self.queries.value(f"last_{what}_{which}", scope) for what in ("booking", "closing"))
        last = max((time_us for time_us in found if time_us is not None), default=None)
        return None if last is None else from_micros(last)

    def count_rejections(self, account: str | None, since: datetime, until: datetime) -> int:
        """Return how many rejected lines may belong to `[since, until)`."""
        return int(self.queries.value("count_rejections", (to_micros(until), to_micros(since), account)))

    def rejections(self, most: int) -> list[Rejection]:
        """Return rejected lines, newest first."""
        return list(map(rows.rejection_from_row, self.queries.rows(RejectionListRow, "rejections", (most,))))

    def places(self, account: str, fill_key: str) -> list[tuple[str, int]]:
        """Return the files and lines that contain the fill or record of a booking."""
        fill = None
        if not fill_key.startswith("r:"):
            fill = self.queries.row(FillRow, "fill_of_key", (account, fill_key))
        if fill is None:
            key = fill_key.removeprefix("r:")
            found = self.queries.rows(_Place, "live_record_place", (key, account))
        else:
            found = self.queries.rows(_Place, "sightings_of_fill", (fill.id,))
        return [(place.file, place.line) for place in found]

    def log_days(self, first: date, end: date) -> set[date]:
        """Return the days in `[first, end)` that have a log file."""
        found = self.queries.values("log_days", (first.isoformat(), end.isoformat()))
        return {date.fromisoformat(day) for day in found if day}

    def first_log_day(self) -> date | None:
        """Return the day of the first log file."""
        return _day(self.queries.value("first_log_day"))

    def unfinished_logs(self, first: date, end: date) -> list[str]:
        """Return the log files of `[first, end)` whose last line is incomplete."""
        return self.queries.values("unfinished_logs", (first.isoformat(), end.isoformat()))

    def log_usage(self) -> LogUsage:
        """Return how many streams of the trade log exist, and how many of them are read as fills."""
        return self.queries.row(LogUsage, "log_use") or LogUsage(0, 0)

    def find_overlaps(self) -> None:
        """Find and save the accounts and symbols that have both a trade log and imported fills."""
        found = self.queries.rows(StreamRow, "overlapping_streams")
        self.put("overlaps", json.encode([(one.account, one.symbol) for one in found]).decode())

    def source_overlaps(self) -> list[tuple[str, str]]:
        """Return the saved accounts and symbols that have both a trade log and imported fills."""
        return json.decode(self.get("overlaps") or "[]", type=list[tuple[str, str]])

    def open_log_trades(self, scope: Scope) -> int:
        """Count the open trades of the log whose account and symbol have had no result since."""
        return sum(
            found.trades
            for found in self.queries.rows(_OpenTrades, "open_log_trades")
            if scope.account in (None, found.account) and scope.symbol in (None, found.symbol)
        )


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
