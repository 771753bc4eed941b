"""Notes and tags on the pages: written by a plain form, shown as text whatever they say, and in the CSV."""

import csv
import html
import io
import re
from typing import Any

import pytest

from tearsheet.app.analysis.lists import PositionView, position_view
from tearsheet.app.analysis.notes import NoteSummary, TradeNotes
from tearsheet.trade.fill import Side
from tearsheet.trade.note import validate_note
from tearsheet.trade.position import Position
from tearsheet.web.http.csv_download import csv_response
from tests.support.api import Api, fill
from tests.support.place import NOON, record
from tests.web.pages.test_pages import SAME, page, send

HOSTILE = "<script>alert(1)</script>\"'&{{7*7}}</textarea><img src=x onerror=alert(1)>\u202egnp.exe"
HOSTILE_TAG = "<b>\"'&{{7*7}}</b>"


@pytest.fixture
def position(api: Api) -> str:
    """The newest of two closed positions."""
    api.fills(fill(1), fill(2, "SELL", 103), fill(3), fill(4, "SELL", 99))
    return str(api.get("/api/positions")["data"][0]["id"])


def form(text: str, tags: str = "", version: int | str = 0) -> dict[str, Any]:
    return {"text": text, "tags": tags, "version": str(version)}


def test_a_note_is_kept_by_a_plain_form(api: Api, position: str) -> None:
    answer = send(api, f"/trades/{position}/notes", form("waited\r\nand paid", "Patience, , a+ setup,"))
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"/trades/{position}?said=kept#notes"
    text = page(api, f"/trades/{position}?said=kept")
    assert "waited\nand paid" in text
    assert "Saved." in text
    assert 'href="/trades?tag=a%2B+setup"' in text
    assert 'value="a+ setup, patience"' in text
    listed = page(api, "/trades?tag=patience")
    assert "1–1 of 1 trades" in listed
    assert "Has a note" in listed
    assert "No trades match these filters" in page(api, "/trades?tag=nothing")


def test_what_another_tab_wrote_is_not_overwritten_unseen(api: Api, position: str) -> None:
    path = f"/trades/{position}/notes"
    send(api, path, form("first tab", "one"))
    answer = send(api, path, form("second tab", "two"))
    assert answer.status_code == 409
    text = html.unescape(answer.text)
    assert "Not saved:" in text
    assert "wrote version 1 at" in text
    assert "<blockquote>" in text
    assert re.search(r"<textarea[^>]*>\nsecond tab</textarea>", text)
    assert 'name="version" value="1"' in text
    assert api.get(f"/api/positions/{position}/notes")["data"][0]["text"] == "first tab"
    # a script that fetches the part of the page gets the same words
    part = send(api, path, form("second tab"), SAME | {"HX-Request": "true"})
    assert part.status_code == 200
    assert "Not saved:" in part.text
    assert send(api, path, form("second tab", "two", 1)).status_code == 303
    assert "Version history (2)" in page(api, f"/trades/{position}")


def test_a_bad_note_is_refused_and_stays_in_its_form(api: Api, position: str) -> None:
    answer = send(api, f"/trades/{position}/notes", form("keep this", "x" * 41))
    assert answer.status_code == 409
    assert "has 41 characters" in answer.text
    assert "keep this" in answer.text
    assert send(api, f"/trades/{position}/notes", form("x", version="one")).status_code == 422
    assert send(api, "/trades/0123456789abcdef/notes", form("x")).status_code == 404
    assert send(api, "/notes/0123456789abcdef", form("x")).status_code == 404
    foreign = {"Origin": "http://evil.example"}
    for path in (f"/trades/{position}/notes", "/notes/0123456789abcdef"):
        assert send(api, path, form("x"), foreign).status_code == 403
        assert send(api, path, form("x"), {}).status_code == 403


