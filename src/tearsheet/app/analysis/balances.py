"""Balances of accounts: at the start of a session, at its end and now, their flows, and equity at known prices.

A balance is the starting balance plus what all sessions since changed: results, flows and conversions. It is by
account and currency; account None is the sum of all. Without a starting balance it is None: `missing` says why.
Use it inside one snapshot of the ledger, or inside a write transaction.
"""

from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Protocol

from msgspec import Struct

from tearsheet.app.analysis.unrealized import Unrealized, unrealized_total
from tearsheet.app.context import LedgerContext
from tearsheet.performance.account import BalanceDay, balance_days
from tearsheet.performance.summary import Scope
from tearsheet.store.kept_accounts import KeptAccounts, kept_accounts
from tearsheet.store.tables.ledger import Ledger
from tearsheet.trade.amount import ZERO, exact
from tearsheet.trade.session import DAY, LATEST

_END = LATEST.date()


class LedgerMoney(Protocol):
    """The settings of a ledger: its currency, and the starting balance of all accounts."""

    @property
    def currency(self) -> str:
        """Return the currency of amounts that state none."""

    @property
    def starting_balance(self) -> Decimal | None:
        """Return the starting balance of all accounts together."""


class Balances:
    """Balances by account and currency, read from the stored tallies of sessions."""

    def __init__(self, ledger: Ledger, settings: LedgerMoney) -> None:
        self._ledger = ledger
        self._currency = settings.currency
        self._of_ledger = settings.starting_balance

    @cached_property
    def kept(self) -> KeptAccounts:
        """Return what is stated of the accounts."""
        return kept_accounts(self._ledger)

    def starting(self, account: str | None, currency: str) -> Decimal | None:
        """Return the balance before the first session.

        Where no account states one, the setting `starting_balance` is that of all accounts, in its currency.
        """
        kept = self.kept
        if not kept.states_balances:
            return self._of_ledger if account is None and currency == self._currency else None
        if account is not None:
            return kept.terms(account).start(currency)
        if self._unstated(kept, currency):
            return None
        starts = (terms.start(currency) or ZERO for terms in kept.accounts.values())
        with exact():
            return sum(starts, ZERO)

    def missing(self, account: str | None, currency: str) -> str | None:
        """Return why there is no balance, None if there is one."""
        if self.starting(account, currency) is not None:
            return None
        kept = self.kept
        named = [account] if account is not None else self._unstated(kept, currency)
        whose = f" of {', '.join(named)}" if kept.states_balances else ""
        return f"no_balance: no starting balance{whose} is stated; `tearsheet accounts set FILE` states it"

    def at_start(self, account: str | None, currency: str, session: date) -> Decimal | None:
        """Return the balance at the start of a session, before its first event."""
        start = self.starting(account, currency)
        if start is None:
            return None
        with exact():
            return start + self.change(account, currency, date.min, session)

    def at_end(self, account: str | None, currency: str, session: date) -> Decimal | None:
        """Return the balance at the end of a session; of the present one it is the balance so far."""
        return self.at_start(account, currency, session + DAY)

    def now(self, account: str | None, currency: str) -> Decimal | None:
        """Return the balance after everything that is booked."""
        return self.at_start(account, currency, _END)

    def equity(self, account: str | None, currency: str) -> Unrealized:
        """Return the balance now plus what is open at its last known prices; None with a reason if any is missing."""
        balance = self.now(account, currency)
        if balance is None:
            return Unrealized(None, self.missing(account, currency))
        queries, scope = self._ledger.queries, Scope(account)
        held = [one for one in queries.open_positions(scope) if one.currency == currency]
        logged = len(queries.open_log_positions(scope, self._currency))
        opened = unrealized_total(queries, held, logged)
        if opened.value is None:
            return opened
        with exact():
            return Unrealized(balance + opened.value)

    def flows(self, account: str | None, currency: str, session: date) -> Decimal:
        """Return what came less what went in a session, without what was made."""
        found = self._ledger.tallies.between(account, session, session + DAY, currency)
        with exact():
            return sum((tally.money.flows for _, tally in found), ZERO)

    def days(self, account: str | None, currency: str, first: date, end: date) -> tuple[BalanceDay, ...]:
        """Return the sessions `[first, end)` with what each did to the balance."""
        sessions = self._ledger.tallies.between(account, first, end, currency)
        return balance_days(sessions, self.at_start(account, currency, first))

    def currencies(self, account: str) -> list[str]:
        """Return the currencies in which an account has a starting balance or was booked."""
        booked = self._ledger.tallies.currencies(account, date.min, _END)
        return sorted({*booked, *(self.kept.terms(account).starting_balance or ())})

    def change(self, account: str | None, currency: str, first: date, end: date) -> Decimal:
        """Return by how much the sessions `[first, end)` changed a balance; call it inside `exact()`."""
        sessions = self._ledger.tallies.between(account, first, end, currency)
        return sum((tally.balance_change for _, tally in sessions), ZERO)

    def _unstated(self, kept: KeptAccounts, currency: str) -> list[str]:
        """Return the accounts that were booked in a currency and state no starting balance."""
        return [
            account
            for account in self._ledger.queries.accounts()
            if kept.terms(account).starting_balance is None
            and self._ledger.tallies.currencies(account, date.min, _END).count(currency)
        ]


def balances_of(context: LedgerContext) -> Balances:
    """Return the balances of a context's ledger."""
    return Balances(context.ledger, context.settings)


class AccountBalance(Struct, frozen=True):
    """What is stated of an account, and its balance now in each currency; None where no starting balance is stated."""

    account: str
    currency: str | None
    starting_balance: dict[str, Decimal] | None
    timezone: str | None
    day_starts_at: str | None
    balance: dict[str, Decimal | None]


def account_list(context: LedgerContext) -> list[AccountBalance]:
    """Return every account that is stated or was booked, with its balances."""
    with context.ledger.snapshot() as queries:
        balances = balances_of(context)
        kept = balances.kept
        return [
            AccountBalance(
                account,
                (terms := kept.terms(account)).currency,
                terms.starting_balance,
                terms.timezone,
                terms.day_starts_at,
                {money: balances.now(account, money) for money in balances.currencies(account)},
            )
            for account in sorted({*queries.accounts(), *kept.accounts})
        ]
