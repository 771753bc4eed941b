"""Worst drawdowns of a window, by fill: depth, and the sessions of peak, low and recovery.

A session that ends one drawdown may hold others. Its fills are read only if it could hold one of the worst.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal

from msgspec import Struct

from tearsheet.performance.tally import Tally
from tearsheet.trade.amount import ZERO, exact

#: The results of a session's fills, in order.
ReadChanges = Callable[[date], Iterable[Decimal]]


class Drawdown(Struct, frozen=True):
    """Fall of cumulative P&L from a high, `peak_total`, until it is reached again; `recovered` is None until then.

    `length` counts the traded sessions from the peak to the recovery, or to the end of the window.
    """

    depth: Decimal
    peak_total: Decimal
    peak: date
    low: date
    recovered: date | None
    length: int


class _Fall(Struct, frozen=True):
    """Drawdown by the numbers of its sessions."""

    depth: Decimal
    peak_total: Decimal
    peak: int
    low: int
    end: int
    is_recovered: bool


def worst_drawdowns(
    sessions: Sequence[tuple[date, Tally]], changes_of: ReadChanges, most: int = 5
) -> tuple[Drawdown, ...]:
    """Return the deepest falls of consecutive sessions, the deepest first."""
    paths: dict[int, list[Decimal]] = {}
    at_once = most
    with exact():
        unsure = _unsure(sessions)
        while True:
            falls = sorted(_falls(sessions, paths), key=lambda one: (-one.depth, one.peak, one.low))[:most]
            least = falls[-1].depth if len(falls) == most else ZERO
            unread = [
                number
                for number, (deepest, is_touching) in unsure.items()
                if number not in paths
                and (any(one.peak <= number <= one.end for one in falls) if is_touching else deepest > least)
            ]
            if not unread:
                return tuple(_drawdown(sessions, fall) for fall in falls)
            for number in sorted(unread, key=lambda one: -unsure[one][0])[:at_once]:
                paths[number] = list(changes_of(sessions[number][0]))
            at_once *= 2


def _drawdown(sessions: Sequence[tuple[date, Tally]], fall: _Fall) -> Drawdown:
    peak, low, end = (sessions[number][0] for number in (fall.peak, fall.low, fall.end))
    recovered = end if fall.is_recovered else None
    return Drawdown(fall.depth, fall.peak_total, peak, low, recovered, fall.end - fall.peak)


def _unsure(sessions: Sequence[tuple[date, Tally]]) -> dict[int, tuple[Decimal, bool]]:
    """Return the sessions that reach the high and fall too: their deepest drawdown, and whether they only touch it."""
    total = high = ZERO
    found = {}
    for number, (_, tally) in enumerate(sessions):
        curve = tally.curve
        deepest = max(curve.drawdown, high - (total + curve.low))
        if total + curve.high >= high and deepest:
            found[number] = (deepest, not curve.high)
        high = max(high, total + curve.high)
        total += curve.net
    return found


def _falls(sessions: Sequence[tuple[date, Tally]], paths: dict[int, list[Decimal]]) -> Iterator[_Fall]:
    """Yield every fall; a session with a new high whose fills are not read ends one and starts the next."""
    total = high = depth = ZERO
    peak = low = 0
    for number, (_, tally) in enumerate(sessions):
        for step in paths[number] if number in paths else _steps(total, high, tally):
            total += step
            if total >= high:
                if depth:
                    yield _Fall(depth, high, peak, low, number, True)
                high, peak, low, depth = total, number, number, ZERO
            elif high - total > depth:
                depth, low = high - total, number
    if depth:
        yield _Fall(depth, high, peak, low, len(sessions) - 1, False)


def _steps(total: Decimal, high: Decimal, tally: Tally) -> tuple[Decimal, Decimal]:
    """Return a session as its highest or lowest value, and the rest."""
    curve = tally.curve
    extreme = curve.high if curve.high and total + curve.high >= high else curve.low
    return extreme, curve.net - extreme
