"""Sides of round trips beside executions of the same trades: the executions count.

A platform's list of closed trades and its list of executions tell the same trades, often with mean prices, without
fees or with pairs of parts of fills in the former.
"""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime, timedelta

from tearsheet.trade.fill import Fill, Side

#: One trade has times so far apart in two lists.
_SLACK = timedelta(seconds=2)
_MINUTE = timedelta(minutes=1)
#: A side without a time of day is at noon.
_HALF_A_DAY = timedelta(hours=12)
#: A fill has no bearing on sides of round trips that are further away.
REACH = timedelta(days=1)


def without_executed_legs(fills: Sequence[Fill]) -> list[Fill]:
    """Return the fills of an account and instrument, in order, without the legs that executions tell."""
    executions = [fill for fill in fills if not fill.is_leg]
    if not executions or len(executions) == len(fills):
        return list(fills)
    sides = {side: [fill for fill in executions if fill.side is side] for side in Side}
    times = {side: [fill.time for fill in ours] for side, ours in sides.items()}
    return [
        fill for fill in fills if not (fill.is_leg and _is_executed(fill, sides[fill.side], times[fill.side]))
    ]


def _is_executed(leg: Fill, executions: Sequence[Fill], times: Sequence[datetime]) -> bool:
    """Return whether one of the executions, which are on the side of the leg, may be it or a part of it."""
    reach = _HALF_A_DAY if leg.has_day_only else _MINUTE
    first, end = bisect_left(times, leg.time - reach), bisect_left(times, leg.time + reach)
    return any(leg.has_day_only or _is_near(leg, one) for one in executions[first:end])


def _is_near(leg: Fill, execution: Fill) -> bool:
    if abs(leg.time - execution.time) <= _SLACK:
        return True
    minute = leg.time.replace(second=0, microsecond=0)
    if execution.time.replace(second=0, microsecond=0) == minute and minute in (leg.time, execution.time):
        return True  # one of the lists has times to the minute
    return (leg.price, leg.quantity) == (execution.price, execution.quantity)
