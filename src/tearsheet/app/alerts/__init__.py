"""Alerts: evaluation, alerts file and webhook delivery."""
