"""Arguments of Python callers: dates and paths as text are taken, anything else is a UsageError that says so."""

import os
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tearsheet.errors import UsageError

Choice = TypeVar("Choice", bound=str)


def day(value: object, name: str) -> date | None:
    """Return a date or the date of a text; None stays. Raises UsageError."""
    if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
        return value
    try:
        if isinstance(value, str):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise UsageError(f"{name} is {value!r}, which is no date", 'write "2026-01-31", or give a datetime.date')


def path(value: object, name: str) -> Path:
    """Return a path or the path of a text. Raises UsageError."""
    if isinstance(value, str | os.PathLike):
        found = os.fspath(value)
        if isinstance(found, str) and found and "\0" not in found:
            return Path(found)
    raise UsageError(f"{name} is {value!r}, which is no path", 'write "folder/file", or give a pathlib.Path')


def text(value: object, name: str) -> str | None:
    """Return a text; None stays. Raises UsageError."""
    if value is None or (isinstance(value, str) and value):
        return value
    raise UsageError(f"{name} is {value!r}, which is no text", "write it in quotes, or leave it out")


def choice(value: object, name: str, allowed: Iterable[Choice]) -> Choice:
    """Return one of the allowed texts. Raises UsageError with the nearest one."""
    options = list(allowed)
    for option in options:
        if value == option:
            return option
    raise UsageError(f"{name} is {value!r}", nearest(value, options))


def nearest(value: object, known: Iterable[str]) -> str:
    """Return a hint with the known name that is nearest to a value, else with the first ones."""
    from difflib import get_close_matches  # only for hints

    names = list(dict.fromkeys(known))
    folded = {name.casefold(): name for name in names}
    near = get_close_matches(str(value).casefold(), folded, 1, 0.5)
    if near:
        return f"did you mean {folded[near[0]]!r}?"
    shown = ", ".join(map(repr, names[:20]))
    return f"known are {shown}{' …' if len(names) > 20 else ''}" if names else "none is known yet"


def zone(value: object) -> ZoneInfo | None:
    """Return a time zone or that of a name; None stays. Raises UsageError."""
    if value is None or isinstance(value, ZoneInfo):
        return value
    try:
        if isinstance(value, str):
            return ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    raise UsageError(f"timezone is {value!r}, which is no time zone", 'write "America/Chicago", for example')
