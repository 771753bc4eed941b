"""Metrics: defined or explained, and equal to what a calculator says."""

import math
from datetime import date, timedelta
from decimal import Decimal, localcontext
from statistics import mean, stdev

import pytest
from msgspec.structs import replace

from tearsheet.performance.metric import (
    METRICS,
    Day,
    MetricInput,
    MetricScalar,
    MetricValue,
    compute,
    compute_all,
)
from tearsheet.performance.tally import Curve, Streaks, Tally
from tearsheet.trade.amount import exact

MONDAY = date(2026, 11, 16)


def days(*nets: str) -> tuple[Day, ...]:
    return tuple(Day(MONDAY + timedelta(days=n), Decimal(net), 1, Decimal(net)) for n, net in enumerate(nets))


def full() -> MetricInput:
    """Five trades: +100, +50, −30, −20, 0."""
    tally = Tally(
        fills=10,
        gross=Decimal(110),
        fees=Decimal(10),
        quantity=Decimal(20),
        curve=Curve(Decimal(100), Decimal(150), Decimal(0), Decimal(50), ((Decimal(150), Decimal(50)),)),
        wins=2,
        losses=2,
        breakevens=1,
        won=Decimal(150),
        lost=Decimal(-50),
        closed_net=Decimal(100),
        largest_win=Decimal(100),
        largest_loss=Decimal(-30),
        planned_sum=Decimal(9),
        planned_count=4,
        r_sum=Decimal(6),
        r_squares=Decimal(14),
        r_count=3,
        win_held_us=90_000_000,
        win_held_count=2,
        loss_held_us=30_000_000,
        loss_held_count=1,
        streaks=Streaks(4, 1, 2, -1, 2, 2, 2),
    )
    return MetricInput(tally, days("150", "-30", "-20"), Decimal(1000))


def value(name: str, stretch: MetricInput | None = None) -> MetricScalar:
    return compute(METRICS[name], stretch or full()).value


def test_an_empty_stretch_is_zeros_and_reasons() -> None:
    found = compute_all(MetricInput(Tally()))
    zero = {name for name, m in found.items() if m.value is not None}
    assert zero == {
        "total_trades",
        "winning_trades",
        "losing_trades",
        "breakeven_trades",
        "net_pnl",
        "closed_pnl",
        "gross_profit",
        "gross_loss",
        "fees",
        "carry",
        "current_streak",
        "longest_win_streak",
        "longest_loss_streak",
        "max_drawdown",
        "quantity_traded",
        "sessions_traded",
        "winning_days",
        "result",
        "income",
        "costs",
        "tax",
        "flows",
        "converted",
    }
    assert all(not found[name].value for name in zero)
    assert all(m.reason and m.n == 0 for m in found.values() if m.value is None)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("total_trades", 5),
        ("winning_trades", 2),
        ("losing_trades", 2),
        ("breakeven_trades", 1),
        ("win_rate", 0.4),
        ("win_rate_decided", 0.5),
        ("net_pnl", Decimal(100)),
        ("closed_pnl", Decimal(100)),
        ("gross_profit", Decimal(150)),
        ("gross_loss", Decimal(-50)),
        ("fees", Decimal(10)),
        ("carry", Decimal(0)),
        ("average_win", 75.0),
        ("average_loss", -25.0),
        ("largest_win", Decimal(100)),
        ("largest_loss", Decimal(-30)),
        ("payoff_ratio", 3.0),
        ("profit_factor", 3.0),
        ("expectancy", 20.0),
        ("average_risk_reward", 2.25),
        ("average_r", 2.0),
        ("current_streak", 2),
        ("streak_type", "loss"),
        ("longest_win_streak", 2),
        ("longest_loss_streak", 2),
        ("max_drawdown", Decimal(50)),
        ("average_win_time", 45.0),
        ("average_loss_time", 30.0),
        ("quantity_traded", Decimal(20)),
        ("sessions_traded", 3),
        ("trades_per_day", 5 / 3),
        ("average_daily_pnl", 100 / 3),
        ("winning_days", 1),
        ("best_day", Decimal(150)),
        ("best_day_date", "2026-11-16"),
        ("worst_day", Decimal(-30)),
        ("worst_day_date", "2026-11-17"),
        ("max_drawdown_percent", 50 / 1150),
    ],
)
def test_values(name: str, expected: object) -> None:
    found = value(name)
    assert type(found) is type(expected)
    assert found == (pytest.approx(expected) if isinstance(expected, float) else expected)


