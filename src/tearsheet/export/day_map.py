"""Picture of every day: a column a week, a row a weekday, darker for larger results, a bar on losses."""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from tearsheet.export.plot import ChartWords, Picture, date_words, line, rect, svg, text
from tearsheet.performance.series import DailyPoint
from tearsheet.trade.session import DAY

_LEFT, _LABELS, _GAP, _ROW, _SHADES = 340, 160, 20, 120, 4
_MAX_CELL, _WEEKS = 400, 53
_WEEKDAYS = ("Mon", "", "Wed", "", "Fri", "", "Sun")


def day_map_picture(days: Sequence[DailyPoint], words: ChartWords, width: int) -> Picture:
    """Return the map of the last year of the days."""
    monday = days[-1].session - DAY * days[-1].session.weekday()
    first = max(days[0].session - DAY * days[0].session.weekday(), monday - DAY * 7 * (_WEEKS - 1))
    shown = [day for day in days if day.session >= first]
    weeks = (monday - first).days // 7 + 1
    rows = 7 if any(day.session.weekday() > 4 for day in shown) else 5
    cell = min((10 * width - _LEFT) // weeks, _MAX_CELL)
    sizes = sorted(abs(day.net_pnl) for day in shown if day.net_pnl)
    parts = [
        text("tick", 0, row * _ROW + (_ROW - _GAP) // 2, name)
        for row, name in enumerate(_WEEKDAYS[:rows])
        if name
    ]
    for day in shown:
        x = _LEFT + (day.session - first).days // 7 * cell
        y = day.session.weekday() * _ROW
        parts += _cell(day, (x, y), cell - _GAP, sizes, words)
    parts += _months(first, weeks, cell, rows * _ROW + 60)
    up = sum(day.net_pnl > 0 for day in shown)
    description = (
        f"Each day from {date_words(shown[0].session)}, darker is larger: {up:,} of {len(shown):,} up"
    )
    return Picture(svg(width, (rows * _ROW + _LABELS) // 10, parts, description), description)


def _cell(
    day: DailyPoint, at: tuple[int, int], width: int, sizes: Sequence[Decimal], words: ChartWords
) -> list[str]:
    x, y = at
    height = _ROW - _GAP
    kind = "even"
    if day.net_pnl:
        shade = bisect_left(sizes, abs(day.net_pnl)) * _SHADES // len(sizes) + 1
        kind = f"{'gain' if day.net_pnl > 0 else 'loss'}-{shade}"
    title = f"{date_words(day.session)}: {words.result(day.net_pnl)}"
    square = rect(kind, x, y, width, height, title)
    if day.net_pnl >= 0:
        return [square]
    middle, half = x + width // 2, min(width // 4, 40)
    return [square, line("minus", middle - half, y + height // 2, middle + half, y + height // 2)]


def _months(first: date, weeks: int, cell: int, y: int) -> list[str]:
    """Return the names of the months below the week that holds their first day."""
    found, taken = [], -1
    for week in range(weeks):
        end = first + DAY * (7 * week + 6)
        x = _LEFT + week * cell
        if (week == 0 or end.day <= 7) and x > taken:
            found.append(text("tick", x, y, f"{end:%b %Y}" if week == 0 or end.month == 1 else f"{end:%b}"))
            taken = x + 520
    return found
