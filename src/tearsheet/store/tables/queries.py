"""Named statements that return typed rows, and queries for bookings and positions.

Every statement uses an index. No caller reads a row by position: `Queries` converts the rows of the
database into the classes of `columns.py`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from heapq import merge
from itertools import chain, islice, starmap
from typing import Any, cast

from msgspec.structs import astuple

from tearsheet.columns.fill_columns import FillColumns
from tearsheet.performance.summary import Scope
from tearsheet.store.db.connection import Connection, Values, load_statements
from tearsheet.store.tables import rows
from tearsheet.store.tables.columns import BookingRow, FillRow, PositionRow, Row, RowType
from tearsheet.trade.amount import ZERO, exact
from tearsheet.trade.fill import Fill
from tearsheet.trade.position import Booking, Position, open_position_from_record
from tearsheet.trade.session import from_micros, to_micros

Parameters = Iterable[Any] | Row
_CHUNK_ROWS = 20_000
#: Fills that are folded at once.
FOLD_BATCH = 16_384
#: The order in which fills are folded; ranks from 2^32 on are lines of a trade log.
FOLD_ORDER = "{time}, account, CASE WHEN {rank} >= 4294967296 THEN {rank} ELSE 0 END, symbol, {rank}, {key}"
_FILL_ORDER = FOLD_ORDER.format(time="time_us", rank="rank", key="key")
# the names come from the classes, never from outside
_FILLS = f"SELECT {', '.join(FillColumns._fields)}, id FROM fill ORDER BY {_FILL_ORDER}"  # noqa: S608


class Queries:
    """Named statements on a connection, with conversion of rows into values."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._sql = load_statements()

    def execute(self, name: str, parameters: Parameters = ()) -> None:
        """Run a named statement that returns no rows."""
        self.connection.execute(self._sql[name], _values(parameters))

    def execute_many(self, name: str, parameters: Iterable[Parameters]) -> None:
        """Run a named statement once for each row of parameters."""
        self.connection.execute_many(self._sql[name], map(_values, parameters))

    def add(self, kind: type[RowType], new: Iterable[RowType]) -> None:
        """Insert rows into the table of their class."""
        self.connection.execute_many(insert_statement(kind), map(astuple, new))

    def add_if_new(self, kind: type[RowType], new: Sequence[RowType]) -> bool:
        """Insert rows; return False if one of them exists already, in which case some may be inserted."""
        return self.connection.insert_if_new(insert_statement(kind), list(map(astuple, new)))

    def add_columns(self, kind: type[Row], names: Sequence[str], columns: Iterable[Sequence[Any]]) -> None:
        """Insert rows given as columns; those without a value, and those that are not named, are NULL."""
        self.connection.execute_many(*_insert_of_columns(kind, names, columns))

    def add_columns_if_new(
        self, kind: type[Row], names: Sequence[str], columns: Iterable[Sequence[Any]]
    ) -> bool:
        """Insert rows given as columns; return False if one exists already, in which case some may be inserted."""
        statement, new = _insert_of_columns(kind, names, columns)
        return self.connection.insert_if_new(statement, list(new))

    def fill_columns(self) -> Iterator[FillColumns]:
        """Stream all fills as columns, in the order in which they are folded."""
        for columns, _ in self.fill_columns_with_ids():
            yield columns

    def fill_columns_with_ids(self) -> Iterator[tuple[FillColumns, Sequence[int]]]:
        """Stream all fills as columns, with their ids, in the order in which they are folded."""
        fills = self.connection.stream(_FILLS)
        while batch := list(islice(fills, FOLD_BATCH)):
            *columns, ids = zip(*batch, strict=True)
            yield FillColumns(*columns), ids

    def rows(self, kind: type[RowType], name: str, parameters: Parameters = ()) -> list[RowType]:
        """Return all rows of a named query that fits into memory."""
        return self.select(kind, self._sql[name], _values(parameters))

    def select(self, kind: type[RowType], statement: str, parameters: Values = ()) -> list[RowType]:
        """Return all rows of a query given as SQL."""
        found = self.connection.execute(statement, parameters)
        return list(starmap(_maker(kind), found))

    def row(self, kind: type[RowType], name: str, parameters: Parameters = ()) -> RowType | None:
        """Return the first row of a named query, or None if there is no row."""
        return next(iter(self.rows(kind, name, parameters)), None)

    def stream(
        self, kind: type[RowType], name: str, parameters: Parameters = (), at_once: int = 5000
    ) -> Iterator[RowType]:
        """Stream the rows of a named query of any size, inside a snapshot or a transaction."""
        return self.stream_of(kind, self._sql[name], _values(parameters), at_once)

    def stream_of(
        self, kind: type[RowType], statement: str, parameters: Values = (), at_once: int = 5000
    ) -> Iterator[RowType]:
        """Stream the rows of a query given as SQL."""
        return starmap(_maker(kind), self.connection.stream(statement, parameters, at_once))

    def rows_each(
        self, kind: type[RowType], name: str, parameters: Iterable[Parameters]
    ) -> list[list[RowType]]:
        """Run a named query once for each row of parameters, all together."""
        found = self.connection.execute_each(self._sql[name], map(_values, parameters))
        return [list(starmap(_maker(kind), each)) for each in found]

    def values(self, name: str, parameters: Parameters = ()) -> list[Any]:
        """Return all values of a named query with one column."""
        return self.select_values(self._sql[name], _values(parameters))

    def select_values(self, statement: str, parameters: Values = ()) -> list[Any]:
        """Return all values of a query with one column, given as SQL."""
        return list(chain.from_iterable(self.connection.execute(statement, parameters)))

    def value(self, name: str, parameters: Parameters = ()) -> Any:
        """Return the value of a named query with one column, or None if there is no row."""
        return next(iter(self.values(name, parameters)), None)

    def values_each(self, name: str, parameters: Iterable[Parameters]) -> list[list[Any]]:
        """Run a named query with one column once for each row of parameters, all together."""
        found = self.connection.execute_each(self._sql[name], map(_values, parameters))
        return [list(chain.from_iterable(each)) for each in found]

    def exists(self, name: str, parameters: Parameters = ()) -> bool:
        """Return whether a named query has a row."""
        return bool(self.values(name, parameters))

    def accounts(self) -> list[str]:
        """Return every account that traded, or that an open trade, a gap or a rejected row names."""
        return sorted({*self.values("accounts"), *self.values("accounts_unbooked")})

    def last_fill_at(self, account: str | None) -> datetime | None:
        """Return when the last fill or logged result happened."""
        which = "all" if account is None else "account"
        scope = () if account is None else (account,)
        found = (self.value(f"last_{what}_{which}", scope) for what in ("fill", "closing"))
        last = max((time_us for time_us in found if time_us is not None), default=None)
        return None if last is None else from_micros(last)

    def in_window(
        self, account: str | None, since: datetime, until: datetime
    ) -> tuple[list[Booking], list[Position]]:
        """Return bookings and positions closed in `[since, until)`, of one account or all."""
        bookings: list[Booking] = []
        closed: list[Position] = []
        for chunk_bookings, chunk_closed in self.time_chunks(account, since, until):
            bookings += chunk_bookings
            closed += chunk_closed
        return bookings, closed

    def time_chunks(
        self, account: str | None, since: datetime, until: datetime
    ) -> Iterator[tuple[list[Booking], list[Position]]]:
        """Stream bookings and closed positions by chunks of time, so that any day fits into memory."""
        which = "all" if account is None else "account"
        span = _time_bounds(account, since, until)
        booked: Iterator[BookingRow | PositionRow] = self.stream(BookingRow, f"bookings_{which}", span)
        ended: Iterator[BookingRow | PositionRow] = self.stream(PositionRow, f"closed_{which}", span)
        bookings: list[Booking] = []
        closed: list[Position] = []
        last_us = None
        for row in merge(booked, ended, key=_moment):
            if (time_us := _moment(row)) != last_us and len(bookings) + len(closed) >= _CHUNK_ROWS:
                yield bookings, closed
                bookings, closed = [], []
            last_us = time_us
            if isinstance(row, BookingRow):
                bookings.append(rows.booking_from_row(row))
                continue
            position = rows.position_from_row(row)
            closed.append(position)
            if row.logged:
                bookings.append(rows.logged_booking(position))
        yield bookings, closed

    def executions(self, since: datetime, until: datetime) -> Iterator[Fill]:
        """Stream the fills executed in `[since, until)`, without events, by time."""
        end = to_micros(until)
        for row in self.stream(FillRow, "fills_since", (to_micros(since),)):
            if row.time_us >= end:
                return
            if row.event is None:
                yield rows.fill_from_row(row)

    def closed(self, account: str | None, since: datetime, until: datetime) -> Iterator[Position]:
        """Stream the positions closed in `[since, until)`, of one account or all, by time."""
        which = "all" if account is None else "account"
        found = self.stream(PositionRow, f"closed_{which}", _time_bounds(account, since, until))
        return map(rows.position_from_row, found)

    def last_closed(self, scope: Scope, currency: str | None, until: datetime, number: int) -> list[Position]:
        """Return the last `number` positions of a scope closed before `until`, oldest first."""
        which = "all" if scope.account is None else "account"
        chosen: list[Position] = []
        bound = to_micros(until)
        parameters = (bound,) if scope.account is None else (scope.account, bound)
        for row in self.stream(PositionRow, f"last_closed_{which}", parameters, at_once=200):
            position = rows.position_from_row(row)
            if is_in_scope(scope, position) and currency in (None, position.currency):
                chosen.append(position)
                # positions that closed at the same instant are sorted below
                if len(chosen) > number and _ended(position) < _ended(chosen[number - 1]):
                    break
        return rows.in_closing_order(chosen)[-number:]

    def position(self, identity: str) -> Position | None:
        """Return the position with an id."""
        row = self.row(PositionRow, "position", (identity,))
        return None if row is None else rows.position_from_row(row)

    def bookings_of(self, identity: str) -> list[Booking]:
        """Return the bookings of a position, in order."""
        row = self.row(PositionRow, "position", (identity,))
        if row is not None and row.logged:
            return [rows.logged_booking(rows.position_from_row(row))]
        found = self.rows(BookingRow, "bookings_of_position", (identity, rows.position_number(identity)))
        return list(map(rows.booking_from_row, found))

    def remove_bookings_of(self, identity: str) -> None:
        """Remove the bookings of a position, which is still there: its span tells where they are."""
        self.execute("remove_bookings", (identity,))
        self.execute("remove_fill_bookings", (identity, rows.position_number(identity)))

    def detach_bookings(self, first: int, end: int) -> None:
        """Make the bookings of the fills with ids from `first` to before `end` whole, as these fills change or go."""
        self.execute("copy_fill_bookings", (first, end))
        self.execute("remove_copied_bookings", (first, end))

    def holding_before(self, account: str, symbol: str, at: datetime) -> Decimal:
        """Return the quantity that an account held just before an instant (short is negative)."""
        at_us = to_micros(at)
        held = ZERO
        with exact():
            for row in self.rows(PositionRow, "positions_of_stream_since", (account, symbol, at_us)):
                if row.opened_us is not None and row.opened_us < at_us:
                    quantities = (b.quantity for b in self.bookings_of(row.id) if b.time < at)
                    held += sum(quantities, ZERO)
        return held

    def open_positions(self, scope: Scope) -> list[Position]:
        """Return the open positions of a scope."""
        if scope.account is None:
            held = self.rows(PositionRow, "open_positions")
        else:
            held = self.rows(PositionRow, "open_positions_of_account", (scope.account,))
        found = map(rows.position_from_row, held)
        return [p for p in found if is_in_scope(scope, p, account=True)]

    def open_log_positions(self, scope: Scope, currency: str) -> list[Position]:
        """Return the open trades of the log: open records whose account and symbol had no result since."""
        found = self.rows(_OpenRecord, "open_log_records", (scope.account,))
        positions = sorted((row.to_position(currency) for row in found), key=_opening_order)
        return [p for p in positions if is_in_scope(scope, p, account=True)]


