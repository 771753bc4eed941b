"""The ledger in PostgreSQL: writers side by side, servers that go away, and the same answers."""

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import psycopg
import pytest

from tearsheet.errors import SchemaError, StoreError
from tearsheet.export.files import json_bytes
from tearsheet.sample import write_fills_csv, write_log
from tearsheet.store.db import connection, dialect
from tearsheet.store.db import postgres as store_postgres
from tearsheet.store.db.connection import load_statements
from tearsheet.store.tables.columns import PositionRow
from tearsheet.store.tables.ledger import Ledger
from tests.stories.test_faults import WHOLE
from tests.support.place import NOON, TOP, Place, as_rows, fills_csv, record
from tests.support.postgres_server import PASSWORD, QUOTED, PostgresServer
from tests.support.posting_process import END, post, requests
from tests.support.processes import environment

POSTING = TOP / "tests" / "support" / "posting_process.py"


@pytest.fixture
def place(tmp_path: Path, postgres: PostgresServer) -> Iterator[Place]:
    """A place whose ledger is in PostgreSQL."""
    url = postgres.ledger()
    place = Place(tmp_path, {"DATABASE_URL": url})
    yield place
    for tracker in place.trackers:
        tracker.close()
    postgres.give_back(url)


@pytest.fixture
def new_place(tmp_path: Path, postgres: PostgresServer) -> Iterator[Place]:
    """A place whose database nobody has used yet."""
    url = postgres.database()
    place = Place(tmp_path, {"DATABASE_URL": url})
    yield place
    for tracker in place.trackers:
        tracker.close()
    postgres.drop(url)


