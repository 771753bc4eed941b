"""The ledger owns the rules of its books: no other process re-books them, and none answers by other ones.

Kind of fault: a setting of one process changes what another process says. Everything that the books depend
on is such a setting: time zone, day start, log mode, breakeven band and streak, currency.
"""

import json
from datetime import UTC, datetime

import pytest

from tearsheet.cli import main
from tearsheet.errors import OtherRulesError
from tests.support.api import Api, fill
from tests.support.place import Place

CHICAGO = {"PERFORMANCE_SUMMARY_TIMEZONE": "America/Chicago"}
#: 02:00Z of the 30th is the evening of the 29th in Chicago.
LATE = {"time": "2026-11-30T02:00:00Z"}
LIMITS = "limits:\n  default: {daily_loss: 100, stale_after: null}\n"
OTHERS = {
    "PERFORMANCE_SUMMARY_TIMEZONE": "Europe/Berlin",
    "TEARSHEET_DAY_STARTS_AT": "17:00",
    "TEARSHEET_TRADE_LOG_MODE": "fills",
    "TEARSHEET_BREAKEVEN_BAND": "5",
    "TEARSHEET_BREAKEVEN_STREAK": "break",
    "TEARSHEET_CURRENCY": "EUR",
}


def lost_in_the_night(place: Place) -> Api:
    """A service in Chicago, with a loss of 500 on the evening of the 29th there."""
    place.now = datetime(2026, 11, 30, 15, tzinfo=UTC)
    place.write("config/dashboard-targets.yaml", LIMITS)
    api = Api(place, **CHICAGO)
    api.fills(fill(1, price=1000, **LATE), fill(2, "SELL", 500, **LATE))
    return api


def daily_pnl(api: Api, day: str) -> object:
    return api.get(f"/api/performance/daily?date={day}")["data"]["daily_pnl"]


def test_a_process_that_states_no_zone_uses_the_ledger_s(place: Place) -> None:
    api = lost_in_the_night(place)
    before = [daily_pnl(api, "2026-11-30"), daily_pnl(api, "2026-11-29")]
    with place.tracker() as tracker:
        assert tracker.settings.timezone == "America/Chicago"
        tracker.sync()
        tracker.verify()
    assert [daily_pnl(api, "2026-11-30"), daily_pnl(api, "2026-11-29")] == before
    verdict = api.get("/api/risk/verdict?account=A")["data"]
    assert verdict["state"] != "breach"
    assert api.get("/api/risk/breaches")["data"] == []


@pytest.mark.parametrize("name", OTHERS)
def test_a_process_that_states_another_rule_is_refused_and_told_how_to_change_it(
    place: Place, name: str
) -> None:
    lost_in_the_night(place)
    with pytest.raises(OtherRulesError) as refused:
        place.tracker(**CHICAGO | {name: OTHERS[name]})
    assert name in refused.value.message
    assert OTHERS[name] in refused.value.message
    assert "tearsheet calendar" in refused.value.hint
    with place.tracker() as tracker:  # its books are as they were
        assert not tracker.verify().differences


def test_a_service_that_states_another_zone_answers_503_and_never_a_number(place: Place) -> None:
    lost_in_the_night(place)
    other = Api(place, PERFORMANCE_SUMMARY_TIMEZONE="UTC")
    for path in ("/api/performance/daily", "/api/risk/verdict?account=A", "/readyz"):
        assert other.ask("GET", path).status_code == 503, path


def test_the_settings_file_states_a_rule_too(place: Place) -> None:
    lost_in_the_night(place)
    place.write("config/tearsheet.toml", 'timezone = "Asia/Tokyo"\n')
    with pytest.raises(OtherRulesError, match=r"tearsheet\.toml states timezone Asia/Tokyo"):
        place.tracker()


def test_one_act_changes_the_rules_for_all_and_is_recorded(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    api = lost_in_the_night(place)
    monkeypatch.chdir(place.folder)
    assert main(["calendar"]) == 0
    assert "America/Chicago" in capsys.readouterr().out
    assert main(["calendar", "--timezone", "Europe/Berlin"]) == 64  # by whom?
    assert main(["calendar", "--timezone", "Berlin", "--by", "kim"]) == 65
    assert main(["calendar", "--timezone", "Europe/Berlin", "--dry-run"]) == 0
    with place.tracker() as tracker:
        assert tracker.settings.timezone == "America/Chicago"
    assert main(["calendar", "--timezone", "Europe/Berlin", "--by", "kim"]) == 0
    with place.tracker() as tracker:
        assert tracker.settings.timezone == "Europe/Berlin"
        assert not tracker.verify().differences
        changes = tracker.ledger.connection.execute("SELECT * FROM setting_change").fetchall()
    assert any("kim" in row and "Europe/Berlin" in row and "America/Chicago" in row for row in changes)
    # the service states the old zone: it is refused until its operator decides
    assert api.ask("GET", "/api/performance/daily").status_code == 503


def test_nothing_latches_a_breach_of_foreign_books(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """`tearsheet verdict` in a shell without the variable judges by the ledger's own day."""
    api = lost_in_the_night(place)
    monkeypatch.chdir(place.folder)
    assert main(["verdict", "--json"]) in (0, 2, 75)
    monkeypatch.setenv("PERFORMANCE_SUMMARY_TIMEZONE", "UTC")
    assert main(["verdict", "--json"]) == 65
    assert api.get("/api/risk/breaches")["data"] == []
    assert json.loads(api.ask("GET", "/api/performance/daily?date=2026-11-30").text)["data"]["daily_pnl"] == 0
