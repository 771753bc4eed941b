"""Laws of large imports: what is read in bulk is what is read fill by fill, on both databases."""

import random
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stories.test_ledger_laws import csv_lines, fill_rows, fresh_place
from tests.support.laws import examples
from tests.support.place import NOON, Place, as_rows, fills_csv, record
from tests.support.postgres_server import PostgresServer

HEADER = "account,symbol,time,side,quantity,price,commission,fill_id,status"
FACTS = {
    "fill": "SELECT * FROM fill ORDER BY id",
    "sighting": "SELECT * FROM sighting ORDER BY source_id, line, fill_id",
    "variant": "SELECT * FROM variant ORDER BY source_id, line, account, key",
    "rejection": "SELECT * FROM rejection ORDER BY id",
    "batch": "SELECT * FROM batch ORDER BY source_id",
    "account_state": "SELECT account, rewrites, last_us FROM account_state ORDER BY account",
}
Kept = dict[str, list[tuple[Any, ...]]]
#: In what order the lines of a file stand; the last one is sorted by account, as many exports are.
ORDERS: list[Callable[[list[str], random.Random], list[str]]] = [
    lambda lines, _: lines,
    lambda lines, _: lines,
    lambda lines, _: lines[::-1],
    lambda lines, chance: chance.sample(lines, len(lines)),
    lambda lines, _: sorted(lines),
]


@pytest.fixture(autouse=True, scope="module")
def _short_batches() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tearsheet.app.imports.import_file._AT_ONCE", 3)
        yield


@contextmanager
def bulk(least: int) -> Iterator[None]:
    """Take any file for a large one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tearsheet.sources.statements.statement.LEAST_BYTES", 1)
        patch.setattr("tearsheet.sources.statements.plain_columns.MOST_ROWS", 3)
        patch.setattr("tearsheet.store.write.append_booking.FOLD_BATCH", 2)
        patch.setattr("tearsheet.store.write.transaction._BULK_BYTES", 1)
        patch.setattr("tearsheet.store.write.imported_fills._LEAST_ROWS", least)
        patch.setattr("tearsheet.store.write.append_booking._MAX_WAITING", 2)
        patch.setattr("tearsheet.store.write.session_tallies._MAX_CACHED", 1)
        patch.setattr("tearsheet.store.db.sqlite._LEAST_ROWS", 1)
        yield


def files_of(drawn: list[tuple[Any, ...]], chance: random.Random) -> list[list[str]]:
    """One to three files with fills read before, other contents of an id, corrections and busts."""
    lines = [f"{line}," for line in csv_lines(drawn)]
    cut = chance.randrange(len(lines) + 1)
    files = [lines[:cut], lines[cut:]]
    if chance.random() < 0.5:
        files.append(chance.sample(lines, chance.randrange(len(lines) + 1)))
    for file in files:
        for _ in range(chance.choice([0, 0, 0, 1, 2])):
            account, symbol, at, side, quantity, _, fee, fill_id, _ = chance.choice(lines).split(",")
            status = chance.choice(["", "correction", "bust"])
            line = f"{account},{symbol},{at},{side},{quantity},77,{fee},{fill_id},{status}"
            file.insert(chance.randrange(len(file) + 1), line)
    return [chance.choice(ORDERS)(file, chance) for file in files if file]


def kept(place: Place, files: list[list[str]]) -> Kept:
    """Import files and return every fact and book."""
    with closing(place.tracker()) as tracker:
        for number, lines in enumerate(files):
            tracker.import_file(place.write(f"fills-{number}.csv", fills_csv(lines, HEADER)))
        query = tracker.ledger.connection.execute
        facts = {name: [tuple(row) for row in query(sql)] for name, sql in FACTS.items()}
        return facts | as_rows(tracker)


@examples(60)
@given(drawn=fill_rows, chance=st.randoms(use_true_random=False), least=st.sampled_from([1, 2, 99]))
def test_a_bulk_import_keeps_what_an_ordinary_one_keeps(
    drawn: list[tuple[Any, ...]], chance: random.Random, least: int
) -> None:
    files = files_of(drawn, chance)
    ordinary = kept(fresh_place(), files)
    with bulk(least):
        assert kept(fresh_place(), files) == ordinary


@pytest.fixture(scope="module")
def served(postgres: PostgresServer) -> Iterator[Callable[[], Place]]:
    """Gives places whose ledger is in one database, emptied each time."""
    url = postgres.database()

    def empty() -> Place:
        with psycopg.connect(url) as raw:
            raw.execute("DROP SCHEMA IF EXISTS tearsheet CASCADE")
        place = fresh_place()
        place.env["DATABASE_URL"] = url
        return place

    yield empty
    postgres.drop(url)


@examples(10)
@given(drawn=fill_rows, chance=st.randoms(use_true_random=False))
def test_a_bulk_import_into_postgresql_keeps_what_an_ordinary_one_into_sqlite_keeps(
    served: Callable[[], Place], drawn: list[tuple[Any, ...]], chance: random.Random
) -> None:
    files = files_of(drawn, chance)
    ordinary = kept(fresh_place(), files)
    with bulk(1):
        assert kept(served(), files) == ordinary


def test_a_bulk_import_that_is_late_leaves_what_was_booked_anew_before_it() -> None:
    """After other rules all books are made anew in the import's own transaction, logged results too."""
    place = fresh_place()
    place.log("2026-11-18", record(at=NOON - timedelta(days=2), net=40))
    with closing(place.tracker()) as tracker:
        tracker.sync()
    place.write("config/instruments.yaml", "ZZZ: {multiplier: 2}\n")
    late = [
        "A,AAPL,2026-11-19T15:00:00Z,BUY,1,10,0,2,",
        "A,AAPL,2026-11-17T15:00:00Z,BUY,1,12,0,1,",
        "A,AAPL,2026-11-19T16:00:00Z,SELL,2,12,0,3,",
    ]
    with bulk(1), closing(place.tracker()) as tracker:
        tracker.import_file(place.write("fills.csv", fills_csv(late, HEADER)))
        assert tracker.verify().differences == []
        assert tracker.get_summary("weekly").value("net_pnl") == 42
