"""Booking rules: the settings that determine the books, besides the stored fills."""

from collections.abc import Mapping
from typing import Any

from tearsheet import __version__
from tearsheet.app.kept_instruments import InstrumentSource, as_text
from tearsheet.errors import OtherRulesError, StoreError
from tearsheet.settings import Settings, read_setting
from tearsheet.store.booking_rules import BookingRules
from tearsheet.store.tables.ledger import Ledger
from tearsheet.trade.fee_schedule import FeeSchedule

#: Version in the fingerprint; increase it to rebuild ledgers when the same facts give other rows.
_BOOKS_VERSION = 7


def booking_rules_from(settings: Settings, ledger: Ledger) -> BookingRules:
    """Return the rules by which a process books into a ledger.

    Raises OtherRulesError, MissingSourceError, and SettingsError if the instruments file is invalid.
    """
    from tearsheet.sources.config.instruments import instruments_with  # loads the table of futures

    kept = InstrumentSource(ledger, settings).current()
    instruments = instruments_with(kept.overrides, settings.currency)
    return BookingRules(
        calendar=settings.calendar,
        instruments=instruments,
        fees=FeeSchedule(kept.fees, instruments),
        kept_instruments=as_text(kept),
        trade_log_mode=settings.trade_log_mode,
        breakeven_band=settings.breakeven_band,
        breakeven_breaks_streak=settings.breakeven_streak == "break",
        fingerprint=_fingerprint(settings, kept.digest),
    )


#: The settings that the books depend on.
BOOKING_SETTINGS = (
    "timezone",
    "day_starts_at",
    "trade_log_mode",
    "breakeven_band",
    "breakeven_streak",
    "currency",
)


class RulesGuard:
    """Check of a process's settings against the booking rules stored in the ledger.

    The ledger owns its rules. A process adopts them where it sets no value, and is rejected where it
    sets another value: two processes with different rules would rebuild each other's books in turn.
    Only `TradingDayChange` changes the rules.
    """

    def __init__(self, ledger: Ledger, settings: Settings, *, changes_rules: bool = False) -> None:
        self._stored = ledger.get("fingerprint")
        #: the instruments that the process and the ledger have
        self.instruments = InstrumentSource(ledger, settings)
        self.instruments.check(self._stored)
        self.settings = settings if changes_rules else adopt_rules(settings, self._stored)
        self._fields = _fingerprint_fields(_fingerprint(self.settings, ""))

    def refreshed_settings(self, stored: str | None) -> Settings:
        """Return the settings, with the ledger's rules if its fingerprint changed since the last read.

        Raises SettingsError, OtherRulesError, MissingSourceError.
        """
        self.instruments.check(stored)
        if stored is None or _fingerprint_fields(stored) == self._fields:
            return self.settings
        renewed = adopt_rules(self.settings.reload(), stored)
        return self.settings.with_values(**{key: getattr(renewed, key) for key in BOOKING_SETTINGS})

    def verify(self, stored: str | None) -> None:
        """Raise StoreError if the rules in the ledger changed since they were read.

        Raises OtherRulesError or MissingSourceError if this process has other instruments than the ledger.
        """
        self.instruments.check(stored)
        if stored == self._stored:
            return
        if stored is not None and _fingerprint_fields(stored) != self._fields:
            raise StoreError("the rules of the ledger were changed meanwhile", "ask again")
        self._stored = stored


def ledger_rules(stored: str | None) -> Mapping[str, str]:
    """Parse the rules in a ledger's fingerprint, formatted as settings; empty for a ledger without books."""
    values = (stored or "").split("|")[2:-1]
    if len(values) != len(BOOKING_SETTINGS):  # a ledger without books, or an old schema, which is rebuilt
        return {}
    rules = dict(zip(BOOKING_SETTINGS, values, strict=True))
    rules["day_starts_at"] = rules["day_starts_at"].removesuffix(":00")
    return rules


def adopt_rules(settings: Settings, stored: str | None) -> Settings:
    """Return the settings with the ledger's rules.

    Raises OtherRulesError if the environment or the settings file sets another value.
    """
    changes: dict[str, Any] = {}
    for key, text in ledger_rules(stored).items():
        value = read_setting(key, text)
        if getattr(settings, key) == value:
            continue
        if key in settings.stated:
            raise OtherRulesError(*_conflict(settings, key, text), (key,))
        changes[key] = value
    return settings.with_values(**changes) if changes else settings


def _conflict(settings: Settings, key: str, text: str) -> tuple[str, str]:
    mine = str(getattr(settings, key))
    if key == "day_starts_at":
        mine = mine.removesuffix(":00")
    source = settings.env_variable_of(key)
    where = f"environment variable {source}" if source else str(settings.file())
    option = f"--{key.replace('_', '-')}"
    return (
        f"{where} states {key} {mine}, and the books of {ledger_name(settings)} are of {key} {text}",
        f"take it out or state {text}; `tearsheet calendar {option} {mine} --by NAME` rebuilds the books by it",
    )


def ledger_name(settings: Settings) -> str:
    """Return the ledger URL or path for messages, without secrets."""
    return str(settings.redacted()["ledger"])


def _fingerprint_fields(rules: str) -> str:
    """Return a fingerprint without the trailing hash of the instruments file."""
    return rules.rpartition("|")[0]


def fingerprint(settings: Settings, ledger: Ledger) -> str:
    """Return the rebuild key of the books: version, booking settings and hash of the instruments in use.

    Raises SettingsError, OtherRulesError, MissingSourceError.
    """
    return _fingerprint(settings, InstrumentSource(ledger, settings).digest)


def _fingerprint(settings: Settings, instruments: str) -> str:
    booked = (getattr(settings, key) for key in BOOKING_SETTINGS)
    return "|".join(map(str, (_BOOKS_VERSION, __version__, *booked, instruments)))
