"""Brings positions and bookings up to date with the fills of an account and instrument.

Fills that come after everything booked are added to the open position; a late one makes its stream
be booked anew from the last flat point before it. Both give the same rows with the same ids.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from heapq import merge
from itertools import islice

from tearsheet.store.tables import rows
from tearsheet.store.tables.queries import Queries
from tearsheet.store.write.append_booking import AppendBooking, store_bookings
from tearsheet.store.write.session_tallies import SessionTallies
from tearsheet.trade.amount import ZERO, exact
from tearsheet.trade.fill import Fill
from tearsheet.trade.position import Book, Booking, Position
from tearsheet.trade.session import to_micros

_AT_ONCE = 20_000
#: So many open cursors do not slow SQLite down yet.
_MERGED = 16
FillOrder = tuple[datetime, int, str]
#: From which instant fills are read, and before which order of that instant they are booked.
RebuildStart = tuple[int, FillOrder | None]


class StreamRebuilder:
    """The streams (account, symbol) that one posting touches, and from when on."""

    def __init__(self, queries: Queries, tallies: SessionTallies) -> None:
        self._queries = queries
        self._tallies = tallies
        self._since: dict[tuple[str, str], int] = {}
        self._append: AppendBooking | None = None

    def try_append(self) -> None:
        """From here on book new fills as they come, as long as they come in order."""
        if not self._since:
            self._append = AppendBooking(self._queries, self._tallies)

    def add_new(self, fills: Sequence[Fill]) -> None:
        """Fills that were just kept, of which nobody had told before."""
        if self._append is not None and not self._append.add(fills):
            self._disable_append()
        since = self._since
        for fill in fills:
            if self._append is None or (fill.account, fill.symbol) not in since:
                self._mark(fill.account, fill.symbol, to_micros(fill.time))

    def mark_dirty(self, account: str, symbol: str, since_us: int) -> None:
        """Something changed in a stream at an instant."""
        self._disable_append()
        self._mark(account, symbol, since_us)

    def _disable_append(self) -> None:
        if self._append is not None:
            self._append.rollback()
            self._append = None

    def _mark(self, account: str, symbol: str, since_us: int) -> None:
        known = self._since.get((account, symbol))
        if known is None or since_us < known:
            self._since[account, symbol] = since_us

    def finish(self) -> None:
        """Book what changed, all streams together in the order of time."""
        if self._append is not None:
            self._append.finish()
            self._append = None
            self._since.clear()
            return
        held: list[Position] = []
        starts: dict[tuple[str, str], RebuildStart] = {}
        for stream, since_us in self._since.items():
            position, start = self._remove_from(*stream, since_us)
            held += position
            starts[stream] = start
        self._since.clear()
        book, fills = Book(held), self._fills(starts)
        while batch := list(islice(fills, _AT_ONCE)):
            bookings = book.book_all(batch)
            closed, book.closed = book.closed, []
            store_bookings(self._queries, self._tallies, bookings, closed)
        still_open = [rows.position_to_row(p, logged=False) for p in book.open_positions()]
        self._queries.execute_many("add_position", still_open)

    def _fills(self, starts: dict[tuple[str, str], RebuildStart]) -> Iterator[Fill]:
        """The fills of all streams from where each starts.

        A few streams are merged; for many it is cheaper to pass over the fills of the others.
        """
        if not starts:
            return iter(())
        if len(starts) <= _MERGED:
            streams = (
                self._fills_from(start, "fills_of_stream", (*stream, start[0]))
                for stream, start in starts.items()
            )
            return merge(*streams, key=_sort_key)
        return self._fills_of(starts)

    def _fills_from(self, start: RebuildStart, name: str, parameters: tuple[object, ...]) -> Iterator[Fill]:
        first = start[1]
        for row in self._queries.stream(name, parameters):
            fill = rows.fill_from_row(row)
            if first is None or fill.order >= first:
                yield fill

    def _fills_of(self, starts: dict[tuple[str, str], RebuildStart]) -> Iterator[Fill]:
        earliest = min(start_us for start_us, _ in starts.values())
        for row in self._queries.stream("fills_since", (earliest,)):
            start = starts.get((row[0], row[1]))
            if start is None or row[3] < start[0]:
                continue
            fill = rows.fill_from_row(row)
            if start[1] is None or fill.order >= start[1]:
                yield fill

    def _remove_from(self, account: str, symbol: str, since_us: int) -> tuple[list[Position], RebuildStart]:
        """Take out what is booked from an instant on.

        Returns the open position to go on with, if any, and where to read fills from.
        """
        affected = self._affected_positions(account, symbol, since_us)
        if not affected:
            row = self._queries.fetch_one("open_position_of_stream", (account, symbol))
            if row is None:
                return [], (since_us, None)
            held = rows.position_from_row(row)
            self._queries.execute("remove_position", (held.id,))
            return [held], (to_micros(held.last_at), _next_key_after(held))
        first = min(affected, key=lambda p: (p.opened_at or p.last_at, p.last_at))
        opening = self._remove_positions(affected, first)
        opened_us = to_micros(opening.time)
        if opening.part == 0:
            if since_us <= opened_us:
                return [], (since_us, None)
            return [], (opened_us, (opening.time, opening.rank, opening.fill_key))
        seed = _position_at_open(first, opening)
        store_bookings(self._queries, self._tallies, [opening], [])
        return [seed], (opened_us, _next_key_after(seed))

    def _affected_positions(self, account: str, symbol: str, since_us: int) -> list[Position]:
        found = self._queries.execute("positions_of_stream_since", (account, symbol, since_us))
        return [rows.position_from_row(row) for row in found.fetchall()]

    def _remove_positions(self, affected: list[Position], first: Position) -> Booking:
        """Take positions and their bookings out; returns the booking that opened the first."""
        opening: Booking | None = None
        for position in affected:
            bookings = self._queries.bookings_of(position.id)
            if position.id == first.id:
                opening = bookings[0]
            self._tallies.on_removed(bookings, position.currency)
            self._queries.execute("remove_bookings", (position.id,))
            self._queries.execute("remove_position", (position.id,))
        assert opening is not None
        return opening


def _sort_key(fill: Fill) -> tuple[datetime, str, str]:
    return (fill.time, fill.account, fill.symbol)


def _next_key_after(position: Position) -> FillOrder:
    """The order right after a position's last fill: no key is that plus a low character."""
    return (position.last_at, position.last_rank, f"{position.last_key}\0")


def _position_at_open(position: Position, opening: Booking) -> Position:
    """A position as it stood right after the second part of a reversing fill opened it."""
    with exact():
        quantity = abs(opening.quantity)
        value = quantity * opening.price
        cost = value * position.multiplier
    return Position(
        id=position.id,
        account=position.account,
        symbol=position.symbol,
        currency=position.currency,
        multiplier=position.multiplier,
        side=position.side,
        opened_at=position.opened_at,
        closed_at=None,
        last_at=opening.time,
        last_rank=opening.rank,
        last_key=opening.fill_key,
        quantity=quantity,
        peak_quantity=quantity,
        open_quantity=quantity,
        entry_value=value,
        exit_value=ZERO,
        cost=cost,
        gross=ZERO,
        fees=opening.fees,
        fills=1,
        strategy=position.strategy,
        stop_loss=position.stop_loss,
        target=position.target,
        planned_risk_reward=position.planned_risk_reward,
        mode=position.mode,
    )
