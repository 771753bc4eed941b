"""CSV downloads that are safe to open in a spreadsheet: formulas are escaped."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from flask import Response

from tearsheet.export.csv_cells import escape_formula
from tearsheet.trade.amount import to_plain_string

_CHUNK_CHARS = 1 << 16


def csv_response(columns: Sequence[str], rows: Iterable[Sequence[Any]], file_name: str) -> Response:
    """Return a table as a CSV attachment; `file_name` is not escaped, so it must not come from a client."""
    response = Response("".join(_parts(columns, rows)), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{file_name}"'
    return response


def _parts(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(map(_format_cell, row))
        if buffer.tell() > _CHUNK_CHARS:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def _format_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return escape_formula(value)
    if isinstance(value, tuple):
        return escape_formula(", ".join(value))
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return str(value) if isinstance(value, int) else to_plain_string(value)
