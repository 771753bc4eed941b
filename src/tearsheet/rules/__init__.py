"""Targets of a window, limits of an account, breaches, verdicts and alerts: pure rules without I/O.

This module exports targets and alerts only. Limits and verdicts are imported from their modules, so
that `tearsheet summary` does not load them.
"""

from tearsheet.rules.target import (
    DEFAULT_TARGETS,
    RISK_REWARD_FLOOR,
    RISK_REWARD_TRADES,
    AlertEvent,
    AlertState,
    Direction,
    Resolution,
    Rule,
    Severity,
    TargetResult,
    Targets,
    episode_id,
    evaluate_rules,
    evaluate_targets,
    new_alert,
    obsolete_reason,
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
    "Resolution",
    "Rule",
    "Severity",
    "TargetResult",
    "Targets",
    "episode_id",
    "evaluate_rules",
    "evaluate_targets",
    "new_alert",
    "obsolete_reason",
    "rolling_rules",
    "target_rules",
]
