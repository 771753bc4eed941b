"""The status page: what is left to pass, what is nearest to break, and every number with how it came."""

from tests.support.api import Api, fill
from tests.support.place import Place
from tests.web.pages.test_risk import page

RULES = """\
limits:
  accounts:
    A: {daily_loss: {amount: 1000, severity: pause}, max_drawdown: {amount: 2000, kind: trailing}, stale_after: null}
objectives:
  accounts:
    A: {profit_target: 3000, consistency: 50}
"""


def test_the_page_shows_every_rule_of_an_account(api: Api, place: Place) -> None:
    place.write("config/dashboard-targets.yaml", RULES)
    api.fills(fill(1, price=1000), fill(2, "SELL", 1500))
    text = page(api, "/risk/status?account=A")
    for words in ("Closest limit", "profit target", "Max drawdown", "pauses the account until it resets"):
        assert words in text
    assert "profit needed" in text


def test_an_account_is_chosen_where_none_is_named(api: Api, place: Place) -> None:
    assert "No account has limits or objectives" in page(api, "/risk/status")
    place.write("config/dashboard-targets.yaml", RULES)
    assert "Daily loss" in page(api, "/risk/status")


def test_the_risk_board_leads_to_the_status(api: Api, place: Place) -> None:
    place.write("config/dashboard-targets.yaml", RULES)
    api.fills(fill(1, price=1000), fill(2, "SELL", 900))
    assert "/risk/status?account=A" in page(api, "/risk")


def test_presets_are_shown_with_what_they_rest_on(api: Api) -> None:
    text = page(api, "/risk/presets")
    assert "topstep/combine-50k@2026-10" in text
    assert "https://help.topstep.com/" in text
