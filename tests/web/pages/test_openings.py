"""The page of openings and settlements: what is missing, its forms, and their refusals."""

import html
import re

from tests.support.api import Api, fill
from tests.web.api.test_openings import ROWS
from tests.web.api.test_trading import upload

SAME = {"Origin": "http://localhost"}
PATH = "/openings"
EXPIRED = "SPY   261106C00690000"


def page(api: Api, path: str = PATH) -> str:
    response = api.ask("GET", path, Accept="text/html")
    assert response.status_code == 200, response.text
    return html.unescape(response.text)


def send(api: Api, action: str, status: int = 303, **fields: str) -> str:
    response = api.client.post(f"{PATH}/{action}", data=fields, headers=SAME)
    assert response.status_code == status, response.text
    return response.headers["Location"] if status == 303 else html.unescape(response.text)


def test_a_close_without_an_opening_gets_its_opening_by_a_form(api: Api) -> None:
    upload(api, "a.csv", ROWS)
    assert 'href="/openings">State what was held' in page(api, "/performance?window=all")
    text = page(api)
    assert text.count("Save opening") == 3  # of each of the two closes, and of any other
    stated = {"account": "A", "symbol": "XYZ", "quantity": "10", "held_since": "2026-01-01T09:30"}
    saved = send(api, "opening", **stated, cost="150")
    assert saved.startswith("/openings?saved=")
    assert re.search(r'Saved as <a href="/import/batches/\d+">', page(api, saved))
    send(api, "reported", account="A", symbol="ACT")
    assert "Every close has its opening" in page(api)
    nets = {p["symbol"]: p["net"] for p in api.get("/api/positions")["data"]}
    assert nets == {"ACT": 249, "XYZ": 49}


def test_a_wrong_field_keeps_the_form_and_says_why(api: Api) -> None:
    upload(api, "a.csv", ROWS)
    stated = {"account": "A", "symbol": "XYZ", "held_since": "2026-01-01T09:30"}
    text = send(api, "opening", 422, **stated, quantity="ten")
    assert "invalid quantity: 'ten'" in text
    assert 'value="ten"' in text
    assert "invalid time" in send(api, "opening", 422, **(stated | {"held_since": "soon"}), quantity="10")
    assert "needed" in send(api, "opening", 422, account="A", symbol="XYZ", quantity="10")
    assert "invalid currency: 'x-x'" in send(api, "opening", 422, **stated, quantity="10", currency="x-x")
    late = stated | {"held_since": "2026-11-18T09:30"}
    assert "an opening comes before it" in send(api, "opening", 422, **late, quantity="10")
    assert "states its result" in send(api, "reported", 422, account="A", symbol="XYZ")
    ended = {"account": "A", "symbol": "XYZ", "price": "0", "how": "magic"}
    assert "how is 'magic'" in send(api, "settlement", 422, **ended)
    assert "the account is empty" in send(api, "settlement", 422, price="0")
    foreign = {"Origin": "http://elsewhere"}
    assert api.client.post(f"{PATH}/opening", data=stated, headers=foreign).status_code == 403


def test_an_expired_option_is_settled_by_a_form(api: Api) -> None:
    api.fills(fill(-60 * 24 * 20, "BUY", "2.5", symbol=EXPIRED))
    assert 'href="/openings#unsettled-title">Say how they ended' in page(api, "/performance?window=all")
    assert "`tearsheet settle`" not in page(api, "/performance?window=all")
    assert EXPIRED in page(api)
    send(api, "settlement", account="A", symbol=EXPIRED, price="0", how="expiry")
    assert "No option is open past its expiry" in page(api)
    total = api.get("/api/performance/summary?window=all")["data"]["metrics"]["net_pnl"]["value"]
    assert total == -250


def test_any_open_position_can_be_ended(api: Api) -> None:
    api.fills(fill(-60, "BUY", "100", quantity=4, symbol="AAPL"))
    assert "Another open position ended (1 open)" in page(api)
    assert "cannot end" in send(api, "settlement", 422, account="A", symbol="AAPL", price="90", quantity="5")
    assert "the price is empty" in send(api, "settlement", 422, account="A", symbol="AAPL")
    send(api, "settlement", account="A", symbol="AAPL", price="90", quantity="4", how="delisting")
    assert "Another open position" not in page(api)


def test_a_time_of_an_opening_keeps_its_offset(api: Api) -> None:
    upload(api, "a.csv", ROWS)
    stated = {"account": "A", "symbol": "XYZ", "quantity": "10", "cost": "150"}
    send(api, "opening", **stated, held_since="2026-01-01T23:30-05:00")
    opened = {p["symbol"]: p["opened_at"] for p in api.get("/api/positions")["data"]}
    assert opened["XYZ"] == "2026-01-02T04:30:00Z"
