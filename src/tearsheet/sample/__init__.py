"""Believable trading, made from a seed: for `tearsheet demo`, for tests and for `make bench`."""

from tearsheet.sample.account import SampleReport, write_limits, write_sample
from tearsheet.sample.bulk import write_fills_csv, write_log

__all__ = ["SampleReport", "write_fills_csv", "write_limits", "write_log", "write_sample"]
