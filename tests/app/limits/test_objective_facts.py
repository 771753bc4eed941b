"""Objectives of an account that trades in other currencies: converted as its limits are, open without a rate."""

from typing import Any

import pytest

from tests.support.api import Api, fill
from tests.support.place import Place

OBJECTIVES = (
    "limits: {accounts: {A: {daily_loss: 5000, stale_after: null}}}\n"
    "objectives: {accounts: {A: {profit_target: 500, min_trading_days: 1, winning_days: {number: 1, at_least: 1}}}}\n"
)
DAY = "2026-11-19"


@pytest.fixture
def traded(api: Api, place: Place) -> Api:
    """An account that made 600 USD, and the day before −800 EUR."""
    place.write("config/dashboard-targets.yaml", OBJECTIVES)
    euros = {"symbol": "SAP", "currency": "EUR"}
    api.fills(
        fill(1, price=1000, time=f"{DAY}T10:00:00Z", **euros),
        fill(2, "SELL", 200, time=f"{DAY}T11:00:00Z", **euros),
        fill(3, price=1000),
        fill(4, "SELL", 1600),
    )
    return api


def objectives(api: Api) -> dict[str, tuple[Any, ...]]:
    found = api.get("/api/risk/status?account=A")["data"]["objectives"]
    return {one["name"]: (one["state"], one["value"], one["reason"]) for one in found}


def told(api: Api) -> list[str]:
    return [one["rule"] for one in api.get("/api/alerts?state=all")["data"] if one["kind"] == "objective"]


def test_without_a_rate_what_is_made_of_money_stays_open(traded: Api) -> None:
    found = objectives(traded)
    assert found["profit_target"] == ("open", None, "other_currencies")
    assert found["winning_days"] == ("open", None, "other_currencies")
    assert found["min_trading_days"] == ("met", 2, None)
    assert told(traded) == ["min_trading_days"]


def test_what_was_made_counts_at_the_rate_of_its_day(traded: Api) -> None:
    rate = {"date": DAY, "from": "EUR", "to": "USD", "rate": "1.1", "source": "ecb"}
    traded.post("/api/rates", rate)
    found = objectives(traded)
    assert found["profit_target"] == ("open", -280, None)
    assert found["winning_days"][:2] == ("met", 1)
    assert "profit_target" not in told(traded)
    euros = {"symbol": "SAP", "currency": "EUR", "time": f"{DAY}T12:00:00Z"}
    traded.fills(fill(5, price=1000, **euros), fill(6, "SELL", 2000, **euros))
    assert objectives(traded)["profit_target"] == ("met", 820, None)
    assert "profit_target" in told(traded)
