"""Which day an instant belongs to, and what a window covers."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tearsheet.errors import UsageError
from tearsheet.trade.session import (
    CALENDAR_KINDS,
    DAY,
    EARLIEST,
    TradingCalendar,
    Window,
    from_micros,
    to_micros,
)
from tests.support.laws import examples

CHICAGO = TradingCalendar(ZoneInfo("America/Chicago"), time(17))


def local(zone: str, text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("wall", "session"),
    [
        ("2026-03-05 16:59:59", "2026-03-05"),
        ("2026-03-05 17:00", "2026-03-06"),
        ("2026-03-06 16:59", "2026-03-06"),
        ("2026-03-06 17:30", "2026-03-09"),  # Friday evening and the weekend belong to Monday
        ("2026-03-07 12:00", "2026-03-09"),
        ("2026-03-08 17:00", "2026-03-09"),  # Sunday 17:00, hours after the clock went forward
        ("2026-03-09 17:00", "2026-03-10"),
        ("2026-11-01 17:00", "2026-11-02"),  # the clock went back that morning
    ],
)
def test_the_futures_day_begins_at_17_00_in_chicago(wall: str, session: str) -> None:
    assert CHICAGO.trading_day_of(local("America/Chicago", wall)) == date.fromisoformat(session)


@pytest.mark.parametrize(
    ("zone", "day", "start", "hours"),
    [
        ("UTC", "2026-01-31", "2026-01-31T00:00", 24),
        ("America/New_York", "2024-03-10", "2024-03-10T05:00", 23),
        ("America/New_York", "2024-11-03", "2024-11-03T04:00", 25),
        ("Africa/Cairo", "2024-04-26", "2024-04-25T22:00", 23),  # a day without midnight
        ("America/Havana", "2024-11-03", "2024-11-03T04:00", 25),  # midnight twice
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00", 0),  # a day that never was
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00", 24),
        ("Australia/Lord_Howe", "2026-04-05", "2026-04-04T13:00", 24.5),
    ],
)
def test_days_are_as_long_as_they_are(zone: str, day: str, start: str, hours: float) -> None:
    calendar = TradingCalendar(ZoneInfo(zone))
    session = date.fromisoformat(day)
    assert calendar.start(session) == datetime.fromisoformat(f"{start}+00:00")
    assert calendar.end(session) - calendar.start(session) == timedelta(hours=hours)


def test_a_day_start_that_the_clock_skips_is_the_jump() -> None:
    calendar = TradingCalendar(ZoneInfo("America/New_York"), time(2, 30))
    assert calendar.start(date(2026, 3, 8)) == datetime(2026, 3, 8, 7, tzinfo=UTC)


def test_the_weekend_has_no_sessions_of_its_own_in_an_evening_calendar() -> None:
    saturday, monday = date(2026, 3, 7), date(2026, 3, 9)
    assert CHICAGO.start(saturday) == CHICAGO.start(monday) == local("America/Chicago", "2026-03-06 17:00")
    assert CHICAGO.end(saturday) == CHICAGO.end(monday)


def test_the_weekend_has_its_own_sessions_in_a_midnight_calendar() -> None:
    calendar = TradingCalendar(ZoneInfo("UTC"))
    assert calendar.trading_day_of(datetime(2026, 3, 7, 12, tzinfo=UTC)) == date(2026, 3, 7)


def test_an_early_day_start_keeps_the_date() -> None:
    calendar = TradingCalendar(ZoneInfo("UTC"), time(0, 30))
    assert calendar.trading_day_of(datetime(2026, 3, 7, 0, 29, tzinfo=UTC)) == date(2026, 3, 6)
    assert calendar.trading_day_of(datetime(2026, 3, 7, 0, 30, tzinfo=UTC)) == date(2026, 3, 7)


def test_weekdays_are_without_weekends_and_holidays() -> None:
    calendar = TradingCalendar(ZoneInfo("UTC"), holidays=frozenset({date(2026, 12, 25)}))
    days = [date(2026, 12, 24) + DAY * n for n in range(4)]
    assert [calendar.is_weekday(day) for day in days] == [True, False, False, False]


zones = st.sampled_from(
    [
        "UTC",
        "America/Chicago",
        "America/New_York",
        "Africa/Cairo",
        "America/Havana",
        "Pacific/Apia",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
        "Europe/London",
        "Asia/Tehran",
    ]
)
day_starts = st.sampled_from([time(0), time(0, 30), time(2), time(2, 30), time(12), time(17), time(23, 59)])
instants = st.integers(
    to_micros(datetime(1990, 1, 1, tzinfo=UTC)), to_micros(datetime(2035, 1, 1, tzinfo=UTC))
).map(from_micros)


@examples(2000)
@given(zones, day_starts, instants, st.timedeltas(timedelta(0), timedelta(days=3)))
def test_every_instant_has_one_session_and_they_follow_each_other(
    zone: str, day_start: time, at: datetime, later: timedelta
) -> None:
    calendar = TradingCalendar(ZoneInfo(zone), day_start)
    session = calendar.trading_day_of(at)
    assert calendar.start(session) <= at < calendar.end(session)
    assert calendar.trading_day_of(at + later) >= session
    assert calendar.trading_day_of(at) == session  # whatever was asked in between
    assert calendar.trading_day_of(calendar.start(session)) == session
    assert calendar.trading_day_of(calendar.end(session)) > session
    fresh = TradingCalendar(ZoneInfo(zone), day_start)
    assert fresh.trading_day_of(at) == session


@examples(500)
@given(instants)
def test_instants_survive_being_kept(at: datetime) -> None:
    assert from_micros(to_micros(at)) == at


@examples(300)
@given(zones, day_starts, st.dates(date(1990, 1, 1), date(2035, 1, 1)))
def test_sessions_lie_side_by_side_without_gap_or_overlap(zone: str, day_start: time, day: date) -> None:
    calendar = TradingCalendar(ZoneInfo(zone), day_start)
    for session in (day + DAY * n for n in range(8)):
        assert calendar.start(session) <= calendar.end(session)
        following = session + DAY
        if day_start < time(12) or session.weekday() < 4:
            assert calendar.end(session) == calendar.start(following)
    monday = day - DAY * day.weekday()
    week = calendar.start(monday + DAY * 7) - calendar.start(monday)
    assert timedelta(days=6) - timedelta(hours=1) <= week <= timedelta(days=8)


def test_the_first_and_the_last_day_that_can_be_asked_for() -> None:
    for day in (date(1970, 1, 2), date(2099, 12, 31)):
        for kind in CALENDAR_KINDS:
            window = Window.containing(kind, day)
            assert window.start <= day < window.end
            assert CHICAGO.start(window.start) < CHICAGO.end(window.last_day)


FRIDAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("kind", "start", "end", "label"),
    [
        ("daily", "2026-11-20", "2026-11-21", "2026-11-20"),
        ("weekly", "2026-11-16", "2026-11-23", "2026-11-16 to 2026-11-22"),
        ("monthly", "2026-11-01", "2026-12-01", "2026-11-01 to 2026-11-30"),
        ("quarterly", "2026-10-01", "2027-01-01", "2026-10-01 to 2026-12-31"),
        ("yearly", "2026-01-01", "2027-01-01", "2026-01-01 to 2026-12-31"),
    ],
)
def test_the_window_that_holds_a_day(kind: str, start: str, end: str, label: str) -> None:
    window = Window.choose(kind, FRIDAY)  # type: ignore[arg-type]
    assert (window.kind, window.start.isoformat(), window.end.isoformat()) == (kind, start, end)
    assert window.label == label
    assert window.last_day == window.end - DAY


def test_a_week_has_seven_days_and_begins_on_monday() -> None:
    window = Window.containing("weekly", date(2024, 12, 30))
    assert list(window.days()) == [date(2024, 12, 30) + DAY * n for n in range(7)]


def test_two_dates_are_taken_as_they_are_and_named_if_they_are_a_week() -> None:
    week = Window.choose("daily", FRIDAY, date(2026, 11, 9), date(2026, 11, 15))
    some = Window.choose("weekly", FRIDAY, date(2026, 11, 9), date(2026, 11, 16))
    assert (week.kind, some.kind) == ("weekly", "custom")
    assert Window.between(FRIDAY, FRIDAY).kind == "daily"


def test_one_date_picks_its_window() -> None:
    assert Window.choose("weekly", FRIDAY, start=date(2026, 1, 1)) == Window.containing(
        "weekly", date(2026, 1, 1)
    )
    assert Window.choose("monthly", FRIDAY, end=date(2026, 2, 3)).start == date(2026, 2, 1)


def test_all_and_rolling_reach_from_the_beginning() -> None:
    everything = Window.choose("all", FRIDAY)
    assert (everything.start, everything.end) == (EARLIEST.date(), FRIDAY + DAY)
    last = Window.last(20, FRIDAY)
    assert (last.kind, last.last_trades, last.label) == ("rolling", 20, "last 20 trades")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Window.between(FRIDAY, FRIDAY - DAY),
            "the end date 2026-11-19 is before the start date 2026-11-20",
        ),
        (lambda: Window.choose("custom", FRIDAY), "a custom period needs a start and an end date"),
        (lambda: Window.last(0, FRIDAY), "at least 1 trade, was 0"),
        (
            lambda: Window.choose("all", FRIDAY, start=FRIDAY + DAY),
            "the end date 2026-11-20 is before the start date 2026-11-21",
        ),
        (
            lambda: Window.choose("yearly", FRIDAY, start=date(9999, 12, 31)),
            "a day lies between 1970-01-02 and 2099-12-31, was 9999-12-31",
        ),
        (lambda: Window.choose("daily", FRIDAY, date(1, 1, 1), FRIDAY), "was 0001-01-01"),
        (lambda: Window.between(FRIDAY, date(2100, 1, 1)), "was 2100-01-01"),
        (lambda: Window.choose("all", FRIDAY, end=date.max), "was 9999-12-31"),
        (lambda: Window.containing("weekly", date(1970, 1, 1)), "was 1970-01-01"),
        (
            lambda: Window.containing("rolling", FRIDAY),
            "a rolling window cannot be selected by a single date",
        ),
    ],
)
def test_windows_that_make_no_sense(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageError, match=message.replace("(", r"\(").replace(")", r"\)")):
        make()
