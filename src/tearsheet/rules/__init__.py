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
    Finding,
    Rule,
    Severity,
    Targets,
    beside_targets,
    episode_id,
    judge,
    raise_alert,
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
    "Finding",
    "Rule",
    "Severity",
    "Targets",
    "beside_targets",
    "episode_id",
    "judge",
    "raise_alert",
    "rolling_rules",
    "target_rules",
]
