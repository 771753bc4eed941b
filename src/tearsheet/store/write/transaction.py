"""One change of the ledger: facts in, books and tallies brought up to date, revision bumped."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal

from msgspec import Struct, json

from tearsheet.store.tables import rows
from tearsheet.store.tables.ledger import Ledger, SourceFile
from tearsheet.store.tables.notes import NoteTable
from tearsheet.store.tables.queries import Queries
from tearsheet.store.tables.tallies import TallyRules
from tearsheet.store.write.imported_fills import FillImporter, ImportCounts
from tearsheet.store.write.log_records import LogRecords, TradeLogMode
from tearsheet.store.write.rebooking import StreamRebuilder
from tearsheet.store.write.session_tallies import SessionTallies
from tearsheet.store.write.undo import ImportUndo, UndoResult
from tearsheet.trade.fill import Fill, Rejection, TradeRecord
from tearsheet.trade.instrument import Instruments
from tearsheet.trade.session import TradingCalendar, to_micros

#: From this size on a file is worth building the indexes of an empty ledger once at the end.
_BULK_BYTES = 1 << 20
_BULK_FILLS = 50_000


class BookingRules(Struct, frozen=True):
    """What the books depend on besides the facts; a change of it makes them be built anew."""

    calendar: TradingCalendar
    instruments: Instruments
    trade_log_mode: TradeLogMode
    breakeven_band: Decimal
    breakeven_breaks_streak: bool
    fingerprint: str


class FileState(Struct, frozen=True):
    """A file as it lies on the disk."""

    name: str
    size: int
    mtime_ns: int
    inode: int


class ReadPosition(Struct, frozen=True):
    """How far a file was read: bytes, lines, checksum of those bytes, and a digest of the last."""

    offset: int
    lines: int
    checksum: int
    tail: str
    complete: bool


class LedgerTransaction:
    """Gathers changes inside one write transaction of the ledger; `finish` makes them whole."""

    def __init__(self, ledger: Ledger, rules: BookingRules, now: datetime) -> None:
        self._ledger = ledger
        self._queries = ledger.queries
        self._rules = rules
        self._now_us = to_micros(now)
        self._tallies = SessionTallies(
            ledger.queries, rules.calendar, TallyRules(rules.breakeven_band, rules.breakeven_breaks_streak)
        )
        self._streams = StreamRebuilder(ledger.queries, self._tallies)
        self._records = LogRecords(
            ledger.queries, self._tallies, self._streams, rules.instruments, rules.trade_log_mode
        )
        self._fills: FillImporter | None = None
        #: what makes the indexes again that are set aside while a large file fills an empty ledger
        self._fact_indexes: list[str] = []
        self._book_indexes: list[str] = []
        self._is_rebuilt = False
        self.changed = False

    def open_log(self, state: FileState, day: str) -> int:
        """Remember a log file that is read for the first time."""
        return self._add_source("log", "trade_log", state, day)

    def forget_log(self, source: SourceFile) -> None:
        """Take out all that a log file said, because it was rewritten."""
        self._records.remove(source.id)
        self._queries.execute("remove_rejections", (source.id,))
        self.changed = True

    def add_records(
        self,
        source_id: int,
        file: str,
        lines: Sequence[tuple[int, str, TradeRecord]],
        rejections: Sequence[Rejection],
    ) -> None:
        """Keep what a stretch of a log file says."""
        self._records.add(source_id, file, lines)
        self._queries.execute_many("add_rejection", [rows.rejection_to_row(source_id, r) for r in rejections])
        self.changed = self.changed or bool(lines) or bool(rejections)

    def close_log(
        self, source_id: int, state: FileState, progress: ReadPosition, facts: int, rejected: int
    ) -> None:
        """Remember how far a log file was read."""
        p = progress
        self._queries.execute(
            "update_source",
            (
                state.size,
                state.mtime_ns,
                state.inode,
                p.offset,
                p.lines,
                p.checksum,
                p.tail,
                int(p.complete),
                facts,
                rejected,
                self._now_us,
                source_id,
            ),
        )

    def open_import(self, state: FileState, layout: str) -> int:
        """Begin an import."""
        self._fills = self._fills or FillImporter(self._queries, self._streams)
        if state.size >= _BULK_BYTES and self._is_empty():
            self._fact_indexes = self._drop_indexes("fill", but="fill_key")
            self._book_indexes = self._drop_indexes("position", "booking")
        if state.size >= _BULK_BYTES:
            self._queries.connection.limit_memory()
        # what is made anew in the same change could not be told apart from it, and taken back
        if state.size >= _BULK_BYTES and not self._is_rebuilt:
            self._streams.try_append()
        return self._add_source("import", layout, state, None)

    def add_fills(
        self,
        source_id: int,
        file: str,
        lines: Iterable[tuple[int, Fill]],
        counts: ImportCounts,
        *,
        is_posted: bool = False,
    ) -> list[Rejection]:
        """Keep fills of an import; returns those that contradict what is known."""
        assert self._fills is not None
        return self._fills.add(source_id, file, lines, counts, is_posted=is_posted)

    def close_import(
        self,
        source_id: int,
        state: FileState,
        checksum: int,
        lines: int,
        counts: ImportCounts,
        rejections: Sequence[Rejection],
        who: str | None = None,
    ) -> None:
        """End an import: its rejections speak of the instants that its fills span."""
        span = rows.ALWAYS
        if counts.first_us is not None and counts.last_us is not None:
            span = (counts.first_us, counts.last_us)
        self._queries.execute_many(
            "add_rejection", [rows.rejection_to_row(source_id, r, span) for r in rejections]
        )
        counts.rejected += len(rejections)
        facts = counts.new + counts.known
        self._queries.execute(
            "update_source",
            (
                state.size,
                state.mtime_ns,
                state.inode,
                state.size,
                lines,
                checksum,
                "",
                1,
                facts,
                counts.rejected,
                self._now_us,
                source_id,
            ),
        )
        skipped = json.encode(counts.skipped).decode()
        batch = (source_id, counts.new, counts.known, counts.rejected, skipped, who)
        self._queries.execute("add_batch", batch)
        self.changed = True

    def mark_rejections_superseded(self, source_id: int, earlier: Iterable[SourceFile]) -> None:
        """Take back the rejections of earlier imports of a file that is now read again."""
        for source in earlier:
            self._queries.execute("withdraw_rejections", (source_id, source.id))

    def undo_import(self, source: SourceFile, who: str) -> UndoResult:
        """Take out what an import said, as if it had never come, and remember that."""
        self._queries.connection.limit_memory()
        self._fills = self._fills or FillImporter(self._queries, self._streams)
        undoing = ImportUndo(self._queries, self._streams, self._fills, source.id)
        self._queries.execute("add_undo", (source.id, self._now_us, who, 0, 0))
        undoing.restore_rejections()
        is_log = source.layout == "trade_log"
        undone = UndoResult(self._records.remove(source.id), 0) if is_log else undoing.remove()
        if not is_log and undone.removed_most:
            self.rebuild()
        self._queries.execute("count_undo", (undone.removed, undone.retained, source.id))
        self.changed = True
        return undone

    def rebuild(self) -> None:
        """Make all books anew from the facts."""
        for name in (
            "remove_all_positions",
            "remove_all_bookings",
            "remove_all_tallies",
            "remove_log_fills",
            "remove_all_record_rejections",
            "rewrite_all_accounts",
            "remove_all_limit_bases",
        ):
            self._queries.execute(name)
        if self._is_bulk():
            self._queries.connection.limit_memory()
            self._book_indexes = self._drop_indexes("position", "booking")
        self._records.rebuild_all()
        for account, symbol in self._queries.execute("streams_of_fills").fetchall():
            self._streams.mark_dirty(account, symbol, rows.ALWAYS[0])
        self._is_rebuilt = self.changed = True

    def rebuild_if_outdated(self) -> bool:
        """Make all books anew if they were made by other rules; says whether they were."""
        outdated = self._ledger.get("fingerprint") not in (None, self._rules.fingerprint)
        if outdated:
            self.rebuild()
        return outdated

    def commit(self) -> int:
        """Bring positions, bookings and tallies up to date; returns the new revision."""
        self._records.finish()
        self._recreate_indexes(self._fact_indexes)
        self._streams.finish()
        self._recreate_indexes(self._book_indexes)
        touched = self._tallies.accounts.finish(None if self._is_rebuilt else self._now_us)
        self._reattach_notes(touched)
        # what follows belongs to all accounts: their tallies, the overlaps, the revision
        self._ledger.acquire_commit_lock()
        self._tallies.finish()
        self._ledger.put("fingerprint", self._rules.fingerprint)
        if self.changed:
            self._ledger.find_overlaps()
        revision = self._ledger.bump_revision() if self.changed else self._ledger.revision
        self._ledger.on_commit(touched)
        return revision

    def _reattach_notes(self, touched: frozenset[str]) -> None:
        """Find where notes belong whose fill came, went, or stands in another position now."""
        notes = NoteTable(self._queries)
        if self._is_rebuilt:
            notes.reattach_all()
            return
        for account in touched:
            notes.reattach(account, self._tallies.accounts.rewritten.get(account))

    def _is_bulk(self) -> bool:
        """Whether it is worth to make the indexes of the books once, at the end of a rebuild.

        Where there are trade logs, the indexes are asked before that.
        """
        if self._queries.fetch_one("any_record") is not None:
            return False
        row = self._queries.fetch_one("count_fills")
        return row is not None and row[0] >= _BULK_FILLS

    def _is_empty(self) -> bool:
        return all(self._queries.fetch_one(f"any_{what}") is None for what in ("fill", "record"))

    def _drop_indexes(self, *tables: str, but: str = "-") -> list[str]:
        """Set the indexes of tables aside that will be filled; one has to stay, to know what was met."""
        found = [one for table in tables for one in self._queries.connection.drop_indexes_temporarily(table)]
        for kept in [one for one in found if f" {but} " in one]:
            self._queries.connection.execute(kept)
            found.remove(kept)
        return found

    def _recreate_indexes(self, indexes: list[str]) -> None:
        while indexes:
            self._queries.connection.execute(indexes.pop(0))

    def _add_source(self, kind: str, layout: str, state: FileState, day: str | None) -> int:
        row = self._queries.fetch_one(
            "add_source",
            (
                kind,
                state.name,
                layout,
                day,
                state.size,
                state.mtime_ns,
                state.inode,
                0,
                0,
                0,
                "",
                1,
                0,
                0,
                self._now_us,
            ),
        )
        assert row is not None
        return int(row[0])


@contextmanager
def transaction_of(ledger: Ledger, rules: BookingRules, names: frozenset[str]) -> Iterator[Queries]:
    """A change of the fills of some accounts, beside changes of others where the database can do it.

    `names` are all that it holds for itself. Where the books follow other rules it is alone, since
    all of them are made anew first.
    """
    with ledger.writing(names) as queries:
        alone = ledger.get("fingerprint") != rules.fingerprint
        if not alone:
            yield queries
    if alone:
        with ledger.writing() as queries:
            yield queries
