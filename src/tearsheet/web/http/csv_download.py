"""CSV downloads that are safe to open in a spreadsheet: formulas are escaped."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from flask import Response

from tearsheet.trade.amount import to_plain_string

_CHUNK_CHARS = 1 << 16
#: Characters that start a formula in a spreadsheet, full-width forms included.
_FORMULA_STARTS = "=+-@\uff1d\uff0b\uff0d\uff20"
_LINES = re.compile(r"\s*[\r\n\v\f\x85\u2028\u2029]+\s*")
#: Fast path: most texts need no escaping.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ,._:/+#%()-]*")
#: In locales with decimal commas spreadsheets split lines at `;` and tab, even within quotes.
_INSIDE = re.compile(rf"([;\t][\s\"']*)([{re.escape(_FORMULA_STARTS)}])")


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
        return _escape_formula(value)
    if isinstance(value, tuple):
        return _escape_formula(", ".join(value))
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return str(value) if isinstance(value, int) else to_plain_string(value)


def _escape_formula(text: str) -> str:
    """Return a text on one line, with an apostrophe in front if a spreadsheet would compute it."""
    if _PLAIN.fullmatch(text):
        return text
    line = _INSIDE.sub(r"\1'\2", _LINES.sub(" / ", text))
    first = next((sign for sign in line if unicodedata.category(sign)[0] not in "CZ"), "")
    is_formula = line[:1] == "\t" or (first != "" and first in _FORMULA_STARTS)
    return f"'{line}" if is_formula else line
