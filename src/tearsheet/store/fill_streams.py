"""Brings positions and bookings up to date with the fills of an account and instrument.

Fills that come after everything booked are added to the open position; a late one makes its stream
be booked anew from the last flat point before it. Both give the same rows with the same ids.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from tearsheet.store import rows
from tearsheet.store.reading import Reading
from tearsheet.store.session_tallies import SessionTallies
from tearsheet.trade.amount import ZERO, exact
from tearsheet.trade.fill import Fill
from tearsheet.trade.position import Book, Booking, Position
from tearsheet.trade.session import to_micros

_AT_ONCE = 20_000
Order = tuple[datetime, int, str]


class FillStreams:
    """The streams (account, symbol) that one posting touches, and from when on."""

    def __init__(self, reading: Reading, tallies: SessionTallies) -> None:
        self._reading = reading
        self._tallies = tallies
        self._since: dict[tuple[str, str], int] = {}

    def touch(self, account: str, symbol: str, since_us: int) -> None:
        """Something changed in a stream at an instant."""
        known = self._since.get((account, symbol))
        if known is None or since_us < known:
            self._since[account, symbol] = since_us

    def finish(self) -> None:
        """Book what changed."""
        for (account, symbol), since_us in self._since.items():
            self._book_from(account, symbol, since_us)
        self._since.clear()

    def _book_from(self, account: str, symbol: str, since_us: int) -> None:
        book, start_us, first = self._clear_from(account, symbol, since_us)
        fills = self._fills(account, symbol, start_us, first)
        while batch := list(islice(fills, _AT_ONCE)):
            bookings = book.book_all(batch)
            closed, book.closed = book.closed, []
            self._store(bookings, closed)
        self._reading.execute_many(
            "add_position",
            [rows.position_row(p, logged=False) for p in book.open_positions()],
        )

    def _fills(
        self, account: str, symbol: str, start_us: int, first: Order | None
    ) -> Iterator[Fill]:
        """The fills of a stream from an instant on, without those that stand before `first`."""
        for row in self._reading.execute("fills_of_stream", (account, symbol, start_us)):
            fill = rows.fill(row)
            if first is None or fill.order >= first:
                yield fill

    def _store(self, bookings: list[Booking], closed: list[Position]) -> None:
        self._reading.execute_many("add_booking", map(rows.booking_row, bookings))
        self._reading.execute_many(
            "add_position", [rows.position_row(p, logged=False) for p in closed]
        )
        self._tallies.added(bookings, closed)

    def _clear_from(
        self, account: str, symbol: str, since_us: int
    ) -> tuple[Book, int, Order | None]:
        """Take out what is booked from an instant on.

        Returns the book to go on with, the instant to read fills from, and the order before which
        fills of that instant are booked already.
        """
        affected = self._affected(account, symbol, since_us)
        if not affected:
            row = self._reading.one("open_position_of_stream", (account, symbol))
            if row is None:
                return Book(), since_us, None
            held = rows.position(row)
            self._reading.execute("remove_position", (held.id,))
            return Book([held]), to_micros(held.last_at), _after_last(held)
        first = min(affected, key=lambda p: (p.opened_at or p.last_at, p.last_at))
        opening = self._remove(affected, first)
        opened_us = to_micros(opening.time)
        if opening.part == 0:
            if since_us <= opened_us:
                return Book(), since_us, None
            return Book(), opened_us, (opening.time, opening.rank, opening.fill_key)
        seed = _as_opened(first, opening)
        self._store([opening], [])
        return Book([seed]), opened_us, _after_last(seed)

    def _affected(self, account: str, symbol: str, since_us: int) -> list[Position]:
        found = self._reading.execute("positions_of_stream_since", (account, symbol, since_us))
        return [rows.position(row) for row in found.fetchall()]

    def _remove(self, affected: list[Position], first: Position) -> Booking:
        """Take positions and their bookings out; returns the booking that opened the first."""
        opening: Booking | None = None
        for position in affected:
            bookings = self._reading.bookings_of(position.id)
            if position.id == first.id:
                opening = bookings[0]
            self._tallies.removed(bookings)
            self._reading.execute("remove_bookings", (position.id,))
            self._reading.execute("remove_position", (position.id,))
        assert opening is not None
        return opening


def _after_last(position: Position) -> Order:
    """The order right after a position's last fill: no key is that plus a low character."""
    return (position.last_at, position.last_rank, f"{position.last_key}\0")


def _as_opened(position: Position, opening: Booking) -> Position:
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
