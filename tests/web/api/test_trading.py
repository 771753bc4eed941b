"""Writes, lists, errors: everything about a request that is not a number."""

import io
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tearsheet import errors
from tearsheet.trade.session import Window
from tearsheet.web.api import trading
from tearsheet.web.http.errors import STATUSES
from tests.support.api import Api, fill
from tests.support.place import NOON, fills_csv, record


def test_every_error_class_has_its_status() -> None:
    found = [one for one in vars(errors).values() if isinstance(one, type)]
    assert set(STATUSES) == {one for one in found if issubclass(one, errors.TearsheetError)}


@pytest.mark.parametrize(
    ("method", "path", "status", "kind", "words"),
    [
        ("GET", "/nothing", 404, "not_found", "path not found"),
        ("GET", "/api/performance/daily/", 404, "not_found", "path not found"),
        ("DELETE", "/api/fills", 405, "method_not_allowed", "DELETE is not allowed"),
        ("POST", "/api/performance/daily", 405, "method_not_allowed", "POST is not allowed"),
        ("GET", "/api/performance/daily?acount=A", 400, "bad_request", "no parameter 'acount'"),
        ("GET", "/api/performance/daily?account=A&account=B", 400, "bad_request", "given 2 times"),
        ("GET", "/api/performance/explain", 422, "bad_request", "'metric' is missing"),
        ("GET", "/api/performance/explain?metric=luck", 422, "bad_request", "'luck'"),
        ("GET", "/api/fills?cursor=abc!", 422, "bad_request", "next_cursor"),
        ("GET", "/api/fills?cursor=WzEsImEiXQ", 422, "bad_request", "another list"),
        (
            "POST",
            "/api/alerts/0123456789abcdef/acknowledge",
            415,
            "unsupported_media_type",
            "application/json",
        ),
        ("POST", "/api/import", 415, "unsupported_media_type", "multipart/form-data"),
    ],
)
def test_every_refusal_has_the_one_body(
    api: Api, method: str, path: str, status: int, kind: str, words: str
) -> None:
    response = api.ask(method, path, X_Request_ID="r-1")
    assert response.status_code == status
    body = json.loads(response.text)
    error = body["error"]
    assert (body["status"], error["code"], error["type"], error["id"]) == ("error", status, kind, "r-1")
    assert words in error["message"] + (error["hint"] or "")
    assert error["timestamp"] == "2026-11-20T21:00:00Z"
    assert response.mimetype == "application/json"
    assert (status == 405) == ("Allow" in response.headers)


