"""Imports over the API: dry runs, lists, and taking one out."""

import io
import json
from collections.abc import Callable

from tests.support.api import Api, fill
from tests.support.place import fills_csv
from tests.web.api.test_trading import ROWS, upload


def test_a_dry_run_shows_what_would_change_and_keeps_nothing(api: Api) -> None:
    response = upload(api, "a.csv", fills_csv(ROWS), "?dry_run=yes")
    data = json.loads(response.text)["data"]
    assert (response.status_code, data["new"]) == (200, 2)
    assert data["changes"]["days"] == [
        {"session": "2026-11-20", "account": "A", "currency": "USD", "before": 0, "after": 3}
    ]
    assert data["changes"]["positions"][0]["closed_after"] == 1
    assert api.get("/api/imports")["data"] == []
    assert api.get("/api/performance/daily")["data"]["total_trades"] == 0


def test_an_import_is_listed_shown_and_undone_once(api: Api) -> None:
    upload(api, "a.csv", fills_csv([*ROWS, "A,MSFT,never,BUY,1,1,0,3"]))
    api.fills(fill(7))
    newest, oldest = api.get("/api/imports")["data"]
    assert (newest["layout"], oldest["file"], oldest["new"]) == ("api", "a.csv", 2)
    assert [b["id"] for b in api.get("/api/imports?before=2")["data"]] == [1]
    shown = api.get("/api/imports/1")["data"]
    assert [(r["code"], r["counts"]) for r in shown["rejections"]] == [("bad_time", True)]
    done = api.client.post("/api/imports/1/undo")
    assert (done.status_code, json.loads(done.text)["data"]["gone"]) == (200, 2)
    assert api.get("/api/performance/daily")["data"]["total_trades"] == 0
    assert api.get("/api/rejections")["data"] == []
    assert api.get("/api/imports/1")["data"]["undone"]["by"] == "somebody at this machine"
    again = api.client.post("/api/imports/1/undo")
    assert again.status_code == 409
    assert "was undone before" in json.loads(again.text)["error"]["message"]
    assert api.client.post("/api/imports/9/undo").status_code == 404
    assert json.loads(upload(api, "a.csv", fills_csv(ROWS)).text)["data"]["new"] == 2


def test_undoing_needs_a_token_that_may_write(make_api: Callable[..., Api]) -> None:
    from tearsheet.web.http.auth import Tokens

    api = make_api()
    tokens = Tokens(api.place.settings().tokens_file)
    reader, writer = (tokens.add(name, name, api.place.now) for name in ("read", "write"))  # type: ignore[arg-type]
    bearer = {"Authorization": f"Bearer {writer}"}
    file = {"file": (io.BytesIO(fills_csv(ROWS).encode()), "a.csv")}
    assert api.client.post("/api/import", data=file, headers=bearer).status_code == 201
    refused = api.client.post("/api/imports/1/undo", headers={"Authorization": f"Bearer {reader}"})
    assert refused.status_code == 403
    assert api.client.post("/api/imports/1/undo", headers=bearer).status_code == 200
    shown = api.get("/api/imports/1", Authorization=f"Bearer {reader}")
    assert shown["data"]["undone"]["by"] == "write"


def test_a_correction_comes_by_request_too(api: Api) -> None:
    api.fills(fill(1), fill(2, "SELL", 110))
    assert api.fills(fill(1, price=101), status=409)["error"]["details"][0]["code"] == "conflicting_id"
    api.fills(fill(1, price=101, status="correction"))
    assert api.get("/api/performance/daily")["data"]["daily_pnl"] == 9
    api.fills(fill(2, "SELL", 110, status="bust"))
    assert api.get("/api/performance/daily")["data"]["total_trades"] == 0
