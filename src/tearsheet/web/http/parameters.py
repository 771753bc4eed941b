"""Query and path parameters that operations share: description, schema and parser."""

import base64
import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from tearsheet.errors import UsageError
from tearsheet.performance.metric import METRICS
from tearsheet.store.list_values import PageCursor
from tearsheet.trade.note import MAX_TAG_LENGTH, normalize_tag
from tearsheet.trade.session import DATE_PATTERN, EARLIEST, LATEST
from tearsheet.trade.value_rule import (
    COIN_CODE,
    COIN_PATTERN,
    CURRENCY_CODE,
    ISO_DATE,
    matching,
    one_of,
    text_rule,
    whole_number,
)
from tearsheet.web.http.operation import Parameter

KINDS = ("daily", "weekly", "monthly", "quarterly", "yearly", "all", "custom")
MAX_PAGE_SIZE = 1000
_MAX_IMPORT_ID = 999_999_999
NAME = r"^[^\x00-\x1f\x7f]{1,200}$"
_DATE = f"^{DATE_PATTERN}$"
_ID = "^[0-9a-f]{16}$"
_FRACTION = re.compile(r"^(0(\.[0-9]{1,12})?|1(\.0{1,12})?)$")
_CURSOR = re.compile(r"^[A-Za-z0-9_-]{4,400}$")
_TEXT = matching(NAME, "a text of 1 to 200 characters")
_DAY = text_rule("YYYY-MM-DD, such as 2026-01-31, from 1980 to 2087", ISO_DATE.convert)


def cursor_of(cursor: PageCursor | None) -> str | None:
    """Return a page cursor as `next_cursor`, or None after the last page."""
    if cursor is None:
        return None
    content = msgspec.json.encode((cursor.time_us, cursor.id))
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _cursor(text: str) -> PageCursor:
    try:
        if not _CURSOR.match(text):
            raise ValueError
        content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        time_us, identity = msgspec.json.decode(content, type=tuple[int, int | str])
        if abs(time_us) >= 1 << 62 or (isinstance(identity, int) and abs(identity) >= 1 << 63):
            raise ValueError
    except (ValueError, msgspec.MsgspecError, RecursionError):
        raise ValueError("must be the `next_cursor` of the previous page") from None
    return PageCursor(time_us, identity)


def choice(name: str, description: str, *choices: str, default: str | None = None) -> Parameter:
    """Return a parameter that is one of these words."""
    schema = {"type": "string", "enum": list(choices)}
    if default is not None:
        schema["default"] = default
    return Parameter(name, description, schema, one_of(*choices).parse, default)


def date_of(name: str, description: str) -> Parameter:
    """Return a parameter that is a date."""
    schema = {"type": "string", "format": "date", "pattern": _DATE}
    return Parameter(name, description, schema, _DAY.parse)


def text_of(name: str, description: str) -> Parameter:
    """Return a parameter that is a short text."""
    return Parameter(name, description, {"type": "string", "pattern": NAME}, _TEXT.parse)


def number_of(name: str, description: str, high: int, default: int | None = None, low: int = 1) -> Parameter:
    """Return a parameter that is a whole number from `low` to `high`."""
    schema: dict[str, Any] = {"type": "integer", "minimum": low, "maximum": high}
    if default is not None:
        schema["default"] = default
    return Parameter(name, description, schema, whole_number(low, high).parse, default)


def place_in_time(name: str, description: str) -> Parameter:
    """Return a parameter that is a day, or an instant in UTC."""
    schema = {"type": "string", "pattern": f"^{DATE_PATTERN}(T.{{5,20}}Z)?$"}
    return Parameter(name, description, schema, _day_or_instant)


def _day_or_instant(text: str) -> date | datetime:
    if "T" not in text:
        day: date = _DAY.parse(text)
        return day
    at = datetime.fromisoformat(text)
    if not text.endswith("Z") or not EARLIEST <= at < LATEST:
        raise ValueError("must be an instant in UTC, for example 2026-01-31T14:30:00Z")
    return at


def percent_of(name: str, description: str) -> Parameter:
    """Return a parameter that is a fraction from 0 to 1."""
    schema = {"type": "string", "pattern": _FRACTION.pattern}
    return Parameter(name, description, schema, _fraction)


def _fraction(text: str) -> Decimal:
    if not _FRACTION.fullmatch(text):
        raise ValueError("must be a fraction from 0 to 1, for example 0.55")
    return Decimal(text)


ACCOUNT = text_of("account", "Filter by account.")
SCOPE = (
    ACCOUNT,
    text_of("strategy", "Filter by strategy."),
    text_of("symbol", "Only this instrument, in its canonical spelling."),
    choice("mode", "Filter trade-log entries: paper or live.", "PAPER", "LIVE"),
)
CURRENCY = Parameter(
    "currency",
    "Currency to report when there are several.",
    {"type": "string", "pattern": "^[A-Z]{3,5}$"},
    CURRENCY_CODE.parse,
)
BASE = Parameter(
    "base",
    "Convert all currencies into this one, each booking at the rate of its session.",
    {"type": "string", "pattern": "^[A-Z]{3,5}$"},
    CURRENCY_CODE.parse,
)
RATE_PAIR = tuple(
    Parameter(
        way,
        f"Only rates {way} this currency.",
        {"type": "string", "pattern": f"^{COIN_PATTERN}$"},
        COIN_CODE.parse,
    )
    for way in ("from", "to")
)
DATE = date_of("date", "The day; the window that holds it is shown. By default the present session.")
WINDOW = choice("window", "Kind of window.", *KINDS, default="daily")
START = date_of("start", "First day. Without --end: selects the period that contains it.")
END = date_of("end", "Last day (inclusive).")
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
    one_of(*METRICS).parse,
    required=True,
)
MARKED_SYMBOL = Parameter(
    "symbol", "Instrument of the mark.", {"type": "string", "pattern": NAME}, _TEXT.parse, required=True
)
ALERT_ID = Parameter("alert", "An alert's id.", {"type": "string", "pattern": _ID}, _TEXT.parse)

IMPORT_ID = Parameter(
    "number",
    "An import's id.",
    {"type": "integer", "minimum": 1, "maximum": _MAX_IMPORT_ID},
    whole_number(1, _MAX_IMPORT_ID).parse,
)
BEFORE = number_of("before", "Only imports with a smaller id.", _MAX_IMPORT_ID)
POSITION_ID = Parameter(
    "position",
    "A position's id.",
    {"type": "string", "pattern": _ID},
    matching(_ID, "16 hexadecimal digits").parse,
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
