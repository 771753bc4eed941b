"""Targets: what is judged, when, and what an alert says."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from tearsheet.performance.metric import METRICS, MetricScalar, MetricValue
from tearsheet.performance.summary import Freshness, PerformanceSummary, Scope, TradeLogCounts, WindowView
from tearsheet.rules import (
    TargetResult,
    Targets,
    episode_id,
    evaluate_rules,
    evaluate_targets,
    new_alert,
    rolling_rules,
    target_rules,
)

DAY = date(2026, 11, 20)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def summary(
    now: datetime = NOON, *, last: int | None = None, account: str | None = None, **values: MetricScalar
) -> PerformanceSummary:
    """A summary of a day with 10 trades whose metrics are None but for those given."""
    metrics = {name: MetricValue(None, 0, "not given") for name in METRICS}
    metrics["total_trades"] = MetricValue(10, 10)
    metrics["net_pnl"] = MetricValue(Decimal(1), 10)
    metrics |= {name: MetricValue(value, 10) for name, value in values.items()}
    start = datetime(2026, 11, 20, tzinfo=UTC)
    return PerformanceSummary(
        window=WindowView(
            "rolling" if last else "daily",
            DAY,
            DAY,
            str(DAY),
            "UTC",
            "00:00",
            start,
            start + timedelta(days=1),
            last,
        ),
        scope=Scope(account),
        currency="USD",
        message="ok",
        metrics=metrics,
        open_positions=0,
        days=(),
        partial=False,
        partial_reasons=(),
        missing_days=(),
        rejected_lines=0,
        trade_log=TradeLogCounts("auto", 0, 0),
        freshness=Freshness(1, now, None, None),
    )


def find(targets: Targets, found: PerformanceSummary, min_sample: int = 1) -> TargetResult:
    (finding,) = evaluate_rules(found, target_rules(targets), min_sample)
    return finding


TOMORROW = NOON + timedelta(days=1)


@pytest.mark.parametrize(
    ("targets", "metric", "kept", "missed"),
    [
        (Targets(win_rate_target=Decimal(60)), "win_rate", 0.6, 0.5999),
        (Targets(daily_pl_target=Decimal(500)), "average_daily_pnl", 500.0, 499.99),
        (Targets(daily_pl_target=Decimal(-500)), "average_daily_pnl", -500.0, -500.01),
        (Targets(trades_per_day_target=Decimal(5)), "trades_per_day", 5.0, 4.9),
        (Targets(max_drawdown_target=Decimal(-200)), "max_drawdown", Decimal(200), Decimal("200.01")),
        (Targets(avg_risk_reward_target=Decimal("1.5")), "average_risk_reward", 1.5, 1.49),
    ],
)
def test_each_target_is_met_at_its_value_and_missed_beyond(
    targets: Targets, metric: str, kept: MetricScalar, missed: MetricScalar
) -> None:
    for value, met in ((kept, True), (missed, False)):
        finding = find(targets, summary(TOMORROW, **{metric: value}))
        assert finding.variance.metric == metric
        assert finding.variance.met is met
        assert finding.is_missed is not met


def test_a_float_that_is_sixty_percent_keeps_sixty_percent() -> None:
    assert find(Targets(win_rate_target=Decimal("57.1")), summary(win_rate=0.571)).variance.met is True


def test_a_goal_of_the_day_waits_for_its_end_and_a_floor_does_not() -> None:
    goal = find(Targets(daily_pl_target=Decimal(500)), summary(average_daily_pnl=-20.0))
    assert (goal.variance.met, goal.variance.reason) == (None, "the period has not ended")
    assert goal.variance.variance == -520.0
    assert find(Targets(daily_pl_target=Decimal(-10)), summary(average_daily_pnl=-20.0)).is_missed
    assert find(Targets(trades_per_day_target=Decimal(5)), summary(trades_per_day=1.0)).variance.met is None


def test_an_empty_window_is_never_judged() -> None:
    empty = summary(TOMORROW, win_rate=0.0, max_drawdown=Decimal(999), total_trades=0)
    empty.metrics["net_pnl"] = MetricValue(Decimal(0), 0)
    everything = Targets(*[Decimal(1)] * 3, Decimal(-1), Decimal(1))
    assert [f.variance.reason for f in evaluate_rules(empty, target_rules(everything))] == [
        "no trades in this period"
    ] * 5


def test_a_thin_sample_is_not_judged_but_money_is() -> None:
    found = summary(win_rate=0.1, max_drawdown=Decimal(999))
    assert find(Targets(win_rate_target=Decimal(60)), found, 11).variance.reason == "10 of at least 11 trades"
    assert find(Targets(win_rate_target=Decimal(60)), found, 10).is_missed
    assert find(Targets(max_drawdown_target=Decimal(-1)), found, 11).is_missed


def test_an_undefined_metric_is_not_judged() -> None:
    finding = find(Targets(win_rate_target=Decimal(60)), summary())
    assert (finding.variance.met, finding.variance.reason, finding.variance.variance) == (
        None,
        "not given",
        None,
    )


def test_variance_of_exact_money_is_exact() -> None:
    found = find(Targets(max_drawdown_target=Decimal("-0.1")), summary(max_drawdown=Decimal("0.3")))
    assert found.variance.variance == Decimal("0.2")


def test_variance_of_a_ratio_has_no_float_noise() -> None:
    found = find(Targets(win_rate_target=Decimal(60)), summary(win_rate=0.571))
    assert found.variance.variance == Decimal("-0.029")


def test_a_target_keeps_all_its_digits() -> None:
    digits = "0.123456789012345678901234567890123456"
    (rule,) = target_rules(Targets(max_drawdown_target=Decimal(f"-{digits}")))
    assert rule.target_value == Decimal(digits)
    percent = Targets(win_rate_target=Decimal("1.23456789012345678901234567890123456"))
    assert target_rules(percent)[0].target_value == Decimal("0.0123456789012345678901234567890123456")


def test_a_summary_bears_the_variance_of_each_target() -> None:
    plan = Targets(win_rate_target=Decimal(60), max_drawdown_target=Decimal(-100))
    found = evaluate_targets(summary(win_rate=0.7, max_drawdown=Decimal(150)), plan)
    assert [(v.target, v.met, v.target_value) for v in found.targets] == [
        ("win_rate_target", True, Decimal("0.6")),
        ("max_drawdown_target", False, 100),
    ]
    assert found.value("win_rate") == 0.7


def test_a_message_writes_money_without_exponent() -> None:
    deep = summary(max_drawdown=Decimal("3E+2"))
    alert = new_alert(deep, find(Targets(max_drawdown_target=Decimal(-200)), deep), "x")
    assert alert.message.startswith("max_drawdown 300 is above 200")


def test_no_targets_no_rules_but_the_rolling_floor() -> None:
    assert target_rules(Targets()) == []
    ((trades, rule),) = rolling_rules(Targets(), 20)
    assert (trades, rule.name, rule.target_value) == (10, "risk_reward_breach", 1)
    assert [n for n, _ in rolling_rules(Targets(win_rate_target=Decimal(50)), 33)] == [10, 33]


def test_episodes_are_told_apart_by_window_and_scope_but_rolling_ones_go_on() -> None:
    rule = target_rules(Targets(win_rate_target=Decimal(60)))[0]
    assert episode_id(summary(), rule) == episode_id(summary(TOMORROW), rule)
    assert episode_id(summary(), rule) != episode_id(summary(account="A"), rule)
    assert episode_id(summary(), rule) != episode_id(summary(last=20), rule)
    assert episode_id(summary(last=20), rule) != episode_id(summary(last=10), rule)


def test_an_alert_says_what_is_wrong() -> None:
    found = summary(win_rate=0.25, account="A")
    finding = find(Targets(win_rate_target=Decimal(60)), found)
    alert = new_alert(found, finding, "0123456789abcdef")
    assert alert.message == "win_rate 0.2500 is below 0.60 (daily 2026-11-20, A)"
    assert (alert.actual, alert.target, alert.severity) == (Decimal("0.25"), Decimal("0.60"), "warning")
    assert (alert.window_start, alert.raised_at, alert.state) == ("2026-11-20", NOON, "raised")
    deep = summary(max_drawdown=Decimal(300))
    drawdown = new_alert(deep, find(Targets(max_drawdown_target=Decimal(-200)), deep), "x")
    assert drawdown.severity == "critical"
    assert drawdown.message == "max_drawdown 300 is above 200 (daily 2026-11-20, all accounts)"
    rolling = summary(last=20, win_rate=0.25)
    event = new_alert(rolling, find(Targets(win_rate_target=Decimal(60)), rolling), "x")
    assert (event.window, event.window_start) == ("rolling-20", None)
