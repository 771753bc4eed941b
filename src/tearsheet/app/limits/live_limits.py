"""The limit book of one account as it is kept between reads, and the snapshot that the next one starts from."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from msgspec import Struct

from tearsheet.app.limits.foreign_bookings import ForeignBookings
from tearsheet.performance.account import StatedAccount
from tearsheet.rules.breach import Breach, is_active_in
from tearsheet.rules.limit_book import LimitBook, LimitBookSnapshot
from tearsheet.store.tables.account_states import AccountState
from tearsheet.store.tables.breaches import BreachRecord
from tearsheet.trade.position import Booking
from tearsheet.trade.rate import NO_TERMS
from tearsheet.trade.session import EARLIEST


class LimitSnapshot(Struct, frozen=True):
    """Snapshot of a limit book before a session, with the currencies traded until then."""

    book: LimitBookSnapshot
    currency: str
    others: tuple[str, ...]


class LiveLimits:
    """Limit book of one account, with its read position in the ledger and the IDs of saved breaches."""

    def __init__(self, book: LimitBook, state: AccountState) -> None:
        self.book = book
        self.rewrites = state.rewrites
        self.state = state
        self.terms = StatedAccount()
        self.base = NO_TERMS
        #: converts what is in other currencies than that of the limits; None if nothing is
        self.foreign: ForeignBookings | None = None
        self.tracks_equity = False
        self.state_id = ""
        #: ledger state in which the open trades of the log were read
        self.open_log_state = ""
        #: end of the trading day; later bookings are added once it is over
        self.read_until = EARLIEST
        self.currencies: set[str] = set()
        self.last_booking: Booking | None = None
        self.bookings_at_last_instant = 0
        self.saved_breaches: set[str] = set()
        self.equity_peak: Decimal | None = None
        #: snapshot to save (cache key, first session after it, sums), and the number of past sessions read
        self.new_snapshot: tuple[str, date, LimitSnapshot] | None = None
        self.sessions = 0
        self.feed_cache: tuple[object, object] = (None, None)

    def mark_read(self, bookings: Iterable[Booking]) -> None:
        """Advance the read position past these bookings."""
        for booking in bookings:
            same = self.last_booking is not None and booking.time == self.last_booking.time
            self.bookings_at_last_instant = self.bookings_at_last_instant + 1 if same else 1
            self.last_booking = booking
            self.currencies.add(booking.currency)

    def sync_breaches(self, records: Iterable[BreachRecord]) -> None:
        """Add the stored breaches and releases to the book."""
        for record in records:
            self.saved_breaches.add(record.breach.id)
            self.book.breach_register.add(record.breach)
            if record.release is not None:
                self.book.release(record.release)

    def unsaved_breaches(self) -> list[Breach]:
        """Return the active breaches that are not saved in the ledger yet."""
        book = self.book
        return [
            breach
            for breach in book.new_breaches
            if breach.id not in self.saved_breaches
            and is_active_in(breach.limit, breach.period_start, book.session)
        ]
