"""What neither a file nor its user states is assumed where the broker always means the same, and said."""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tearsheet.cli import EXIT_BAD_DATA, EXIT_OK, main
from tests.support.place import SAMPLES

TASTY = "tastytrade_transactions_history_x5WX12345_260101_to_260331.csv"
SCHWAB = "Individual_XXX123_Transactions_20260331-120000.csv"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEARSHEET_LOG_LEVEL", "ERROR")
    return tmp_path


@pytest.mark.parametrize(
    ("sample", "name", "account"),
    [("tastytrade_transactions.csv", TASTY, "5WX12345"), ("schwab_transactions.csv", SCHWAB, "XXX123")],
)
def test_the_account_is_in_the_name_of_the_file(
    capsys: pytest.CaptureFixture[str], sample: str, name: str, account: str
) -> None:
    shutil.copy(SAMPLES / sample, name)
    assert main(["import", name]) == EXIT_OK
    assert f"the account is {account}, by the file's name; --account says another" in capsys.readouterr().out
    assert main(["doctor", name, "--account", "MINE"]) == EXIT_OK
    said = capsys.readouterr().out
    assert "by the file's name" not in said
    assert "    MINE  " in said


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("2026-03-03T21:00", "2026-03-03"),
        ("2026-03-04T10:00", "2026-03-03"),
        ("2026-03-04T20:05", "2026-03-03"),
    ],
)
def test_times_without_a_day_are_of_the_last_one_before_the_file_was_written(
    capsys: pytest.CaptureFixture[str], written: str, day: str
) -> None:
    """The last trade was at 15:05 in New York, which is 20:05 UTC."""
    text = "Time,Symb,Side,Price,Qty,Account,Cloid,P / L,\n15:05:28,ZM,S,126.97,600,T1,AUTO,842.00,\n"
    Path("das.csv").write_text(text)
    at = datetime.fromisoformat(written).replace(tzinfo=UTC).timestamp() - (written.endswith("20:05"))
    os.utime("das.csv", (at, at))
    assert main(["doctor", "das.csv"]) == EXIT_OK
    said = capsys.readouterr().out
    assert f"its times are of {day}, when the file was written; --date says another day" in said
    assert f"{day} 20:05:28+00:00  SELL 600 ZM" in said
    assert main(["doctor", "das.csv", "--date", "2026-02-02"]) == EXIT_OK
    said = capsys.readouterr().out
    assert "when the file was written" not in said
    assert "2026-02-02 20:05:28+00:00  SELL 600 ZM" in said


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("account,symbol,time,side,quantity,price,commission\n", "it has no rows"),
        (
            "Symbol,Side,Type,Qty,Limit Price,Stop Price,Fill Price,Status,Commission,Placing Time,Closing Time,"
            "Order ID\nX,Buy,Limit,1,100,,,Cancelled,,2026-03-02 10:00:00,2026-03-02 10:00:00,1\n",
            "its rows are 1 unfilled_orders",
        ),
    ],
)
def test_a_file_of_which_nothing_is_read_is_named_and_fails(
    capsys: pytest.CaptureFixture[str], text: str, rows: str
) -> None:
    Path("own.csv").write_text(text)
    for command in ("doctor", "import"):
        assert main([command, "own.csv", "--account", "A", "--timezone", "UTC"]) == EXIT_BAD_DATA
        said = capsys.readouterr()
        assert f"and holds no fill and no event: {rows}" in said.out + said.err


def test_interactive_brokers_writes_eastern_time(capsys: pytest.CaptureFixture[str]) -> None:
    file = str(SAMPLES / "ibkr_flex_csv.csv")
    assert main(["import", file]) == EXIT_OK
    assert "times are of America/New_York; --timezone says another zone" in capsys.readouterr().out
    assert main(["doctor", file, "--timezone", "Europe/Berlin"]) == EXIT_OK
    said = capsys.readouterr().out
    assert "times are of" not in said
    assert "zone     Europe/Berlin" in said
