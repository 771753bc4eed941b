"""Texts of any origin: encodings, lines, numbers, times and instrument names."""