def process(place: Place, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=place.folder,
        text=True,
        env=environment(place.env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def ended(processes: list["subprocess.Popen[str]"]) -> None:
    said = [(process.communicate(timeout=120), process.returncode) for process in processes]
    assert all(code == 0 for _, code in said), said


def transaction(place: Place, accounts: str, number: int, seed: int) -> "subprocess.Popen[str]":
    arguments = (str(place.folder), accounts, str(number), str(seed), place.now.isoformat())
    return process(place, str(POSTING), *arguments)


def test_processes_that_post_fills_at_once_make_what_one_after_the_other_makes(
    place: Place, tmp_path: Path
) -> None:
    """Two accounts of their own, one shared by two writers, and one writer of all, twice over."""
    writers = [("A", 12, 1), ("B", 12, 2), ("C", 10, 3), ("C,A", 10, 4), ("A,B,C,D", 8, 5)]
    place.now = END
    ended([transaction(place, *writer) for writer in [*writers, writers[4]]])
    alone = Place(tmp_path / "alone", {}, now=END)
    with place.tracker() as tracker, alone.tracker() as serial:
        for accounts, number, seed in writers:
            for fills in requests(accounts.split(","), number, seed):
                post(serial, fills)
        assert as_rows(tracker) == as_rows(serial)
        assert tracker.verify().differences == []
        assert tracker.revision == sum(number for _, number, _ in writers)
        query = tracker.ledger.connection.execute
        assert query("SELECT COUNT(*), COUNT(DISTINCT key) FROM fill").fetchone() == (416, 416)


def test_a_writer_of_one_account_does_not_wait_for_one_of_another(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B is posted from beginning to end while A, booked already, is about to take its last step."""
    fills = {account: requests([account], 2, seed) for seed, account in enumerate("AB")}
    place.now = END
    alone = Place(tmp_path / "alone", {}, now=END)
    with place.tracker() as one, place.tracker() as other, alone.tracker() as serial:
        for posted in (fills["A"][0], fills["B"][0], fills["A"][1], fills["B"][1]):
            post(serial, posted)
        post(one, fills["A"][0])
        post(other, fills["B"][0])
        join = one.ledger.acquire_commit_lock

        def join_late() -> None:
            assert post(other, fills["B"][1]) == 3
            join()

        monkeypatch.setattr(one.ledger, "acquire_commit_lock", join_late)
        assert post(one, fills["A"][1]) == 4
        assert as_rows(one) == as_rows(serial)
        assert one.verify().differences == []


@pytest.mark.parametrize("accounts", [None, frozenset({"A"}), frozenset(map(str, range(500)))])
def test_a_lock_that_is_held_too_long_is_said(
    place: Place, monkeypatch: pytest.MonkeyPatch, accounts: frozenset[str] | None
) -> None:
    monkeypatch.setattr("tearsheet.store.tables.ledger.BUSY_SECONDS", 0.1)
    with (
        place.tracker() as one,
        place.tracker() as other,
        one.ledger.writing(frozenset({"A"})),
        pytest.raises(StoreError, match="is locked by another process") as caught,
        other.ledger.writing(accounts),
    ):
        pytest.fail("both wrote at once")
    assert caught.value.hint == "retry; a long import may be running"
    with place.tracker() as tracker, tracker.ledger.writing(accounts):
        tracker.ledger.put("afterwards", "it can be written")


def test_kill_9_at_any_moment_loses_and_doubles_nothing(place: Place) -> None:
    write_log(place.folder / "logs", days=4, trades_per_day=200, last_day=date(2026, 11, 20))
    write_fills_csv(place.folder / "fills.csv", count=2000, accounts=2, symbols=3)
    command = "import sys; from tearsheet.cli import main; sys.exit(main(sys.argv[1:]))"
    for delay in (0.3, 0.4, 0.5):
        for arguments in (["sync"], ["import", "fills.csv"]):
            writer = process(place, "-c", command, *arguments)
            time.sleep(delay)
            writer.send_signal(signal.SIGKILL)
            writer.communicate(timeout=60)
    for arguments in (["sync"], ["import", "fills.csv"]):
        ended([process(place, "-c", command, *arguments)])
    straight = Place(place.folder / "straight", {})
    write_log(straight.folder / "logs", days=4, trades_per_day=200, last_day=date(2026, 11, 20))
    with place.tracker() as killed, straight.tracker() as clean:
        clean.sync()
        clean.import_file(place.folder / "fills.csv")
        assert as_rows(killed) == as_rows(clean)
        assert killed.verify().differences == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
def test_a_server_that_restarts_between_questions_is_not_even_noticed(
    place: Place, postgres: PostgresServer, how: signal.Signals
) -> None:
    place.log("2026-11-20", record(order_id="1", net="5"))
    with place.tracker() as tracker:
        assert tracker.get_summary("daily").value("net_pnl") == 5
        postgres.stop(how)
        with pytest.raises(StoreError, match="cannot be reached") as caught:
            tracker.get_summary("daily")
        assert caught.value.hint == "check that PostgreSQL runs there, and DATABASE_URL"
        postgres.start()
        place.log("2026-11-20", record(order_id="2", net="7"), mode="a")
        assert tracker.get_summary("daily").value("net_pnl") == 12
        postgres.stop(how)
        postgres.start()
        assert tracker.get_summary("daily").value("net_pnl") == 12


def end_connections(postgres: PostgresServer, place: Place) -> None:
    with closing(postgres.admin()) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
            (place.env["DATABASE_URL"].rpartition("/")[2],),
        )


def test_a_question_whose_connection_is_killed_fails_and_the_next_one_works(
    place: Place, postgres: PostgresServer
) -> None:
    place.log("2026-11-20", *(record(order_id=str(n), net="5") for n in range(30)))
    with place.tracker() as tracker:
        tracker.sync()
        ledger = tracker.ledger

        def ask() -> None:
            with ledger.snapshot():
                end_connections(postgres, place)
                ledger.tallies.first_session(None)

        def read_on() -> None:
            with ledger.snapshot() as queries:
                rows = queries.stream(PositionRow, "closed_all", (0, 1 << 62), at_once=2)
                assert next(iter(rows))
                end_connections(postgres, place)
                list(rows)

        for question in (ask, read_on):
            with pytest.raises(StoreError, match="was lost"):
                question()
            assert ledger.revision == 1
        assert tracker.get_summary("daily").value("net_pnl") == 150


@pytest.mark.parametrize("moment", ["before the facts", "amid the facts", "before the end"])
def test_a_change_whose_connection_is_killed_leaves_nothing_and_can_be_done_again(
    place: Place, postgres: PostgresServer, moment: str
) -> None:
    place.now = END
    with place.tracker() as tracker:
        ledger = tracker.ledger
        fills = requests(["A"], 1, 1)[0]

        def change() -> None:
            with ledger.writing():
                if moment == "before the facts":
                    end_connections(postgres, place)
                ledger.put("half", "done")
                if moment == "amid the facts":
                    end_connections(postgres, place)
                    ledger.put("half", "more")
                if moment == "before the end":
                    end_connections(postgres, place)

        with pytest.raises(StoreError, match="was lost") as caught:
            change()
        unknown = "retry; duplicates are not counted twice"
        assert caught.value.hint == (unknown if moment == "before the end" else "try again; nothing was lost")
        assert ledger.get("half") is None
        assert post(tracker, fills) == 1


def test_a_change_that_swallows_an_error_is_not_taken_for_done(place: Place) -> None:
    with place.tracker() as tracker:
        ledger = tracker.ledger

        def change() -> None:
            with ledger.writing():
                ledger.put("half", "done")
                with pytest.raises(StoreError):
                    ledger.connection.execute("SELECT nothing FROM nowhere")

        with pytest.raises(StoreError, match="rejected a change"):
            change()
        assert ledger.get("half") is None


def test_four_processes_that_meet_an_empty_database_make_its_tables_once(place: Place) -> None:
    opening = (
        "import sys; from tearsheet.store.tables.ledger import Ledger; sys.stdin.readline();"
        "ledger = Ledger(sys.argv[1]); print(ledger.revision); ledger.close()"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", opening, place.env["DATABASE_URL"]],
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(4)
    ]
    ready = threading.Event()
    said = []

    def go(one: "subprocess.Popen[str]") -> None:
        ready.wait()
        said.append((*one.communicate("go\n", timeout=60), one.returncode))

    threads = [threading.Thread(target=go, args=(one,)) for one in started]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    ready.set()
    for thread in threads:
        thread.join()
    assert said == [("0\n", "", 0)] * 4
    with psycopg.connect(place.env["DATABASE_URL"]) as raw:
        versions = raw.execute("SELECT number FROM tearsheet.schema_version").fetchall()
        assert versions == [(n,) for n, _ in connection.migrations()]


def test_the_tables_are_those_of_sqlite(place: Place, tmp_path: Path) -> None:
    kinds = {"BIGINT": "INTEGER", "TEXT": "TEXT", "BYTEA": "BLOB"}
    with place.tracker() as tracker, closing(Ledger(tmp_path / "file.db")) as file:
        query = tracker.ledger.connection.execute
        found = query(
            "SELECT table_name, column_name, UPPER(data_type), is_nullable = 'YES', collation_name"
            " FROM information_schema.columns WHERE table_schema = 'tearsheet'"
            " AND table_name <> 'schema_version' AND table_name NOT IN (SELECT viewname FROM pg_views)"
            " ORDER BY table_name, ordinal_position"
        ).fetchall()
        of_file = file.connection.execute(
            'SELECT t.name, c.name, c.type, c."notnull" = 0 AND c.pk = 0'
            " FROM sqlite_schema t JOIN pragma_table_info(t.name) c WHERE t.type = 'table'"
            " ORDER BY t.name, c.cid"
        ).fetchall()
        assert [(t, c, kinds[kind], bool(null)) for t, c, kind, null, _ in found] == [
            (t, c, kind, bool(null)) for t, c, kind, null in of_file
        ]
        assert {name for *_, kind, _, name in found if kind == "TEXT"} == {"C"}
        indexes = query("SELECT indexname FROM pg_indexes WHERE schemaname = 'tearsheet'").fetchall()
        of_file = file.connection.execute("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql > ''")
        assert {name for (name,) in indexes if not name.endswith("_pkey")} == {name for (name,) in of_file}


def test_postgresql_understands_every_statement_and_has_an_index_for_it(new_place: Place) -> None:
    with new_place.tracker() as tracker:
        query = tracker.ledger.connection.execute
        query("SET enable_seqscan = off")
        query("SET plan_cache_mode = force_generic_plan")
        for name, statement in load_statements().items():
            query(f"PREPARE {name} AS {statement}")
            if name in WHOLE or not statement.startswith(("SELECT", "WITH", "UPDATE", "DELETE")):
                continue
            number = len(set(re.findall(r"\$\d+", dialect.numbered_placeholders(statement))))
            given = f"({', '.join(['NULL'] * number)})" if number else ""
            plan = [line for (line,) in query(f"EXPLAIN EXECUTE {name}{given}").fetchall()]
            assert not any("Seq Scan" in line for line in plan), (name, plan)


def test_statements_and_schema_are_put_in_other_words() -> None:
    assert dialect.numbered_placeholders("a = ? AND b = ?") == "a = $1 AND b = $2"
    assert dialect.numbered_placeholders("a < ?1 OR a > ?1") == "a < $1 OR a > $1"
    assert dialect.select_for_each("SELECT x FROM t WHERE a = ? AND b = ?", (str, int)) == (
        "SELECT asked.n, found.* FROM unnest($1::TEXT[], $2::BIGINT[]) WITH ORDINALITY"
        " AS asked (p1, p2, n), LATERAL (SELECT x FROM t WHERE a = asked.p1 AND b = asked.p2)"
        " AS found ORDER BY asked.n"
    )
    assert dialect.copy_target("INSERT INTO t (a, b) VALUES (?, ?)") == dialect.CopyTarget("t", "a, b")
    assert dialect.copy_target("INSERT INTO t (a) VALUES (?) ON CONFLICT DO NOTHING") is None
    assert dialect.schema_statement(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, s TEXT, b BLOB) STRICT, WITHOUT ROWID"
    ) == (
        "CREATE TABLE t (id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, n BIGINT, "
        's TEXT COLLATE "C", b BYTEA)'
    )


def test_the_sample_gives_the_same_files_from_both(place: Place, tmp_path: Path) -> None:
    write_log(place.folder / "logs", days=20, trades_per_day=40, last_day=NOON.date())
    write_fills_csv(place.folder / "fills.csv", count=3000, accounts=3, symbols=5)
    place.log("2026-11-20", '{"half', "\x00\x00", "no json", mode="a")
    file = Place(tmp_path, {})
    given = []
    for tracker in (place.tracker(), file.tracker(DATABASE_URL="file.db")):
        tracker.import_file(place.folder / "fills.csv")
        tracker.sync()
        windows = [tracker.window(kind) for kind in ("daily", "weekly", "monthly", "all")]
        summaries = [tracker.get_summary(window) for window in [*windows, tracker.window(rolling=20)]]
        summaries += [
            tracker.get_summary("all", scope=type(summaries[0].scope)(account=a)) for a in tracker.accounts()
        ]
        given.append(
            (
                [json_bytes(summary) for summary in summaries],
                tracker.accounts(),
                as_rows(tracker),
                tracker.rejections(),
                tracker.explain("net_pnl", windows[1]),
                tracker.verify(),
            )
        )
    assert given[0] == given[1]
    assert given[0][-1].differences == []


def test_a_ledger_that_was_tampered_with_is_found_out(place: Place) -> None:
    place.write(
        "a.csv",
        fills_csv(["A,AAPL,2026-11-20T10:00:00Z,buy,1,10,0,1", "A,AAPL,2026-11-20T10:01:00Z,sell,1,12,0,2"]),
    )
    with place.tracker() as tracker:
        tracker.import_file(place.folder / "a.csv")
        with tracker.ledger.writing():
            tracker.ledger.connection.execute("UPDATE position SET gross = '999'")
            tracker.ledger.connection.execute("DELETE FROM tally WHERE account = ''")
        differences = tracker.verify().differences
        assert [words.split(":")[0] for words in differences] == [
            "position",
            "position",
            "tally ('', '2026-11-20', 'USD') is not stored",
        ]


Broken = Callable[[str], str]


@pytest.mark.parametrize(
    ("broken", "message", "hint"),
    [
        (lambda url: url.replace(QUOTED, "wr0ng"), "login failed", "check user and password"),
        (lambda url: url.rpartition("/")[0] + "/nowhere", "does not exist", "create the database"),
        (
            lambda url: url.rpartition(":")[0] + ":1/db",
            "cannot be reached",
            "check that PostgreSQL runs there",
        ),
        (
            lambda url: url + "?colour=blue",
            "is not a valid PostgreSQL URL",
            "it looks like postgresql://user",
        ),
        (
            lambda url: url.rpartition(":")[0] + ":port/db",
            "cannot be reached",
            "check that PostgreSQL runs there",
        ),
    ],
    ids=["password", "database", "port", "option", "no port"],
)
def test_a_database_that_cannot_be_used_is_said_without_its_password(
    place: Place, broken: Broken, message: str, hint: str
) -> None:
    with pytest.raises(StoreError, match=message) as caught:
        place.tracker(DATABASE_URL=broken(place.env["DATABASE_URL"]))
    assert caught.value.hint.startswith(hint)
    chain: BaseException | None = caught.value
    while chain is not None:
        said = f"{chain} {chain!r}"
        assert not any(word in said for word in (QUOTED, PASSWORD, "wr0ng"))
        chain = chain.__cause__


def test_a_database_in_another_encoding_or_of_a_newer_schema_is_left_alone(
    place: Place, postgres: PostgresServer
) -> None:
    with closing(postgres.admin()) as admin:
        admin.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    with pytest.raises(StoreError, match="a database in LATIN1"):
        place.tracker(DATABASE_URL=postgres.url("latin"))
    with psycopg.connect(place.env["DATABASE_URL"]) as raw:
        place.tracker().close()
        raw.execute("INSERT INTO tearsheet.schema_version VALUES (99)")
    with pytest.raises(SchemaError, match="has schema 99, this Tearsheet knows up to"):
        place.tracker()


def test_a_user_who_may_not_make_tables_is_told(new_place: Place, postgres: PostgresServer) -> None:
    with closing(postgres.admin()) as admin:
        admin.execute("CREATE USER reader PASSWORD 'reads'")
    url = new_place.env["DATABASE_URL"].replace(f"tearsheet:{QUOTED}", "reader:reads")
    with pytest.raises(StoreError, match="denies this user permission") as caught:
        new_place.tracker(DATABASE_URL=url)
    assert caught.value.hint.startswith("grant CREATE")
    with psycopg.connect(new_place.env["DATABASE_URL"]) as owner:
        owner.execute("CREATE SCHEMA tearsheet AUTHORIZATION reader")
    assert new_place.tracker(DATABASE_URL=url).sync().files == 0


def test_a_read_only_server_without_a_ledger_is_said(
    new_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_place.make_read_only(monkeypatch)
    with pytest.raises(StoreError, match="has the old schema 0 and cannot be written"):
        new_place.tracker()


def test_without_the_driver_the_extra_is_named(place: Place) -> None:
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from tearsheet.cli import main; sys.exit(main(['accounts']))"
    )
    one = process(place, "-c", code)
    _, said = one.communicate(timeout=60)
    assert one.returncode != 0
    assert "pip install 'tearsheet[postgres]'" in said
    assert "Traceback" not in said


def test_the_driver_is_not_imported_for_a_file(tmp_path: Path) -> None:
    code = (
        "import sys; from tearsheet.cli import main; main(['summary']); assert 'psycopg' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)


def test_connections_wait_no_longer_than_they_should(place: Place) -> None:
    with place.tracker() as tracker:
        query = tracker.ledger.connection.execute
        names = ("lock_timeout", "statement_timeout", "search_path", "application_name")
        assert [query(f"SHOW {name}").fetchone() for name in names] == [
            ("30s",),
            ("10min",),
            ("tearsheet",),
            ("tearsheet",),
        ]
    assert store_postgres.CONNECT_SECONDS == 5
