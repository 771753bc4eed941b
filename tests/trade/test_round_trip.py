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


def rests(*fills: Fill) -> list[tuple[str, str]]:
    """What of sides of round trips is booked: key and quantity."""
    found = without_executed_legs(sorted(fills, key=lambda one: one.order))
    assert {gap.code for gap in found.gaps} <= {"executions_missing"}
    return [(one.key, str(one.quantity)) for one in found.fills if one.is_leg]


@pytest.mark.parametrize(
    ("mine", "executed", "is_told"),
    [
        (leg(NINE), make_fill(2, NINE + timedelta(seconds=2), "buy", "2", "99"), True),
        (leg(NINE), make_fill(2, NINE + timedelta(seconds=3), "buy", "2", "99"), False),
        (leg(NINE), make_fill(2, NINE, "sell", "2", "100"), False),
        # the same price and quantity within a minute
        (leg(NINE), make_fill(2, NINE + timedelta(seconds=59), "buy", "2", "100"), True),
        (leg(NINE), make_fill(2, NINE + timedelta(seconds=61), "buy", "2", "100"), False),
        # times to the minute, on either side
        (leg(NINE.replace(second=0)), make_fill(2, NINE.replace(second=59), "buy", "3", "99"), True),
        (leg(NINE), make_fill(2, NINE.replace(second=0), "buy", "3", "99"), True),
        # days only
        (leg(NOON, day=True), make_fill(2, NINE, "buy", "2", "99"), True),
        (leg(NOON, day=True), make_fill(2, NINE - timedelta(hours=12), "buy", "2", "99"), False),
        (leg(NOON, day=False), make_fill(2, NINE, "buy", "2", "100"), False),
    ],
)
def test_a_side_is_told_by_an_execution_near_it(mine: Fill, executed: Fill, is_told: bool) -> None:
    assert rests(mine, executed) == (
        [] if is_told else [("t:1:in" if "td" not in mine.key else mine.key, "2")]
    )


def test_an_execution_accounts_for_its_own_quantity_only() -> None:
    """Kind: something near in time was taken for the whole, whatever its quantity."""
    found = without_executed_legs([leg(NINE), make_fill(2, NINE, "buy", "0.5", "99")])
    assert [(one.key, str(one.quantity)) for one in found.fills] == [("t:1:in", "1.5"), ("x:2", "0.5")]
    assert (found.executed, [gap.code for gap in found.gaps]) == (0, ["executions_missing"])
    assert "executions account for 0.5 of it" in found.gaps[0].detail


def test_two_sides_share_no_quantity_of_an_execution() -> None:
    """Of two sides at one instant, one execution of three accounts for both but for one."""
    legs = [make_fill(1, NINE, "buy", "2", "100", key=leg_key(f"{n}:in", has_day_only=False)) for n in (1, 2)]
    assert rests(*legs, make_fill(2, NINE, "buy", "4", "100")) == []
    assert rests(*legs, make_fill(2, NINE, "buy", "3", "100")) == [("t:2:in", "1")]
    assert rests(*legs, make_fill(2, NINE, "buy", "1", "99"), make_fill(3, NINE, "buy", "3", "99")) == []


def test_a_side_of_several_fills_is_told_by_those_that_have_its_mean_price() -> None:
    """A list of trades gives a position that was built in an hour as one side, at its first fill."""
    later = NINE + timedelta(minutes=40)
    first = make_fill(2, NINE, "buy", "1", "99")
    assert rests(leg(NINE), first, make_fill(3, later, "buy", "1", "101")) == []
    assert rests(leg(NINE), first, make_fill(3, later, "buy", "1", "105")) == [("t:1:in", "1")]


def test_sides_of_an_account_that_holds_both_at_once_are_told_apart() -> None:
    short = make_fill(2, NINE, "buy", "2", "100", position_side="short")
    long = make_fill(1, NINE, "buy", "2", "100", key="t:1:in", position_side="long")
    assert rests(long, short) == [("t:1:in", "2")]


def test_sides_of_round_trips_do_not_tell_each_other() -> None:
    legs = [leg(NINE), leg(NINE)]
    assert without_executed_legs(legs).fills == legs
