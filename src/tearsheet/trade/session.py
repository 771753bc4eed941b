"""Trading days (sessions) and windows of them.

Ranges are half-open: `[start, end)`. A session is identified by its date. It starts at the first
instant at which the local wall clock shows the day start, which also covers 23- and 25-hour days and
skipped dates.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

from tearsheet.errors import UsageError

DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_NOON = time(12)
#: Regular expression that matches exactly the dates 1980-01-01 to 2087-12-31, with leap days.
DATE_PATTERN = (
    r"((19[89][0-9]|20[0-8][0-9])-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])"
    r"|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
    r"|(19(8[048]|9[26])|20([02468][048]|[1357][26]))-02-29)"
)
#: How far an instant may be ahead of the clock: two machines never agree to the second.
CLOCK_TOLERANCE = timedelta(seconds=60)
#: The largest error of an instant that was written in a wrong time zone (from -12 h to +14 h).
_WIDEST_OFFSET = timedelta(hours=26)
#: Range of valid instants on input.
EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

WindowKind = Literal["daily", "weekly", "monthly", "quarterly", "yearly", "all", "custom", "rolling"]
#: Kinds of window that a single date determines.
CALENDAR_KINDS: tuple[WindowKind, ...] = ("daily", "weekly", "monthly", "quarterly", "yearly")


class TradingCalendar:
    """Mapping of instants to sessions by time zone and day start.

    With a day start at noon or later, a session has the next day's date (Sunday 17:00 in Chicago
    belongs to Monday), and the weekend belongs to Monday. With an earlier day start, a session has
    the date on which it starts, and Saturday and Sunday are sessions too.
    """

    def __init__(
        self, timezone: ZoneInfo, day_starts_at: time = time(0), holidays: frozenset[date] = frozenset()
    ) -> None:
        self.timezone = timezone
        self.day_starts_at = day_starts_at
        self.holidays = holidays
        self.starts_evening_before = day_starts_at >= _NOON
        self._starts: dict[date, datetime] = {}
        self._latest = (EARLIEST, EARLIEST, EARLIEST.date())

    def trading_day_of(self, at: datetime) -> date:
        """Return the session that contains an instant."""
        start, end, session = self._latest
        if start <= at < end:
            return session
        session = self._dated_as(at.astimezone(self.timezone).date())
        while at < self.start(session):
            session = self._dated_as(session - DAY, forward=False)
        while at >= self.end(session):
            session = self._dated_as(session + DAY)
        self._latest = (self.start(session), self.end(session), session)
        return session

    def start(self, session: date) -> datetime:
        """Return the first instant (UTC) of a session; of the next one if the date has none."""
        start = self._starts.get(session)
        if start is None:
            start = self._starts[session] = self._first_instant(self._dated_as(session))
        return start

    def end(self, session: date) -> datetime:
        """Return the first instant (UTC) after a session."""
        return self.start(self._dated_as(session) + DAY)

    def is_weekday(self, session: date) -> bool:
        """Return whether the exchanges are open: Monday to Friday and not a full holiday."""
        return session.weekday() < 5 and session not in self.holidays

    def previous_window(self, window: "Window") -> "Window | None":
        """Return the previous exchange day, week, month or range; None for `all` and rolling windows."""
        if window.last_trades is not None or window.kind == "all":
            return None
        last = window.start - DAY
        if window.kind == "custom":
            return Window.between(window.start - (window.end - window.start), last)
        while window.kind == "daily" and not self.is_weekday(last):
            last -= DAY
        return Window.containing(window.kind, last)

    def _dated_as(self, day: date, *, forward: bool = True) -> date:
        """Return the date, or the nearest weekday if the weekend has no sessions."""
        while self.starts_evening_before and day.weekday() > 4:
            day += DAY if forward else -DAY
        return day

    def _first_instant(self, session: date) -> datetime:
        evening = self.starts_evening_before
        day = self._dated_as(session - DAY, forward=False) if evening else session
        day_start = datetime.combine(day, self.day_starts_at)
        early, late = sorted(
            day_start.replace(tzinfo=self.timezone, fold=fold).astimezone(UTC) for fold in (0, 1)
        )
        if self._local_time(early) >= day_start:
            return early
        while late - early > _SECOND:  # DST skips the day start: bisect to the jump
            middle = early + (late - early) // 2
            if self._local_time(middle) >= day_start:
                late = middle
            else:
                early = middle
        return late.replace(microsecond=0)

    def _local_time(self, at: datetime) -> datetime:
        return at.astimezone(self.timezone).replace(tzinfo=None)


class Window(Struct, frozen=True):
    """Range of sessions `[start, end)`, or the last N closed trades before `end`."""

    kind: WindowKind
    start: date
    end: date
    last_trades: int | None = None

    @property
    def last_day(self) -> date:
        """Return the last session in the window."""
        return self.end - DAY

    @property
    def label(self) -> str:
        """Return the window as text."""
        if self.last_trades is not None:
            return f"last {self.last_trades} trades"
        if self.start == self.last_day:
            return self.start.isoformat()
        return f"{self.start.isoformat()} to {self.last_day.isoformat()}"

    def days(self) -> Iterator[date]:
        """Yield every date in the window, including weekends."""
        return (self.start + DAY * n for n in range((self.end - self.start).days))

    @classmethod
    def containing(cls, kind: WindowKind, day: date) -> "Window":
        """Return the day, Monday–Sunday week, calendar month, quarter or year that contains a date."""
        start, end = _bounds(kind, _validate_range(day))
        return cls(kind, start, end)

    @classmethod
    def between(cls, first: date, last: date) -> "Window":
        """Return the window of an inclusive range; its kind is daily, weekly … if it is exactly one."""
        _check_order(_validate_range(first), _validate_range(last))
        for kind in CALENDAR_KINDS:
            if _bounds(kind, first) == (first, last + DAY):
                return cls(kind, first, last + DAY)
        return cls("custom", first, last + DAY)

    @classmethod
    def last(cls, trades: int, today: date) -> "Window":
        """Return the window of the last N closed trades up to today, included."""
        if trades < 1:
            raise UsageError(f"a rolling window needs at least 1 trade, was {trades}")
        return cls("rolling", EARLIEST.date(), today + DAY, trades)

    @classmethod
    def choose(
        cls, kind: WindowKind, today: date, start: date | None = None, end: date | None = None
    ) -> "Window":
        """Return the window of a kind with an optional inclusive start and end.

        One date selects the window of that kind that contains it; two dates define the range.
        """
        if start is not None and end is not None:
            return cls.between(start, end)
        if kind == "custom":
            raise UsageError("a custom period needs a start and an end date", "give both")
        if kind == "all":
            first, last = _validate_range(start or EARLIEST.date()), _validate_range(end or today)
            _check_order(first, last)
            return cls("all", first, last + DAY)
        return cls.containing(kind, start or end or today)


class AccountCalendars:
    """The calendar of each account: its own where it states one, else that of the ledger.

    A session of all accounts is what each of them calls by its date, so it is no stretch of time.
    """

    def __init__(self, common: TradingCalendar, own: Mapping[str, TradingCalendar] | None = None) -> None:
        self.common = common
        #: calendars of the accounts that have another one than the ledger
        self.own = {} if own is None else {name: one for name, one in own.items() if one is not common}

    def of(self, account: str | None) -> TradingCalendar:
        """Return the calendar of an account; of all accounts it is that of the ledger."""
        return self.common if account is None else self.own.get(account, self.common)

    def trading_day_of(self, account: str | None, at: datetime) -> date:
        """Return the session of an account that contains an instant."""
        return self.of(account).trading_day_of(at)

    def start(self, account: str | None, session: date) -> datetime:
        """Return the first instant of a session: of an account, or the earliest of all."""
        common = self.of(account).start(session)
        return min((common, *(one.start(session) for one in self._several(account))))

    def end(self, account: str | None, window: Window) -> datetime:
        """Return the first instant after a window: of an account, or the latest of all."""
        common = self.of(account).start(window.end)
        return max((common, *(one.start(window.end) for one in self._several(account))))

    def holds(self, window: Window, account: str, at: datetime) -> bool:
        """Return whether an instant of an account between the start and the end of a window belongs to it."""
        return not self.own or window.start <= self.trading_day_of(account, at) < window.end

    def _several(self, account: str | None) -> Iterable[TradingCalendar]:
        return self.own.values() if account is None else ()


@lru_cache(maxsize=64)
def calendar_like(common: TradingCalendar, timezone: str, day_starts_at: str) -> TradingCalendar:
    """Return a calendar with the holidays of another; that one itself if it is the same."""
    if (timezone, day_starts_at) == (common.timezone.key, common.day_starts_at.isoformat("minutes")):
        return common
    return TradingCalendar(ZoneInfo(timezone), time.fromisoformat(day_starts_at), common.holidays)


def _validate_range(day: date) -> date:
    first, last = EARLIEST.date(), LATEST.date() - DAY
    if not first <= day <= last:
        raise UsageError(f"a day lies between {first} and {last}, was {day}")
    return day


def _check_order(first: date, last: date) -> None:
    if last < first:
        raise UsageError(f"the end date {last} is before the start date {first}", "swap the dates")


def is_ahead(at: datetime, now: datetime) -> bool:
    """Return whether an instant lies in the future beyond the clock tolerance."""
    return at > now + CLOCK_TOLERANCE


def possible_instants(at: datetime, now: datetime) -> tuple[datetime, datetime]:
    """Return the range of instants that a time in the future may mean: in any time zone, or as it says.

    A time further ahead than any zone explains has a wrong date: what it tells of has happened by now.
    """
    earliest = at - _WIDEST_OFFSET
    return (earliest, at) if earliest <= now else (now, now)


def to_micros(at: datetime) -> int:
    """Return microseconds since 1970 (UTC), the stored form of an instant."""
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def from_micros(micros: int) -> datetime:
    """Return the instant (UTC) of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=micros)


def _bounds(kind: WindowKind, day: date) -> tuple[date, date]:
    if kind == "daily":
        return day, day + DAY
    if kind == "weekly":
        monday = day - DAY * day.weekday()
        return monday, monday + DAY * 7
    months = {"monthly": 1, "quarterly": 3, "yearly": 12}.get(kind)
    if months is None:
        raise UsageError(f"a {kind} window cannot be selected by a single date")
    first = day.replace(day=1, month=(day.month - 1) // months * months + 1)
    after = first.month + months
    return first, first.replace(year=first.year + (after > 12), month=(after - 1) % 12 + 1)