def test_an_unexpected_fault_tells_its_id_and_nothing_else(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("secret in /etc/passwd")

    monkeypatch.setattr(trading, "cursor_of", fail)
    logging.getLogger("tearsheet").propagate = True
    response = api.ask("GET", "/api/fills")
    error = json.loads(response.text)["error"]
    assert (response.status_code, error["message"]) == (500, "internal error")
    assert "secret" not in response.text
    assert error["id"] in caplog.text
    assert "secret in /etc/passwd" in caplog.text


def test_a_targets_file_that_cannot_be_read_leaks_no_path(api: Api) -> None:
    api.place.write("config/instruments.yaml", "ES: [")
    response = api.client.post("/api/fills", json=fill(1))
    assert response.status_code == 500
    assert str(api.place.folder) not in response.text


def test_a_ledger_that_cannot_be_used_is_503_and_comes_back_by_itself(api: Api) -> None:
    api.fills(fill(1), fill(2, "SELL", 103))
    ledger = api.place.settings().ledger_path
    content = {file: file.read_bytes() for file in ledger.parent.glob("*.db*")}
    for file in content:
        file.unlink()
    ledger.mkdir()
    response = api.ask("GET", "/api/performance/daily")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    assert json.loads(response.text)["error"]["type"] == "store_unavailable"
    assert str(ledger) not in response.text
    assert api.get("/readyz", 503)["checks"]["store"]["status"] == "down"
    assert api.get("/healthz")["status"] == "ok"
    ledger.rmdir()
    for file, data in content.items():
        file.write_bytes(data)
    assert api.get("/api/performance/daily")["data"]["daily_pnl"] == 3
    assert api.get("/api/performance/health")["status"] == "healthy"


def test_a_damaged_ledger_is_no_healthy_zero(api: Api) -> None:
    api.fills(fill(1), fill(2, "SELL", 103))
    ledger = api.place.settings().ledger_path
    for file in ledger.parent.glob("*.db*"):
        file.unlink()
    ledger.write_bytes(b"no database" * 1000)
    assert api.get("/api/performance/daily", 503)["status"] == "error"


def test_fills_are_kept_once(api: Api) -> None:
    counts = {"new": 1, "known": 0, "duplicates": 0}
    assert api.fills(fill(1))["data"] == {**counts, "repeated": False, "revision": 1}
    counts = {"new": 0, "known": 1, "duplicates": 1}
    assert api.fills(fill(1), status=200)["data"] == {**counts, "repeated": False, "revision": 1}
    assert api.post("/api/fills", {"fills": [fill(2)]})["data"]["new"] == 1
    assert api.post("/api/fills", fill(3))["data"]["new"] == 1
    error = api.fills(fill(4), fill(1, price=7), status=409)["error"]
    assert [(d["index"], d["code"]) for d in error["details"]] == [(1, "conflicting_id")]
    error = api.fills(fill(4), fill(5, quantity=-1), status=422)["error"]
    assert error["details"][0]["index"] == 1
    assert len(api.get("/api/fills")["data"]) == 3


def test_an_idempotency_key_names_one_request(api: Api) -> None:
    first = api.fills(fill(1), Idempotency_Key="a")
    api.fills(fill(2))
    again = api.fills(fill(1), status=200, Idempotency_Key="a")
    assert again["data"] == first["data"] | {"repeated": True}
    assert "a different request" in api.fills(fill(3), status=409, Idempotency_Key="a")["error"]["message"]
    assert (
        "header Idempotency-Key"
        in api.fills(fill(3), status=422, Idempotency_Key="k" * 201)["error"]["message"]
    )


def upload(api: Api, name: str, content: str | bytes, query: str = "", **headers: str) -> TestResponse:
    data = content.encode() if isinstance(content, str) else content
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return api.client.post(f"/api/import{query}", data={"file": (io.BytesIO(data), name)}, headers=named)


ROWS = ["A,MSFT,2026-11-20T12:00:00Z,BUY,1,100,0,1", "A,MSFT,2026-11-20T12:01:00Z,SELL,1,103,0,2"]


def test_a_file_is_taken_in_and_its_bad_lines_are_told(api: Api) -> None:
    text = fills_csv([*ROWS, "A,MSFT,never,BUY,1,1,0,3"])
    response = upload(api, "../../etc/my fills.csv", text)
    data = json.loads(response.text)["data"]
    assert (response.status_code, data["new"], data["rejected"], data["file"]) == (201, 2, 1, "my fills.csv")
    assert (data["rejections"][0]["line"], data["rejections"][0]["code"]) == (4, "bad_time")
    meta = api.get("/api/performance/daily")["metadata"]
    assert meta["partial_reasons"][0]["code"] == "rejected_lines"
    assert api.get("/api/rejections")["data"][0]["file"] == "my fills.csv"
    assert not list(api.place.folder.rglob("my fills*"))
    upload(api, "b.csv", fills_csv([f"A,MSFT,never,BUY,{n},1,0,3" for n in range(1, 6)]))
    seen, query = [], "?limit=2"
    while query:
        page = api.get(f"/api/rejections{query}")
        seen += [(row["file"], row["line"]) for row in page["data"]]
        query = f"?limit=2&cursor={page['next_cursor']}" if page["next_cursor"] else ""
    assert sorted(seen) == [*(("b.csv", n) for n in range(2, 7)), ("my fills.csv", 4)]


def test_a_file_is_taken_once(api: Api) -> None:
    text = fills_csv(ROWS)
    first = json.loads(upload(api, "a.csv", text, Idempotency_Key="k").text)["data"]
    again = json.loads(upload(api, "a.csv", text, Idempotency_Key="k").text)["data"]
    assert again == first | {"repeated": True}
    other = upload(api, "a.csv", fills_csv(ROWS[:1]), Idempotency_Key="k")
    assert other.status_code == 409
    repeated = upload(api, "b.csv", text)
    assert (repeated.status_code, json.loads(repeated.text)["data"]["known"]) == (200, 2)
    assert api.get("/api/performance/daily")["data"]["daily_pnl"] == 3


@pytest.mark.parametrize(
    ("name", "content", "query", "words"),
    [
        ("a.csv", "a,b\n1,2\n", "", "a.csv: no layout fits"),
        ("a.csv", "", "", "a.csv is empty"),
        ("", "x", "", "upload: no layout fits"),
        ("a.csv", fills_csv(ROWS), "?format=word", "allowed is"),
        ("a.csv", fills_csv(ROWS), "?timezone=Mars/Phobos", "IANA"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(
    api: Api, name: str, content: str, query: str, words: str
) -> None:
    response = upload(api, name, content, query)
    error = json.loads(response.text)["error"]
    assert response.status_code == 422
    assert words in error["message"] + error["hint"]
    assert "/tmp" not in response.text


def test_a_form_without_a_file_is_refused(api: Api) -> None:
    response = api.client.post("/api/import", data={"datei": (io.BytesIO(b"x"), "a.csv")})
    assert json.loads(response.text)["error"]["message"] == "no part named `file` in the request"


def test_a_body_too_large_is_refused(api: Api, place: Any) -> None:
    small = Api(place, TEARSHEET_MAX_BODY_BYTES="1000")
    response = small.client.post("/api/fills", json=[fill(n) for n in range(20)])
    assert (response.status_code, json.loads(response.text)["error"]["type"]) == (413, "too_large")
    assert upload(small, "a.csv", "x" * 2000).status_code == 413
    assert small.fills(fill(1))["data"]["new"] == 1


def test_lists_come_in_pages(api: Api) -> None:
    api.fills(*[fill(n, "BUY" if n % 2 else "SELL", n) for n in range(1, 9)])
    for path, name, number in (("/api/fills", "fill_id", 8), ("/api/positions", "id", 4)):
        seen, query = [], "?limit=3"
        while query:
            page = api.get(path + query)
            seen += [row[name] for row in page["data"]]
            query = f"?limit=3&cursor={page['next_cursor']}" if page["next_cursor"] else ""
        assert len(seen) == len(set(seen)) == number
    (newest, *_) = api.get("/api/performance/fills?limit=1")["data"]
    assert (newest["fill_id"], newest["side"], newest["price"]) == ("F8", "SELL", 8)
    assert api.get("/api/positions?window=daily&start=2026-11-19")["data"] == []
    assert [p["net"] for p in api.get("/api/positions?symbol=MSFT&limit=2")["data"]] == [1, 1]


def test_alerts_are_listed_and_acknowledged(api: Api) -> None:
    api.place.targets(win_rate_target=90)
    with api.place.tracker(TEARSHEET_ALERT_MIN_SAMPLE="1") as tracker:
        for number in range(3):
            day = f"2026-11-{17 + number}"
            at = NOON.replace(day=17 + number)
            api.place.log(day, record(order_id=day, net="-5", at=at))
            window = Window.containing("daily", at.date())
            tracker.check(tracker.get_summary(window), tracker.targets())
    listed = api.get("/api/alerts?limit=2")
    assert len(listed["data"]) == 2
    rest = api.get(f"/api/alerts?limit=50&cursor={listed['next_cursor']}")
    alerts = listed["data"] + rest["data"]
    assert len({alert["id"] for alert in alerts}) == len(alerts) >= 3
    path = f"/api/alerts/{alerts[0]['id']}/acknowledge"
    seen = api.post(path, {"by": "kim", "note": "flat now"}, 200)["data"]
    assert (seen["state"], seen["acknowledged_by"], seen["note"]) == ("acknowledged", "kim", "flat now")
    assert api.post(path, {"by": "lee"}, 200)["data"]["acknowledged_by"] == "kim"
    assert api.get("/api/alerts?state=open&limit=1")["data"][0]["id"] == alerts[0]["id"]
    assert api.post("/api/alerts/0123456789abcdef/acknowledge", {"by": "kim"}, 404)["status"] == "error"
    for bad, status in (
        ({}, 422),
        ({"by": " "}, 422),
        ({"by": 5}, 422),
        ({"by": "x", "nte": 1}, 422),
        ([], 400),
    ):
        assert api.post(path, bad, status)["error"]["code"] == status


def test_every_answer_has_its_headers_and_its_log_line(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("tearsheet").propagate = True
    with caplog.at_level("INFO", "tearsheet"):
        response = api.ask("GET", "/api/accounts", X_Request_ID="abc", Authorization="")
    assert response.headers["X-Request-ID"] == "abc"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert response.headers["Cache-Control"] == "private, no-cache"
    (line,) = [r for r in caplog.records if r.message == "tearsheet.request"]
    fields = line.__dict__["tearsheet_fields"]
    assert (fields["request_id"], fields["route"], fields["status"]) == ("abc", "/api/accounts", 200)
    odd = api.ask("GET", "/api/accounts", X_Request_ID="a b")
    assert odd.headers["X-Request-ID"] != "a b"


def test_nothing_of_a_request_is_left_on_the_disk(api: Api, tmp_path: Path) -> None:
    upload(api, "a.csv", fills_csv(ROWS))
    assert not [p for p in tmp_path.rglob("*") if "upload" in p.name]
