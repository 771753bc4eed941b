"""The trade list: columns that a browser chooses, tags for many trades at once, filters by name."""

import csv
import html
import io
import re
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest

from tearsheet.web.http.auth import Tokens
from tests.support.api import Api, fill
from tests.web.pages.test_pages import page, send

HOSTILE = "<img src=x onerror=alert(1)>\"'&{{7*7}}"


@pytest.fixture
def traded(api: Api) -> Api:
    """Three closed trades: +3 and −1 on 100, and a short of 2 contracts at 50 with fees."""
    api.fills(
        fill(1),
        fill(2, "SELL", 103),
        fill(3, symbol="AAPL", strategy="orb"),
        fill(4, "SELL", 99, symbol="AAPL", strategy="orb"),
        fill(5, "SELL", 5000, symbol="ESZ26", quantity=2, commission="2.10"),
        fill(6, "BUY", 4999, symbol="ESZ26", quantity=2, commission="2.10"),
    )
    return api


def heads(text: str) -> list[str]:
    head = re.search(r"<thead>.*?</thead>", text, re.DOTALL)
    assert head is not None
    cells = re.findall(r"<th [^>]*>(.*?)</th>", head[0])
    return [html.unescape(re.sub(r"<[^>]+>|[↑↓]", "", cell)).strip() for cell in cells[1:]]


