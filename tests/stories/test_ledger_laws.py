"""Laws of the ledger, by generated logs and fills: the order in which things arrive does not matter."""

import json
import random
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tearsheet.app.config.source_decisions import decide, doubts
from tests.support.laws import examples
from tests.support.place import NOON, Place, as_rows, fills_csv, opened, record


@pytest.fixture(autouse=True, scope="module")
def _short_stretches() -> Iterator[None]:
    """Read and book in stretches so short that their seams are met."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tearsheet.store.tables.queries._CHUNK_ROWS", 4)
        patch.setattr("tearsheet.store.write.rebooking._CHUNK_ROWS", 3)
        yield


#: The folders of all examples; they go when the process ends.
_SCRATCH = tempfile.TemporaryDirectory(prefix="tearsheet-laws-")
Rows = dict[str, list[tuple[Any, ...]]]
START = datetime(2026, 11, 16, 14, tzinfo=UTC)

fill_rows = st.lists(
    st.tuples(
        st.sampled_from(["A", "B"]),
        st.sampled_from(["X", "Y"]),
        st.integers(0, 12),  # hours, so that several fills share an instant
        st.sampled_from(["buy", "sell"]),
        st.integers(1, 3),
        st.integers(-5, 20),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=14,
)


def csv_lines(drawn: list[tuple[Any, ...]]) -> list[str]:
    """Rows in time order; those of an instant keep the order in which they were drawn."""
    ordered = sorted(drawn, key=lambda row: row[2])
    return [
        f"{account},{symbol},{(START + timedelta(hours=9 * hours)).isoformat()},{side},{quantity},{price},{fee},E{n}"
        for n, (account, symbol, hours, side, quantity, price, fee) in enumerate(ordered)
    ]


#: Before the trading day of these places ends.
AFTERNOON = NOON + timedelta(hours=4)


def fresh_place() -> Place:
    folder = Path(tempfile.mkdtemp(dir=_SCRATCH.name))
    return Place(folder, {"TEARSHEET_DAY_STARTS_AT": "17:00"}, now=AFTERNOON)


def books_of(place: Place, files: list[list[str]]) -> Rows:
    """Import files of lines one after the other and return all the books."""
    with closing(place.tracker()) as tracker:
        for number, lines in enumerate(files):
            tracker.import_file(place.write(f"fills-{number}.csv", fills_csv(lines)))
            if number % 2:
                assert tracker.verify().differences == []
        return as_rows(tracker)


@examples(60)
@given(fill_rows, st.data())
def test_fills_in_any_files_and_any_order_make_the_same_books(
    drawn: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    lines = csv_lines(drawn)
    whole = books_of(fresh_place(), [lines])
    instants = sorted({line.split(",")[2] for line in lines})
    # files are cut between instants, as exports are; they overlap and come in any order
    cuts = sorted(data.draw(st.lists(st.sampled_from(instants), max_size=3)))
    bounds = ["", *cuts, "9"]
    files = [
        [line for line in lines if low <= line.split(",")[2] < high]
        for low, high in zip(bounds, [*bounds[2:], "9", "9"], strict=True)
    ]
    files = [file for file in files if file]
    shuffled = data.draw(st.permutations([*files, files[0]]))
    assert books_of(fresh_place(), list(shuffled)) == whole


@examples(60)
@given(fill_rows, st.integers(0, 13))
def test_a_late_fill_equals_having_come_in_order(drawn: list[tuple[Any, ...]], late: int) -> None:
    lines = csv_lines(drawn)
    late %= len(lines)
    instant = lines[late].split(",")[2]
    together = [line for line in lines if line.split(",")[2] == instant]
    without = [line for n, line in enumerate(lines) if n != late]
    if not without:
        return
    # the late statement brings the fill with those of its instant, which settles their order
    assert books_of(fresh_place(), [without, together]) == books_of(fresh_place(), [lines])


records = st.lists(
    st.tuples(
        st.integers(0, 4),  # day
        st.sampled_from(["1", "2", "3", "4", None]),  # order id
        st.sampled_from(["AAPL", "MSFT"]),
        st.sampled_from(["open", "open", "5", "-3", "0"]),
        st.sampled_from(["BUY", "SELL"]),
    ),
    min_size=1,
    max_size=14,
)


def log_lines(drawn: list[tuple[Any, ...]]) -> dict[str, list[str]]:
    """The lines of each day's log."""
    days: dict[str, list[str]] = {}
    for n, (day, order, symbol, result, action) in enumerate(drawn):
        at = START + timedelta(days=day, minutes=n % 7)
        common = {"order_id": order, "symbol": symbol, "action": action, "at": at}
        made = opened(**common) if result == "open" else record(**common, net=result)
        days.setdefault(at.date().isoformat(), []).append(json.dumps(made))
    return days


def read(place: Place, steps: list[tuple[str, list[str]]]) -> Rows:
    with closing(place.tracker()) as tracker:
        for day, lines in steps:
            place.log(day, *lines, mode="a")
            tracker.sync()
        assert tracker.verify().differences == []
        return as_rows(tracker)


@examples(80)
@given(records, st.randoms(use_true_random=False))
def test_logs_read_at_once_or_line_by_line_or_in_any_order_of_days(
    drawn: list[tuple[Any, ...]], chance: random.Random
) -> None:
    days = log_lines(drawn)
    at_once = fresh_place()
    for day, lines in days.items():
        at_once.log(day, *lines)
    whole = read(at_once, [(sorted(days)[0], [])])
    line_by_line = [(day, [line]) for day, lines in days.items() for line in lines]
    assert read(fresh_place(), line_by_line) == whole
    shuffled = list(days.items())
    chance.shuffle(shuffled)
    assert read(fresh_place(), shuffled) == whole


@examples(40)
@given(records, records)
def test_a_rewritten_log_leaves_nothing_behind_once_it_is_accepted(
    before: list[tuple[Any, ...]], after: list[tuple[Any, ...]]
) -> None:
    old, new = log_lines(before), log_lines(after)
    rewritten = fresh_place()
    with closing(rewritten.tracker()) as tracker:
        for day, lines in old.items():
            rewritten.log(day, *lines)
        tracker.sync()
        for day in old.keys() | new.keys():
            rewritten.log(day, *new.get(day, []))
        tracker.sync()
        assert tracker.verify().differences == []
        for name in sorted({doubt.source for doubt in doubts(tracker)}):
            decide(tracker, name, "accept", "kim")
        assert tracker.verify().differences == []
        found = as_rows(tracker)
    straight = fresh_place()
    for day in old.keys() | new.keys():
        straight.log(day, *new.get(day, []))
    with closing(straight.tracker()) as tracker:
        tracker.sync()
        assert found == as_rows(tracker)


def test_the_clock_of_these_tests_stands() -> None:
    assert fresh_place().now == AFTERNOON
