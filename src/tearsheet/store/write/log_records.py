"""Keeps the records of trade logs: which version of an order is valid, and what it is taken for.

Lines with the same key are versions of one order; the valid one is the content that appears last
in the log (files by name, then lines), so it does not matter in which order files were read.
A valid closed record is a position; a valid open one is an open trade, unless its account and
symbol bear no result in the whole log: then its records are fills and go through the book.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import islice
from typing import Any, Literal

import msgspec
from msgspec import Struct

from tearsheet.store.tables import rows
from tearsheet.store.tables.queries import Queries
from tearsheet.store.write.rebooking import StreamRebuilder
from tearsheet.store.write.session_tallies import SessionTallies
from tearsheet.trade.fill import Rejection, Side, TradeRecord
from tearsheet.trade.instrument import Instruments, UnknownInstrument
from tearsheet.trade.position import fill_from_record, position_from_record
from tearsheet.trade.session import to_micros

TradeLogMode = Literal["auto", "trades", "fills"]
LogStream = tuple[str, str]


class _RecordBody(Struct, frozen=True, array_like=True, gc=False):
    """What is kept of a record: all but its prose, which stays in the file."""

    timestamp: datetime
    symbol: str
    action: Side
    quantity: Decimal
    price: Decimal
    order_id: str | None
    execution_mode: Literal["PAPER", "LIVE"] | None
    account_id: str | None
    strategy_name: str | None
    stop_loss: Decimal | None
    target: Decimal | None
    risk_reward_ratio: Decimal | None
    outcome: Literal["win", "loss", "breakeven", "open"] | None
    profit_loss: Decimal | None
    hold_duration_seconds: Decimal | None
    exit_timestamp: datetime | None
    slippage: Decimal | None
    commission: Decimal | None
    net_profit_loss: Decimal | None
    session_id: str | None
    bot_version: str | None
    config_hash: str | None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_RecordBody).decode


def to_body(r: TradeRecord) -> bytes:
    """A record in the form in which it is kept."""
    exit_timestamp = None if r.exit_timestamp is None else r.exit_timestamp.astimezone(UTC)
    return _encode(
        _RecordBody(
            r.timestamp.astimezone(UTC),
            r.symbol,
            r.action,
            r.quantity,
            r.price,
            r.order_id,
            r.execution_mode,
            r.account_id,
            r.strategy_name,
            r.stop_loss,
            r.target,
            r.risk_reward_ratio,
            r.outcome,
            r.profit_loss,
            r.hold_duration_seconds,
            exit_timestamp,
            r.slippage,
            r.commission,
            r.net_profit_loss,
            r.session_id,
            r.bot_version,
            r.config_hash,
        )
    )


def from_body(body: bytes) -> TradeRecord:
    """The record that a kept form stands for."""
    return TradeRecord(**msgspec.structs.asdict(_decode(body)))


_LINES = (1 << rows.LINE_BITS) - 1
_AT_ONCE = 20_000


class StoredRecord(Struct, gc=False):
    """A line of a log as kept: where it stands, whose it is, and whether it is valid."""

    id: int
    file: str
    key: str
    account: str
    symbol: str
    closed: bool
    live: bool
    body: bytes
    record: TradeRecord | None = None

    @property
    def line(self) -> int:
        """The line in its file."""
        return self.id & _LINES

    def to_record(self) -> TradeRecord:
        """The record itself."""
        return from_body(self.body) if self.record is None else self.record


class _StreamMode(Struct):
    records: int
    closed: int
    as_fills: bool
    last_closed_us: int | None = None
    lost_its_last: bool = False


class LogRecords:
    """The records of one posting: put in, taken out, and turned into positions or fills."""

    def __init__(
        self,
        queries: Queries,
        tallies: SessionTallies,
        streams: StreamRebuilder,
        instruments: Instruments,
        mode: TradeLogMode,
    ) -> None:
        self._queries = queries
        self._tallies = tallies
        self._streams = streams
        self._instruments = instruments
        self._mode = mode
        #: with an empty ledger, only keys met in this posting can have earlier versions
        self._added_names: set[int] | None = None if queries.fetch_one("any_record") else set()
        self._stream_modes: dict[LogStream, _StreamMode] = {}

    def add(self, source_id: int, file: str, lines: Iterable[tuple[int, str, TradeRecord]]) -> int:
        """Keep the lines of a file that were read now; returns how many."""
        fresh = [self._to_stored(source_id, file, line, key, record) for line, key, record in lines]
        self._count(fresh)
        groups: dict[tuple[str, str], list[StoredRecord]] = defaultdict(list)
        for kept in fresh:
            groups[kept.account, kept.key].append(kept)
        chosen: list[StoredRecord] = []
        earlier = self._earlier(groups)
        for (account, key), versions in groups.items():
            before = earlier.get((account, key), [])
            valid = versions[0] if len(versions) == 1 and not before else _valid(before + versions)
            for old in before:
                if old.live and old is not valid:
                    self._revert(old)
                    self._queries.execute("set_live", (0, old.id))
            if not valid.live:
                valid.live = True
                chosen.append(valid)
                if any(valid is old for old in before):
                    self._queries.execute("set_live", (1, valid.id))
        self._queries.execute_many("add_record", map(_record_row, fresh))
        self._apply(chosen)
        return len(fresh)

    def remove(self, source_id: int) -> int:
        """Take out what a file had said, and say how many lines that were."""
        gone = self._select("records_of_source", _id_range(source_id))
        for kept in gone:
            if kept.live:
                self._revert(kept)
            use = self._stream_mode(kept.account, kept.symbol)
            use.records -= 1
            use.closed -= kept.closed
        self._queries.execute("remove_records", _id_range(source_id))
        self._choose_valid(gone)
        for stream in {(kept.account, kept.symbol) for kept in gone}:
            self._apply_mode(stream, self._stream_modes[stream])
        return len(gone)

    def finish(self) -> None:
        """Write down how each stream of the log was used."""
        for (account, symbol), use in self._stream_modes.items():
            if use.lost_its_last:
                last = self._queries.fetch_one("last_logged_closing", (account, symbol))
                use.last_closed_us = last[0] if last else None
            if use.records:
                self._queries.execute(
                    "put_log_stream",
                    (account, symbol, use.records, use.closed, use.as_fills, use.last_closed_us),
                )
            else:
                self._queries.execute("remove_log_stream", (account, symbol))

    def rebuild_all(self) -> None:
        """Make positions and fills of all valid records anew, on empty books."""
        found = self._queries.execute("log_streams").fetchall()
        for account, symbol, records, closed, _ in found:
            self._stream_modes[account, symbol] = _StreamMode(records, closed, self._as_fills(closed))
        live = map(_from_row, self._queries.stream("live_records"))
        while batch := list(islice(live, _AT_ONCE)):
            self._apply(batch)

    def _to_stored(self, source_id: int, file: str, line: int, key: str, record: TradeRecord) -> StoredRecord:
        if key.startswith("c:"):
            key = f"{key}:{self._occurrence(source_id, key)}"
        identity = source_id << rows.LINE_BITS | line
        return StoredRecord(
            identity,
            file,
            key,
            record.account,
            record.symbol,
            record.is_closed,
            False,
            to_body(record),
            record,
        )

    def _occurrence(self, source_id: int, key: str) -> int:
        """How often a content without an order id stood in the file before."""
        seen = self._occurrences(source_id)
        seen[key] += 1
        return seen[key] - 1

    def _occurrences(self, source_id: int) -> Counter[str]:
        if getattr(self, "_counted", (None, None))[0] != source_id:
            keys = self._queries.execute("keys_of_source", _id_range(source_id))
            counter = Counter(key.rpartition(":")[0] for (key,) in keys if key.startswith("c:"))
            self._counted: tuple[int, Counter[str]] = (source_id, counter)
        return self._counted[1]

    def _count(self, fresh: Sequence[StoredRecord]) -> None:
        """Count what the log says of each stream, and turn streams that now bear a result."""
        touched: set[LogStream] = set()
        for kept in fresh:
            stream = (kept.account, kept.symbol)
            use = self._stream_mode(*stream)
            use.records += 1
            use.closed += kept.closed
            touched.add(stream)
        for stream in touched:
            self._apply_mode(stream, self._stream_modes[stream])

    def _apply_mode(self, stream: LogStream, use: _StreamMode) -> None:
        """Read a stream as fills or as trades, and turn what was read otherwise before."""
        as_fills = self._as_fills(use.closed)
        if as_fills == use.as_fills:
            return
        valid = self._select("open_records_of_stream", stream)
        for record in valid:
            self._revert(record)
        use.as_fills = as_fills
        self._apply(valid)

    def _as_fills(self, closed: int) -> bool:
        return self._mode == "fills" or (self._mode == "auto" and closed == 0)

    def _stream_mode(self, account: str, symbol: str) -> _StreamMode:
        use = self._stream_modes.get((account, symbol))
        if use is None:
            row = self._queries.fetch_one("log_stream", (account, symbol))
            if row is None:
                use = _StreamMode(0, 0, self._as_fills(0))
            else:
                use = _StreamMode(row[0], row[1], bool(row[2]), row[3])
            self._stream_modes[account, symbol] = use
        return use

    def _earlier(self, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], list[StoredRecord]]:
        """The versions kept before of orders, by account and key."""
        asked = list(names if self._added_names is None else filter(self._has_earlier, names))
        found = self._queries.execute_each("records_of_key", asked)
        return {name: [_from_row(row) for row in its] for name, its in zip(asked, found, strict=True) if its}

    def _has_earlier(self, name: tuple[str, str]) -> bool:
        assert self._added_names is not None
        mark = hash(name)
        is_met = mark in self._added_names
        self._added_names.add(mark)
        return is_met

    def _select(self, name: str, parameters: tuple[Any, ...]) -> list[StoredRecord]:
        found = self._queries.execute(name, parameters).fetchall()
        return [_from_row(row) for row in found]

    def _choose_valid(self, gone: Iterable[StoredRecord]) -> None:
        """Choose the valid version of orders that lost some of their versions."""
        for account, key in {(kept.account, kept.key) for kept in gone}:
            left = self._select("records_of_key", (account, key))
            if left and not any(kept.live for kept in left):
                valid = _valid(left)
                self._queries.execute("set_live", (1, valid.id))
                self._apply([valid])
            elif left:
                self._switch_valid(left)

    def _switch_valid(self, left: list[StoredRecord]) -> None:
        valid, live = _valid(left), next(kept for kept in left if kept.live)
        if valid is not live:
            self._revert(live)
            self._queries.execute("set_live", (0, live.id))
            self._queries.execute("set_live", (1, valid.id))
            self._apply([valid])

    def _apply(self, chosen: Iterable[StoredRecord]) -> None:
        """Turn valid records into positions or fills."""
        positions, bookings = [], []
        fills: list[rows.Row] = []
        for kept in chosen:
            use = self._stream_mode(kept.account, kept.symbol)
            record = kept.to_record()
            if use.as_fills:
                fills += self._apply_as_fill(kept, record)
            elif kept.closed:
                position, booking = position_from_record(record, kept.key, self._instruments.default_currency)
                positions.append(position)
                bookings.append(booking)
                booked_us = to_micros(position.last_at)
                if use.last_closed_us is None or booked_us > use.last_closed_us:
                    use.last_closed_us = booked_us
        self._queries.execute_many("add_fill", fills)
        self._queries.execute_many("add_position", [rows.position_to_row(p, logged=True) for p in positions])
        self._tallies.on_added(bookings, positions)

    def _apply_as_fill(self, kept: StoredRecord, record: TradeRecord) -> list[rows.Row]:
        """The row of a record's fill, whose id is the record's own; none where it is rejected."""
        day: date = record.timestamp.date()
        found = self._instruments.resolve(record.symbol, day)
        if isinstance(found, UnknownInstrument):
            self._reject(kept, record, found)
            return []
        fill = fill_from_record(
            record, found.symbol, found.multiplier, found.currency, f"r:{kept.key}", kept.line
        )
        self._streams.mark_dirty(fill.account, fill.symbol, to_micros(fill.time))
        return [rows.fill_to_row(kept.id, fill, kept.id)]

    def _reject(self, kept: StoredRecord, record: TradeRecord, found: UnknownInstrument) -> None:
        rejection = Rejection(
            file=kept.file,
            line=kept.line,
            text=f"{record.symbol} {record.action.value} {record.quantity} @ {record.price}",
            code=found.code,
            reason=found.reason,
            hint=found.hint,
            account=record.account,
            since=record.timestamp,
            until=record.timestamp,
        )
        row = rows.rejection_to_row(kept.id >> rows.LINE_BITS, rejection, record_id=kept.id)
        self._queries.execute("add_rejection", row)

    def _revert(self, kept: StoredRecord) -> None:
        """Undo what a record was used for."""
        use = self._stream_mode(kept.account, kept.symbol)
        if use.as_fills:
            for identity, account, symbol, time_us in self._queries.execute(
                "fill_of_record", (kept.id,)
            ).fetchall():
                self._queries.execute("remove_fill", (identity,))
                self._streams.mark_dirty(account, symbol, time_us)
            self._queries.execute("remove_rejections_of_record", (kept.id,))
        elif kept.closed:
            position, booking = position_from_record(
                kept.to_record(), kept.key, self._instruments.default_currency
            )
            self._queries.execute("remove_position", (position.id,))
            self._tallies.on_removed([booking])
            if to_micros(position.last_at) == use.last_closed_us:
                use.lost_its_last = True
        kept.live = False


def _from_row(row: rows.Row) -> StoredRecord:
    identity, file, key, account, symbol, closed, live, body = row
    return StoredRecord(identity, file, key, account, symbol, bool(closed), bool(live), body)


def _valid(versions: list[StoredRecord]) -> StoredRecord:
    """The version of an order that counts: of the contents, the one that appears last."""
    first_of: dict[bytes, StoredRecord] = {}
    for kept in sorted(versions, key=lambda k: (k.file, k.line)):
        first_of.setdefault(kept.body, kept)
    return list(first_of.values())[-1]


def _record_row(k: StoredRecord) -> rows.Row:
    assert k.record is not None
    return (
        k.id,
        k.key,
        k.account,
        k.symbol,
        to_micros(k.record.timestamp),
        int(k.closed),
        int(k.live),
        k.body,
    )


def _id_range(source_id: int) -> tuple[int, int]:
    """The bounds of the ids of a file's lines."""
    return source_id << rows.LINE_BITS, (source_id + 1) << rows.LINE_BITS
