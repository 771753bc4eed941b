"""What a broker states otherwise than the books stays said, until they agree or an operator decides.

Kind: what is found at one moment is printed once, and every later answer says complete.
"""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from tearsheet.app.config.source_decisions import decide, doubts
from tearsheet.app.imports.history import ImportHistory
from tearsheet.app.imports.import_file import ImportJob, import_file
from tearsheet.app.limits.verdicts import account_verdicts
from tearsheet.app.reconcile.kept_tie_out import tie_out_import
from tearsheet.app.reconcile.reconcile import reconcile_statement
from tearsheet.app.reports import ImportReport
from tearsheet.errors import UsageError
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.tracker import PerformanceTracker
from tests.support.api import Api
from tests.support.place import SAMPLES, Place, fills_csv
from tests.web.api.test_trading import upload

pytestmark = pytest.mark.both_databases

HEADER = "account,symbol,time,side,quantity,price,commission,fill_id,reported_pnl"
OPENING = "A,X,2026-11-20T10:00:00Z,buy,1,100,0,1,"
EARLIER = "A,X,2026-11-20T09:00:00Z,buy,1,90,0,0,"
CLOSING = "A,X,2026-11-20T11:00:00Z,sell,2,110,0,2,30"
LIMITS = "limits: {default: {daily_loss: 1000, stale_after: null}}"


def take_in(tracker: PerformanceTracker, path: Path, **options: str) -> ImportReport:
    """Import a file and compare it with the books, as every door does."""
    job = ImportJob(path=path, options=StatementOptions(**options))
    report = import_file(tracker, job)
    report.tie_out = tie_out_import(tracker, job, report)
    return report


def codes(tracker: PerformanceTracker) -> list[str]:
    return [reason.code for reason in tracker.get_summary("daily").partial_reasons]


def test_a_contradiction_makes_its_days_partial_until_it_is_accepted(place: Place) -> None:
    place.write("config/dashboard-targets.yaml", LIMITS)
    path = place.write("s.csv", fills_csv([OPENING, CLOSING.replace("sell,2", "sell,1")], HEADER))
    with place.tracker() as tracker:
        report = take_in(tracker, path)
        assert report.tie_out is not None
        assert (report.tie_out.agrees, report.tie_out.contradicts) == (False, True)
        assert codes(tracker) == ["differs_from_broker"]
        [reason] = tracker.get_summary("daily").partial_reasons
        assert "1 number of A in s.csv (import 1)" in reason.detail
        assert [one.code for one in account_verdicts(tracker).for_account("A").reasons] == [
            "differs_from_broker"
        ]
        assert not tracker.get_summary("daily", start=date(2026, 11, 19)).partial
        kept = ImportHistory(tracker).get(1).tie_out
        assert kept is not None
        assert kept.differences[0].theirs == 30
        with pytest.raises(UsageError, match="not forgotten"):
            decide(tracker, "import 1", "forget", "kim")
        decide(tracker, "import 1", "accept", "kim")
        assert codes(tracker) == []
        assert account_verdicts(tracker).for_account("A").state == "ok"
        again = take_in(tracker, path)
        assert again.tie_out is not None
        assert (again.repeated, again.tie_out.contradicts) == (True, False)
        assert codes(tracker) == []


def test_a_contradiction_ends_when_the_books_agree_and_is_back_when_they_do_not(place: Place) -> None:
    """The statement begins in the middle of a position: what came before is in another file."""
    with place.tracker() as tracker:
        take_in(tracker, place.write("late.csv", fills_csv([OPENING, CLOSING], HEADER)))
        assert codes(tracker) == ["differs_from_broker"]
        early = take_in(tracker, place.write("early.csv", fills_csv([EARLIER], HEADER)))
        assert tracker.get_summary("daily").value("net_pnl") == 30
        assert (codes(tracker), doubts(tracker)) == ([], [])
        ImportHistory(tracker).undo(early.id, "kim")
        assert codes(tracker) == ["differs_from_broker"]
        ImportHistory(tracker).undo(1, "kim")
        assert (codes(tracker), doubts(tracker)) == ([], [])


def test_what_agreed_is_compared_again_after_an_undo(place: Place) -> None:
    """Kind: what was found right at one moment is taken for right for ever."""
    with place.tracker() as tracker:
        early = take_in(tracker, place.write("early.csv", fills_csv([EARLIER], HEADER)))
        late = take_in(tracker, place.write("late.csv", fills_csv([OPENING, CLOSING], HEADER)))
        assert late.tie_out is not None
        assert (late.tie_out.agrees, codes(tracker)) == (True, [])
        take_in(
            tracker, place.write("more.csv", fills_csv(["A,Y,2026-11-20T12:00:00Z,buy,1,5,0,9,"], HEADER))
        )
        assert codes(tracker) == []
        ImportHistory(tracker).undo(early.id, "kim")
        assert codes(tracker) == ["differs_from_broker"]
        assert [one.source for one in doubts(tracker)] == [f"import {late.id}"]
        take_in(tracker, place.write("again.csv", fills_csv([EARLIER], HEADER)))
        assert (codes(tracker), tracker.get_summary("daily").value("net_pnl")) == ([], 30)
        decide_on = ImportHistory(tracker)
        decide_on.undo(4, "kim")
        assert codes(tracker) == ["differs_from_broker"]
        decide_on.undo(late.id, "kim")
        assert (codes(tracker), doubts(tracker)) == ([], [])


