from typing import Any

from narwhals import DataFrame
from pandas import DataFrame as PandasFrame
from pandas import Series as PandasSeries
from polars import DataFrame as PolarsFrame
from pyarrow import Schema as ArrowSchema
from pyarrow import Table as ArrowTable

NarwhalsFrame = DataFrame[Any]

__all__ = ["ArrowSchema", "ArrowTable", "NarwhalsFrame", "PandasFrame", "PandasSeries", "PolarsFrame"]
