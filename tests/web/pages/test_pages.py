"""Pages as the server writes them: numbers, escaping, policy, who may see and send, files written back."""

import csv
import html
import io
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tearsheet.web.http.auth import COOKIE, Tokens
from tearsheet.web.rendering.assets import assets
from tearsheet.web.rendering.labels import VERDICT_LABELS, render_code, verdict_reason
from tearsheet.web.rendering.locales import locale_of
from tearsheet.words import format_duration
from tests.support.api import Api, fill
from tests.support.place import NOON, record

HOSTILE = "<img src=x onerror=alert(1)>\"'&{{7*7}}"
PATHS = (
    "/",
    "/?range=All",
    "/day",
    "/day?date=2026-11-19",
    "/calendar",
    "/performance",
    "/performance?window=all&compare=yes&other_strategy=x",
    "/performance?rolling=5",
    "/performance/groups?window=all",
    "/performance/spread?window=all",
    "/trades",
    "/trades?text=zzz",
    "/explain?metric=net_pnl&window=all",
    "/explain?metric=win_rate&window=all",
    "/alerts?state=all",
    "/risk",
    "/risk/status",
    "/risk/presets",
    "/import",
    "/settings",
    "/settings/limits",
    "/login",
    "/nothing-here",
)
SAME = {"Origin": "http://localhost"}


@pytest.fixture
def traded(api: Api) -> Api:
    """Fills, a bot's log with a rejected line and a hostile strategy, and an alert."""
    api.place.targets(win_rate_target=60, max_drawdown_target=-500)
    day = NOON - timedelta(days=1)
    logged = [record(net=n, at=day, order_id=f"o{n}", strategy_name=HOSTILE) for n in range(-8, 4)]
    api.place.log("2026-11-19", *logged, "not json")
    api.fills(fill(1, strategy="orb"), fill(2, "SELL", "1103.5", strategy="orb"), fill(3, symbol="AAPL"))
    with api.place.tracker() as tracker:
        tracker.check(tracker.get_summary("monthly"), tracker.targets())
    return api


def page(api: Api, path: str, status: int = 200, **headers: str) -> str:
    response = api.ask("GET", path, Accept="text/html", **headers)
    assert response.status_code == status, response.text
    return response.text


def send(api: Api, path: str, content: dict[str, Any], headers: dict[str, str] = SAME) -> TestResponse:
    return api.client.post(path, data=content, headers=headers)


@pytest.mark.parametrize("path", PATHS)
def test_a_page_holds_no_script_or_style_and_nothing_from_elsewhere(traded: Api, path: str) -> None:
    response = traded.ask("GET", path, Accept="text/html")
    text = response.text
    assert response.status_code == (404 if "nothing" in path else 200)
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    # a link that a person may follow loads nothing
    own = re.sub(r'<a href="https://[^"]*" rel="noreferrer">', "", text)
    for address in re.findall(r"""(?:src|href|action)=["']([^"']*)""", own):
        assert address.startswith(("/", "#")), address
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=\"", text)
    assert "<img" not in text
    assert "alert(1)" not in text or html.escape("<img src=x onerror=alert(1)>") in text


def test_a_hostile_name_is_text(traded: Api) -> None:
    # Jinja writes quotes as numbers
    escaped = HOSTILE.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    escaped = escaped.replace('"', "&#34;").replace("'", "&#39;")
    for path in ("/day?date=2026-11-19", "/trades", "/performance/groups?window=all&by=strategy"):
        assert escaped in page(traded, path), path


def test_what_was_traded_can_be_picked(traded: Api) -> None:
    text = page(traded, "/performance?window=all&symbol=AAPL&strategy=once")
    picked = re.search(r'<select name="symbol">(.*?)</select>', text)
    assert picked
    assert re.findall(r'value="([^"]*)"( selected)?', picked[1])[0] == ("", "")
    assert '<option value="AAPL" selected>AAPL</option>' in picked[1]
    # what nothing closed bears yet can be asked for all the same
    assert '<option value="once" selected>once</option>' in text
    others = re.search(r'<select name="other_strategy">(.*?)</select>', text)
    assert others
    assert '<option value="orb">orb</option>' in others[1]


