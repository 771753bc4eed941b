"""What charts and sorted lists are drawn of, asked of the API: it agrees with the summary."""

import json
from datetime import timedelta

import pytest

from tearsheet.performance.breakdown import GROUPINGS
from tearsheet.web.api.charts import ENDPOINTS
from tests.support.api import Api, fill
from tests.support.place import NOON, record

SPECS = [f"/api/performance/{row.path}" for row in ENDPOINTS]


@pytest.fixture
def traded(api: Api) -> Api:
    """A fortnight of a bot, and a day of fills in two symbols."""
    for ago in range(1, 12):
        at = NOON - timedelta(days=ago)
        nets = (f"{37 - 11 * ago}.25", f"{ago * ago}.5")
        lines = [
            record(net=net, at=at, order_id=f"o{ago}{n}", strategy_name=f"s{n}") for n, net in enumerate(nets)
        ]
        api.place.log(at.date().isoformat(), *lines)
    api.fills(
        fill(1, quantity=2, commission="1.10"),
        fill(2, "SELL", "110.25", commission="0.55"),
        fill(3, "SELL", "90", commission="0.55"),
        fill(4, "SELL", 50, symbol="AAPL"),
        fill(5, "BUY", "50.5", symbol="AAPL"),
    )
    return api


@pytest.mark.parametrize("window", ["window=all", "window=weekly", "rolling=7", "window=all&strategy=s1"])
def test_every_drawing_agrees_with_the_summary(traded: Api, window: str) -> None:
    summary = traded.get(f"/api/performance/summary?{window}")["data"]["metrics"]
    net, closed = summary["net_pnl"]["value"], summary["closed_pnl"]["value"]
    trades = summary["total_trades"]["value"]
    curve = traded.get(f"/api/performance/equity?{window}")["data"]
    assert curve[-1]["total"] == pytest.approx(net)
    assert sum(day["trades"] for day in curve) == trades
    assert max(day["deepest"] for day in curve) == summary["max_drawdown"]["value"]
    assert traded.get(f"/api/performance/by-fill?{window}")["data"][-1]["total"] == net
    for by in GROUPINGS:
        groups = traded.get(f"/api/performance/breakdown?by={by}&{window}")["data"]
        assert sum(group["closed_pnl"] for group in groups) == pytest.approx(closed)
    spread = traded.get(f"/api/performance/distribution?{window}")["data"]
    assert spread["n"] == trades
    last = traded.get(f"/api/performance/rolling?trades={trades}&{window}")["data"][-1]
    assert last["win_rate"] == pytest.approx(summary["win_rate"]["value"])
    assert last["expectancy"] == pytest.approx(summary["expectancy"]["value"])
    assert traded.get(f"/api/performance/trades?{window}")["total"] == trades
    if "rolling" not in window:
        assert traded.get(f"/api/performance/calendar?{window}")["data"]["total"]["net_pnl"] == net


def test_the_contracts_of_a_future_are_one_group_by_root(api: Api) -> None:
    for number, symbol in enumerate(("MESZ26", "MESH27", "AAPL")):
        api.fills(fill(10 * number - 90, symbol=symbol), fill(10 * number - 85, "SELL", 102, symbol=symbol))
    groups = api.get("/api/performance/breakdown?by=root&window=all")["data"]
    assert {group["label"]: (group["trades"], group["closed_pnl"]) for group in groups} == {
        "MES": (2, 20),
        "AAPL": (1, 2),
    }


def test_the_calendar_of_a_month_has_whole_weeks(traded: Api) -> None:
    answer = traded.get("/api/performance/calendar?window=monthly")
    assert (answer["start"], answer["end"], answer["currency"]) == ("2026-11-01", "2026-11-30", "USD")
    data = answer["data"]
    assert [week["start"] for week in data["weeks"]] == [
        "2026-10-26",
        "2026-11-02",
        "2026-11-09",
        "2026-11-16",
        "2026-11-23",
        "2026-11-30",
    ]
    for week in data["weeks"]:
        day = max(week["start"], "2026-10-01")
        same = traded.get(f"/api/performance/weekly?date={day}")["data"]
        assert (week["net_pnl"], week["trades"]) == (same["weekly_pnl"], same["total_trades"])


