"""Editor for what is stated of accounts: kept in the ledger, each change recorded with who made it."""

from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import asdict, replace

from tearsheet.app.book_rules import booking_rules_from
from tearsheet.app.config.change_trading_day import reject_while_breached
from tearsheet.app.config.settings_audit import AuditEntry, read_content, record_change
from tearsheet.app.context import LedgerContext
from tearsheet.app.currency.stated_rates import StatedRates
from tearsheet.app.limits.verdicts import account_verdicts
from tearsheet.errors import NotFoundError, SettingsError
from tearsheet.performance.account import StatedAccount
from tearsheet.sources.config.accounts import KEYS, AccountsFile, parse_accounts
from tearsheet.store.kept_accounts import (
    KeptAccounts,
    account_calendars,
    by_look,
    keep_accounts,
    kept_accounts,
)
from tearsheet.store.tables.ledger import Ledger
from tearsheet.store.write.transaction import LedgerTransaction
from tearsheet.trade.amount import to_plain_string
from tearsheet.trade.rate import DEFAULT_MAX_AGE, BaseTerms

_FILE = "accounts"


class AccountsEditor:
    """Editor for the accounts that a ledger keeps."""

    def __init__(self, context: LedgerContext) -> None:
        self._context = context

    def show(self) -> KeptAccounts:
        """Return the accounts that the ledger keeps."""
        with self._context.ledger.snapshot():
            return kept_accounts(self._context.ledger)

    def set_file(self, path: Path, who: str) -> tuple[AuditEntry, ...]:
        """Set the accounts of a file. Raises SettingsError, StoreError, NotFoundError without the file."""
        if not path.exists():
            raise NotFoundError(f"{path} does not exist", "name a YAML file with `accounts:`")
        return self.set_text(read_content(path)[0], str(path), who)

    def set_text(self, text: str, file: str, who: str) -> tuple[AuditEntry, ...]:
        """Set the accounts that a text names, and its base; others stay. Return what changed.

        An account without a value is taken back. Raises SettingsError, StoreError.
        """
        stated = parse_accounts(text, file, self._context.settings.currency)
        account_verdicts(self._context).all()  # saves new breaches under the old calendars
        if stated.base is not None and stated.base.rates is not None:
            self._import_rates(stated.base.rates, file, who)
        ledger = self._context.ledger
        with ledger.writing():
            before = kept_accounts(ledger)
            after = _merged(before, stated)
            changes = tuple(self._changes(before, after, who))
            for one in changes:
                record_change(ledger, one)
            if changes:
                keep_accounts(ledger, after)
                self._redate(ledger, before, after)
        return changes

    def similar_accounts(self) -> list[list[str]]:
        """Return accounts that may be one with several spellings, of which something is stated of one."""
        with self._context.ledger.snapshot() as queries:
            stated = kept_accounts(self._context.ledger).accounts
            groups = by_look({*queries.accounts(), *stated}).values()
        return [sorted(group) for group in groups if len(group) > 1 and stated.keys() & group]

    def _redate(self, ledger: Ledger, before: KeptAccounts, after: KeptAccounts) -> None:
        """Date the sessions of accounts anew whose calendar has changed; every answer of before is out of date.

        Raises UsageError while a breach depends on it.
        """
        context = self._context
        was, new = (account_calendars(kept, context.settings.calendar) for kept in (before, after))
        changed = [name for name in {**was.own, **new.own} if was.of(name) is not new.of(name)]
        if not changed:
            ledger.bump_revision()
            return
        reject_while_breached(ledger, was, context.now, changed)
        transaction = LedgerTransaction(ledger, booking_rules_from(context.settings, ledger), context.now)
        if not transaction.rebuild_if_outdated():
            transaction.redate(changed)
        transaction.commit()

    def _import_rates(self, path: str, file: str, who: str) -> None:
        """Import the rates that the base names. Raises SettingsError for wrong ones, FormatError, InputError."""
        _, folder = self._context.settings.origin or ({}, Path.cwd())
        report = StatedRates(self._context).import_file(folder / path, who)
        if report.rejections:
            bad = report.rejections[0]
            raise SettingsError(
                f"{file}: base.rates is {path}, whose line {bad.line} is wrong: {bad.reason}", bad.hint
            )

    def _changes(self, before: KeptAccounts, after: KeptAccounts, who: str) -> Iterator[AuditEntry]:
        now = self._context.now
        for name in sorted({*before.accounts, *after.accounts}):
            old, new = texts_of(before.terms(name)), texts_of(after.terms(name))
            for key in KEYS:
                if old[key] != new[key]:
                    yield AuditEntry(now, who, _FILE, f"{name}.{key}", old[key], new[key])
        stated, states = _base_texts(before.base), _base_texts(after.base)
        for key, was in stated.items():
            if was != states[key]:
                yield AuditEntry(now, who, _FILE, f"base.{key}", was, states[key])


def texts_of(terms: StatedAccount) -> dict[str, str | None]:
    """Return what is stated of an account as texts by key."""
    texts: dict[str, str | None] = asdict(terms)
    if terms.starting_balance is not None:
        parts = [f"{to_plain_string(amount)} {code}" for code, amount in terms.starting_balance.items()]
        texts["starting_balance"] = ", ".join(parts)
    return texts


def _merged(before: KeptAccounts, stated: AccountsFile) -> KeptAccounts:
    accounts = dict(before.accounts)
    for name, terms in stated.accounts.items():
        if terms is None:
            accounts.pop(name, None)
        else:
            accounts[name] = terms
    base = before.base if stated.base is None else stated.base
    return replace(before, accounts=accounts, base=base)


def _base_texts(base: BaseTerms) -> dict[str, str | None]:
    pegs = ", ".join(f"{code}: {to}" for code, to in base.pegs.items()) or None
    age = None if base.max_age == DEFAULT_MAX_AGE else f"{base.max_age}d"
    return {"currency": base.currency, "max_age": age, "pegs": pegs, "rates": base.rates}
