"""Open trades of trade logs belong to the members of a group that state them."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tearsheet.app.limits.verdicts import account_verdicts
from tearsheet.tracker import PerformanceTracker
from tests.support.place import NOON, Place, opened, record

pytestmark = pytest.mark.both_databases

LIMITS = """\
limits:
  groups:
    DESK:
      members: [B, C]
      hedged: breach
      stale_after: null
"""


def hedged(tracker: PerformanceTracker) -> Decimal | None:
    tracker.sync()
    (view,) = account_verdicts(tracker).for_account("DESK").limits
    return view.value


def test_two_logs_hedge_each_other_and_one_does_not_hedge_itself(place: Place) -> None:
    place.write("config/dashboard-targets.yaml", LIMITS)
    later = NOON + timedelta(hours=1)
    bought = opened(account_id="B", order_id="2", at=later, quantity=3, total_value="451.50")
    sold = {"action": "SELL", "quantity": 1, "total_value": "150.50"}
    place.log("2026-11-20", record(account_id="B", order_id="1"), bought)
    with place.tracker() as tracker:
        place.log("2026-11-20", opened(account_id="B", order_id="3", at=later, **sold), mode="a")
        assert hedged(tracker) == 0
        closed = record(account_id="C", order_id="4")
        place.log("2026-11-20", closed, opened(account_id="C", order_id="5", at=later, **sold), mode="a")
        assert hedged(tracker) == 1
    with place.tracker() as other:
        assert hedged(other) == 1