def test_of_very_many_symbols_one_is_typed(api: Api) -> None:
    api.place.now += timedelta(hours=2)
    api.post(
        "/api/fills",
        [fill(n * 2 + side, ("BUY", "SELL")[side], symbol=f"S{n:03}") for n in range(301) for side in (0, 1)],
    )
    text = page(api, "/performance?window=all")
    assert 'name="symbol" maxlength="200" value="" placeholder="all" list="symbol-known"' in text
    assert text.count('<option value="S') == 2 * 300


def test_the_day_shows_what_the_api_answers(traded: Api) -> None:
    text = html.unescape(page(traded, "/day"))
    assert traded.get("/api/performance/daily")["data"]["daily_pnl"] == 1003.5
    assert "+$1,003.50" in text
    assert "MSFT" in text
    past = html.unescape(page(traded, "/day?date=2026-11-19"))
    assert "These numbers are incomplete" in past
    assert "−$30.00" in past
    assert "no fills" not in past.lower()


def test_numbers_are_written_as_the_reader_writes_them(traded: Api) -> None:
    for language, shown in (
        ("de-DE,de;q=0.9", "+1.003,50\u00a0$"),
        ("fr", "+1\u202f003,50\u00a0$"),
        ("xx, en;q=0.5", "+$1,003.50"),
    ):
        assert shown in page(traded, "/day", Accept_Language=language)


@pytest.mark.parametrize(
    ("value", "whole", "money"),
    [
        ("1234.5", "+$1,234", "+$1,234.50"),
        ("-0.4", "−$0.40", "−$0.40"),
        ("0", "$0", "$0.00"),
        ("-1999.5", "−$2,000", "−$1,999.50"),
        ("0.001", "$0.00", "$0.00"),
    ],
)
def test_money_is_rounded_for_show_only(value: str, whole: str, money: str) -> None:
    from decimal import Decimal

    english = locale_of("en")
    assert english.amount_rounded(Decimal(value), "USD") == whole
    assert english.money(Decimal(value), "USD", signed=True) == money
    assert locale_of("pl").money(Decimal(value), "XYZ").endswith("XYZ")


def test_a_page_that_did_not_change_is_not_sent_again(traded: Api) -> None:
    first = traded.ask("GET", "/day")
    again = traded.ask("GET", "/day", If_None_Match=first.headers["ETag"])
    assert (again.status_code, again.data) == (304, b"")
    traded.fills(fill(5, symbol="NVDA"), fill(6, "SELL", 90, symbol="NVDA"))
    assert traded.ask("GET", "/day", If_None_Match=first.headers["ETag"]).status_code == 200
    small = traded.ask("GET", "/day", Accept_Encoding="gzip")
    assert small.headers["Content-Encoding"] == "gzip"
    assert len(small.data) < len(first.data) / 2


def test_assets_are_named_by_content_and_kept_for_long(api: Api) -> None:
    text = page(api, "/performance")
    for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', text):
        response = api.ask("GET", address, Accept_Encoding="gzip")
        assert response.status_code == 200
        assert "immutable" in response.headers["Cache-Control"]
    assert api.ask("GET", "/static/dashboard.000000000000.js").status_code == 404
    assert api.ask("GET", "/static/..%2f..%2fapp.py").status_code == 404
    total = sum(len(asset.gzipped) for asset in assets().values())
    assert total + len(api.ask("GET", "/performance", Accept_Encoding="gzip").data) < 300_000


