"""The risk board: order, numbers, filters, and the acknowledgement of many accounts."""

import csv
import html
import io
import re

from tests.support.api import Api, fill

SAME = {"Origin": "http://localhost"}
LIMITS = "limits:\n  default:\n    daily_loss: 100\n    stale_after: null\n  accounts:\n    FREE: {daily_loss: null}\n"


def page(api: Api, path: str = "/risk", status: int = 200) -> str:
    response = api.ask("GET", path, Accept="text/html")
    assert response.status_code == status, response.text
    return html.unescape(response.text)


def rows(text: str) -> list[str]:
    return re.findall(r'<tr data-key="([^"]*)"', text)


def lose(api: Api, account: str, amount: str, minutes: int = -60) -> None:
    api.fills(
        fill(minutes, account=account), fill(minutes + 1, "SELL", str(100 - float(amount)), account=account)
    )


def board(api: Api) -> Api:
    api.place.write("config/dashboard-targets.yaml", LIMITS)
    lose(api, "FINE", "10")
    lose(api, "NEAR", "90")
    lose(api, "LATER", "150", -40)
    lose(api, "FIRST", "120", -70)
    lose(api, "HALF", "40")
    lose(api, "FREE", "500")
    return api


def test_the_worst_is_on_top_breaches_by_instant_then_by_share_used(api: Api) -> None:
    text = page(board(api))
    assert rows(text) == ["FIRST", "LATER", "NEAR", "FREE", "HALF", "FINE"]
    first = text[text.index('data-key="FIRST"') : text.index('data-key="LATER"')]
    assert "Breached" in first
    assert "120%" in first
    assert "−$120" in first
    assert "−$20.00" in first
    assert "Daily loss</strong> at" in first


def test_counts_filter_and_heads_sort(api: Api) -> None:
    board(api)
    assert rows(page(api, "/risk?state=breach")) == ["FIRST", "LATER"]
    assert rows(page(api, "/risk?sort=today")) == ["FREE", "LATER", "FIRST", "NEAR", "HALF", "FINE"]
    assert rows(page(api, "/risk?text=fi")) == ["FIRST", "FINE"]
    assert "No accounts match these filters" in page(api, "/risk?text=zzz")
    page(api, "/risk?state=bad", 422)
    page(api, "/risk?sort=bad", 422)


def alerts_of(text: str, account: str) -> str:
    """The alerts that the box of an account stands for."""
    found = re.search(rf'name="alerts" value="([0-9a-z: ]+)" aria-label="Select {account}"', text)
    assert found is not None
    return found[1]


def test_one_note_acknowledges_the_alerts_of_many_accounts_and_no_others(api: Api) -> None:
    board(api)
    text = page(api)  # a verdict publishes what it finds
    assert {one["account"] for one in api.get("/api/alerts?state=new")["data"]} == {"FIRST", "LATER", "NEAR"}
    chosen = [alerts_of(text, "FIRST"), alerts_of(text, "NEAR")]
    content = {"by": "risk desk", "note": "called", "alerts": chosen}
    done = api.client.post("/risk/acknowledge?state=breach", data=content, headers=SAME)
    assert (done.status_code, done.headers["Location"]) == (303, "/risk?state=breach&acknowledged=2")
    assert {one["account"] for one in api.get("/api/alerts?state=new")["data"]} == {"LATER"}
    assert {one["note"] for one in api.get("/api/alerts?state=acknowledged")["data"]} == {"called"}
    assert 'value="risk desk"' in page(api)
    assert rows(page(api, "/risk?state=breach")) == ["FIRST", "LATER"]  # a verdict is not changed by it
    one_click = api.client.post(
        "/risk/acknowledge", data={"by": "kim", "only": alerts_of(page(api), "LATER")}, headers=SAME
    )
    assert one_click.headers["Location"] == "/risk?acknowledged=1"
    assert "✓ Acknowledged 1 alert." in page(api, "/risk?acknowledged=1")


def test_an_alert_that_the_board_did_not_show_is_not_acknowledged(api: Api) -> None:
    board(api)
    shown = alerts_of(page(api), "NEAR")
    lose(api, "NEAR", "40", -20)  # it is breached after the page was sent: the alert is another one now
    page(api)
    api.client.post("/risk/acknowledge", data={"by": "kim", "alerts": shown}, headers=SAME)
    waiting = {one["account"]: one["state"] for one in api.get("/api/alerts?state=unacknowledged")["data"]}
    assert waiting["NEAR"] == "escalated"
    api.client.post(
        "/risk/acknowledge", data={"by": "kim", "alerts": alerts_of(page(api), "NEAR")}, headers=SAME
    )
    assert "NEAR" not in {one["account"] for one in api.get("/api/alerts?state=unacknowledged")["data"]}


def test_an_acknowledgement_says_by_whom_and_of_which(api: Api) -> None:
    shown = alerts_of(page(board(api)), "FIRST")
    for content, message in (
        ({"by": "", "alerts": shown, "note": "called"}, "a name is required"),
        ({"by": "me", "note": "called"}, "no accounts are selected"),
        ({"by": "x" * 300, "alerts": shown, "note": "called"}, "by is too long"),
        ({"by": "me", "alerts": "zz", "note": "called"}, "no alert"),
    ):
        answer = api.client.post("/risk/acknowledge?state=breach", data=content, headers=SAME)
        assert answer.status_code in (404, 422)
        assert message in html.unescape(answer.text)
        assert 'value="called"' in answer.text
        assert rows(answer.text) == ["FIRST", "LATER"]
    foreign = {"Origin": "http://elsewhere"}
    content = {"by": "me", "alerts": shown}
    assert api.client.post("/risk/acknowledge", data=content, headers=foreign).status_code == 403


def test_the_board_is_downloaded_as_it_is_filtered(api: Api) -> None:
    board(api)
    text = api.ask("GET", "/risk.csv?state=breach").text
    found = list(csv.DictReader(io.StringIO(text)))
    assert [(one["account"], one["limit"], one["used_percent"], one["headroom"]) for one in found] == [
        ("FIRST", "daily_loss", "120", "-20"),
        ("LATER", "daily_loss", "150", "-50"),
    ]
    assert found[0]["must_be_flat"] in ("True", "true")


def test_accounts_with_open_positions_are_a_filter(api: Api) -> None:
    board(api)
    api.fills(fill(-10, account="HELD"))
    assert rows(page(api, "/risk?state=open")) == ["HELD"]


def test_without_limits_and_without_trades_it_says_so(api: Api) -> None:
    assert "No trades yet" in page(api)
    lose(api, "A", "5")
    text = page(api)
    assert rows(text) == ["A"]
    assert "No limits" in text
