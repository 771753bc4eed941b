"""The table of what became of the rows of each file of a folder."""

import shutil
from pathlib import Path

import pytest

from tests.statement_table import print_table
from tests.support.place import SAMPLES


def test_the_table_names_what_is_booked_and_what_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "unused")
    for name in ("robinhood.csv", "generic_trades.csv"):
        shutil.copy(SAMPLES / name, tmp_path / name)
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    assert print_table(tmp_path) == 0
    said = capsys.readouterr().out.splitlines()
    assert (
        "generic_trades.csv (generic_trades): 4 fills, 0 events, rejected 1 bad_side, 1 contradiction" in said
    )
    assert any(line.startswith("other.csv: refused: no layout fits its header: a, b") for line in said)
    assert said[-1] == "3 files: 2 read, 0 of them whole, 1 refused; 13 fills, 3 events, 3 rejected"
