"""A ledger in PostgreSQL: one schema named tearsheet, advisory locks by account, automatic reconnect.

Imported only if DATABASE_URL names PostgreSQL, because the driver is an optional extra.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from itertools import count
from typing import Any, TypeVar, cast

from tearsheet.errors import StoreError
from tearsheet.store.db.connection import Values
from tearsheet.store.db.dialect import copy_target, numbered_placeholders, select_for_each

try:
    import psycopg
    from psycopg.types.numeric import Int8Dumper
except ImportError as error:
    raise StoreError(
        f"DATABASE_URL is a PostgreSQL URL, but the driver is not installed: {error}",
        "pip install 'tearsheet[postgres]'",
    ) from error

from tearsheet.store.db.postgres_errors import describe_error, is_lost
from tearsheet.store.db.postgres_schema import Raw, migrate, prepare

CONNECT_SECONDS = 5
#: A writer of more accounts locks the whole ledger instead of each account.
_MAX_LOCKS = 64
#: Keys of advisory locks; the key of an account is a digest of its name.
_LEDGER, _LAST_STEP = 0x7EA25EE7_00000001, 0x7EA25EE7_00000002
_BEGIN_WRITING = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
#: Either side detects a lost host within a minute.
_KEEPALIVES = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}

T = TypeVar("T")


class PostgresConnection:
    """Implementation of `connection.Connection` for a PostgreSQL server.

    After a lost connection the next statement reconnects; the current transaction fails with StoreError.
    """

    def __init__(self, url: str, lock_timeout: float, *, create: bool) -> None:
        self._url = url
        self._may_create = create
        self._lock_timeout = lock_timeout
        self.name = _redact_url(url)
        self.read_only = False
        self._raw: Raw | None = None
        self._in_transaction = False
        self._names = count(1)
        with self._errors():
            self._ensure_connected()

    def execute(self, statement: str, parameters: Sequence[Any] = (), /) -> psycopg.Cursor[Values]:
        """Run a statement and fetch all its rows."""
        sql = numbered_placeholders(statement).encode()
        with self._errors():
            return self._run(lambda raw: raw.cursor().execute(sql, parameters))

    def execute_many(self, statement: str, rows: Iterable[Values]) -> None:
        """Run a statement once for each row of parameters; copy the rows of a bare INSERT."""
        chunk = list(rows)
        if not chunk:
            return
        with self._errors(), self._ensure_connected().cursor() as cursor:
            if copy_target(statement) is None or len(chunk) == 1:
                cursor.executemany(numbered_placeholders(statement).encode(), chunk)
            else:
                _copy(cursor, statement, chunk)

    def insert_if_new(self, statement: str, rows: Sequence[Values]) -> bool:
        """Copy rows in a savepoint; roll back to it and return False if one of them exists already."""
        self.execute("SAVEPOINT add_new")
        try:
            with self._ensure_connected().cursor() as cursor:
                _copy(cursor, statement, rows)
        except psycopg.errors.UniqueViolation:
            self.execute("ROLLBACK TO SAVEPOINT add_new")
            return False
        except psycopg.Error:
            with self._errors():
                raise
        self.execute("RELEASE SAVEPOINT add_new")
        return True

    def execute_each(self, statement: str, rows: Iterable[Values]) -> list[list[Values]]:
        """Run a query for all rows of parameters in one statement; return the rows of each."""
        parameters = [list(column) for column in zip(*rows, strict=True)]
        if not parameters:
            return []
        sql = select_for_each(statement, tuple(type(next(iter(column))) for column in parameters))
        answers: list[list[Values]] = [[] for _ in next(iter(parameters))]
        with self._errors():
            found = self._ensure_connected().cursor().execute(sql.encode(), parameters).fetchall()
        columns = iter(zip(*found, strict=True))
        numbers = next(columns, ())
        for number, answer in zip(numbers, zip(*columns, strict=True), strict=True):
            answers[number - 1].append(answer)
        return answers

    def stream(self, statement: str, parameters: Sequence[Any] = (), at_once: int = 5000) -> Iterator[Values]:
        """Run a query inside a transaction through a cursor, which fetches `at_once` rows at a time."""
        name = f"rows_{next(self._names)}"
        self.execute(f"DECLARE {name} NO SCROLL CURSOR FOR {statement}", parameters)
        # the transaction closes a cursor that is not read to its end
        while chunk := self.execute(f"FETCH FORWARD {at_once} FROM {name}").fetchall():
            yield from chunk
        self.execute(f"CLOSE {name}")

    @contextmanager
    def transaction(self, *, write: bool, accounts: frozenset[str] | None = None) -> Iterator[None]:
        """Run one transaction. A reader has a consistent snapshot; a writer first waits for its locks."""
        assert not self._in_transaction, "a transaction inside a transaction"
        with self._errors():
            begin = _BEGIN_WRITING if write else _BEGIN_READING
            self._run(lambda raw: raw.cursor().execute(begin.encode()))
            self._in_transaction = True
            try:
                if write:
                    self._lock(accounts)
                yield
            except BaseException:
                self._roll_back()
                raise
            self._commit()

    def set_lock_timeout(self, seconds: float) -> None:
        """Set how long later transactions wait for another writer."""
        self._lock_timeout = seconds
        # 0 means no limit to PostgreSQL
        milliseconds = f"{max(seconds * 1000, 1):.0f}"
        self.execute("SELECT set_config('lock_timeout', ?, false)", (milliseconds,))

    def limit_memory(self) -> None:
        """Do nothing: written rows are in the server's memory."""

    def drop_indexes_temporarily(self, table: str) -> list[str]:
        """Drop no index: readers would have to wait, and COPY is fast with indexes."""
        return []

    def acquire_commit_lock(self) -> None:
        """Wait until no other writer holds the commit lock, and hold it until the end."""
        self.execute("SELECT pg_advisory_xact_lock(?)", (_LAST_STEP,))

    def probe_write(self) -> None:
        """Write a row and commit it."""
        self.execute(
            "INSERT INTO meta (key, value) VALUES ('probe', ?) "
            "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (os.urandom(8).hex(),),
        )

    def flush(self) -> None:
        """Do nothing: the server keeps its files."""

    def is_in_place(self) -> bool:
        """Return True: a connection belongs to one database."""
        return True

    def close(self) -> None:
        """Close the connection."""
        if self._raw is not None:
            self._raw.close()

    def __del__(self) -> None:
        # psycopg warns about a connection that is not closed, as happens when a thread ends
        if getattr(self, "_raw", None) is not None:
            self.close()

    def _lock(self, accounts: frozenset[str] | None) -> None:
        """Lock the whole ledger, or lock it shared and its accounts exclusively.

        Accounts are locked in sorted order, which excludes deadlocks.
        """
        if accounts is None or len(accounts) > _MAX_LOCKS:
            self.execute("SELECT pg_advisory_xact_lock(?)", (_LEDGER,))
            return
        self.execute("SELECT pg_advisory_xact_lock_shared(?)", (_LEDGER,))
        for key in sorted(map(_account_key, accounts)):
            self.execute("SELECT pg_advisory_xact_lock(?)", (key,))

    def _commit(self) -> None:
        self._in_transaction = False
        raw = cast(Raw, self._raw)
        try:
            done = raw.cursor().execute(b"COMMIT").statusmessage
        except psycopg.Error as error:
            if not raw.closed and not is_lost(error):
                raise
            self._discard()
            raise StoreError(
                f"the ledger {self.name} was lost at the end of a change, which may be kept or not",
                "retry; duplicates are not counted twice",
            ) from error
        if done != "COMMIT":
            raise StoreError(f"the ledger {self.name} rejected a change", "try again")

    def _roll_back(self) -> None:
        """Roll back; the server does so itself for a lost connection."""
        self._in_transaction = False
        raw = cast(Raw, self._raw)
        try:
            if not raw.closed:
                raw.cursor().execute(b"ROLLBACK")
        except psycopg.Error:
            self._discard()

    def _run(self, work: Callable[[Raw], T]) -> T:
        """Run work on the connection; outside a transaction retry once on a new connection."""
        try:
            return work(self._ensure_connected())
        except psycopg.Error as error:
            self._close_if_lost(error)
            if self._in_transaction or self._raw is not None:
                raise
        return work(self._ensure_connected())

    def _ensure_connected(self) -> Raw:
        if self._raw is not None and self._in_transaction:
            return self._raw
        if self._raw is None or self._raw.closed:
            self._raw = None
            self._raw = self._connect()
        return self._raw

    def _connect(self) -> Raw:
        raw = _open(self._url)
        try:
            self.read_only = prepare(raw, self.name, self._lock_timeout)
            migrate(raw, self.name, self.read_only, create=self._may_create)
        except BaseException:
            raw.close()
            raise
        self._may_create = False  # who reconnects knows the ledger
        return raw

    def _close_if_lost(self, error: psycopg.Error) -> None:
        raw = self._raw
        if raw is not None and (raw.closed or is_lost(error)):
            raw.close()
            if not self._in_transaction:
                self._raw = None

    def _discard(self) -> None:
        if self._raw is not None:
            self._raw.close()
        self._raw = None

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            was_connected = self._raw is not None
            self._close_if_lost(error)
            raise describe_error(error, self.name, was_connected) from error


