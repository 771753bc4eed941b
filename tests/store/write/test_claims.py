"""Corrections and busts: the new answer counts, the old one stays explainable, and a breach stays latched."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tearsheet.app.imports.history import ImportHistory
from tearsheet.app.limits.verdicts import account_verdicts
from tearsheet.app.reconcile.reconcile import reconcile_statement
from tearsheet.performance.summary import PerformanceSummary
from tearsheet.rules.verdict import Verdict
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.session import Window
from tests.support.place import NOON, Place, fills_csv
from tests.support.posting_process import post

pytestmark = pytest.mark.both_databases

DAILY = "limits: {default: {daily_loss: 100, stale_after: null}}"
TODAY = Window.between(NOON.date(), NOON.date())


@pytest.fixture
def tracker(place: Place) -> PerformanceTracker:
    """A loss of 150 on a day whose limit is 100: a breach."""
    place.write("config/dashboard-targets.yaml", DAILY)
    place.now = NOON + timedelta(hours=1)
    made = place.tracker()
    post(made, [filled("b1", "BUY", 1000), filled("s1", "SELL", 850, minute=5)])
    return made


def filled(fill_id: str, side: str, price: int, minute: int = 1, **more: Any) -> dict[str, Any]:
    at = NOON + timedelta(minutes=minute)
    return {
        "account": "A",
        "symbol": "MSFT",
        "time": at.isoformat(),
        "side": side,
        "quantity": 1,
        "price": price,
        "fill_id": fill_id,
        **more,
    }


def verdict(tracker: PerformanceTracker) -> Verdict:
    return account_verdicts(tracker).for_account("A")


def breaches(tracker: PerformanceTracker) -> list[tuple[Decimal, str | None]]:
    found = account_verdicts(tracker).breach_history(None, 100, None).items
    return [(record.breach.value, record.breach.fill_key) for record in found]


def net(tracker: PerformanceTracker) -> object:
    summary: PerformanceSummary = tracker.get_summary(TODAY)
    return summary.value("net_pnl")


CHANGES = {
    "correction": filled("s1", "SELL", 1010, minute=5, status="correction"),
    "bust": filled("s1", "SELL", 850, minute=5, status="bust"),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_breach_is_not_undone_by_what_would_have_prevented_it(
    place: Place, tracker: PerformanceTracker, kind: str
) -> None:
    assert verdict(tracker).state == "breach"
    before = breaches(tracker)
    assert before == [(150, "x:s1")]
    post(tracker, [CHANGES[kind]])
    assert net(tracker) == (10 if kind == "correction" else 0)
    for each in (tracker, place.tracker()):  # also for a process that was not there
        found = verdict(each)
        [limit] = found.limits
        assert (found.state, found.must_be_flat) == ("breach", True)
        assert limit.value == 0
        assert limit.note == "latched at 150 of 100; the books have changed since"
        assert breaches(each) == before
    assert tracker.verify().matches
    assert verdict(tracker).state == "breach"
    place.now += timedelta(days=1)
    assert verdict(tracker).state == "ok"  # as long as the trading day, and no longer
    assert breaches(tracker) == before


@pytest.mark.parametrize("kind", CHANGES)
def test_the_old_answer_stays_explainable(tracker: PerformanceTracker, kind: str) -> None:
    assert net(tracker) == -150
    assert tracker.explain("net_pnl", TODAY).superseded == ()
    post(tracker, [CHANGES[kind]])
    told = tracker.explain("net_pnl", TODAY)
    [old] = told.superseded
    assert (old.fill_id, old.side, old.price, old.by) == ("s1", "SELL", 850, kind)
    assert (old.place.line, old.by_place.line) == (2, 1)
    assert sum(term.adds for term in told.bookings) == net(tracker)


def test_a_correction_that_makes_a_loss_breaks_the_limit(place: Place) -> None:
    place.write("config/dashboard-targets.yaml", DAILY)
    place.now = NOON + timedelta(hours=1)
    with place.tracker() as tracker:
        post(tracker, [filled("b1", "BUY", 1000), filled("s1", "SELL", 950, minute=5)])
        assert verdict(tracker).state != "breach"
        post(tracker, [filled("b1", "BUY", 1080, status="correction")])
        assert (verdict(tracker).state, breaches(tracker)) == ("breach", [(130, "x:s1")])


def test_taking_the_correction_out_again_brings_the_old_answer_back(place: Place) -> None:
    place.write("config/dashboard-targets.yaml", DAILY)
    place.now = NOON + timedelta(hours=1)
    header = "account,symbol,time,side,quantity,price,commission,fill_id,status"
    row = "A,MSFT,2026-11-20T12:0{}:00Z,{},1,{},0,{},{}"
    first = [row.format(1, "buy", 1000, "b1", ""), row.format(5, "sell", 850, "s1", "")]
    with place.tracker() as tracker:
        tracker.import_file(place.write("1.csv", fills_csv(first, header)))
        before = breaches(tracker)
        change = [row.format(5, "sell", 1010, "s1", "correction")]
        tracker.import_file(place.write("2.csv", fills_csv(change, header)))
        assert (net(tracker), breaches(tracker)) == (10, before)
        ImportHistory(tracker).undo(2, "kim")
        assert (net(tracker), breaches(tracker)) == (-150, before)
        assert tracker.explain("net_pnl", TODAY).superseded == ()
        assert tracker.verify().matches


def test_a_statement_of_before_the_correction_differs_and_says_in_which_fill(
    place: Place, tracker: PerformanceTracker
) -> None:
    rows = ["A,MSFT,2026-11-20T12:01:00Z,buy,1,1000,0,b1", "A,MSFT,2026-11-20T12:05:00Z,sell,1,{},0,s1"]
    old = place.write("old.csv", fills_csv([rows[0], rows[1].format(850)]))
    new = place.write("new.csv", fills_csv([rows[0], rows[1].format(1010)]))
    assert reconcile_statement(tracker, old).agrees
    post(tracker, [CHANGES["correction"]])
    assert [(f.lacking, f.price) for f in reconcile_statement(tracker, old).fills] == [
        ("books", 850),
        ("report", 1010),
    ]
    assert reconcile_statement(tracker, new).agrees
