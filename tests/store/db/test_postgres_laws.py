"""Laws on both databases: whatever is read in whatever order, PostgreSQL keeps what SQLite keeps."""

import json
import random
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stories.test_ledger_laws import Rows, csv_lines, fill_rows, fresh_place, log_lines, read, records
from tests.support.laws import examples
from tests.support.place import Place, as_rows, fills_csv, record
from tests.support.postgres_server import PostgresServer

EmptyPlace = Callable[[], Place]


@pytest.fixture(autouse=True, scope="module")
def _short_stretches() -> Iterator[None]:
    """Read and book in stretches so short that their seams are met."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tearsheet.store.tables.queries._CHUNK_ROWS", 4)
        patch.setattr("tearsheet.store.write.rebooking._CHUNK_ROWS", 3)
        yield


@pytest.fixture(scope="module")
def served(postgres: PostgresServer) -> Iterator[EmptyPlace]:
    """Gives places whose ledger is in one database, emptied each time."""
    urls: list[str] = []

    def empty() -> Place:
        if urls:
            postgres.give_back(urls.pop())
        urls.append(postgres.ledger())
        place = fresh_place()
        place.env["DATABASE_URL"] = urls[0]
        return place

    yield empty
    for url in urls:
        postgres.give_back(url)


def imported(place: Place, files: list[list[str]]) -> Rows:
    with closing(place.tracker()) as tracker:
        for number, lines in enumerate(files):
            tracker.import_file(place.write(f"fills-{number}.csv", fills_csv(lines)))
        assert tracker.verify().differences == []
        return as_rows(tracker)


@examples(15)
@given(drawn=fill_rows, chance=st.randoms(use_true_random=False))
def test_fills_in_any_files_make_the_books_of_sqlite(
    served: EmptyPlace, drawn: list[tuple[Any, ...]], chance: random.Random
) -> None:
    lines = csv_lines(drawn)
    instants = sorted({line.split(",")[2] for line in lines})
    half = chance.choice(instants)
    files = [
        [line for line in lines if line.split(",")[2] < half],
        [line for line in lines if line.split(",")[2] >= half],
        lines,
    ]
    files = [file for file in files if file]
    chance.shuffle(files)
    assert imported(served(), files) == imported(fresh_place(), [lines])


@examples(15)
@given(drawn=records, chance=st.randoms(use_true_random=False))
def test_logs_line_by_line_in_any_order_of_days_make_the_books_of_sqlite(
    served: EmptyPlace, drawn: list[tuple[Any, ...]], chance: random.Random
) -> None:
    days = log_lines(drawn)
    steps = [(day, [line]) for day, lines in days.items() for line in lines]
    order = {day: chance.random() for day in days}
    steps.sort(key=lambda step: order[step[0]])
    assert read(served(), steps) == read(fresh_place(), list(days.items()))


#: Names that sort otherwise by language than by bytes, and texts that a database may stumble over.
names = st.text(
    st.sampled_from(["a", "B", "ä", "Z", "_", "-", "'", '"', "\\", "%", "$", "1", "?", "\t", "𝔸", "\x7f"]),
    min_size=1,
    max_size=6,
)


@examples(15)
@given(accounts=st.lists(names, min_size=1, max_size=6, unique=True))
def test_any_names_are_kept_and_sorted_as_in_sqlite(served: EmptyPlace, accounts: list[str]) -> None:
    found = []
    for place in (served(), fresh_place()):
        lines = [
            json.dumps(record(account_id=name, symbol=f"S{name}", order_id=name, strategy_name=name))
            for name in accounts
        ]
        place.log("2026-11-20", *lines)
        with closing(place.tracker()) as tracker:
            tracker.sync()
            assert tracker.verify().differences == []
            found.append(
                (tracker.accounts(), as_rows(tracker), tracker.closed_positions(tracker.window("all")))
            )
    assert found[0] == found[1]
