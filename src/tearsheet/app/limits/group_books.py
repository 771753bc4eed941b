"""Limit books of groups: the bookings of all members in one order.

Every method requires a transaction opened by the caller, so that a book reflects one ledger state.
"""

from datetime import date, datetime

from tearsheet.app.limits.live_books import LiveLimitBooks, booking_order
from tearsheet.app.limits.live_limits import LiveLimits
from tearsheet.rules.limit import GroupLimits
from tearsheet.rules.limit_book import LimitContext, build_limit_book, first_session_needed
from tearsheet.rules.limit_usage import AccountFacts
from tearsheet.settings import Settings
from tearsheet.store.tables.account_states import AccountState
from tearsheet.store.tables.ledger import Ledger
from tearsheet.trade.position import Booking, Position
from tearsheet.trade.session import EARLIEST, LATEST, TradingCalendar


class GroupBooks:
    """Cache of limit books by group, built once for each state of the ledger and trading day."""

    def __init__(self, ledger: Ledger, settings: Settings, books: LiveLimitBooks) -> None:
        self._ledger, self._settings, self._books = ledger, settings, books
        self._live: dict[str, tuple[tuple[str, date], LiveLimits]] = {}

    def invalidate(self) -> None:
        """Clear the cache after a rollback."""
        self._live.clear()

    def for_group(self, name: str, group: GroupLimits, now: datetime) -> LiveLimits:
        """Return the book of several accounts together, evaluated at an instant; read-only."""
        state_id = self._ledger.state_id
        self._books.rules.refresh(state_id)
        calendar = self._calendar(group)
        key = (state_id, calendar.trading_day_of(now))
        known, live = self._live.get(name, (None, None))
        if live is None or known != key or live.book.plan != group.plan or now < live.book.at:
            live = self._build(name, group, calendar, now)
            self._live[name] = (key, live)
        self._books.apply_open_log_trades(live, group.members, now)
        self._books.apply_marks(live, group.members, now)
        live.book.evaluate(now)
        return live

    def _calendar(self, group: GroupLimits) -> TradingCalendar:
        """Return the calendar of all members where they have one, else that of the ledger."""
        calendars = [self._books.rules.calendar(member) for member in group.members]
        same = all(one is calendars[0] for one in calendars)
        return calendars[0] if same else self._settings.calendar

    def _first_session(self, group: GroupLimits, calendar: TradingCalendar, session: date) -> date:
        """Return the first session that is needed; a share of the start needs all, as do members of other calendars."""
        is_share = any(limit.needs_starting_balance for limit in group.plan.limits)
        if is_share or any(self._books.rules.calendar(member) is not calendar for member in group.members):
            return EARLIEST.date()
        return first_session_needed(group.plan, session) or EARLIEST.date()

    def _build(self, name: str, group: GroupLimits, calendar: TradingCalendar, now: datetime) -> LiveLimits:
        books, session = self._books, calendar.trading_day_of(now)
        first = self._first_session(group, calendar, session)
        bookings: list[Booking] = []
        positions: list[Position] = []
        for member in group.members:
            found, closed = self._ledger.queries.in_window(member, calendar.start(first), LATEST)
            bookings += found
            positions += [*closed, *books.open_positions(member)]
        bookings.sort(key=booking_order)
        currency = books.currency_of(group.members[0], EARLIEST.date(), None)[0]
        records = books.active_breaches(name, session)
        balance = books.rules.group_balance(group.members, currency, first)
        facts = AccountFacts(balance, books.rules.root_of(group.plan))
        book = build_limit_book(
            name,
            group.plan,
            LimitContext(calendar, currency, books.outcome_rules(), facts),
            bookings=bookings,
            positions=positions,
            breaches=[record.breach for record in records],
            releases=[record.release for record in records if record.release],
            until=calendar.end(session),
        )
        live = LiveLimits(book, AccountState())
        live.saved_breaches = {record.breach.id for record in records}
        books.restore_peak(book)
        return live
