"""Folds fills by `Book` and `Tally` themselves: any numbers, at the speed of Python."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import Any

from msgspec import Struct

from tearsheet.columns.fill_columns import (
    FillColumns,
    FoldOutput,
    SessionTally,
    booked_columns,
    check_order,
    position_columns,
)
from tearsheet.performance.tally import ALL_ACCOUNTS, Tally
from tearsheet.trade.position import Book, Booking, Position
from tearsheet.trade.session import TradingCalendar, to_micros


class FoldRules(Struct, frozen=True):
    """What a fold depends on besides the fills."""

    calendar: TradingCalendar
    breakeven_band: Decimal = Decimal(0)
    breakeven_breaks_streak: bool = False


class FoldParts(Struct, frozen=True):
    """What is asked of a fold: bookings and positions beside the tallies, and the tallies of all accounts."""

    has_rows: bool = True
    has_totals: bool = True


class OpenBooks(Struct):
    """What one lane hands over to the other: open positions, unfinished tallies, and closed positions that are not
    counted yet, as others of the same instant, symbol and rank may come before them."""

    positions: list[Position]
    tallies: list[SessionTally]
    waiting: list[Position]


class ExactLane:
    """Folds batches; begins with what another lane left open."""

    def __init__(self, rules: FoldRules, start: OpenBooks) -> None:
        self._rules, self._waiting = rules, start.waiting
        self._book = Book(start.positions)
        self._tallies = {(one.account, one.currency): one for one in start.tallies}
        self._session = start.tallies[0].session if start.tallies else None

    def add(self, columns: FillColumns) -> FoldOutput:
        """Fold fills that come after all before. Raises UsageError where one does not come after the one before it."""
        check_order(columns)
        over: list[SessionTally] = []
        bookings: list[Booking] = []
        closed: list[Position] = []
        calendar = self._rules.calendar
        for session, fills in groupby(columns.fills(), lambda fill: calendar.trading_day_of(fill.time)):
            if session != self._session:
                over += self.end_session()
                self._session = session
            booked = self._book.book_all(fills)
            ended, self._book.closed = self._book.closed, []
            self._count(session, booked, self._settled(ended))
            bookings += booked
            closed += ended
        return FoldOutput(booked_columns(bookings), position_columns(closed), over)

    def finish(self) -> FoldOutput:
        """Return what is open, and the last session."""
        return FoldOutput(
            booked_columns([]), position_columns(self._book.open_positions()), self.end_session()
        )

    def end_session(self) -> list[SessionTally]:
        """Return the tallies of the session that is over."""
        if self._session is not None and self._waiting:
            self._count(self._session, [], sorted(self._waiting, key=_closing_order))
        self._waiting = []
        over, self._tallies = list(self._tallies.values()), {}
        return over

    def _settled(self, closed: Sequence[Position]) -> list[Position]:
        """Return the closed positions whose order is known; those of the last place wait for the next batch."""
        known = sorted((*self._waiting, *closed), key=_closing_order)
        self._waiting = [one for one in known if _place(one) == _place(known[-1])]
        return known[: len(known) - len(self._waiting)]

    def _count(self, session: date, bookings: Sequence[Booking], closed: Sequence[Position]) -> None:
        parts: dict[tuple[str, str], tuple[list[Booking], list[Position]]] = defaultdict(lambda: ([], []))
        for booking in bookings:
            for account in (booking.account, ALL_ACCOUNTS):
                parts[account, booking.currency][0].append(booking)
        for position in closed:
            for account in (position.account, ALL_ACCOUNTS):
                parts[account, position.currency][1].append(position)
        band, breaks = self._rules.breakeven_band, self._rules.breakeven_breaks_streak
        for (account, currency), (booked, ended) in parts.items():
            part = Tally.from_bookings(booked, ended, band, breaks)
            last = max([b.time for b in booked[-1:]] + [p.last_at for p in ended[-1:]])
            before = self._tallies.get((account, currency))
            last_us = max(to_micros(last), 0 if before is None else before.last_us)
            tally = part if before is None else before.tally + part
            self._tallies[account, currency] = SessionTally(account, session, currency, last_us, tally)


_closing_order: Callable[[Position], tuple[Any, ...]] = attrgetter("closing_order")


def _place(position: Position) -> tuple[Any, ...]:
    """Return the place of the closing fill, without the id that orders several closings there."""
    return position.closing_order[:-1]
