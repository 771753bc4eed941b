"""Limit verdicts, breaches, guard heartbeats and replay."""
