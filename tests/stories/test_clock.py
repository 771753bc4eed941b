"""Time cannot be trusted blindly: a wrong clock or time zone never hides a loss, and never makes one up.

The kind: a stated instant is used to decide what counts (which day, which order, how old) without asking whether
it can be true. A fill, mark or import line beyond the clock tolerance in the future is refused, a log line is held
until its time has come, and today is judged from its own bookings.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tearsheet.app.limits.verdicts import account_verdicts
from tearsheet.rules.verdict import Verdict
from tearsheet.tracker import PerformanceTracker
from tests.support.api import Api, fill
from tests.support.place import NOON, Place, fills_csv, opened, record

pytestmark = pytest.mark.both_databases

LIMITS = "limits: {default: {daily_loss: 500, stale_after: null}}"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def trip(number: int, when: datetime, result: int) -> list[dict[str, Any]]:
    """A round trip at an instant with a result."""
    time = when.isoformat().replace("+00:00", "Z")
    one = fill(number, "BUY", 10_000, time=time, fill_id=f"{number}a")
    return [one, fill(number, "SELL", 10_000 + result, time=time, fill_id=f"{number}b")]


def limited(place: Place, text: str = LIMITS, **env: str) -> Api:
    place.write("config/dashboard-targets.yaml", text)
    return Api(place, **env)


def verdict(api: Api) -> tuple[str, Any]:
    """State of account A and value of its first limit."""
    found = api.get("/api/risk/verdict?account=A")["data"]
    return found["state"], found["limits"][0]["value"]


def test_a_posted_fill_in_a_wrong_zone_is_refused_and_the_loss_of_now_is_a_breach(place: Place) -> None:
    """A fill stamped +13 h: 422; then −1,500 now: breach, which the next day is still known."""
    place.now = NOON
    api = limited(place)
    answer = api.fills(*trip(1, NOON + timedelta(hours=13), 20), status=422)
    assert [one["code"] for one in answer["error"]["details"]] == ["future_time", "future_time"]
    api.fills(*trip(2, NOON, -1500))
    assert verdict(api) == ("breach", 1500)
    place.now = NOON + timedelta(days=1)
    assert verdict(api)[0] == "ok"
    assert len(api.get("/api/risk/breaches")["data"]) == 1


@pytest.mark.parametrize(("ahead", "status"), [(60, 201), (61, 422)])
def test_the_clock_tolerance_is_a_minute(api: Api, ahead: int, status: int) -> None:
    when = api.place.now + timedelta(seconds=ahead)
    api.fills(*trip(1, when, 5), status=status)
    mark = {"symbol": "MSFT", "price": 5, "time": when.isoformat().replace("+00:00", "Z")}
    api.post("/api/marks", mark, status)


@pytest.mark.parametrize(
    ("zone", "day_start", "now"),
    [
        ("UTC", "00:00", "2026-11-20T23:59:30"),  # midnight
        ("America/Chicago", "17:00", "2026-11-20T22:59:30"),  # the roll at 17:00; the next day is Monday
        ("America/New_York", "00:00", "2026-11-01T03:59:30"),  # the day before the clocks go back
        ("America/New_York", "00:00", "2026-03-09T03:59:30"),  # the evening of the day they went forward
    ],
)
def test_a_fill_a_minute_ahead_over_the_end_of_the_day_hides_no_loss(
    place: Place, zone: str, day_start: str, now: str
) -> None:
    """The fill counts in its own day once that has begun; until then today is judged without it."""
    place.now = at(now)
    env = {"PERFORMANCE_SUMMARY_TIMEZONE": zone, "TEARSHEET_DAY_STARTS_AT": day_start}
    api = limited(place, **env)
    api.fills(*trip(1, place.now + timedelta(seconds=45), -510))
    assert verdict(api) == ("ok", 0)
    api.fills(*trip(2, place.now, -1500))
    assert verdict(api) == ("breach", 1500)
    other = Api(place, **env)
    assert verdict(other) == ("breach", 1500)
    place.now += timedelta(seconds=45)
    assert verdict(api) == verdict(other) == ("breach", 510)
    assert len(api.get("/api/risk/breaches")["data"]) == 2


def test_a_holding_opened_a_minute_ahead_is_open_from_its_day_on(place: Place) -> None:
    place.now = at("2026-11-20T23:59:30")
    api = limited(place, "limits: {default: {max_open_quantity: 4, stale_after: null}}")
    stamp = "2026-11-20T23:00:00Z", "2026-11-21T00:00:15Z"
    api.fills(fill(1, quantity=3, time=stamp[0]), fill(2, quantity=3, time=stamp[1]))
    assert verdict(api) == ("warn", 3)
    place.now += timedelta(minutes=1)
    assert verdict(api) == verdict(Api(place)) == ("breach", 6)


def judged(tracker: PerformanceTracker) -> Verdict:
    return account_verdicts(tracker).for_account("A")


def test_a_kept_breach_outlives_a_clock_that_jumps_ahead_and_back(place: Place) -> None:
    """Two workers, one of which looked while the clock was two days ahead, say the same."""
    api = limited(place)
    api.fills(*trip(1, NOON, -600))
    with place.tracker() as jumped, place.tracker() as other:
        assert judged(jumped).state == "breach"
        place.now += timedelta(days=2)
        assert judged(jumped).state == "ok"
        place.now -= timedelta(days=2)
        assert judged(jumped).state == judged(other).state == "breach"
        assert judged(jumped).limits == judged(other).limits


def test_a_breach_found_by_a_clock_ahead_is_one_for_a_clock_behind(place: Place) -> None:
    """A breach beats a doubt: what the ledger keeps of a later day counts for a clock that is not there yet."""
    place.now = at("2026-11-21T00:02:00")
    api = limited(place)
    api.fills(*trip(1, place.now, -600))
    assert verdict(api)[0] == "breach"
    for state in (api, Api(place)):
        place.now = at("2026-11-20T23:57:00")
        found = state.get("/api/risk/verdict?account=A")["data"]
        assert (found["state"], found["must_be_flat"]) == ("breach", True)
        assert "clock_back" in [reason["code"] for reason in found["reasons"]]


def reasons(api: Api) -> list[str]:
    return [one["code"] for one in api.get("/api/risk/verdict?account=A")["data"]["reasons"]]


def test_a_clock_set_back_while_nothing_else_speaks_is_known_to_every_process(place: Place) -> None:
    """Kind: what no fill tells is not noticed: yesterday's limits, kept, were the answer of a clock set back."""
    place.now = at("2026-11-21T18:00:00")
    api = limited(place)
    place.now = NOON
    api.fills(*trip(1, NOON, -100))
    place.now = at("2026-11-21T18:00:00")
    assert verdict(Api(place)) == ("ok", 0)  # any service looks
    place.now = at("2026-11-20T18:00:00")
    path = "/api/performance/daily"
    with place.tracker() as tracker:
        assert [reason.code for reason in tracker.refresh(1.0)] == ["clock_back"]
    for one in (api, Api(place)):
        assert (verdict(one), reasons(one)) == (("unknown", 100), ["clock_back"])
        answer = one.get(path)["metadata"]
        assert [reason["code"] for reason in answer["partial_reasons"]] == ["clock_back"]
        ready = one.get("/readyz")
        assert (ready["status"], ready["checks"]["sources"]["detail"]) == ("degraded", "clock_back")
    place.now = at("2026-11-21T17:59:10")  # within the tolerance
    assert verdict(api) == ("ok", 0)


