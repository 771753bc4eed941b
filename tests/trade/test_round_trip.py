"""Which sides of round trips are executions that stand beside them."""

from datetime import UTC, datetime, timedelta

import pytest

from tearsheet.trade.fill import Fill, leg_key
from tearsheet.trade.round_trip import without_executed_legs
from tests.support.place import make_fill

NINE = datetime(2026, 3, 10, 9, 0, 5, tzinfo=UTC)
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def leg(at: datetime, side: str = "buy", price: str = "100", *, day: bool = False) -> Fill:
    return make_fill(1, at, side, "2", price, key=leg_key("1:in", has_day_only=day))


@pytest.mark.parametrize(
    ("mine", "executed", "is_told"),
    [
        (leg(NINE), make_fill(2, NINE + timedelta(seconds=2), "buy", "1", "99"), True),
        (leg(NINE), make_fill(2, NINE + timedelta(seconds=3), "buy", "1", "99"), False),
        (leg(NINE), make_fill(2, NINE, "sell", "2", "100"), False),
        # the same price and quantity within a minute
        (leg(NINE), make_fill(2, NINE + timedelta(seconds=59), "buy", "2", "100"), True),
        (leg(NINE), make_fill(2, NINE + timedelta(seconds=61), "buy", "2", "100"), False),
        # times to the minute, on either side
        (leg(NINE.replace(second=0)), make_fill(2, NINE.replace(second=59), "buy", "1", "99"), True),
        (leg(NINE), make_fill(2, NINE.replace(second=0), "buy", "1", "99"), True),
        # days only
        (leg(NOON, day=True), make_fill(2, NINE, "buy", "1", "99"), True),
        (leg(NOON, day=True), make_fill(2, NINE - timedelta(hours=12), "buy", "1", "99"), False),
        (leg(NOON, day=False), make_fill(2, NINE, "buy", "2", "100"), False),
    ],
)
def test_a_side_is_told_by_an_execution_near_it(mine: Fill, executed: Fill, is_told: bool) -> None:
    found = without_executed_legs(sorted((mine, executed), key=lambda one: one.order))
    assert found == ([executed] if is_told else sorted((mine, executed), key=lambda one: one.order))


def test_sides_of_round_trips_do_not_tell_each_other() -> None:
    legs = [leg(NINE), leg(NINE)]
    assert without_executed_legs(legs) == legs
