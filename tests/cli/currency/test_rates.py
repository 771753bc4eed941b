"""`tearsheet rates`: what is printed, and the exit codes."""

import json

from tests.cli.test_cli import Shell, shell

__all__ = ["shell"]


def test_rates_are_imported_added_corrected_listed_and_undone(shell: Shell) -> None:
    shell.place.write("rates.csv", "date,from,to,rate,source\n2026-03-02,EUR,USD,1.0850,ecb\n")
    assert shell("rates", "import", "rates.csv") == 0
    assert shell.out == "1 new rates, 0 corrected, 0 known, import 1, revision 1\n"
    assert shell("rates", "import", "rates.csv") == 0
    assert shell.out == "0 new rates, 0 corrected, 1 known, revision 1\n"
    assert shell("rates", "add", "2026-03-02", "EUR", "USD", "1.09", "--source", "my bank") == 0
    assert shell("rates", "list", "--from", "eur", "--start", "2026-03-02", "--json") == 0
    found = json.loads(shell.out)
    assert [(one["rate"], one["source"], one["counts"]) for one in found] == [
        (1.09, "my bank", True),
        (1.085, "ecb", False),
    ]
    assert shell("rates", "list") == 0
    assert "1.0850  ecb" in shell.out
    assert "corrected" in shell.out
    assert shell("rates", "list", "--to", "CHF") == 0
    assert shell.out == "No rates.\n"
    assert shell("imports", "undo", "2") == 0
    assert "1 rates went" in shell.out


def test_a_wrong_rate_is_bad_data(shell: Shell) -> None:
    assert shell("rates", "add", "2026-03-02", "EUR", "USD", "--", "-1") == 65
    assert "bad_number: rate is -1" in shell.out
    assert "Nothing was kept" in shell.out
    assert shell("rates", "add", "2026-03-02", "EUR", "USD", "nan", "--json") == 65
    assert json.loads(shell.out)["rejections"][0]["code"] == "bad_number"
    assert shell("rates", "import", "nothing.csv") == 65
    assert "cannot be read" in shell.err


def test_a_file_without_rates_is_refused(shell: Shell) -> None:
    shell.place.write("rates.csv", "date,from,to,rate,source\n")
    assert shell("rates", "import", "rates.csv") == 65
    assert "rates.csv is a header without rates" in shell.err
    assert shell("imports") == 0
    assert shell.out == "No imports.\n"


def test_a_list_of_what_is_no_code_is_wrong_use(shell: Shell) -> None:
    assert shell("rates", "list", "--from", "EUR/USD") == 64
    assert "'EUR/USD' is no currency code" in shell.err
    assert shell("rates", "list", "--to", "1inch") == 0
