"""Accounts as the ledger keeps them: their terms, and the base currency as it was stated."""

from msgspec import Struct, json
from msgspec.structs import replace

from tearsheet.performance.account import StatedAccount
from tearsheet.store.tables.ledger import Ledger
from tearsheet.trade.rate import NO_TERMS, BaseTerms

_KEY = "accounts"


class KeptAccounts(Struct, frozen=True, omit_defaults=True):
    """Terms by account, and the part `base` of the accounts file."""

    accounts: dict[str, StatedAccount] = {}
    base: BaseTerms = NO_TERMS

    def terms(self, account: str) -> StatedAccount:
        """Return what is stated of an account, which may be nothing."""
        return self.accounts.get(account, StatedAccount())

    @property
    def states_balances(self) -> bool:
        """Whether any account has a starting balance of its own; the setting of the ledger holds for none then."""
        return any(one.starting_balance is not None for one in self.accounts.values())


def kept_accounts(ledger: Ledger) -> KeptAccounts:
    """Return the accounts that a ledger keeps; call it inside a snapshot."""
    text = ledger.get(_KEY)
    return KeptAccounts() if text is None else json.decode(text, type=KeptAccounts)


def keep_accounts(ledger: Ledger, accounts: KeptAccounts) -> None:
    """Keep accounts, inside a write transaction; every answer of before is out of date."""
    ordered = replace(accounts, accounts=dict(sorted(accounts.accounts.items())))
    ledger.put(_KEY, json.encode(ordered).decode())
    ledger.bump_revision()
