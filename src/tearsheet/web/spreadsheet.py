"""Tables as CSV that a spreadsheet may open: what it would compute is made plain text."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from flask import Response

from tearsheet.trade.amount import plain

_AT_ONCE = 1 << 16
_COMPUTED = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_answer(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], file_name: str
) -> Response:  # fmt: skip
    """A table as a file to keep; `file_name` is one of ours."""
    response = Response("".join(_parts(columns, rows)), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{file_name}"'
    return response


def _parts(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(map(_cell, row))
        if buffer.tell() > _AT_ONCE:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def _cell(value: Any) -> str:
    """A value as a spreadsheet may have it."""
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_COMPUTED) else value
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return str(value) if isinstance(value, int) else plain(value)
