"""What the books depend on besides the facts, as the settings say it."""

from collections.abc import Mapping
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from typing import Any

from tearsheet import __version__
from tearsheet.errors import OtherRulesError, StoreError
from tearsheet.settings import Settings, read_setting
from tearsheet.store.tables.ledger import Ledger
from tearsheet.store.write.transaction import BookingRules

#: Raised when the same facts would give other rows than before, so that ledgers are rebuilt.
_BOOKS_VERSION = 1


def booking_rules_from(settings: Settings) -> BookingRules:
    """The rules by which facts are booked. Raises SettingsError for a bad instruments file."""
    from tearsheet.sources.config.instruments import load_instruments

    return BookingRules(
        calendar=settings.calendar,
        instruments=load_instruments(settings.instruments_file, settings.currency),
        trade_log_mode=settings.trade_log_mode,
        breakeven_band=settings.breakeven_band,
        breakeven_breaks_streak=settings.breakeven_streak == "break",
        fingerprint=fingerprint(settings),
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
    """The rules of a ledger's books, against the settings of a process.

    The ledger owns its rules. A process uses them where it states no other, and is refused where it does:
    books that two processes rebuilt by turns would be wrong for both. Only `TradingDayChange` changes them.
    """

    def __init__(self, ledger: Ledger, settings: Settings, *, changes_rules: bool = False) -> None:
        self._ledger = ledger
        self._stored = ledger.get("fingerprint")
        self.settings = settings if changes_rules else adopt_rules(settings, self._stored)
        self._fields = _fingerprint_fields(fingerprint(self.settings))

    def refreshed_settings(self) -> Settings:
        """Return these settings, or the ledger's where its rules were changed since.

        Raises SettingsError, OtherRulesError, StoreError.
        """
        stored = self._ledger.get("fingerprint")
        if stored is None or _fingerprint_fields(stored) == self._fields:
            return self.settings
        renewed = adopt_rules(self.settings.reload(), stored)
        return self.settings.with_values(**{key: getattr(renewed, key) for key in BOOKING_SETTINGS})

    def verify(self) -> None:
        """Refuse a transaction by rules that were changed since. Raises StoreError."""
        stored = self._ledger.get("fingerprint")
        if stored == self._stored:
            return
        if stored is not None and _fingerprint_fields(stored) != self._fields:
            raise StoreError("the rules of the ledger were changed meanwhile", "ask again")
        self._stored = stored


def ledger_rules(stored: str | None) -> Mapping[str, str]:
    """The rules in a ledger's fingerprint, as settings write them; empty for a ledger without books."""
    values = (stored or "").split("|")[2:-1]
    if len(values) != len(BOOKING_SETTINGS):  # no books, or an old schema's, which are rebuilt
        return {}
    rules = dict(zip(BOOKING_SETTINGS, values, strict=True))
    rules["day_starts_at"] = rules["day_starts_at"].removesuffix(":00")
    return rules


def adopt_rules(settings: Settings, stored: str | None) -> Settings:
    """Return the settings with the ledger's rules.

    Raises OtherRulesError where the environment or the settings file state another one.
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


def settings_of_ledger(settings: Settings) -> Settings:
    """Return the settings with the ledger's rules, whatever the process states. Raises StoreError."""
    with closing(Ledger(settings.ledger)) as ledger:
        stored = ledger_rules(ledger.get("fingerprint"))
    return settings.with_values(**{key: read_setting(key, text) for key, text in stored.items()})


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
    """The ledger as messages name it, without secrets."""
    return str(settings.redacted()["ledger"])


def _fingerprint_fields(rules: str) -> str:
    """The part of a fingerprint that settings make; the last one is the instruments file."""
    return rules.rpartition("|")[0]


def fingerprint(settings: Settings) -> str:
    """All that the books depend on besides the facts, as one short text."""
    booked = (getattr(settings, key) for key in BOOKING_SETTINGS)
    parts = (_BOOKS_VERSION, __version__, *booked, file_digest(settings.instruments_file))
    return "|".join(map(str, parts))


def file_digest(path: Path) -> str:
    """A digest of a small file's content, empty where it does not exist."""
    try:
        return bytes_digest(path.read_bytes())
    except FileNotFoundError:
        return ""


def bytes_digest(data: bytes) -> str:
    """A digest of a small file's content that was read."""
    return blake2b(data, digest_size=8).hexdigest()
