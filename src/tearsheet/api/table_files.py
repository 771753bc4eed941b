"""Chunks written as CSV, Parquet or Arrow, one at a time, so that a table of any size fits into memory."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, Literal, get_args

from tearsheet.api import streams
from tearsheet.api.extras import load
from tearsheet.api.packing import Chunk, tuples
from tearsheet.app.analysis.table_columns import Column
from tearsheet.errors import InputError
from tearsheet.export.csv_cells import escape_formula
from tearsheet.shared_files import replacing
from tearsheet.trade.amount import to_plain_string

FileFormat = Literal["csv", "parquet", "arrow"]
FORMATS: tuple[FileFormat, ...] = get_args(FileFormat)
_Writer = Callable[[IO[bytes], Sequence[Column], Iterable[Chunk]], None]


def write(path: Path, form: FileFormat, columns: Sequence[Column], chunks: Iterable[Chunk]) -> Path:
    """Write a file atomically and return its path. Raises InputError, MissingExtra."""
    try:
        with replacing(path) as file:
            write_to(file, form, columns, chunks)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror or error}", "name another file, or free some space"
        ) from error
    return path


def write_to(file: IO[bytes], form: FileFormat, columns: Sequence[Column], chunks: Iterable[Chunk]) -> None:
    """Write chunks into an open file, in a format."""
    _WRITERS[form](file, columns, chunks)


def _write_csv(file: IO[bytes], columns: Sequence[Column], chunks: Iterable[Chunk]) -> None:
    text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
    try:
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow([column.name for column in columns])
        to_cells = [_text_cell if column.is_text else cell for column in columns]
        for chunk in chunks:
            for row in tuples(columns, chunk):
                rows.writerow([to_cell(value) for to_cell, value in zip(to_cells, row, strict=True)])
    finally:
        text.detach()


def _text_cell(value: Any) -> str:
    return escape_formula(cell(value))


def _write_parquet(file: IO[bytes], columns: Sequence[Column], chunks: Iterable[Chunk]) -> None:
    pyarrow, parquet = load("pyarrow", "Parquet"), load("pyarrow.parquet", "Parquet")
    schema = pyarrow.RecordBatchReader.from_stream(streams.arrow_stream(columns, [])).schema
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for chunk in chunks:
            reader = pyarrow.RecordBatchReader.from_stream(streams.arrow_stream(columns, [chunk]))
            writer.write_table(reader.read_all())


_WRITERS: dict[FileFormat, _Writer] = {
    "csv": _write_csv,
    "parquet": _write_parquet,
    "arrow": streams.write_stream,
}


def cell(value: Any) -> str:
    """Return a value as text: canonical decimals, ISO times in UTC, seconds of a duration; null is empty."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return to_plain_string(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        micros = value // timedelta(microseconds=1)
        return to_plain_string(Decimal(micros).scaleb(-6))
    return " ".join(value) if isinstance(value, list) else str(value)
