"""What was promised: targets of a window, limits of an account, and the verdict. Judging is pure.

The names of targets and alerts are offered here; limits and verdicts are imported from their own
modules, so that a summary starts without them.
"""

from tearsheet.rules.target import (
    DEFAULT_TARGETS,
    RISK_REWARD_FLOOR,
    RISK_REWARD_TRADES,
    AlertEvent,
    AlertState,
    Direction,
    Rule,
    Severity,
    TargetResult,
    Targets,
    episode_id,
    evaluate_rules,
    evaluate_targets,
    new_alert,
    rolling_rules,
    target_rules,
)

__all__ = [
    "DEFAULT_TARGETS",
    "RISK_REWARD_FLOOR",
    "RISK_REWARD_TRADES",
    "AlertEvent",
    "AlertState",
    "Direction",
    "Rule",
    "Severity",
    "TargetResult",
    "Targets",
    "episode_id",
    "evaluate_rules",
    "evaluate_targets",
    "new_alert",
    "rolling_rules",
    "target_rules",
]
