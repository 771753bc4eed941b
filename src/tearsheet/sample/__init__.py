"""Sample data generated from a seed: for `tearsheet demo`, tests and `make bench`.

Part of the package, because `tearsheet demo` must work from a wheel.
"""

from tearsheet.sample.account import SampleReport, write_limits, write_sample
from tearsheet.sample.bulk import write_fills_csv, write_log
from tearsheet.sample.currencies import CurrenciesSample, write_currencies

__all__ = [
    "CurrenciesSample",
    "SampleReport",
    "write_currencies",
    "write_fills_csv",
    "write_limits",
    "write_log",
    "write_sample",
]
