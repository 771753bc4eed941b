"""The import page: files are sent, looked at with what they would change, brought in, and taken out again."""

import csv
import html
import io
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tearsheet.app.imports.uploads import UploadStore
from tearsheet.errors import NotFoundError
from tearsheet.web.http.auth import Tokens
from tests.support.api import Api, fill
from tests.support.place import fills_csv
from tests.web.pages.test_pages import HOSTILE, SAME, page, send

BUY, SELL = ("A,MSFT,2026-11-20T10:00:00Z,buy,2,100,0,E1", "A,MSFT,2026-11-20T11:30:00Z,sell,1,105,1,E3")
BAD = "A,MSFT,2026-11-20T11:00:00Z,sell,1,=oops(),0,E2"
ROWS = [BUY, BAD, SELL]
NINJA = (
    "Instrument,Action,Quantity,Price,Time,ID,E/X,Position,Order ID,Name,Commission,Rate,Account,Connection\n"
    "ES 12-26,Buy,1,6700,11/20/2026 10:00:00 AM,N1,Entry,1 L,O1,Entry,2.09,1,Sim101,Sim\n"
)


def sent(api: Api, *files: tuple[str, str], **headers: str) -> TestResponse:
    """Send files; the page that the browser is led to."""
    content = {"file": [(io.BytesIO(text.encode()), name) for name, text in files]}
    answer = api.client.post("/import", data=content, headers=SAME | headers)
    assert answer.status_code == 303, answer.text
    return followed(api, answer)


def followed(api: Api, answer: TestResponse) -> TestResponse:
    assert answer.status_code == 303, answer.text
    return api.ask("GET", answer.headers["Location"], Accept="text/html")


def pressed(api: Api, seen: TestResponse, what: str, **content: Any) -> TestResponse:
    """Press a button of the page of an upload."""
    found = re.search(rf'action="([^"]*/{what}[^"]*)"', seen.text)
    assert found, seen.text
    return followed(api, send(api, html.unescape(found[1]), content))


def numbers(seen: TestResponse) -> list[str]:
    return re.findall(r"<dd class=\"num[^\"]*\">([^<]*)<", seen.text)


def test_a_file_is_shown_with_what_it_would_change_before_it_is_kept(api: Api) -> None:
    api.fills(fill(-200, quantity=1, price=90))
    seen = sent(api, (HOSTILE, fills_csv(ROWS)))
    assert "not imported yet" in seen.text
    assert "<img" not in seen.text
    assert numbers(seen) == ["2", "0", "1"]
    assert "Format: Generic fills" in seen.text
    assert "=oops()" in seen.text
    text = html.unescape(seen.text)
    assert "Closed trades" in text
    assert "long 1 → long 2" in text
    assert "+$7.33" in text
    assert len(api.get("/api/fills")["data"]) == 1
    assert api.get("/api/rejections")["data"] == []
    kept = pressed(api, seen, "keep")
    assert "<strong>Imported.</strong>" in kept.text
    assert len(api.get("/api/fills")["data"]) == 3
    assert len(api.get("/api/rejections")["data"]) == 1
    [batch] = [one for one in api.get("/api/imports")["data"] if one["layout"] != "api"]
    assert batch["who"] == "somebody at this machine"
    assert re.search(rf'href="/import/batches/{batch["id"]}"', page(api, "/import"))


@pytest.mark.parametrize("accounts", [["A"], ["A", "B"]])
def test_what_came_in_is_of_the_accounts_of_the_files(api: Api, accounts: list[str]) -> None:
    """Kind: where the accounts of an answer are not one and known, it is of all accounts of the ledger.

    Places: files of several accounts, beside others of the ledger; files whose trades change no day.
    """
    other = [fill(1, account="OTHER", symbol="GOOG"), fill(2, "SELL", 90, account="OTHER", symbol="GOOG")]
    api.fills(*other)
    rows = [
        row
        for account in accounts
        for row in (
            f"{account},MSFT,2026-11-20T12:00:00Z,BUY,1,100,0,{account}1",
            f"{account},MSFT,2026-11-20T12:30:00Z,SELL,1,103,0,{account}2",
        )
    ]
    kept = pressed(api, sent(api, ("a.csv", fills_csv(rows))), "keep")
    table = html.unescape(kept.text.split("What came in")[-1].split("</table>")[0])
    assert "GOOG" not in table
    assert re.findall(r"<th scope=\"row\">(\w+)</th><td[^>]*>(\d+)</td>", table) == [
        ("MSFT", str(len(accounts))),
        ("Total", str(len(accounts))),
    ]


