"""Counting equal rows with little memory gives what counting all of them gives."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tearsheet.sources.identity import Executions, Occurrences
from tearsheet.sources.problem import RowError

START = datetime(2026, 3, 2, tzinfo=UTC)
minutes = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)))


def numbers(rows: list[tuple[int, int]]) -> list[int]:
    occurrences = Occurrences()
    return [
        occurrences.number(minute * 10 + content, START + timedelta(minutes=minute))
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
    executions = Executions()
    assert not executions.is_known("A", "7", 1, 2)
    assert executions.is_known("A", "7", 1, 3)
    assert not executions.is_known("B", "7", -5, 4)
    assert executions.is_known("B", "7", -5, 5)
    with pytest.raises(RowError) as caught:
        executions.is_known("A", "7", 9, 6)
    assert caught.value.problem.code == "conflicting_id"
    assert "execution 7 of account A stands in line 2" in caught.value.problem.reason