def _opening_order(position: Position) -> tuple[datetime, int, str]:
    return position.last_at, position.last_rank, position.id


class _OpenRecord(Row, frozen=True, gc=False):
    id: int
    key: str
    day: str | None
    body: bytes

    def to_position(self, currency: str) -> Position:
        record = rows.record_from_body(self.body)
        rank = rows.log_rank(self.day, rows.line_of(self.id), record)
        return open_position_from_record(record, self.key, currency, rank)


def _insert_of_columns(
    kind: type[Row], names: Sequence[str], columns: Iterable[Sequence[Any]]
) -> tuple[str, Iterable[Values]]:
    """Return the INSERT of the columns that have a value, and their rows."""
    filled = [(name, column) for name, column in zip(names, columns, strict=True) if _has_value(column)]
    statement = insert_statement(kind, tuple(name for name, _ in filled))
    return statement, zip(*(column for _, column in filled), strict=True)


def _has_value(column: Sequence[Any]) -> bool:
    return not column or column[0] is not None or column.count(None) < len(column)


@cache
def insert_statement(kind: type[Row], only: tuple[str, ...] = ()) -> str:
    """Return the INSERT of a row class, with a parameter for each column, or for some of them."""
    names = only or kind.__struct_fields__
    columns = ", ".join(f'"{name}"' for name in names)
    return f"INSERT INTO {kind.TABLE} ({columns}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608


def is_in_scope(scope: Scope, position: Position, *, account: bool = False) -> bool:
    """Return whether a position belongs to a scope; the account is checked only if asked."""
    return (
        (not account or scope.account in (None, position.account))
        and scope.strategy in (None, position.strategy)
        and scope.symbol in (None, position.symbol)
        and scope.mode in (None, position.mode)
    )


def _maker(kind: type[RowType]) -> Callable[..., RowType]:
    return cast(Callable[..., RowType], kind)


def _ended(position: Position) -> datetime:
    return position.closed_at or position.last_at


def _values(parameters: Parameters) -> Values:
    return astuple(parameters) if isinstance(parameters, Row) else tuple(parameters)


def _moment(row: BookingRow | PositionRow) -> int:
    """Return the time of a booking, or the closing time of a position."""
    return row.time_us if isinstance(row, BookingRow) else cast(int, row.closed_us)


def _time_bounds(account: str | None, since: datetime, until: datetime) -> Values:
    span = (to_micros(since), to_micros(until))
    return span if account is None else (account, *span)
