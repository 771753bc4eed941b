"""Imports of statements, trade logs and API requests; their previews, history and undo."""
