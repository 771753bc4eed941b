"""Tie-out over the API: a statement comes, the differences go back, and preview only, nothing imported."""

import io
import json
from typing import Any

import jsonschema

from tearsheet.export.files import schema
from tests.support.api import Api
from tests.support.place import fills_csv
from tests.web.api.test_trading import ROWS, upload

HEAD = "account,date,symbol,realized_pnl,fees,position\n"


def reconcile(api: Api, content: str, query: str = "") -> tuple[int, dict[str, Any]]:
    file = (io.BytesIO(content.encode()), "statement.csv")
    response = api.client.post(f"/api/reconcile{query}", data={"file": file})
    return response.status_code, json.loads(response.text)


def test_a_statement_is_compared_and_not_kept(api: Api) -> None:
    upload(api, "a.csv", fills_csv(ROWS))
    status, body = reconcile(api, HEAD + "A,2026-11-20,MSFT,3,0,0\n")
    assert (status, body["data"]["agrees"], body["data"]["file"]) == (200, True, "statement.csv")
    status, body = reconcile(api, HEAD + "A,2026-11-20,MSFT,30,0,0\n", "?method=fifo")
    data = body["data"]
    jsonschema.validate(data, schema("tie-out"))
    assert (status, data["agrees"], data["method"]) == (200, False, "fifo")
    assert [(d["kind"], d["difference"]) for d in data["differences"]] == [("multiplier", 27)]
    assert len(api.get("/api/imports")["data"]) == 1


def test_fills_without_counterpart_are_named(api: Api) -> None:
    upload(api, "a.csv", fills_csv(ROWS[:1]))
    [named] = reconcile(api, fills_csv(ROWS))[1]["data"]["fills"]
    assert (named["lacking"], named["fill_id"], named["line"]) == ("books", "2", 3)


def test_what_is_no_statement_is_refused_by_its_name(api: Api) -> None:
    status, body = reconcile(api, "some,text\nno,trade\n")
    assert (status, "statement.csv: no layout fits" in body["error"]["message"]) == (422, True)
    assert reconcile(api, HEAD + "A,never,MSFT,3,0,0\n")[0] == 422
    assert reconcile(api, HEAD, "?method=lifo")[0] == 422
    assert api.client.post("/api/reconcile", data={}).status_code in (415, 422)