def test_saying_yes_twice_imports_once_and_the_file_is_gone_then(api: Api) -> None:
    seen = sent(api, ("a.csv", fills_csv([BUY])))
    kept = pressed(api, seen, "keep")
    again = pressed(api, seen, "keep")
    assert "imported." in kept.text.lower()
    assert kept.text == again.text
    [batch] = api.get("/api/imports")["data"]
    assert batch["new"] == 1
    folder = api.place.settings().upload_dir
    assert [path.name for path in folder.glob("*/*") if path.name[0].isdigit()] == []
    assert "Already imported" in sent(api, ("a.csv", fills_csv([BUY]))).text


def test_several_files_are_seen_as_they_come_one_after_the_other(api: Api) -> None:
    seen = sent(api, ("1.csv", fills_csv([BUY])), ("2.csv", fills_csv([BUY, SELL])), ("x.csv", "a,b\n1,2\n"))
    assert numbers(seen) == ["1", "0", "0", "1", "1", "0"]
    assert "This file cannot be read" in seen.text
    assert str(api.place.folder) not in seen.text
    assert "flat" not in html.unescape(seen.text)
    assert "Opens" in seen.text
    kept = pressed(api, seen, "keep")
    assert kept.text.count("/import/batches/") == 2
    assert kept.text.count("This file cannot be read") == 1
    assert [one["file"] for one in api.get("/api/imports")["data"]] == ["2.csv", "1.csv"]


def test_a_file_that_breaks_off_in_the_middle_spoils_no_other(api: Api) -> None:
    bad = fills_csv([BUY]).encode() + b"A,MSFT,\xff\xfe,buy,1,1,0,E9\n" * 3
    content = {"file": [(io.BytesIO(bad), "bad.csv"), (io.BytesIO(fills_csv([SELL]).encode()), "good.csv")]}
    seen = followed(api, api.client.post("/import", data=content, headers=SAME))
    assert 'aria-label="good.csv"' in seen.text
    assert "Resulting positions" in seen.text
    assert api.get("/api/fills")["data"] == []


def test_what_the_file_leaves_open_is_asked_and_can_be_said(api: Api) -> None:
    seen = sent(api, ("local.csv", NINJA))
    assert "This file cannot be read" in seen.text
    assert "“Time zone”" in html.unescape(seen.text)
    assert "--timezone" not in seen.text
    assert "Time zone of the file" in seen.text
    assert "<h2>Columns</h2>" not in seen.text  # the format is known
    said = pressed(api, seen, "say", timezone="America/Chicago")
    assert "Time zone: America/Chicago" in said.text
    pressed(api, said, "keep")
    assert api.get("/api/fills")["data"][0]["time"] == "2026-11-20T16:00:00Z"


def test_a_wrong_entry_stays_in_its_form_with_the_reason_and_the_preview(api: Api) -> None:
    seen = sent(api, ("a.csv", fills_csv([BUY, SELL])))
    address = html.unescape(re.search(r'action="([^"]*say[^"]*)"', seen.text)[1])  # type: ignore[index]
    refused = send(api, address, {"timezone": "Chicago", "account": "MINE"})
    assert refused.status_code == 422
    text = html.unescape(refused.text)
    assert 'value="Chicago" aria-invalid="true"' in text
    assert "“Chicago” is not allowed" in text
    assert 'value="MINE"' in text
    assert "Resulting positions" in text
    htmx = api.client.post(address, data={"timezone": "<b>"}, headers=SAME | {"HX-Request": "true"})
    assert htmx.status_code == 200
    assert "“&lt;b&gt;” is not allowed" in htmx.text


TRADOVATE = """symbol,_priceFormat,_priceFormatType,_tickSize,buyFillId,sellFillId,qty,buyPrice,sellPrice,pnl,boughtTimestamp,soldTimestamp,duration
MESZ6,-2,0,0.25,1,2,2,5125.25,5130.50,$52.50,11/16/2026 09:35:12,11/16/2026 09:42:15,7min
"""


