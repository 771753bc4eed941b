"""A ledger in PostgreSQL: one schema named tearsheet, locks by account, and new connections by itself.

Imported only where DATABASE_URL asks for it, since the driver is an extra.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from itertools import count
from typing import Any, TypeVar, cast

from tearsheet.errors import StoreError
from tearsheet.store.db import connection as limits
from tearsheet.store.db.connection import Parameters, Row
from tearsheet.store.db.dialect import copy_target, numbered_placeholders, select_for_each

try:
    import psycopg
    from psycopg.types.numeric import Int8Dumper
except ImportError as error:
    raise StoreError(
        f"DATABASE_URL names PostgreSQL, but its driver is not there: {error}",
        "pip install 'tearsheet[postgres]'",
    ) from error

from tearsheet.store.db.postgres_errors import describe_error, is_lost
from tearsheet.store.db.postgres_schema import migrate, prepare

CONNECT_SECONDS = 5
#: With more accounts than this a writer takes the whole ledger rather than a lock for each.
_MOST_LOCKS = 64
#: Keys of advisory locks; those of accounts are digests of their names.
_LEDGER, _LAST_STEP = 0x7EA25EE7_00000001, 0x7EA25EE7_00000002
_BEGIN_WRITING = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
#: A host that vanishes is noticed within a minute, on either side.
_KEEPALIVES = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}

Raw = psycopg.Connection[Row]
T = TypeVar("T")


class PostgresConnection:
    """A connection to a ledger in PostgreSQL; see `connection.Connection`.

    One that was lost is made anew at the next question; what was under way fails with StoreError.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self.name = _redact_url(url)
        self.read_only = False
        self._raw: Raw | None = None
        self._in_transaction = False
        self._names = count(1)
        with self._errors():
            self._ensure_connected()

    def execute(self, statement: str, parameters: Parameters = (), /) -> psycopg.Cursor[Row]:
        """Run a statement and take all its rows."""
        sql = numbered_placeholders(statement).encode()
        with self._errors():
            return self._run(lambda raw: raw.cursor().execute(sql, parameters))

    def execute_many(self, statement: str, rows: Iterable[Row]) -> None:
        """Run a statement once for each row of parameters: copied where it is a bare INSERT."""
        batch = list(rows)
        if not batch:
            return
        with self._errors(), self._ensure_connected().cursor() as cursor:
            if copy_target(statement) is None or len(batch) == 1:
                cursor.executemany(numbered_placeholders(statement).encode(), batch)
            else:
                _copy(cursor, statement, batch)

    def insert_if_new(self, statement: str, rows: Sequence[Row]) -> bool:
        """Copy rows of which none is there yet; False where one is, and then none of them is in."""
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

    def execute_each(self, statement: str, rows: Iterable[Row]) -> list[list[Row]]:
        """Run a question once for each row of parameters, all sent together; the rows of each."""
        batch = list(rows)
        if not batch:
            return []
        sql = select_for_each(statement, tuple(map(type, batch[0])))
        found: list[list[Row]] = [[] for _ in batch]
        with self._errors():
            parameters = [list(column) for column in zip(*batch, strict=True)]
            for number, *row in self._ensure_connected().cursor().execute(sql.encode(), parameters):
                found[number - 1].append(tuple(row))
        return found

    def stream(self, statement: str, parameters: Parameters = (), at_once: int = 5000) -> Iterator[Row]:
        """Run a question inside a transaction, fetching some of its rows at a time."""
        name = f"rows_{next(self._names)}"
        self.execute(f"DECLARE {name} NO SCROLL CURSOR FOR {statement}", parameters)
        # one that is left before its end goes with its transaction
        while batch := self.execute(f"FETCH FORWARD {at_once} FROM {name}").fetchall():
            yield from batch
        self.execute(f"CLOSE {name}")

    @contextmanager
    def transaction(self, *, write: bool, accounts: frozenset[str] | None = None) -> Iterator[None]:
        """One transaction: a reader sees one state throughout, a writer waits for its turn."""
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
        """Set how long another writer is waited for; at least a millisecond, as 0 would be for ever."""
        milliseconds = f"{max(seconds * 1000, 1):.0f}"
        self.execute("SELECT set_config('lock_timeout', ?, false)", (milliseconds,))

    def limit_memory(self) -> None:
        """The server holds what is written."""

    def drop_indexes_temporarily(self, table: str) -> list[str]:
        """None: readers would have to wait, and rows are copied in anyway."""
        return []

    def acquire_commit_lock(self) -> None:
        """Wait until no other writer is in its last step; from here on this one is alone in it."""
        self.execute("SELECT pg_advisory_xact_lock(?)", (_LAST_STEP,))

    def close(self) -> None:
        """Let go of the server."""
        if self._raw is not None:
            self._raw.close()

    def __del__(self) -> None:
        # one that is let go with its ledger, as a thread's is at its end, is no mistake
        if getattr(self, "_raw", None) is not None:
            self.close()

    def _lock(self, accounts: frozenset[str] | None) -> None:
        """Take the ledger, whole or shared with writers of other accounts; always in one order."""
        if accounts is None or len(accounts) > _MOST_LOCKS:
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
                "do it again; what was kept is not counted twice",
            ) from error
        if done != "COMMIT":
            raise StoreError(f"the ledger {self.name} refused a change", "try again")

    def _roll_back(self) -> None:
        """Undo what was done; of a lost connection nothing is left to undo."""
        self._in_transaction = False
        raw = cast(Raw, self._raw)
        try:
            if not raw.closed:
                raw.cursor().execute(b"ROLLBACK")
        except psycopg.Error:
            self._discard()

    def _run(self, work: Callable[[Raw], T]) -> T:
        """Work on the connection; outside of a transaction once more where it turns out lost."""
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
            self.read_only = prepare(raw, self.name, limits.BUSY_SECONDS)
            migrate(raw, self.name, self.read_only)
        except BaseException:
            raw.close()
            raise
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


def connect(url: str) -> PostgresConnection:
    """Open a ledger by its URL, made or brought to the newest schema where needed.

    Raises StoreError where it cannot be reached, SchemaError where a newer Tearsheet wrote it.
    """
    return PostgresConnection(url)


class _BoolAsInt(Int8Dumper):
    """Sends True and False as the numbers that the tables hold."""

    def dump(self, obj: Any) -> bytes:
        return b"1" if obj else b"0"


def _copy(cursor: psycopg.Cursor[Row], statement: str, rows: Iterable[Row]) -> None:
    """Copy the rows of a bare INSERT."""
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
    given = _url_parts(url)
    defaults = {"connect_timeout": CONNECT_SECONDS, "application_name": "tearsheet", **_KEEPALIVES}
    options: dict[str, Any] = defaults | given
    raw = psycopg.connect(autocommit=True, cursor_factory=psycopg.RawCursor, **options)
    # of one kind whatever their size, so that a statement has one form
    raw.adapters.register_dumper(int, Int8Dumper)
    raw.adapters.register_dumper(bool, _BoolAsInt)
    return raw


def _url_parts(url: str) -> dict[str, Any]:
    try:
        return dict(psycopg.conninfo.conninfo_to_dict(url))
    except psycopg.ProgrammingError:
        raise StoreError(
            f"DATABASE_URL {_redact_url(url)} is not understood by PostgreSQL's driver",
            "it looks like postgresql://user:password@host:5432/database?sslmode=require",
        ) from None


def _redact_url(url: str) -> str:
    """A URL without user, password and query."""
    scheme, _, rest = url.partition("://")
    place = rest.rpartition("@")[2].partition("?")[0]
    return f"{scheme}://{place}"
