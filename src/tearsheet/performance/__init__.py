"""Tallies of trading results, metrics computed from them, and the performance summary."""
