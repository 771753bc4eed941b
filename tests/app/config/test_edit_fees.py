"""The fee schedule is edited by command, request and page: recorded, checked, and the books follow."""

import json
from decimal import Decimal

import pytest

from tearsheet.app.config.edit_fees import FeesEditor
from tearsheet.app.config.settings_audit import setting_changes
from tearsheet.cli import main
from tearsheet.errors import NotFoundError, SettingsError, UsageError
from tests.support.api import Api
from tests.support.place import Place
from tests.web.api.test_trading import upload

TRADES = """account,symbol,time,side,quantity,price,commission
A,MESZ6,2026-11-16T10:00:00Z,buy,2,5000,
A,MESZ6,2026-11-16T11:00:00Z,sell,2,5001,
"""
FILE = "# mine\nQQQQ: {multiplier: 5}  # a root\nfees:\n  - {root: MNQ, per_contract: 0.5}  # by contract\n"


def instruments(place: Place) -> dict[str, str]:
    path = place.folder / "instruments.yaml"
    path.write_text(FILE)
    return {"TEARSHEET_INSTRUMENTS_FILE": str(path)}


def file(place: Place) -> str:
    return (place.folder / "instruments.yaml").read_text()


def test_a_rule_is_set_replaced_and_removed_and_the_books_follow(place: Place) -> None:
    with place.tracker(**instruments(place)) as tracker:
        tracker.import_file(place.write("a.csv", TRADES))
        assert [note.code for note in tracker.get_summary("weekly").notes] == ["no_fees_stated"]
        editor = FeesEditor(tracker)
        found = editor.set_rule({"root": "mes", "per_contract": "0.52", "venue": ""}, "kim")
        assert found.rules[1] == {"root": "mes", "per_contract": "0.52"}
        week = tracker.get_summary("weekly")
        assert (week.value("net_pnl"), week.value("fees"), week.notes) == (
            Decimal("7.92"),
            Decimal("2.08"),
            (),
        )
        editor.set_rule({"root": "MES", "round_turn": "1"}, "kim")
        assert tracker.get_summary("weekly").value("fees") == 2
        editor.set_rule({"root": "MES", "per_contract": "2", "from": "2026-11-17"}, "kim")
        assert tracker.get_summary("weekly").value("fees") == 2
        assert "# mine" in file(place)
        assert "# by contract" in file(place)
        assert [
            len(editor.remove_rule(number, "lee", editor.show().digest).rules) for number in (2, 1, 1)
        ] == [2, 1, 0]
        assert "fees" not in file(place)
        assert "QQQQ: {multiplier: 5}  # a root" in file(place)
        assert tracker.get_summary("weekly").value("fees") == 0
        assert tracker.verify().differences == []
        newest, *_, oldest = setting_changes(tracker.ledger, 10)
        assert (newest.who, newest.file, newest.name) == ("lee", "instruments.yaml", "fees")
        assert (newest.old, newest.new) == ("root MES, per_contract 2, from 2026-11-17", None)
        assert (oldest.old, oldest.new) == (None, "root mes, per_contract 0.52")


def test_what_cannot_be_a_rule_changes_nothing(place: Place) -> None:
    with place.tracker(**instruments(place)) as tracker:
        editor = FeesEditor(tracker)
        for rule, error in (
            ({"root": "MES"}, SettingsError),
            ({"root": "MES", "per_contract": "-1"}, SettingsError),
            ({"root": "MES", "per_contract": "1", "per_share": "1"}, SettingsError),
            ({"room": "MES", "per_contract": "1"}, SettingsError),
            ({"root": "NOPE", "per_contract": "1"}, UsageError),
            ({"venue": "MOON", "per_contract": "1"}, UsageError),
        ):
            with pytest.raises(error):
                editor.set_rule(rule, "kim")
        with pytest.raises(NotFoundError):
            editor.remove_rule(2, "kim", editor.show().digest)
        assert file(place) == FILE
        assert setting_changes(tracker.ledger, 10) == []


def test_the_first_rule_makes_the_file(place: Place) -> None:
    with place.tracker() as tracker:
        tracker.import_file(place.write("a.csv", TRADES))
        FeesEditor(tracker).set_rule({"asset_class": "future", "per_order": "1"}, "kim")
        assert (
            tracker.settings.instruments_file.read_text() == "fees: [{asset_class: future, per_order: 1}]\n"
        )
        assert tracker.get_summary("weekly").value("fees") == 2


def test_the_schedule_is_edited_by_requests(api: Api) -> None:
    upload(api, "a.csv", TRADES)
    assert api.get("/api/fees")["data"]["rules"] == []
    made = api.client.post("/api/fees", json={"root": "MES", "per_contract": "0.5"})
    assert (made.status_code, json.loads(made.text)["data"]["rules"]) == (
        200,
        [{"root": "MES", "per_contract": "0.5"}],
    )
    assert api.get("/api/performance/weekly")["metadata"]["notes"] == []
    for bad in ({"root": "NOPE", "per_contract": "1"}, {"root": "MES"}, {"root": "MES", "per_contract": 1}):
        assert api.client.post("/api/fees", json=bad).status_code == 422
    digest = json.loads(made.text)["data"]["digest"]
    assert api.client.delete(f"/api/fees/2?digest={digest}").status_code == 404
    assert api.client.delete(f"/api/fees/x?digest={digest}").status_code == 422
    assert api.client.delete("/api/fees/1").status_code == 422
    assert json.loads(api.client.delete(f"/api/fees/1?digest={digest}").text)["data"]["rules"] == []
    [note] = api.get("/api/performance/weekly")["metadata"]["notes"]
    assert note["code"] == "no_fees_stated"


def test_a_change_of_an_older_schedule_is_refused(api: Api) -> None:
    """Kind: a row is addressed by its place in a list that somebody else changes, so the wrong one is hit."""
    for root in ("MES", "MNQ"):
        answer = api.client.post("/api/fees", json={"root": root, "per_contract": "0.5"})
        assert answer.status_code == 200
    seen = api.get("/api/fees")["data"]
    one, two = (api.client.delete(f"/api/fees/1?digest={seen['digest']}") for _ in range(2))
    assert (one.status_code, two.status_code) == (200, 409)
    assert json.loads(two.text)["error"]["type"] == "conflict"
    later = {"root": "MNQ", "per_contract": "9"}
    assert api.client.post(f"/api/fees?digest={seen['digest']}", json=later).status_code == 409
    now = api.get("/api/fees")["data"]
    assert now["rules"] == [{"root": "MNQ", "per_contract": "0.5"}]
    assert api.client.post(f"/api/fees?digest={now['digest']}", json=later).status_code == 200
    assert api.get("/api/fees")["data"]["rules"] == [later]


def test_a_number_removes_only_the_rule_that_was_seen(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kind: a place in a list names another thing once somebody else has changed the list."""
    for name, value in {**place.env, **instruments(place)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(place.folder)
    assert main(["fees", "remove", "1"]) == 64, "nothing says which rule is meant"
    assert main(["fees", "--json"]) == 0
    seen = json.loads(capsys.readouterr().out)["digest"]
    assert main(["fees", "set", "--root", "MES", "--per-contract", "0.6"]) == 0
    before = file(place)
    assert main(["fees", "remove", "1", "--digest", seen]) == 64
    assert file(place) == before
    assert main(["fees"]) == 0
    now = capsys.readouterr().out.partition("digest ")[2].split(":")[0]
    assert main(["fees", "remove", "1", "--digest", now]) == 0
    assert "MNQ" not in file(place)
    assert "MES" in file(place)
