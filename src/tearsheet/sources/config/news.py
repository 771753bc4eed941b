"""News calendars: CSV files with the columns at, symbols and title."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tearsheet.errors import SettingsError
from tearsheet.rules.limit import Limit, NewsWindow

_COLUMNS = ["at", "symbols", "title"]
_MOST_ROWS = 100_000
_HINT = "write `2026-03-06T13:30:00Z,EURUSD GBPUSD,Payrolls`; without symbols it is about all"


def news_windows(limit: Limit) -> tuple[NewsWindow, ...]:
    """Return the windows of a `no_trading` limit, in order. Raises SettingsError naming file, line and value."""
    path = Path(limit.calendar)
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SettingsError(
            f"{path} cannot be read: {reason}", "it is the calendar of `no_trading`"
        ) from None
    windows = _rows(text, path, limit.before, limit.after)
    return tuple(sorted(windows, key=lambda one: one.start))


def _rows(text: str, path: Path, before: timedelta, after: timedelta) -> Iterator[NewsWindow]:
    rows = csv.reader(text.splitlines())
    header = [name.strip().lower() for name in next(rows, [])]
    if header != _COLUMNS:
        raise SettingsError(
            f"{path}:1: the columns are {', '.join(header)}", f"they are {', '.join(_COLUMNS)}"
        )
    for number, row in enumerate(rows, 2):
        if not row:
            continue
        if len(row) != len(_COLUMNS) or number > _MOST_ROWS:
            raise SettingsError(f"{path}:{number}: {','.join(row)!r} is no row", _HINT)
        at = _instant(row[0].strip(), path, number)
        symbols = frozenset(row[1].upper().split())
        yield NewsWindow(at - before, at + after, symbols, row[2].strip())


def _instant(text: str, path: Path, number: int) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{path}:{number}: at is {text!r}", _HINT) from None
    if at.tzinfo is None:
        raise SettingsError(f"{path}:{number}: at is {text!r}", "state its time zone, such as Z or -05:00")
    return at.astimezone(UTC)