def test_a_clock_that_is_right_after_all_is_accepted(place: Place) -> None:
    place.now = at("2026-11-21T18:00:00")
    api = limited(place)
    assert api.get("/readyz")["checks"]["sources"]["detail"] == "nothing_heard"
    place.now = NOON
    api.fills(*trip(1, NOON, -100))
    assert verdict(api) == ("unknown", 100)
    (doubt,) = api.get("/api/sources")["data"]["doubts"]
    assert (doubt["source"], doubt["code"]) == ("clock", "clock_back")
    api.post("/api/sources/decisions", {"source": "clock", "decision": "keep"}, 422)
    api.post("/api/sources/decisions", {"source": "clock", "decision": "accept"}, 200)
    assert verdict(api) == verdict(Api(place)) == ("ok", 100)


def test_a_clock_that_jumps_ahead_for_a_moment_is_no_doubt_afterwards(place: Place) -> None:
    place.now = NOON
    api = limited(place)
    api.fills(*trip(1, NOON, -100))
    assert verdict(api) == ("ok", 100)
    place.now += timedelta(days=400)
    assert verdict(api) == ("ok", 0)
    place.now = NOON
    assert verdict(api) == verdict(Api(place)) == ("ok", 100)


def test_a_post_that_came_while_the_clock_was_ahead_is_accepted_with_the_clock(place: Place) -> None:
    """Kind: a doubt that nobody can end: the account was heard at a time that is not there yet."""
    place.now = NOON
    api = limited(place)
    api.fills(*trip(1, NOON, -100))
    place.now = NOON + timedelta(days=2)
    api.fills(*trip(2, NOON, -50))
    place.now = NOON
    assert (verdict(api), reasons(api)) == (("unknown", 150), ["clock_back"])
    (doubt,) = api.get("/api/sources")["data"]["doubts"]
    assert doubt["source"] == "clock"
    api.post("/api/sources/decisions", {"source": "clock", "decision": "accept"}, 200)
    assert verdict(api) == verdict(Api(place)) == ("ok", 150)


