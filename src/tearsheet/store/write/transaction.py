"""One change of the ledger: facts are stored, books and tallies updated, the revision increased."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal

from msgspec import Struct, json

from tearsheet.columns.fill_columns import StatedFills
from tearsheet.store.booking_rules import BookingRules
from tearsheet.store.kept_accounts import kept_calendars
from tearsheet.store.tables import rows
from tearsheet.store.tables.account_states import LOG_LAYOUT, POST_LAYOUT, find_feeds_again, note_feed
from tearsheet.store.tables.columns import BatchRow, RejectionRow, Row, SourceRow, UndoRow
from tearsheet.store.tables.ledger import Ledger
from tearsheet.store.tables.notes import NoteTable
from tearsheet.store.tables.prices import RateTable
from tearsheet.store.tables.queries import Queries
from tearsheet.store.tables.query_rows import SourceFile
from tearsheet.store.tables.sources import (
    INSTRUMENTS,
    OTHER_MULTIPLIER,
    DoubtTable,
    find_other_multipliers,
    import_name,
)
from tearsheet.store.tables.tallies import TallyRules
from tearsheet.store.write.imported_fills import FillImporter, ImportCounts
from tearsheet.store.write.log_records import LogRecords
from tearsheet.store.write.rebooking import StreamRebuilder
from tearsheet.store.write.session_tallies import SessionTallies
from tearsheet.store.write.stored_record import StoredRecord
from tearsheet.store.write.undo import ImportUndo, UndoResult
from tearsheet.store.write.vanished_records import VanishedRecords
from tearsheet.trade.amount import to_plain_string
from tearsheet.trade.fill import Fill, Rejection, TradeRecord
from tearsheet.trade.rate import Rate
from tearsheet.trade.session import DAY, from_micros, to_micros

#: The layout of imports of exchange rates.
RATES_LAYOUT = "rates"
#: From this size of a file, or number of fills, the indexes of an empty ledger are created at the end.
_BULK_BYTES = 1 << 20
_BULK_FILLS = 50_000


class FileState(Struct, frozen=True):
    """Name, size and identity of a file on disk."""

    name: str
    size: int
    mtime_ns: int
    inode: int


class ReadPosition(Struct, frozen=True):
    """Read position in a file: bytes, lines, checksum of those bytes, and digest of the last ones."""

    offset: int
    lines: int
    checksum: int
    tail: str
    complete: bool


class _RejectedSpan(Row, frozen=True, gc=False):
    since_us: int | None
    until_us: int | None


class LedgerTransaction:
    """Changes inside one write transaction of the ledger; `commit` updates the books."""

    def __init__(self, ledger: Ledger, rules: BookingRules, now: datetime) -> None:
        self._ledger = ledger
        self._queries = ledger.queries
        self._rules = rules
        self._now, self._now_us = now, to_micros(now)
        self._tallies = SessionTallies(
            ledger.queries,
            kept_calendars(ledger, rules.calendar),
            TallyRules(rules.breakeven_band, rules.breakeven_breaks_streak),
        )
        self._streams = StreamRebuilder(ledger.queries, self._tallies, rules.fees)
        self._records = LogRecords(
            ledger.queries, self._tallies, self._streams, rules.instruments, rules.trade_log_mode, now
        )
        self._vanished = VanishedRecords(
            ledger.queries, self._records, DoubtTable(ledger.queries), self._now_us
        )
        #: first and last instant of the rejected lines of log files that were forgotten
        self._rejected_spans: dict[int, tuple[int, int]] = {}
        self._fills: FillImporter | None = None
        #: statements that create the indexes again that were dropped while a large file is read
        self._fact_indexes: list[str] = []
        self._book_indexes: list[str] = []
        self._is_rebuilt = self._has_new_rates = False
        #: layout of each import, and layouts of which something was taken back
        self._layouts: dict[int, str] = {}
        self._taken_back: set[str] = set()
        #: accounts whose calendar has changed
        self._redated: set[str] = set()
        self.changed = False

    def open_log(self, state: FileState, day: str) -> int:
        """Save a log file that is read for the first time; return its id."""
        return self._add_source("log", "trade_log", state, day)

    def forget_log(self, source: SourceFile) -> list[StoredRecord]:
        """Remove the records of a log file, because it was rewritten; return them for `keep_vanished`."""
        before = self._records.of_source(source.id)
        span = self._queries.row(_RejectedSpan, "span_of_rejections", (source.id,))
        if span is not None and span.since_us is not None and span.until_us is not None:
            self._rejected_spans[source.id] = (span.since_us, span.until_us)
        self._records.remove(source.id)
        self._queries.execute("remove_rejections", (source.id,))
        self.changed = True
        return before

    def keep_vanished(
        self, source: SourceFile, before: list[StoredRecord], *, lost_lines: bool, lost_half_line: bool
    ) -> int:
        """Keep records that are missing from a rewritten file, and release those that it contains again.

        Lines that were rejected may be among those that it lost, and one that was not whole yet may be a record.
        Returns how many records are newly kept.
        """
        if lost_lines and source.id in self._rejected_spans:
            what = "lines that could not be read, and of which some are gone"
            self._vanished.note_unread(source, what, *self._rejected_spans[source.id])
        elif lost_half_line and source.day is not None:
            midnight = datetime.fromisoformat(source.day).replace(tzinfo=UTC)
            span = (to_micros(midnight - DAY), to_micros(midnight + 2 * DAY))
            self._vanished.note_unread(source, "a line that was not whole yet is gone", *span)
        if self._vanished.restore(source):
            self.changed = True
        vanished = self._vanished.since(before, source.id) if before else []
        if vanished:
            state = FileState(source.name, -1, -1, -1)
            kept_in = self._add_source("import", "trade_log", state, source.day)
            self._vanished.keep(source.name, kept_in, vanished)
        return len(vanished)

    def drop_vanished(self, kept_in: int) -> None:
        """Remove records that were kept from the books."""
        self._taken_back.add(LOG_LAYOUT)
        self._vanished.drop(kept_in)
        self.changed = True

    def stated_multiplier(self, symbol: str) -> Decimal | None:
        """Return the multiplier that the instruments state now for the imported fills of a symbol."""
        last_us = self._queries.value("last_fill_of_symbol", (symbol,))
        if last_us is None:
            return None
        return self._rules.instruments.stated_multiplier(symbol, from_micros(last_us).date())

    def set_stated_multiplier(self, symbol: str) -> None:
        """Book the imported fills of a symbol by the multiplier that the instruments state now."""
        stated, (since_us, _) = self.stated_multiplier(symbol), rows.ALWAYS
        if stated is None:
            return
        for account in self._queries.values("accounts_of_symbol", (symbol,)):
            self._streams.mark_dirty(account, symbol, since_us)
        for name in ("set_multiplier", "set_multiplier_of_variants"):
            self._queries.execute(name, (to_plain_string(stated), symbol))
        self.changed = True

    def read_log_as_trades(self, account: str) -> None:
        """Count the results alone of an account whose log has executions, too."""
        self._records.decide_trades(account)
        self.changed = True

    def drop_log(self, source: SourceFile) -> None:
        """Remove a log file and its records from the books."""
        self.forget_log(source)
        self._taken_back.add(LOG_LAYOUT)
        self._queries.execute("remove_source", (source.id,))

    def forget_unreadable(self, source: SourceFile) -> None:
        """Remove the rejection of a file that could not be read, because it is read again."""
        self._queries.execute("remove_unreadable", (source.id,))
        self.changed = True

    def add_records(
        self,
        source_id: int,
        file: str,
        lines: Sequence[tuple[int, str, TradeRecord]],
        rejections: Sequence[Rejection],
    ) -> list[Rejection]:
        """Store records and rejections of a chunk of a log file; return the rejections of held records."""
        held = self._records.add(source_id, file, lines)
        self._queries.add(RejectionRow, [rows.rejection_to_row(source_id, r) for r in rejections])
        self.changed = self.changed or bool(lines) or bool(rejections)
        return held

    def release_held_records(self) -> None:
        """Book held log records whose time has passed."""
        self.changed = self._records.release_due() or self.changed

    def close_log(
        self, source_id: int, state: FileState, progress: ReadPosition, facts: int, rejected: int
    ) -> None:
        """Save the read position of a log file."""
        self._update_source(source_id, state, progress, facts, rejected)

    def open_import(self, state: FileState, layout: str) -> int:
        """Start an import; return its id."""
        self._fills = self._fills or FillImporter(self._queries, self._streams)
        if state.size >= _BULK_BYTES and self._is_empty():
            self._fact_indexes = self._drop_indexes("fill", but="fill_key")
            self._book_indexes = self._drop_indexes("position", "booking", "fill_booking")
        if state.size >= _BULK_BYTES:
            self._queries.connection.limit_memory()
        # a rollback could not distinguish appended bookings from those of a rebuild
        if state.size >= _BULK_BYTES and not self._is_rebuilt:
            self._streams.try_append(is_log=layout == LOG_LAYOUT)
        source_id = self._add_source("import", layout, state, None)
        self._layouts[source_id] = layout
        return source_id

    def add_fills(
        self,
        source_id: int,
        file: str,
        lines: Iterable[tuple[int, Fill]],
        counts: ImportCounts,
        *,
        is_posted: bool = False,
    ) -> list[Rejection]:
        """Store fills of an import; return rejections of those that contradict a stored fill."""
        assert self._fills is not None
        return self._fills.add(source_id, file, lines, counts, is_posted=is_posted)

    def add_fill_columns(
        self, source_id: int, file: str, fills: StatedFills, counts: ImportCounts
    ) -> list[Rejection]:
        """Store fills of an import that are given as columns; return rejections as `add_fills` does."""
        assert self._fills is not None
        return self._fills.add_columns(source_id, file, fills, counts) if fills.lines else []

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
        """Save the counts and rejections of an import, which belong to the time range of its fills."""
        span = rows.ALWAYS
        if counts.first_us is not None and counts.last_us is not None:
            span = (counts.first_us, counts.last_us)
        self._queries.add(RejectionRow, [rows.rejection_to_row(source_id, r, span) for r in rejections])
        counts.rejected += len(rejections)
        progress = ReadPosition(state.size, lines, checksum, tail="", complete=True)
        self._update_source(
            source_id, state, progress, counts.new + counts.events + counts.known, counts.rejected
        )
        row = BatchRow(
            source_id=source_id,
            new=counts.new,
            known=counts.known,
            rejected=counts.rejected,
            skipped=json.encode(counts.skipped).decode(),
            who=who,
            events=counts.events,
        )
        self._queries.add(BatchRow, [row])
        self.changed = True

    def add_rates(
        self, state: FileState, checksum: int, rates: Sequence[Rate], counts: ImportCounts, who: str | None
    ) -> int:
        """Store the exchange rates of an import, which all conversions depend on; return its id."""
        source_id = self._add_source("import", RATES_LAYOUT, state, None)
        RateTable(self._queries).add(source_id, rates)
        self.close_import(source_id, state, checksum, counts.new + counts.known, counts, [], who)
        self._has_new_rates = True
        return source_id

    def mark_rejections_superseded(self, source_id: int, earlier: Iterable[SourceFile]) -> None:
        """Withdraw the rejections of earlier imports of a file that is read again."""
        for source in earlier:
            self._queries.execute("withdraw_rejections", (source_id, source.id))

    def undo_import(self, source: SourceFile, who: str) -> UndoResult:
        """Remove an import as if it had never happened, and save that it was undone."""
        if source.layout == RATES_LAYOUT:
            return self._undo_rates(source, who)
        self._queries.connection.limit_memory()
        self._fills = self._fills or FillImporter(self._queries, self._streams)
        undo = ImportUndo(self._queries, self._streams, self._fills, source.id)
        row = UndoRow(source_id=source.id, at_us=self._now_us, who=who, gone=0, stayed=0)
        self._queries.add(UndoRow, [row])
        undo.restore_rejections()
        doubts = DoubtTable(self._queries)
        doubts.remove([one for one in doubts.all() if one.source == import_name(source.id)])
        self._taken_back.add(source.layout)
        is_log = source.layout == LOG_LAYOUT
        result = UndoResult(self._records.remove(source.id), 0) if is_log else undo.remove()
        if not is_log and result.removed_most:
            self.rebuild()
        self._queries.execute("count_undo", (result.removed, result.retained, source.id))
        self.changed = True
        return result

    def _undo_rates(self, source: SourceFile, who: str) -> UndoResult:
        removed = RateTable(self._queries).remove(source.id)
        row = UndoRow(source_id=source.id, at_us=self._now_us, who=who, gone=removed, stayed=0)
        self._queries.add(UndoRow, [row])
        self._has_new_rates = self.changed = True
        return UndoResult(removed, 0)

    def rebuild(self, *, by_book: bool = False) -> None:
        """Rebuild all books from the facts; `by_book` never on columns."""
        for name in (
            "remove_all_positions",
            "remove_all_bookings",
            "remove_all_fill_bookings",
            "remove_all_gaps",
            "remove_all_tallies",
            "remove_log_fills",
            "remove_all_record_rejections",
            "rewrite_all_accounts",
            "remove_all_limit_bases",
        ):
            self._queries.execute(name)
        if self._is_bulk():
            self._queries.connection.limit_memory()
            self._book_indexes = self._drop_indexes("position", "booking", "fill_booking")
        self._records.rebuild_all()
        self._streams.mark_all(by_book=by_book)
        self._is_rebuilt = self.changed = True

    def redate(self, accounts: Iterable[str]) -> None:
        """Date the sessions of accounts anew, whose calendar has changed; nothing else of the books depends on it."""
        for account in accounts:
            self._tallies.redate(account)
            self._redated.add(account)
            self.changed = True

    def rebuild_if_outdated(self) -> bool:
        """Rebuild all books if other rules made them; return whether they were rebuilt."""
        outdated = self._ledger.get("fingerprint") not in (None, self._rules.fingerprint)
        if outdated:
            self.rebuild()
        return outdated

    @property
    def executed_legs(self) -> int:
        """Return how many sides of round trips the committed change found among the executions."""
        return self._streams.executed_legs

    def commit(self) -> int:
        """Update positions, bookings and tallies; return the new revision."""
        self._records.finish()
        self._recreate_indexes(self._fact_indexes)
        self._streams.finish()
        self._recreate_indexes(self._book_indexes)
        touched = self._tallies.accounts.finish()
        self._note_feeds()
        self._reattach_notes(touched)
        # the tallies of all accounts, the overlaps and the revision are shared by all writers
        self._ledger.acquire_commit_lock()
        self._tallies.finish()
        self._ledger.put("fingerprint", self._rules.fingerprint)
        if self._ledger.get(INSTRUMENTS) != self._rules.kept_instruments:
            self._ledger.put(INSTRUMENTS, self._rules.kept_instruments)
        if self.changed:
            self._ledger.sources.find_overlaps(self._rules.instruments)
            if self._is_rebuilt or self._queries.exists("doubt_of_code", (OTHER_MULTIPLIER,)):
                find_other_multipliers(self._queries, self._rules.instruments, self._now)
        revision = self._ledger.bump_revision() if self.changed else self._ledger.revision
        # a rate moves no booking, but limits of every account that converts by it
        rated = frozenset(self._queries.values("accounts")) if self._has_new_rates else frozenset()
        if rated or self._redated:
            self._queries.execute("rewrite_all_accounts")
        self._ledger.hooks.on_commit(touched | rated | self._redated)
        return revision

    def _note_feeds(self) -> None:
        """Save the last fact of each account's sources."""
        for layout in sorted(self._taken_back - {POST_LAYOUT}):
            find_feeds_again(self._queries, layout)
        for account, time_us in self._records.latest.items():
            note_feed(self._queries, account, LOG_LAYOUT, time_us)
        for (source_id, account), time_us in self._fills.latest.items() if self._fills else ():
            layout = self._layouts[source_id]
            note_feed(self._queries, account, layout, self._now_us if layout == POST_LAYOUT else time_us)

    def _reattach_notes(self, touched: frozenset[str]) -> None:
        """Update the position of notes whose fill was added, removed or moved to another position."""
        notes = NoteTable(self._queries)
        if self._is_rebuilt:
            notes.reattach_all()
            return
        for account in touched:
            notes.reattach(account, self._tallies.accounts.rewritten.get(account))

    def _is_bulk(self) -> bool:
        """Return whether a rebuild should create the indexes of the books at its end.

        With trade logs it must not, because their records query the indexes.
        """
        if self._queries.exists("any_record"):
            return False
        return bool(self._queries.value("count_fills") >= _BULK_FILLS)

    def _is_empty(self) -> bool:
        return not any(self._queries.exists(f"any_{what}") for what in ("fill", "record"))

    def _drop_indexes(self, *tables: str, but: str = "-") -> list[str]:
        """Drop the indexes of tables except one; return the statements that create them again."""
        connection = self._queries.connection
        statements = [one for table in tables for one in connection.drop_indexes_temporarily(table)]
        for needed in [one for one in statements if f" {but} " in one]:
            connection.execute(needed)
            statements.remove(needed)
        return statements

    def _recreate_indexes(self, indexes: list[str]) -> None:
        while indexes:
            self._queries.connection.execute(indexes.pop(0))

    def _add_source(self, kind: str, layout: str, state: FileState, day: str | None) -> int:
        row = SourceRow(
            kind=kind,
            name=state.name,
            layout=layout,
            day=day,
            size=state.size,
            mtime_ns=state.mtime_ns,
            inode=state.inode,
            offset=0,
            lines=0,
            checksum=0,
            tail="",
            complete=1,
            facts=0,
            rejected=0,
            read_at=self._now_us,
        )
        return int(self._queries.value("add_source", row))

    def _update_source(
        self, source_id: int, state: FileState, progress: ReadPosition, facts: int, rejected: int
    ) -> None:
        parameters = (
            state.size,
            state.mtime_ns,
            state.inode,
            progress.offset,
            progress.lines,
            progress.checksum,
            progress.tail,
            int(progress.complete),
            facts,
            rejected,
            self._now_us,
            source_id,
        )
        self._queries.execute("update_source", parameters)


@contextmanager
def transaction_of(ledger: Ledger, rules: BookingRules, names: frozenset[str]) -> Iterator[Queries]:
    """Change the fills of some accounts, in parallel with changes of others if the database supports it.

    `names` are the accounts and keys to lock. If other rules made the books, the whole ledger is locked,
    because all books are rebuilt first.
    """
    with ledger.writing(names) as queries:
        is_outdated = ledger.get("fingerprint") != rules.fingerprint
        if not is_outdated:
            yield queries
    if is_outdated:
        with ledger.writing() as queries:
            yield queries
