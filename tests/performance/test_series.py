"""What charts are drawn of agrees with the tallies and metrics of the same rows, to the digit."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tearsheet.performance.breakdown import GROUPINGS, breakdown, tally_closed_trades
from tearsheet.performance.calendar import calendar_results
from tearsheet.performance.closed_trade import ClosedTrade
from tearsheet.performance.comparison import compare
from tearsheet.performance.distribution import distribution
from tearsheet.performance.metric import METRICS, MetricInput, compute_all
from tearsheet.performance.rolling import rolling_metrics, wilson
from tearsheet.performance.series import daily_curve, fill_curve
from tearsheet.performance.tally import Curve, Tally, merge
from tearsheet.trade.amount import exact
from tearsheet.trade.position import Booking, outcome_of

MONDAY = date(2026, 11, 16)
NINE = datetime(2026, 11, 16, 9, tzinfo=UTC)

amounts = st.integers(-(10**9), 10**9).map(lambda cents: Decimal(cents).scaleb(-2))


def closing(net: Any, **more: Any) -> ClosedTrade:
    """A closed long of 1 X, on Monday at nine, unless said otherwise."""
    amount = Decimal(net)
    return ClosedTrade(
        **{
            "id": "p",
            "account": "A",
            "symbol": "X",
            "strategy": None,
            "side": "long",
            "closed_at": NINE,
            "session": MONDAY,
            "hour": 9,
            "held": timedelta(minutes=7),
            "quantity": Decimal(1),
            "net": amount,
            "r": None,
            "outcome": outcome_of(amount),
            **more,
        }
    )


closings = st.lists(
    st.builds(
        closing,
        net=amounts,
        symbol=st.sampled_from("XYZ"),
        strategy=st.sampled_from([None, "orb", "<b>"]),
        side=st.sampled_from(["long", "short"]),
        session=st.integers(0, 20).map(lambda n: MONDAY + timedelta(days=n)),
        hour=st.integers(0, 23),
        held=st.none() | st.integers(0, 10**6).map(lambda s: timedelta(seconds=s)),
        quantity=st.integers(1, 10**9).map(lambda n: Decimal(n).scaleb(-4)),
    ),
    max_size=40,
)


@given(closings, st.sampled_from(list(GROUPINGS)))
def test_each_closed_position_is_in_one_group(found: list[ClosedTrade], by: str) -> None:
    groups = breakdown(found, by)
    with exact():
        assert sum((g.closed_pnl for g in groups), Decimal(0)) == sum((c.net for c in found), Decimal(0))
    assert sum(g.trades for g in groups) == len(found)
    assert len({g.label for g in groups}) == len(groups)
    for g in groups:
        assert g.trades == g.winning_trades + g.losing_trades + g.breakeven_trades
        assert g.win_rate == g.winning_trades / g.trades


def test_groups_stand_in_their_order() -> None:
    sizes = [closing(1, quantity=Decimal(q)) for q in ("0.03", "1", "4.99", "5", "12", "1999")]
    assert [g.label for g in breakdown(sizes, "size")] == [
        "0.02 to under 0.05",
        "1 to under 2",
        "2 to under 5",
        "5 to under 10",
        "10 to under 20",
        "1000 to under 2000",
    ]
    held = [closing(1, held=None if m is None else timedelta(minutes=m)) for m in (None, 2000, 5, 0, 61, 4.9)]
    assert [(g.label, g.trades) for g in breakdown(held, "held")] == [
        ("under 1 min", 1),
        ("1 to 5 min", 1),
        ("5 to 15 min", 1),
        ("1 to 4 h", 1),
        ("1 day or more", 1),
        ("not stated", 1),
    ]
    symbols = [closing(-5, symbol="A"), closing(7, symbol="Z"), closing(1, symbol="A")]
    assert [g.label for g in breakdown(symbols, "symbol")] == ["Z", "A"]
    assert breakdown([], "hour") == ()


@given(st.lists(amounts, max_size=200))
def test_bins_hold_every_result_once(values: list[Decimal]) -> None:
    found = distribution(values)
    assert found.n == len(values) == sum(b.count for b in found.bins)
    for left, right in zip(found.bins, found.bins[1:], strict=False):
        assert left.high == right.low
    for b in found.bins:
        inside = [v for v in values if (b.low is None or v >= b.low) and (b.high is None or v < b.high)]
        assert len(inside) == b.count
    if values:
        assert len(found.bins) <= 32
        ordered = sorted(values)
        assert ordered[(len(values) - 1) // 2] <= (found.median or 0) <= ordered[len(values) // 2]


def test_a_lone_giant_does_not_hide_the_rest() -> None:
    values = [Decimal(n) for n in range(200)] + [Decimal(10**9)]
    found = distribution(values)
    assert found.width == 10
    assert (found.bins[-1].low, found.bins[-1].high) == (190, None)
    assert distribution([Decimal(3)]).bins[0].low == 3


# scipy.stats.binomtest(k, n).proportion_ci(method="wilson"), with z = 1.96
@pytest.mark.parametrize(
    ("wins", "n", "low", "high"),
    [(5, 10, "0.2365931", "0.7634069"), (0, 20, "0", "0.1611"), (30, 50, "0.46180", "0.72395")],
)
def test_the_band_of_a_win_rate_is_wilsons(wins: int, n: int, low: str, high: str) -> None:
    for found, expected in zip(wilson(wins, n), (low, high), strict=True):
        assert abs(found - Decimal(expected)) < Decimal("0.0001")


@given(st.lists(amounts.map(closing), min_size=1, max_size=60), st.integers(1, 20))
def test_a_rolling_point_is_the_rate_of_its_own_trades(found: list[ClosedTrade], n: int) -> None:
    points = rolling_metrics(found, n)
    assert len(points) == max(0, len(found) - n + 1)
    for point in points:
        its = tally_closed_trades(found[point.number - n : point.number])
        assert abs(point.win_rate - Decimal(its.wins) / n) < Decimal("1E-7")
        assert 0 <= point.win_rate_low <= point.win_rate <= point.win_rate_high <= 1
        assert abs(point.expectancy - its.closed_net / n) < Decimal("1E-6")
        assert (point.expectancy_low is None) == (n == 1)
        if n > 1 and point.expectancy_low is not None and point.expectancy_high is not None:
            assert point.expectancy_low <= point.expectancy <= point.expectancy_high


def test_rolling_points_are_thinned_and_the_last_stays() -> None:
    found = [closing(n) for n in range(1000)]
    points = rolling_metrics(found, 10, max_points=100)
    assert 90 <= len(points) <= 100
    assert points[-1].number == 1000


def sessions(nets: list[list[Decimal]]) -> list[tuple[date, Tally]]:
    """A session for each list of booked amounts, a day apart."""
    return [
        (MONDAY + timedelta(days=n), Tally(fills=len(day), curve=Curve.from_amounts(day)))
        for n, day in enumerate(nets)
    ]


days = st.lists(st.lists(amounts, min_size=1, max_size=5), max_size=30)


@given(days)
def test_the_curve_ends_at_the_net_and_its_deepest_fall_is_the_metric(nets: list[list[Decimal]]) -> None:
    known = sessions(nets)
    whole = merge(tally for _, tally in known)
    points = daily_curve(known)
    assert max((p.max_drawdown for p in points), default=Decimal(0)) == whole.curve.drawdown
    assert (points[-1].total if points else 0) == whole.curve.net
    assert all(0 <= p.drawdown <= p.max_drawdown for p in points)


@given(days)
def test_days_weeks_and_months_add_up_to_the_window(nets: list[list[Decimal]]) -> None:
    known = sessions(nets)
    found = calendar_results(MONDAY, MONDAY + timedelta(days=41), known)
    for parts in (found.days, found.weeks, found.months):
        with exact():
            assert sum((p.net_pnl for p in parts), Decimal(0)) == found.total.net_pnl
    assert found.total.days_traded == len(known)
    assert [w.start.weekday() for w in found.weeks] == [0] * 6


def test_a_week_at_the_edge_is_whole_and_the_total_is_of_the_window() -> None:
    sunday, tally = date(2026, 11, 1), Tally(curve=Curve.from_amounts([Decimal(5)]))
    friday_before = date(2026, 10, 30)
    found = calendar_results(sunday, date(2026, 11, 30), [(friday_before, tally), (sunday, tally)])
    assert (found.weeks[0].start, found.weeks[0].net_pnl) == (date(2026, 10, 26), 10)
    assert (found.total.net_pnl, [d.start for d in found.days]) == (5, [sunday])
    assert [(m.start, m.end) for m in found.months] == [(sunday, date(2026, 11, 30))]


def booking(n: int, gross: Decimal) -> Booking:
    at = NINE + timedelta(seconds=n)
    return Booking(
        f"p{n}", "A", "X", "USD", at, 0, f"k{n}", 0, Decimal(1), Decimal(1), gross, Decimal(1), False
    )


@given(st.lists(amounts, max_size=80))
def test_a_thinned_line_keeps_its_end_and_its_extremes(nets: list[Decimal]) -> None:
    rows = [booking(n, net) for n, net in enumerate(nets)]
    full, thin = fill_curve(rows), fill_curve(rows, max_points=10)
    assert len(full) == len(nets)
    assert [p.total for p in full] == sorted([p.total for p in full], key=[p.total for p in full].index)
    if nets:
        assert thin[-1] == full[-1]
        assert {min(p.total for p in full), max(p.total for p in full)} <= {p.total for p in thin}


def test_a_comparison_says_which_is_better() -> None:
    good = compute_all(MetricInput(Tally(fills=2, wins=1, won=Decimal(5), closed_net=Decimal(5))))
    bad = compute_all(
        MetricInput(
            Tally(
                fills=2,
                losses=1,
                lost=Decimal(-5),
                closed_net=Decimal(-5),
                curve=Curve.from_amounts([Decimal(-5)]),
                fees=Decimal(2),
            )
        )
    )
    found = {c.metric: c for c in compare(good, bad)}
    assert list(found) == list(METRICS)
    assert (found["closed_pnl"].change, found["closed_pnl"].is_better) == (10, True)
    assert (found["max_drawdown"].change, found["max_drawdown"].is_better) == (-5, True)
    assert (found["fees"].is_better, found["losing_trades"].is_better) == (True, True)
    assert (found["total_trades"].change, found["total_trades"].is_better) == (0, None)
    assert (found["profit_factor"].change, found["profit_factor"].is_better) == (None, None)
    assert all(c.change in (None, 0) for c in compare(bad, bad))