def test_the_time_zone_of_the_browser_and_an_account_are_proposed(api: Api) -> None:
    def sent_from(zone: str) -> TestResponse:
        content = {"file": (io.BytesIO(TRADOVATE.encode()), "p.csv"), "zone": zone}
        return followed(api, api.client.post("/import", data=content, headers=SAME))

    seen = sent_from("America/Chicago")
    assert "Proposed from this browser. The first trade is then 16 Nov 2026, 09:35 Chicago." in seen.text
    assert 'value="America/Chicago"' in seen.text
    assert 'value="Tradovate"' in seen.text
    assert "No fees in the file: 2 fills state none" in seen.text
    assert "Agrees with the broker: 1 of 1" in seen.text
    kept = pressed(api, seen, "keep")
    assert "1 trade imported." in kept.text
    assert "Agrees with the broker: 1 of 1" in kept.text
    assert "November 2026" in kept.text
    fills = api.get("/api/fills?account=Tradovate")["data"]
    assert [fill["time"] for fill in fills] == ["2026-11-16T15:42:15Z", "2026-11-16T15:35:12Z"]
    assert "What do you pay in fees?" in kept.text
    undone = pressed(api, kept, "undo")
    assert "<strong>Undone.</strong>" in undone.text
    assert api.get("/api/fills")["data"] == []
    assert "Proposed from" not in sent_from("Mars/Olympus").text


def test_fees_that_the_file_does_not_state_are_asked_and_change_the_preview(api: Api) -> None:
    content = {"file": (io.BytesIO(TRADOVATE.encode()), "p.csv"), "zone": "America/Chicago"}
    seen = followed(api, api.client.post("/import", data=content, headers=SAME))
    assert "+$52.50" in seen.text
    assert [html.unescape(one) for one in re.findall(r'<option value="\d">([^<]*)', seen.text)] == [
        "all of Tradovate",
        "MES in Tradovate",
    ]
    address = re.search(r'action="([^"]*/fees)"', seen.text)[1]  # type: ignore[index]
    for bad in (
        {"amount": "-1", "unit": "per_unit", "scope": "1"},
        {"amount": "", "unit": "per_unit", "scope": "1"},
        {"amount": "1", "unit": "per_moon", "scope": "1"},
        {"amount": "1", "unit": "per_unit", "scope": "7"},
    ):
        refused = send(api, address, bad)
        assert refused.status_code == 422
        assert f'value="{bad["amount"]}" aria-invalid="true"' in refused.text
    said = pressed(api, seen, "fees", amount="0.62", unit="per_unit", scope="1")
    assert "What do you pay in fees?" not in said.text
    assert "+$50.02" in said.text  # 4 × 0.62 less
    kept = pressed(api, said, "keep")
    assert "After $2.48 fees." in kept.text
    assert api.get("/api/fees")["data"]["rules"] == [
        {"account": "Tradovate", "per_unit": "0.62", "root": "MES"}
    ]


def test_the_fee_is_asked_first_for_the_account_that_has_none(api: Api) -> None:
    paid = "account,symbol,time,side,quantity,price,commission\n" + "".join(
        f"A1,MESH5,2025-03-10T1{hour}:00:00Z,{side},1,{price},1.2\n"
        for hour, side, price in ((0, "BUY", 5000), (1, "SELL", 5001))
    )
    files = [(io.BytesIO(text.encode()), name) for text, name in ((paid, "a.csv"), (TRADOVATE, "p.csv"))]
    sent = api.client.post("/import", data={"file": files, "zone": "America/Chicago"}, headers=SAME)
    for _ in range(600):  # several files are read beside the request
        text = followed(api, sent).text
        if "What do you pay in fees?" in text:
            break
        time.sleep(0.1)
    choices = re.findall(r'<option value="\d">([^<]*)', text)
    assert choices == ["all of Tradovate", "MES in Tradovate", "all of A1", "MES in A1"]
    assert "Mon 10 Mar 2025" in text


def test_the_zone_in_a_file_name_is_not_lost(api: Api) -> None:
    head = "Date(UTC),Pair,Side,Price,Executed,Amount,Fee\n"
    row = "2026-11-20 10:00:00,BTCUSDT,BUY,100,1BTC,100USDT,0BTC\n"
    seen = sent(api, ("Spot History (UTC+3).csv", head + row))
    assert "UTC+3" in seen.text
    assert "This file cannot be read" in seen.text


@pytest.mark.parametrize("content", [{}, {"file": (io.BytesIO(b""), "")}])
def test_nothing_sent_is_refused_on_the_page(api: Api, content: dict[str, Any]) -> None:
    refused = send(api, "/import", content)
    assert refused.status_code == 422
    assert "0 files selected" in refused.text
    assert "Drop your broker files here" in refused.text


