"""The address of Tearsheet inside a trading bot: the same tracker, alerts and values."""

from tearsheet.app.alerts.evaluator import AlertEvaluator
from tearsheet.performance.summary import PerformanceSummary
from tearsheet.rules import AlertEvent
from tearsheet.tracker import PerformanceTracker

__all__ = ["AlertEvaluator", "AlertEvent", "PerformanceSummary", "PerformanceTracker"]
