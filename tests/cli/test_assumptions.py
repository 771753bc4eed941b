"""What neither a file nor its user states is assumed where the broker always means the same, and said."""

import shutil
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
        said = capsys.readouterr().out
        assert f"and holds no fill and no event: {rows}" in said


def test_interactive_brokers_writes_eastern_time(capsys: pytest.CaptureFixture[str]) -> None:
    file = str(SAMPLES / "ibkr_flex_csv.csv")
    assert main(["import", file]) == EXIT_OK
    assert "times are of America/New_York; --timezone says another zone" in capsys.readouterr().out
    assert main(["doctor", file, "--timezone", "Europe/Berlin"]) == EXIT_OK
    said = capsys.readouterr().out
    assert "times are of" not in said
    assert "zone     Europe/Berlin" in said
