"""Axes of charts: round amounts, and a time axis on which every session is equally wide.

Lengths are tenths of a pixel, as integers, so that the same data gives the same bytes.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from itertools import groupby
from zoneinfo import ZoneInfo

from msgspec import Struct

from tearsheet.export.scale import EXACT, nice_step
from tearsheet.performance.series import CurvePoint, DrawnCurve
from tearsheet.trade.session import DAY

_WHOLE = Decimal(1)
#: Parts of a session's width; and how many of them are left free on either side.
_PARTS, _GAP = 100_000, 6_000
#: Sessions beside a single point, so that it stands in a week.
_AROUND = 3
_LABEL_WIDTH = 560
_MINUTES = (1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720)
_SECONDS = (1, 2, 5, 10, 15, 30)
_MAX_MONTH_LABELS_DAYS = 62
_YEARS_AFTER_DAYS = 731


class Tick(Struct, frozen=True):
    """Place on an axis with its label; an empty label is a line only."""

    at: int
    label: str


class AmountAxis:
    """Linear scale of amounts over a height, the highest at the top; equal ends are widened."""

    def __init__(self, top: int, height: int, low: Decimal, high: Decimal) -> None:
        if low == high:
            low, high = (low, low + 1) if low >= 0 else (low, low + abs(low))
        self.top, self.height, self.low, self.high = top, height, low, high

    @property
    def bottom(self) -> int:
        """Return the lower end."""
        return self.top + self.height

    def place(self, amount: Decimal) -> int:
        """Return the place of an amount."""
        share = EXACT.divide(EXACT.multiply(self.high - amount, self.height), self.high - self.low)
        return self.top + int(EXACT.quantize(share, _WHOLE))

    def round_amounts(self, steps: int) -> tuple[list[Decimal], Decimal]:
        """Return round amounts in at most about this many steps, and their step."""
        step = nice_step(EXACT.divide(self.high - self.low, steps))
        first = int(EXACT.divide(self.low, step).to_integral_value(ROUND_CEILING))
        last = int(EXACT.divide(self.high, step).to_integral_value(ROUND_FLOOR))
        return [step * number for number in range(first, last + 1)], step


class SessionAxis:
    """Time axis of a curve: sessions side by side; within each, time is true from its first fill to its last."""

    def __init__(self, curve: DrawnCurve, left: int, width: int, zone: ZoneInfo) -> None:
        self.left, self.width = left, width
        self._zone = zone
        self._is_one_point = len(curve.points) == 1
        self.sessions = _padded(curve)
        self._numbers = {session: number for number, session in enumerate(self.sessions)}
        self.is_one_session = curve.by_fill and len(self.sessions) == 1
        self._spans = {
            session: _span([one.offset for one in points if one.offset is not None], room=self.is_one_session)
            for session, points in groupby(curve.points, lambda point: point.session)
        }
        self._start = _session_start(curve.points)

    def place(self, point: CurvePoint) -> int:
        """Return the place of a point: of its instant, or the end of its session."""
        number = self._numbers[point.session]
        if point.offset is None:
            return self._within(number, _PARTS // 2 if self._is_one_point else _PARTS)
        first, last = self._spans[point.session]
        share = _share(point.offset - first, last - first)
        if not self.is_one_session:
            share = _GAP + share * (_PARTS - 2 * _GAP) // _PARTS
        return self._within(number, share)

    def ticks(self) -> list[Tick]:
        """Return labelled places, as many as fit."""
        if self.is_one_session:
            return list(self._hours())
        return date_ticks(self.sessions, self.left, self.width, middle=self._is_one_point)

    def _within(self, number: int, part: int) -> int:
        return self.left + self.width * (number * _PARTS + part) // (_PARTS * len(self.sessions))

    def _hours(self) -> Iterator[Tick]:
        """Yield round times of the day in the trading day's zone."""
        if self._start is None:
            return
        fitting = max(self.width // (_LABEL_WIDTH + 140), 1)
        [(since_start, until)] = self._spans.values()
        length = until - since_start
        seconds = [*_SECONDS, *(60 * minutes for minutes in _MINUTES)]
        step = next((one for one in seconds if length / timedelta(seconds=one) <= fitting), seconds[-1])
        first, last = self._start + since_start, self._start + until
        form = "%H:%M" if step >= 60 else "%H:%M:%S"
        local = first.astimezone(self._zone)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        since = int((local - midnight).total_seconds())
        at = first + timedelta(seconds=-(-since // step) * step - since, microseconds=-local.microsecond)
        while at <= last:
            if at >= first:
                yield Tick(self._within(0, _share(at - first, length)), f"{at.astimezone(self._zone):{form}}")
            at += timedelta(seconds=step)


def date_ticks(days: Sequence[date], left: int, width: int, *, middle: bool = False) -> list[Tick]:
    """Return the first days of years or months, or every some days, at equal distances: start or middle."""
    if not days:
        return []
    fitting = max(width // _LABEL_WIDTH, 1)
    span = (days[-1] - days[0]).days
    if span > _YEARS_AFTER_DAYS:
        found = _firsts(days, lambda day: day.year, fitting, lambda day: f"{day:%Y}")
    elif span > _MAX_MONTH_LABELS_DAYS:
        found = _firsts(days, lambda day: day.year * 12 + day.month, fitting, _month_label)
    else:
        found = list(_every_some(days, -(-len(days) // max(fitting * 4 // 3, 1))))
    half = width // (2 * len(days)) if middle else 0
    return [Tick(left + width * number // len(days) + half, label) for number, label in found]


def _every_some(days: Sequence[date], stride: int) -> Iterator[tuple[int, str]]:
    last = None
    for number in range(0, len(days), stride):
        day = days[number]
        if day != last:
            changed = last is None or (day.year, day.month) != (last.year, last.month)
            yield number, f"{day.day} {day:%b}" if changed else f"{day.day}"
        last = day


def _firsts(
    days: Sequence[date], part: Callable[[date], int], fitting: int, label: Callable[[date], str]
) -> list[tuple[int, str]]:
    """Return the first day of each year or month, of every second, third … if they are too many."""
    starts = [number for number in range(1, len(days)) if part(days[number]) != part(days[number - 1])]
    stride = -(-len(starts) // fitting) or 1
    found = [(number, label(days[number])) for number in starts[::stride]]
    if not found or found[0][0] * fitting > len(days):
        found.insert(0, (0, f"{days[0]:%b %Y}"))
    return found


def _padded(curve: DrawnCurve) -> tuple[date, ...]:
    """Return the sessions of a curve; a single point stands in the middle of a week."""
    if len(curve.points) != 1:
        return curve.sessions
    day = curve.points[0].session
    return tuple(day + DAY * number for number in range(-_AROUND, _AROUND + 1))


def _span(offsets: Sequence[timedelta], *, room: bool) -> tuple[timedelta, timedelta]:
    """Return the part of a session from its first fill to its last, with some room around if it is the axis."""
    if not offsets:
        return timedelta(0), DAY
    first, last = min(offsets), max(offsets)
    around = max((last - first) // 25, timedelta(seconds=2)) if room or first == last else timedelta(0)
    return first - around, last + around


def _session_start(points: Sequence[CurvePoint]) -> datetime | None:
    first = points[0] if points else None
    return None if first is None or first.time is None or first.offset is None else first.time - first.offset


def _share(part: timedelta, whole: timedelta) -> int:
    return part * _PARTS // whole if whole else _PARTS // 2


def _month_label(day: date) -> str:
    return f"{day:%b %Y}" if day.month == 1 else f"{day:%b}"
