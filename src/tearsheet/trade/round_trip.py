"""Sides of round trips beside executions of the same trades: each execution accounts for its own quantity.

A platform's list of closed trades and its list of executions tell the same trades, often with mean prices, without
fees or with pairs of parts of fills in the former. What executions account for is not booked again; the rest is.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from tearsheet.trade.amount import ZERO, exact, proportional_share, to_plain_string
from tearsheet.trade.event import Gap, gap_at
from tearsheet.trade.fill import Fill, Side

#: One trade has times so far apart in two lists.
_SLACK = timedelta(seconds=2)
_MINUTE = timedelta(minutes=1)
#: A side without a time of day is at noon.
_HALF_A_DAY = timedelta(hours=12)
#: Sides that are further apart share no execution.
REACH = timedelta(days=1)
#: The mean price of several executions is rounded in a list of trades.
_ROUNDED = Decimal("0.0001")


class BesideExecutions(Struct, frozen=True):
    """Fills to book, the number of sides that executions account for, and where they account for a part."""

    fills: list[Fill]
    executed: int
    gaps: list[Gap]


class _Execution(Struct):
    fill: Fill
    left: Decimal


class _Leg(Struct):
    fill: Fill
    left: Decimal
    #: Σ quantity × price of the executions that account for it
    value: Decimal = ZERO


def without_executed_legs(fills: Sequence[Fill]) -> BesideExecutions:
    """Return the fills of an account and instrument, in order, without what executions tell of round trips."""
    executions = [fill for fill in fills if not fill.is_leg]
    if not executions or len(executions) == len(fills):
        return BesideExecutions(list(fills), 0, [])
    left: dict[str, Decimal] = {}
    with exact():
        for side in Side:
            legs = [_Leg(fill, fill.quantity) for fill in fills if fill.is_leg and fill.side is side]
            ours = [_Execution(fill, fill.quantity) for fill in executions if fill.side is side]
            for leg in _accounted(legs, ours):
                left[leg.fill.key] = leg.left
        rests = [(fill, left.get(fill.key, fill.quantity)) for fill in fills]
        booked = [_rest(fill, rest) for fill, rest in rests if rest]
    gaps = [_gap(fill, rest) for fill, rest in rests if ZERO < rest < fill.quantity]
    return BesideExecutions(booked, len(fills) - len(booked), gaps)


def _accounted(legs: list[_Leg], executions: list[_Execution]) -> list[_Leg]:
    """Let executions account for sides of round trips: the same ones first, then those near in time.

    A side that was built by more fills than those at its time is accounted for by others of the day if their mean
    price is its own.
    """
    for is_one in (_is_same, _is_near):
        for leg in legs:
            for one in _within(leg, executions, is_one):
                _take(leg, one)
    for leg in legs:
        if leg.left and leg.left < leg.fill.quantity:
            _complete(leg, list(_within(leg, executions, _is_of_day)))
    return legs


def _within(
    leg: _Leg, executions: Sequence[_Execution], is_one: Callable[[Fill, Fill], bool]
) -> Iterator[_Execution]:
    """Yield the executions that are left and may be a side or a part of it, in order of time."""
    reach = _HALF_A_DAY if leg.fill.has_day_only or is_one is _is_of_day else _MINUTE
    at = leg.fill.time
    first = bisect_left(executions, at - reach, key=_time)
    for one in executions[first : bisect_left(executions, at + reach, key=_time)]:
        if not leg.left:
            return
        if one.left and _is_own_side(leg.fill, one.fill) and is_one(leg.fill, one.fill):
            yield one


def _take(leg: _Leg, one: _Execution) -> None:
    quantity = min(leg.left, one.left)
    leg.left -= quantity
    one.left -= quantity
    leg.value += quantity * one.fill.price


def _complete(leg: _Leg, others: Sequence[_Execution]) -> None:
    """Let the nearest other executions account for the rest of a side, if all together have its price."""
    taken, left, value = [], leg.left, leg.value
    for one in sorted(others, key=lambda one: abs(one.fill.time - leg.fill.time)):
        quantity = min(left, one.left)
        left, value = left - quantity, value + quantity * one.fill.price
        taken.append(one)
        if not left:
            break
    if not left and abs(value - leg.fill.quantity * leg.fill.price) <= abs(value) * _ROUNDED:
        for one in taken:
            _take(leg, one)


def _is_same(leg: Fill, execution: Fill) -> bool:
    return (leg.price, leg.quantity) == (execution.price, execution.quantity)


def _is_near(leg: Fill, execution: Fill) -> bool:
    if leg.has_day_only or abs(leg.time - execution.time) <= _SLACK:
        return True
    minute = leg.time.replace(second=0, microsecond=0)
    # one of the lists may have times to the minute
    return execution.time.replace(second=0, microsecond=0) == minute and minute in (leg.time, execution.time)


def _is_of_day(_leg: Fill, _execution: Fill) -> bool:
    return True


def _is_own_side(leg: Fill, execution: Fill) -> bool:
    """Return whether both are of one position in an account that holds both sides at once."""
    return None in (leg.position_side, execution.position_side) or (
        leg.position_side == execution.position_side
    )


def _time(one: _Execution) -> datetime:
    return one.fill.time


def _rest(fill: Fill, rest: Decimal) -> Fill:
    if rest == fill.quantity:
        return fill
    fees = proportional_share(fill.commission, rest, fill.quantity) if fill.commission else fill.commission
    return replace(fill, quantity=rest, commission=fees)


def _gap(fill: Fill, rest: Decimal) -> Gap:
    """Return that executions account for a part of a side only."""
    whole, price = to_plain_string(fill.quantity), to_plain_string(fill.price)
    detail = (
        f"{fill.account} {fill.symbol} at {fill.time.isoformat()}: a closed trade states {fill.side.value} {whole} @ "
        f"{price}, executions account for {to_plain_string(fill.quantity - rest)} of it"
    )
    return gap_at(fill, "executions_missing", detail)