def test_a_breach_beats_the_doubt_about_a_clock_set_back(place: Place) -> None:
    place.now = at("2026-11-21T18:00:00")
    api = limited(place)
    assert api.get("/readyz")["checks"]["sources"]["detail"] == "nothing_heard"
    place.now = NOON
    api.fills(*trip(1, NOON, -600))
    assert verdict(api) == ("breach", 600)
    assert reasons(api) == ["breach", "clock_back"]


def test_a_file_with_a_fill_in_the_future_rejects_that_line(place: Place) -> None:
    rows = [
        "A,AAPL,2026-11-20T10:00:00Z,buy,1,10,0,1",
        "A,AAPL,2026-11-20T10:01:00Z,sell,1,12,0,2",
        "A,AAPL,2026-11-21T10:01:00Z,buy,5,12,0,3",
    ]
    with place.tracker() as tracker:
        path = place.write("fills.csv", fills_csv(rows))
        report = tracker.import_file(path)
        (rejection,) = report.rejections
        assert (report.new, rejection.line, rejection.code) == (2, 4, "future_time")
        assert "2026-11-21T10:01:00+00:00 is in the future" in rejection.reason
        summary = tracker.get_summary("daily")
        assert (summary.value("net_pnl"), summary.partial) == (2, True)
        assert not tracker.get_summary("daily", start=NOON.date() - timedelta(days=3)).partial
        place.now += timedelta(days=1)
        assert tracker.import_file(path).new == 1, "what was rejected is read again"


def shown(tracker: PerformanceTracker, window: str = "daily", **more: Any) -> tuple[Any, Any, bool]:
    """Net P&L, trades and whether something may be missing."""
    summary = tracker.get_summary(window, **more)  # type: ignore[arg-type]
    return summary.value("net_pnl"), summary.value("total_trades"), summary.partial


def test_a_log_line_ahead_of_the_clock_is_held_until_its_time_comes(place: Place) -> None:
    """A bot in a wrong zone (+13 h): its line does not count yet, both days are partial, nothing is lost."""
    place.now = NOON
    ahead = NOON + timedelta(hours=13)
    place.write("config/dashboard-targets.yaml", LIMITS)
    place.log("2026-11-20", record(order_id="1", net="-400", at=NOON, held=0))
    place.log("2026-11-20", record(order_id="2", net="-300", at=ahead, held=0), mode="a")
    place.log("2026-11-20", record(order_id="3", net="-50", at=NOON, held=0), mode="a")
    with place.tracker() as tracker:
        report = tracker.sync()
        assert (report.records, report.rejected) == (3, 1)
        assert shown(tracker) == (-450, 2, True)
        assert shown(tracker, start=ahead.date()) == (0, 0, True)
        (held,) = tracker.rejections()
        assert (held.code, held.line) == ("ahead_of_clock", 2)
        assert account_verdicts(tracker).for_account("EQ-1").state == "unknown"
        assert tracker.verify().differences == []
    place.now = ahead - timedelta(seconds=60)
    with place.tracker() as tracker:
        assert shown(tracker, start=NOON.date()) == (-450, 2, False)
        assert shown(tracker, start=ahead.date()) == (-300, 1, False)
        assert tracker.rejections() == []
        assert tracker.verify().differences == []
        assert account_verdicts(tracker).for_account("EQ-1").state == "warn"


def test_a_breach_of_today_beats_the_doubt_about_a_held_line(place: Place) -> None:
    place.now = NOON
    place.write("config/dashboard-targets.yaml", LIMITS)
    place.log("2026-11-20", record(order_id="1", net="20", at=NOON + timedelta(hours=13), held=0))
    place.log("2026-11-20", record(order_id="2", net="-1500", at=NOON, held=0), mode="a")
    with place.tracker() as tracker:
        tracker.sync()
        found = account_verdicts(tracker).for_account("EQ-1")
        assert (found.state, found.must_be_flat, found.limits[0].value) == ("breach", True, 1500)


