"""Books the fills of a large import as they come, as long as each comes after all that was booked.

Such fills need not be read back to be booked. The first late one ends it: what was booked so far is
taken out, and all is booked from the kept fills as after any other change.
"""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter, eq, le

from tearsheet.store.tables import rows
from tearsheet.store.tables.queries import Queries
from tearsheet.store.write.session_tallies import SessionTallies
from tearsheet.trade.fill import Fill
from tearsheet.trade.position import Book, Booking, Position
from tearsheet.trade.session import EARLIEST, from_micros

Stream = tuple[str, str]
#: So many fills of one instant are waited for before they are booked.
_MOST_WAITING = 50_000
_order = attrgetter("time", "account", "symbol", "rank", "key")


def store_bookings(
    queries: Queries, tallies: SessionTallies, bookings: list[Booking], closed: list[Position]
) -> None:
    """Write bookings and the positions that came to an end with them."""
    queries.execute_many("add_booking", map(rows.booking_to_row, bookings))
    queries.execute_many("add_position", [rows.position_to_row(p, logged=False) for p in closed])
    tallies.on_added(bookings, closed)


class AppendBooking:
    """The books of one posting as its fills come, after all that was booked before it."""

    def __init__(self, queries: Queries, tallies: SessionTallies) -> None:
        self._queries = queries
        self._tallies = tallies
        last = [queries.fetch_one(f"last_{what}_all") for what in ("booking", "closing")]
        self._before_us = max((row[0] for row in last if row and row[0] is not None), default=None)
        before = self._before_us
        self._reached: datetime = EARLIEST if before is None else from_micros(before)
        opened = (row for row in queries.execute("open_positions") if not rows.is_logged(row))
        self._held = {(p.account, p.symbol): p for p in map(rows.position_from_row, opened)}
        self._book = Book(self._held.values())
        self._touched: set[Stream] = set()
        #: the fills of the last instant, of which more may follow
        self._waiting: list[Fill] = []

    def add(self, fills: Sequence[Fill]) -> bool:
        """Book new fills; False, with nothing changed, where one is late."""
        ready = [*self._waiting, *fills]
        times = [fill.time for fill in ready]
        if not times:
            return True
        if times[0] <= self._reached or not all(map(le, times, times[1:])):
            return False
        cut = bisect_left(times, times[-1])
        if not cut and len(ready) > _MOST_WAITING:
            cut = len(ready)
        self._waiting = ready[cut:]
        del ready[cut:], times[cut:]
        if any(map(eq, times, times[1:])):
            ready.sort(key=_order)
        self._store_rows(ready)
        return True

    def finish(self) -> None:
        """Book what is left, and write what is open."""
        self._store_rows(sorted(self._waiting, key=_order))
        still_open = [p for p in self._book.open_positions() if (p.account, p.symbol) in self._touched]
        opened = [rows.position_to_row(p, logged=False) for p in still_open]
        self._queries.execute_many("add_position", opened)

    def rollback(self) -> None:
        """Take out all that was booked."""
        if self._before_us is None:
            self._queries.execute("remove_all_bookings")
            self._queries.execute("remove_all_positions")
        else:
            self._queries.execute("remove_bookings_after", (self._before_us,))
            self._queries.execute("remove_positions_closed_after", (self._before_us,))
        held = [position for stream, position in self._held.items() if stream in self._touched]
        again = [rows.position_to_row(position, logged=False) for position in held]
        self._queries.execute_many("add_position", again)
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
