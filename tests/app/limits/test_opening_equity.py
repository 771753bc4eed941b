"""What was open when the day began is known to every process, also to one that began after it."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tearsheet.app.imports.api_posts import ApiWrites
from tearsheet.app.limits.verdicts import account_verdicts
from tearsheet.app.reports import WriteRequest
from tearsheet.rules.objective import ObjectiveView
from tearsheet.rules.verdict import LimitView
from tearsheet.tracker import PerformanceTracker
from tests.support.place import Place

pytestmark = pytest.mark.both_databases

RULES = """\
limits:
  default: {stale_after: 15m, warn_at: [], daily_loss: {amount: 1000, from: day_higher, basis: open_pnl}}
objectives:
  default: {winning_days: {number: 3, at_least: 500, measure: equity}}
"""
MORNING = datetime(2026, 11, 18, 10, tzinfo=UTC)


def post(place: Place, what: str, at: datetime, **content: object) -> None:
    """Post a fill or a mark by a process of its own."""
    place.now = at
    with place.tracker() as tracker:
        body = json.dumps({"symbol": "X", "time": at.isoformat(), **content}).encode()
        report = getattr(ApiWrites(tracker), what)(WriteRequest(body, f"POST {what}"))
        assert report.rejections == []


def buy(place: Place, at: datetime) -> None:
    post(place, "fills", at, account="A", side="BUY", quantity="1", price="10000", fill_id="1")


def loss(tracker: PerformanceTracker) -> LimitView:
    (view,) = account_verdicts(tracker).for_account("A").limits
    return view


def winning(tracker: PerformanceTracker) -> ObjectiveView:
    (view,) = account_verdicts(tracker).status("A").objectives
    return view


def test_a_process_that_begins_after_the_first_price_of_the_day_knows_the_last_before_it(
    place: Place,
) -> None:
    place.write("config/dashboard-targets.yaml", RULES)
    buy(place, MORNING)
    midnight = datetime(2026, 11, 19, tzinfo=UTC)
    post(place, "marks", midnight - timedelta(minutes=5), price="10400")
    post(place, "marks", midnight + timedelta(minutes=5), price="9900")
    post(place, "marks", midnight + timedelta(minutes=9), price="9800")
    with place.tracker() as tracker:
        account_verdicts(tracker).record_heartbeat("A")
        view = loss(tracker)
    assert (view.level, view.value, view.headroom) == ("ok", 600, 400)


def test_a_price_that_was_too_old_when_the_day_began_leaves_it_unknown(place: Place) -> None:
    place.write("config/dashboard-targets.yaml", RULES)
    buy(place, MORNING)
    midnight = datetime(2026, 11, 19, tzinfo=UTC)
    post(place, "marks", midnight - timedelta(minutes=16), price="10400")
    post(place, "marks", midnight + timedelta(minutes=5), price="9900")
    with place.tracker() as tracker:
        account_verdicts(tracker).record_heartbeat("A")
        assert (loss(tracker).level, loss(tracker).value) == ("unknown", None)


def test_days_by_equity_are_counted_from_what_was_kept(place: Place) -> None:
    place.write("config/dashboard-targets.yaml", RULES.replace("15m", "null"))
    buy(place, MORNING)
    for days, price in enumerate(("10600", "11000", "11500", "11500")):
        post(place, "marks", MORNING + timedelta(days=days, hours=8), price=price)
    with place.tracker() as tracker:
        found = winning(tracker)
    assert (found.value, found.missing, found.reason) == (2, 1, None)