def connect(url: str, lock_timeout: float, *, create: bool) -> PostgresConnection:
    """Open a ledger by its URL and migrate it to the newest schema; `create` makes it if it does not exist.

    Raises LedgerGoneError if it does not exist, StoreError if it cannot be reached, SchemaError if a newer
    Tearsheet wrote it.
    """
    return PostgresConnection(url, lock_timeout, create=create)


class _BoolAsInt(Int8Dumper):
    """Adapts True and False to the integers of the tables."""

    def dump(self, obj: Any) -> bytes:
        return b"1" if obj else b"0"


def _copy(cursor: psycopg.Cursor[Values], statement: str, rows: Iterable[Values]) -> None:
    target = copy_target(statement)
    assert target is not None, statement
    into = f"COPY {target.table} ({target.columns}) FROM STDIN"
    with cursor.copy(into.encode()) as copy:
        for row in rows:
            copy.write_row(row)


def _account_key(account: str) -> int:
    digest = blake2b(account.encode(), digest_size=8, person=b"tearsheet")
    return int.from_bytes(digest.digest(), "big", signed=True)


def _open(url: str) -> Raw:
    defaults = {"connect_timeout": CONNECT_SECONDS, "application_name": "tearsheet", **_KEEPALIVES}
    options: dict[str, Any] = defaults | _url_parts(url)
    raw = psycopg.connect(autocommit=True, cursor_factory=psycopg.RawCursor, **options)
    # one type for integers of any size, so that a statement is prepared once
    raw.adapters.register_dumper(int, Int8Dumper)
    raw.adapters.register_dumper(bool, _BoolAsInt)
    return raw


def _url_parts(url: str) -> dict[str, Any]:
    try:
        return dict(psycopg.conninfo.conninfo_to_dict(url))
    except psycopg.ProgrammingError:
        raise StoreError(
            f"DATABASE_URL {_redact_url(url)} is not a valid PostgreSQL URL",
            "it looks like postgresql://user:password@host:5432/database?sslmode=require",
        ) from None


def _redact_url(url: str) -> str:
    """Return a URL without user, password and query."""
    scheme, _, rest = url.partition("://")
    place = rest.rpartition("@")[2].partition("?")[0]
    return f"{scheme}://{place}"
