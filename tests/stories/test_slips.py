"""Slips of operators around instruments, undo, openings and log folders: none is called well."""

from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from tearsheet.cli import main
from tests.support.api import Api, fill
from tests.support.place import Place

HEADER = "account,symbol,time,side,quantity,price,commission,fill_id\n"


@pytest.fixture
def folder(place: Place, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tearsheet.tracker.PerformanceTracker.now", property(lambda tracker: place.now))
    monkeypatch.chdir(place.folder)
    return place.folder


def test_an_account_of_futures_needs_the_instruments_file_that_names_their_root(
    place: Place, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kind: a doubt is asked by another spelling than the one in which it is kept."""
    instruments = place.write("config/instruments.yaml", "ZZZ: {multiplier: 10, currency: USD}\n")
    rows = "".join(
        f"A,ZZZH26,2026-11-20T15:0{n}:00Z,{side},1,{10 + n},0,{n}\n" for n, side in enumerate(("buy", "sell"))
    )
    place.write("f.csv", HEADER + rows)
    assert main(["import", "f.csv"]) == 0
    assert main(["summary", "--account", "A"]) == 0
    instruments.unlink()
    capsys.readouterr()
    assert main(["summary", "--account", "A"]) == 75
    assert "complete ·" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "text", ["fees: [{root: MNQ, per_contract: ", "- a\n", "fees: 3\n", "ZZZ: {multiplyer: 1}\n"]
)
def test_a_half_saved_instruments_file_stops_no_service(place: Place, folder: Path, text: str) -> None:
    """Kind: one wrong file takes every answer with it; the last content goes on, and the accounts that need it are in doubt."""
    instruments = place.write("config/instruments.yaml", "ZZZ: {multiplier: 10, currency: USD}\n")
    rows = "".join(
        f"A,ZZZH26,2026-11-20T15:0{n}:00Z,{side},1,{10 + n},0,{n}\n" for n, side in enumerate(("buy", "sell"))
    )
    place.write("f.csv", HEADER + rows)
    assert main(["import", "f.csv"]) == 0
    place.write("config/dashboard-targets.yaml", "limits: {default: {daily_loss: 500, stale_after: null}}\n")
    instruments.write_text(text)
    api = Api(place, TEARSHEET_SYNC_EVERY_S="0")
    answer = api.get("/api/performance/daily?account=A&date=2026-11-20")
    assert answer["data"]["daily_pnl"] == 10
    assert answer["metadata"]["partial"]
    assert api.get("/api/risk/verdict?account=A")["data"]["state"] == "unknown"
    assert api.client.post("/api/fills", json=[fill(3, "BUY", 100, account="B")]).status_code in (200, 201)
    instruments.write_text("ZZZ: {multiplier: 10, currency: USD}\n")
    assert api.get("/api/performance/daily?account=A&date=2026-11-20")["metadata"]["partial_reasons"] == []


def test_undoing_two_imports_of_one_file_leaves_no_rejected_row(place: Place, folder: Path) -> None:
    """Kind: what an undone import withdrew is restored into another one that is undone, too."""
    place.write(
        "f.csv",
        f"{HEADER}A,AAPL,2026-11-20T15:00:00Z,buy,1,10,0,1\nA,AAPL,2026-11-20T15:01:00Z,bye,1,10,0,2\n",
    )
    for arguments in (
        ["import", "f.csv"],
        ["import", "f.csv"],
        ["imports", "undo", "1"],
        ["imports", "undo", "2"],
    ):
        main(arguments)
    with place.tracker() as tracker:
        assert not tracker.get_summary("all").partial


def test_a_cost_below_0_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Kind: a sign that people write for a short is taken for the money."""
    opening = ["opening", "A", "QQQ", "--cost=-1000", "--time", "2026-11-01T00:00:00Z", "--", "-10"]
    assert main(opening) == 64
    assert "a cost is not below 0" in capsys.readouterr().err


def test_dated_logs_of_an_application_are_no_doubt_of_the_trade_log(place: Place, folder: Path) -> None:
    """Kind: a warning that comes back each day, and is turned off with what matters."""
    for name in ("bot-2026-11-20.log", "uvicorn_2026-11-20.log.1"):
        place.write(f"logs/{name}", "started\n")
    with closing(place.tracker()) as tracker:
        tracker.sync()
        assert tracker.get_summary("all").value("net_pnl") in (None, Decimal(0))
        assert "unread_file" not in {one.code for one in tracker.get_summary("all").partial_reasons}


FILLS = "A,ABC,2026-11-20T15:00:00Z,buy,10,100,0,{0}1\nA,ABC,2026-11-20T15:01:00Z,sell,10,140,0,{0}2\n"


def test_the_same_trades_under_other_ids_are_refused(
    place: Place, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kind: one thing from two sources counts twice, here a gain that hides a loss."""
    place.write("f.csv", HEADER + FILLS.format("x"))
    place.write("g.csv", HEADER + FILLS.format("y"))
    assert main(["import", "f.csv"]) == 0
    assert main(["import", "g.csv"]) == 65
    assert "2 of 2 of its fills are there already, under other ids" in capsys.readouterr().err
    assert main(["import", "g.csv", "--other-trades"]) == 0


def test_an_opening_is_stated_once_and_before_the_first_fill(
    place: Place, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kind: what is stated twice adds up."""
    opening = ["opening", "A", "ABC", "10", "--cost", "400", "--time"]
    assert main([*opening, "2026-11-19T00:00:00Z"]) == 0
    assert main([*opening, "2026-11-19T00:00:00Z"]) == 0
    assert main([*opening, "2026-11-19T01:00:00Z"]) == 64
    assert main(["opening", "A", "ABC", "10", "--cost", "100", "--time", "2026-11-19T00:00:00Z"]) == 64
    assert "an opening is stated once" in capsys.readouterr().err
    place.write("f.csv", HEADER + FILLS.format("x").replace("ABC", "XYZ"))
    assert main(["import", "f.csv"]) == 0
    assert main(["opening", "A", "XYZ", "10", "--cost", "1", "--time", "2026-11-20T16:00:00Z"]) == 64


def test_a_position_does_not_end_before_it_began(
    place: Place, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kind: what changes nothing is answered as done."""
    place.write("f.csv", HEADER + FILLS.format("x").splitlines()[0] + "\n")
    assert main(["import", "f.csv"]) == 0
    assert main(["settle", "A", "ABC", "--at", "0", "--time", "2026-11-18T01:00:00Z"]) == 64
    assert "is before the position was opened" in capsys.readouterr().err
