"""Trades as CSV in which a spreadsheet finds nothing to compute."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

from tearsheet.tracker.listing import PositionView
from tearsheet.trade.amount import plain

_COLUMNS = (
    "id", "account", "symbol", "strategy", "side", "opened_at", "closed_at", "quantity",
    "average_entry", "average_exit", "gross", "fees", "net", "currency", "outcome", "r_multiple",
    "stop_loss", "target", "mode", "fills", "tags", "note",
)  # fmt: skip
#: A spreadsheet takes what begins so for a formula, in full width too.
_BEGINS = "=+-@\uff1d\uff0b\uff0d\uff20"
_LINES = re.compile(r"\s*[\r\n\v\f\x85\u2028\u2029]+\s*")
#: Where commas stand in numbers, spreadsheets cut lines at these, whatever is between quotes.
_INSIDE = re.compile(rf"([;\t][\s\"']*)([{re.escape(_BEGINS)}])")


def trades_csv(rows: Iterable[PositionView]) -> str:
    """The rows under a head, each on one line."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    writer.writerows([_cell(getattr(row, name)) for name in _COLUMNS] for row in rows)
    return buffer.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, tuple):
        return _text(", ".join(value))
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return str(value) if isinstance(value, int) else plain(value)


def _text(text: str) -> str:
    """A text on one line, marked as text where a spreadsheet would compute it."""
    line = _INSIDE.sub(r"\1'\2", _LINES.sub(" / ", text))
    first = next((sign for sign in line if unicodedata.category(sign)[0] not in "CZ"), "")
    is_formula = line[:1] == "\t" or (first != "" and first in _BEGINS)
    return f"'{line}" if is_formula else line
