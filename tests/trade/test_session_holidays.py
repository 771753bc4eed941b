"""The holidays file beside the exchange's own rules, worked out anew."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from tearsheet.settings import exchange_holidays

#: Full days that no rule foresees: September 11, mourning for presidents, hurricane Sandy.
SPECIAL = {
    date(2001, 9, 11),
    date(2001, 9, 12),
    date(2001, 9, 13),
    date(2001, 9, 14),
    date(2004, 6, 11),
    date(2007, 1, 2),
    date(2012, 10, 29),
    date(2012, 10, 30),
    date(2018, 12, 5),
    date(2025, 1, 9),
}
MONDAY, THURSDAY = 0, 3


def nth(year: int, month: int, weekday: int, n: int) -> date:
    """The n-th such weekday of a month."""
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))


def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar, by the anonymous algorithm of 1876."""
    a, b, c = year % 19, year // 100, year % 100
    h = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    m = (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)


def observed(day: date) -> date:
    """A Saturday's holiday is kept on Friday, a Sunday's on Monday."""
    return day + timedelta(days={5: -1, 6: 1}.get(day.weekday(), 0))


def by_rule(year: int) -> Iterator[date]:
    """The full holidays of a year by Rule 7.2 of the exchange."""
    new_year = date(year, 1, 1)
    if new_year.weekday() < 5:
        yield new_year
    elif new_year.weekday() == 6:  # on a Saturday it is not made up for in December
        yield date(year, 1, 2)
    yield nth(year, 1, MONDAY, 3)
    yield nth(year, 2, MONDAY, 3)
    yield easter(year) - timedelta(days=2)
    yield nth(year, 6, MONDAY, 1) - timedelta(days=7)  # the last Monday of May
    if year >= 2022:
        yield observed(date(year, 6, 19))
    yield observed(date(year, 7, 4))
    yield nth(year, 9, MONDAY, 1)
    yield nth(year, 11, THURSDAY, 4)
    yield observed(date(year, 12, 25))


@pytest.mark.parametrize("year", range(2000, 2031))
def test_every_year_is_as_the_rules_say(year: int) -> None:
    found = {day for day in exchange_holidays() if day.year == year}
    assert found == set(by_rule(year)) | {day for day in SPECIAL if day.year == year}


def test_no_holiday_is_on_a_weekend_or_outside_the_years_stated() -> None:
    days = exchange_holidays()
    assert {day.weekday() for day in days} == {0, 1, 2, 3, 4}
    assert (min(days).year, max(days).year) == (2000, 2030)
