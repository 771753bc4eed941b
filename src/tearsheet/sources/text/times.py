"""Times of brokers as instants in UTC; the order of day and month is decided once for a file."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, tzinfo
from zoneinfo import ZoneInfo

from tearsheet.errors import FormatError
from tearsheet.sources.text.time_formats import (
    LOCAL,
    DateOrder,
    parse_unambiguous,
    parse_with_order,
    split_zone,
)
from tearsheet.trade.session import EARLIEST, LATEST

__all__ = [
    "DateOrder",
    "TimeFormatError",
    "TimeParser",
    "date_in_text",
    "detect_date_order",
    "has_zone",
    "is_unambiguous",
]


_LONGEST = 100


class TimeFormatError(ValueError):
    """A text that is not a usable time, with a reason and a hint."""

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


def detect_date_order(
    times: Iterable[str],
    *,
    is_european: bool,
    file: str,
    others: Iterable[str] = (),
    usual: DateOrder | None = None,
) -> DateOrder:
    """Detect whether days or months come first, from all times of a file.

    A day above 12 settles it, in a time or in another cell of the same form (`others`); else
    the `usual` order of the format, semicolons or decimal commas (`is_european`) or dots (day
    first), else a 12-hour clock (month first). Raises FormatError where nothing does.
    """
    hint: DateOrder | None = usual or ("day-first" if is_european else None)
    forms: set[tuple[str, int]] = set()
    for text in times:
        match = _local_date(text.strip())
        if match is None:
            continue
        forms.add(_form(match))
        if order := _order_of(match):
            return order
        if match[8]:
            hint = hint or "month-first"
        elif "." in text[:3]:
            hint = usual or "day-first"
    if not forms:
        return hint or "month-first"
    for text in others:
        match = _local_date(text.strip()) if text[:1].isdigit() else None
        if match is not None and _form(match) in forms and (order := _order_of(match)):
            return order
    if hint is None:
        raise FormatError(
            f"{file}: ambiguous dates (day or month first)", "set --date-order day-first or month-first"
        )
    return hint


def _form(match: re.Match[str]) -> tuple[str, int]:
    """Return what separates the parts of a date, and how many digits its year has."""
    return match[0][match.end(1)], len(match[3])


def _order_of(match: re.Match[str]) -> DateOrder | None:
    if int(match[1]) > 12:
        return "day-first"
    return "month-first" if int(match[2]) > 12 else None


def has_zone(text: str) -> bool:
    """Return whether a time ends in an offset or the name of a zone; true for empty text."""
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        pass
    try:
        return not text or isinstance(split_zone(text[:_LONGEST])[1], tzinfo)
    except ValueError:
        return False


def date_in_text(text: str, order: DateOrder | None) -> date | None:
    """Return the date at the start of a text; None if there is none or its order is unknown."""
    words = re.split(r"[\s;,]+", text.strip()[:_LONGEST], maxsplit=1)
    try:
        return date.fromisoformat(words[0])
    except ValueError:
        pass
    try:
        bare = split_zone(words[0])[0]
        at, match = parse_unambiguous(bare), LOCAL.match(bare)
        if at is None and match is not None and order is not None:
            at = parse_with_order(match, order)
    except ValueError:
        return None
    return at.date() if at is not None else None


def is_unambiguous(text: str) -> bool:
    """Return whether the day of a time is unambiguous; true for empty text."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        try:
            return not text or parse_unambiguous(split_zone(text[:_LONGEST])[0]) is not None
        except ValueError:
            return False
    return True


class TimeParser:
    """Parser of a file's times; `zone` applies to times without an offset.

    In the hour that the clock repeats, the first occurrence is taken, but the second where the
    first would lie before the row above in a file sorted by time. `day` is the date of the time
    read last, as written. Without an `order`, dates like 3/4/2026 are refused.
    """

    def __init__(self, zone: ZoneInfo | None, order: DateOrder | None, *, ascending: bool) -> None:
        self._zone = zone
        self._order = order
        self._ascending = ascending
        self._text = ""
        self._before = EARLIEST
        self.day: date = EARLIEST.date()

    def parse(self, text: str) -> datetime:
        """Return the instant of a text, in UTC. Raises TimeFormatError."""
        if text == self._text:
            return self._before
        if len(text) > _LONGEST:
            raise TimeFormatError(f"invalid time {text[:_LONGEST]!r}…", "check for a missing closing quote")
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            at = self._local(text.strip())
        day = at.date()
        if at.tzinfo is None:
            at = self._in_zone(at, text)
        elif at.tzinfo is not UTC:
            at = _to_utc(at, text)
        if not 1970 < at.year < 2100 and not EARLIEST <= at < LATEST:
            raise TimeFormatError(f"time out of range: {text!r}", "check the year")
        self._text, self._before, self.day = text, at, day
        return at

    def start_of_day(self, text: str) -> datetime:
        """Return the first instant of the day at the start of a text. Raises TimeFormatError."""
        day = date_in_text(text, self._order)
        if day is None:
            raise TimeFormatError(f"day is not valid, was {text[:_LONGEST]!r}", "allowed is YYYY-MM-DD")
        return datetime.combine(day, time(), self._zone or UTC).astimezone(UTC)

    def _local(self, text: str) -> datetime:
        try:
            bare, zone = split_zone(text.lstrip("'"))
            at = parse_unambiguous(bare)
            match = LOCAL.match(bare) if at is None else None
            if match is not None and self._order is not None:
                at = parse_with_order(match, self._order)
        except ValueError as error:
            hint = f"dates are read {self._order}" if self._order else "check the date"
            raise TimeFormatError(f"invalid time {text!r}: {error}", hint) from None
        if at is not None:
            return self._of_abbreviation(at, zone, text) if isinstance(zone, str) else at.replace(tzinfo=zone)
        if match is not None:
            raise TimeFormatError(
                f"ambiguous date {text!r}",
                "write ISO 8601 dates, or set --date-order day-first or month-first",
            )
        raise TimeFormatError(
            f"invalid time {text!r}", "allowed is ISO 8601 with an offset, such as 2026-01-09T14:32:15Z"
        )

    def _of_abbreviation(self, wall: datetime, name: str, text: str) -> datetime:
        """Return a wall clock in the file's zone, which has to have this abbreviation then."""
        for fold in (0, 1):
            at = wall.replace(tzinfo=self._zone, fold=fold)
            if self._zone is not None and at.tzname() == name:
                return at
        raise TimeFormatError(
            f"{name} may be several zones, was {text!r}",
            "specify it with --timezone, for example America/Chicago",
        )

    def _in_zone(self, wall: datetime, text: str) -> datetime:
        if self._zone is None:
            raise TimeFormatError(f"time without a time zone: {text!r}", "add an offset or set --timezone")
        early = wall.replace(tzinfo=self._zone)
        late = early.replace(fold=1)
        if early.utcoffset() == late.utcoffset():
            return _to_utc(early, text)
        first, second = _to_utc(early, text), _to_utc(late, text)
        if first.astimezone(self._zone).replace(tzinfo=None) != wall:
            raise TimeFormatError(
                f"{text!r} does not exist in {self._zone.key} because of daylight saving time",
                "check --timezone",
            )
        return second if self._ascending and first < self._before <= second else first


def _to_utc(at: datetime, text: str) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise TimeFormatError(f"time out of range: {text!r}", "check the year") from None


def _local_date(text: str) -> re.Match[str] | None:
    """Match a date like 3/4/2026 14:30, with any zone behind it."""
    try:
        return LOCAL.match(split_zone(text[:_LONGEST])[0])
    except ValueError:
        return None
