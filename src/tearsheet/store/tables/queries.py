"""Questions to the ledger, one method each; every one is served by an index."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from heapq import merge
from operator import itemgetter
from typing import Any

from tearsheet.performance.summary import Scope
from tearsheet.store.db.connection import Connection, Cursor
from tearsheet.store.db.statements import load_statements
from tearsheet.store.tables import rows
from tearsheet.trade.position import Booking, Position
from tearsheet.trade.session import to_micros

Parameters = Iterable[Any]
_AT_ONCE = 20_000


class Queries:
    """Runs named statements on a connection and turns rows into values."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._sql = load_statements()

    def execute(self, name: str, parameters: Parameters = ()) -> Cursor:
        """Run a named statement whose rows, if any, are few."""
        return self.connection.execute(self._sql[name], tuple(parameters))

    def stream(self, name: str, parameters: Parameters = (), at_once: int = 5000) -> Iterator[rows.Row]:
        """The rows of a named question of any size, inside a snapshot or a posting."""
        return self.connection.stream(self._sql[name], tuple(parameters), at_once)

    def execute_many(self, name: str, parameters: Iterable[rows.Row]) -> None:
        """Run a named statement once for each row of parameters."""
        self.connection.execute_many(self._sql[name], parameters)

    def insert_if_new(self, name: str, parameters: Sequence[rows.Row]) -> bool:
        """Insert rows of which none is there yet; False where one is, and then some may be in."""
        return self.connection.insert_if_new(self._sql[name], parameters)

    def execute_each(self, name: str, parameters: Iterable[rows.Row]) -> list[list[rows.Row]]:
        """Ask a named question once for each row of parameters, all together."""
        return self.connection.execute_each(self._sql[name], parameters)

    def fetch_one(self, name: str, parameters: Parameters = ()) -> rows.Row | None:
        """The first row, None if there is none."""
        found = self.execute(name, parameters).fetchall()
        return found[0] if found else None

    def in_window(
        self, account: str | None, since: datetime, until: datetime
    ) -> tuple[list[Booking], list[Position]]:
        """Bookings and positions closed in `[since, until)`, of one account or all."""
        bookings: list[Booking] = []
        closed: list[Position] = []
        for its_bookings, its_closed in self.time_chunks(account, since, until):
            bookings += its_bookings
            closed += its_closed
        return bookings, closed

    def time_chunks(
        self, account: str | None, since: datetime, until: datetime
    ) -> Iterator[tuple[list[Booking], list[Position]]]:
        """The same as neighbouring stretches of time, so that no day is too large for the memory."""
        which = "all" if account is None else "account"
        span = _time_bounds(account, since, until)
        booked = ((row[4], False, row) for row in self.stream(f"bookings_{which}", span))
        ended = ((row[7], True, row) for row in self.stream(f"closed_{which}", span))
        bookings: list[Booking] = []
        closed: list[Position] = []
        last_us = None
        for time_us, is_position, row in merge(booked, ended, key=itemgetter(0)):
            if time_us != last_us and len(bookings) + len(closed) >= _AT_ONCE:
                yield bookings, closed
                bookings, closed = [], []
            last_us = time_us
            if not is_position:
                bookings.append(rows.booking_from_row(row))
                continue
            position = rows.position_from_row(row)
            closed.append(position)
            if rows.is_logged(row):
                bookings.append(rows.logged_booking(position))
        yield bookings, closed

    def last_closed(self, scope: Scope, currency: str | None, until: datetime, number: int) -> list[Position]:
        """The last `number` positions of a scope closed before `until`, oldest first."""
        which = "all" if scope.account is None else "account"
        chosen: list[Position] = []
        bound = to_micros(until)
        parameters = (bound,) if scope.account is None else (scope.account, bound)
        for row in self.stream(f"last_closed_{which}", parameters, at_once=200):
            position = rows.position_from_row(row)
            if is_in_scope(scope, position) and currency in (None, position.currency):
                chosen.append(position)
                # those that ended at the same instant are ordered among each other below
                if len(chosen) > number and position.last_at < chosen[number - 1].last_at:
                    break
        return rows.in_closing_order(chosen)[-number:]

    def position(self, identity: str) -> Position | None:
        """The position with an id."""
        row = self.fetch_one("position", (identity,))
        return None if row is None else rows.position_from_row(row)

    def bookings_of(self, identity: str) -> list[Booking]:
        """The bookings of a position, in order."""
        row = self.fetch_one("position", (identity,))
        if row is not None and rows.is_logged(row):
            return [rows.logged_booking(rows.position_from_row(row))]
        return [rows.booking_from_row(r) for r in self.execute("bookings_of_position", (identity,))]

    def open_positions(self, scope: Scope) -> list[Position]:
        """Positions that are not flat."""
        found = map(rows.position_from_row, self.execute("open_positions"))
        return [p for p in found if is_in_scope(scope, p, account=True)]


def is_in_scope(scope: Scope, position: Position, *, account: bool = False) -> bool:
    """Whether a position belongs to a scope; the account is checked only where asked."""
    return (
        (not account or scope.account in (None, position.account))
        and scope.strategy in (None, position.strategy)
        and scope.symbol in (None, position.symbol)
        and scope.mode in (None, position.mode)
    )


def _time_bounds(account: str | None, since: datetime, until: datetime) -> tuple[Any, ...]:
    span = (to_micros(since), to_micros(until))
    return span if account is None else (account, *span)
