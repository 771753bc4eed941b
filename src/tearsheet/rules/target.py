"""Targets of a window, their evaluation for a summary, and the alerts of missed targets.

A target is evaluated only if its metric is defined, its sample is large enough and, for a value that
a window has to reach, the window has ended. A window without trades is never evaluated.
"""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from tearsheet.performance.metric import MetricScalar, MetricValue
from tearsheet.performance.summary import PerformanceSummary, Variance
from tearsheet.trade.amount import exact
from tearsheet.trade.fill import digest

Direction = Literal["at_least", "at_most"]
Severity = Literal["warning", "critical"]
#: `raised` opens an alert; only those of limits are `escalated`, when a warning becomes a breach.
AlertState = Literal["raised", "escalated", "acknowledged", "resolved"]


#: Why an alert is over although its rule was not met again.
Resolution = Literal["limit_removed", "target_removed", "window_changed", "window_over"]


class Targets(Struct, frozen=True, forbid_unknown_fields=True):
    """Values of `config/dashboard-targets.yaml`; a target that is null is not evaluated.

    `win_rate_target` is in percent, `max_drawdown_target` is negative money. A negative
    `daily_pl_target` is a floor and evaluated immediately, a positive one after the end of the window.
    """

    win_rate_target: Decimal | None = None
    daily_pl_target: Decimal | None = None
    trades_per_day_target: Decimal | None = None
    max_drawdown_target: Decimal | None = None
    avg_risk_reward_target: Decimal | None = None


#: Used if there is no targets file; a log event reports it.
DEFAULT_TARGETS = Targets()

#: A risk/reward below this over the last trades raises `risk_reward_breach`, also without targets.
RISK_REWARD_FLOOR = Decimal(1)
RISK_REWARD_TRADES = 10


class Rule(Struct, frozen=True):
    """Comparison of a metric with a target value.

    `needs_min_sample`: evaluated only with `min_sample` trades. `only_when_ended`: evaluated only
    after the end of the window.
    """

    name: str
    target: str
    metric: str
    target_value: Decimal
    direction: Direction
    needs_min_sample: bool = False
    only_when_ended: bool = False


class AlertEvent(Struct, frozen=True, kw_only=True):
    """A `performance.alert` line: one per state change of an alert of a target or limit.

    `episode` is a hash of rule, window and scope; each time the rule is broken has its own `id`. `currency` is that
    of an amount of money, None in lines of older versions.
    """

    event: str = "performance.alert"
    id: str
    episode: str
    state: AlertState = "raised"
    rule: str
    window: str
    window_start: str | None
    window_end: str | None
    account: str | None
    metric: str
    actual: Decimal | None
    target: Decimal
    severity: Severity
    sample: int
    message: str
    raised_at: datetime
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    resolved_at: datetime | None = None
    note: str | None = None
    kind: Literal["target", "limit", "objective"] = "target"
    escalated_at: datetime | None = None
    breach_id: str | None = None
    resolution: Resolution | None = None
    currency: str | None = None


class TargetResult(Struct, frozen=True):
    """Evaluation of a rule for a summary, with the episode of its alert."""

    rule: Rule
    variance: Variance
    sample: int
    episode: str

    @property
    def is_missed(self) -> bool:
        """Return whether the target is missed; False while it is not evaluated."""
        return self.variance.met is False


#: target, its rule, its metric, the direction that meets it, whether a minimum sample is needed
_TARGET_RULE_ROWS: tuple[tuple[str, str, str, Direction, bool], ...] = (
    ("win_rate_target", "win_rate_breach", "win_rate", "at_least", True),
    ("daily_pl_target", "daily_pl_breach", "average_daily_pnl", "at_least", False),
    ("trades_per_day_target", "trades_per_day_breach", "trades_per_day", "at_least", False),
    ("max_drawdown_target", "max_drawdown_breach", "max_drawdown", "at_most", False),
    ("avg_risk_reward_target", "avg_risk_reward_breach", "average_risk_reward", "at_least", True),
)


#: The name of every rule of a target.
TARGET_RULES = (*(name for _, name, *_ in _TARGET_RULE_ROWS), "rolling_win_rate_breach", "risk_reward_breach")


def target_rules(targets: Targets) -> list[Rule]:
    """Return the rules of all targets that are set."""
    rules = []
    for target, name, metric, direction, needs_sample in _TARGET_RULE_ROWS:
        value: Decimal | None = getattr(targets, target)
        if value is None:
            continue
        only_when_ended = target == "trades_per_day_target" or (target == "daily_pl_target" and value > 0)
        target_value = _target_value(target, value)
        rules.append(Rule(name, target, metric, target_value, direction, needs_sample, only_when_ended))
    return rules


def _target_value(target: str, value: Decimal) -> Decimal:
    """Convert a target to the unit of its metric: a percentage to a ratio, a drawdown to an amount."""
    with exact():
        if target == "win_rate_target":
            return value.scaleb(-2)
        return abs(value) if target == "max_drawdown_target" else value


def rolling_rules(targets: Targets, rolling_window: int) -> list[tuple[int, Rule]]:
    """Return rules over the last N closed trades: win rate, and risk/reward of the last 10 below 1."""
    rules = [
        (
            RISK_REWARD_TRADES,
            Rule(
                "risk_reward_breach",
                "risk_reward_floor",
                "average_risk_reward",
                RISK_REWARD_FLOOR,
                "at_least",
                needs_min_sample=True,
            ),
        )
    ]
    if targets.win_rate_target is not None:
        target_value = _target_value("win_rate_target", targets.win_rate_target)
        rule = Rule(
            "rolling_win_rate_breach",
            "win_rate_target",
            "win_rate",
            target_value,
            "at_least",
            needs_min_sample=True,
        )
        rules.append((rolling_window, rule))
    return rules


