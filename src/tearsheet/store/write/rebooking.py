"""Update of positions and bookings after fills of an account and instrument have changed.

Fills that come after everything booked are added to the open position; after a late one its stream is
booked again from the last flat point before it. Both give the same rows with the same ids.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import NamedTuple

from tearsheet.columns.fill_columns import FillColumns, StatedFills
from tearsheet.store.tables.columns import FillRow, PositionRow
from tearsheet.store.tables.queries import Queries
from tearsheet.store.tables.query_rows import GapRow, StreamRow
from tearsheet.store.tables.rows import ALWAYS, fill_from_row, position_from_row
from tearsheet.store.write.append_booking import (
    AppendBooking,
    ColumnBooking,
    StoredAmounts,
    Stream,
    store_bookings,
    store_gaps,
    store_positions,
)
from tearsheet.store.write.event_streams import REACH_US, EventStreams, first_with_legs
from tearsheet.store.write.session_tallies import SessionTallies
from tearsheet.store.write.unstated_fees import UnstatedFees
from tearsheet.trade.amount import ZERO, exact, trade_value
from tearsheet.trade.event import Event, Gap
from tearsheet.trade.fee_schedule import FeeSchedule
from tearsheet.trade.fill import Fill, Side, has_leg
from tearsheet.trade.position import Book, Booking, Position
from tearsheet.trade.round_trip import without_executed_legs
from tearsheet.trade.session import from_micros, to_micros

_CHUNK_ROWS = 20_000
#: Up to this many open cursors do not slow SQLite down.
_MAX_MERGED = 16
#: Time, rank and key.
FillOrder = tuple[datetime, int, str]


class RebuildStart(NamedTuple):
    """The instant from which fills are read, and the order in that instant from which they are booked."""

    time_us: int
    order: FillOrder | None


class StreamRebuilder:
    """Streams (account, symbol) that one transaction changes, with the first changed instant of each."""

    def __init__(self, queries: Queries, tallies: SessionTallies, schedule: FeeSchedule) -> None:
        self._queries = queries
        self._tallies = tallies
        self._fees = UnstatedFees(queries, schedule)
        self._events = EventStreams(queries, tallies, self._fees)
        self._since: dict[Stream, int] = {}
        self._append: AppendBooking | ColumnBooking | None = None
        #: whether all books are made anew
        self._is_whole = self._is_by_book = False
        #: streams with sides of round trips near the change
        self._with_legs: set[Stream] = set()
        #: sides of round trips there that executions tell, and where they tell a part
        self.executed_legs = 0
        self._leg_gaps: list[Gap] = []

    def try_append(self, *, is_log: bool = False) -> None:
        """Book new fills during reading from now on, as long as they are in order and no events.

        Without any books or records, they are folded on columns; results of logs are booked beside those of fills.
        """
        if not (self._since or self._queries.exists("any_leg") or self._events.has_any()):
            has_books = is_log or any(
                map(self._queries.exists, ("any_booking", "any_position", "any_record"))
            )
            booking = AppendBooking if has_books else ColumnBooking
            self._append = booking(self._queries, self._tallies)

    def add_columns(self, stated: StatedFills, ids: Sequence[int]) -> None:
        """Record stored fills that are new, given as columns, with their ids."""
        append, fills = self._append, stated.columns
        if not (
            isinstance(append, ColumnBooking)
            and append.can_hold(fills)
            and append.add(fills, StoredAmounts.of_columns(fills, ids))
        ):
            self.add_new([fill for _, fill in stated.numbered()])
            return
        pairs = zip(reversed(fills.account), reversed(fills.symbol), strict=True)
        first = dict(zip(pairs, reversed(fills.time_us), strict=True))
        self._since = first | self._since

    def add_new(self, fills: Sequence[Fill], stored: Sequence[FillRow] = ()) -> None:
        """Record stored fills that are new, with their rows where there are many."""
        if self._append is not None and not self._can_append(fills, stored):
            self._disable_append()
        since = self._since
        for fill in fills:
            if self._append is None or (fill.account, fill.symbol) not in since:
                since_us = self._events.first_change(fill) if self._append is None else to_micros(fill.time)
                self._mark(fill.account, fill.symbol, since_us)

    def _can_append(self, fills: Sequence[Fill], stored: Sequence[FillRow]) -> bool:
        if self._append is None or has_leg(fills) or Event in map(type, fills):
            return False
        priced = list(self._fees.priced(fills))
        if isinstance(self._append, ColumnBooking):
            columns = FillColumns.from_fills(priced)
            if self._append.can_hold(columns):
                return self._append.add(columns, StoredAmounts.of_rows(columns, stored))
            if self._append.has_begun:
                return False
            self._append = AppendBooking(self._queries, self._tallies)
        return self._append.add(priced)

    def mark_dirty(self, account: str, symbol: str, since_us: int) -> None:
        """Record a change in a stream at an instant."""
        self._disable_append()
        self._mark(account, symbol, since_us)

    def mark_all(self, *, by_book: bool) -> None:
        """Mark all books for a rebuild from nothing, by columns unless `by_book`."""
        self._disable_append()
        self._is_whole, self._is_by_book = True, by_book

    def mark_posted(self, fill: Fill) -> None:
        """Record a new fill or event, which others of its instant may follow."""
        self.mark_dirty(fill.account, fill.symbol, self._events.first_change(fill))

    def mark_linked(self, row: FillRow) -> None:
        """Mark a removed row; if it linked streams, rebuild each from its beginning."""
        event = fill_from_row(row)
        if isinstance(event, Event) and event.link is not None:
            since_us, _ = ALWAYS
            self.mark_dirty(event.account, event.symbol, since_us)
            self.mark_dirty(*event.link, since_us)

    def _disable_append(self) -> None:
        if self._append is not None:
            self._append.rollback()
            self._append = None

    def _mark(self, account: str, symbol: str, since_us: int) -> None:
        earlier = self._since.get((account, symbol))
        if earlier is None or since_us < earlier:
            self._since[account, symbol] = since_us

    def finish(self) -> None:
        """Book everything that changed, all streams together in order of time."""
        if self._append is not None:
            self._append.finish()
            self._append = None
            self._since.clear()
            return
        if self._is_whole:
            self._is_whole = False
            if not self._is_by_book and self._fold_all():
                self._since.clear()
                return
            since_us, _ = ALWAYS
            for row in self._queries.rows(StreamRow, "streams_of_fills"):
                self._mark(row.account, row.symbol, since_us)
        if self._events.has_any():
            self._rebook_events()
        held: list[Position] = []
        starts: dict[Stream, RebuildStart] = {}
        for stream, changed_us in self._since.items():
            since_us = first_with_legs(self._queries, stream, changed_us)
            if since_us != changed_us:
                self._with_legs.add(stream)
            position, start = self._remove_from(*stream, since_us)
            self._remove_gaps(stream, start)
            starts[stream] = start
            if position is not None:
                held.append(position)
        self._since.clear()
        book, fills = Book(held), self._fees.priced(self._fills(starts))
        while chunk := list(islice(fills, _CHUNK_ROWS)):
            bookings = book.book_all(chunk)
            closed, book.closed = book.closed, []
            store_bookings(self._queries, self._tallies, bookings, closed)
        store_positions(self._queries, list(book.open_positions()))
        store_gaps(self._queries, [*book.gaps(), *self._leg_gaps])
        self._leg_gaps.clear()

    def _fold_all(self) -> bool:
        """Book all fills by columns; return False without booking if the fold does not support them."""
        if self._tallies.calendars.own:
            return False
        if any(map(self._queries.exists, ("any_event", "any_leg", "any_record", "any_position"))):
            return False
        booking = ColumnBooking(self._queries, self._tallies)
        for columns, ids in self._queries.fill_columns_with_ids():
            if not (
                booking.can_hold(columns) and booking.add(columns, StoredAmounts.of_columns(columns, ids))
            ):
                booking.rollback()
                return False
        booking.finish()
        return True

    def _rebook_events(self) -> None:
        """Book the changed streams that have events or legs."""
        for component in self._events.components(list(self._since)):
            since_us = min(self._since.pop(stream) for stream in component if stream in self._since)
            self._events.rebook(component, since_us)
        self.executed_legs += self._events.executed_legs

    def _fills(self, starts: dict[Stream, RebuildStart]) -> Iterator[Fill]:
        """Stream the fills of all streams from their starts.

        A few streams are merged; for many it is cheaper to skip the fills of other streams.
        """
        legged = [
            self._fills_with_legs(one, start) for one, start in starts.items() if one in self._with_legs
        ]
        plain = {stream: start for stream, start in starts.items() if stream not in self._with_legs}
        if len(plain) <= _MAX_MERGED:
            found = [self._fills_from(stream, start) for stream, start in plain.items()]
        else:
            found = [self._fills_of(plain)]
        return merge(*legged, *found, key=_sort_key)

    def _fills_with_legs(self, stream: Stream, start: RebuildStart) -> Iterator[Fill]:
        """Return the fills of a stream, without round-trip legs that executions already cover."""
        read_us = first_with_legs(self._queries, stream, start.time_us) - REACH_US
        rows = self._queries.rows(FillRow, "fills_of_stream", (*stream, read_us))
        beside = without_executed_legs(list(map(fill_from_row, rows)))
        self.executed_legs += beside.executed
        first = from_micros(start.time_us)
        booked = [
            fill
            for fill in beside.fills
            if fill.time >= first and (start.order is None or fill.order >= start.order)
        ]
        keys = {fill.key for fill in booked}
        self._leg_gaps += [gap for gap in beside.gaps if gap.key in keys]
        yield from booked

    def _fills_from(self, stream: Stream, start: RebuildStart) -> Iterator[Fill]:
        found = self._queries.stream(FillRow, "fills_of_stream", (*stream, start.time_us))
        for fill in map(fill_from_row, found):
            if start.order is None or fill.order >= start.order:
                yield fill

    def _fills_of(self, starts: dict[Stream, RebuildStart]) -> Iterator[Fill]:
        earliest = min(start.time_us for start in starts.values())
        for row in self._queries.stream(FillRow, "fills_since", (earliest,)):
            start = starts.get((row.account, row.symbol))
            if start is None or row.time_us < start.time_us:
                continue
            fill = fill_from_row(row)
            if start.order is None or fill.order >= start.order:
                yield fill

    def _remove_from(self, account: str, symbol: str, since_us: int) -> tuple[Position | None, RebuildStart]:
        """Remove what is booked from an instant on.

        Returns the open position to continue with, if any, and where to start reading fills.
        """
        self._events.remove_unborne((account, symbol), since_us)
        affected = self._positions(account, symbol, since_us)
        if not affected:
            row = self._queries.row(PositionRow, "open_position_of_stream", (account, symbol))
            if row is None:
                return None, RebuildStart(since_us, None)
            held = position_from_row(row)
            self._queries.execute("remove_position", (held.id,))
            return held, RebuildStart(to_micros(held.last_at), _next_key_after(held))
        first = min(affected, key=lambda p: (p.opened_at or p.last_at, p.last_at))
        opening, is_first = self._remove_positions(affected, first)
        opened_us = to_micros(opening.time)
        if opening.part == 0:
            if since_us <= opened_us or not is_first:
                return None, RebuildStart(min(since_us, opened_us), None)
            return None, RebuildStart(opened_us, (opening.time, opening.rank, opening.fill_key))
        seed = _position_at_open(first, opening)
        store_bookings(self._queries, self._tallies, [opening], [])
        return seed, RebuildStart(opened_us, _next_key_after(seed))

    def _remove_gaps(self, stream: Stream, start: RebuildStart) -> None:
        """Remove what the books lack from where they are made again."""
        for row in self._queries.rows(GapRow, "gaps_of_stream", (*stream, start.time_us)):
            if start.order is None or (from_micros(row.time_us), row.rank, row.fill_key) >= start.order:
                place = (row.account, row.symbol, row.time_us, row.rank, row.fill_key)
                self._queries.execute("remove_gap", place)

    def _positions(self, account: str, symbol: str, since_us: int) -> list[Position]:
        parameters = (account, symbol, since_us)
        return list(
            map(position_from_row, self._queries.rows(PositionRow, "positions_of_stream_since", parameters))
        )

    def _remove_positions(self, affected: list[Position], first: Position) -> tuple[Booking, bool]:
        """Remove positions and their bookings; return the booking that opened the first.

        It is not always the first in order: a closing fill of its instant may stand before it.
        """
        opening: Booking | None = None
        is_first = True
        for position in affected:
            bookings = self._queries.bookings_of(position.id)
            if position.id == first.id:
                opening = _opening_of(position, bookings)
                is_first = opening is bookings[0]
            self._tallies.on_removed(bookings, position.currency)
            self._queries.remove_bookings_of(position.id)
            self._queries.execute("remove_position", (position.id,))
        assert opening is not None
        return opening, is_first


def _sort_key(fill: Fill) -> tuple[datetime, str, str]:
    return (fill.time, fill.account, fill.symbol)


def _opening_of(position: Position, bookings: Sequence[Booking]) -> Booking:
    """Return the booking that opened a position: the first on its side."""
    is_long = position.side is Side.BUY
    return next((b for b in bookings if b.quantity and (b.quantity > 0) is is_long), bookings[0])


def _next_key_after(position: Position) -> FillOrder:
    """Return the smallest order after a position's last fill: its key plus NUL, which no key contains."""
    return (position.last_at, position.last_rank, f"{position.last_key}\0")


def _position_at_open(position: Position, opening: Booking) -> Position:
    """Return a position in the state after the second part of a reversing fill opened it."""
    with exact():
        quantity = abs(opening.quantity)
        cost = trade_value(quantity, opening.price, position.multiplier)
        value = -cost if position.is_inverse else quantity * opening.price
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