def test_a_list_of_trades_is_safe_in_a_spreadsheet(api: Api) -> None:
    names = ["=1+1", "+x", "-y", "@z", "\tq", "fine, really"]
    lines = [
        record(net=n, at=NOON - timedelta(hours=1), order_id=f"o{n}", strategy_name=name)
        for n, name in enumerate(names)
    ]
    api.place.log("2026-11-20", *lines)
    text = api.ask("GET", "/trades.csv?order=asc").text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["strategy"].lstrip("'") for row in rows} >= {"=1+1", "+x", "-y", "@z"}
    assert all(not row["strategy"].startswith(("=", "+", "-", "@", "\t")) for row in rows)
    assert {row["net"] for row in rows} == {"0", "1", "2", "3", "4", "5"}
    assert list(csv.DictReader(io.StringIO(api.ask("GET", "/trades.csv?side=short").text))) == []


@pytest.mark.parametrize("origin", ["", "null", "http://evil.example", "http://localhost.evil.example"])
def test_a_form_of_another_site_is_refused(traded: Api, origin: str) -> None:
    headers = {"Origin": origin} if origin else {}
    before = traded.place.folder.joinpath("config/dashboard-targets.yaml").read_bytes()
    for path in ("/settings/targets", "/import", "/alerts/0123456789abcdef/acknowledge", "/login"):
        assert send(traded, path, {"win_rate_target": "1"}, headers).status_code == 403
    assert traded.place.folder.joinpath("config/dashboard-targets.yaml").read_bytes() == before


def digest(api: Api) -> str:
    found = re.search(r'name="digest" value="(\w*)"', page(api, "/settings"))
    assert found
    return found[1]


def test_targets_are_written_into_the_file_and_comments_stay(traded: Api) -> None:
    file = traded.place.write(
        "config/dashboard-targets.yaml",
        "# ours\nwin_rate_target: 55   # percent\nlimits:\n  default:\n    daily_loss: 500\n",
    )
    values = {
        "win_rate_target": "60.5",
        "daily_pl_target": "-200",
        "trades_per_day_target": "",
        "max_drawdown_target": "",
        "avg_risk_reward_target": "",
    }
    answer = send(traded, "/settings/targets", values | {"digest": digest(traded)})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/settings?said=kept")
    assert file.read_text() == (
        "# ours\nwin_rate_target: 60.5   # percent\nlimits:\n  default:\n    daily_loss: 500\ndaily_pl_target: -200\n"
    )
    assert "Saved." in page(traded, "/settings?said=kept")
    assert 'value="60.5"' in page(traded, "/settings")


@pytest.mark.parametrize("value", ["0.6", "abc", "1\nlimits: {}", "60 # x", "{a: b}", "1e999", "--1", "<b>"])
def test_a_bad_target_is_refused_as_in_the_file(traded: Api, value: str) -> None:
    file = traded.place.folder / "config/dashboard-targets.yaml"
    before = file.read_bytes()
    answer = send(traded, "/settings/targets", {"win_rate_target": value, "digest": digest(traded)})
    assert answer.status_code == 422
    assert "Not saved" in answer.text
    assert "win_rate_target" in answer.text
    assert file.read_bytes() == before


def test_targets_that_somebody_else_changed_are_not_overwritten(traded: Api) -> None:
    old = digest(traded)
    file = traded.place.targets(win_rate_target=70)
    answer = send(traded, "/settings/targets", {"win_rate_target": "50", "digest": old})
    assert (answer.status_code, file.read_text()) == (409, "win_rate_target: 70\n")
    assert "someone else changed the file" in answer.text


def test_targets_under_their_own_key_and_a_file_that_is_not_there(api: Api) -> None:
    assert send(api, "/settings/targets", {"win_rate_target": "50", "digest": digest(api)}).status_code == 303
    file = api.place.folder / "config/dashboard-targets.yaml"
    assert file.read_text() == "win_rate_target: 50\n"
    file.write_text("targets:\n    win_rate_target: 50\n")
    send(api, "/settings/targets", {"daily_pl_target": "100", "digest": digest(api)})
    assert file.read_text() == "targets:\n    win_rate_target: 50\n    daily_pl_target: 100\n"
    file.write_text("targets: {win_rate_target: 50}\n")
    answer = send(api, "/settings/targets", {"win_rate_target": "40", "digest": digest(api)})
    assert answer.status_code == 303
    assert file.read_text() == "targets: {win_rate_target: 40}\n"


