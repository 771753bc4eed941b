"""Trade logs say in which order things happened, and which lines speak of one order.

The kinds: the order of results of one instant depended on the text of their ids, not on the log; an order id was
taken for unique for ever; the use of a record (trade or fill) depended on its symbol alone.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tearsheet.app.config.source_decisions import Decision, decide
from tearsheet.app.limits.verdicts import account_verdicts
from tearsheet.errors import UsageError
from tearsheet.performance.summary import Scope
from tearsheet.tracker import PerformanceTracker
from tests.support.place import NOON, Place, as_rows, opened, record

pytestmark = pytest.mark.both_databases

TRAILING = "limits: {default: {max_drawdown: {amount: 65, kind: trailing}, stale_after: null}}"
FOUR = ((1, "100"), (2, "50"), (2, "-60"), (3, "-10"))


def closed(order: str | None, minute: int, net: str, **more: Any) -> dict[str, Any]:
    """A result some minutes after noon."""
    return record(order_id=order, net=net, at=NOON + timedelta(minutes=minute), held=0, **more)


def path(tracker: PerformanceTracker) -> tuple[Any, Any, Any, str]:
    """What depends on the order of results: drawdown, streaks, and a trailing limit."""
    summary = tracker.get_summary("all")
    return (
        summary.value("max_drawdown"),
        summary.value("longest_win_streak"),
        summary.value("longest_loss_streak"),
        account_verdicts(tracker).for_account("EQ-1").state,
    )


@pytest.mark.parametrize("ids", ["abcd", "dcba", "bacd", "acbd"])
@pytest.mark.parametrize("symbols", ["AAAA", "DCBA", "ABCD"])
def test_results_of_one_instant_are_in_the_order_of_the_log(place: Place, ids: str, symbols: str) -> None:
    place.write("config/dashboard-targets.yaml", TRAILING)
    lines = [closed(i, minute, net, symbol=s) for i, s, (minute, net) in zip(ids, symbols, FOUR, strict=True)]
    place.log("2026-11-20", *lines)
    with place.tracker() as tracker:
        assert path(tracker) == (70, 2, 2, "breach")
        rolling = tracker.get_summary("rolling", rolling=2)
        assert rolling.value("net_pnl") == -70
        assert tracker.verify().differences == []


def test_results_of_one_instant_in_two_files_are_in_the_order_of_the_days(place: Place) -> None:
    """Also when the earlier file is read last."""
    place.write("config/dashboard-targets.yaml", TRAILING)
    first, second, third, fourth = (
        closed(i, minute, net) for i, (minute, net) in zip("dcba", FOUR, strict=True)
    )
    place.log("2026-11-20", third, fourth)
    with place.tracker() as tracker:
        tracker.sync()
        place.log("2026-11-19", first, second)
        assert path(tracker) == (70, 2, 2, "breach")
        found = as_rows(tracker)
    with Place(place.folder, place.env | {"DATABASE_URL": "sqlite:///other.db"}).tracker() as other:
        assert path(other) == (70, 2, 2, "breach")
        assert as_rows(other) == found


def test_executions_of_one_instant_are_in_the_order_of_the_days(place: Place) -> None:
    """A log of executions: a buy at the end of one file, a sell of the same instant at the top of the next."""

    def order(name: str, side: str, price: str) -> dict[str, Any]:
        blank = {"outcome": None, "profit_loss": None, "net_profit_loss": None, "exit_timestamp": None}
        return record(at=NOON, order_id=name, action=side, price=price, quantity=1, commission="0") | blank

    place.log("2026-11-20", order("a", "SELL", "110"))
    place.log("2026-11-19", order("y", "SELL", "100"), order("x", "BUY", "90"), order("z", "BUY", "95"))
    with place.tracker() as tracker:
        summary = tracker.get_summary("all")
        assert (summary.value("total_trades"), summary.value("net_pnl")) == (2, Decimal(25))
        assert tracker.verify().differences == []


def entry(order: str, minute: int, symbol: str, side: str, price: str, **more: Any) -> dict[str, Any]:
    """An order that the log says is open."""
    at = NOON + timedelta(minutes=minute)
    return opened(order_id=order, at=at, symbol=symbol, action=side, price=price, quantity=100, **more)


def test_an_account_that_states_results_has_no_executions(place: Place) -> None:
    """Two open records of a symbol without a result are two open trades, not a realised win of 499.30."""
    place.log(
        "2026-11-20",
        record(order_id="1", net="9.65", at=NOON, held=0),
        entry("2", 1, "MSFT", "BUY", "150.25", commission="0.35"),
        entry("3", 2, "MSFT", "SELL", "155.25", commission="0.35"),
        entry("9", 3, "TSLA", "BUY", "10", account_id="EQ-2"),
    )
    with place.tracker() as tracker:
        summary = tracker.get_summary("daily", scope=Scope("EQ-1"))
        assert (summary.value("net_pnl"), summary.value("total_trades")) == (Decimal("9.65"), 1)
        assert (summary.trade_log.label, summary.open_positions) == ("trade log read as trades", 2)
        held = [p.symbol for p in tracker.open_positions(Scope("EQ-1"))]
        assert held == ["MSFT", "MSFT"]
        both = tracker.get_summary("daily")
        assert both.trade_log.label == "trade log read as trades and executions"
        assert (len(tracker.open_positions()), both.open_positions) == (3, 3)
        assert tracker.verify().differences == []


PAIR = (
    entry("2", 1, "MSFT", "BUY", "150", commission="0.25"),
    entry("3", 2, "MSFT", "SELL", "155", commission="0.25"),
)
RESULT = record(order_id="1", net="9", at=NOON + timedelta(minutes=5), held=0, symbol="AAPL")


def test_the_first_result_of_an_account_makes_an_execution_an_open_trade(place: Place) -> None:
    """Its fees are booked with its result; and back, when the record with the only result is corrected."""
    one = entry("2", 1, "MSFT", "BUY", "150", commission="0.25")
    place.log("2026-11-20", one)
    with place.tracker() as tracker:
        assert tracker.get_summary("daily").value("net_pnl") == Decimal("-0.25")
        place.log("2026-11-20", RESULT, mode="a")
        summary = tracker.get_summary("daily")
        assert (summary.value("net_pnl"), summary.value("fees"), summary.open_positions) == (9, 1, 1)
        assert not summary.partial
        assert tracker.verify().differences == []
        place.log("2026-11-20", one, entry("1", 0, "AAPL", "BUY", "10"))
        summary = tracker.get_summary("daily")
        assert (summary.value("net_pnl"), summary.open_positions) == (Decimal("-0.25"), 2)
        assert tracker.verify().differences == []


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("symbol", ["AAPL", "MSFT"])
def test_results_of_executions_stay_booked_when_a_closed_trade_comes(
    place: Place, at_once: bool, symbol: str
) -> None:
    """Kind: one record changes how all others are read, and what they had come to is gone without a word.

    Both count, told apart, and the account is in doubt until an operator says how its log is read.
    """
    place.write("config/dashboard-targets.yaml", "limits: {default: {daily_loss: 1000, stale_after: null}}")
    place.log("2026-11-20", *PAIR)
    with place.tracker() as tracker:
        if not at_once:
            assert tracker.get_summary("daily").value("net_pnl") == Decimal("499.5")
            assert account_verdicts(tracker).for_account("EQ-1").state == "ok"
        place.log("2026-11-20", RESULT | {"symbol": symbol}, mode="a")
        summary = tracker.get_summary("daily", scope=Scope("EQ-1"))
        assert (summary.value("net_pnl"), summary.value("total_trades")) == (Decimal("508.5"), 2)
        assert [reason.code for reason in summary.partial_reasons] == ["mixed_log"]
        assert "executions (2 of MSFT) and closed trades" in summary.partial_reasons[0].detail
        assert summary.trade_log.label == "trade log read as trades and executions"
        verdict = account_verdicts(tracker).for_account("EQ-1")
        assert (verdict.state, [r.code for r in verdict.reasons]) == ("unknown", ["mixed_log"])
        assert tracker.verify().differences == []
        # what comes later is read the same way
        place.log("2026-11-20", entry("4", 6, "TSLA", "BUY", "10"), mode="a")
        tracker.sync()
        assert [p.symbol for p in tracker.open_positions()] == ["TSLA"]
        assert tracker.verify().differences == []


@pytest.mark.parametrize(
    ("decision", "net", "trades", "held"), [("keep", "508.5", 2, 0), ("accept", "9", 1, 2)]
)
def test_an_operator_decides_how_a_mixed_log_is_read(
    place: Place, decision: Decision, net: str, trades: int, held: int
) -> None:
    """Kept, executions and closed trades both count; accepted, it is a log of closed trades."""
    place.log("2026-11-20", *PAIR, RESULT)
    with place.tracker() as tracker:
        tracker.sync()
        with pytest.raises(UsageError, match="not forgotten"):
            decide(tracker, "log mode of EQ-1", "forget", "kim")
        decide(tracker, "log mode of EQ-1", decision, "kim")
        summary = tracker.get_summary("daily")
        assert (summary.value("net_pnl"), summary.value("total_trades")) == (Decimal(net), trades)
        assert (summary.partial, summary.open_positions) == (False, held)
        assert tracker.verify().differences == []
        place.log("2026-11-20", record(order_id="9", net="1", at=NOON, held=0, symbol="AAPL"), mode="a")
        summary = tracker.get_summary("daily")
        assert (summary.value("net_pnl"), summary.partial) == (Decimal(net) + 1, False)


def test_the_log_mode_of_the_ledger_decides_for_every_account(place: Place) -> None:
    """A doubt about how a log is read ends with the setting that says it."""
    place.log("2026-11-20", *PAIR, RESULT)
    with place.tracker() as tracker:
        assert tracker.get_summary("daily").partial
    place.change_rules(TEARSHEET_TRADE_LOG_MODE="trades")
    with place.tracker() as tracker:
        summary = tracker.get_summary("daily")
        assert (summary.value("net_pnl"), summary.partial, summary.open_positions) == (9, False, 2)


def test_what_the_log_says_is_open_counts_for_the_limit_of_open_quantity(place: Place) -> None:
    """1,000 open with a limit of 10 was `ok 0 of 10`."""
    place.write(
        "config/dashboard-targets.yaml", "limits: {default: {max_open_quantity: 10, stale_after: null}}"
    )
    place.log("2026-11-20", record(order_id="1", net="9", at=NOON, held=0))
    with place.tracker() as tracker:
        tracker.sync()
        assert account_verdicts(tracker).for_account("EQ-1").state == "ok"
        place.log("2026-11-20", entry("2", 1, "AAPL", "BUY", "10") | {"quantity": 1000}, mode="a")
        tracker.sync()
        found = account_verdicts(tracker).for_account("EQ-1")
        assert (found.state, found.limits[0].value, found.must_be_flat) == ("breach", 1000, True)
        with place.tracker() as other:
            assert account_verdicts(other).for_account("EQ-1").limits == found.limits
        place.log(
            "2026-11-20", record(order_id="2", net="1", at=NOON + timedelta(minutes=9), held=0), mode="a"
        )
        tracker.sync()
        later = account_verdicts(tracker).for_account("EQ-1")
        assert (later.state, later.limits[0].value) == ("breach", 0), "it is latched"


def test_a_trade_that_the_log_says_is_open_is_open_when_the_hours_end(place: Place) -> None:
    place.write(
        "config/dashboard-targets.yaml",
        "limits: {default: {trading_hours: '08:00-13:00', stale_after: null}}",
    )
    place.log("2026-11-20", record(order_id="1", net="9", at=NOON, held=0))
    place.log("2026-11-20", entry("2", 1, "AAPL", "BUY", "10"), mode="a")
    place.now = NOON + timedelta(minutes=30)
    with place.tracker() as tracker:
        tracker.sync()
        assert account_verdicts(tracker).for_account("EQ-1").state == "ok"
        place.now = NOON + timedelta(minutes=61)
        assert account_verdicts(tracker).for_account("EQ-1").state == "breach"
        with place.tracker() as other:
            assert account_verdicts(other).for_account("EQ-1").state == "breach"


def test_an_account_whose_log_has_only_open_trades_is_judged(place: Place) -> None:
    place.write(
        "config/dashboard-targets.yaml", "limits: {default: {max_open_quantity: 10, stale_after: null}}"
    )
    place.log("2026-11-20", entry("2", 1, "AAPL", "BUY", "10"))
    with place.tracker(TEARSHEET_TRADE_LOG_MODE="trades") as tracker:
        tracker.sync()
        assert [(v.account, v.state) for v in account_verdicts(tracker).all()] == [("EQ-1", "breach")]
        assert tracker.get_summary("daily", scope=Scope("EQ-1")).open_positions == 1


def test_open_trades_of_the_logs_of_members_count_for_their_group(place: Place) -> None:
    place.write(
        "config/dashboard-targets.yaml",
        "limits: {default: {stale_after: null}, groups: {G: {members: [B, C], max_open_quantity: 2,"
        " hedged: breach, stale_after: null}, H: {members: [B, C],"
        " daily_loss: {amount: 5, basis: open_pnl}, stale_after: null}}}",
    )
    place.log("2026-11-20", record(order_id="1", net="9", at=NOON, held=0, account_id="B"))
    place.log("2026-11-20", entry("2", 1, "AAPL", "BUY", "10") | {"quantity": 3, "account_id": "B"}, mode="a")
    with place.tracker() as tracker:
        tracker.sync()
        found = account_verdicts(tracker).for_account("G")
        values = {one.name: one.value for one in found.limits}
        assert (found.state, values["max_open_quantity"], values["hedged"]) == ("breach", 3, 0)
        unpriced = account_verdicts(tracker).for_account("H")
        assert unpriced.state == "unknown"
        assert "1 open trades of the log" in [reason.detail for reason in unpriced.reasons]
        place.log("2026-11-20", entry("3", 2, "AAPL", "SELL", "10") | {"account_id": "C"}, mode="a")
        tracker.sync()
        hedged = {one.name: one.value for one in account_verdicts(tracker).for_account("G").limits}
        assert hedged["hedged"] == 1


def on(day: int, order: str, net: str, hour: int = 12, **more: Any) -> dict[str, Any]:
    """A result on a day of November."""
    return record(order_id=order, net=net, at=datetime(2026, 11, day, hour, tzinfo=UTC), held=0, **more)


def weekly(tracker: PerformanceTracker) -> tuple[Any, Any, bool]:
    """Net P&L and trades of the week, and whether something may be missing."""
    summary = tracker.get_summary("weekly", scope=Scope("EQ-1"))
    return summary.value("net_pnl"), summary.value("total_trades"), summary.partial


def test_an_order_id_used_again_on_another_day_is_another_order(place: Place) -> None:
    """Simulators count from 1 each day: −250 and −50 on the 19th, −250 on the 20th are −550."""
    place.write("config/dashboard-targets.yaml", "limits: {default: {weekly_loss: 500, stale_after: null}}")
    place.log("2026-11-19", on(19, "1", "-250"), on(19, "2", "-50"))
    place.log("2026-11-20", on(20, "1", "-250"))
    with place.tracker() as tracker:
        assert weekly(tracker) == (-550, 3, False)
        assert account_verdicts(tracker).for_account("EQ-1").state == "breach"
        assert tracker.verify().differences == []
        found = as_rows(tracker)
        for position in tracker.closed_positions(tracker.window("weekly")):
            assert tracker.explain("net_pnl", tracker.window("weekly")).bookings[0].places, position
    with Place(place.folder, {"DATABASE_URL": "sqlite:///other.db"}).tracker() as other:
        later = (place.folder / "logs/2026-11-19.jsonl").rename(place.folder / "kept")
        other.sync()
        later.rename(place.folder / "logs/2026-11-19.jsonl")
        assert weekly(other)[:2] == (-550, 3)
        assert as_rows(other) == found, "whichever file is read first"


@pytest.mark.parametrize("other", [{"symbol": "MSFT"}, {"account_id": "EQ-2"}])
def test_an_order_id_of_another_account_or_symbol_is_another_order(
    place: Place, other: dict[str, str]
) -> None:
    place.log("2026-11-20", on(20, "1", "-250"), on(20, "1", "-300", 13, **other))
    with place.tracker() as tracker:
        assert tracker.get_summary("daily").value("net_pnl") == -550
        assert not tracker.get_summary("daily").partial
        assert tracker.verify().differences == []


def test_a_version_has_the_same_day_or_ends_what_was_open(place: Place) -> None:
    """A correction of the same day, one that states the same time in a later file, and the exit of a later day."""
    place.log("2026-11-18", on(18, "7", "-100", outcome="open", profit_loss=None, net_profit_loss=None))
    place.log("2026-11-19", on(19, "1", "-250"), on(19, "1", "-200"), on(19, "7", "-30"), on(19, "2", "-9"))
    place.log("2026-11-20", on(19, "2", "-8"))
    with place.tracker() as tracker:
        assert weekly(tracker) == (-238, 3, False)
        assert tracker.verify().differences == []


def test_an_order_id_used_again_on_the_same_day_is_a_conflict_that_is_said(place: Place) -> None:
    """A simulator that starts anew at noon: which line is right cannot be known, so the day is partial."""
    place.write("config/dashboard-targets.yaml", "limits: {default: {weekly_loss: 500, stale_after: null}}")
    place.log("2026-11-20", on(20, "1", "-250", 9), on(20, "1", "-300", 15))
    with place.tracker() as tracker:
        assert weekly(tracker) == (-300, 1, True)
        (rejection,) = tracker.rejections()
        assert (rejection.code, rejection.line) == ("conflicting_order", 1)
        assert "2026-11-20.jsonl, line 2" in rejection.reason
        assert account_verdicts(tracker).for_account("EQ-1").state == "unknown"
        place.change_rules(TEARSHEET_BREAKEVEN_BAND="1")
    with place.tracker() as tracker:
        assert weekly(tracker) == (-300, 1, True)
        assert len(tracker.rejections()) == 1


def test_an_order_opened_after_it_was_closed_is_another_one(place: Place) -> None:
    place.log("2026-11-20", on(20, "1", "-250", 9), entry("1", 60, "AAPL", "BUY", "10"))
    with place.tracker() as tracker:
        assert tracker.get_summary("daily").value("net_pnl") == -250
        assert tracker.get_summary("daily").open_positions == 1
        place.log("2026-11-20", on(20, "1", "-70", 15), mode="a")
        assert tracker.get_summary("daily").value("net_pnl") == -320
        assert tracker.verify().differences == []


def test_executions_of_ids_used_again_on_another_day_all_count(place: Place) -> None:
    for day in (19, 20):
        at = datetime(2026, 11, day, 12, tzinfo=UTC)
        place.log(
            f"2026-11-{day}",
            entry("1", 0, "AAPL", "BUY", "10", commission="0") | {"timestamp": at.isoformat()},
            entry("2", 1, "AAPL", "SELL", "11", commission="0") | {"timestamp": at.isoformat()},
        )
    with place.tracker() as tracker:
        assert weekly(tracker) == (200, 2, False)
        assert tracker.verify().differences == []


def test_drawdown_in_money_and_in_percent_are_both_by_fill(place: Place) -> None:
    """A fall within a day counts in percent, too: −300 from 1,100 and back, which no day's end shows."""
    place.log("2026-11-19", on(19, "1", "100"))
    nets = enumerate(("-300", "290", "10"))
    place.log("2026-11-20", *(on(20, str(n), net, 10 + n) for n, net in nets))
    with place.tracker(TEARSHEET_STARTING_BALANCE="1000") as tracker:
        summary = tracker.get_summary("weekly")
        assert summary.value("max_drawdown") == 300
        assert summary.value("max_drawdown_percent") == pytest.approx(300 / 1100)


def test_a_simulator_that_begins_its_log_and_its_ids_anew_loses_no_result(place: Place) -> None:
    """Its −250 of the morning has the id of its −300 of the afternoon: said, and not taken out in silence."""
    place.log("2026-11-20", on(20, "1", "-250", 9))
    with place.tracker() as tracker:
        tracker.sync()
        place.log("2026-11-20", on(20, "1", "-300", 15))
        assert weekly(tracker) == (-300, 1, True)
        codes = [reason.code for reason in tracker.get_summary("daily").partial_reasons]
        assert codes == ["rejected_lines", "records_vanished"]
        assert tracker.rejections()[0].code == "conflicting_order"
        assert tracker.verify().differences == []
