"""Formats of dates and times other than ISO 8601."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DateOrder = Literal["day-first", "month-first"]
_CLOCK = r"(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)? ?([AaPp])?\.?[Mm]?\.?"
#: 3/4/2026 14:30, 03.04.26 2:30:00 PM
LOCAL = re.compile(rf"^(\d{{1,2}})[/.-](\d{{1,2}})[/.-](\d{{4}}|\d\d)[ ,;T]+{_CLOCK}$")
#: 2026.04.03 14:30, 2026/4/3, 14:30, 2026-04-03 2:30 PM
_YEAR_FIRST = re.compile(rf"^(\d{{4}})[/.-](\d{{1,2}})[/.-](\d{{1,2}})[ ,;T]+{_CLOCK}$")
#: 14:30 2026-04-03
_CLOCK_FIRST = re.compile(r"^(\d{1,2}:\d\d(?::\d\d)?) (\d{4}-\d\d-\d\d)$")
#: 20260403;143000
_COMPACT = re.compile(r"^(\d{4})(\d\d)(\d\d)[ ,;T]+(\d\d):?(\d\d):?(\d\d)$")
#: Apr. 3, 2026, 2:30 PM; Fri Apr 03 2026 14:30:00; 3 Apr 2026 14:30
_NAMED = re.compile(
    r"^(?:[A-Z][a-z]{2},? )?(?:(?P<m1>[^\W\d_]{3,12})\.? (?P<d1>\d{1,2})|"
    r"(?P<d2>\d{1,2})[ -](?P<m2>[^\W\d_]{3,12})\.?),?[ -](?P<year>\d{4}|\d\d)[ ,;]+(?P<clock>.+)$"
)
_ONLY_CLOCK = re.compile(rf"^{_CLOCK}$")
#: Days since 1899-12-30, as Excel counts them; these are the years 2000 to 2100.
_EXCEL = re.compile(r"^(?:3[6-9]|[4-6]\d|7[0-3])\d{3}(?:\.\d+)?$")
_EXCEL_BEGINS = datetime(1899, 12, 30)  # noqa: DTZ001 - a wall clock
#: 01/05/2026;101500 EST: a date and a clock without colons, with any zone behind it
_BARE_CLOCK = re.compile(
    r"^(\d{8}|\d{4}-\d\d-\d\d|\d{1,2}[/.-]\d{1,2}[/.-](?:\d{4}|\d\d)|\d{1,2}-[A-Za-z]{3}-(?:\d{4}|\d\d))"
    r"[ ,;T]+(\d\d)(\d\d)(\d\d)(?=$|[ ,][A-Za-z]|[+-]\d)"
)
#: A date alone: 01/05/2026, 05-Jan-26
_BARE_DATE = re.compile(r"^(?:\d{1,2}[/.-]\d{1,2}[/.-](?:\d{4}|\d\d)|\d{1,2}-[A-Za-z]{3}-(?:\d{4}|\d\d))$")
_WITH_ZONE = re.compile(
    r"^(?P<wall>.*\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?[AaPp]\.?[Mm]\.?)?)[ ,]*"
    r"(?:(?P<utc>Z|UTC|GMT)|(?:UTC|GMT)?(?P<sign>[+-])(?P<hours>\d{1,2}):?(?P<minutes>\d\d)?"
    r"|(?P<name>[ECMP]T|[A-Z]{3,5}|[A-Z][A-Za-z]+/[A-Za-z_/+-]+\d*))(?: \([^()]*\))?$"
)
#: Abbreviations of one zone only. CST is left out: it is Chinese time, too.
_ABBREVIATIONS = {
    "EST": -5,
    "EDT": -4,
    "CDT": -5,
    "MST": -7,
    "MDT": -6,
    "PST": -8,
    "PDT": -7,
    "WET": 0,
    "WEST": 1,
    "CET": 1,
    "CEST": 2,
    "EET": 2,
    "EEST": 3,
    "MSK": 3,
    "HKT": 8,
    "SGT": 8,
    "AWST": 8,
    "JST": 9,
    "KST": 9,
    "AEST": 10,
    "AEDT": 11,
    "NZST": 12,
    "NZDT": 13,
}
#: Names of the time of the day in a country, summer or winter.
_COUNTRY_TIMES = {
    "ET": "America/New_York",
    "CT": "America/Chicago",
    "MT": "America/Denver",
    "PT": "America/Los_Angeles",
}
#: Seconds, milli-, micro- and nanoseconds since 1970 have so many digits.
_EPOCH_UNITS = {10: 1, 13: 10**3, 16: 10**6, 19: 10**9}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Beginnings of the names of months in English, Danish, Dutch, French, German, Italian, Polish, Portuguese, Spanish.
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan ene gen sty",
            "feb fév fev lut",
            "mar mär mrt mrz maa",
            "apr avr abr kwi",
            "may mai mei maj mag",
            "jun juin giu cze",
            "jul juil lug lip",
            "aug ago aoû aou sie",
            "sep set wrz",
            "oct okt ott out paź",
            "nov lis",
            "dec dez dic déc gru",
        ),
        1,
    )
    for name in names.split()
}


def split_zone(text: str) -> tuple[str, tzinfo | str | None]:
    """Split a time and the zone behind it; an abbreviation of several zones is returned as text.

    A clock such as 101500 gets its colons, a date alone its midnight. Raises ValueError for an unknown zone.
    """
    text = f"{text} 00:00" if _BARE_DATE.match(text) else _BARE_CLOCK.sub(r"\1 \2:\3:\4", text)
    match = _WITH_ZONE.match(text)
    if match is None or match["wall"] is None:
        return text, None
    if match["utc"]:
        return match["wall"], UTC
    if name := match["name"]:
        if "/" in name:
            return match["wall"], _named_zone(name)
        if country := _COUNTRY_TIMES.get(name):
            return match["wall"], ZoneInfo(country)
        hours = _ABBREVIATIONS.get(name)
        return match["wall"], name if hours is None else timezone(timedelta(hours=hours))
    offset = timedelta(hours=int(match["hours"]), minutes=int(match["minutes"] or 0))
    return match["wall"], timezone(-offset if match["sign"] == "-" else offset)


def _named_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name} is no known zone") from None


def parse_unambiguous(text: str) -> datetime | None:
    """Return the wall clock of a text in which the day is unambiguous; None for others.

    Raises ValueError if the day or hour does not exist.
    """
    if match := _CLOCK_FIRST.match(text):
        return datetime.fromisoformat(f"{match[2]} {match[1].zfill(5)}")
    if match := _YEAR_FIRST.match(text):
        year, month, day = (int(part) for part in match.groups()[:3])
        return _make_datetime(year, month, day, match.groups()[3:])
    if match := _COMPACT.match(text):
        year, month, day = (int(part) for part in match.groups()[:3])
        return _make_datetime(year, month, day, (*match.groups()[3:], None, None))
    if _EXCEL.match(text):
        return _parse_excel_date(text)
    if named := _NAMED.match(text):
        return _parse_month_name(named)
    return None


def parse_with_order(match: re.Match[str], order: DateOrder) -> datetime:
    """Return the wall clock of a match of `LOCAL`. Raises ValueError."""
    first, second, year = (int(part) for part in match.groups()[:3])
    if len(match[3]) == 2 and "-" in match[0][:6]:
        raise ValueError("the year may come first")
    day, month = (first, second) if order == "day-first" else (second, first)
    return _make_datetime(year if len(match[3]) > 2 else 2000 + year, month, day, match.groups()[3:])


def _make_datetime(year: int, month: int, day: int, clock: tuple[str | None, ...]) -> datetime:
    hour, minute, second, fraction, half = clock
    hours = _to_24h(int(hour or 0), half) if half else int(hour or 0)
    micros = int((fraction or "0").ljust(6, "0")[:6])
    return datetime(year, month, day, hours, int(minute or 0), int(second or 0), micros)  # noqa: DTZ001


def _parse_month_name(match: re.Match[str]) -> datetime | None:
    clock = _ONLY_CLOCK.match(match["clock"])
    word = (match["m1"] or match["m2"]).lower()
    month = _MONTHS.get(word[:3]) or _MONTHS.get(word[:4])
    if clock is None or month is None:
        return None
    day, year = int(match["d1"] or match["d2"]), int(match["year"])
    return _make_datetime(year if year > 99 else 2000 + year, month, day, clock.groups())


def _parse_excel_date(text: str) -> datetime:
    """Return a serial date to the millisecond, the precision of its 15 digits."""
    days, _, fraction = text.partition(".")
    millis = round(int((fraction or "0").ljust(12, "0")[:12]) * 86_400_000 / 10**12)
    return _EXCEL_BEGINS + timedelta(days=int(days), milliseconds=millis)


def _to_24h(hour: int, half: str) -> int:
    if not 1 <= hour <= 12:
        raise ValueError("hours of a 12-hour clock must be 1 to 12")
    return hour % 12 + (12 if half in "Pp" else 0)


def epoch_time(text: str) -> str:
    """Return the time of seconds, milli-, micro- or nanoseconds since 1970, by their number of digits."""
    whole, _, fraction = text.partition(".")
    scale = _EPOCH_UNITS.get(len(whole))
    if scale is None or not (whole.isascii() and whole.isdigit() and (fraction or "0").isdigit()):
        return text
    micros = int(whole) * 10**6 // scale
    if scale == 1 and fraction:
        micros += int(fraction.ljust(6, "0")[:6])
    try:
        return (_EPOCH + timedelta(microseconds=micros)).isoformat()
    except OverflowError:
        return text
