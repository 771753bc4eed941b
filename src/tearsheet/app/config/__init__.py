"""Editors for the settings, limits and targets files, with an audit log."""
