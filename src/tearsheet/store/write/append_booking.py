"""Booking of a large import during reading, while every fill is later than all earlier ones.

Such fills are not read from the database for booking, which saves 14 % of the CPU of an import. After the
first late fill, these bookings are removed and rebuilt from the stored fills, as after any other change.
A ledger without books is booked by the fold on columns (`ColumnBooking`), any other by `Book`.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import compress, count
from operator import attrgetter, eq, le, lt, not_
from typing import Any, NamedTuple

from tearsheet.columns.fill_columns import BookedColumns, FillColumns, FoldOutput, PositionColumns
from tearsheet.store.tables.columns import BookingRow, FillRow, PositionRow
from tearsheet.store.tables.queries import FOLD_BATCH, Queries
from tearsheet.store.tables.query_rows import FillBookingRow, GapRow
from tearsheet.store.tables.rows import (
    booking_to_row,
    gap_to_row,
    position_from_row,
    position_numbers,
    positions_to_rows,
)
from tearsheet.store.write.session_tallies import SessionTallies
from tearsheet.trade.event import Event, Gap
from tearsheet.trade.fill import Fill
from tearsheet.trade.position import Book, Booking, Position, log_place
from tearsheet.trade.session import EARLIEST, from_micros

#: Account and symbol.
Stream = tuple[str, str]
#: The most fills of one instant that are collected before they are booked.
_MAX_WAITING = 50_000
_TIME, _COLUMNS = FillColumns._fields.index("time_us"), len(FillColumns._fields)
_order = attrgetter("time", "account", "symbol", "rank", "key")


def store_bookings(
    queries: Queries, tallies: SessionTallies, bookings: list[Booking], closed: list[Position]
) -> None:
    """Save bookings and the positions that they closed."""
    queries.add(BookingRow, map(booking_to_row, bookings))
    store_positions(queries, closed)
    tallies.on_added(bookings, closed)


def store_positions(queries: Queries, positions: Sequence[Position]) -> None:
    """Save positions that come from fills."""
    queries.add(PositionRow, positions_to_rows(positions, logged=False))


def store_gaps(queries: Queries, gaps: Sequence[Gap]) -> None:
    """Save what the books lack."""
    queries.add(GapRow, map(gap_to_row, gaps))


class AppendBooking:
    """Booking of a transaction's fills that are later than everything booked before."""

    def __init__(self, queries: Queries, tallies: SessionTallies) -> None:
        self._queries = queries
        self._tallies = tallies
        last = [queries.value(f"last_{what}_all") for what in ("booking", "closing")]
        self._before_us = max((time_us for time_us in last if time_us is not None), default=None)
        before = self._before_us
        self._reached: datetime = EARLIEST if before is None else from_micros(before)
        opened = (row for row in queries.rows(PositionRow, "open_positions") if not row.logged)
        self._held = {(p.account, p.symbol): p for p in map(position_from_row, opened)}
        self._book = Book(self._held.values())
        self._touched: set[Stream] = set()
        #: the fills of the last instant, which the next chunk may continue
        self._waiting: list[Fill] = []

    def add(self, fills: Sequence[Fill]) -> bool:
        """Book new fills; return False, without any change, if one is late."""
        ready = [*self._waiting, *fills]
        times = [fill.time for fill in ready]
        if not times:
            return True
        if times[0] <= self._reached or not all(map(le, times, times[1:])):
            return False
        if any(map(attrgetter("position_side"), fills)) or Event in map(type, fills):
            return False  # `EventStreams` books them
        cut = bisect_left(times, times[-1])
        if not cut and len(ready) > _MAX_WAITING:
            cut = len(ready)
        self._waiting = ready[cut:]
        del ready[cut:], times[cut:]
        if any(map(eq, times, times[1:])):
            ready.sort(key=_order)
        self._store_rows(ready)
        return True

    def finish(self) -> None:
        """Book the remaining fills, and save the open positions."""
        self._store_rows(sorted(self._waiting, key=_order))
        opened = [p for p in self._book.open_positions() if (p.account, p.symbol) in self._touched]
        store_positions(self._queries, opened)
        store_gaps(self._queries, self._book.gaps())

    def rollback(self) -> None:
        """Remove all bookings of this transaction."""
        if self._before_us is None:
            self._queries.execute("remove_all_bookings")
            self._queries.execute("remove_all_positions")
            self._queries.execute("remove_all_gaps")
        else:
            self._queries.execute("remove_bookings_after", (self._before_us,))
            self._queries.execute("remove_positions_closed_after", (self._before_us,))
            self._queries.execute("remove_gaps_after", (self._before_us,))
        held = [position for stream, position in self._held.items() if stream in self._touched]
        store_positions(self._queries, held)
        self._tallies.rollback_added()

    def _store_rows(self, fills: Sequence[Fill]) -> None:
        if not fills:
            return
        self._reached = fills[-1].time
        for stream in {(fill.account, fill.symbol) for fill in fills} - self._touched:
            self._touched.add(stream)
            if stream in self._held:
                self._queries.execute("remove_position", (self._held[stream].id,))
        bookings = self._book.book_all(fills)
        closed, self._book.closed = self._book.closed, []
        store_bookings(self._queries, self._tallies, bookings, closed)