def test_every_row_of_the_table_is_tried_above_or_below() -> None:
    assert {"sqn", "sharpe", "sortino", "calmar"} < set(METRICS)
    assert all(m.value is not None and m.reason is None for m in compute_all(full()).values())


def test_sqn_is_by_r() -> None:
    # R of 1, 2, 3: mean 2, standard deviation 1
    assert value("sqn") == pytest.approx(math.sqrt(3) * 2 / 1)


def test_daily_ratios_by_hand() -> None:
    returns = [150 / 1000, -30 / 1150, -20 / 1120]
    assert value("sharpe") == pytest.approx(mean(returns) / stdev(returns) * math.sqrt(252))
    downside = math.sqrt(sum(min(r, 0) ** 2 for r in returns) / 2)
    assert value("sortino") == pytest.approx(mean(returns) / downside * math.sqrt(252))
    growth = (1100 / 1000) ** (252 / 3) - 1
    assert value("calmar") == pytest.approx(growth / (50 / 1150))


def test_a_flow_changes_no_drawdown_within_a_day() -> None:
    falling = Day(MONDAY, Decimal(100), 1, Decimal(100))
    curves = {MONDAY: Curve.from_amounts(map(Decimal, (200, -150, 50)))}
    rising = Day(MONDAY + timedelta(days=1), Decimal(60), 1, Decimal(60))
    without = MetricInput(Tally(), (falling, rising), Decimal(1000), curves=curves)
    assert value("max_drawdown_percent", without) == pytest.approx(150 / 1200)
    for flow in (Decimal(1), Decimal(-400), Decimal(100_000)):
        moved = replace(rising, flows=flow, inflows=max(flow, Decimal(0)))
        assert value("max_drawdown_percent", replace(without, days=(falling, moved))) == pytest.approx(
            150 / 1200
        )
    # a fall over the night: its high is a share above what the next day begins with
    lower = Day(
        MONDAY + timedelta(days=1), Decimal(-220), 1, Decimal(-220), Decimal(1100), inflows=Decimal(1100)
    )
    fall = value("max_drawdown_percent", replace(without, days=(falling, lower)))
    assert fall == pytest.approx(1 - (1100 / 1200) * (1980 / 2200))


def unknown(name: str, stretch: MetricInput) -> MetricValue:
    found = compute(METRICS[name], stretch)
    assert found.value is None
    assert found.reason
    return found


def test_without_a_balance_there_are_no_daily_ratios() -> None:
    for name in ("sharpe", "sortino", "calmar", "max_drawdown_percent"):
        unknown(name, MetricInput(full().tally, full().days))
        unknown(name, MetricInput(full().tally, days("5"), Decimal(1000)))
        unknown(name, MetricInput(full().tally, days("-600", "-500"), Decimal(1000)))


def test_ratios_of_what_does_not_vary_are_none() -> None:
    flat = MetricInput(Tally(), days("0", "0", "0"), Decimal(1000))
    for name in ("sharpe", "sortino", "calmar"):
        unknown(name, flat)
    same = unknown("sqn", MetricInput(Tally(r_sum=Decimal(4), r_squares=Decimal(8), r_count=2)))
    assert same.reason == "all trades had the same R"
    rising = MetricInput(Tally(), days("1", "2"), Decimal(1000))
    unknown("sortino", rising)
    unknown("calmar", rising)


def test_equal_returns_have_no_deviation_for_floats_to_find() -> None:
    steady = MetricInput(full().tally, days("100", "110", "121"), Decimal(1000))
    assert unknown("sharpe", steady).reason == "every day had the same return"
    assert unknown("sortino", steady).reason == "no day had a loss"


def test_a_growth_beyond_all_numbers_is_none() -> None:
    wild = MetricInput(full().tally, days("40000", "-10"), Decimal(100))
    assert "beyond any number" in (unknown("calmar", wild).reason or "")
    assert value("sharpe", wild) is not None


def test_huge_multiples_have_an_sqn() -> None:
    # R of 10^178 and 3 × 10^178: mean 2, standard deviation √2
    r = Decimal("1E178")
    with exact():
        tally = Tally(r_sum=4 * r, r_squares=10 * r * r, r_count=2)
    assert value("sqn", MetricInput(tally)) == pytest.approx(2.0)


