"""Worst drawdowns, found by reading few sessions, are those of the whole path."""

from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tearsheet.performance.drawdowns import worst_drawdowns
from tearsheet.performance.tally import Curve, Tally

FIRST = date(2026, 1, 5)


def brute_force(days: list[list[int]]) -> list[tuple[int, int, int, int | None, int]]:
    """Depth and the numbers of the sessions of peak, low, recovery, and the length, fill by fill."""
    total = high = depth = peak = low = 0
    found = []
    for number, amounts in enumerate(days):
        for amount in amounts:
            total += amount
            if total >= high:
                if depth:
                    found.append((depth, peak, low, number, number - peak))
                high, peak, low, depth = total, number, number, 0
            elif high - total > depth:
                depth, low = high - total, number
    if depth:
        found.append((depth, peak, low, None, len(days) - 1 - peak))
    return sorted(found, key=lambda one: (-one[0], one[1], one[2]))


def sessions_of(days: list[list[int]]) -> list[tuple[date, Tally]]:
    return [
        (FIRST + timedelta(days=number), Tally(curve=Curve.from_amounts(map(Decimal, amounts))))
        for number, amounts in enumerate(days)
    ]


@given(st.lists(st.lists(st.integers(-9, 9), min_size=1, max_size=6), max_size=25), st.integers(1, 6))
def test_they_are_those_of_the_whole_path(days: list[list[int]], most: int) -> None:
    def changes_of(day: date) -> list[Decimal]:
        return [Decimal(amount) for amount in days[(day - FIRST).days]]

    found = worst_drawdowns(sessions_of(days), changes_of, most)
    expected = brute_force(days)[:most]
    assert [one.depth for one in found] == [one[0] for one in expected]
    for one, (_, peak, low, recovered, length) in zip(found, expected, strict=True):
        shown = ((one.peak - FIRST).days, (one.low - FIRST).days, one.recovered, one.length)
        assert shown == (peak, low, None if recovered is None else FIRST + timedelta(days=recovered), length)


def test_few_sessions_are_read() -> None:
    days = [[5, -1, 4] for _ in range(200)]
    days[50] = [-40, 3]
    days[90], days[120], days[150], days[180] = [-30], [-25], [-28], [-22]
    read: list[date] = []

    def changes_of(day: date) -> list[Decimal]:
        read.append(day)
        return [Decimal(amount) for amount in days[(day - FIRST).days]]

    assert [one.depth for one in worst_drawdowns(sessions_of(days), changes_of)] == [40, 30, 28, 25, 22]
    assert len(read) <= 6
