"""Tearsheet: how the trading is going, exactly, at once, and against what was promised."""

__version__ = "0.1.0"
