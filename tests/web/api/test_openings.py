"""What was held before, and how positions ended, by request."""

import json
from typing import Any

from tests.support.api import Api
from tests.web.api.test_trading import upload

ROWS = """account,symbol,time,side,quantity,price,commission,fill_id,effect,reported_pnl
A,ACT,2026-11-16T15:00:00Z,SELL,100,30,1,1,close,249
A,XYZ,2026-11-16T16:00:00Z,SELL,10,20,1,2,close,
A,OLD,2026-11-16T16:00:00Z,BUY,10,20,1,3,open,
"""


def post(api: Api, path: str, status: int = 201, **content: Any) -> dict[str, Any]:
    response = api.client.post(f"/api/{path}", json=content)
    assert response.status_code == status, response.text
    body: dict[str, Any] = json.loads(response.text)
    return body.get("data") or body["error"]


def codes(api: Api) -> list[str]:
    reasons = api.get("/api/performance/weekly")["metadata"]["partial_reasons"]
    return sorted(reason["code"] for reason in reasons)


def test_openings_are_stated_or_taken_from_the_broker(api: Api) -> None:
    upload(api, "a.csv", ROWS)
    assert codes(api) == ["differs_from_broker", "unmatched_closes"]  # the result that ACT's row states
    made = post(api, "openings", account="A", from_reported=True)
    assert (made["events"], made["rejections"]) == (1, [])
    assert codes(api) == ["opening_from_reported", "unmatched_closes"]
    again = post(api, "openings", 404, account="A", from_reported=True)
    assert "closes what nothing opened" in again["message"]
    held = {"symbol": "XYZ", "quantity": "10", "cost": "150", "time": "2026-01-01T00:00:00Z"}
    first = post(api, "openings", account="A", **held)
    assert post(api, "openings", 200, account="A", **held)["repeated"]
    assert codes(api) == ["opening_from_reported"]
    nets = {p["symbol"]: p["net"] for p in api.get("/api/positions")["data"]}
    assert nets == {"ACT": 249, "XYZ": 49}
    assert api.client.post(f"/api/imports/{first['id']}/undo").status_code == 200
    assert codes(api) == ["opening_from_reported", "unmatched_closes"]


def test_a_position_is_settled(api: Api) -> None:
    upload(api, "a.csv", ROWS)
    post(api, "settlements", account="A", symbol="old", price="0", how="delisting")
    assert [p["net"] for p in api.get("/api/positions?symbol=OLD")["data"]] == [-201]
    assert post(api, "settlements", 404, account="A", symbol="OLD", price="0")["code"] == 404


def test_what_is_incomplete_is_refused(api: Api) -> None:
    upload(api, "a.csv", ROWS)
    for content in (
        {"symbol": "XYZ", "quantity": "1", "time": "2026-01-01T00:00:00Z"},
        {"account": "A", "symbol": "XYZ", "quantity": "1"},
        {"account": "A", "symbol": "XYZ", "quantity": 1, "time": "2026-01-01T00:00:00Z"},
        {"account": "A", "symbol": "XYZ", "quantity": "0", "time": "2026-01-01T00:00:00Z"},
        {"account": "A", "symbol": "XYZ", "quantity": "1", "time": "2026-01-01"},
        {"account": "A", "from_reported": True, "quantity": "1"},
        {"account": "A", "other": "1"},
    ):
        post(api, "openings", 422, **content)
    post(api, "settlements", 422, account="A", symbol="OLD")
    post(api, "settlements", 422, account="A", symbol="OLD", price="1", quantity="11")