def test_hostile_notes_and_tags_are_text_everywhere(api: Api, position: str) -> None:
    answer = send(api, f"/trades/{position}/notes", form(HOSTILE, HOSTILE_TAG))
    assert answer.status_code == 303
    send(api, f"/trades/{position}/notes", form(HOSTILE + "2", HOSTILE_TAG, 1))
    conflict = send(api, f"/trades/{position}/notes", form(HOSTILE + "3", HOSTILE_TAG, 1)).text
    tag = api.get("/api/tags")["data"][0]["tag"]
    texts = [page(api, path) for path in (f"/trades/{position}", "/trades", "/performance/groups?window=all")]
    found = api.client.get("/trades", query_string={"tag": tag})
    assert "1–1 of 1" in found.text
    for text in (*texts, conflict, found.text):
        assert "<script>alert" not in text
        assert "<img" not in text
        assert "<b>" not in text
        assert "49" not in re.sub(r"\d+[.:]\d+|[0-9a-f]{12,16}", "", text)
    # what turns the direction of writing stays inside an element of its own
    for text in (texts[0], conflict):
        for at in (m.start() for m in re.finditer("\u202e", text)):
            inside = text[:at].rsplit("<", 1)[1]
            assert 'dir="auto"' in inside
    assert api.get(f"/api/positions/{position}")["data"]["position"]["note"] == HOSTILE + "2"


def test_orphaned_notes_have_a_page_and_are_written_on_there(api: Api, position: str) -> None:
    assert "Every note is attached to a trade" in page(api, "/notes")
    assert "/notes" not in page(api, "/trades")
    send(api, f"/trades/{position}/notes", form(HOSTILE, "kept"))
    api.client.post("/api/imports/1/undo")
    assert 'href="/notes"' in page(api, "/trades")
    text = page(api, "/notes")
    assert "MSFT" in text
    assert "<img" not in text
    identity = api.get("/api/orphaned-notes")["data"][0]["id"]
    answer = send(api, f"/notes/{identity}", form("later", "kept", 1))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/notes?said=kept#notes")
    refused = send(api, f"/notes/{identity}", form("stale", "kept", 1))
    assert refused.status_code == 409
    assert "stale" in refused.text


def test_a_note_that_was_joined_is_written_on_from_the_trade_it_stands_in(api: Api) -> None:
    api.fills(fill(10), fill(20, "SELL", 103), fill(30), fill(40, "SELL", 99))
    second = api.get("/api/positions")["data"][0]["id"]
    send(api, f"/trades/{second}/notes", form("of the second"))
    api.fills(fill(15))
    (joined,) = [p["id"] for p in api.get("/api/positions?state=open")["data"]]
    text = page(api, f"/trades/{joined}")
    assert "Note on the fill at" in text
    action = re.search(r'action="(/notes/\w+)"', text)
    assert action
    answer = send(api, action[1], form("still", version=1))
    assert answer.headers["Location"] == f"/trades/{joined}?said=kept#notes"
    refused = send(api, action[1], form("stale", version=1))
    assert refused.status_code == 409
    assert re.search(r"<textarea[^>]*>\nstale</textarea>", refused.text)
    assert "Fills" in refused.text


def test_filters_left_empty_are_no_filters(api: Api, position: str) -> None:
    empty = "text=&symbol=&strategy=&side=&outcome=&tag=&start=&end="
    assert "1–2 of 2 trades" in page(api, f"/trades?{empty}")
    assert "1–2 of 2 trades" in page(api, f"/trades?{empty}&start=2026-11-20&end=2026-11-20")
    assert "No trades match these filters" in page(api, "/trades?start=2026-11-10&end=2026-11-11&symbol=MSFT")


