"""What the ledger says of an account's balance, to hold the balances of a statement against it."""

from datetime import date
from decimal import Decimal

from tearsheet.settings import Settings
from tearsheet.store.kept_accounts import kept_accounts
from tearsheet.store.tables.ledger import Ledger
from tearsheet.trade.session import DAY


class StatedBalances:
    """Balances of accounts in the currency that each of them states; call it inside a snapshot and `exact()`."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self._ledger, self._settings = ledger, settings
        self._kept = kept_accounts(ledger)

    def before(self, account: str, session: date) -> Decimal | None:
        """Return the balance before a session; None where nobody states with what the account began.

        The starting balance of the ledger is that of its only account, while no account states one.
        """
        money = self._money_of(account)
        start = self._kept.terms(account).start(money)
        if not self._kept.states_balances and self._ledger.queries.accounts() == [account]:
            start = self._settings.starting_balance
        if start is None:
            return None
        earlier = self._ledger.tallies.between(account, date.min, session, money)
        return start + sum(tally.balance_change for _, tally in earlier)

    def beside_trading(self, account: str, first: date, last: date) -> dict[date, Decimal]:
        """Return what changed the balance beside trading, by session: income, costs, tax, flows, conversions."""
        sessions = self._ledger.tallies.between(account, first, last + DAY, self._money_of(account))
        changes = ((day, tally.balance_change - tally.curve.net) for day, tally in sessions)
        return {day: change for day, change in changes if change}

    def _money_of(self, account: str) -> str:
        terms = self._kept.terms(account)
        own = [*(terms.starting_balance or ())]
        return terms.currency or (own[0] if len(own) == 1 else self._settings.currency)
