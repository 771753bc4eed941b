"""A change of the trading day: history is rebuilt, and the limits are checked in the same transaction."""

import pytest

from tearsheet.app.config.change_trading_day import TradingDayChange
from tearsheet.app.limits.verdicts import account_verdicts
from tests.support.place import Place, fills_csv

pytestmark = pytest.mark.both_databases


def test_a_breach_that_the_new_trading_day_makes_is_stored_with_it_and_raises_its_alert(place: Place) -> None:
    """Losses of 400 and 200 on both sides of midnight are one day of 600 once days start at 22:00."""
    place.write("config/dashboard-targets.yaml", "limits:\n  default: {daily_loss: 500, stale_after: null}\n")
    losses = [
        f"A,MSFT,2026-11-{at}Z,{side},1,{price},0,{number}"
        for number, (at, side, price) in enumerate(
            [
                ("19T23:10:00", "buy", 900),
                ("19T23:20:00", "sell", 500),
                ("20T09:10:00", "buy", 900),
                ("20T09:20:00", "sell", 700),
            ]
        )
    ]
    with place.tracker() as tracker:
        tracker.import_file(place.write("fills.csv", fills_csv(losses)))
        assert [verdict.state for verdict in account_verdicts(tracker).all()] == ["ok"]
        change = TradingDayChange(tracker)
        assert change.apply(
            change.requested({"timezone": "UTC", "day_starts_at": "22:00"}), change.digest, "kim"
        )
    with place.tracker() as tracker:
        [record] = account_verdicts(tracker).breach_history(None, 10, None).items
        assert (record.breach.limit, record.breach.value) == ("daily_loss", 600)
        [alert] = tracker.alerts.newest(only_open=True)
        assert (alert.account, alert.rule) == ("A", "daily_loss")
