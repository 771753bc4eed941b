"""The driver of the fuzz: every case is run once, can be run again, and goes on where it was stopped."""

import json
import subprocess
import sys
from pathlib import Path

from tearsheet.sources.layouts.catalogue import layouts
from tests.fuzz import CASES, FILES, LEAST, PARSERS, plan, run_block
from tests.support.place import TOP


def test_each_sample_of_a_layout_and_each_parser_gets_twenty_thousand_cases() -> None:
    planned = plan(CASES)
    assert planned.keys() == PARSERS.keys()
    assert {f"statement {file.name}" for file in FILES} < planned.keys()
    assert all(any(f"statement {name}" in parser for parser in planned) for name in layouts())
    assert min(planned.values()) >= LEAST == 20_000
    assert CASES - len(PARSERS) <= sum(planned.values()) <= CASES


def test_a_run_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    command = [sys.executable, "-m", "tests.fuzz", "--only", "posts, marks", "--state", str(state)]
    for cases in ("300", "600"):
        done = subprocess.run(
            [*command, "--cases", cases], cwd=TOP, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    blocks = [json.loads(line) for line in state.read_text().splitlines()]
    assert (
        sum(block["number"] for block in blocks) == 650
    )  # the last 50 of 300 stand in the block of 250 that 600 has
    assert {block["first"] for block in blocks} == {0, 250, 500}


def test_a_case_is_the_same_again() -> None:
    first, again = (run_block(3, "yaml, limits", 40, 30) for _ in range(2))
    assert (first.samples, first.faults) == (again.samples, again.faults)
    assert sum(first.samples.values()) == 30
