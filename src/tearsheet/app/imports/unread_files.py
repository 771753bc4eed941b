"""Files of the log folder that are named nearly like a log, and not read: each is a doubt of its day."""

import logging
from collections.abc import Iterable
from datetime import date, datetime

from tearsheet.log import log_event
from tearsheet.sources.trade_logs.log_folder import day_of_rotated, day_of_unread
from tearsheet.store.tables.columns import DoubtRow
from tearsheet.store.tables.query_rows import SourceFile
from tearsheet.store.tables.sources import LOGGED, DoubtTable
from tearsheet.trade.session import DAY, EARLIEST, LATEST, to_micros

_log = logging.getLogger("tearsheet")
UNREAD = "unread_file"


def update_unread(
    table: DoubtTable, names: Iterable[str], known: dict[str, SourceFile], now: datetime, *, archives: bool
) -> bool:
    """Save which files are not read, inside a write transaction; return whether that changed.

    What a log was rotated to is no doubt if that log was read before: what it lost is known. Nor is it where logs are
    archived. `known` is what was read before this look.
    """
    absences, names = table.absences(), set(names)
    before = [one for one in table.all() if one.code == UNREAD]
    new = names - absences.keys() - {one.source for one in before}
    explained = {name for name in new if _is_explained(name, known, archives=archives)}
    for name in explained:
        table.allow_absence(name, now, "rotation")
    if new - explained:
        log_event(_log, "tearsheet.unread", level=logging.WARNING, files=", ".join(sorted(new - explained)))
    wanted = [one for one in before if one.source in names and not (archives and day_of_rotated(one.source))]
    return table.replace(before, [*wanted, *(_doubt(name, now) for name in sorted(new - explained))])


def _is_explained(name: str, known: dict[str, SourceFile], *, archives: bool) -> bool:
    day = day_of_rotated(name)
    source = None if day is None else known.get(f"{day}.jsonl")
    return day is not None and (archives or (source is not None and source.offset > 0))


def _doubt(name: str, now: datetime) -> DoubtRow:
    day = day_of_unread(name)
    since, until = (EARLIEST, LATEST) if day is None else (_midnight(day) - DAY, _midnight(day) + 2 * DAY)
    return DoubtRow(
        source=name,
        account=LOGGED,
        code=UNREAD,
        detail=f"{name} is not read: a log is named YYYY-MM-DD.jsonl",
        since_us=to_micros(since),
        until_us=to_micros(until),
        found_us=to_micros(now),
        kept_in=0,
    )


def _midnight(day: date) -> datetime:
    """Return the midnight of a day in UTC; a day on either side covers every time zone."""
    return EARLIEST.replace(year=day.year, month=day.month, day=day.day)
