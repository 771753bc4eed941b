"""Table: rows of a ledger as columns, handed to any library that reads Arrow."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any, Protocol

from tearsheet.api import streams, table_files
from tearsheet.api.extras import load
from tearsheet.api.frame_types import ArrowTable, NarwhalsFrame, PandasFrame, PandasSeries, PolarsFrame
from tearsheet.api.packing import Chunk, tuples, with_money
from tearsheet.app import arguments
from tearsheet.app.analysis.table_columns import Column
from tearsheet.errors import UsageError

_FIRST, _LAST, _WIDEST = 10, 5, 40
TYPE_NAMES = {
    "text": "string",
    "texts": "list<string>",
    "decimal": "decimal128(38, 18)",
    "float": "float64",
    "count": "int64",
    "flag": "bool",
    "time": "timestamp[us, UTC]",
    "date": "date32",
    "duration": "duration[us]",
}


class ArrowStream(Protocol):
    """Anything that hands out an Arrow stream: frames of polars, pandas and duckdb, and `Table`."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the stream as a capsule."""
        ...


class Table:
    """Rows that were read from a ledger, in a stated order; a result, not a frame.

    `of` says what they are of: name, scope, revision, partial or complete. It has no indexing and no arithmetic:
    hand it to polars, pandas, duckdb or pyarrow.
    """

    def __init__(self, name: str, columns: Sequence[Column], chunks: Iterable[Chunk], of: str) -> None:
        self._name, self._columns, self._chunks = name, tuple(columns), tuple(chunks)
        self.of = of

    def __len__(self) -> int:
        return sum(chunk.count for chunk in self._chunks)

    def __bool__(self) -> bool:
        return True

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return tuple(column.name for column in self._columns)

    @property
    def schema(self) -> dict[str, str]:
        """Return the Arrow type of each column."""
        return {column.name: TYPE_NAMES[column.type] for column in self._columns}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        names = self.columns
        for values in self._tuples():
            yield dict(zip(names, values, strict=True))

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the rows as dicts; amounts are Decimals unless the table was asked for otherwise."""
        return list(self)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        wanted = streams.granted(self._columns, requested_schema)
        return self._stream(wanted).__arrow_c_stream__()

    def __arrow_c_schema__(self) -> object:
        return streams.arrow_types(self._columns).__arrow_c_schema__()

    def to_arrow(self) -> ArrowTable:
        """Return a pyarrow table; amounts are decimal128(38, 18)."""
        pyarrow = load("pyarrow", "to_arrow()")
        return pyarrow.RecordBatchReader.from_stream(self).read_all()

    def to_polars(self) -> PolarsFrame:
        """Return a polars frame; amounts are Decimal(38, 18), which polars adds up exactly."""
        made: PolarsFrame = load("polars", "to_polars()").DataFrame(self)
        return made

    def to_pandas(self) -> PandasFrame:
        """Return a pandas frame with amounts as float64, the nearest to each: pandas has no decimals."""
        pandas = load("pandas", "to_pandas()")
        pyarrow = load("pyarrow", "to_pandas()")
        floats = with_money(self._columns, "float")
        table = pyarrow.RecordBatchReader.from_stream(self._stream(floats)).read_all()
        frame = table.to_pandas(date_as_object=False)
        assert isinstance(frame, pandas.DataFrame)
        return frame

    def to_series(self) -> PandasSeries:
        """Return the returns as a pandas Series whose index has naive dates. Raises UsageError for another table."""
        if self._name != "returns":
            raise UsageError(f"{self._name} are no series", "ask for ledger.returns().to_series()")
        frame = self.to_pandas()
        return frame.set_index("session")["return"]

    def to_frame(self, backend: str) -> NarwhalsFrame:
        """Return a narwhals frame of a backend: `polars`, `pandas`, `pyarrow`. Raises UsageError for another."""
        arguments.choice(backend, "backend", ("polars", "pandas", "pyarrow", "modin", "cudf"))
        load(backend, f'to_frame("{backend}")')
        made: NarwhalsFrame = load("narwhals", "to_frame()").from_arrow(self, backend=backend)
        return made

    def write_parquet(self, path: str | Path) -> Path:
        """Write a Parquet file atomically; the same rows give the same bytes."""
        return table_files.write(arguments.path(path, "path"), "parquet", self._columns, self._chunks)

    def write_csv(self, path: str | Path) -> Path:
        """Write a CSV file atomically; amounts have every digit."""
        return table_files.write(arguments.path(path, "path"), "csv", self._columns, self._chunks)

    def _stream(self, wanted: Sequence[Column]) -> Any:
        chunks = [streams.with_floats(self._columns, wanted, chunk) for chunk in self._chunks]
        return streams.arrow_stream(wanted, chunks)

    def _tuples(self) -> Iterator[tuple[Any, ...]]:
        for chunk in self._chunks:
            yield from tuples(self._columns, chunk)

    def _shown(self) -> tuple[list[list[str]], int]:
        """Return the cells of the first and last rows, and how many rows lie between them."""
        number = len(self)
        left_out = max(number - _FIRST - _LAST, 0)
        rows = (row for k, row in enumerate(self._tuples()) if k < _FIRST or k >= _FIRST + left_out)
        return [[_short(cell) for cell in row] for row in rows], left_out

    @property
    def _caption(self) -> str:
        number = len(self)
        return f"{self._name}: {number:,} row{'' if number == 1 else 's'} · {self.of}"

    def __repr__(self) -> str:
        rows, left_out = self._shown()
        numeric = [column.type in _NUMERIC for column in self._columns]
        cells = [list(self.columns), *rows]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(_aligned(*one) for one in zip(row, widths, numeric, strict=True)) for row in cells]
        if left_out:
            lines.insert(_FIRST + 1, f"… {left_out:,} more …")
        return "\n".join([self._caption, *(line.rstrip() for line in lines)])

    def _repr_html_(self) -> str:
        rows, left_out = self._shown()
        made = [f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows]
        if left_out:
            made.insert(_FIRST, f'<tr><td colspan="{len(self._columns)}">… {left_out:,} more …</td></tr>')
        head = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        return (
            f"<table><caption>{escape(self._caption)}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{''.join(made)}</tbody></table>"
        )


_NUMERIC = ("decimal", "float", "count", "duration")


def _aligned(cell: str, width: int, is_number: bool) -> str:
    return cell.rjust(width) if is_number else cell.ljust(width)


def _short(value: Any) -> str:
    words = table_files.cell(value)
    return words if len(words) <= _WIDEST else f"{words[: _WIDEST - 1]}…"
