"""Corrections and busts: the new answer counts, the old one stays explainable, and a breach stays latched."""

from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tearsheet.app.imports.history import ImportHistory
from tearsheet.app.limits.verdicts import account_verdicts
from tearsheet.app.reconcile.reconcile import reconcile_statement
from tearsheet.performance.summary import PerformanceSummary
from tearsheet.rules.verdict import Verdict
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.session import Window
from tests.stories.test_ledger_laws import fresh_place
from tests.support.laws import examples
from tests.support.place import NOON, Place, as_rows, fills_csv
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
        assert limit.note == "breached at 150 of 100; the books have changed since"
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


@st.composite
def corrected_files(draw: st.DrawFn) -> list[list[str]]:
    """A file of fills that share instants, files that repeat parts of it, and a file for each correction."""
    row = "A,X,2026-11-20T12:0{}:00Z,{},1,{},0,E{},{}"
    minutes = sorted(draw(st.lists(st.integers(0, 2), min_size=2, max_size=6)))
    sides = [draw(st.sampled_from(["buy", "sell"])) for _ in minutes]
    ids = draw(st.permutations(range(len(minutes))))
    fills = [
        row.format(m, s, 100 + n, i, "") for n, (m, s, i) in enumerate(zip(minutes, sides, ids, strict=True))
    ]
    files = [fills, fills[draw(st.integers(0, len(fills) - 1)) :]]
    for n in draw(st.sets(st.integers(0, len(fills) - 1), min_size=1, max_size=3)):
        kind = draw(st.sampled_from(["correction", "correction", "bust"]))
        files.append([row.format(minutes[n], sides[n], 150 + n, ids[n], kind)])
    return files


@examples(60)
@given(corrected_files(), st.data())
def test_a_correction_and_its_fill_are_one_answer_in_any_order(
    files: list[list[str]], data: st.DataObject
) -> None:
    """The kind: what arrived first decides where something is that names its place itself."""
    header = "account,symbol,time,side,quantity,price,commission,fill_id,status"
    found = []
    for order in (range(len(files)), data.draw(st.permutations(range(len(files))))):
        place = fresh_place()
        with closing(place.tracker()) as tracker:
            for n in order:
                tracker.import_file(place.write(f"{n}.csv", fills_csv(files[n], header)))
            found.append(as_rows(tracker))
            assert tracker.verify().differences == []
    assert found[0] == found[1]


def test_a_correction_that_is_read_before_its_fill_leaves_it_its_place(place: Place) -> None:
    """Net 11 and no trade, whichever file is read first; it was 16 and one trade with the correction first."""
    header = "account,symbol,time,side,quantity,price,commission,fill_id,status"
    row = "A,X,2026-11-20T14:0{}:00Z,{},1,{},0,{},{}"
    fills = [
        row.format(1, "buy", 90, "x", ""),
        row.format(5, "buy", 100, "b", ""),
        row.format(5, "sell", 105, "a", ""),
    ]
    files = {"fills.csv": fills, "change.csv": [row.format(5, "sell", 106, "a", "correction")]}
    for names in (list(files), list(files)[::-1]):
        here = Place(place.folder / names[0], {})
        with here.tracker() as tracker:
            for name in names:
                tracker.import_file(here.write(name, fills_csv(files[name], header)))
            summary = tracker.get_summary("daily")
            assert (summary.value("net_pnl"), summary.value("total_trades")) == (11, 0)
