"""`/api/rates`: stated all or none, once for each key, corrected, listed."""

from typing import Any

from tests.support.api import Api


def rate(number: Any = "1.085", **more: Any) -> dict[str, Any]:
    return {"date": "2026-03-02", "from": "EUR", "to": "USD", "rate": number, "source": "ecb", **more}


def test_rates_are_posted_put_corrected_and_listed(api: Api) -> None:
    new = api.post("/api/rates", [rate(), rate("0.86", to="GBP")])["data"]
    assert (new["new"], new["corrected"], new["known"], new["id"]) == (2, 0, 0, 1)
    assert api.post("/api/rates", {"rates": [rate()]}, 200)["data"]["known"] == 1
    put = api.client.put("/api/rates", json=rate(1.09))
    assert (put.status_code, put.json and put.json["data"]["corrected"]) == (200, 1)
    found = api.get("/api/rates?from=EUR&to=USD&limit=5")["data"]
    assert [(one["rate"], one["counts"], one["import_id"]) for one in found] == [
        (1.09, True, 2),
        (1.085, False, 1),
    ]
    assert api.get("/api/rates?from=USD")["data"] == []
    assert api.get("/api/rates?start=2026-03-03")["data"] == []


def test_the_pair_of_a_list_has_the_names_of_a_posted_rate(api: Api) -> None:
    error = api.get("/api/rates?from_currency=EUR", 400)["error"]
    assert "'from_currency'" in error["message"]
    assert "from, to" in error["hint"]


def test_a_key_is_used_once(api: Api) -> None:
    first = api.post("/api/rates", rate(), Idempotency_Key="r-1")["data"]
    again = api.post("/api/rates", rate(), 200, Idempotency_Key="r-1")["data"]
    assert again == first | {"repeated": True}
    api.post("/api/rates", rate("1.09"), 409, Idempotency_Key="r-1")


def test_one_wrong_rate_refuses_the_request(api: Api) -> None:
    bad = [rate(), rate("0"), rate(None), rate(date="2026-02-30"), rate(to="eur"), rate(extra=1), rate("1.2")]
    error = api.post("/api/rates", bad, 422)["error"]
    assert [one["index"] for one in error["details"]] == [1, 2, 3, 4, 5, 6]
    assert [one["code"] for one in error["details"]] == [
        "bad_number",
        "missing_field",
        "bad_time",
        "bad_value",
        "bad_value",
        "contradiction",
    ]
    assert api.get("/api/rates")["data"] == []
    api.post("/api/rates", "text", 400)
