"""Facts that objectives are judged by: sessions of an account since its beginning and since the last payout."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

from tearsheet.app.limits.foreign_bookings import ForeignBookings
from tearsheet.app.limits.live_books import LiveLimitBooks
from tearsheet.app.limits.live_limits import LiveLimits
from tearsheet.performance.tally import Tally
from tearsheet.rules.limit_sums import flow_of
from tearsheet.rules.objective import DayFacts, Objective, ObjectiveFacts
from tearsheet.settings import Settings
from tearsheet.store.tables.columns import BookingRow, PositionRow
from tearsheet.store.tables.ledger import Ledger
from tearsheet.store.tables.rows import booking_from_row
from tearsheet.store.tables.tallies import TallyRules
from tearsheet.trade.amount import ZERO
from tearsheet.trade.position import Booking
from tearsheet.trade.session import (
    EARLIEST,
    LATEST,
    AccountCalendars,
    TradingCalendar,
    from_micros,
    to_micros,
)


class ObjectiveReader:
    """Reader of the facts of one account; call it inside a snapshot and `exact()`."""

    def __init__(self, ledger: Ledger, settings: Settings, books: LiveLimitBooks, live: LiveLimits) -> None:
        book = live.book
        self._books = books
        self._queries, self._tallies = ledger.queries, ledger.tallies
        self._settings, self._live = settings, live
        self._account, self._currency = book.account, book.context.currency
        self._calendar: TradingCalendar = book.context.calendar
        chosen, others = books.currency_of(self._account, EARLIEST.date(), None)
        self._others = ({chosen} | others) - {self._currency}
        self._foreign = ForeignBookings(ledger, self._calendar, self._currency) if self._others else None
        self._unconverted: set[str] = set()

    def facts(self, objectives: Sequence[Objective], starting_balance: Decimal | None) -> ObjectiveFacts:
        """Return the sessions that the objectives count."""
        sums = self._live.book.sums
        counts_days = any(one.name == "min_trading_days" for one in objectives)
        opened = self._opened_sessions(EARLIEST) if counts_days else set()
        sessions = self._sessions()
        equity = self._equity_changes(sessions) if any(one.measure == "equity" for one in objectives) else {}
        days = self._days(sessions, opened, equity)
        paid_at = self._last_payout() if any(one.since_payout for one in objectives) else None
        since_payout = days if paid_at is None else self._since_payout(paid_at, opened, equity)
        return ObjectiveFacts(
            days=days,
            days_since_payout=since_payout,
            today=self._live.book.session,
            is_flat=not sums.is_open,
            starting_balance=starting_balance,
            paid_on=None if paid_at is None else self._calendar.trading_day_of(paid_at),
            lacks_rate=bool(self._unconverted),
        )

    def _sessions(self) -> list[tuple[date, Tally]]:
        if self._foreign is None:
            return self._tallies.between(self._account, EARLIEST.date(), LATEST.date(), self._currency)
        return self._tallied(EARLIEST)

    def _tallied(self, since: datetime) -> list[tuple[date, Tally]]:
        """Return the sessions by the account's own calendar, from an instant on, other currencies converted."""
        bookings, closed = self._queries.in_window(self._account, since, LATEST)
        if self._foreign is not None:
            rows = self._foreign.convert(bookings, closed)
            bookings, closed = rows.bookings, rows.closed
            self._unconverted |= rows.unconverted & self._others
        rules = TallyRules(self._settings.breakeven_band, self._settings.breakeven_streak == "break")
        own = [booking for booking in bookings if booking.currency == self._currency]
        ended = [p for p in closed if p.currency == self._currency and p.closed_at is not None]
        return rules.by_session(own, ended, AccountCalendars(self._calendar))

    def _opened_sessions(self, since: datetime) -> set[date]:
        opened = self._queries.values("openings_of_positions", (self._account, to_micros(since)))
        return {self._calendar.trading_day_of(from_micros(at_us)) for at_us in opened}

    def _days(
        self, sessions: Iterable[tuple[date, Tally]], opened: set[date], equity: Mapping[date, Decimal | None]
    ) -> tuple[DayFacts, ...]:
        tallies = dict(sessions)
        return tuple(
            DayFacts(
                session=day,
                result=tallies[day].result if day in tallies else ZERO,
                best_trade=tallies[day].largest_win if day in tallies else None,
                opened=day in opened,
                equity_change=equity.get(day),
            )
            for day in sorted({*tallies, *opened, *equity})
        )

    def _last_payout(self) -> datetime | None:
        span = (to_micros(EARLIEST), to_micros(LATEST), self._account)
        found = map(booking_from_row, self._queries.rows(BookingRow, "cash_between", span))
        counted = {self._currency, *self._others}
        paid = (one.time for one in found if one.currency in counted and _is_payout(one))
        return max(paid, default=None)

    def _since_payout(
        self, at: datetime, opened: set[date], equity: Mapping[date, Decimal | None]
    ) -> tuple[DayFacts, ...]:
        """Return the sessions after a payout; of its own session only what came after it."""
        rest = [one for one in self._tallied(at) if one[1].closed or one[1].fills or one[1].result]
        paid_on = self._calendar.trading_day_of(at)
        later = {day: made for day, made in equity.items() if day > paid_on}
        return self._days(rest, self._opened_sessions(at) & opened, later)

    def _equity_changes(self, sessions: Sequence[tuple[date, Tally]]) -> dict[date, Decimal | None]:
        """Return by how much equity changed in each session, without flows; None where a price is missing.

        That is the result, and by how much more was open at its end than at its beginning.
        """
        results = {day: tally.result for day, tally in sessions}
        first, last = min(results, default=None), self._live.book.session
        if first is None:
            return {}
        known = self._books.openings(self._live, first)
        held = self._queries.rows(PositionRow, "positions_of_account", (self._account,))
        opened = sorted(row.opened_us for row in held if row.opened_us is not None)
        closed = sorted(
            row.closed_us for row in held if row.opened_us is not None and row.closed_us is not None
        )

        def open_at(session: date) -> Decimal | None:
            """Return what was open when a session began: 0 where nothing was, None where a price is missing."""
            start_us = to_micros(self._calendar.start(session))
            is_open = bisect_left(opened, start_us) > bisect_left(closed, start_us)
            return known.get(session) if is_open else ZERO

        changes: dict[date, Decimal | None] = {}
        day, after = first, open_at(first)
        while day <= last:
            end = self._calendar.trading_day_of(self._calendar.end(day))
            before, after = after, open_at(end)
            if day < last and before is not None and after is not None:
                changes[day] = results.get(day, ZERO) + after - before
            else:
                changes[day] = None
            day = end
        return changes


def _is_payout(booking: Booking) -> bool:
    flow = flow_of(booking)
    return flow is not None and flow.is_payout
