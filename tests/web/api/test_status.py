"""What is left to pass and what is nearest to break, as a desk meets it: through the API and the command line."""

import json
from typing import Any

import pytest

from tearsheet.cli import main
from tests.support.api import Api, fill
from tests.support.place import Place

RULES = """\
limits:
  accounts:
    A:
      preset: topstep/combine-50k@2026-10
      trading_hours: null
      stale_after: null
"""
ACCOUNTS = """\
accounts:
  A: {starting_balance: 50000, currency: USD, timezone: America/Chicago, day_starts_at: "17:00"}
"""


def state(
    place: Place, monkeypatch: pytest.MonkeyPatch, accounts: str = ACCOUNTS, rules: str = RULES
) -> None:
    """State rules and accounts, as their owner does."""
    place.write("config/dashboard-targets.yaml", rules)
    place.write("accounts.yaml", accounts)
    run(place, monkeypatch, "accounts", "set", "accounts.yaml")


def run(place: Place, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """Run a command in the place."""
    monkeypatch.chdir(place.folder)
    for name, value in place.env.items():
        monkeypatch.setenv(name, value)
    return main(list(words))


def test_every_rule_is_shown_with_its_numbers_and_how_they_came(
    api: Api, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    state(place, monkeypatch)
    api.post("/api/fills", [fill(1, price=1000), fill(2, "SELL", 1500)])
    found: Any = api.get("/api/risk/status?account=A")["data"]
    assert (found["state"], found["balance"], found["equity"]) == ("ok", 50500, 50500)
    assert found["preset"]["name"] == "topstep/combine-50k"
    assert "it was not read on the firm's live page" in found["cautions"]
    (drawdown,) = found["limits"]
    assert (drawdown["view"]["standing"], drawdown["view"]["floor"]) == (50500, 48000)
    assert "equity 50,500 − floor 48,000 = 2,500 left" in drawdown["how"]
    target, consistency = found["objectives"]
    assert (target["state"], target["value"], target["missing"]) == ("open", 500, 2500)
    assert (consistency["state"], consistency["best"], consistency["profit_needed"]) == ("open", 500, 1000)
    assert found["left"] == ["profit_target", "consistency"]
    assert found["nearest"] == "max_drawdown"


@pytest.mark.parametrize("more", ["", ", kind: trailing", ", on_payout: keep"])
def test_a_drawdown_since_a_day_stands_on_what_was_before(
    api: Api, place: Place, monkeypatch: pytest.MonkeyPatch, more: str
) -> None:
    drawdown = f"max_drawdown: {{amount: 1000, since: 2026-11-20{more}}}"
    rules = f"limits: {{accounts: {{A: {{{drawdown}, stale_after: null}}}}}}"
    state(place, monkeypatch, rules=rules)
    before = {"time": "2026-11-18T15:00:00Z"}
    deposit = {"account": "A", "kind": "deposit", "amount": 500, "id": "1", **before}
    api.post("/api/cash", [deposit, deposit | {"kind": "withdrawal", "amount": -200}])
    api.post("/api/fills", [fill(1, price=5000, **before), fill(2, "SELL", 3000, **before)])
    api.post("/api/fills", [fill(3, price=1000), fill(4, "SELL", 900)])
    api.post("/api/cash", deposit | {"time": "2026-11-20T14:00:00Z", "id": "2", "amount": 40})
    found: Any = api.get("/api/risk/status?account=A")["data"]
    (shown,) = found["limits"]
    assert (found["balance"], shown["view"]["standing"], shown["view"]["floor"]) == (48240, 48240, 47340)
    assert shown["view"]["headroom"] == 900
    assert any(line.endswith("start 48,340") for line in shown["how"])


def test_a_percentage_of_the_day_s_balance_is_known_without_a_price_of_what_was_open(
    api: Api, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = "daily_loss: {percent: 2, of: day_balance}"
    state(place, monkeypatch, rules=f"limits: {{accounts: {{A: {{{loss}, stale_after: null}}}}}}")
    api.post(
        "/api/fills", [fill(1, price=1000, time="2026-11-18T15:00:00Z"), fill(2, "SELL", 1500, symbol="Y")]
    )
    (shown,) = api.get("/api/risk/status?account=A")["data"]["limits"]
    assert shown["view"]["threshold"] == 1000
    assert shown["how"][0] == "2 % of the balance when the day began 50,000 = 1,000"


def test_the_verdict_names_the_preset(api: Api, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    state(place, monkeypatch)
    api.post("/api/fills", [fill(1, price=1000), fill(2, "SELL", 1500)])
    found: Any = api.get("/api/risk/verdict?account=A")["data"]
    assert found["preset"] == "topstep/combine-50k@2026-10"
    assert "it was not read on the firm's live page" in found["preset_cautions"]


def test_another_day_than_that_of_the_firm_is_said(
    api: Api, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    state(place, monkeypatch, "accounts: {A: {starting_balance: 50000}}")
    found: Any = api.get("/api/risk/status?account=A")["data"]
    assert any("17:00 in America/Chicago" in caution for caution in found["cautions"])


def test_the_command_line_says_the_same(
    api: Api, place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state(place, monkeypatch)
    api.post("/api/fills", [fill(1, price=1000), fill(2, "SELL", 1500)])
    capsys.readouterr()
    run(place, monkeypatch, "status", "A")
    text = capsys.readouterr().out
    assert "left to pass: Profit target, Consistency" in text
    assert "preset topstep/combine-50k@2026-10" in text
    assert "under the highest balance at the end of a day; start 50,000" in text
    run(place, monkeypatch, "status", "A", "--json")
    assert json.loads(capsys.readouterr().out)["schema"] == "tearsheet.status/1"


def test_presets_are_listed_with_what_they_rest_on(
    api: Api, place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(place, monkeypatch, "presets")
    assert "topstep/combine-50k@2026-10" in capsys.readouterr().out
    run(place, monkeypatch, "presets", "topstep/combine-50k")
    text = capsys.readouterr().out
    assert (
        "max_drawdown: {amount: 2000, kind: trailing, basis: end_of_day, judged: open_pnl, lock_at: 0}"
        in text
    )
    assert "source https://help.topstep.com/" in text
    assert run(place, monkeypatch, "presets", "nobody") == 64
    assert api.get("/api/risk/presets?name=ftmo")["data"][0]["use"]["name"] == "ftmo/1-step"


def test_a_late_calendar_of_the_account_begins_its_book_anew(
    api: Api, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    state(place, monkeypatch, "accounts: {A: {starting_balance: 50000}}")
    api.post("/api/fills", [fill(1, price=1000), fill(2, "SELL", 1500)])
    before: Any = api.get("/api/risk/verdict?account=A")["data"]
    state(place, monkeypatch)
    after: Any = api.get("/api/risk/verdict?account=A")["data"]
    assert before["resets_at"] == "2026-11-21T00:00:00Z"
    assert after["resets_at"] == "2026-11-20T23:00:00Z"


def test_an_objective_that_is_met_is_told_once_and_breaks_nothing(
    api: Api, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = "objectives: {accounts: {A: {profit_target: 300, min_trading_days: 5}}}\n"
    state(place, monkeypatch, rules=rules)
    api.post("/api/fills", [fill(1, price=1000), fill(2, "SELL", 1500)])
    for _ in range(2):
        api.get("/api/risk/status?account=A")
    found: Any = api.get("/api/alerts?state=all")["data"]
    assert [(one["kind"], one["rule"], one["state"]) for one in found] == [
        ("objective", "profit_target", "resolved")
    ]
    assert found[0]["message"] == "Profit target of A is met: 500 of 300 (2026-11-20)"
    api.post("/api/fills", [fill(3, price=1000), fill(4, "SELL", 900)])
    api.get("/api/risk/status?account=A")
    assert len(api.get("/api/alerts?state=all")["data"]) == 1


def test_an_account_that_was_never_heard_of_is_said_once(
    api: Api, place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place.write("config/dashboard-targets.yaml", "limits: {default: {daily_loss: 100}}\n")
    for path in ("verdict", "status"):
        found: Any = api.get(f"/api/risk/{path}?account=NOBODY")["data"]
        assert [one["code"] for one in found["reasons"]] == ["nothing_heard"]
        assert "'NOBODY'" in found["reasons"][0]["detail"]
    run(place, monkeypatch, "status", "NOBODY")
    assert capsys.readouterr().out.count("nothing_heard") == 1