def test_an_import_is_undone_after_a_look_at_what_that_changes(api: Api) -> None:
    pressed(api, sent(api, ("a.csv", fills_csv(ROWS))), "keep")
    seen = page(api, "/import/batches/1")
    assert "Preview undo" in seen
    tried = send(api, "/import/batches/1/undo", {"action": "try"})
    assert "Undo this import?" in tried.text
    assert "Closes" in tried.text
    assert len(api.get("/api/fills")["data"]) == 2
    done = followed(api, send(api, "/import/batches/1/undo", {"action": "undo"}))
    assert "<strong>Undone</strong>" in done.text
    assert api.get("/api/fills")["data"] == []
    assert "Undone" in page(api, "/import")
    assert send(api, "/import/batches/1/undo", {"action": "undo"}).status_code == 409
    assert api.ask("GET", "/import/batches/77").status_code == 404
    assert api.ask("GET", "/import/batches/x").status_code == 404


def test_rejected_lines_are_kept_as_a_table_that_computes_nothing(api: Api) -> None:
    rows = [
        BUY,
        "A,MSFT,=1+1,sell,1,1,0,E2",
        '"=HYPERLINK(""http://x"")",MSFT,2026-11-20T11:00:00Z,sell,1,y,0,E4',
    ]
    seen = sent(api, ("a.csv", fills_csv(rows)))
    before = re.search(r'href="([^"]*rejected\.csv[^"]*)"', seen.text)
    assert before
    pressed(api, seen, "keep")
    for address in (html.unescape(before[1]), "/import/batches/1/rejected.csv", "/import/rejected.csv"):
        answer = api.ask("GET", address)
        assert answer.mimetype == "text/csv"
        assert "attachment" in answer.headers["Content-Disposition"]
        found = list(csv.DictReader(io.StringIO(answer.text)))
        assert {row["line"] for row in found} == {"3", "4"}
        assert not [cell for row in found for cell in row.values() if cell[:1] in "=+-@"]
        assert any("HYPERLINK" in row["text"] for row in found)


def test_an_upload_is_of_those_who_may_write(make_api: Callable[..., Api]) -> None:
    api = make_api()
    tokens = Tokens(api.place.settings().tokens_file)
    reader, writer = (
        tokens.add(name, right, api.place.now) for name, right in (("r", "read"), ("kim", "write"))
    )  # type: ignore[arg-type]
    bearer = {"Authorization": f"Bearer {writer}"}
    content = {"file": (io.BytesIO(fills_csv([BUY]).encode()), "a.csv")}
    address = api.client.post("/import", data=content, headers=SAME | bearer).headers["Location"]
    assert api.ask("GET", address, **bearer).status_code == 200
    assert api.ask("GET", address, Authorization=f"Bearer {reader}").status_code == 403
    for headers in (bearer, SAME | {"Authorization": f"Bearer {reader}"}, bearer | {"Origin": "http://evil"}):
        assert api.client.post(f"{address}/keep", headers=headers).status_code == 403
    assert api.client.post(f"{address}/keep", headers=SAME | bearer).status_code == 303
    assert api.get("/api/imports", **bearer)["data"][0]["who"] == "kim"
    for strange in ("0" * 32, "x", "..%2f..%2fetc"):
        assert api.ask("GET", f"/import/uploads/{strange}", **bearer).status_code == 404


def test_what_is_thrown_away_or_broken_off_leaves_nothing(api: Api) -> None:
    seen = sent(api, ("a.csv", fills_csv([BUY])))
    uploads = UploadStore(api.place.settings().upload_dir)
    identity = re.search(r"uploads/(\w{32})/", seen.text)[1]  # type: ignore[index]
    with uploads.lock(identity):  # as while another process reads it
        assert "Reading a.csv" in page(api, f"/import/uploads/{identity}")
        assert send(api, f"/import/uploads/{identity}/drop", {}).status_code == 409
    uploads.clear_result(identity)  # as after that process was killed
    broken = api.ask("GET", f"/import/uploads/{identity}")
    assert "Interrupted." in broken.text
    assert "not imported yet" in pressed(api, broken, "try").text
    assert send(api, f"/import/uploads/{identity}/drop", {}).status_code == 303
    with pytest.raises(NotFoundError):
        uploads.get(identity)
    assert api.get("/api/imports")["data"] == []