def test_pages_go_on_after_and_before_their_rows(api: Api) -> None:
    lines = [record(net=n % 7, at=NOON, order_id=f"o{n}") for n in range(120)]
    api.place.log("2026-11-20", *lines)
    shown: list[list[str]] = []
    path = "/trades?sort=net"
    for _ in range(3):
        text = page(api, path)
        shown.append(re.findall(r'href="/trades/(\w{16})"', text))
        following = re.search(r'rel="next" href="([^"]+)"', text)
        path = html.unescape(following[1]) if following else ""
    assert (list(map(len, shown)), path) == ([50, 50, 20], "")
    assert len({one for its in shown for one in its}) == 120
    back = re.search(r'rel="prev" href="([^"]+)"', text)
    assert back
    assert re.findall(r'href="/trades/(\w{16})"', page(api, html.unescape(back[1]))) == shown[1]
    assert "use the link to the next page" in page(api, "/trades?after=zz", 422)
    assert "use the link to the next page" in page(api, "/trades?after=5b5d", 422)


def cells(api: Api) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(api.ask("GET", "/trades.csv").text)))


def test_notes_and_tags_are_in_the_csv(api: Api, position: str) -> None:
    send(api, f"/trades/{position}/notes", form("line one\n- line two", "b, a"))
    newest, oldest = cells(api)
    assert (newest["id"], newest["tags"], newest["note"]) == (position, "a, b", "line one / - line two")
    assert (oldest["tags"], oldest["note"]) == ("", "")


def row(note: str, tags: tuple[str, ...] = ()) -> PositionView:
    from decimal import Decimal

    one = Decimal(1)
    position = Position(
        "0" * 16,
        "A",
        "X",
        "USD",
        one,
        Side.BUY,
        NOON,
        NOON,
        NOON,
        0,
        "k",
        one,
        one,
        one * 0,
        one,
        one,
        one,
        -one,
        one,
        2,
    )
    return position_view(position, Decimal(0), remark=NoteSummary(note, tags))


def trades_csv(rows: list[PositionView]) -> str:
    columns = ("net", "tags", "note")
    cells = [[getattr(p, name) for name in columns] for p in rows]
    return csv_response(columns, cells, "x.csv").get_data(as_text=True)


@pytest.mark.parametrize(
    "note",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "\uff1d1+1",
        "\uff0b1",
        "\uff0d1",
        "\uff20x",
        " =1+1",
        "\ufeff=1",
        "\u200b=1",
        "\u00a0=1",
        "\u202e=1",
        "\x00=1",
        "'=1",
    ],
)
def test_no_note_is_a_formula(note: str) -> None:
    """A cell begins with an apostrophe where what begins it would be computed."""
    (line,) = list(csv.DictReader(io.StringIO(trades_csv([row(note, (note.strip() or "x",))]))))
    for cell in (line["note"], line["tags"]):
        visible = re.sub(r"^[\s\ufeff\u200b\u202e\x00]+", "", cell)
        assert not visible.startswith(tuple("=+-@\uff1d\uff0b\uff0d\uff20")), cell
    assert line["net"] == "-2"  # a number is a number


def test_a_line_cut_at_semicolons_or_tabs_has_no_formula_either() -> None:
    """As spreadsheets do where the comma is the decimal mark; quotes inside a line count for nothing."""
    note = 'x;=HYPERLINK(1)\n=2\t@3; "+4 a-b; c'
    text = trades_csv([row(note, (";=5",))])
    assert text.count("\r\n") == 2
    for cell in re.split(r"[;\t\r\n]", text):
        assert not cell.strip(" \"'").startswith(("=", "+", "@")) or cell.strip(' "').startswith("'"), cell
    assert "a-b; c" in text


def test_a_note_on_the_command_line_of_another_process_is_seen_at_once(api: Api, position: str) -> None:
    page(api, "/trades")
    with api.place.tracker() as tracker:
        TradeNotes(tracker).write(position, validate_note("from outside", ["x"]), "kim", 0)
    assert "Has a note" in page(api, "/trades")
    assert "from outside" in page(api, f"/trades/{position}")