def test_what_agreed_is_compared_again_after_a_correction(place: Place) -> None:
    api = Api(place)
    text = fills_csv([OPENING, CLOSING.replace("sell,2,110,0,2,30", "sell,1,110,0,2,10")], HEADER)
    assert json.loads(upload(api, "s.csv", text).text)["data"]["tie_out"]["agrees"] is True
    assert api.get("/api/performance/daily")["metadata"]["partial"] is False
    amended = {
        "account": "A",
        "symbol": "X",
        "time": "2026-11-20T11:00:00Z",
        "side": "SELL",
        "quantity": 1,
        "price": 105,
        "commission": 0,
        "fill_id": "2",
        "status": "correction",
    }
    api.fills(amended)
    answer = api.get("/api/performance/daily")
    assert answer["data"]["daily_pnl"] == 5
    assert [one["code"] for one in answer["metadata"]["partial_reasons"]] == ["differs_from_broker"]


def test_a_file_of_a_part_of_a_day_does_not_contradict_the_rest_of_it(place: Place) -> None:
    """Fees and results that it states are those of its own fills."""
    with place.tracker() as tracker:
        take_in(tracker, place.write("am.csv", fills_csv([EARLIER.replace(",0,0,", ",1,0,")], HEADER)))
        take_in(tracker, place.write("pm.csv", fills_csv([OPENING.replace(",0,1,", ",2,1,")], HEADER)))
        assert codes(tracker) == []


def test_a_position_that_the_broker_has_otherwise_is_in_doubt_from_then_on(place: Place) -> None:
    """Kind: the day of a difference was taken for all that it touches."""
    path = SAMPLES / "ibkr_flex_xml.xml"
    place.now = datetime(2026, 11, 20, 21, tzinfo=UTC)
    with place.tracker() as tracker:
        take_in(tracker, path)
        [doubt] = doubts(tracker)
        assert (doubt.code, doubt.accounts, doubt.until.year) == ("differs_from_broker", "U100", 2100)
        assert "differs_from_broker" in codes(tracker)


def test_money_in_the_currency_of_the_account_is_not_compared_with_that_of_the_trade(place: Place) -> None:
    """Kind: two amounts are compared, or added, whatever their currencies."""
    place.now = datetime(2026, 11, 20, 21, tzinfo=UTC)
    with place.tracker() as tracker:
        report = take_in(tracker, SAMPLES / "oanda_transactions.csv", account="A")
        assert report.tie_out is not None
        assert (report.tie_out.differences, report.tie_out.contradicts) == ((), False)
        rows = [
            "B,X,2026-11-20T10:00:00Z,buy,1,100,0,1,,USD",
            "B,Y,2026-11-20T10:00:00Z,buy,1,100,0,2,,EUR",
            "B,X,2026-11-20T11:00:00Z,sell,1,110,0,3,10,USD",
            "B,Y,2026-11-20T11:00:00Z,sell,1,120,0,4,20,EUR",
        ]
        two = take_in(tracker, place.write("two.csv", fills_csv(rows, f"{HEADER},currency")))
        assert two.new == 4
        total = place.write(
            "sums.csv",
            "account,date,symbol,realized_pnl\nB,2026-11-20,,27.5\nB,2026-11-20,X,10\nB,2026-11-20,Y,20\n",
        )
        found = reconcile_statement(tracker, total)
        assert found.differences == []
        assert any("several currencies (EUR, USD) is not compared" in note for note in found.notes)


def test_an_import_that_the_broker_contradicts_says_so_to_every_door(api: Api) -> None:
    text = fills_csv([OPENING, CLOSING.replace("sell,2", "sell,1")], HEADER)
    made = json.loads(upload(api, "s.csv", text).text)["data"]
    assert made["tie_out"]["contradicts"] is True
    number = made["id"]
    assert api.get(f"/api/imports/{number}")["data"]["tie_out"]["agrees"] is False
    page = api.client.get(f"/import/batches/{number}").text
    assert "Differs from the broker" in page
    assert "/settings#sources-title" in page
    assert [one["source"] for one in api.get("/api/sources")["data"]["doubts"]] == [f"import {number}"]
