"""What the performance operations answer, and that an answer is never of another state or day."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.support.api import Api, fill
from tests.support.exports import summary_validator
from tests.support.place import NOON, record


def test_a_day_is_as_the_specification_shows_it(api: Api) -> None:
    api.fills(
        fill(1, quantity=2, commission="1.10"),
        fill(2, "SELL", "110.25", commission="0.55"),
        fill(3, "SELL", "90", commission="0.55"),
        fill(4, "SELL", 50, symbol="AAPL", commission=0),
        fill(5, "BUY", "50.5", symbol="AAPL", commission=0),
    )
    answer = api.get("/api/performance/daily")
    data, metadata = answer.pop("data"), answer.pop("metadata")
    assert answer == {
        "status": "success",
        "timestamp": "2026-11-20T21:00:00Z",
        "period": "daily",
        "date": "2026-11-20",
    }
    assert data == {
        "daily_pnl": -2.45,
        "total_trades": 2,
        "winning_trades": 0,
        "losing_trades": 2,
        "breakeven_trades": 0,
        "win_rate": 0.0,
        "closed_pnl": -2.45,
        "gross_profit": 0,
        "gross_loss": -2.45,
        "fees": 2.2,
        "carry": 0,
        "income": 0,
        "costs": 0,
        "tax": 0,
        "result": -2.45,
        "flows": 0,
        "balance": None,
        "currency": "USD",
        "open_positions": 0,
        "unrealized_pnl": 0,
        "unrealized_reason": None,
        "message": "ok",
        "state": "ok",
        "targets": [],
        "limits": [],
        "alerts": [],
        "trade_log": {"mode": "auto", "as_trades": 0, "as_fills": 0},
    }
    assert metadata == {
        "calculation_method": "position_based",
        "timezone": "UTC",
        "day_starts_at": "00:00",
        "starts_at": "2026-11-20T00:00:00Z",
        "ends_at": "2026-11-21T00:00:00Z",
        "partial": False,
        "partial_reasons": [],
        "notes": [],
        "missing_days": [],
        "rejected_lines": 0,
        "last_updated": "2026-11-20T21:00:00Z",
        "revision": 1,
        "last_fill_at": "2026-11-20T12:05:00Z",
        "data_age_s": 32100.0,
    }


@pytest.mark.parametrize(
    ("period", "bounds"),
    [
        ("weekly", {"week_start": "2026-11-16", "week_end": "2026-11-22"}),
        ("monthly", {"month_start": "2026-11-01", "month_end": "2026-11-30"}),
    ],
)
def test_weeks_and_months_are_bounded_by_the_calendar(api: Api, period: str, bounds: dict[str, str]) -> None:
    api.fills(fill(1), fill(2, "SELL", 103))
    answer = api.get(f"/api/performance/{period}")
    assert answer["data"][f"{period}_pnl"] == 3
    assert {name: answer[name] for name in bounds} == bounds
    assert "date" not in answer
    assert api.get(f"/api/performance/{period}?date=2026-10-01")["data"]["total_trades"] == 0


def test_digits_are_exact_in_the_text_of_an_answer(api: Api) -> None:
    api.fills(fill(1, price="0.1"), fill(2, "SELL", "1234567890.123456789012345678"))
    text = api.ask("GET", "/api/performance/daily").text
    assert '"daily_pnl":1234567890.023456789012345678,' in text


def test_an_empty_day_is_zeros_and_no_rate(api: Api) -> None:
    answer = api.get("/api/performance/daily")
    assert (answer["data"]["daily_pnl"], answer["data"]["win_rate"]) == (0, None)
    assert answer["data"]["message"] == "No trades in window"
    assert answer["metadata"]["data_age_s"] is None


def test_a_summary_is_as_its_schema_says(api: Api) -> None:
    api.place.log("2026-11-19", record(net="5", at=NOON - timedelta(days=1)))
    api.fills(fill(1), fill(2, "SELL", 103))
    for query in (
        "",
        "?window=all",
        "?rolling=5",
        "?start=2026-11-18&end=2026-11-20",
        "?account=A&symbol=MSFT",
        "?window=yearly",
    ):
        answer = api.get(f"/api/performance/summary{query}")
        fresh = answer["data"]["freshness"]
        assert fresh == _freshness(answer) | {"feeds": fresh["feeds"]}
        assert "posts" in [one["kind"] for one in fresh["feeds"]]
        summary_validator().validate(answer["data"])
    assert api.get("/api/performance/summary?window=all")["data"]["metrics"]["net_pnl"]["value"] == 8


def _freshness(answer: dict[str, Any]) -> dict[str, Any]:
    meta = answer["metadata"]
    return {
        "revision": meta["revision"],
        "as_of": answer["timestamp"],
        "last_fill_at": meta["last_fill_at"],
        "data_age_s": meta["data_age_s"],
    }


def test_a_number_is_explained_to_its_fills(api: Api) -> None:
    api.fills(fill(1), fill(2, "SELL", 103, commission=1))
    answer = api.get("/api/performance/explain?metric=net_pnl")["data"]
    assert (answer["total"], answer["value"]["value"], answer["is_sum"]) == (2, 2, True)
    places = [place["file"] for term in answer["bookings"] for place in term["places"]]
    assert all(name.startswith("POST /api/fills ") for name in places)
    assert len(places) == 2
    assert api.get("/api/explain?metric=fees")["data"]["total"] == 1


def test_scopes_are_kept_apart(api: Api) -> None:
    api.fills(
        fill(1), fill(2, "SELL", 103), fill(3, account="B", strategy="x"), fill(4, "SELL", 90, account="B")
    )
    for query, pnl in (
        ("", -7),
        ("?account=A", 3),
        ("?account=B", -10),
        ("?symbol=MSFT", -7),
        ("?strategy=x", -10),
        ("?strategy=y", 0),
    ):
        for _ in range(2):
            assert api.get(f"/api/performance/daily{query}")["data"]["daily_pnl"] == pnl, query
    assert "known accounts: A, B" in api.get("/api/performance/daily?account=Z", 404)["error"]["hint"]


def test_currencies_are_never_added_up(api: Api) -> None:
    api.fills(
        fill(1, currency="EUR"), fill(2, "SELL", 103, currency="EUR"), fill(3, symbol="X", currency="GBP")
    )
    assert "never added up" in api.get("/api/performance/daily", 422)["error"]["message"]
    answer = api.get("/api/performance/daily?currency=EUR")
    assert (answer["data"]["daily_pnl"], answer["data"]["currency"]) == (3, "EUR")
    reason = answer["metadata"]["partial_reasons"][0]
    assert (reason["code"], reason["detail"]) == ("other_currencies", "GBP (result 0) beside EUR")
    # a symbol that was traded in the chosen currency alone lacks nothing
    of_symbol = api.get("/api/performance/daily?currency=EUR&symbol=MSFT")["metadata"]
    assert "other_currencies" not in [one["code"] for one in of_symbol["partial_reasons"]]
    left = api.get("/api/performance/daily?currency=GBP")["metadata"]["partial_reasons"][0]
    assert left["detail"] == "EUR (result 3) beside GBP"


def etag(api: Api, path: str = "/api/performance/daily") -> str:
    return api.ask("GET", path).headers["ETag"]


def test_an_answer_is_not_sent_twice_until_something_changes(api: Api) -> None:
    before = etag(api)
    same = api.ask("GET", "/api/performance/daily", If_None_Match=before)
    assert (same.status_code, same.data, same.headers["ETag"]) == (304, b"", before)
    other = api.ask("GET", "/api/performance/daily?account=Z", If_None_Match=before)
    assert other.status_code == 404, "an entity tag is of one address"
    api.fills(fill(1))
    assert api.ask("GET", "/api/performance/daily", If_None_Match=before).status_code == 200
    for path in (
        "/api/performance/weekly",
        "/api/positions",
        "/api/fills",
        "/api/accounts",
        "/api/performance/explain?metric=fees",
    ):
        assert api.ask("GET", path, If_None_Match=etag(api, path)).status_code == 304, path


@pytest.mark.parametrize(
    ("env", "late", "after", "dates"),
    [
        (
            {},
            datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC),
            datetime(2026, 11, 21, tzinfo=UTC),
            ("2026-11-20", "2026-11-21"),
        ),
        (
            {"PERFORMANCE_SUMMARY_TIMEZONE": "America/Chicago", "TEARSHEET_DAY_STARTS_AT": "17:00"},
            datetime(2026, 11, 18, 22, 59, 59, tzinfo=UTC),
            datetime(2026, 11, 18, 23, tzinfo=UTC),
            ("2026-11-18", "2026-11-19"),
        ),
    ],
)
def test_a_new_session_changes_the_answer_at_once(
    make_api: Callable[..., Api], env: dict[str, str], late: datetime, after: datetime, dates: tuple[str, str]
) -> None:
    api = make_api(**env)
    api.place.now = late
    at = (late - timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    api.fills(fill(1, time=at), fill(2, "SELL", 103, time=at))
    first, tag = api.get("/api/performance/daily"), etag(api)
    assert (first["date"], first["data"]["daily_pnl"]) == (dates[0], 3)
    api.place.now = after
    answer = api.ask("GET", "/api/performance/daily", If_None_Match=tag)
    assert answer.status_code == 200
    second = json.loads(answer.text)
    assert (second["date"], second["data"]["daily_pnl"]) == (dates[1], 0)


def test_the_age_of_the_data_grows_while_the_answer_is_kept(api: Api) -> None:
    api.fills(fill(1))
    first = api.get("/api/performance/daily")["metadata"]
    api.place.now += timedelta(minutes=11)
    second = api.get("/api/performance/daily")
    assert (second["metadata"]["last_updated"], second["timestamp"]) == (
        first["last_updated"],
        "2026-11-20T21:11:00Z",
    )
    assert (first["data_age_s"], second["metadata"]["data_age_s"]) == (32340, 33000)


def test_a_log_line_is_in_the_next_answer(make_api: Callable[..., Api]) -> None:
    api = make_api(TEARSHEET_SYNC_EVERY_S="0")
    for number in range(1, 4):
        api.place.log("2026-11-20", record(order_id=str(number), net="5"), mode="a")
        answer = api.get("/api/performance/daily")
        assert (answer["data"]["daily_pnl"], answer["metadata"]["revision"]) == (5 * number, number)
    api.place.log("2026-11-20", "{half", mode="a")
    answer = api.get("/api/performance/daily")["metadata"]
    assert (answer["partial"], answer["rejected_lines"]) == (True, 1)


def test_marks_change_the_answer(api: Api) -> None:
    api.fills(fill(1))
    before = etag(api)
    at = "2026-11-20T13:00:00Z"
    assert api.post("/api/marks", {"symbol": "MSFT", "price": "101.5", "time": at})["data"]["new"] == 1
    assert api.get("/api/performance/daily")["data"]["unrealized_pnl"] == 1.5
    assert etag(api) != before
    assert (
        api.post("/api/marks", {"symbol": "MSFT", "price": 7, "time": "2026-11-20T12:30:00Z"}, 200)["data"][
            "known"
        ]
        == 1
    )
    (held,) = api.get("/api/positions?state=open")["data"]
    assert (held["mark"], held["unrealized_pnl"], held["mark_at"]) == (101.5, 1.5, at)


def test_the_metrics_are_defined(api: Api) -> None:
    rows = {row["name"]: row for row in api.get("/api/metrics/definitions")["data"]}
    assert rows["win_rate"]["words"] == "Wins / closed positions."
    assert len(rows) > 35


def test_a_window_that_makes_no_sense_is_refused(api: Api) -> None:
    for query, words in (
        ("window=daily&start=2026-11-20&end=2026-11-19", "is before the start date"),
        ("window=custom", "custom period needs"),
        ("window=hourly", "allowed is daily"),
        ("start=20261120", "YYYY-MM-DD"),
        ("rolling=0", "from 1 to 100000"),
        ("rolling=1_0", "from 1"),
        ("account=", "1 to 200"),
        ("mode=live", "PAPER"),
        ("currency=usd", "capital"),
    ):
        error = api.get(f"/api/performance/summary?{query}", 422)["error"]
        assert words in error["message"] + error["hint"], query


def test_decimals_of_sums_are_not_floats(api: Api) -> None:
    fills = [f for n in range(20) for f in (fill(2 * n, price="0.1"), fill(2 * n + 1, "SELL", "0.2"))]
    api.fills(*fills)
    text = api.ask("GET", "/api/performance/daily").text
    assert json.loads(text, parse_float=Decimal)["data"]["daily_pnl"] == 2