def test_metrics_do_not_depend_on_the_callers_context() -> None:
    outside = compute_all(full())
    with exact():
        assert compute_all(full()) == outside
    with localcontext(prec=3):
        assert compute_all(full()) == outside


def test_every_float_is_finite_and_every_none_says_why() -> None:
    huge = Tally(
        wins=1,
        losses=1,
        won=Decimal("1E70"),
        lost=Decimal("-1E-150"),
        r_count=2,
        largest_win=Decimal("1E70"),
        largest_loss=Decimal("-1E-150"),
        r_sum=Decimal("1E180"),
        r_squares=Decimal("1E360"),
    )
    for found in compute_all(MetricInput(huge, days("1E54", "-1E-18"), Decimal("1E-18"))).values():
        assert not isinstance(found.value, float) or math.isfinite(found.value)
        assert (found.value is None) is bool(found.reason)


def test_a_streak_can_be_of_breakevens_where_they_count() -> None:
    assert value("streak_type", MetricInput(Tally(streaks=Streaks(1, 0, 1, 0, 1)))) == "breakeven"


def test_equal_days_are_the_earliest() -> None:
    same = MetricInput(full().tally, days("5", "5", "-5", "-5"))
    assert (value("best_day_date", same), value("worst_day_date", same)) == ("2026-11-16", "2026-11-18")


def test_idle_days_are_no_days_traded() -> None:
    idle = MetricInput(full().tally, (Day.idle(MONDAY), *days("5")[:1]))
    assert value("sessions_traded", idle) == 1


def test_thin_samples_say_why() -> None:
    only_wins = MetricInput(Tally(wins=2, won=Decimal(5)))
    assert unknown("profit_factor", only_wins).reason == "no losing trades"
    assert unknown("payoff_ratio", only_wins).n == 0


def moved(n: int, result: str, flows: str, inflows: str) -> Day:
    return Day(
        MONDAY + timedelta(days=n),
        Decimal(0),
        0,
        Decimal(result),
        Decimal(flows),
        Decimal(0),
        Decimal(inflows),
    )


@pytest.mark.parametrize(
    ("start", "made", "total", "fall"),
    [
        # what came in during a day was at work on it, what went out left at its end
        ("10000", [moved(0, "-200", "5000", "5000")], -200 / 15000, 200 / 15000),
        ("100", [moved(0, "1", "9", "9")], 1 / 109, 0),
        ("100", [moved(0, "-2", "-50", "0"), moved(1, "1.2", "0", "0")], 0.98 * 1.025 - 1, 0.02),
        # a withdrawal is no fall
        ("10000", [moved(0, "1000", "0", "0"), moved(1, "0", "-5500", "0"), moved(2, "-275", "0", "0")], 0.045, 0.05),
        # an account that begins with a deposit, and rests without money after its last payout
        ("0", [moved(0, "10", "100", "100"), moved(1, "0", "-110", "0"), moved(2, "0", "0", "0")], 0.1, 0),
    ],
)  # fmt: skip
def test_returns_are_of_what_was_at_work(start: str, made: list[Day], total: float, fall: float) -> None:
    stretch = MetricInput(Tally(), tuple(made), Decimal(start))
    assert value("total_return", stretch) == pytest.approx(total, abs=1e-12)
    assert value("return_drawdown", stretch) == pytest.approx(fall, abs=1e-12)


def test_what_was_made_of_nothing_has_no_return() -> None:
    for made in (
        [moved(0, "5", "0", "0")],
        [moved(0, "-100", "100", "100")],
        [moved(0, "0", "-50", "0"), moved(1, "5", "0", "0"), moved(2, "0", "10", "10")],
    ):
        found = unknown("total_return", MetricInput(Tally(), tuple(made), Decimal(0)))
        assert (found.reason or "").startswith("no_balance")


def test_a_part_of_an_account_has_no_money_of_its_own() -> None:
    part = MetricInput(full().tally, full().days, None, is_account=False)
    for name in ("income", "costs", "tax", "result", "flows", "balance", "total_return", "sharpe"):
        assert (unknown(name, part).reason or "").startswith("account_only")
    assert value("net_pnl", part) == value("net_pnl")
