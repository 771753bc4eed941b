"""Tallies add up: identity, associativity, and the same as counting everything by hand."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import reduce
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tearsheet.performance.tally import Curve, Streaks, Tally, merge
from tearsheet.trade.amount import exact
from tearsheet.trade.event import CASH
from tearsheet.trade.fill import Side
from tearsheet.trade.position import Booking, Position
from tests.support.laws import examples

T = datetime(2026, 3, 2, 9, tzinfo=UTC)


def scaled(low: int, high: int, places: int) -> st.SearchStrategy[Decimal]:
    """Decimals of so many places; far quicker to draw than `st.decimals`."""
    return st.integers(low, high).map(lambda digits: Decimal(digits).scaleb(-places))


amounts = scaled(-(10**18), 10**18, 6) | st.integers(-2, 2).map(Decimal)
trades = st.tuples(
    amounts,
    scaled(-300, 300, 2),
    st.none() | st.integers(0, 10**7),
    st.none() | scaled(10, 900, 2),
    st.none() | scaled(100, 9900, 2),
    st.sampled_from([None, "PAPER", "LIVE"]),
)


def rows(drawn: list[tuple]) -> list[tuple[Booking, Position]]:  # type: ignore[type-arg]
    made = []
    for n, (gross, fees, held, planned, stop, mode) in enumerate(drawn):
        at = T + timedelta(seconds=n)
        booking = Booking(
            f"p{n}", "A", "X", "USD", at, 0, f"k{n}", 0, Decimal(-2), Decimal(100), gross, fees, True
        )
        position = Position(
            f"p{n}",
            "A",
            "X",
            "USD",
            Decimal(1),
            Side.BUY,
            None,
            at,
            at,
            0,
            f"k{n}",
            Decimal(2),
            Decimal(2),
            Decimal(0),
            Decimal(200),
            Decimal(0),
            Decimal(0),
            gross,
            fees,
            1,
            None,
            stop,
            None,
            planned,
            mode,
            None if held is None else timedelta(microseconds=held),
        )
        made.append((booking, position))
    return made


def tally(drawn: list[tuple], band: str = "0", breaks: bool = False) -> Tally:  # type: ignore[type-arg]
    made = rows(drawn)
    return Tally.from_bookings([b for b, _ in made], [p for _, p in made], Decimal(band), breaks)


@examples(1200)
@given(
    st.lists(trades, max_size=5), st.lists(trades, max_size=5), st.lists(trades, max_size=5), st.booleans()
)
def test_adding_is_associative_and_the_empty_tally_changes_nothing(
    a: list, b: list, c: list, breaks: bool
) -> None:  # type: ignore[type-arg]
    x, y, z = (tally(part, "0.5", breaks) for part in (a, b, c))
    assert (x + y) + z == x + (y + z)
    assert Tally() + x == x == x + Tally()
    assert merge([x, y, z]) == x + y + z


@examples(1200)
@given(st.lists(trades, max_size=25), st.integers(0, 25), st.booleans())
def test_a_sum_of_parts_is_the_whole_counted_by_hand(drawn: list, cut: int, breaks: bool) -> None:  # type: ignore[type-arg]
    summed = tally(drawn[:cut], "0.5", breaks) + tally(drawn[cut:], "0.5", breaks)
    assert summed == tally(drawn, "0.5", breaks)
    nets = [Fraction(gross) - Fraction(fees) for gross, fees, *_ in drawn]
    wins = [n for n in nets if n > Fraction(1, 2)]
    losses = [n for n in nets if n < -Fraction(1, 2)]
    assert (summed.wins, summed.losses, summed.closed) == (len(wins), len(losses), len(nets))
    assert summed.breakevens == len(nets) - len(wins) - len(losses)
    assert (Fraction(summed.won), Fraction(summed.lost)) == (sum(wins), sum(losses))
    assert Fraction(summed.closed_net) == Fraction(summed.curve.net) == sum(nets)
    assert summed.largest_win == (max(wins) if wins else None)
    assert summed.largest_loss == (min(losses) if losses else None)
    assert summed.fills == len(nets)
    assert summed.quantity == 2 * len(nets)
    assert Fraction(summed.curve.drawdown) == deepest_fall(nets)
    planned = [p for _, _, _, p, _, _ in drawn if p is not None]
    assert (summed.planned_sum, summed.planned_count) == (sum(planned), len(planned))
    assert (summed.paper, summed.live) == tuple(sum(d[5] == m for d in drawn) for m in ("PAPER", "LIVE"))


def deepest_fall(nets: list[Fraction]) -> Fraction:
    """Every pair of moments, the first one being the start at 0."""
    curve = [sum(nets[:n], Fraction(0)) for n in range(len(nets) + 1)]
    return max((a - b for n, a in enumerate(curve) for b in curve[n:]), default=Fraction(0))


@examples(1500)
@given(st.lists(st.sampled_from([1, -1, 0]), max_size=20), st.integers(0, 20))
def test_streaks_equal_a_scan(outcomes: list[int], cut: int) -> None:
    summed = Streaks.from_outcomes(outcomes[:cut]) + Streaks.from_outcomes(outcomes[cut:])
    assert summed == Streaks.from_outcomes(outcomes)
    runs: list[list[int]] = []
    for outcome in outcomes:
        if runs and runs[-1][0] == outcome:
            runs[-1].append(outcome)
        else:
            runs.append([outcome])
    assert summed.count == len(outcomes)
    assert summed.last_length == (len(runs[-1]) if runs else 0)
    assert summed.first_length == (len(runs[0]) if runs else 0)
    if runs:
        assert (summed.first, summed.last) == (outcomes[0], outcomes[-1])
    assert summed.longest_win == max((len(r) for r in runs if r[0] == 1), default=0)
    assert summed.longest_loss == max((len(r) for r in runs if r[0] == -1), default=0)


@examples(800)
@given(st.lists(amounts, max_size=10), st.lists(amounts, max_size=10))
def test_curves_add(a: list[Decimal], b: list[Decimal]) -> None:
    assert Curve.from_amounts(a) + Curve.from_amounts(b) == Curve.from_amounts(a + b)


def test_order_matters_to_a_curve() -> None:
    up, down = Curve.from_amounts([Decimal(5)]), Curve.from_amounts([Decimal(-3)])
    assert (up + down).high == 5
    assert (down + up).high == 2
    assert (up + down).drawdown == (down + up).drawdown == 3


def test_a_breakeven_neither_extends_nor_breaks_unless_it_shall() -> None:
    drawn = [(Decimal(n), Decimal(0), None, None, None, None) for n in (5, 0, 5, -5, 0)]
    assert tally(drawn).streaks == Streaks(3, 1, 2, -1, 1, 2, 1)
    assert tally(drawn, breaks=True).streaks.last == 0
    assert tally(drawn, breaks=True).streaks.longest_win == 1


def test_holding_times_are_those_of_wins_and_losses_that_have_one() -> None:
    drawn = [
        (Decimal(n), Decimal(0), held, None, None, None)
        for n, held in ((5, 1000), (5, None), (-5, 3000), (0, 777))
    ]
    found = tally(drawn)
    assert (found.win_held_us, found.win_held_count) == (1000, 1)
    assert (found.loss_held_us, found.loss_held_count) == (3000, 1)


def test_r_is_net_over_risk() -> None:
    found = tally([(Decimal(11), Decimal(1), None, None, Decimal(99), None)])  # risk |200 − 99 × 2| = 2
    assert (found.r_sum, found.r_squares, found.r_count) == (5, 25, 1)


@given(st.lists(trades, max_size=5))
def test_a_tally_survives_being_kept(drawn: list) -> None:  # type: ignore[type-arg]
    found = tally(drawn)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Tally) == found


def test_a_year_is_its_sessions() -> None:
    parts = [tally([(Decimal(n), Decimal(1), n, None, None, None)]) for n in range(-180, 185)]
    assert merge(parts) == reduce(lambda a, b: a + b, parts)
    assert merge([]) == Tally()
    with pytest.raises(AttributeError):
        parts[0].wins = 3  # type: ignore[misc]


def deepest_share(balance: Decimal, amounts: list[Decimal]) -> Fraction:
    """The deepest fall from a high as a share of it, by a scan of the path."""
    high = total = balance
    deepest = Fraction(0)
    for amount in amounts:
        total += amount
        high = max(high, total)
        deepest = max(deepest, Fraction(high - total) / Fraction(high))
    return deepest


@examples(300)
@given(
    st.lists(st.integers(-40, 40).map(Decimal), max_size=25),
    st.lists(st.integers(0, 25), max_size=3),
    st.integers(1, 500),
)
def test_the_falls_of_a_curve_tell_the_deepest_share_of_any_balance(
    drawn: list[Decimal], cuts: list[int], balance: int
) -> None:
    """The kind: a number in money and one in percent, of two different paths (R10): both are by fill."""
    places = sorted({0, *(min(cut, len(drawn)) for cut in cuts), len(drawn)})
    parts = [Curve.from_amounts(drawn[a:b]) for a, b in pairwise(places)]
    joined = reduce(lambda one, later: one + later, parts, Curve())
    assert joined == Curve.from_amounts(drawn)
    shares = [Fraction(depth) / Fraction(balance + high) for high, depth in joined.falls]
    assert max(shares, default=Fraction(0)) == deepest_share(Decimal(balance), drawn)
    assert max((depth for _, depth in joined.falls), default=Decimal(0)) == joined.drawdown


# a fact of no money leaves no sums beside trading, so its instant is no point of the curve either
paid = st.tuples(st.sampled_from(sorted(CASH)), amounts.filter(bool))


@examples(100)
@given(st.lists(st.one_of(trades, paid), max_size=12), st.integers(0, 12))
def test_money_of_an_account_adds_up_over_any_cut(drawn: list[tuple], cut: int) -> None:  # type: ignore[type-arg]
    """What an account made and what came and went is the change of its balance, however the time is cut."""
    made = [
        Booking("", "A", "", "USD", T + timedelta(seconds=n), 0, f"c{n}", 0, Decimal(0), Decimal(0), Decimal(0),
                Decimal(0), False, event=one[0], cash=one[1])
        if len(one) == 2
        else rows([trades_at])[0][0]
        for n, one in enumerate(drawn)
        for trades_at in [one]
    ]  # fmt: skip
    whole = Tally.from_bookings(made)
    assert Tally.from_bookings(made[:cut]) + Tally.from_bookings(made[cut:]) == whole
    money = whole.money
    with exact():
        assert whole.result == whole.curve.net + money.income - money.costs - money.tax
        counted = [one for one in made if one.event != "credit"]
        assert whole.balance_change == sum((one.net + one.cash for one in counted), Decimal(0))
        assert whole.result_curve == Curve.from_amounts([one.result for one in made])
    assert whole.fills == sum(one.event is None for one in made)
    assert msgspec.json.decode(msgspec.json.encode(whole), type=Tally) == whole
