"""Storage of trade-log records: the valid version of an order, and its use as a position or a fill.

Of the versions of an order (`log_orders`) the content that appears last in the log counts: by day of the
file, then line, regardless of the order in which files are read.
A valid closed record is a position. A valid open record is an open trade, unless its account has no result
in the whole log: then its records are fills, which are booked, with their fees. The fees of an open trade
are booked with its result. Where fills have closed something before the account's first result comes, both
stay booked: open records are fills, closed ones are positions, and the account is in doubt until an operator decides.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from itertools import islice
from operator import attrgetter

from tearsheet.store.booking_rules import TradeLogMode
from tearsheet.store.tables.columns import FillRow, LogStreamRow, PositionRow, RecordRow, RejectionRow, Row
from tearsheet.store.tables.queries import Queries
from tearsheet.store.tables.rows import LINE_BITS, fill_to_row, positions_to_rows, rejection_to_row
from tearsheet.store.tables.sources import DoubtTable
from tearsheet.store.write.log_doubts import (
    as_trades,
    conflicting_order,
    contradiction,
    held_line,
    mixed_log,
    opposed_fills,
    unknown_instrument,
)
from tearsheet.store.write.log_orders import orders_of
from tearsheet.store.write.rebooking import StreamRebuilder
from tearsheet.store.write.session_tallies import SessionTallies
from tearsheet.store.write.stored_record import (
    AccountMode,
    LogLines,
    LogReading,
    RecordLine,
    StoredRecord,
    StreamMode,
    ids_of_source,
    record_row,
    stored_record,
    stored_records,
)
from tearsheet.trade.fill import Rejection, TradeRecord
from tearsheet.trade.instrument import Instruments, UnknownInstrument
from tearsheet.trade.position import fill_from_record, position_from_record
from tearsheet.trade.session import CLOCK_TOLERANCE, EARLIEST, to_micros

_CHUNK_ROWS = 20_000
#: Account and symbol.
LogStream = tuple[str, str]
_usage: Callable[[StoredRecord], tuple[str, str, bool]] = attrgetter("account", "symbol", "closed")


class _FillOfRecord(Row, frozen=True, gc=False):
    id: int
    account: str
    symbol: str
    time_us: int


class _OrderName(Row, frozen=True, gc=False):
    account: str
    key: str


class LogRecords:
    """Records that one transaction adds and removes, and their conversion into positions or fills."""

    def __init__(
        self,
        queries: Queries,
        tallies: SessionTallies,
        streams: StreamRebuilder,
        instruments: Instruments,
        mode: TradeLogMode,
        now: datetime,
    ) -> None:
        self._queries = queries
        self._tallies = tallies
        self._streams = streams
        self._instruments = instruments
        self._mode = mode
        self._now = now
        self._doubts = DoubtTable(queries)
        self._lines = LogLines(queries, now)
        #: hashes of the orders added here: in an empty ledger only these can have earlier versions
        self._added_names: set[int] | None = None if queries.exists("any_record") else set()
        self._stream_modes: dict[LogStream, StreamMode] = {}
        self._account_modes: dict[str, AccountMode] = {}
        #: time of the last record added here, by account
        self.latest: dict[str, int] = {}

    def add(
        self, source_id: int, file: str, lines: Iterable[tuple[int, str, TradeRecord]]
    ) -> list[Rejection]:
        """Store new lines of a file; return the rejections of those that are ahead of the clock."""
        day = self._queries.value("day_of_source", (source_id,))
        return self._store([self._lines.stored(source_id, file, day, *line) for line in lines])

    def of_source(self, source_id: int) -> list[StoredRecord]:
        """Return the lines of a file."""
        return stored_records(self._queries.rows(RecordLine, "records_of_source", ids_of_source(source_id)))

    def keep(self, source_id: int, lines: Iterable[StoredRecord]) -> None:
        """Store lines that were removed from their file under another source."""
        self._store([one.moved_to(source_id) for one in lines])

    def _store(self, new: list[StoredRecord]) -> list[Rejection]:
        in_time = [record for record in new if record.held_us is None]
        self._note_times(in_time)
        self._count(in_time)
        self._apply_modes(in_time)
        orders: dict[tuple[str, str], list[StoredRecord]] = defaultdict(list)
        for record in in_time:
            orders[record.account, record.key].append(record)
        chosen: list[StoredRecord] = []
        earlier = self._earlier(orders)
        for name, versions in orders.items():
            before = earlier.get(name, [])
            if len(versions) == 1 and not before:
                versions[0].live = True
                chosen += versions
            else:
                chosen += self._settle(before, versions)
        self._queries.add(RecordRow, map(record_row, new))
        self._apply(chosen)
        self._tell_apart(in_time)
        ahead = [record for record in new if record.held_us is not None]
        return [self._save_rejection(one, held_line(one, self._now)) for one in ahead]

    def release_due(self) -> bool:
        """Book held lines whose time has passed; return whether there are any."""
        until = (to_micros(self._now + CLOCK_TOLERANCE),)
        due = stored_records(self._queries.rows(RecordLine, "due_records", until))
        if not due:
            return False
        self._queries.execute("release_records", until)
        for record in due:
            self._queries.execute("remove_rejections_of_record", (record.id,))
        self._count(due)
        self._apply_modes(due)
        self._choose_valid(due)
        self._tell_apart(due)
        return True

    def remove(self, source_id: int) -> int:
        """Remove the lines of a file; return their number."""
        removed = self.of_source(source_id)
        for record in removed:
            if record.live:
                self._revert(record)
            if record.held_us is not None:
                self._queries.execute("remove_rejections_of_record", (record.id,))
        counted = [record for record in removed if record.held_us is None]
        self._count(counted, -1)
        self._queries.execute("remove_records", ids_of_source(source_id))
        self._choose_valid(removed)
        self._apply_modes(counted)
        self._tell_apart(counted, has_removed=True)
        return len(removed)

    def _note_times(self, records: Iterable[StoredRecord]) -> None:
        """Note the time of each account's last record, which is the age of its log."""
        last: dict[str, datetime] = {}
        for stored in records:
            at = stored.to_record().result_time
            if at >= last.get(stored.account, EARLIEST):
                last[stored.account] = at
        for account, at in last.items():
            time_us = to_micros(min(at, self._now))
            self.latest[account] = max(time_us, self.latest.get(account, 0))

    def finish(self) -> None:
        """Save the mode (fills or trades) of each stream of the log."""
        for (account, symbol), usage in self._stream_modes.items():
            if usage.lost_its_last:
                usage.last_closed_us = self._queries.value("last_logged_closing", (account, symbol))
            if usage.records:
                row = LogStreamRow(
                    account=account,
                    symbol=symbol,
                    records=usage.records,
                    closed=usage.closed,
                    as_fills=usage.reading,
                    last_closed_us=usage.last_closed_us,
                )
                self._queries.execute("put_log_stream", row)
            else:
                self._queries.execute("remove_log_stream", (account, symbol))

    def rebuild_all(self) -> None:
        """Convert all valid records into positions and fills again, after the books were cleared."""
        rows = self._queries.rows(LogStreamRow, "log_streams")
        closed: Counter[str] = Counter()
        for row in rows:
            closed[row.account] += row.closed
        for row in rows:
            reading = self._reading(closed[row.account], LogReading(row.as_fills))
            if LogReading(row.as_fills) is LogReading.BOTH is not reading:
                self._doubts.remove([mixed_log(row.account)])
            self._account_modes[row.account] = AccountMode(closed[row.account], reading)
            self._stream_modes[row.account, row.symbol] = StreamMode(row.records, row.closed, reading)
        for name in self._queries.rows(_OrderName, "repeated_orders"):
            again = stored_records(self._queries.rows(RecordLine, "records_of_key", (name.account, name.key)))
            self._settle(again, [])
        live = map(stored_record, self._queries.stream(RecordLine, "live_records"))
        while chunk := list(islice(live, _CHUNK_ROWS)):
            self._apply(chunk)

    def _count(self, new: Sequence[StoredRecord], by: int = 1) -> None:
        """Count records of each stream, or their removal by -1, and change the mode of accounts if needed."""
        for (account, symbol, closed), number in Counter(map(_usage, new)).items():
            usage = self._stream_mode(account, symbol)
            usage.records += by * number
            usage.closed += by * number * closed
            self._account_mode(account).closed += by * number * closed

    def _apply_modes(self, changed: Iterable[StoredRecord]) -> None:
        """Change how the records of accounts are read, by whether they have results, and convert them."""
        for account in sorted({record.account for record in changed}):
            mode = self._account_mode(account)
            self._read_as(account, self._reading(mode.closed, mode.reading))

    def _tell_apart(self, changed: Sequence[StoredRecord], *, has_removed: bool = False) -> None:
        """Read accounts as both whose executions had closed something before their first result.

        It depends on the records alone, not on the order in which they are read.
        """
        for account in sorted({record.account for record in changed}) if self._mode == "auto" else ():
            mode = self._account_mode(account)
            known = self._queries.value("a_logged_rank", (account,))
            is_late = all(one.rank > known for one in changed if one.account == account) if known else False
            if mode.closed and (has_removed or mode.reading is LogReading.BOTH or not is_late):
                lost = self._opposed_fills(account)
                before = mode.reading
                self._read_as(account, LogReading.BOTH if lost else LogReading.TRADES)
                if before is not LogReading.BOTH and lost and not self._is_decided(mixed_log(account).source):
                    self._doubts.add([mixed_log(account, lost, to_micros(self._now))])

    def _is_decided(self, source: str) -> bool:
        return self._queries.exists("absence", (source,))

    def decide_trades(self, account: str) -> None:
        """Read the log of an account as results alone, as an operator decides: open records are open trades."""
        self._read_as(account, LogReading.TRADES)

    def _read_as(self, account: str, reading: LogReading) -> None:
        """Change the reading mode of an account, and convert its open records."""
        mode = self._account_mode(account)
        if reading is mode.reading:
            return
        if mode.reading is LogReading.BOTH:
            self._doubts.remove([mixed_log(account)])
        mode.reading = reading
        for symbol in self._symbols(account):
            self._convert((account, symbol), reading)

    def _symbols(self, account: str) -> list[str]:
        """Return the symbols of an account's log, with those of this transaction."""
        stored = self._queries.rows(LogStreamRow, "log_streams_of_account", (account,))
        known = {symbol for name, symbol in self._stream_modes if name == account}
        return sorted(known.union(row.symbol for row in stored))

    def _opposed_fills(self, account: str) -> list[TradeRecord]:
        """Return the executions before an account's first result if some of them close what others opened."""
        first = self._queries.value("first_logged_rank", (account,))
        if first is None or self._is_decided(as_trades(account)):
            return []
        before: list[StoredRecord] = []
        for symbol in self._symbols(account):
            before += stored_records(
                self._queries.rows(RecordLine, "open_records_of_stream", (account, symbol))
            )
        return opposed_fills((one for one in before if one.rank < first), self._symbol_of)

    def _symbol_of(self, record: TradeRecord) -> str:
        instrument = self._instruments.resolve(record.symbol, record.timestamp.date())
        return record.symbol if isinstance(instrument, UnknownInstrument) else instrument.symbol

    def _convert(self, stream: LogStream, reading: LogReading) -> None:
        usage = self._stream_mode(*stream)
        if (usage.reading is LogReading.TRADES) is (reading is LogReading.TRADES):
            usage.reading = reading  # open records stay fills
            return
        valid = stored_records(self._queries.rows(RecordLine, "open_records_of_stream", stream))
        for record in valid:
            self._revert(record)
        usage.reading = reading
        self._apply(valid)

    def _reading(self, closed: int, before: LogReading) -> LogReading:
        """Return how an account with so many results is read, by the mode of the log."""
        if self._mode == "fills" or (self._mode == "auto" and closed == 0):
            return LogReading.FILLS
        return before if self._mode == "auto" and before is LogReading.BOTH else LogReading.TRADES

    def _account_mode(self, account: str) -> AccountMode:
        mode = self._account_modes.get(account)
        if mode is None:
            stored = self._queries.rows(LogStreamRow, "log_streams_of_account", (account,))
            closed = sum(row.closed for row in stored)
            reading = LogReading(stored[0].as_fills) if stored else self._reading(0, LogReading.FILLS)
            mode = self._account_modes[account] = AccountMode(closed, reading)
        return mode

    def _stream_mode(self, account: str, symbol: str) -> StreamMode:
        mode = self._stream_modes.get((account, symbol))
        if mode is None:
            row = self._queries.row(LogStreamRow, "log_stream", (account, symbol))
            if row is None:
                mode = StreamMode(0, 0, self._account_mode(account).reading)
            else:
                mode = StreamMode(row.records, row.closed, LogReading(row.as_fills), row.last_closed_us)
            self._stream_modes[account, symbol] = mode
        return mode

    def _earlier(self, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], list[StoredRecord]]:
        """Return the stored versions of orders, by account and key."""
        queried = list(names if self._added_names is None else filter(self._has_earlier, names))
        found = self._queries.rows_each(RecordLine, "records_of_key", queried)
        return {
            name: stored_records(versions) for name, versions in zip(queried, found, strict=True) if versions
        }

    def _has_earlier(self, name: tuple[str, str]) -> bool:
        assert self._added_names is not None
        mark = hash(name)
        is_added = mark in self._added_names
        self._added_names.add(mark)
        return is_added

    def _choose_valid(self, changed: Iterable[StoredRecord]) -> None:
        """Choose the valid versions of orders that got or lost some of their versions."""
        for account, key in {(record.account, record.key) for record in changed}:
            rows = self._queries.rows(RecordLine, "records_of_key", (account, key))
            self._apply(self._settle(stored_records(rows), []))

    def _settle(self, before: list[StoredRecord], new: list[StoredRecord]) -> list[StoredRecord]:
        """Choose the valid version of each order of one account and key.

        Removes superseded records, saves conflicts, and returns the records that now count.
        """
        orders = orders_of([*before, *new])
        keys = {order.valid.id: order.key for order in orders}
        for old in before:
            self._queries.execute("remove_conflict_of_record", (old.id,))
            if old.live and (old.id not in keys or keys[old.id] != old.order_key):
                self._revert(old)
                self._set_live(old)
        stored, chosen = {old.id for old in before}, []
        for order in orders:
            valid = order.valid
            if not valid.live:
                valid.live, valid.order_key = True, order.key
                chosen.append(valid)
                if valid.id in stored:
                    self._set_live(valid)
            for one in order.conflicts(
                as_fills=self._stream_mode(valid.account, valid.symbol).is_fill(valid)
            ):
                self._save_rejection(one, conflicting_order(one, valid))
        return chosen

    def _set_live(self, record: StoredRecord) -> None:
        self._queries.execute("set_live", (int(record.live), record.order_key, record.id))

    def _apply(self, chosen: Iterable[StoredRecord]) -> None:
        """Turn valid records into positions or fills."""
        positions, bookings = [], []
        fills: list[FillRow] = []
        for stored in chosen:
            usage = self._stream_mode(stored.account, stored.symbol)
            record = stored.to_record()
            if usage.is_fill(stored):
                fills += self._apply_as_fill(stored, record)
            elif stored.closed:
                position, booking = position_from_record(
                    record, stored.booked_key, self._instruments.default_currency, rank=stored.rank
                )
                positions.append(position)
                if (odd := contradiction(stored, record)) is not None:
                    self._save_rejection(stored, odd)
                bookings.append(booking)
                booked_us = to_micros(position.last_at)
                if usage.last_closed_us is None or booked_us > usage.last_closed_us:
                    usage.last_closed_us = booked_us
        self._queries.add(FillRow, fills)
        self._queries.add(PositionRow, positions_to_rows(positions, logged=True))
        self._tallies.on_added(bookings, positions)

    def _apply_as_fill(self, stored: StoredRecord, record: TradeRecord) -> list[FillRow]:
        """Return the row of a record's fill, with the record's ID, or no row if it is rejected."""
        day: date = record.timestamp.date()
        instrument = self._instruments.resolve(record.symbol, day)
        if isinstance(instrument, UnknownInstrument):
            self._save_rejection(stored, unknown_instrument(stored, record, instrument))
            return []
        fill = fill_from_record(
            record,
            instrument.symbol,
            instrument.multiplier,
            instrument.currency,
            f"r:{stored.booked_key}",
            stored.rank,
        )
        self._streams.mark_dirty(fill.account, fill.symbol, to_micros(fill.time))
        return [fill_to_row(stored.id, fill, stored.id)]

    def _save_rejection(self, stored: StoredRecord, rejection: Rejection) -> Rejection:
        row = rejection_to_row(stored.id >> LINE_BITS, rejection, record_id=stored.id)
        self._queries.add(RejectionRow, [row])
        return rejection

    def _revert(self, stored: StoredRecord) -> None:
        """Remove the position or fill of a record."""
        usage = self._stream_mode(stored.account, stored.symbol)
        if usage.is_fill(stored):
            for fill in self._queries.rows(_FillOfRecord, "fill_of_record", (stored.id,)):
                self._queries.execute("remove_fill", (fill.id,))
                self._streams.mark_dirty(fill.account, fill.symbol, fill.time_us)
        elif stored.closed:
            position, booking = position_from_record(
                stored.to_record(), stored.booked_key, self._instruments.default_currency, rank=stored.rank
            )
            self._queries.execute("remove_position", (position.id,))
            self._tallies.on_removed([booking])
            if to_micros(position.last_at) == usage.last_closed_us:
                usage.lost_its_last = True
        self._queries.execute("remove_rejections_of_record", (stored.id,))
        stored.live, stored.order_key = False, None
