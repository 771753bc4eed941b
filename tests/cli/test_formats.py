"""The commands about files: doctor, formats, and import with a mapping that is kept."""

from pathlib import Path

import pytest

from tearsheet.cli import EXIT_BAD_DATA, EXIT_OK, EXIT_USAGE, main
from tests.support.place import SAMPLES

OWN = "Ticker;Qty;When;Fill\nAAPL;100;2026-03-02 10:00:00;1.234,50\nAAPL;-100;2026-03-02 11:00:00;1.240,50\n"
MAP = ["--map", "Ticker=symbol", "--map", "Qty=quantity", "--map", "When=time", "--map", "Fill=price"]
SAID = ["--account", "ME", "--timezone", "Europe/Berlin"]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEARSHEET_LOG_LEVEL", "ERROR")
    (tmp_path / "own.csv").write_text(OWN)
    return tmp_path


def test_doctor_tells_what_it_sees(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", str(SAMPLES / "robinhood.csv"), "--account", "R1"]) == EXIT_OK
    said = capsys.readouterr().out
    for words in (
        "csv, utf-8, separated by comma",
        "robinhood: Robinhood account activity",
        "America/New_York",
        "9 fills, 3 events, 1 rejected",
        "changes nothing: 1 disclaimer",
        "SELL 2 SPY   260320C00580000 @ 4.25  fee 0.1 USD  x100  no id",
        "robinhood.csv:17  unknown_row",
        "Readable",
    ):
        assert words in said, words


def test_doctor_tells_why_not_and_keeps_nothing(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "own.csv"]) == EXIT_BAD_DATA
    said = capsys.readouterr().out
    assert "Cannot be imported: own.csv: no layout fits its header: Ticker, Qty, When, Fill" in said
    assert "--map COLUMN=FIELD" in said
    assert [file.name for file in place.iterdir()] == ["own.csv"]


def test_doctor_knows_a_trade_log(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "bot.jsonl").write_text(
        '{"timestamp":"2026-03-02T10:00:00Z","symbol":"AAPL","action":"BUY","quantity":1,"price":1}\n'
    )
    main(["doctor", "bot.jsonl"])
    assert "trade_log: Trade log (JSON Lines)" in capsys.readouterr().out


def test_a_mapping_is_kept_and_recognised(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "own.csv", *SAID, *MAP, "--save-layout", "mine"]) == EXIT_OK
    said = capsys.readouterr().out
    assert "own.csv (your_mapping): 2 new" in said
    assert "Kept as config/layouts/mine.toml" in said
    (place / "later.csv").write_text(OWN.replace("2026-03-02", "2026-03-03"))
    assert main(["import", "later.csv", *SAID]) == EXIT_OK
    assert "later.csv (mine): 2 new" in capsys.readouterr().out
    assert main(["formats", "mine"]) == EXIT_OK
    assert "columns: Ticker, When, Qty, Fill" in capsys.readouterr().out


def test_events_and_rows_that_change_nothing_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(SAMPLES / "robinhood.csv"), "--account", "R1"]) == EXIT_OK
    said = capsys.readouterr().out
    assert "9 new, 0 known, 3 events, 1 rejected" in said
    assert "changes nothing: 1 disclaimer" in said


def test_an_option_that_expired_ended_at_0(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(SAMPLES / "fidelity_history.csv")]) == EXIT_OK
    capsys.readouterr()
    assert main(["positions", "--window", "all", "--symbol", "XYZ   260320C00050000"]) == EXIT_OK
    (line,) = [one for one in capsys.readouterr().out.splitlines() if "XYZ" in one]
    assert line.split()[6:11] == ["2", "1.35", "0", "-271.33", "1.33"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["import", "own.csv", "--map", "Ticker"], "--map 'Ticker' is not understood"),
        (["import", "own.csv", "--map", "Ticker=stock"], "there is no field 'stock'"),
        (["import", "own.csv", "--fee-rate", "BNB=x"], "--fee-rate 'BNB=x': is not a number"),
        (["import", "own.csv", "--fee-rate", "BNB=-1"], "--fee-rate 'BNB=-1' is not above 0"),
        (["import", "own.csv", "--timezone", "Mars"], "--timezone 'Mars' is no known zone"),
        (["cash", "import", "own.csv", "--timezone", "Mars"], "--timezone 'Mars' is no known zone"),
        (
            ["import", "own.csv", *SAID, *MAP, "--save-layout", "../mine"],
            "--save-layout '../mine' is no name",
        ),
        (["formats", "nobody"], "there is no format or broker 'nobody'"),
    ],
)
def test_wrong_use_is_said(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == EXIT_USAGE
    said = capsys.readouterr()
    assert message in said.err
    assert "hint:" in said.err


def test_save_layout_needs_a_mapping_and_a_free_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "own.csv", *SAID, *MAP, "--save-layout", "mine"]) == EXIT_OK
    assert main(["import", "own.csv", *SAID, *MAP, "--save-layout", "mine"]) == EXIT_USAGE
    assert "mine.toml already exists" in capsys.readouterr().err
    assert main(["import", "own.csv", *SAID, "--save-layout", "other"]) == EXIT_USAGE
    assert "nothing was mapped" in capsys.readouterr().err


def test_formats_lists_what_is_read_and_what_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["formats"]) == EXIT_OK
    said = capsys.readouterr().out
    read, _, refused = said.partition("Recognized but not supported:")
    assert "ibkr_flex_xml" in read
    assert "cryptocom_app" in refused
    assert "cryptocom_app" not in read


def test_a_layout_of_the_user_that_is_wrong_names_itself(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "config" / "layouts").mkdir(parents=True)
    (place / "config" / "layouts" / "bad.toml").write_text("title = 1\n")
    assert main(["doctor", "own.csv"]) == EXIT_BAD_DATA
    assert "layout bad.toml: " in capsys.readouterr().out
