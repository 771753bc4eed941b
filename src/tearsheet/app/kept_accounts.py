"""Accounts as the ledger keeps them: their terms, and the base currency as it was stated."""

from collections import defaultdict
from collections.abc import Iterable
from unicodedata import normalize
from urllib.parse import unquote

from msgspec import Struct, json
from msgspec.structs import replace

from tearsheet.performance.account import StatedAccount
from tearsheet.store.tables.ledger import Ledger
from tearsheet.trade.rate import NO_TERMS, BaseTerms

_KEY = "accounts"
#: Small letters and dashes that look like others.
_LOOK_ALIKE = str.maketrans("авекмнорстухіѕјαβεικνορτυχ‐‑‒–—−", "abekmhopctyxisjabeikvoptux------")


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


def folded_name(name: str) -> str:
    """Return what is the same for names that look the same, also where one is written for an address (`EVAL%2050K`)."""
    plain = normalize("NFKC", unquote(name)).casefold()
    return "".join(plain.split()).translate(_LOOK_ALIKE)


def by_look(names: Iterable[str]) -> dict[str, set[str]]:
    """Return names by what is the same for those that look the same: they may be one account with several spellings."""
    found: dict[str, set[str]] = defaultdict(set)
    for name in names:
        found[folded_name(name)].add(name)
    return found


def kept_accounts(ledger: Ledger) -> KeptAccounts:
    """Return the accounts that a ledger keeps; call it inside a snapshot."""
    text = ledger.get(_KEY)
    return KeptAccounts() if text is None else json.decode(text, type=KeptAccounts)


def keep_accounts(ledger: Ledger, accounts: KeptAccounts) -> None:
    """Keep accounts, inside a write transaction; every answer of before is out of date."""
    ordered = replace(accounts, accounts=dict(sorted(accounts.accounts.items())))
    ledger.put(_KEY, json.encode(ordered).decode())
    ledger.bump_revision()
