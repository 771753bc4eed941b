"""Verdicts, breaches, releases and heartbeats as a risk manager meets them: through the API."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from tearsheet.web.http.auth import Tokens
from tests.support.api import Api, fill
from tests.support.place import NOON, Place, record
from tests.support.web_server import Server

VERDICT = "/api/risk/verdict?account=A"
MakeApi = Callable[..., Api]


def limits(place: Place, text: str) -> None:
    """Limits of every account."""
    place.write("config/dashboard-targets.yaml", f"limits: {{default: {text}}}\n")


def lose(api: Any, number: int, money: int) -> None:
    """A trade that loses so much."""
    api.post("/api/fills", [fill(number, price=1000), fill(number + 1, "SELL", 1000 - money)])


def verdict(api: Api, account: str = "A") -> Any:
    return api.get(f"/api/risk/verdict?account={account}")["data"]


@pytest.fixture(autouse=True)
def _later(place: Place) -> None:
    """The clock stands after the fills."""
    place.now = NOON + timedelta(minutes=10)


def limit_of(found: Any, name: str) -> Any:
    (view,) = [one for one in found["limits"] if one["name"] == name]
    return view


def test_a_fill_that_breaks_a_limit_is_in_the_next_verdict_with_all_that_a_desk_asks(
    api: Api, place: Place
) -> None:
    limits(place, "{daily_loss: 100, max_trades: 10}")
    api.post("/api/fills", [fill(1, price=1000), fill(2, "SELL", 960)])
    found = verdict(api)
    assert (found["state"], found["must_be_flat"], found["account"]) == ("ok", False, "A")
    view = limit_of(found, "daily_loss")
    assert (view["value"], view["threshold"], view["headroom"]) == (40, 100, 60)
    assert (view["moved_by"], view["level"]) == ("x:F2", "ok")
    assert view["resets_at"] == "2026-11-21T00:00:00Z"
    assert (found["trading_day"], found["resets_at"]) == ("2026-11-20", "2026-11-21T00:00:00Z")
    assert found["last_fill_at"] == "2026-11-20T12:02:00Z"
    assert (found["as_of"], found["data_age_s"]) == ("2026-11-20T12:10:00Z", 0)
    before = found["sequence"]
    api.post("/api/fills", [fill(3, price=1000), fill(4, "SELL", 940)])
    found = verdict(api)
    assert (found["state"], found["must_be_flat"]) == ("breach", True)
    assert found["sequence"] > before
    breach = limit_of(found, "daily_loss")["breach"]
    assert (breach["value"], breach["threshold"], breach["fill_key"]) == (100, 100, "x:F4")
    everything = api.get("/api/risk/verdict")["data"]
    assert (everything["state"], everything["must_be_flat"]) == ("breach", True)
    assert [one["account"] for one in everything["accounts"]] == ["A"]


def test_nothing_is_ok_where_nobody_knows(api: Api, place: Place) -> None:
    """No limits, no such account, no file, a broken file, an empty list: never `ok`."""
    assert api.get("/api/risk/verdict")["data"]["state"] == "unknown"
    api.fills(fill(1))
    found = verdict(api)
    assert (found["state"], found["reasons"][0]["code"]) == ("unknown", "no_limits")
    limits(place, "{daily_loss: 100, stale_after: null}")
    assert verdict(api)["state"] == "ok"
    assert verdict(api, "mistyped")["state"] == "unknown"
    place.write("config/dashboard-targets.yaml", "limits: {default: {daily_los: 1}}")
    found = verdict(api)
    assert found["state"] == "unknown"
    assert "bad_limits" in [reason["code"] for reason in found["reasons"]]
    assert "daily_los" in json.dumps(found["reasons"])


def test_the_policy_holds_while_the_limits_file_is_broken(api: Api, place: Place) -> None:
    limits(place, "{daily_loss: {amount: 100, on_unknown: breach}, stale_after: null}")
    lose(api, 1, 1)
    assert verdict(api)["must_be_flat"] is False
    place.write("config/dashboard-targets.yaml", "limits: [")
    found = verdict(api)
    assert (found["state"], found["policy"], found["must_be_flat"]) == ("unknown", "breach", True)
    lose(api, 3, 150)
    found = verdict(api)
    assert (found["state"], found["must_be_flat"]) == ("breach", True), "judged by what it last said"


def test_a_breach_outlives_the_file_the_limit_and_a_restart(place: Place) -> None:
    limits(place, "{daily_loss: 100, stale_after: null}")
    api = Api(place)
    lose(api, 1, 120)
    for text in ("{daily_loss: 100000, stale_after: null}", "{max_trades: 9, stale_after: null}", "{}"):
        limits(place, text)
        for asked in (api, Api(place)):
            assert verdict(asked)["state"] == "breach", text
    (place.folder / "config/dashboard-targets.yaml").unlink()
    assert verdict(api)["state"] == "breach"
    assert api.get("/api/risk/verdict")["data"]["accounts"][0]["state"] == "breach"
    place.now += timedelta(days=1)
    assert verdict(api)["state"] == "unknown", "no limits any more"


def test_midnight_ends_the_breach_of_a_day(api: Api, place: Place) -> None:
    limits(place, "{daily_loss: 100, weekly_loss: 110, stale_after: null}")
    lose(api, 1, 105)
    place.now = NOON.replace(hour=23, minute=59, second=59)
    assert verdict(api)["state"] == "breach"
    place.now += timedelta(seconds=1)
    found = verdict(api)
    assert (found["state"], found["trading_day"]) == ("warn", "2026-11-21")
    assert limit_of(found, "weekly_loss")["warned_at"] == 90
    late = fill(400, time="2026-11-20T23:59:58Z", price=1000)
    api.fills(late, fill(401, "SELL", 990, time="2026-11-20T23:59:59Z"))
    found = verdict(api)
    assert (found["state"], limit_of(found, "daily_loss")["breach"]) == ("breach", None)
    assert limit_of(found, "weekly_loss")["breach"]["value"] == 115


def test_a_feed_that_stops_at_lunch_is_unknown_until_it_speaks_again(api: Api, place: Place) -> None:
    limits(place, "{daily_loss: {amount: 100, on_unknown: breach}, stale_after: 10m}")
    api.fills(fill(0))
    place.now += timedelta(minutes=10)
    assert verdict(api)["state"] == "ok"
    place.now += timedelta(seconds=1)
    found = verdict(api)
    assert (found["state"], found["must_be_flat"]) == ("unknown", True)
    assert found["reasons"][0]["code"] == "stale_feed"
    assert found["data_age_s"] == 601
    api.post("/api/risk/heartbeats", {"account": "A"}, 200)
    found = verdict(api)
    assert (found["state"], found["data_age_s"]) == ("ok", 0)
    place.now += timedelta(minutes=11)
    assert verdict(api)["state"] == "unknown"
    api.fills(fill(0), status=200)
    assert verdict(api)["state"] == "ok", "a poller that sends the day again is there"


def test_rejected_lines_and_a_ledger_that_lags_are_unknown(place: Place) -> None:
    limits(place, "{daily_loss: 100}")
    place.log("2026-11-20", record(order_id="1", net="5", account_id="A"))
    api = Api(place, TEARSHEET_SYNC_EVERY_S="0")
    assert verdict(api)["state"] == "ok"
    place.now += timedelta(hours=3)
    assert [reason["code"] for reason in verdict(api)["reasons"]] == ["stale_feed"], "a look is no record"
    path = place.log("2026-11-20", '{"broken": ', mode="a")
    found = verdict(api)
    assert found["state"] == "unknown"
    assert "rejected_lines" in [reason["code"] for reason in found["reasons"]]
    path.unlink()
    path.parent.rename(place.folder / "away")
    assert api.ask("GET", VERDICT).status_code == 503, "the ledger is in that folder"


def test_a_correction_that_would_have_prevented_it_changes_the_value_not_the_breach(place: Place) -> None:
    limits(place, "{daily_loss: 100, stale_after: null}")
    place.log("2026-11-20", record(order_id="1", net="-120", account_id="A"))
    api = Api(place, TEARSHEET_SYNC_EVERY_S="0")
    assert verdict(api)["state"] == "breach"
    place.log("2026-11-20", record(order_id="1", net="-20", account_id="A"), mode="a")
    found = verdict(api)
    view = limit_of(found, "daily_loss")
    assert (found["state"], view["value"], view["breach"]["value"]) == ("breach", 20, 120)
    assert "the books have changed since" in view["note"]


def test_open_losses_need_prices_and_the_high_that_they_made_stays(place: Place) -> None:
    limits(place, "{max_drawdown: {amount: 100, kind: trailing, basis: open_pnl}, stale_after: null}")
    api = Api(place)
    api.fills(fill(1, price=1000))
    found = verdict(api)
    assert (found["state"], found["reasons"][0]["code"]) == ("unknown", "missing_marks")

    def price(amount: int, minute: int) -> None:
        at = (NOON + timedelta(minutes=minute)).isoformat()
        api.post("/api/marks", {"symbol": "MSFT", "price": amount, "time": at})

    price(1080, 2)
    assert verdict(api)["state"] == "ok"
    price(1020, 3)
    found = verdict(Api(place))
    assert limit_of(found, "max_drawdown")["value"] == 60, "a new process knows the high"
    price(975, 4)
    price(1200, 5)
    found = verdict(Api(place))
    assert (found["state"], limit_of(found, "max_drawdown")["breach"]["value"]) == ("breach", 105)


def test_a_release_needs_an_actor_and_a_reason_and_is_kept(api: Api, place: Place) -> None:
    limits(place, "{daily_loss: 100, stale_after: null}")
    lose(api, 1, 120)
    asked = {"account": "A", "limit": "daily_loss", "actor": "kim", "reason": "agreed with risk"}
    for name in asked:
        api.post("/api/risk/releases", {k: v for k, v in asked.items() if k != name}, 422)
    api.post("/api/risk/releases", {**asked, "reason": " "}, 422)
    api.post("/api/risk/releases", {**asked, "limit": "max_trades"}, 404)
    first = api.post("/api/risk/releases", asked, Idempotency_Key="R1")
    assert first["data"]["release"]["upto"] == 120
    again = api.post("/api/risk/releases", asked, 200, Idempotency_Key="R1")
    assert again["data"] == {**first["data"], "repeated": True}
    api.post("/api/risk/releases", {**asked, "reason": "another"}, 409, Idempotency_Key="R1")
    api.post("/api/risk/releases", asked, 404)
    for one in (api, Api(place)):
        found = verdict(one)
        assert (found["state"], found["must_be_flat"]) == ("warn", False)
    place.now += timedelta(minutes=1)
    lose(api, 3, 1)
    assert verdict(api)["state"] == "breach", "it broke again beyond what was released"
    history = api.get("/api/risk/breaches")["data"]
    assert [(one["breach"]["number"], bool(one["release"])) for one in history] == [(2, False), (1, True)]
    assert history[1]["release"]["reason"] == "agreed with risk"
    page = api.get("/api/risk/breaches?account=A&limit=1")
    assert page["data"] == history[:1]
    following = api.get(f"/api/risk/breaches?account=A&limit=1&cursor={page['next_cursor']}")
    assert (following["data"], following["next_cursor"]) == (history[1:], None)
    assert api.get("/api/risk/breaches?account=B")["data"] == []


def test_gauges_tell_limits_and_verdicts(api: Api, place: Place) -> None:
    limits(place, "{daily_loss: 100, stale_after: null}")
    api.post("/api/fills", [fill(1, price=1000), fill(2, "SELL", 960)])
    page = api.ask("GET", "/metrics").text
    for line in (
        'tearsheet_limit_value{account="A",limit="daily_loss"} 40.0',
        'tearsheet_limit_threshold{account="A",limit="daily_loss"} 100.0',
        'tearsheet_limit_headroom{account="A",limit="daily_loss"} 60.0',
        'tearsheet_limit_level{account="A",limit="daily_loss"} 0.0',
        'tearsheet_verdict_state{account="A"} 0.0',
        'tearsheet_must_be_flat{account="A"} 0.0',
    ):
        assert line in page.splitlines()


@pytest.mark.parametrize("what", ["gone", "damaged"])
def test_a_store_in_trouble_answers_503_and_nothing_like_ok(place: Place, api: Api, what: str) -> None:
    limits(place, "{daily_loss: 100, stale_after: null}")
    lose(api, 1, 120)
    path = place.settings().ledger_path
    assert path is not None
    Api(place)
    for name in ("", "-wal", "-shm"):
        path.with_name(path.name + name).unlink(missing_ok=True)
    if what == "gone":
        path.mkdir()
    else:
        path.write_bytes(b"no database" * 100)
    response = api.ask("GET", VERDICT)
    assert response.status_code == 503
    assert '"ok"' not in response.text
    assert "state" not in json.loads(response.text)


def test_writes_need_a_write_token(place: Place) -> None:
    tokens = Tokens(place.settings().tokens_file)
    reads = {"Authorization": f"Bearer {tokens.add('desk', 'read', NOON)}"}
    api = Api(place)
    asked = {"account": "A", "limit": "daily_loss", "actor": "kim", "reason": "x"}
    assert api.get(VERDICT, **reads)["data"]["state"] == "unknown"
    api.post("/api/risk/releases", asked, 403, **reads)
    api.post("/api/risk/heartbeats", {"account": "A"}, 403, **reads)
    api.get(VERDICT, 401)


def test_only_the_desk_lifts_a_breach(place: Place) -> None:
    tokens = Tokens(place.settings().tokens_file)
    bot = {"Authorization": f"Bearer {tokens.add('bot', 'write', NOON)}"}
    chief = {"Authorization": f"Bearer {tokens.add('chief', 'risk', NOON)}"}
    limits(place, "{daily_loss: 100, stale_after: null}")
    api = Api(place)
    loss = [fill(1, price=1000), fill(2, "SELL", 800)]
    api.post("/api/fills", loss, 201, **bot)
    assert api.get(VERDICT, **bot)["data"]["state"] == "breach"
    asked = {"account": "A", "limit": "daily_loss", "actor": "bot", "reason": "go on"}
    refused = api.post("/api/risk/releases", asked, 403, **bot)
    assert "--risk" in refused["error"]["hint"]
    assert api.get(VERDICT, **bot)["data"]["state"] == "breach"
    api.post("/api/risk/releases", asked | {"actor": "kim"}, 201, **chief)
    assert api.get(VERDICT, **bot)["data"]["state"] == "warn"


def test_two_workers_never_disagree(place: Place) -> None:
    """Fills to one account through several processes; after each, every worker says the same."""
    limits(place, "{daily_loss: 100, max_drawdown: 100, stale_after: null}")
    with Server(place) as server, ThreadPoolExecutor(6) as pool:
        for number in range(0, 12, 2):
            lose(server, number, 20)
            found = list(pool.map(lambda _: server.get(VERDICT)[1]["data"], range(12)))
            told = {json.dumps([one["state"], one["limits"], one["sequence"]]) for one in found}
            assert len(told) == 1
        assert found[0]["state"] == "breach"
        pids = {line["pid"] for line in server.logged("tearsheet.request")}
        assert len(pids) > 1
        status, history = server.get("/api/risk/breaches")
    assert status == 200
    assert sorted(one["breach"]["limit"] for one in history["data"]) == ["daily_loss", "max_drawdown"]
    assert {one["breach"]["fill_key"] for one in history["data"]} == {"x:F9"}