class StoredAmounts(NamedTuple):
    """Ids of stored fills, None where a fill's booking is kept whole, and the amounts as their rows have them."""

    ids: Sequence[int | None]
    quantity: Sequence[str]
    price: Sequence[str]
    commission: Sequence[str]

    @classmethod
    def of_columns(cls, fills: FillColumns, ids: Sequence[int]) -> "StoredAmounts":
        """Return those of fills whose rows have the texts of the columns."""
        return cls(ids, fills.quantity, fills.price, fills.commission)

    @classmethod
    def of_rows(cls, fills: FillColumns, stored: Sequence[FillRow]) -> "StoredAmounts":
        """Return those of rows; without any, no fill has an id."""
        if not stored:
            return cls([None] * len(fills.key), fills.quantity, fills.price, fills.commission)
        return cls(*zip(*((row.id, row.quantity, row.price, row.commission) for row in stored), strict=True))


class ColumnBooking:
    """Booking of a transaction's fills by columns, in chronological order, in a ledger without books."""

    def __init__(self, queries: Queries, tallies: SessionTallies) -> None:
        from tearsheet.columns.fold import Fold  # deferred: imports ctypes and subprocess

        self._queries, self._tallies = queries, tallies
        self._fold = Fold(tallies.fold_rules)
        #: the fills of the last instant, and what their rows have
        self._waiting: list[list[Any]] = [[] for _ in (*FillColumns._fields, *StoredAmounts._fields)]
        self._reached_us = -(2**63)
        #: multiplier and currency of each account and symbol
        self._terms: dict[tuple[str, str], tuple[str, str]] = {}
        #: first and last instant of each account
        self._spans: dict[str, tuple[int, int]] = {}

    @property
    def has_begun(self) -> bool:
        """Return whether any fill was taken."""
        return self._reached_us > -(2**63) or bool(self._waiting[_TIME])

    @staticmethod
    def can_hold(columns: FillColumns) -> bool:
        """Return whether the fold supports all fills: no hedge mode, no closing-only fill, no unstated fee."""
        return not any(columns.position_side) and not any(columns.closes) and "-0" not in columns.commission

    def add(self, columns: FillColumns, stored: StoredAmounts) -> bool:
        """Book new fills; return False, without any change, if one is late or unlike those of its instrument before."""
        times = [*self._waiting[_TIME], *columns.time_us]
        if not times:
            return True
        if (
            not self._has_like_terms(columns)
            or times[0] <= self._reached_us
            or not all(map(le, times, times[1:]))
        ):
            return False
        given = (*columns, *stored)
        ready: list[list[Any]] = [[*before, *own] for before, own in zip(self._waiting, given, strict=True)]
        cut = bisect_left(times, times[-1])
        if not cut and len(times) > _MAX_WAITING:
            cut = len(times)
        self._waiting = [column[cut:] for column in ready]
        self._book([column[:cut] for column in ready])
        return True

    def _has_like_terms(self, columns: FillColumns) -> bool:
        """Return whether each instrument has one multiplier and currency: others may contradict an open position."""
        terms = set(zip(columns.account, columns.symbol, columns.multiplier, columns.currency, strict=True))
        return all(
            self._terms.setdefault((account, symbol), (multiplier, currency)) == (multiplier, currency)
            for account, symbol, multiplier, currency in terms
        )

    def finish(self) -> None:
        """Book the remaining fills, and save the open positions."""
        self._book(self._waiting)
        self._store_positions(self._fold.finish())
        self._tallies.accounts.on_booked(self._spans)

    def rollback(self) -> None:
        """Remove all bookings of this transaction."""
        for name in ("remove_all_bookings", "remove_all_fill_bookings", "remove_all_positions"):
            self._queries.execute(name)
        self._tallies.rollback_added()

    def _book(self, ready: Sequence[list[Any]]) -> None:
        if not ready[_TIME]:
            return
        if any(map(eq, ready[_TIME], ready[_TIME][1:])):
            ready = _in_order(ready)
        fills = FillColumns(*ready[:_COLUMNS])
        self._reached_us = fills.time_us[-1]
        last = dict(zip(fills.account, fills.time_us, strict=True))
        first = dict(zip(reversed(fills.account), reversed(fills.time_us), strict=True))
        for account, until in last.items():
            since, _ = self._spans.get(account, (first[account], 0))
            self._spans[account] = (since, until)
        for start in range(0, len(fills.key), FOLD_BATCH):
            part = [column[start : start + FOLD_BATCH] for column in ready]
            batch, stored = FillColumns(*part[:_COLUMNS]), StoredAmounts(*part[_COLUMNS:])
            folded = self._fold.add(batch)
            self._store_bookings(folded.bookings, batch, stored)
            self._store_positions(folded)

    def _store_bookings(self, booked: BookedColumns, fills: FillColumns, stored: StoredAmounts) -> None:
        """Save bookings: of a fill with an id what it does not say, of any other all."""
        places = dict(zip(zip(fills.account, fills.key, strict=True), count(), strict=False))
        at = list(map(places.__getitem__, zip(booked.account, booked.fill_key, strict=True)))
        is_said = [stored.ids[n] is not None for n in at]
        if not all(is_said):
            whole = [list(compress(column, map(not_, is_said))) for column in booked]
            self._queries.add_columns(BookingRow, BookedColumns._fields, whole)
            columns: tuple[Sequence[Any], ...] = booked
            booked = BookedColumns(*[list(compress(column, is_said)) for column in columns])
            at = list(compress(at, is_said))
        if at:
            unsaid = _unsaid(booked, fills, stored, at)
            self._queries.add_columns(FillBookingRow, FillBookingRow.__struct_fields__, unsaid)

    def _store_positions(self, folded: FoldOutput) -> None:
        if folded.positions.id:
            logged = [0] * len(folded.positions.id)
            names = (*PositionColumns._fields, "logged")
            self._queries.add_columns(PositionRow, names, (*folded.positions, logged))
        self._tallies.on_folded(folded.tallies)


