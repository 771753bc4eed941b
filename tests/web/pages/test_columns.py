"""A file whose columns no format fits, mapped on the page: proposed, previewed, imported, remembered."""

import html
import re

import pytest

from tests.support.api import Api

SAME = {"Origin": "http://localhost"}
FILE = """My export of today
Ticker,When,B/S,Filled Qty,Fill,Comm,Exchange Fee,Remark
ZZZA,2026-11-19 10:00:00,Buy,10,100.5,1,0.5,first
ZZZA,2026-11-19 11:00:00,Sell,10,102.5,1,0.5,second
"""
FIELDS = {
    "Ticker": "symbol",
    "When": "time",
    "B/S": "side",
    "Filled Qty": "quantity",
    "Fill": "price",
    "Comm": "commission",
    "Exchange Fee": "commission",
    "Remark": "",
}


def page(api: Api, path: str) -> str:
    response = api.ask("GET", path, Accept="text/html")
    assert response.status_code == 200, response.text
    return html.unescape(response.text)


def upload(api: Api, content: str, name: str = "own.csv") -> str:
    from io import BytesIO

    sent = api.client.post("/import", data={"file": (BytesIO(content.encode()), name)}, headers=SAME)
    assert sent.status_code == 303, sent.text
    return str(sent.headers["Location"])


def say(api: Api, address: str, **more: str) -> str:
    content = {
        "column": list(FIELDS),
        "field": list(FIELDS.values()),
        "account": "ME",
        "timezone": "UTC",
        **more,
    }
    answer = api.client.post(f"{address}/say?file=1", data=content, headers=SAME)
    assert answer.status_code == 303, answer.text
    return page(api, address)


def chosen(text: str) -> dict[str, str]:
    rows = re.findall(r'name="column" value="([^"]*)".*?<select name="field".*?</select>', text, re.S)
    selects = re.findall(r'<select name="field".*?</select>', text, re.S)
    picks = [re.search(r'value="([^"]*)" selected', one) for one in selects]
    return {name: pick[1] if pick else "" for name, pick in zip(rows, picks, strict=True)}


def test_the_columns_are_shown_with_values_and_guesses_already_previewed(api: Api) -> None:
    text = page(api, upload(api, FILE))
    assert "The columns were guessed" in text
    assert "2026-11-19 10:00:00 · 2026-11-19 11:00:00" in text
    assert chosen(text) == FIELDS  # When by its values, Fill by its name
    assert "Time zone of the file" in text


def test_columns_that_name_too_little_are_chosen_by_hand(api: Api) -> None:
    text = page(api, upload(api, FILE.replace("Fill,", "Level,")))
    assert "This file cannot be read yet" in text
    expected = {name: field for name, field in FIELDS.items() if name != "Fill"}
    assert chosen(text) == {**expected, "Level": ""}


def test_mapped_columns_are_previewed_imported_and_known_from_then_on(api: Api) -> None:
    address = upload(api, FILE)
    text = say(api, address)
    assert "+$17.00" in text  # 10 × 2.00 less fees of 2 × 1.50
    assert chosen(text) == FIELDS
    api.client.post(f"{address}/keep", headers=SAME)
    assert "1 trade imported." in page(api, address)
    assert api.get("/api/performance/daily?date=2026-11-19")["data"]["daily_pnl"] == 17
    address = upload(api, FILE.replace("ZZZA", "ZZZB"), "other.csv")
    again = page(api, address)
    assert "The columns were guessed" not in again
    assert "Format: own." in again  # remembered by the name of the first file
    with_zone = {"account": "ME", "timezone": "UTC"}
    api.client.post(f"{address}/say?file=1", data=with_zone, headers=SAME)
    assert "+$17.00" in page(api, address)


def test_a_field_of_two_columns_is_refused_and_what_was_chosen_stays(api: Api) -> None:
    address = upload(api, FILE)
    content = {"column": ["Ticker", "Remark"], "field": ["symbol", "symbol"], "account": "ME"}
    api.client.post(f"{address}/say?file=1", data=content, headers=SAME)
    text = page(api, address)
    assert "of two columns" in text
    assert chosen(text)["Remark"] == "symbol"


@pytest.mark.parametrize(
    "content",
    [
        {"column": ["a", "b"], "field": ["symbol"]},
        {"column": ["a"] * 101, "field": [""] * 101},
        {"column": ["a"], "field": ["symbol"], "day": "yesterday"},
        {"column": ["a"], "field": ["symbol"], "fee_sign": "maybe"},
        {"column": ["a"], "field": ["symbol"], "currency": "dollars"},
    ],
)
def test_a_form_that_is_no_form_of_this_page_is_refused(api: Api, content: dict[str, object]) -> None:
    address = upload(api, FILE)
    assert api.client.post(f"{address}/say?file=1", data=content, headers=SAME).status_code == 422


def test_a_hostile_column_is_text(api: Api) -> None:
    name = "<img src=x onerror=alert(1)>"
    address = upload(api, FILE.replace("Remark", name))
    raw = api.ask("GET", address, Accept="text/html").text
    assert "<img" not in raw
    assert html.escape(name) in raw
