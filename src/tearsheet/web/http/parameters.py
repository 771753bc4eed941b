"""The parameters that operations share: what each may be, and how it is read."""

import base64
import re
from collections.abc import Callable
from datetime import date
from typing import Any

import msgspec

from tearsheet.app.analysis.lists import PageCursor
from tearsheet.errors import UsageError
from tearsheet.performance.metric import METRICS
from tearsheet.trade.note import MAX_TAG_LENGTH, normalize_tag
from tearsheet.trade.session import DATE_PATTERN
from tearsheet.web.http.operation import Parameter

KINDS = ("daily", "weekly", "monthly", "quarterly", "yearly", "all", "custom")
MAX_PAGE_SIZE = 1000
_MOST_IMPORTS = 999_999_999
NAME = r"^[^\x00-\x1f\x7f]{1,200}$"
_DATE = f"^{DATE_PATTERN}$"
_ID = "^[0-9a-f]{16}$"
_CURSOR = re.compile(r"^[A-Za-z0-9_-]{4,400}$")


def _name(text: str) -> str:
    if not re.fullmatch(NAME, text):
        raise ValueError("allowed is a text of 1 to 200 characters")
    return text


def _day(text: str) -> date:
    if not re.fullmatch(_DATE, text):
        raise ValueError("allowed is YYYY-MM-DD, such as 2026-01-31, from 1980 to 2087")
    return date.fromisoformat(text)


def choice_parser(*choices: str) -> Callable[[str], str]:
    """Reads one of some words."""

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"allowed is {', '.join(choices)}")
        return text

    return read


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 10 and low <= int(text) <= high):
            raise ValueError(f"allowed is a whole number from {low} to {high}")
        return int(text)

    return read


def _currency(text: str) -> str:
    if not re.fullmatch("[A-Z]{3,5}", text):
        raise ValueError("allowed is a code of 3 to 5 capital letters")
    return text


def cursor_of(place: PageCursor | None) -> str | None:
    """The text by which the next page is asked for."""
    if place is None:
        return None
    content = msgspec.json.encode((place.time_us, place.id))
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _cursor(text: str) -> PageCursor:
    try:
        if not _CURSOR.match(text):
            raise ValueError
        content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        time_us, identity = msgspec.json.decode(content, type=tuple[int, int | str])
        if abs(time_us) >= 1 << 62 or (isinstance(identity, int) and abs(identity) >= 1 << 63):
            raise ValueError
    except (ValueError, msgspec.MsgspecError):
        raise ValueError("allowed is the `next_cursor` of the page before") from None
    return PageCursor(time_us, identity)


def choice(name: str, words: str, *choices: str, default: str | None = None) -> Parameter:
    """A parameter that is one of some words."""
    schema = {"type": "string", "enum": list(choices)}
    if default is not None:
        schema["default"] = default
    return Parameter(name, words, schema, choice_parser(*choices), default)


def date_of(name: str, words: str) -> Parameter:
    """A parameter that is a date."""
    schema = {"type": "string", "format": "date", "pattern": _DATE}
    return Parameter(name, words, schema, _day)


def text_of(name: str, words: str) -> Parameter:
    """A parameter that is a short text."""
    return Parameter(name, words, {"type": "string", "pattern": NAME}, _name)


def number_of(name: str, words: str, high: int, default: int | None = None, low: int = 1) -> Parameter:
    """A parameter that is a whole number."""
    schema: dict[str, Any] = {"type": "integer", "minimum": low, "maximum": high}
    if default is not None:
        schema["default"] = default
    return Parameter(name, words, schema, _whole(low, high), default)


def pattern_parser(pattern: str, words: str) -> Callable[[str], str]:
    """Reads a text that a pattern allows."""

    def read(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"allowed is {words}")
        return text

    return read


ACCOUNT = text_of("account", "Only this account.")
SCOPE = (
    ACCOUNT,
    text_of("strategy", "Only this strategy."),
    text_of("symbol", "Only this instrument, in its canonical spelling."),
    choice("mode", "Only paper or live trades of the log.", "PAPER", "LIVE"),
)
CURRENCY = Parameter(
    "currency",
    "Which money, where there are several.",
    {"type": "string", "pattern": "^[A-Z]{3,5}$"},
    _currency,
)
DATE = date_of("date", "The day; the window that holds it is shown. By default the present session.")
WINDOW = choice("window", "Kind of window.", *KINDS, default="daily")
START = date_of("start", "First day; alone, it picks the window that holds it.")
END = date_of("end", "Last day, included.")
ROLLING = number_of("rolling", "The last N closed trades instead of a stretch of time.", 100_000)
PERIOD = (WINDOW, START, END)
LIMIT = number_of("limit", "How many items a page holds.", MAX_PAGE_SIZE, 100)
CURSOR = Parameter(
    "cursor", "The `next_cursor` of the page before.", {"type": "string", "pattern": _CURSOR.pattern}, _cursor
)
PAGE = (LIMIT, CURSOR)
MAX_EVENTS = number_of("limit", "End after so many events.", 100_000)
TIMEOUT = number_of("timeout_s", "End after so many seconds; ask again then.", 3600, 3600)
METRIC = Parameter(
    "metric",
    "Name of a metric.",
    {"type": "string", "enum": list(METRICS)},
    choice_parser(*METRICS),
    required=True,
)
ALERT_ID = Parameter("alert", "An alert's id.", {"type": "string", "pattern": "^[0-9a-f]{16}$"}, _name)

IMPORT_ID = Parameter(
    "number",
    "An import's id.",
    {"type": "integer", "minimum": 1, "maximum": _MOST_IMPORTS},
    _whole(1, _MOST_IMPORTS),
)
BEFORE = number_of("before", "Only imports with a smaller id.", _MOST_IMPORTS)
POSITION_ID = Parameter(
    "position",
    "A position's id.",
    {"type": "string", "pattern": _ID},
    pattern_parser(_ID, "16 hexadecimal digits"),
)
NOTE_ID = Parameter("note", "A note's id.", POSITION_ID.schema, POSITION_ID.read)


def _parse_tag(text: str) -> str:
    try:
        return normalize_tag(text)
    except UsageError as error:
        raise ValueError(f"{error.message}; {error.hint}") from None


TAG = Parameter(
    "tag",
    "Only positions with this tag.",
    {"type": "string", "minLength": 1, "maxLength": MAX_TAG_LENGTH},
    _parse_tag,
)
