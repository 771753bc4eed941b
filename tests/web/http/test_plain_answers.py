"""An answer below Flask is the answer of Flask: content, headers, log line and meters, whatever changed meanwhile."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tearsheet.web.http.auth import Tokens
from tests.support.api import Api, fill
from tests.support.place import Place

ADDRESSES = (
    "/api/performance/daily",
    "/api/performance/daily?account=A&date=2026-11-20",
    "/api/performance/weekly?currency=USD",
    "/api/performance/monthly",
    "/api/performance/summary?window=all",
    "/api/risk/verdict",
    "/api/risk/verdict?account=A",
)
LIMITS = "limits:\n  default: {daily_loss: 100, stale_after: 30}\n"


def by_flask(api: Api, address: str, **headers: str) -> TestResponse:
    """The answer of Flask, which every request with a cookie goes to."""
    return api.ask("GET", address, Cookie="x=1", X_Request_ID="one", **headers)


def shown(answer: TestResponse) -> tuple[int, dict[str, str], str]:
    """What a client sees."""
    return (answer.status_code, dict(sorted(answer.headers)), answer.text)


def assert_equal(api: Api, address: str, **headers: str) -> TestResponse:
    """Ask twice below Flask, and once above; the answers are the same."""
    wanted = shown(by_flask(api, address, **headers))
    below = api.ask("GET", address, X_Request_ID="one", **headers)
    assert shown(below) == wanted
    return below


@pytest.fixture
def asked(place: Place) -> Api:
    """An application that was asked every address once."""
    place.write("config/dashboard-targets.yaml", LIMITS)
    api = Api(place)
    api.fills(fill(1), fill(2, "SELL", 103))
    for address in ADDRESSES:
        api.ask("GET", address)
    return api


def buy_and_lose(api: Api) -> None:
    api.fills(fill(11, price=200), fill(12, "SELL", 50))


def set_limits(api: Api) -> None:
    api.place.write("config/dashboard-targets.yaml", "limits:\n  default: {daily_loss: 1, max_drawdown: 2}\n")


def remove_limits(api: Api) -> None:
    (api.place.folder / "config/dashboard-targets.yaml").unlink()


def set_mark(api: Api) -> None:
    api.fills(fill(13, price=10))
    api.post("/api/marks", {"symbol": "MSFT", "price": "20", "time": "2026-11-20T20:00:00Z"})


def pass_minutes(api: Api) -> None:
    api.place.now += timedelta(minutes=45)


def pass_a_day(api: Api) -> None:
    api.place.now += timedelta(days=3)


def break_a_log(api: Api) -> None:
    api.place.log("2026-11-20", "{broken")
    api.place.now += timedelta(seconds=5)


CHANGES: tuple[Callable[[Api], None], ...] = (
    buy_and_lose,
    set_limits,
    remove_limits,
    set_mark,
    pass_minutes,
    pass_a_day,
    break_a_log,
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("address", ADDRESSES)
def test_no_answer_is_older_than_what_changed(
    asked: Api, address: str, change: Callable[[Api], None]
) -> None:
    before = assert_equal(asked, address)
    change(asked)
    after = assert_equal(asked, address)
    if change in (buy_and_lose, pass_minutes):
        assert after.text != before.text


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_client_that_has_the_state_is_told_so(asked: Api, address: str) -> None:
    tag = assert_equal(asked, address).headers.get("ETag")
    if tag is None:
        assert "verdict" in address
        return
    for sent, status in (
        (tag, 304),
        (tag.removeprefix("W/"), 304),
        ("*", 200),
        (f'"x", {tag}', 304),
        ("?", 200),
    ):
        assert assert_equal(asked, address, If_None_Match=sent).status_code == status
    buy_and_lose(asked)
    assert assert_equal(asked, address, If_None_Match=tag).status_code == 200


def test_rights_are_asked_for_each_time(asked: Api, place: Place) -> None:
    tokens = Tokens(place.settings().tokens_file)
    reader = tokens.add("reader", "read", place.now)
    for address in ADDRESSES:
        assert assert_equal(asked, address).status_code == 401
        allowed = {"Authorization": f"Bearer {reader}"}
        assert assert_equal(asked, address, **allowed).status_code == 200
        assert assert_equal(asked, address, Authorization="Bearer no").status_code == 401
    tokens.revoke("reader")
    tokens.add("other", "write", place.now)
    assert assert_equal(asked, ADDRESSES[0], Authorization=f"Bearer {reader}").status_code == 401


@pytest.mark.parametrize(
    "address",
    ["/api/performance/daily?date=no", "/api/performance/daily?account=Z", "/api/risk/verdict?acount=A"],
)
def test_what_is_refused_is_refused_in_the_same_words(asked: Api, address: str) -> None:
    first = asked.ask("GET", address)
    assert first.status_code >= 400
    assert assert_equal(asked, address).status_code == first.status_code


@pytest.mark.parametrize("method", ["HEAD", "POST", "OPTIONS"])
def test_other_methods_are_those_of_flask(asked: Api, method: str) -> None:
    for address in ("/api/performance/daily", "/api/risk/verdict"):
        below = asked.ask(method, address, X_Request_ID="one")
        assert shown(below) == shown(asked.ask(method, address, X_Request_ID="one", Cookie="x=1"))


def test_a_ledger_that_cannot_be_read_is_said_by_flask(asked: Api, place: Place) -> None:
    (place.folder / "logs/performance/tearsheet.db").rename(place.folder / "away.db")
    assert assert_equal(asked, "/api/performance/daily").status_code == 503


def test_log_line_and_meters_are_the_same(asked: Api, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("tearsheet")
    logger.addHandler(caplog.handler)
    logger.setLevel(logging.INFO)

    def count() -> dict[str, float]:
        lines = asked.ask("GET", "/metrics").text.splitlines()
        wanted = ("tearsheet_request_seconds_count", "tearsheet_cache_total")
        return {
            name: float(value)
            for name, _, value in (line.rpartition(" ") for line in lines)
            if name.startswith(wanted)
        }

    def event() -> dict[str, Any]:
        records = [one for one in caplog.records if one.getMessage() == "tearsheet.request"]
        fields = dict(
            records[-1].__dict__["fields"] if "fields" in records[-1].__dict__ else records[-1].__dict__
        )
        own = next(
            (value for value in fields.values() if isinstance(value, dict) and "route" in value), fields
        )
        return {key: value for key, value in own.items() if key not in ("request_id", "duration_ms")}

    address = "/api/performance/daily?account=A&date=2026-11-20"
    by_flask(asked, address)
    above, start = event(), count()
    asked.ask("GET", address)
    below, end = event(), count()
    assert (below["route"], below["status"], below["bytes"]) == (
        above["route"],
        above["status"],
        above["bytes"],
    )
    name = 'tearsheet_request_seconds_count{method="GET",route="/api/performance/daily",status="200"}'
    assert end[name] == start[name] + 1
    assert end['tearsheet_cache_total{found="memory"}'] == start['tearsheet_cache_total{found="memory"}'] + 1
    logger.removeHandler(caplog.handler)