def test_trades_are_sorted_filtered_and_paged(traded: Api) -> None:
    def nets(query: str) -> list[float]:
        return [row["net"] for row in traded.get(f"/api/performance/trades?window=all&{query}")["data"]]

    every = nets("limit=1000")
    assert nets("sort=net&order=asc") == sorted(every)
    assert nets("sort=net") == sorted(every, reverse=True)
    assert nets("order=asc") == every[::-1]
    assert nets("sort=net&offset=2&limit=3") == sorted(every, reverse=True)[2:5]
    assert nets("outcome=loss") == [net for net in every if net < 0]
    assert sorted(nets("text=msfT")) == [-1.95]
    assert len(nets("side=short")) == 1
    r = [
        row["r_multiple"]
        for row in traded.get("/api/performance/trades?window=all&sort=r&limit=1000")["data"]
    ]
    known = [value for value in r if value is not None]
    assert known == sorted(known, reverse=True)
    assert r[len(known) :] == [None] * (len(r) - len(known))


def test_a_position_shows_its_bookings_and_where_they_were_read(traded: Api) -> None:
    row = traded.get("/api/performance/trades?text=msft")["data"][0]
    found = traded.get(f"/api/positions/{row['id']}")["data"]
    assert found["position"]["net"] == pytest.approx(sum(term["net"] for term in found["bookings"]))
    assert len(found["bookings"]) == 3
    assert all(term["places"][0]["file"].startswith("POST /api/fills") for term in found["bookings"])
    assert traded.ask("GET", "/api/positions/0123456789abcdef").status_code == 404
    assert traded.ask("GET", "/api/positions/nothing").status_code == 422


def test_a_comparison_is_with_the_window_before_or_another(traded: Api) -> None:
    found = traded.get("/api/performance/comparison?window=weekly")["data"]
    assert (found["this"], found["other"]) == ("2026-11-16 to 2026-11-22", "2026-11-09 to 2026-11-15")
    nets = {row["metric"]: row for row in found["metrics"]}["net_pnl"]
    assert nets["change"] == pytest.approx(nets["this"]["value"] - nets["other"]["value"])
    found = traded.get("/api/performance/comparison?window=all&strategy=s0&other_strategy=s1")["data"]
    assert (found["this_scope"], found["other_scope"]) == ("s0", "s1")
    assert traded.get("/api/performance/comparison?rolling=5", 422)["error"]["hint"]
    found = traded.get("/api/performance/comparison?rolling=5&other_start=2026-11-09&other_end=2026-11-15")[
        "data"
    ]
    assert found["other"] == "2026-11-09 to 2026-11-15"


@pytest.mark.parametrize("path", SPECS)
def test_an_empty_account_is_no_error(api: Api, path: str) -> None:
    answer = api.get(path)
    assert (answer["status"], answer["partial_reasons"]) == ("success", [])


@pytest.mark.parametrize("path", SPECS)
def test_a_drawing_is_given_once_for_each_state(traded: Api, path: str) -> None:
    path += "?trades=1" if path.endswith("rolling") else "?window=daily"
    first = traded.ask("GET", path)
    etag = first.headers["ETag"]
    assert traded.ask("GET", path, If_None_Match=etag).status_code == 304
    traded.fills(fill(9, symbol="NVDA"), fill(10, "SELL", 101, symbol="NVDA"))
    second = traded.ask("GET", path, If_None_Match=etag)
    assert second.status_code == 200
    assert json.loads(second.text)["data"] != json.loads(first.text)["data"]
    assert traded.ask("GET", f"{path}&account=nobody").status_code == 404
    custom = path.replace("daily", "custom").replace("?trades", "?window=custom&trades")
    assert traded.ask("GET", custom).status_code == 422
