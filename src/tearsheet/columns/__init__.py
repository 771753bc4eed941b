"""Fills as columns: the fold of many fills at the speed of C, with the same digits as `Book`."""
