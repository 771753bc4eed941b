"""Rendering of pages and tear sheets: numbers by locale, labels, charts, tiles, static files."""
