"""Readers of broker reports for reconciliation."""
