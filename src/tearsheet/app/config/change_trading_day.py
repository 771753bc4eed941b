"""Change of the time zone or day start: a full rebuild in one transaction with the settings file."""

import json
import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from tearsheet.app.book_rules import BOOKING_SETTINGS, booking_rules_from
from tearsheet.app.config.settings_audit import AuditEntry, FileEdit, read_content, save_change
from tearsheet.app.context import LedgerContext
from tearsheet.app.imports.preview import Preview, preview_change
from tearsheet.app.limits.checked_context import CheckedContext
from tearsheet.app.limits.verdicts import account_verdicts
from tearsheet.errors import SettingsError, UsageError
from tearsheet.rules.breach import is_active_in
from tearsheet.settings import SETTINGS, Settings
from tearsheet.store.kept_accounts import kept_calendars
from tearsheet.store.tables.breaches import BreachTable
from tearsheet.store.tables.ledger import Ledger
from tearsheet.store.write.transaction import LedgerTransaction
from tearsheet.trade.session import DAY, AccountCalendars

#: Settings that the settings page can change; the command line can change every booking rule.
KEYS = ("timezone", "day_starts_at")
#: Upper bound of the age of the current limit period; a month is the longest.
_LONGEST_PERIOD = 40 * DAY
_ROWS = {setting.key: setting for setting in SETTINGS}


class TradingDayField(Struct, frozen=True):
    """Current value and allowed values of a setting; `variable` is the environment variable that sets it."""

    key: str
    description: str
    value: str
    allowed: str
    variable: str | None


class TradingDayChange:
    """Change of the trading-day settings of a ledger: preview first, then apply."""

    def __init__(self, context: LedgerContext) -> None:
        self._context = context
        self._settings = context.settings
        self._path = context.settings.file()
        self._text, self.digest = read_content(self._path)

    @property
    def fields(self) -> list[TradingDayField]:
        """Return the settings that can be changed, with their current values."""
        shown = {"timezone": self._settings.timezone, "day_starts_at": _day_start_text(self._settings)}
        return [
            TradingDayField(
                key,
                _ROWS[key].description,
                shown[key],
                _ROWS[key].allowed,
                self._settings.env_variable_of(key),
            )
            for key in KEYS
        ]

    def requested(self, texts: Mapping[str, str]) -> Settings:
        """Parse the requested values into settings.

        Raises SettingsError with the key as its place if a value is invalid or set from the environment.
        """
        values: dict[str, Any] = {}
        for key, raw_text in texts.items():
            text = raw_text.strip()
            try:
                values[key] = _ROWS[key].read(text)
            except ValueError:
                raise SettingsError(
                    f"{key} is {text[:100]!r}", f"allowed is {_ROWS[key].allowed}", (key,)
                ) from None
            variable = self._settings.env_variable_of(key)
            if variable is not None and values[key] != self._stated(key):
                raise SettingsError(
                    f"{key} is given from the environment variable {variable}",
                    "change it there and restart the service",
                    (key,),
                )
        return self._settings.with_values(**values)

    def rules(self, settings: Settings) -> list[tuple[str, str]]:
        """Return every booking rule with its value."""
        return [(key, _setting_text(settings, key)) for key in BOOKING_SETTINGS]

    def _stated(self, key: str) -> Any:
        return getattr(self._settings.reload(), key)

    def preview(self, new_settings: Settings) -> Preview:
        """Return the changes to days and positions; the rebuild is rolled back."""
        with self._context_with(new_settings) as other:
            return preview_change(other.ledger, lambda: self._rebuild(other))

    def apply(self, new_settings: Settings, digest: str, who: str) -> bool:
        """Rebuild the books and save the file in one transaction; False if the file has changed.

        Raises UsageError while a breach with a reset period is active, because another calendar
        could end that period, or if the file cannot be edited.
        """
        account_verdicts(self._context).all()  # saves new breaches under the old calendar
        changes = [
            AuditEntry(self._context.now, who, self._path.name, key, old, new)
            for key in BOOKING_SETTINGS
            if (old := _setting_text(self._settings, key)) != (new := _setting_text(new_settings, key))
        ]
        text = self._text
        written = [one for one in changes if self._settings.env_variable_of(one.name) is None]
        for one in written:
            text = _set_toml(text, one.name, str(one.new))
        if not changes:
            return digest == self.digest
        _check_edit(self._text, text, {one.name: one.new for one in written}, self._path.name)
        file = FileEdit(self._path, digest, text)
        with self._context_with(new_settings) as other:
            saved = save_change(other.ledger, file, changes, lambda: self._rebuild(other))
            if saved:
                other.publish_pending_alerts()
            return saved

    def _context_with(self, new_settings: Settings) -> CheckedContext:
        """Open the ledger with the requested settings instead of the ones in the file."""
        now = self._context.now
        return CheckedContext(new_settings, lambda: now, changes_rules=True)

    def _rebuild(self, other: LedgerContext) -> int:
        calendars = kept_calendars(other.ledger, self._settings.calendar)
        reject_while_breached(other.ledger, calendars, self._context.now)
        transaction = LedgerTransaction(
            other.ledger, booking_rules_from(other.settings, other.ledger), other.now
        )
        transaction.rebuild()
        return transaction.commit()


def reject_while_breached(
    ledger: Ledger, calendars: AccountCalendars, now: datetime, accounts: Collection[str] | None = None
) -> None:
    """Raise UsageError while a breach with a reset period is active, of some accounts or of any.

    Another calendar could end that period; `calendars` are those before the change.
    """
    records = BreachTable(ledger.queries)
    for account in records.accounts() if accounts is None else accounts:
        session = calendars.trading_day_of(account, now)
        for record in records.for_account(account, session - _LONGEST_PERIOD):
            one = record.breach
            is_bound = one.period_start is not None and record.release is None
            if is_bound and is_active_in(one.limit, one.period_start, session):
                raise UsageError(
                    f"{one.limit} of {account} is broken since {one.at.isoformat()}, and another "
                    "calendar could end that",
                    "release it first, or wait until its reset",
                )


def _setting_text(settings: Settings, key: str) -> str:
    return _day_start_text(settings) if key == "day_starts_at" else str(getattr(settings, key))


def _day_start_text(settings: Settings) -> str:
    return settings.day_starts_at.isoformat("minutes")


def _set_toml(text: str, key: str, value: str) -> str:
    """Return the TOML text with a key set, on its existing line or on a new last line."""
    line = re.compile(rf"^([ \t]*{key}[ \t]*=[ \t]*)([^#\r\n]*?)([ \t]*(?:#[^\r\n]*)?)$", re.MULTILINE)
    quoted = json.dumps(value)
    if line.search(text):
        return line.sub(lambda found: f"{found[1]}{quoted}{found[3]}", text, count=1)
    end = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{end}{key} = {quoted}\n"


def _check_edit(before: str, after: str, changes: Mapping[str, Any], file: str) -> None:
    """Raise UsageError unless the new TOML text equals the old one with the changes applied."""
    import tomllib  # deferred: needed only when something changes

    try:
        same = tomllib.loads(after) == {**tomllib.loads(before), **changes}
    except tomllib.TOMLDecodeError:
        same = False
    if not same:
        raise UsageError(
            f"{file} uses YAML/TOML syntax that this page cannot edit",
            "write `key = value` lines, or edit the file",
        )
