"""PerformanceTracker and what it answers with; the floor that joins sources, ledger and performance."""

from tearsheet.tracker.tracking import PerformanceTracker

__all__ = ["PerformanceTracker"]