def _unsaid(
    booked: BookedColumns, fills: FillColumns, stored: StoredAmounts, at: Sequence[int]
) -> tuple[Sequence[Any], ...]:
    """Return the columns of bookings without what their fills say; `at` is the place of the fill of each."""
    signed = [
        f"-{text}" if side == "SELL" else text for side, text in zip(fills.side, stored.quantity, strict=True)
    ]
    quantities = [None if own == signed[n] else own for n, own in zip(at, booked.quantity, strict=True)]
    prices = [None if own == stored.price[n] else own for n, own in zip(at, booked.price, strict=True)]
    gross = [None if own == "0" else own for own in booked.gross]
    fees = [None if own == stored.commission[n] else own for n, own in zip(at, booked.fees, strict=True)]
    own_ids = list(map(stored.ids.__getitem__, at))
    numbers = position_numbers(booked.position_id)
    return own_ids, booked.part, numbers, quantities, prices, gross, fees, booked.closes


def _in_order(ready: Sequence[list[Any]]) -> Sequence[list[Any]]:
    """Return fills of rising times, and their ids, in the order in which they are folded."""
    fills = FillColumns(*ready[:_COLUMNS])
    lines = map(log_place, fills.rank)
    places = list(zip(fills.time_us, fills.account, lines, fills.symbol, fills.rank, fills.key, strict=True))
    if all(map(lt, places, places[1:])):
        return ready
    order = sorted(range(len(places)), key=places.__getitem__)
    return [_picked(column, order) for column in ready]


def _picked(column: Sequence[Any], order: Iterable[int]) -> list[Any]:
    return list(map(column.__getitem__, order))
