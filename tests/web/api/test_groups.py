"""Limits of several accounts together: each member trades, the sum breaks."""

from typing import Any

from tests.support.api import Api, fill
from tests.support.place import Place

GROUP = """\
limits:
  groups:
    DESK: {members: [A, B], daily_loss: 1000, max_open_quantity: {quantity: 3}, hedged: breach, stale_after: null}
"""


def of(api: Api, account: str) -> Any:
    return api.get(f"/api/risk/verdict?account={account}")["data"]


def limit(found: Any, name: str) -> Any:
    (view,) = [one for one in found["limits"] if one["name"] == name]
    return view


def trade(api: Api, account: str, number: int, money: int) -> None:
    """A trade of an account that makes so much."""
    api.post(
        "/api/fills",
        [fill(number, price=1000, account=account), fill(number + 1, "SELL", 1000 + money, account=account)],
    )


def test_losses_and_gains_of_members_add_up(api: Api, place: Place) -> None:
    place.write("config/dashboard-targets.yaml", GROUP)
    trade(api, "A", 1, -700)
    trade(api, "B", 3, 400)
    found = of(api, "DESK")
    assert (found["state"], limit(found, "daily_loss")["value"]) == ("ok", 300)
    trade(api, "B", 5, -700)
    found = of(api, "DESK")
    assert (found["state"], found["must_be_flat"], limit(found, "daily_loss")["value"]) == (
        "breach",
        True,
        1000,
    )


def test_a_member_of_a_broken_group_must_be_flat_and_says_why(api: Api, place: Place) -> None:
    place.write("config/dashboard-targets.yaml", GROUP)
    trade(api, "A", 1, -1200)
    found = of(api, "B")
    assert (found["state"], found["must_be_flat"]) == ("breach", True)
    assert [reason["code"] for reason in found["reasons"]][:1] == ["group_breach"]
    assert found["reasons"][0]["detail"].startswith("DESK: 1,200 of 1,000 USD")


def test_a_breach_of_a_group_is_kept_and_released_like_any_other(api: Api, place: Place) -> None:
    place.write("config/dashboard-targets.yaml", GROUP)
    trade(api, "A", 1, -1200)
    assert of(api, "DESK")["state"] == "breach"
    trade(api, "B", 3, 900)
    assert of(api, "DESK")["state"] == "breach"
    (breach,) = api.get("/api/risk/breaches?account=DESK")["data"]
    assert (breach["breach"]["limit"], breach["breach"]["value"]) == ("daily_loss", 1200)
    release = {"account": "DESK", "limit": "daily_loss", "actor": "kim", "reason": "agreed"}
    api.post("/api/risk/releases", release)
    assert of(api, "DESK")["state"] == "ok"


def test_long_and_short_of_one_root_in_two_members_is_hedged(api: Api, place: Place) -> None:
    place.write("config/dashboard-targets.yaml", GROUP)
    api.post("/api/fills", [fill(1, price=1000, account="A")])
    assert limit(of(api, "DESK"), "hedged")["value"] == 0
    api.post("/api/fills", [fill(2, "SELL", 1000, account="B")])
    found = limit(of(api, "DESK"), "hedged")
    assert (found["level"], found["value"]) == ("breach", 1)


def test_quantities_of_members_add_up(api: Api, place: Place) -> None:
    place.write("config/dashboard-targets.yaml", GROUP)
    for number, account in enumerate(("A", "A", "B", "B"), 1):
        api.post("/api/fills", [fill(number, price=1000, account=account)])
    found = limit(of(api, "DESK"), "max_open_quantity")
    assert (found["level"], found["value"], found["threshold"]) == ("breach", 4, 3)


def test_a_group_is_in_the_verdict_of_all(api: Api, place: Place) -> None:
    place.write("config/dashboard-targets.yaml", GROUP)
    trade(api, "A", 1, -1200)
    found: Any = api.get("/api/risk/verdict")["data"]
    assert found["state"] == "breach"
    assert "DESK" in [one["account"] for one in found["accounts"]]
