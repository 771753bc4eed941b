"""Tables as CSV that a spreadsheet may open: what it would compute is made plain text."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from flask import Response

from tearsheet.trade.amount import to_plain_string

_AT_ONCE = 1 << 16
#: A spreadsheet takes what begins so for a formula, in full width too.
_FORMULA_STARTS = "=+-@\uff1d\uff0b\uff0d\uff20"
_LINES = re.compile(r"\s*[\r\n\v\f\x85\u2028\u2029]+\s*")
#: What most texts are like, and has none of this.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ,._:/+#%()-]*")
#: Where commas stand in numbers, spreadsheets cut lines at these, whatever is between quotes.
_INSIDE = re.compile(rf"([;\t][\s\"']*)([{re.escape(_FORMULA_STARTS)}])")


def csv_response(columns: Sequence[str], rows: Iterable[Sequence[Any]], file_name: str) -> Response:
    """A table as a file to keep; `file_name` is one of ours."""
    response = Response("".join(_parts(columns, rows)), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{file_name}"'
    return response


def _parts(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(map(_format_cell, row))
        if buffer.tell() > _AT_ONCE:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def _format_cell(value: Any) -> str:
    """A value as a spreadsheet may have it."""
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
    """A text on one line, marked as text where a spreadsheet would compute it."""
    if _PLAIN.fullmatch(text):
        return text
    line = _INSIDE.sub(r"\1'\2", _LINES.sub(" / ", text))
    first = next((sign for sign in line if unicodedata.category(sign)[0] not in "CZ"), "")
    is_formula = line[:1] == "\t" or (first != "" and first in _FORMULA_STARTS)
    return f"'{line}" if is_formula else line
