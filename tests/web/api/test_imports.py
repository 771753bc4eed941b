"""Imports over the API: dry runs, lists, and taking one out."""

import io
import json
from collections.abc import Callable
from pathlib import Path

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
    assert "was already undone at" in json.loads(again.text)["error"]["message"]
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


SPLIT = Path(__file__).parents[2] / "stories/data/cases/04-splits/ib_flex_forward_split/ib_split.xml"


def test_an_import_says_whether_the_broker_agrees_and_so_does_a_dry_run(api: Api) -> None:
    zone, text = "?timezone=America/New_York", SPLIT.read_text()
    tried = json.loads(upload(api, "a.xml", text, f"{zone}&dry_run=yes").text)["data"]["tie_out"]
    kept = json.loads(upload(api, "a.xml", text, zone).text)["data"]["tie_out"]
    again = json.loads(upload(api, "a.xml", text, zone).text)["data"]["tie_out"]
    assert tried == kept == again
    assert (kept["text"], kept["agrees"], kept["compared"]) == ("agrees with the broker: 4 of 4", True, 4)
    assert api.get("/api/imports")["data"][0]["id"] == 1


def test_a_contradiction_with_the_broker_is_told_with_its_kind(api: Api) -> None:
    text = SPLIT.read_text().replace('fifoPnlRealized="38"', 'fifoPnlRealized="40"')
    assert 'fifoPnlRealized="40"' in text
    for query in ("?timezone=America/New_York&dry_run=yes", "?timezone=America/New_York"):
        found = json.loads(upload(api, "a.xml", text, query).text)["data"]["tie_out"]
        assert (found["agrees"], found["agreeing"], found["compared"]) == (False, 3, 4)
        [difference] = found["differences"]
        assert (difference["what"], difference["difference"], difference["kind"]) == ("net", 2, "unknown")
        assert found["text"] == "differs from the broker: 1 of 4 (1 unknown)"


def test_a_file_of_fills_alone_has_nothing_to_compare(api: Api) -> None:
    assert json.loads(upload(api, "a.csv", fills_csv(ROWS)).text)["data"]["tie_out"] is None


def test_a_file_read_as_nothing_is_refused_by_its_name(api: Api) -> None:
    for query in ("", "?dry_run=yes", ""):
        response = upload(api, "none.csv", fills_csv([]), query)
        message = json.loads(response.text)["error"]["message"]
        assert (response.status_code, message.partition(", and ")[0]) == (
            422,
            "none.csv: nothing was read: it is Generic fills (CSV)",
        )
    assert api.get("/api/imports")["data"] == []
