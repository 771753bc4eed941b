"""Known log files, the log folder and the instruments file that are gone: doubts until they are back, or decided."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from tearsheet.app.context import LedgerContext
from tearsheet.app.kept_instruments import InstrumentSource
from tearsheet.errors import InputError
from tearsheet.sources.trade_logs.log_folder import FolderListing, list_folder
from tearsheet.store.tables.columns import DoubtRow, Row
from tearsheet.store.tables.ledger import Ledger
from tearsheet.store.tables.queries import Queries
from tearsheet.store.tables.query_rows import SourceFile
from tearsheet.store.tables.rows import LINE_BITS
from tearsheet.store.tables.sources import EVERY, INSTRUMENTS, LOGGED, DoubtTable
from tearsheet.trade.session import DAY, LATEST, TradingCalendar, to_micros

#: Name of the log folder among the sources, code of the doubts, and key under which a seen folder is noted.
LOGS, GONE, SEEN = "logs", "source_gone", "log_folder_seen"
#: Key of the signature of the logs that were read.
SIGNATURE = "log_signature"
#: Key under which the last stated `archive_logs` is kept.
ARCHIVES = "archive_logs"
#: Key of the folder that the logs were read from.
FOLDER = "log_folder"


class _Span(Row, frozen=True, gc=False):
    since_us: int | None
    until_us: int | None


class LostLogs:
    """Doubts about the log folder of a ledger; use it inside a write transaction."""

    def __init__(
        self, ledger: Ledger, calendar: TradingCalendar, now: datetime, *, archives: bool, is_named: bool
    ) -> None:
        self._ledger, self._calendar, self._now = ledger, calendar, now
        self._archives, self._is_named = archives, is_named
        self._doubts = DoubtTable(ledger.queries)

    def update(self, folder: str | None, known: Iterable[SourceFile], present: set[str]) -> bool:
        """Save what is gone now; `folder` says why it cannot be listed. Returns whether that changed."""
        absences = self._doubts.absences()
        for name in absences.keys() & (present | (set() if folder else {LOGS})):
            self._doubts.end_absence(name)
        if folder is None and (present or self._is_named) and not self._ledger.get(SEEN):
            self._ledger.put(SEEN, "1")
        known = list(known)
        gone = [
            one
            for one in known
            if one.name not in present and one.name not in absences and not self._has_left(one)
        ]
        wanted = [self._file_doubt(one) for one in gone]
        is_empty = bool(gone) and not any(one.name in present for one in known)
        if LOGS not in absences and (is_empty or (folder is not None and self._ledger.get(SEEN))):
            wanted.append(self._folder_doubt(folder or "it has none of its files any more", known))
        before = [one for one in self._doubts.all() if one.code == GONE and one.account == LOGGED]
        return self._doubts.replace(before, wanted)

    def _has_left(self, file: SourceFile) -> bool:
        """Return whether a file of a finished day was archived, where that is said to be normal.

        One that was not read to its end has not.
        """
        today = self._calendar.trading_day_of(self._now)
        return self._archives and bool(file.complete) and file.size == file.offset and _day(file) < today

    def _file_doubt(self, file: SourceFile) -> DoubtRow:
        day = _day(file)
        first, last = file.id << LINE_BITS, (file.id + 1) << LINE_BITS
        span = self._ledger.queries.row(_Span, "span_of_records", (first, last))
        since, until = to_micros(self._midnight(day)), to_micros(self._midnight(day + DAY)) - 1
        if span is not None and span.since_us is not None and span.until_us is not None:
            since, until = min(since, span.since_us), max(until, span.until_us)
        return self._doubt(file.name, f"{file.name} is gone; what was read of it stays booked", since, until)

    def _folder_doubt(self, why: str, known: list[SourceFile]) -> DoubtRow:
        day = max(map(_day, known), default=self._calendar.trading_day_of(self._now))
        since = to_micros(self._midnight(day))
        return self._doubt(LOGS, f"the log folder: {why}", since, to_micros(LATEST))

    def _doubt(self, source: str, detail: str, since_us: int, until_us: int) -> DoubtRow:
        return DoubtRow(
            source=source,
            account=LOGGED,
            code=GONE,
            detail=detail,
            since_us=since_us,
            until_us=until_us,
            found_us=to_micros(self._now),
            kept_in=0,
        )

    def _midnight(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=self._calendar.timezone)


def update_folders(context: LedgerContext, folders: Sequence[Path]) -> set[Path]:
    """Save and return which folders of dropped statements are gone; call it when that has changed."""
    ledger = context.ledger
    with ledger.writing():
        table = DoubtTable(ledger.queries)
        absences, names = table.absences(), {str(folder) for folder in folders}
        lost = {folder for folder in folders if not folder.is_dir()}
        gone = set(map(str, lost))
        for name in absences.keys() & (names - gone):
            table.end_absence(name)
        accounts = ledger.queries.values("accounts_of_files") or [EVERY]
        since = to_micros(context.settings.calendar.start(context.today))
        wanted = [
            DoubtRow(
                source=name,
                account=account,
                code=GONE,
                detail=f"the folder of statements {name} is gone",
                since_us=since,
                until_us=to_micros(LATEST),
                found_us=to_micros(context.now),
                kept_in=0,
            )
            for name in sorted(gone - absences.keys())
            for account in accounts
        ]
        before = [one for one in table.all() if one.source in names]
        kept = {one.source: one.since_us for one in before}
        wanted = [replace(one, since_us=kept.get(one.source, one.since_us)) for one in wanted]
        if table.replace(before, wanted):
            ledger.bump_revision()
    return lost


def _day(file: SourceFile) -> date:
    assert file.day is not None
    return date.fromisoformat(file.day)


def is_noted(queries: Queries, source: InstrumentSource) -> bool:
    """Return whether the ledger knows that the file is gone, or there; what another place has is no matter."""
    lost = source.is_lost
    return lost is None or lost == queries.exists("doubt_of_source", (INSTRUMENTS,))


def update_instruments(
    queries: Queries, source: InstrumentSource, calendar: TradingCalendar, now: datetime
) -> bool:
    """Save whether the file is gone, inside a write transaction; return whether that changed."""
    table, lost = DoubtTable(queries), source.is_lost
    if lost is None:
        return False
    if source.is_there:
        table.end_absence(INSTRUMENTS)
    before = [one for one in table.all() if one.source == INSTRUMENTS]
    if bool(before) == lost:
        return False
    doubt = DoubtRow(
        source=INSTRUMENTS,
        account=INSTRUMENTS,
        code=GONE,
        detail=f"{source.problem or f'{source.path} is gone'}; the last known instruments go on",
        since_us=to_micros(calendar.start(calendar.trading_day_of(now))),
        until_us=to_micros(LATEST),
        found_us=to_micros(now),
        kept_in=0,
    )
    return table.replace(before, [doubt] if lost else [])


class FolderState(Struct, frozen=True):
    """Listing of the log folder, its signature, and why it cannot be listed, if it cannot."""

    listing: FolderListing
    signature: str
    trouble: str | None = None


def folder_state(ledger: Ledger, folder: Path, *, archives: bool) -> FolderState:
    """List the log folder. Raises InputError if a folder that was never listed cannot be."""
    try:
        listing = list_folder(folder)
    except InputError as error:
        if not ledger.get(SEEN):
            raise
        return FolderState(FolderListing(), "unreadable", error.message)
    if not listing.logs and not folder.exists():
        return FolderState(listing, "missing", f"{folder} is gone")
    return FolderState(listing, f"{listing.signature}+archives" if archives else listing.signature)