def test_alerts_are_filtered_and_told_from_their_beginning(traded: Api) -> None:
    traded.place.targets(win_rate_target=60, limits="{default: {daily_loss: 100}}")
    traded.fills(fill(20, symbol="NVDA"), fill(21, "SELL", -9000, symbol="NVDA"))
    traded.get("/api/risk/verdict")
    text = html.unescape(page(traded, "/alerts"))
    assert "Daily loss breached: $8,096.50 of $100.00" in text
    for query, shown in (
        ("rule=daily_loss", True),
        ("rule=win_rate_breach", False),
        ("severity=critical&account=A", True),
        ("account=B", False),
        ("state=resolved", False),
        ("state=new&start=2026-11-20&end=2026-11-20", True),
        ("state=unacknowledged&start=2026-11-20", True),
        ("end=2026-11-19", False),
        ("start=2026-11-21", False),
    ):
        assert ("Daily loss breached" in page(traded, f"/alerts?{query}")) == shown, query
        found = traded.get(
            f"/api/alerts?state=open&{query}" if "state" not in query else f"/api/alerts?{query}"
        )["data"]
        assert any(one["rule"] == "daily_loss" for one in found) == shown, query
    [alert] = traded.get("/api/alerts?rule=daily_loss")["data"]
    address = f"/alerts/{alert['id']}/acknowledge?state=all&rule=daily_loss"
    answer = send(traded, address, {"by": "kim", "note": HOSTILE})
    assert answer.headers["Location"] == "/alerts?state=all&rule=daily_loss"
    life = html.unescape(page(traded, f"/alerts/{alert['id']}"))
    assert f"by <bdi>kim</bdi>: <bdi>{HOSTILE}</bdi>" in life
    assert life.index("Escalated: limit breached") < life.index("by <bdi>kim")
    traded.place.targets(win_rate_target=60, limits="{}")
    traded.place.now += timedelta(days=1)
    traded.get("/api/risk/verdict")
    assert "(limit removed)" in page(traded, "/alerts?state=resolved")
    assert "Limit removed" in page(traded, f"/alerts/{alert['id']}")
    assert traded.ask("GET", "/alerts/0123456789abcdef").status_code == 404
    assert traded.ask("GET", "/alerts?rule=luck").status_code == 422


def test_an_alert_is_acknowledged_with_a_note_and_the_name_is_remembered(traded: Api) -> None:
    waiting = re.findall(r'name="only" value="(\w+):\w+"', page(traded, "/alerts"))
    assert waiting == [one["id"] for one in traded.get("/api/alerts?state=unacknowledged")["data"]]
    alert = waiting[0]
    note = f"flat {HOSTILE}"
    who = "Zoë <b>"
    answer = send(traded, "/alerts/acknowledge?state=all", {"only": alert, "by": who, "note": note})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/alerts?state=all&acknowledged=1")
    (seen,) = [a for a in traded.get("/api/alerts")["data"] if a["acknowledged_by"]]
    assert (seen["acknowledged_by"], seen["note"]) == (who, note)
    text = html.unescape(page(traded, "/alerts?state=all&acknowledged=1"))
    assert f"Acknowledged by <bdi>{who}</bdi>: <bdi>{note}</bdi>" in text
    assert "✓ Acknowledged 1 alert." in text
    # the browser says who it was, also on the page of an alert that waits
    traded.place.targets(win_rate_target=60, limits="{default: {daily_loss: 1}}")
    traded.fills(fill(30, symbol="NVDA"), fill(31, "SELL", 1, symbol="NVDA"))
    traded.get("/api/risk/verdict")
    assert f'value="{who}"' in html.unescape(page(traded, "/alerts"))
    waits = traded.get("/api/alerts?state=unacknowledged")["data"][0]["id"]
    assert f'value="{who}"' in html.unescape(page(traded, f"/alerts/{waits}"))


