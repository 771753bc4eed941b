"""Believable trading, made from a seed: for `tearsheet demo`, for tests and for `make bench`."""

from tearsheet.sample.account import SampleReport, state_limits, write_sample
from tearsheet.sample.bulk import write_fills_csv, write_log

__all__ = ["SampleReport", "state_limits", "write_fills_csv", "write_log", "write_sample"]