def evaluate_rules(
    summary: PerformanceSummary, rules: Iterable[Rule], min_sample: int = 1
) -> list[TargetResult]:
    """Evaluate rules for a summary, in order."""
    return [_evaluate(summary, rule, min_sample) for rule in rules]


def evaluate_targets(
    summary: PerformanceSummary, targets: Targets, min_sample: int = 1
) -> PerformanceSummary:
    """Return the summary with the variance of each target."""
    results = evaluate_rules(summary, target_rules(targets), min_sample)
    return replace(summary, targets=tuple(result.variance for result in results))


def _evaluate(summary: PerformanceSummary, rule: Rule, min_sample: int) -> TargetResult:
    metric = summary.metrics[rule.metric]
    reason = _reason_not_evaluated(summary, rule, metric, min_sample)
    met = None if reason else _is_met(rule, metric.value)
    variance = Variance(
        target=rule.target,
        metric=rule.metric,
        actual=metric.value,
        target_value=rule.target_value,
        variance=_difference(metric.value, rule.target_value),
        met=met,
        reason=reason,
    )
    return TargetResult(rule, variance, metric.n, episode_id(summary, rule))


def _reason_not_evaluated(
    summary: PerformanceSummary, rule: Rule, metric: MetricValue, min_sample: int
) -> str | None:
    """Return the reason why a rule cannot be evaluated now, None if it can."""
    if summary.is_empty:
        return "no trades in this period"
    if metric.value is None:
        return metric.reason
    if rule.needs_min_sample and metric.n < min_sample:
        return f"{metric.n} of at least {min_sample} trades"
    if rule.only_when_ended and summary.freshness.as_of < summary.window.ends_at:
        return "the period has not ended"
    return None


def _is_met(rule: Rule, value: MetricScalar) -> bool:
    actual = _decimal(value)
    return actual >= rule.target_value if rule.direction == "at_least" else actual <= rule.target_value


def _difference(value: MetricScalar, target_value: Decimal) -> Decimal | None:
    if value is None or isinstance(value, str):
        return None
    with exact():
        return _decimal(value) - target_value


def _decimal(value: MetricScalar) -> Decimal:
    """Convert to Decimal; a float by its shortest text, so that 0.6 meets a target of 60%."""
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(str(value))


def episode_id(summary: PerformanceSummary, rule: Rule) -> str:
    """Return the episode of a rule in the summary's window and scope.

    A calendar window has one episode. A rolling window has the same episode at all times; the
    caller numbers its alerts.
    """
    window, scope = summary.window, summary.scope
    rolling = window.last_trades is not None
    parts = (
        rule.name,
        window.kind if not rolling else f"rolling-{window.last_trades}",
        "" if rolling else window.start.isoformat(),
        "" if rolling else window.end.isoformat(),
        scope.account or "",
        scope.strategy or "",
        scope.symbol or "",
        scope.mode or "",
        summary.currency,
    )
    return digest("\0".join(parts))


def new_alert(summary: PerformanceSummary, result: TargetResult, alert_id: str) -> AlertEvent:
    """Create the event that raises an alert for a missed target."""
    rule, window = result.rule, summary.window
    rolling = window.last_trades is not None
    kind = f"rolling-{window.last_trades}" if rolling else window.kind
    return AlertEvent(
        id=alert_id,
        episode=result.episode,
        rule=rule.name,
        window=kind,
        window_start=None if rolling else window.start.isoformat(),
        window_end=None if rolling else window.end.isoformat(),
        account=summary.scope.account,
        metric=rule.metric,
        actual=_decimal(result.variance.actual),
        target=rule.target_value,
        severity="critical" if rule.metric in ("max_drawdown", "average_daily_pnl") else "warning",
        sample=result.sample,
        message=_message(rule, result.variance.actual, kind, window.label, summary.scope.label),
        raised_at=summary.freshness.as_of,
        currency=summary.currency,
    )


def _message(rule: Rule, actual: MetricScalar, kind: str, label: str, scope: str) -> str:
    side = "below" if rule.direction == "at_least" else "above"
    value = f"{actual:.4f}" if isinstance(actual, float) else f"{_decimal(actual):f}"
    where = f"{label}" if kind.startswith("rolling") else f"{kind} {label}"
    return f"{rule.metric} {value} is {side} {rule.target_value:f} ({where}, {scope})"


def obsolete_reason(
    alert: AlertEvent, targets: Targets, rolling_window: int, today: date, raised_on: date
) -> Resolution | None:
    """Return why an open alert of a target is over whatever its metric, or None.

    Its target was removed, the number of trades of its rolling rule was changed, or its window is over. An alert
    that is raised after the end of its window lasts for the trading day `raised_on`.
    """
    rolling = [(f"rolling-{trades}", rule.name) for trades, rule in rolling_rules(targets, rolling_window)]
    if alert.rule not in {name for _, name in rolling} | {rule.name for rule in target_rules(targets)}:
        return "target_removed"
    if alert.window_end is None:
        return None if (alert.window, alert.rule) in rolling else "window_changed"
    return "window_over" if max(date.fromisoformat(alert.window_end), raised_on) < today else None