def test_a_held_version_of_an_order_takes_its_place_in_time(place: Place) -> None:
    """The exit of an open order is stamped ahead: the order stays open until then."""
    place.now = NOON
    place.log("2026-11-20", record(order_id="0", net="1", at=at("2026-11-20T09:00"), held=0))
    place.log("2026-11-20", opened(order_id="1", at=NOON), mode="a")
    place.log("2026-11-20", record(order_id="1", net="-70", at=NOON, held=3600), mode="a")
    with place.tracker() as tracker:
        assert shown(tracker) == (1, 1, True)
        assert tracker.get_summary("daily").open_positions == 1
        revision = tracker.revision
        place.now += timedelta(hours=1)
        assert shown(tracker) == (-69, 2, False)
        assert tracker.get_summary("daily").open_positions == 0
        assert tracker.revision == revision + 1


def test_a_held_line_that_vanishes_is_kept_and_an_import_says_what_it_holds(place: Place) -> None:
    place.now = NOON
    ahead = record(order_id="1", net="5", at=NOON + timedelta(hours=13), held=0)
    with place.tracker() as tracker:
        place.log("2026-11-20", record(order_id="2", net="7", at=NOON, held=0), ahead)
        assert shown(tracker) == (7, 1, True)
        place.log("2026-11-20", record(order_id="2", net="7", at=NOON, held=0))
        assert shown(tracker) == (7, 1, True), "the line has vanished from its file, and is kept"
        assert tracker.sync().records == 0
        report = tracker.import_file(place.log("extra", ahead))
        assert (report.new, report.rejected, report.rejections[0].code) == (0, 1, "ahead_of_clock")
        assert shown(tracker) == (7, 1, True)
        place.now += timedelta(hours=13)
        net, trades, _ = shown(tracker, start=NOON.date() + timedelta(days=1))
        assert (net, trades) == (5, 1)
        assert tracker.verify().differences == []


def test_a_wrong_mark_can_be_removed(place: Place) -> None:
    """A kept mark of 2080 could never be replaced; the API lists it and removes it."""
    api = limited(
        place, "limits: {default: {max_drawdown: {amount: 500, basis: open_pnl}, stale_after: null}}"
    )
    api.fills(fill(1, symbol="ES 12-26"))
    mark = {"symbol": "ES 12-26", "price": 101, "time": "2026-11-20T13:00:00Z"}
    api.post("/api/marks", mark)
    assert verdict(api)[0] == "ok"
    (shown,) = api.get("/api/marks")["data"]
    assert (shown["price"], shown["time"]) == (101, mark["time"])
    assert api.ask("DELETE", "/api/marks?symbol=ES 12-26").status_code == 200
    assert verdict(api) == ("unknown", None)
    assert api.ask("DELETE", "/api/marks?symbol=ES 12-26").status_code == 404
    api.post("/api/marks", mark | {"time": "2026-11-20T12:30:00Z"})
    assert verdict(api)[0] == "ok"


def test_a_limit_that_counts_from_a_day_to_come_is_unknown_until_then(place: Place) -> None:
    """`since` in the future is a limit that judges nothing: it was `ok` for ever."""
    text = "limits: {default: {max_drawdown: {amount: 500, since: 2026-11-21}, stale_after: null}}"
    api = limited(place, text)
    api.fills(*trip(1, NOON, -600))
    assert verdict(api) == ("unknown", None)
    place.now += timedelta(days=1)
    assert verdict(api) == ("ok", 0)


def test_a_year_mistyped_is_a_doubt_of_its_day_and_not_of_ten_years(place: Place) -> None:
    """An exit in 2036: the day of the line is partial; the days between now and then are not."""
    place.now = NOON
    place.write("config/dashboard-targets.yaml", LIMITS)
    wrong = record(order_id="1", net="-300", at=NOON, held=0) | {"exit_timestamp": "2036-11-20T12:00:00Z"}
    place.log("2026-11-20", wrong, record(order_id="2", net="7", at=NOON, held=0))
    with place.tracker() as tracker:
        assert shown(tracker) == (7, 1, True)
        assert account_verdicts(tracker).for_account("EQ-1").state == "unknown"
        place.now += timedelta(days=1)
        assert shown(tracker) == (0, 0, False)
        assert account_verdicts(tracker).for_account("EQ-1").state == "ok"
        assert shown(tracker, start=NOON.date()) == (7, 1, True)
        assert shown(tracker, "weekly") == (7, 1, True)