def cells_of(text: str, caption: str) -> list[list[str]]:
    """The cells of each row of a table, as text."""
    table = text[text.index(f'aria-label="Table: {caption}"') :]
    bodies = re.findall(r"<tr>(.*?)</tr>", table[: table.index("</table>")], re.DOTALL)[1:]
    cells = (re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", body, re.DOTALL) for body in bodies)
    return [[html.unescape(re.sub(r"<[^>]+>", "", cell)).strip() for cell in row] for row in cells]


def test_a_trade_shows_its_fills_and_what_they_realized(api: Api) -> None:
    es: dict[str, Any] = {"symbol": "ESZ26"}
    api.fills(
        fill(1, "SELL", 5000, quantity=4, commission="2.48", **es),
        fill(5, "BUY", 4998, quantity=3, commission="1.86", **es),
        fill(9, "BUY", 4999, quantity=1, commission="0.62", **es),
    )
    (trade,) = api.get("/api/positions")["data"]
    text = page(api, f"/trades/{trade['id']}")
    assert [row[:7] for row in cells_of(text, "Fills")] == [
        ["12:01:00", "Sell short", "−4", "5,000.00", "—", "$2.48", "−$2.48"],
        ["12:05:00", "Buy", "+3", "4,998.00", "+$300.00", "$1.86", "+$298.14"],
        ["12:09:00", "Buy", "+1", "4,999.00", "+$50.00", "$0.62", "+$49.38"],
        ["Position flat", "+$350.00", "$4.96", "+$345.04", ""],
    ]
    shown = html.unescape(text)
    assert "Sell 4 @ 5,000.00" in shown
    assert "3 executions from 20 Nov 2026 12:01:00 to 20 Nov 2026 12:09:00, realized +$345.04" in shown
    assert "no stop recorded" in shown
    assert shown.count('<polygon class="execution"') == 6  # three, for a desk and for a phone


def test_a_logged_trade_has_its_entry_and_the_exit_that_its_result_means(api: Api) -> None:
    api.place.log("2026-11-20", record(price="227.22", quantity=80, net="-70.60", outcome="loss", held=216))
    (trade,) = api.get("/api/positions")["data"]
    assert (trade["average_entry"], trade["average_exit"], trade["implied_exit"]) == (227.22, None, 226.35)
    rows = cells_of(page(api, f"/trades/{trade['id']}"), "Fills")
    assert [row[1:7] for row in rows[:2]] == [
        ["Buy", "+80", "227.22", "—", "—", "—"],
        ["Sell", "−80", "226.35 *", "−$69.60", "$1.00", "−$70.60"],
    ]
    assert "from the logged result" in page(api, f"/trades/{trade['id']}")
    assert "226.35" in page(api, "/trades")


def test_a_trade_says_which_of_its_day_it_is_and_leads_to_the_others(api: Api) -> None:
    for number, account in enumerate(("A", "B", "A")):
        api.fills(
            fill(10 * number + 1, account=account, fill_id=f"{number}a"),
            fill(10 * number + 2, "SELL", 101, account=account, fill_id=f"{number}b"),
        )
    first, second, third = (one["id"] for one in reversed(api.get("/api/positions")["data"]))
    text = page(api, f"/trades/{second}")
    assert "2 of 3 this day" in text
    assert f'rel="prev" href="/trades/{first}"' in text
    assert f'rel="next" href="/trades/{third}"' in text
    text = page(api, f"/trades/{third}?account=A")
    assert "2 of 2 this day" in text
    assert f'rel="prev" href="/trades/{first}?account=A"' in text
    assert 'rel="next"' not in text


def test_an_open_trade_and_one_fill_have_a_page_too(api: Api) -> None:
    api.fills(fill(1, quantity=3), fill(2, "SELL", 101))
    (trade,) = api.get("/api/positions?state=open")["data"]
    text = page(api, f"/trades/{trade['id']}")
    assert "Still open" in text
    assert "quantity 3 (2 still open)" in text
    assert "this day" not in text
    api.fills(fill(5, symbol="<b>X", fill_id="x"))
    (other,) = (one for one in api.get("/api/positions?state=open")["data"] if one["symbol"] != "MSFT")
    assert "<b>X" not in page(api, f"/trades/{other['id']}")
