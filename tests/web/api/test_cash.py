"""Money of accounts over the API: kept all or none, once by its id, listed newest first; and its page."""

import html
import re

import pytest

from tearsheet.app.config.edit_accounts import AccountsEditor
from tests.support.api import Api
from tests.support.place import NOON

DEPOSIT = {
    "account": "A",
    "kind": "deposit",
    "amount": "5000.25",
    "time": "2026-11-20T09:00:00Z",
    "currency": "USD",
    "id": "w1",
}
FEE = DEPOSIT | {"kind": "data_fee", "amount": -25, "id": "m1", "time": "2026-11-20T10:00:00Z"}


def test_money_is_kept_once_and_another_content_is_a_conflict(api: Api) -> None:
    first = api.post("/api/cash", [DEPOSIT, FEE])["data"]
    assert (first["new"], first["known"]) == (2, 0)
    again = api.post("/api/cash", {"cash": [DEPOSIT]}, 200)["data"]
    assert (again["new"], again["known"], again["revision"]) == (0, 1, first["revision"])
    refused = api.post("/api/cash", [FEE | {"id": "m2"}, DEPOSIT | {"amount": "1"}], 409)
    assert "conflicting_id" in str(refused)
    listed = api.get("/api/cash")["data"]
    assert [(one["id"], one["kind"], one["amount"], one["counts_as"]) for one in listed] == [
        ("m1", "data_fee", -25, "costs"),
        ("w1", "deposit", 5000.25, "flows"),
    ]
    day = api.get("/api/performance/daily")["data"]
    assert (day["daily_pnl"], day["costs"], day["result"], day["flows"]) == (0, 25, -25, 5000.25)
    assert (day["balance"], api.get("/api/performance/daily?symbol=X")["data"]["result"]) == (None, None)


def test_a_request_with_a_wrong_item_keeps_nothing(api: Api) -> None:
    for wrong in (
        {"kind": "gift"},
        {"amount": "five"},
        {"time": "2026-11-20"},
        {"kind": "funding"},
        {"to_amount": "5", "to_currency": "EUR"},
    ):
        api.post("/api/cash", [FEE, DEPOSIT | wrong], 422)
    assert api.get("/api/cash")["data"] == []


def test_a_repeated_request_is_answered_as_the_first(api: Api) -> None:
    first = api.post("/api/cash", DEPOSIT, Idempotency_Key="k1")["data"]
    again = api.post("/api/cash", DEPOSIT, 200, Idempotency_Key="k1")["data"]
    assert (again["new"], again["repeated"]) == (first["new"], True)
    api.post("/api/cash", FEE, 409, Idempotency_Key="k1")


@pytest.fixture
def page(api: Api) -> str:
    api.post("/api/cash", [DEPOSIT, FEE | {"note": "<market> data"}])
    return html.unescape(api.ask("GET", "/cash").text)


def test_the_page_shows_balances_and_what_moved(page: str) -> None:
    assert "no starting balance is stated" in page
    assert re.search(r"data fee</td><td>costs</td>", page)
    assert "<market> data" in page


def test_the_form_states_money_and_says_what_is_wrong(api: Api) -> None:
    sent = {
        "account": "A",
        "kind": "payout",
        "amount": "-100",
        "time": "2026-11-20T08:00:00",
        "note": "share",
    }
    origin = {"Origin": "http://localhost"}
    kept = api.client.post("/cash", data=sent, headers=origin)
    assert kept.status_code == 303
    [listed] = api.get("/api/cash")["data"]
    assert (listed["kind"], listed["amount"], listed["note"], listed["currency"]) == (
        "payout",
        -100,
        "share",
        "USD",
    )
    wrong = api.client.post("/cash", data=sent | {"amount": "lots"}, headers=origin)
    assert (wrong.status_code, "Not kept" in wrong.text, 'value="share"' in wrong.text) == (422, True, True)
    ahead = sent | {"time": f"{NOON.year + 5}-01-01T00:00:00"}
    assert api.client.post("/cash", data=ahead, headers=origin).status_code == 422
    assert len(api.get("/api/cash")["data"]) == 1


def test_the_overview_has_the_balance_and_its_curve_the_flows(api: Api) -> None:
    api.fills(
        {
            "account": "A",
            "symbol": "X",
            "time": "2026-11-19T15:00:00Z",
            "side": "BUY",
            "quantity": 1,
            "price": 100,
            "fill_id": "1",
        },
        {
            "account": "A",
            "symbol": "X",
            "time": "2026-11-19T16:00:00Z",
            "side": "SELL",
            "quantity": 1,
            "price": 90,
            "fill_id": "2",
        },
    )
    api.post("/api/cash", DEPOSIT)
    with api.place.tracker() as tracker:
        AccountsEditor(tracker).set_text("accounts: {A: {starting_balance: 1000}}", "a.yaml", "kim")
    text = html.unescape(api.ask("GET", "/?range=All").text)
    assert "Balance $5,990.25" in text
    picture = html.unescape(api.ask("GET", "/charts/curve?window=all&width=3000").text)
    assert "in $5,000.25" in picture
    # the deposit is no gain of the percent: 10 of 1000 were lost
    shares = html.unescape(api.ask("GET", "/charts/curve?window=all&width=3000&unit=percent").text)
    assert re.search(r"last .1(\.0+)? ?%", shares) or "1.00" in shares


def stated_on_page(api: Api, status: int = 303, **fields: str) -> str:
    form = {"account": "A", "kind": "deposit", "amount": "7", "time": "2026-11-20T09:00:00"} | fields
    sent = api.client.post("/cash", data=form, headers={"Origin": "http://localhost"})
    assert sent.status_code == status, sent.text
    return html.unescape(sent.text)


@pytest.mark.parametrize("name", ["account", "kind"])
def test_the_form_without_an_account_or_a_kind_says_which_is_missing(api: Api, name: str) -> None:
    assert f"{name} is missing" in stated_on_page(api, 422, **{name: " "})


def test_the_form_says_when_it_kept_nothing_and_asks_for_an_id(api: Api) -> None:
    stated_on_page(api)
    assert "Nothing new" in stated_on_page(api, 200)
    assert len(api.get("/api/cash?window=all")["data"]) == 1
    stated_on_page(api, id="2")
    assert len(api.get("/api/cash?window=all")["data"]) == 2


def test_a_time_of_the_form_with_an_offset_is_that_instant(api: Api) -> None:
    stated_on_page(api, time="2026-11-20T09:00:00-05:00")
    assert [one["time"] for one in api.get("/api/cash?window=all")["data"]] == ["2026-11-20T14:00:00Z"]