def test_many_alerts_are_acknowledged_at_once_or_none(traded: Api) -> None:
    traded.place.targets(win_rate_target=60, limits="{default: {daily_loss: 1, weekly_loss: 1}}")
    traded.fills(fill(30, symbol="NVDA"), fill(31, "SELL", 1, symbol="NVDA"))
    traded.get("/api/risk/verdict")
    chosen = re.findall(r'type="checkbox" name="alert" value="(\w+:\w+)"', page(traded, "/alerts"))
    assert len(chosen) >= 3
    refused = send(traded, "/alerts/acknowledge", {"alert": [*chosen, "0123456789abcdef"], "by": "kim"})
    assert refused.status_code == 404
    assert len(traded.get("/api/alerts?state=unacknowledged")["data"]) == len(chosen)
    done = send(traded, "/alerts/acknowledge", {"alert": chosen, "by": "kim"})
    assert done.headers["Location"] == f"/alerts?state=open&acknowledged={len(chosen)}"
    again = send(traded, "/alerts/acknowledge", {"alert": chosen, "by": "lee"})
    assert again.headers["Location"] == "/alerts?state=open&acknowledged=0"
    assert {one["acknowledged_by"] for one in traded.get("/api/alerts?state=open")["data"]} == {"kim"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"by": " ", "note": "called"}, "a name is required"),
        ({"by": "kim", "note": "called", "alert": []}, "0 alerts are selected"),
        ({"by": "k" * 201, "note": "called"}, "by is too long"),
    ],
)
def test_an_acknowledgement_that_cannot_be_stays_on_the_page(
    traded: Api, content: dict[str, Any], message: str
) -> None:
    chosen = re.findall(r'type="checkbox" name="alert" value="(\w+:\w+)"', page(traded, "/alerts"))
    answer = send(traded, "/alerts/acknowledge?state=all", {"alert": chosen, **content})
    assert answer.status_code == 422
    text = html.unescape(answer.text)
    assert f"Not acknowledged:</strong> {message}" in text
    assert 'value="called"' in text
    assert "Alert status" in text
    single = send(traded, f"/alerts/{chosen[0].partition(':')[0]}/acknowledge", {"by": " ", "note": "called"})
    assert (single.status_code, 'value="called"' in single.text) == (422, True)
    assert send(traded, "/alerts/0123456789abcdef/acknowledge", {"by": "kim"}).status_code == 404


def test_alerts_are_grouped_by_day_and_account(traded: Api) -> None:
    traded.place.targets(win_rate_target=60, limits="{default: {daily_loss: 1}}")
    for account in ("B", "C"):
        traded.fills(
            fill(30, symbol="NVDA", account=account, fill_id=f"{account}1"),
            fill(31, "SELL", 1, symbol="NVDA", account=account, fill_id=f"{account}2"),
        )
    traded.get("/api/risk/verdict")
    traded.place.now += timedelta(days=1)
    traded.fills(fill(1440, symbol="NVDA"), fill(1439, "SELL", 1, symbol="NVDA"))
    traded.get("/api/risk/verdict")
    text = html.unescape(page(traded, "/alerts?state=all"))
    days = re.findall(r"<h2 id=[^>]*>(.*?)</h2>", text)
    assert days == ["Sat 21 Nov 2026", "Fri 20 Nov 2026"]
    first, second = text.split("<h2 id=")[1:]
    assert re.findall(r"<h3><bdi>(.*?)</bdi>", first) == ["A"]
    assert sorted(re.findall(r"<h3><bdi>(.*?)</bdi>", second)) == ["All accounts", "B", "C"]


@pytest.fixture
def guarded(make_api: Callable[..., Api]) -> tuple[Api, str, str]:
    api = make_api()
    tokens = Tokens(api.place.settings().tokens_file)
    at = datetime(2026, 11, 1, tzinfo=UTC)
    return api, tokens.add("desk", "read", at), tokens.add("bot", "write", at)


