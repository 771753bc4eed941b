"""The same rows as another tool writes them: every sample is read alike, however it is quoted, spaced and signed."""

import csv
import io
import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tearsheet.sources.statements.statement import Statement
from tests.sources.layouts.test_samples import FILES, STATED, opened, told

CSV_FILES = [file for file in FILES if file.suffix == ".csv"]
Rows = list[list[str]]
_NEGATIVE = re.compile(r"-\d+(\.\d+)?")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_NOUGHT = re.compile(r"0(\.0+)?")
#: Rows that go on over a blank line, an id that is 0, columns that are counted from the right.
UNLIKE = {
    ("blank lines", "tiger_statement.csv"),
    ("negative noughts", "okx_trading_history_symbols.csv"),
    ("a column more", "metatrader5_positions.csv"),
}
#: Formats that are known by having no other column.
CLOSED = ("generic_executions.csv", "generic_trades.csv", "ibkr_flex_short.csv")


def written(rows: Rows, separator: str, quoting: int = csv.QUOTE_MINIMAL) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=separator, quoting=quoting, lineterminator="\n").writerows(rows)
    return text.getvalue()


def by_cell(change: Callable[[str], str]) -> Callable[[Rows, Rows, str], str]:
    return lambda head, body, separator: written(
        head + [[change(cell) for cell in row] for row in body], separator
    )


def with_column(head: Rows, body: Rows, separator: str, name: str, value: str) -> str:
    width = len(head[-1])
    rows = [[*row, *[""] * (width - len(row)), value] if len(row) > 1 and any(row) else row for row in body]
    return written([*head[:-1], [*head[-1], name], *rows], separator)


CHANGES: dict[str, Callable[[Rows, Rows, str], str]] = {
    "quotes": lambda head, body, separator: written(head + body, separator, csv.QUOTE_ALL),
    "semicolons": lambda head, body, separator: written(head + body, ";"),
    "blank lines": lambda head, body, separator: written(
        head + [one for row in body for one in (row, [])], separator
    ),
    "a nameless column": lambda head, body, separator: with_column(head, body, separator, "", ""),
    "a column more": lambda head, body, separator: with_column(head, body, separator, "Zz Note", "hello"),
    "the header again": lambda head, body, separator: written([*head, *body, head[-1]], separator),
    "minus signs": by_cell(lambda cell: f"\u2212{cell[1:]}" if _NEGATIVE.fullmatch(cell) else cell),
    "parentheses": by_cell(lambda cell: f"({cell[1:]})" if _NEGATIVE.fullmatch(cell) else cell),
    "negative noughts": by_cell(lambda cell: "-0.00" if _NOUGHT.fullmatch(cell) else cell),
    "spaces": by_cell(lambda cell: f" {cell} " if _NUMBER.fullmatch(cell) else cell),
}


@cache
def usual(file: Path) -> tuple[Statement, list[str]]:
    """A sample as it is, and what is read of it."""
    statement = opened(file, account="MINE", **stated(file))
    return statement, plain(told(statement))


def stated(file: Path) -> dict[str, Any]:
    return STATED.get(file.name.partition(".")[0], {})


def plain(lines: Sequence[str]) -> list[str]:
    """Without the numbers of lines, and without sums, which end with their table."""
    return sorted(
        re.sub(r"lines? \d+(–\d+)?", "line", one) for one in lines if not one.startswith("- totals")
    )


@pytest.mark.parametrize("name", CHANGES)
def test_a_sample_is_read_alike(tmp_path: Path, name: str) -> None:
    for file in CSV_FILES:
        if (name, file.name) in UNLIKE or (name == "a column more" and file.name in CLOSED):
            continue
        statement, expected = usual(file)
        position = statement.detected.position
        separator, lines = position.separator or ",", file.read_text("utf-8-sig").splitlines(keepends=True)
        head = list(csv.reader(lines[: position.header_line], delimiter=separator))
        body = list(csv.reader(lines[position.header_line :], delimiter=separator))
        changed = tmp_path / file.name
        changed.write_text(CHANGES[name](head, body, separator), "utf-8")
        assert plain(told(opened(changed, account="MINE", **stated(file)))) == expected, file.name


@pytest.mark.parametrize("word", ["Total", "Summe:"])
def test_sums_below_a_table_change_nothing(tmp_path: Path, word: str) -> None:
    for file in CSV_FILES:
        if file.name.endswith("_ledger.csv"):
            continue  # its rows are taken together by words of their own
        statement, expected = usual(file)
        separator, changed = statement.detected.position.separator or ",", tmp_path / file.name
        changed.write_text(f"{file.read_text('utf-8-sig').rstrip()}\n{word}{separator}\n", "utf-8")
        assert plain(told(opened(changed, account="MINE", **stated(file)))) == expected, file.name
