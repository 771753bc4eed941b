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
from tearsheet.trade.session import AccountCalendars, TradingCalendar, calendar_like

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


def account_calendars(kept: KeptAccounts, common: TradingCalendar) -> AccountCalendars:
    """Return the calendars of accounts in a ledger of a calendar; what an account leaves out is the ledger's."""
    own = {
        name: calendar_like(
            common,
            terms.timezone or common.timezone.key,
            terms.day_starts_at or common.day_starts_at.isoformat("minutes"),
        )
        for name, terms in kept.accounts.items()
        if terms.timezone or terms.day_starts_at
    }
    return AccountCalendars(common, own)


def kept_calendars(ledger: Ledger, common: TradingCalendar) -> AccountCalendars:
    """Return the calendars of the accounts that a ledger keeps; call it inside a snapshot."""
    return account_calendars(kept_accounts(ledger), common)


def keep_accounts(ledger: Ledger, accounts: KeptAccounts) -> None:
    """Keep accounts, inside a write transaction whose caller increases the revision."""
    ordered = replace(accounts, accounts=dict(sorted(accounts.accounts.items())))
    ledger.put(_KEY, json.encode(ordered).decode())