def test_where_there_are_tokens_a_browser_signs_in(guarded: tuple[Api, str, str]) -> None:
    api, read, write = guarded
    asked = api.ask("GET", "/trades?text=x")
    assert (asked.status_code, asked.headers["Location"]) == (303, "/login?next=%2Ftrades%3Ftext%3Dx")
    assert api.ask("GET", "/", HX_Request="true").headers["HX-Redirect"].startswith("/login")
    assert send(api, "/login", {"token": "ts_wrong"}).status_code == 401
    entered = send(api, "/login?next=/trades", {"token": read})
    assert (entered.status_code, entered.headers["Location"]) == (303, "/trades")
    cookie = entered.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert api.ask("GET", "/trades").status_code == 200
    assert api.ask("GET", "/api/performance/equity").status_code == 200
    refused = send(api, "/settings/targets", {"win_rate_target": "50"})
    assert refused.status_code == 403
    assert "read only" in refused.text
    send(api, "/login", {"token": write})
    assert send(api, "/settings/targets", {"win_rate_target": "50", "digest": digest(api)}).status_code == 303
    Tokens(api.place.settings().tokens_file).revoke("bot")
    assert api.ask("GET", "/trades").status_code == 303
    left = send(api, "/logout", {})
    assert f"{COOKIE}=;" in left.headers["Set-Cookie"]


@pytest.mark.parametrize(
    "onward", ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)"]
)
def test_signing_in_leads_nowhere_else(guarded: tuple[Api, str, str], onward: str) -> None:
    api, read, _ = guarded
    answer = api.client.post("/login", query_string={"next": onward}, data={"token": read}, headers=SAME)
    assert answer.headers["Location"] == "/"


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/trades?sort=luck", 422, "allowed is closed"),
        ("/trades/zzz", 404, "trade not found"),
        ("/trades/0123456789abcdef", 404, "no position"),
        ("/?account=nobody", 404, "no account"),
        ("/performance?window=custom", 422, "needs a start"),
        ("/?dat=1", 400, "no parameter"),
        ("/alerts?cursor=abc!", 422, "next_cursor"),
    ],
)
def test_what_goes_wrong_is_a_page_too(traded: Api, path: str, status: int, words: str) -> None:
    text = html.unescape(page(traded, path, status))
    assert "<!doctype html>" in text
    assert words in text


def test_a_broken_targets_file_is_said_and_hides_no_number(traded: Api) -> None:
    traded.place.targets(win_rate_target="lots")
    for path in ("/day", "/performance?window=all"):
        text = html.unescape(page(traded, path))
        assert "the targets file cannot be read" in text
        assert "win_rate_target is 'lots'" in text
    assert "+$1,003.50" in page(traded, "/day")
    assert "win_rate_target is" in html.unescape(page(traded, "/settings"))


def test_limits_are_shown_as_bars_of_what_is_left(api: Api) -> None:
    from decimal import Decimal

    from tearsheet.rules.limit import limit_label
    from tearsheet.rules.verdict import LimitView, Verdict, VerdictReason
    from tearsheet.web.rendering import svg

    view = LimitView(
        name="daily_loss",
        level="warn",
        unit="money",
        value=Decimal(400),
        threshold=Decimal(500),
        used=Decimal("0.8"),
        headroom=Decimal(100),
        warned_at=Decimal(75),
        moved_by=None,
        moved_at=None,
        resets_at=None,
        on_unknown="hold",
        breach=None,
    )
    verdict = Verdict(
        account=HOSTILE,
        state="breach",
        must_be_flat=True,
        policy="hold",
        currency="USD",
        trading_day=NOON.date(),
        resets_at=NOON,
        as_of=NOON,
        last_fill_at=None,
        data_age_s=None,
        sequence=1,
        limits=(view,),
        reasons=(VerdictReason("stale_feed", "heard an hour ago"),),
    )
    template = api.app.jinja_env.get_template("parts.html")
    variables = {
        "locale": locale_of("en"),
        "svg": svg,
        "verdict_labels": VERDICT_LABELS,
        "render_code": render_code,
        "limit_label": limit_label,
        "verdict_reason": verdict_reason,
    }
    card = template.make_module(variables).limits_card([verdict])  # type: ignore[attr-defined]
    assert "must be flat" in card
    assert 'width="80"' in card
    assert "$100.00 remaining" in card
    assert "heard an hour ago" in card
    assert "<img" not in card


