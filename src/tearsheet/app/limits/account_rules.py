"""What limits know of an account beside its bookings: calendar, currency, starting balance, roots of symbols."""

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal

from tearsheet.app.analysis.balances import Balances
from tearsheet.app.kept_instruments import InstrumentSource
from tearsheet.performance.account import StatedAccount
from tearsheet.rules.limit import AccountLimits
from tearsheet.settings import Settings
from tearsheet.store.kept_accounts import KeptAccounts, account_calendars, kept_accounts
from tearsheet.store.tables.ledger import Ledger
from tearsheet.trade.amount import ZERO, exact
from tearsheet.trade.instrument import Instruments
from tearsheet.trade.rate import BaseTerms
from tearsheet.trade.session import AccountCalendars, TradingCalendar


class AccountRules:
    """Terms of accounts and roots of symbols as the ledger keeps them, as of the last `refresh`."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self._ledger, self._settings = ledger, settings
        self._state = ""
        self._kept = KeptAccounts()
        #: the calendar of each account
        self.calendars = AccountCalendars(settings.calendar)
        self._instruments: Instruments | None = None

    def refresh(self, state_id: str) -> None:
        """Read the terms again if the ledger is in another state."""
        if state_id != self._state:
            self._kept, self._state, self._instruments = kept_accounts(self._ledger), state_id, None
            self.calendars = account_calendars(self._kept, self._settings.calendar)

    def terms(self, account: str) -> StatedAccount:
        """Return what is stated of an account."""
        return self._kept.terms(account)

    @property
    def base(self) -> BaseTerms:
        """Return by which terms currencies are converted."""
        return self._kept.base

    def calendar(self, account: str) -> TradingCalendar:
        """Return the calendar of an account; that of the ledger where none is stated."""
        return self.calendars.of(account)

    def starting_balance(self, account: str, currency: str, plan: AccountLimits) -> Decimal | None:
        """Return the starting balance of an account; that of the ledger only for a limit that is a share of it."""
        stated = self.terms(account).start(currency)
        if stated is None and any(limit.needs_starting_balance for limit in plan.limits):
            return self.balance_for_shares(account, currency)
        return stated

    def balance_for_shares(self, account: str, currency: str) -> Decimal | None:
        """Return the starting balance that a percentage is of: the account's, else that of the ledger."""
        return Balances(self._ledger, self._settings).starting(account, currency)

    def group_balance(self, members: Sequence[str], currency: str, first: date) -> Decimal | None:
        """Return the balance of all members before a session; None where one states none."""
        balances = Balances(self._ledger, self._settings)
        found = [balances.at_start(member, currency, first) for member in members]
        with exact():
            return None if None in found else sum((one for one in found if one is not None), ZERO)

    def root_of(self, plan: AccountLimits) -> Callable[[str], str]:
        """Return what names the root of a symbol, which only some limits need."""
        if not any(limit.symbols or limit.weights or limit.name in _BY_ROOT for limit in plan.limits):
            return str
        return self._root_of

    def _root_of(self, symbol: str) -> str:
        if self._instruments is None:
            from tearsheet.sources.config.instruments import instruments_with  # loads the table of futures

            kept = InstrumentSource(self._ledger, self._settings).current()
            self._instruments = instruments_with(kept.overrides, self._settings.currency)
        return self._instruments.root_of(symbol)


_BY_ROOT = ("no_trading", "hedged")
