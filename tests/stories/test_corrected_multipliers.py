"""A multiplier is stored with each fill, so one that is corrected later is not that of the fills that are there.

Kind: what was true when a fact was stored is corrected elsewhere, and the books go on with the old value in silence.
"""

from datetime import date
from decimal import Decimal

import pytest

from tearsheet.app.config.settings_audit import setting_changes
from tearsheet.app.config.source_decisions import Decision, decide, doubts
from tearsheet.app.limits.verdicts import account_verdicts
from tearsheet.cli import main
from tearsheet.errors import UsageError
from tearsheet.performance.summary import Scope
from tearsheet.tracker import PerformanceTracker
from tests.support.place import Place, fills_csv

pytestmark = pytest.mark.both_databases

LIMITS = "limits: {default: {daily_loss: 10000, stale_after: null}}"
DAY = [
    "A,QQQZ26,2026-11-19T10:00:00Z,buy,1,100,0,1",
    "A,QQQZ26,2026-11-19T11:00:00Z,sell,1,110,0,2",
    "A,AAPL,2026-11-20T10:00:00Z,buy,1,100,0,3",
    "A,AAPL,2026-11-20T11:00:00Z,sell,1,101,0,4",
]


def codes(tracker: PerformanceTracker, kind: str = "weekly", scope: Scope = Scope()) -> list[str]:
    return [reason.code for reason in tracker.get_summary(kind, scope=scope).partial_reasons]  # type: ignore[arg-type]


def net(tracker: PerformanceTracker) -> Decimal | float | None:
    return tracker.get_summary("weekly").value("net_pnl")


def wrong_by_ten(place: Place) -> None:
    """Fills that were imported with a multiplier that was corrected after."""
    place.write("config/dashboard-targets.yaml", LIMITS)
    place.write("config/instruments.yaml", "QQQ: {multiplier: 5}\n")
    with place.tracker() as tracker:
        tracker.import_file(place.write("a.csv", fills_csv(DAY)))
        assert (net(tracker), codes(tracker)) == (51, [])
    place.write("config/instruments.yaml", "QQQ: {multiplier: 50}  # corrected\n")


@pytest.mark.parametrize(("decision", "result"), [("accept", 501), ("keep", 51)])
def test_fills_of_another_multiplier_are_told_until_somebody_decides(
    place: Place, decision: Decision, result: int
) -> None:
    wrong_by_ten(place)
    with place.tracker() as tracker:
        assert (net(tracker), codes(tracker)) == (51, ["other_multiplier"])
        assert codes(tracker, "daily") == []
        [reason] = tracker.get_summary("weekly").partial_reasons
        assert "2 fills of A QQQZ26 are booked by 5 where the instruments state 50" in reason.detail
        with pytest.raises(UsageError, match="not forgotten"):
            decide(tracker, "multiplier of QQQZ26", "forget", "kim")
        decide(tracker, "multiplier of QQQZ26", decision, "kim")
        assert (net(tracker), codes(tracker), doubts(tracker)) == (result, [], [])
        assert setting_changes(tracker.ledger, 10)[0].name == "multiplier of QQQZ26"
        again = tracker.import_file(place.write("b.csv", fills_csv(DAY)))
        assert (again.new, again.known, net(tracker), codes(tracker)) == (0, 4, result, [])
        assert tracker.verify().differences == []
    place.write("config/instruments.yaml", "QQQ: {multiplier: 20}\n")
    with place.tracker() as tracker:
        assert codes(tracker) == ["other_multiplier"]


def test_an_open_position_by_another_multiplier_leaves_limits_unknown(place: Place) -> None:
    """And fills by the new one in it contradict it."""
    wrong_by_ten(place)
    place.write("config/instruments.yaml", "QQQ: {multiplier: 5}\n")
    with place.tracker() as tracker:
        tracker.import_file(place.write("o.csv", fills_csv(["A,QQQZ26,2026-11-19T12:00:00Z,buy,1,100,0,9"])))
        assert account_verdicts(tracker).for_account("A").state == "ok"
    place.write("config/instruments.yaml", "QQQ: {multiplier: 50}\n")
    with place.tracker() as tracker:
        tracker.sync()
        verdict = account_verdicts(tracker).for_account("A")
        assert (verdict.state, [one.code for one in verdict.reasons]) == ("unknown", ["other_multiplier"])
        tracker.import_file(
            place.write("p.csv", fills_csv(["A,QQQZ26,2026-11-20T12:00:00Z,sell,1,100,0,10"]))
        )
        assert "contradiction" in codes(tracker, "daily")
        [detail] = [
            reason.detail
            for reason in tracker.get_summary("daily").partial_reasons
            if reason.code == "contradiction"
        ]
        assert "a point is 50 USD, and 5 USD in the open position" in detail
        assert tracker.verify().differences == []
        decide(tracker, "multiplier of QQQZ26", "accept", "kim")
        assert codes(tracker) == []
        assert tracker.verify().differences == []


def test_two_currencies_in_one_position_contradict_each_other(place: Place) -> None:
    rows = ["A,X,2026-11-20T10:00:00Z,buy,1,100,0,1,USD", "A,X,2026-11-20T11:00:00Z,sell,1,110,0,2,EUR"]
    with place.tracker() as tracker:
        tracker.import_file(
            place.write(
                "a.csv",
                fills_csv(rows, "account,symbol,time,side,quantity,price,commission,fill_id,currency"),
            )
        )
        summary = tracker.get_summary("daily", currency="USD", start=date(2026, 11, 20))
        assert "contradiction" in [reason.code for reason in summary.partial_reasons]
        assert tracker.verify().differences == []


def test_doctor_and_the_command_say_and_end_it(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong_by_ten(place)
    monkeypatch.chdir(place.folder)
    for name, value in place.env.items():
        monkeypatch.setenv(name, value)
    with place.tracker() as tracker:
        tracker.sync()
    main(["doctor"])
    assert "are booked by 5 where the instruments state 50" in capsys.readouterr().out
    assert main(["sources", "accept", "multiplier of QQQZ26", "--by", "kim"]) == 0
    capsys.readouterr()
    main(["doctor"])
    assert "are booked by" not in capsys.readouterr().out
