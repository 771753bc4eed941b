"""Import path of Tearsheet in a trading bot: tracker, alerts and summary types."""

from tearsheet.app.alerts.evaluator import AlertEvaluator
from tearsheet.performance.summary import PerformanceSummary
from tearsheet.rules import AlertEvent
from tearsheet.tracker import PerformanceTracker

__all__ = ["AlertEvaluator", "AlertEvent", "PerformanceSummary", "PerformanceTracker"]
