"""The risk board: order, numbers, filters, and the acknowledgement of many accounts."""

import html
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
    assert "−$120.00" in first
    assert "Daily loss</strong> at" in first


def test_counts_filter_and_heads_sort(api: Api) -> None:
    board(api)
    assert rows(page(api, "/risk?state=breach")) == ["FIRST", "LATER"]
    assert rows(page(api, "/risk?sort=today")) == ["FREE", "LATER", "FIRST", "NEAR", "HALF", "FINE"]
    assert rows(page(api, "/risk?text=fi")) == ["FIRST", "FINE"]
    assert "No account is like that" in page(api, "/risk?text=zzz")
    page(api, "/risk?state=bad", 422)
    page(api, "/risk?sort=bad", 422)


def test_one_note_acknowledges_the_alerts_of_many_accounts_and_no_others(api: Api) -> None:
    board(api)
    page(api)  # a verdict publishes what it finds
    assert {one["account"] for one in api.get("/api/alerts?state=new")["data"]} == {"FIRST", "LATER", "NEAR"}
    content = {"by": "risk desk", "note": "called", "account": ["FIRST", "NEAR"]}
    done = api.client.post("/risk/acknowledge?state=breach", data=content, headers=SAME)
    assert (done.status_code, done.headers["Location"]) == (303, "/risk?state=breach")
    assert {one["account"] for one in api.get("/api/alerts?state=new")["data"]} == {"LATER"}
    assert 'value="risk desk"' in page(api)
    assert rows(page(api, "/risk?state=breach")) == ["FIRST", "LATER"]  # a verdict is not changed by it


def test_an_acknowledgement_says_by_whom_and_of_which(api: Api) -> None:
    board(api)
    for content in ({"by": "", "account": "FIRST"}, {"by": "me"}, {"by": "x" * 300, "account": "FIRST"}):
        assert api.client.post("/risk/acknowledge", data=content, headers=SAME).status_code == 422
    foreign = {"Origin": "http://elsewhere"}
    content = {"by": "me", "account": "FIRST"}
    assert api.client.post("/risk/acknowledge", data=content, headers=foreign).status_code == 403


def test_without_limits_and_without_trades_it_says_so(api: Api) -> None:
    assert "No account has traded yet" in page(api)
    lose(api, "A", "5")
    text = page(api)
    assert rows(text) == ["A"]
    assert "No limits" in text
