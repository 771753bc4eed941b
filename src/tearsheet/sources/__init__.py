"""Readers of trade logs, statements and settings files; each broker format is a TOML layout, not a class."""
