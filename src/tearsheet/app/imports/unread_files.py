"""Files that are not read: of the log folder, named nearly like a log, and statements that were refused.

Each is a doubt until it is read, moved away or decided on.
"""

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from pathlib import Path

from tearsheet.app.context import LedgerContext
from tearsheet.log import log_event
from tearsheet.sources.trade_logs.log_folder import day_of_rotated, day_of_unread
from tearsheet.store.tables.columns import DoubtRow
from tearsheet.store.tables.query_rows import SourceFile
from tearsheet.store.tables.sources import EVERY, LOGGED, DoubtTable
from tearsheet.trade.session import DAY, EARLIEST, LATEST, to_micros

_log = logging.getLogger("tearsheet")
UNREAD, REFUSED = "unread_file", "refused_statement"


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


def note_refused(context: LedgerContext, path: Path, reason: str, account: str | None) -> bool:
    """Save that a file was refused, unless somebody decided on it since it was written; return whether that changed.

    What it states happened before now, and is of `account`, or of any.
    """
    ledger, source, now_us = context.ledger, str(path), to_micros(context.now)
    with ledger.writing():
        table = DoubtTable(ledger.queries)
        changed_us = _changed_us(path)
        decided = table.absences().get(source)
        if decided is not None and changed_us <= decided.at_us:
            return False
        table.end_absence(source)
        before = [one for one in table.all() if one.source == source]
        until_us = max(now_us, changed_us)
        if before and changed_us <= before[0].found_us:
            until_us = before[0].until_us
        doubt = DoubtRow(
            source=source,
            account=account or EVERY,
            code=REFUSED,
            detail=f"{path.name} was refused: {reason}",
            since_us=to_micros(EARLIEST),
            until_us=until_us,
            found_us=now_us,
            kept_in=0,
        )
        changed = table.replace(before, [doubt])
        if changed:
            ledger.bump_revision()
    return changed


def end_refused(context: LedgerContext, folders: Sequence[Path], is_imported: Callable[[Path], bool]) -> bool:
    """End the doubts about files that were moved away or imported, by any door; return whether there were any.

    A file whose folder is gone stays in doubt, and so does one of another folder.
    """
    ledger = context.ledger
    with ledger.snapshot():
        found = [one for one in DoubtTable(ledger.queries).all() if one.code == REFUSED]
    ended = [
        one
        for one in found
        if Path(one.source).parent in folders and _is_settled(Path(one.source), is_imported)
    ]
    if not ended:
        return False
    with ledger.writing():
        DoubtTable(ledger.queries).remove(ended)
        ledger.bump_revision()
    return True


def _is_settled(path: Path, is_imported: Callable[[Path], bool]) -> bool:
    return is_imported(path) if os.path.lexists(path) else path.parent.is_dir()


def _changed_us(path: Path) -> int:
    """Return when a file was written or put where it is, in microseconds; 0 if that cannot be seen."""
    try:
        info = path.lstat()
    except OSError:
        return 0
    return max(info.st_mtime_ns, info.st_ctime_ns) // 1000