def test_the_first_page_says_how_the_limits_stand(api: Api) -> None:
    api.place.write(
        "config/dashboard-targets.yaml", "limits:\n  default:\n    daily_loss: 100\n    max_trades: 9\n"
    )
    api.fills(fill(-20), fill(-10, "SELL", 20))
    api.ask("GET", "/")
    text = html.unescape(page(api, "/day"))
    assert "A limits" in text
    assert "Near a limit" in text
    assert "$20.00 remaining" in text
    api.fills(fill(-8), fill(-5, "SELL", 50))
    text = page(api, "/day")
    assert "✗ Limit breached" in text
    assert "<title>✗ Limit breached · Today · Tearsheet</title>" in text
    assert "must be flat" in text
    assert " limits</h2>" not in page(api, "/day?date=2026-11-19")


def test_before_the_first_trade_of_a_day_those_of_the_last_day_stand_there(api: Api) -> None:
    api.fills(
        fill(-1500),
        fill(-1490, "SELL", 107),
        fill(-1480, currency="EUR"),
        fill(-1470, "SELL", 9, currency="EUR"),
    )
    text = page(api, "/day")
    assert "No trades yet today" in text
    assert "Latest trades" in text
    assert "+$7.00" in text
    assert 'class="mini' not in text
    assert "▼" not in text  # nothing has become worse by not trading yet
    later = page(api, "/day?date=2026-11-13")  # before all trades
    assert "+$7.00" not in later


def test_a_change_of_a_time_is_told_with_its_sign() -> None:
    assert format_duration(-90) == "-1m 30s"
    assert locale_of("en").format("seconds", -4000, "", signed=True) == "−1h 06m"


def test_what_stands_between_backticks_is_code_and_nothing_else_is_markup() -> None:
    assert render_code("see `a <b>` & <i>") == "see <code>a &lt;b&gt;</code> &amp; &lt;i&gt;"


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("window=monthly&start=2026-11-20", "November 2026"),
        ("window=quarterly&start=2026-11-20", "Q4 2026"),
        ("window=weekly&start=2026-11-20", "week of 16 Nov 2026"),
        ("rolling=5", "last 5 trades"),
        ("window=custom&start=2026-11-02&end=2026-11-20", "Mon 2 Nov 2026 to Fri 20 Nov 2026"),
    ],
)
def test_a_window_is_named_as_people_say_it(api: Api, query: str, name: str) -> None:
    assert f'id="fresh">{name}<' in page(api, f"/performance?{query}")


def test_two_stretches_are_drawn_on_one_scale(api: Api) -> None:
    api.fills(fill(-90), fill(-80, "SELL", 140), fill(-1500), fill(-1490, "SELL", 120))
    assert "/charts/comparison" in page(api, "/performance?window=daily&compare=yes")
    text = page(api, "/charts/comparison?window=daily")
    lines = [re.search(f'<polyline class="{kind}" points="([^"]*)"', text) for kind in ("total", "second")]
    ends = [[float(one) for one in line[1].split()[-1].split(",")] for line in lines if line]
    zero = float((re.search(r'class="zero" d="M[\d.]+ ([\d.]+)', text) or [""])[1])
    (x, first), (other_x, second) = ends
    assert x == other_x
    assert abs((zero - first) - 2 * (zero - second)) <= 0.3  # 20 is half of 40
