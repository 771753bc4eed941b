"""What surrounds the books is never well by silence: what is known is listed, and what is not read is said.

Each test names a kind of fault, and goes through the places where it was found.
"""

import json
from datetime import timedelta

import pytest

from tearsheet.cli import main
from tests.support.api import Api
from tests.support.place import NOON, Place, fills_csv, record

LIMITS = "limits:\n  default: {daily_loss: 500, stale_after: null}\n"
BAD_ROW = "X,MSFT,2026-11-20T11:00:00Z,BUY,1,abc,0,1"


def logged(number: str, net: str = "5", minutes: int = -60, **more: object) -> dict[str, object]:
    at = NOON + timedelta(minutes=minutes)
    return record(**{"order_id": number, "net": net, "account_id": "A", "at": at, "held": 0, **more})


@pytest.mark.both_databases
@pytest.mark.parametrize("door", ["log", "statement"])
@pytest.mark.parametrize("limits", [LIMITS, "{}\n"])
def test_an_account_that_only_rejected_rows_name_is_in_every_list(
    place: Place, door: str, limits: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kind: what is known by what could not be used is in no list, so that nobody asks for it.

    Places: the verdicts of all accounts (which `guard --all` follows), accounts without limits, the risk board, the list
    of accounts, its summary, `verdict`.
    """
    place.write("config/dashboard-targets.yaml", limits)
    place.log("2026-11-20", logged("1"))
    if door == "log":
        place.log("2026-11-20", json.dumps(logged("2", account_id="X") | {"price": "abc"}), mode="a")
    else:
        place.write("fills.csv", fills_csv([BAD_ROW]))
        with place.tracker() as tracker:
            tracker.import_file(place.folder / "fills.csv")
    api = Api(place)
    assert api.get("/api/accounts")["data"] == ["A", "X"]
    answer = api.get("/api/risk/verdict")["data"]
    board = api.ask("GET", "/risk").text
    assert "X" in board
    if limits == LIMITS:
        assert [(one["account"], one["state"]) for one in answer["accounts"]] == [
            ("A", "ok"),
            ("X", "unknown"),
        ]
        assert answer["state"] == "unknown"
    else:
        assert [one["account"] for one in answer["unlimited"]] == ["A", "X"]
    daily = api.get("/api/performance/daily?account=X&date=2026-11-20")
    assert [one["code"] for one in daily["metadata"]["partial_reasons"]] == ["rejected_lines"]
    monkeypatch.chdir(place.folder)
    for name, value in place.env.items():
        monkeypatch.setenv(name, value)
    assert main(["verdict"]) == 75
    assert "X" in "".join(capsys.readouterr())
