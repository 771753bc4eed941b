"""`tearsheet imports` and `import --dry-run`, as a user meets them."""

import json

import pytest

from tearsheet.cli import EXIT_BAD_DATA, EXIT_USAGE, main
from tests.support.place import Place, fills_csv

ROWS = ["A,MSFT,2026-11-20T12:00:00Z,BUY,1,100,0,1", "A,MSFT,2026-11-20T12:01:00Z,SELL,1,103,0,2"]


def test_imports_are_listed_shown_tried_and_undone(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place.folder)
    place.write("a.csv", fills_csv([*ROWS, "A,MSFT,never,BUY,1,1,0,3"]))

    def run(*words: str) -> str:
        assert main(words) == 0
        return capsys.readouterr().out

    tried = run("import", "a.csv", "--dry-run")
    assert "2 new, 0 known, 1 rejected, preview only, nothing imported" in tried
    assert "2026-11-20  A" in tried
    assert run("imports") == "No imports.\n"
    assert "import 1, revision 1" in run("import", "a.csv")
    assert "generic_fills" in run("imports")
    assert json.loads(run("imports", "--json"))[0]["new"] == 2
    shown = run("imports", "1")
    assert "2 new, 0 known, 1 rejected" in shown
    assert "bad_time" in shown
    assert "would go with 2 fills" in run("imports", "undo", "1", "--dry-run")
    assert "2 fills went, 0 stayed" in run("imports", "undo", "1")
    assert "undone" in run("imports", "1")
    assert main(["imports", "undo", "1"]) == EXIT_USAGE
    assert "was already undone" in capsys.readouterr().err
    assert main(["imports", "7"]) == EXIT_USAGE


def test_fees_and_openings_are_stated_by_command(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place.folder)
    place.write(
        "a.csv",
        "account,symbol,time,side,quantity,price,commission,fill_id,effect,reported_pnl\n"
        "A,ACT,2026-11-16T15:00:00Z,SELL,100,30,,1,close,249\n",
    )

    def run(*words: str, code: int = 0) -> str:
        assert main(words) == code
        said = capsys.readouterr()
        return said.out + said.err

    assert "orphan close: line 2" in run("import", "a.csv", code=2)
    assert "differs_from_broker" in run("summary", "--window", "all", "--json", code=75)
    assert "2 events" not in run("opening", "A", "--from-reported")
    summary = run("summary", "--window", "all", "--json", code=75)
    assert "opening_from_reported" in summary
    assert "differs_from_broker" not in summary
    assert "state SYMBOL, QUANTITY and --time" in run("opening", "A", code=EXIT_USAGE)
    assert "states neither" in run("opening", "A", "ACT", "1", "--from-reported", code=EXIT_USAGE)
    assert "no rules" in run("fees")
    shown = run("fees", "set", "--asset-class", "equity", "--per-share", "0.01", "--by", "kim")
    assert "equity" in shown
    found = json.loads(run("positions", "--window", "all", "--json"))
    assert [(p["fees"], p["net"]) for p in found] == [(1, 249)]
    schedule = json.loads(run("fees", "--json"))
    assert schedule["rules"] == [{"asset_class": "equity", "per_share": "0.01"}]
    assert "no root of a future" in run(
        "fees", "set", "--root", "NOPE", "--per-contract", "1", code=EXIT_USAGE
    )
    assert "no rules" in run("fees", "remove", "1", "--digest", schedule["digest"])


def test_a_file_read_as_nothing_is_refused_by_its_name_however_often(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place.folder)
    place.write("none.csv", fills_csv([]))
    place.write("a.csv", fills_csv(ROWS))
    for words in (["none.csv"], ["none.csv", "--dry-run"], ["none.csv"], ["none.csv", "a.csv"]):
        assert main(["import", *words]) == EXIT_BAD_DATA
        said = capsys.readouterr()
        assert "none.csv: nothing was read: it is Generic fills (CSV), and holds no fill" in said.err
    assert "a.csv (generic_fills): 2 new" in said.out
    assert main(["imports", "--json"]) == 0
    assert [one["file"] for one in json.loads(capsys.readouterr().out)] == ["a.csv"]


@pytest.mark.parametrize("command", ["rates", "cash"])
@pytest.mark.parametrize("most", ["-1", "0", "1001"])
def test_a_list_has_as_many_rows_as_a_page_of_the_api(
    command: str, most: str, place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place.folder)
    assert main([command, "list", "-n", most]) == EXIT_USAGE
    assert "1<=x<=1000" in capsys.readouterr().err
    assert main([command, "list", "-n", "1000"]) == 0


def test_cash_of_an_account_that_is_not_there_is_no_empty_table(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place.folder)
    assert main(["cash", "add", "Sim101", "deposit", "5"]) == 0
    assert main(["cash", "list", "-w", "all", "-a", "Sim101"]) == 0
    assert main(["cash", "list", "-a", "Sim11"]) == EXIT_USAGE
    assert "did you mean 'Sim101'?" in capsys.readouterr().err


def test_a_currency_is_taken_in_any_case(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place.folder)
    assert main(["cash", "add", "A", "deposit", "5", "--currency", "usdt"]) == 0
    assert main(["cash", "list", "-w", "all", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.split("\n", 1)[1])[0]["currency"] == "USDT"
    assert main(["cash", "add", "A", "deposit", "5", "--currency", "US$"]) == EXIT_USAGE
    assert main(["opening", "A", "X", "1", "--time", "2026-11-20T12:00:00Z", "--currency", "$"]) == EXIT_USAGE
