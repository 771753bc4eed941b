"""Trade logs say in which order things happened, and which lines speak of one order.

The kinds: the order of results of one instant depended on the text of their ids, not on the log; an order id was
taken for unique for ever; the use of a record (trade or fill) depended on its symbol alone.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tearsheet.app.limits.verdicts import account_verdicts
from tearsheet.tracker import PerformanceTracker
from tests.support.place import NOON, Place, as_rows, record

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
