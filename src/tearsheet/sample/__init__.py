"""Sample data generated from a seed: for `tearsheet demo`, tests and `make bench`.

Part of the package, because `tearsheet demo` must work from a wheel.
"""

from tearsheet.sample.account import SampleReport, write_limits, write_sample
from tearsheet.sample.bulk import write_fills_csv, write_log

__all__ = ["SampleReport", "write_fills_csv", "write_limits", "write_log", "write_sample"]
