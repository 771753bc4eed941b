"""Files that are not read: of the log folder, where they may hold a log, and statements that were refused.

Each is a doubt until it is read, moved away or decided on.
"""

import logging
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path

from tearsheet.app.context import LedgerContext
from tearsheet.log import log_event
from tearsheet.sources.trade_logs.other_files import OtherFile, content_of
from tearsheet.store.tables.columns import DoubtRow
from tearsheet.store.tables.query_rows import SourceFile
from tearsheet.store.tables.sources import EVERY, LOGGED, DoubtTable
from tearsheet.trade.session import DAY, EARLIEST, LATEST, to_micros

_log = logging.getLogger("tearsheet")
UNREAD, REFUSED = "unread_file", "refused_statement"
#: Key among the sources that may be absent: length and checksum of what was read of a log.
_CONTENT = "content "


def update_unread(
    table: DoubtTable, folder: Path, files: Sequence[OtherFile], known: dict[str, SourceFile], now: datetime
) -> bool:
    """Save which files are not read, inside a write transaction; return whether that changed.

    A file that holds what was read of a log is no doubt, however often it is renamed; it is one if more of it was never
    read. `known` is what was read before this look.
    """
    absences = table.absences()
    read = {name.removeprefix(_CONTENT) for name in absences if name.startswith(_CONTENT)}
    unread: dict[str, list[OtherFile]] = defaultdict(list)
    for file in files:
        if file.place in absences:
            continue
        content = _read_content(folder, file, known, read)
        if content is None:
            unread[file.place].append(file)
        elif content not in read:
            table.allow_absence(_CONTENT + content, now, "rotation")
            read.add(content)
    before = [one for one in table.all() if one.code == UNREAD]
    new = unread.keys() - {one.source for one in before}
    if new:
        log_event(_log, "tearsheet.unread", level=logging.WARNING, files=", ".join(sorted(new)))
    return table.replace(before, [_doubt(place, found, now) for place, found in sorted(unread.items())])


def _read_content(folder: Path, file: OtherFile, known: dict[str, SourceFile], read: set[str]) -> str | None:
    """Return length and checksum of a file that holds what was read of a log, no more and no less; else None."""
    day = file.day_of_log
    source = None if day is None else known.get(f"{day}.jsonl")
    if day is None or (source is None and not read):
        return None
    most = max((int(one.partition("-")[0]) for one in read), default=0)
    content = content_of(folder, file, max(most, source.offset if source else 0))
    if content is None:
        return None
    name = f"{content[0]}-{content[1]:08x}"
    is_same = source is not None and source.offset > 0 and content == (source.offset, source.checksum)
    return name if is_same or name in read else None


def _doubt(place: str, files: list[OtherFile], now: datetime) -> DoubtRow:
    spans = [file.days for file in files]
    known = [span for span in spans if span is not None]
    since, until = EARLIEST, LATEST
    if len(known) == len(spans):
        since = _midnight(min(first for first, _ in known)) - DAY
        until = _midnight(max(last for _, last in known)) + 2 * DAY
    what, hint = f"{place} is", "a log is named YYYY-MM-DD.jsonl and lies in the log folder itself"
    if files[0].day_of_log is not None and place == f"{files[0].day_of_log}.jsonl":
        hint = "it is a link to a file that is not there"
    if place.endswith("/"):
        what = f"{files[0].name} is" if len(files) == 1 else f"{place} has {len(files):,} files that are"
    return DoubtRow(
        source=place,
        account=LOGGED,
        code=UNREAD,
        detail=f"{what} not read: {hint}",
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
        if any(Path(one.source).is_relative_to(folder) and folder.is_dir() for folder in folders)
        and _is_settled(Path(one.source), is_imported)
    ]
    if not ended:
        return False
    with ledger.writing():
        DoubtTable(ledger.queries).remove(ended)
        ledger.bump_revision()
    return True


def _is_settled(path: Path, is_imported: Callable[[Path], bool]) -> bool:
    return not os.path.lexists(path) or is_imported(path)


def _changed_us(path: Path) -> int:
    """Return when a file was written or put where it is, in microseconds; 0 if that cannot be seen."""
    try:
        info = path.lstat()
    except OSError:
        return 0
    return max(info.st_mtime_ns, info.st_ctime_ns) // 1000
