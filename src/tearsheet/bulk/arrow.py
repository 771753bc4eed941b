"""Arrow and Parquet of the extra `bulk`; they are imported with the first module that reads or writes a lake."""

from tearsheet.api.extras import load

_USE, EXTRA = "tearsheet bulk", "tearsheet[bulk]"
pa = load("pyarrow", _USE, EXTRA)
pc = load("pyarrow.compute", _USE, EXTRA)
fs = load("pyarrow.fs", _USE, EXTRA)
pq = load("pyarrow.parquet", _USE, EXTRA)
