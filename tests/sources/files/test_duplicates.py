"""Counting equal rows with little memory gives what counting all of them gives."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tearsheet.errors import InputError
from tearsheet.sources.files.duplicates import ExecutionIndex, OccurrenceCounter
from tearsheet.sources.text.problem import RowError


@pytest.fixture(autouse=True, scope="module")
def _little_memory() -> Iterator[None]:
    """Hold so few in memory that most is on the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tearsheet.sources.files.duplicates._RUN_SIZE", 3)
        patch.setattr("tearsheet.sources.files.duplicates._BUFFER_SIZE", 2)
        patch.setattr("tearsheet.sources.files.duplicates._FILTER_MASK", 31)
        patch.setattr("tearsheet.sources.files.duplicates._FILTER_SHIFT", 2)
        yield


START = datetime(2026, 3, 2, tzinfo=UTC)
minutes = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)))


def numbers(rows: list[tuple[int, int]]) -> list[int]:
    occurrences = OccurrenceCounter()
    return [
        occurrences.next_number(minute * 10 + content, START + timedelta(minutes=minute))
        for minute, content in rows
    ]


@given(minutes, st.sampled_from(["as they come", "rising", "falling"]))
def test_occurrences_are_those_of_a_full_count(rows: list[tuple[int, int]], order: str) -> None:
    if order != "as they come":
        rows.sort(key=lambda row: row[0], reverse=order == "falling")
    counts: Counter[tuple[int, int]] = Counter()
    expected = []
    for row in rows:
        expected.append(counts[row])
        counts[row] += 1
    assert numbers(rows) == expected


def test_a_file_that_turns_after_long_still_counts_its_beginning() -> None:
    rows = [(minute, 0) for minute in range(1000)]
    assert numbers([*rows, (0, 0), (999, 0), (0, 0)])[1000:] == [1, 1, 2]


def test_executions_are_known_by_account_and_id() -> None:
    executions = ExecutionIndex()
    assert not executions.is_duplicate("A", "7", 1, 2)
    assert executions.is_duplicate("A", "7", 1, 3)
    assert not executions.is_duplicate("B", "7", -5, 4)
    assert executions.is_duplicate("B", "7", -5, 5)
    with pytest.raises(RowError) as caught:
        executions.is_duplicate("A", "7", 9, 6)
    assert caught.value.problem.code == "conflicting_id"
    assert "execution 7 of account A stands in line 2" in caught.value.problem.reason


ids = st.tuples(st.sampled_from("AB"), st.integers(0, 30).map(str), st.integers(0, 1))


@given(st.lists(ids, max_size=40), st.sampled_from(["as they come", "rising", "falling"]))
def test_executions_are_those_of_a_full_memory(rows: list[tuple[str, str, int]], order: str) -> None:
    if order != "as they come":
        rows.sort(key=lambda row: (len(row[1]), row[1]), reverse=order == "falling")
    executions = ExecutionIndex()
    first: dict[tuple[str, str], tuple[int, int]] = {}
    for line, (account, fill_id, content) in enumerate(rows, 1):
        kept, where = first.setdefault((account, fill_id), (content, line))
        if kept == content:
            known = executions.is_duplicate(account, fill_id, content, line)
            assert known is (where != line)
            continue
        with pytest.raises(RowError) as caught:
            executions.is_duplicate(account, fill_id, content, line)
        assert f"stands in line {where} " in caught.value.problem.reason


def test_a_disk_without_room_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tearsheet.sources.files.duplicates.TemporaryFile", full)
    executions = ExecutionIndex()
    with pytest.raises(InputError) as caught:  # noqa: PT012 - which of them it is does not matter
        for n in range(9):
            executions.is_duplicate("A", str(n), 1, n)
    assert "not enough disk space" in caught.value.message
    assert "TMPDIR" in caught.value.hint