def rows(text: str) -> list[list[str]]:
    bodies = re.findall(r'<tr data-key="[^"]*">(.*?)</tr>', text, re.DOTALL)
    cells = (re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", body, re.DOTALL) for body in bodies)
    return [[html.unescape(re.sub(r"<[^>]+>", "", cell)).strip() for cell in row[1:]] for row in cells]


def choices(text: str) -> list[str]:
    return re.findall(r'<input type="checkbox" name="trade" value="([^"]*)"', text)


def test_every_number_of_a_trade_is_in_its_row(traded: Api) -> None:
    text = page(traded, "/trades")
    names = "Entry time,Exit time,Symbol,Strategy,Side,Quantity,Avg. entry,Avg. exit,Duration,Gross P&L,Fees,Net P&L,%,R,Tags"
    assert heads(text) == names.split(",")
    short, loss, win = rows(text)
    assert short[2:13] == [
        "ESZ26",
        "—",
        "short",
        "2",
        "5,000.00",
        "4,999.00",
        "1m 00s",
        "+$100.00",
        "$4.20",
        "+$95.80",
        "+0.02%",  # 95.80 of 2 × 5,000 × 50
    ]
    assert (loss[3], loss[12]) == ("orb", "−1.00%")
    assert win[12] == "+3.00%"
    assert rows(text)[0][0] == "12:05:00"  # opened on the day of its exit
    sums = re.search(r"<tfoot>(.*?)</tfoot>", text, re.DOTALL)
    assert sums is not None
    assert [part for part in ("3 trades", "+$102.00", "$4.20", "+$97.80") if part not in sums[1]] == []


def test_each_filter_that_is_set_is_a_chip_that_removes_it(traded: Api) -> None:
    text = page(traded, "/trades?side=short&symbol=ESZ26&start=2026-11-20&end=2026-11-20")
    chips = re.findall(
        r'<a class="chip" href="([^"]*)"><span class="hidden">Remove the filter </span>(\w+)', text
    )
    assert [name for _, name in chips] == ["Symbol", "Side", "From", "To"]
    for address, name in chips:
        left = page(traded, html.unescape(address))
        assert f"Remove the filter </span>{name}" not in left
        assert len(rows(left)) == 1
    assert "Remove the filter" not in page(traded, "/trades")


def test_the_csv_has_what_the_columns_have(traded: Api) -> None:
    rows = list(csv.DictReader(io.StringIO(traded.ask("GET", "/trades.csv?sort=symbol&order=asc").text)))
    assert [(row["symbol"], row["carry"], row["return_on_entry"]) for row in rows] == [
        ("AAPL", "0", "-0.01"),
        ("ESZ26", "0", "0.0001916"),
        ("MSFT", "0", "0.03"),
    ]


def test_a_browser_keeps_its_columns_and_row_height(traded: Api) -> None:
    answer = send(
        traded,
        "/trades/view?sort=net",
        {"column": ["fees", "net", "no such", "account"], "density": "compact"},
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, "/trades?window=all&sort=net&order=desc")
    text = page(traded, "/trades")
    assert heads(text) == ["Symbol", "Account", "Fees", "Net P&L"]
    assert 'class="rows-compact"' in text
    send(traded, "/trades/view", {"density": "no such"})
    text = page(traded, "/trades")
    assert heads(text) == ["Symbol"]
    assert 'class="rows-roomy"' in text


def test_carry_is_a_column_where_there_is_some(traded: Api) -> None:
    assert "Carry" not in heads(page(traded, "/trades"))


def test_many_trades_are_tagged_at_once_and_the_undo_undoes(traded: Api) -> None:
    chosen = choices(page(traded, "/trades"))
    answer = send(traded, "/trades/tags", {"trade": chosen[:2], "tag": " #FOMO  trade", "action": "add"})
    assert answer.status_code == 200
    assert "to 2 trades" in answer.text
    assert page(traded, "/trades?tag=fomo+trade").count("<tr data-key=") == 2
    undo = re.findall(r'<input type="hidden" name="trade" value="([^"]*)"', answer.text)
    assert [one.partition(":")[2] for one in undo] == ["1", "1"]
    undone = send(traded, "/trades/tags", {"trade": undo, "tag": "fomo trade", "action": "remove"})
    assert "from 2 trades" in undone.text
    assert "1–1 of" not in page(traded, "/trades?tag=fomo+trade")
    # again, as a repeated request: the tag is gone already, and nothing is changed
    assert (
        "No trade was changed"
        in send(traded, "/trades/tags", {"trade": undo, "tag": "fomo trade", "action": "remove"}).text
    )


def test_what_was_changed_meanwhile_is_not_tagged_and_no_other_either(traded: Api) -> None:
    chosen = choices(page(traded, "/trades"))
    first = chosen[0].partition(":")[0]
    send(traded, f"/trades/{first}/notes", {"text": "mine", "tags": "own", "version": "0"})
    answer = send(traded, "/trades/tags", {"trade": chosen, "tag": "late", "action": "add"})
    assert answer.status_code == 409
    assert "Not tagged:" in answer.text
    assert f"the notes of trade {first} were changed by" in html.unescape(answer.text)
    assert "late" not in {one["tag"] for one in traded.get("/api/tags")["data"]}
    again = send(traded, "/trades/tags", {"trade": choices(page(traded, "/trades")), "tag": "late"})
    assert (again.status_code, "to 3 trades" in again.text) == (200, True)
    notes = traded.get(f"/api/positions/{first}/notes")["data"][0]
    assert (notes["text"], notes["tags"], notes["version"]) == ("mine", ["late", "own"], 2)


@pytest.mark.parametrize(
    ("chosen", "tag", "message"),
    [
        ([], "x", "0 trades are selected"),
        (["zzz:0"], "x", "invalid trade"),
        (["0123456789abcdef"], "x", "invalid trade"),
        (["0123456789abcdef:0"], "x", "no position"),
        (None, "a,b", "contains a comma"),
        (None, " # ", "empty tag"),
    ],
)
def test_a_bulk_tag_that_cannot_be_says_why(
    traded: Api, chosen: list[str] | None, tag: str, message: str
) -> None:
    wanted = choices(page(traded, "/trades")) if chosen is None else chosen
    answer = send(traded, "/trades/tags", {"trade": wanted, "tag": tag, "action": "add"})
    assert answer.status_code in (404, 409)
    assert message in html.unescape(answer.text)
    assert traded.get("/api/tags")["data"] == []


def test_a_filter_is_saved_under_a_name_used_and_deleted(traded: Api) -> None:
    address = "/trades/filters?" + urlencode({"side": "short", "sort": "net", "order": "asc"})
    assert send(traded, address, {"name": f"  {HOSTILE} "}).status_code == 303
    text = page(traded, "/trades")
    assert "<img" not in text
    assert 'href="/trades?window=all&amp;side=short&amp;sort=net&amp;order=asc"' in text
    assert (
        f"Saved filter </span><bdi>{html.escape(HOSTILE).replace('&#x27;', '&#39;').replace('&quot;', '&#34;')}"
        in text
    )
    send(traded, "/trades/filters?side=long", {"name": HOSTILE})  # the same name is replaced
    assert page(traded, "/trades").count("Saved filter ") == 1
    send(traded, "/trades/filters", {"delete": HOSTILE})
    assert "Saved filter " not in page(traded, "/trades")


@pytest.mark.parametrize("name", ["", " ", "x" * 61, "a\x00b"])
def test_a_filter_without_a_usable_name_is_refused(traded: Api, name: str) -> None:
    answer = send(traded, "/trades/filters?side=short", {"name": name})
    assert answer.status_code == 422
    assert "invalid name of a filter" in answer.text


def test_who_may_only_read_sees_no_way_to_change(traded: Api) -> None:
    token = Tokens(traded.place.settings().tokens_file).add("desk", "read", datetime(2026, 11, 1, tzinfo=UTC))
    send(traded, "/login", {"token": token})
    text = page(traded, "/trades?side=short")
    assert [
        part for part in ("/trades/tags", "/trades/filters", 'type="checkbox" name="trade"') if part in text
    ] == []
    assert send(traded, "/trades/view", {"column": ["net"]}).status_code == 303
    for path in ("/trades/tags", "/trades/filters"):
        assert send(traded, path, {"tag": "x", "name": "x"}).status_code == 403
