"""Round trips beside executions of the same trades: whichever came first, the executions count."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from tearsheet.app.analysis.lists import Lists
from tearsheet.app.imports.history import ImportHistory
from tearsheet.app.limits.verdicts import account_verdicts
from tearsheet.app.reports import ImportReport
from tearsheet.performance.summary import Scope
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.session import Window
from tests.support.place import Place, fills_csv

pytestmark = pytest.mark.both_databases

#: Two trades; their executions have fees, thousandths of a second, and the first entry in two fills.
TRADES = """symbol,qty,pnl,duration,buyFillId,buyPrice,boughtTimestamp,sellFillId,sellPrice,soldTimestamp
MESZ6,2,$50.00,7min,1,5125,11/16/2026 14:35:12,2,5130,11/16/2026 14:42:15
MESZ6,1,$(5.00),7min,4,5141.00,11/16/2026 15:42:15,3,5140.00,11/16/2026 15:35:12
"""
EXECUTIONS = [
    "A,MESZ6,2026-11-16T14:35:12.4Z,buy,1,5124,0.60,x1",
    "A,MESZ6,2026-11-16T14:35:14.1Z,buy,1,5126,0.60,x2",
    "A,MESZ6,2026-11-16T14:42:15.9Z,sell,2,5130,1.20,x3",
    "A,MESZ6,2026-11-16T15:35:12Z,sell,1,5140,0.60,x4",
    "A,MESZ6,2026-11-16T15:42:15Z,buy,1,5141,0.60,x5",
]
ALL = Window.between(date(2026, 11, 1), date(2026, 11, 20))


def read(tracker: PerformanceTracker, place: Place, what: str, rows: list[str] = EXECUTIONS) -> ImportReport:
    if what == "trades":
        return tracker.import_file(place.write("trades.csv", TRADES), timezone=ZoneInfo("UTC"), account="A")
    return tracker.import_file(place.write(f"{what}.csv", fills_csv(rows)))


def nets(tracker: PerformanceTracker) -> list[Decimal]:
    page = Lists(tracker).closed_trades(ALL, Scope(), 100, None)
    assert tracker.verify().differences == []
    return sorted(one.net for one in page.items)


@pytest.mark.parametrize("order", [("trades", "executions"), ("executions", "trades")])
def test_executions_count_whichever_came_first(place: Place, order: tuple[str, str]) -> None:
    with place.tracker() as tracker:
        for what in order:
            read(tracker, place, what)
        assert nets(tracker) == [Decimal("-6.2"), Decimal("47.6")]


def test_undoing_either_leaves_the_other(place: Place) -> None:
    with place.tracker() as tracker:
        trades, executions = read(tracker, place, "trades"), read(tracker, place, "executions")
        assert executions.executed_legs == 4
        ImportHistory(tracker).undo(executions.id, "me")
        assert nets(tracker) == [Decimal("-5"), Decimal("50")]
        again = read(tracker, place, "executions")
        ImportHistory(tracker).undo(trades.id, "me")
        assert nets(tracker) == [Decimal("-6.2"), Decimal("47.6")]
        ImportHistory(tracker).undo(again.id, "me")
        assert nets(tracker) == []


def test_what_only_the_trades_tell_stays(place: Place) -> None:
    """The list of executions ends before the second trade."""
    with place.tracker() as tracker:
        read(tracker, place, "trades")
        read(tracker, place, "executions", EXECUTIONS[:3])
        assert nets(tracker) == [Decimal("-5"), Decimal("47.6")]


def test_a_trade_whose_exit_alone_was_executed_is_closed_by_it(place: Place) -> None:
    with place.tracker() as tracker:
        read(tracker, place, "executions", EXECUTIONS[2:])
        read(tracker, place, "trades")
        assert nets(tracker) == [Decimal("-6.2"), Decimal("48.8")]


def test_a_listed_fill_says_what_it_was_read_from(place: Place) -> None:
    with place.tracker() as tracker:
        read(tracker, place, "trades")
        read(tracker, place, "executions", EXECUTIONS[:1])
        page = Lists(tracker).fills(ALL, Scope(), 100, None)
        assert [one.source for one in page.items] == ["round_trip"] * 3 + ["execution", "round_trip"]


def test_other_trades_of_the_day_are_not_taken_for_executions(place: Place) -> None:
    at = datetime(2026, 11, 16, 14, 35, 12, tzinfo=UTC) + timedelta(minutes=3)
    rows = [f"A,MESZ6,{at.isoformat()},buy,2,5125,1,y1", f"A,MESZ6,{at.isoformat()},sell,2,5126,1,y2"]
    with place.tracker() as tracker:
        read(tracker, place, "trades")
        read(tracker, place, "others", rows)
        assert sum(nets(tracker)) == Decimal("45") + Decimal("8")


@pytest.mark.parametrize("order", [("trades", "part"), ("part", "trades")])
def test_what_executions_do_not_account_for_is_booked_and_said(place: Place, order: tuple[str, str]) -> None:
    """Kind: a nearby execution was taken for a whole side, so a part of a trade vanished, and all was complete."""
    place.write("config/dashboard-targets.yaml", "limits: {default: {daily_loss: 1000, stale_after: null}}")
    place.now = datetime(2026, 11, 16, 20, tzinfo=UTC)
    with place.tracker() as tracker:
        for what in order:
            read(tracker, place, what, [EXECUTIONS[0], *EXECUTIONS[2:]])
        # 1 @ 5124 and the rest of the trade, 1 @ 5125, out at 5130; fees of the executions
        assert nets(tracker) == [Decimal("-6.2"), Decimal("53.2")]
        summary = tracker.get_summary("daily")
        assert [reason.code for reason in summary.partial_reasons] == ["executions_missing"]
        assert "BUY 2 @ 5125, executions account for 1 of it" in summary.partial_reasons[0].detail
        assert account_verdicts(tracker).for_account("A").state == "unknown"
        read(tracker, place, "all")
        assert nets(tracker) == [Decimal("-6.2"), Decimal("47.6")]
        assert not tracker.get_summary("daily").partial


def test_what_accounts_for_a_side_is_the_same_however_it_was_read(place: Place) -> None:
    """Sides share executions in a row: a late execution at its end changes what stands for its beginning."""
    rows = [
        f"A,MESZ6,2026-11-16T14:{minute:02}:00Z,{side},{quantity},{price},0,{n}"
        for n, (minute, side, quantity, price) in enumerate(
            [(35, "buy", 1, 5124), (36, "buy", 1, 5126), (42, "sell", 2, 5130), (50, "buy", 3, 5125)]
        )
    ]
    with place.tracker() as tracker:
        read(tracker, place, "trades")
        for row in (rows[3], rows[2], rows[0], rows[1]):
            read(tracker, place, f"one{row[-1]}", [row])
            assert tracker.verify().differences == []
