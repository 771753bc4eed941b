"""Booking rules: the settings that determine the books, besides the stored fills."""

from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

from tearsheet import __version__
from tearsheet.errors import MissingSourceError, OtherRulesError, StoreError
from tearsheet.settings import Settings, read_setting
from tearsheet.shared_files import open_regular
from tearsheet.store.tables.ledger import Ledger
from tearsheet.store.write.transaction import BookingRules
from tearsheet.trade.fee_schedule import FeeSchedule

#: Version in the fingerprint; increase it to rebuild ledgers when the same facts give other rows.
_BOOKS_VERSION = 4

#: A file of settings has 200 kB at most; beyond this it is refused as too large whatever follows.
_MOST_BYTES = 4 << 20


def booking_rules_from(settings: Settings) -> BookingRules:
    """Return the booking rules. Raises SettingsError if the instruments file is invalid."""
    from tearsheet.sources.config.fees import load_fees
    from tearsheet.sources.config.instruments import load_instruments

    instruments = load_instruments(settings.instruments_file, settings.currency)
    return BookingRules(
        calendar=settings.calendar,
        instruments=instruments,
        fees=FeeSchedule(load_fees(settings.instruments_file), instruments),
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


#: Name of the instruments file among the sources.
INSTRUMENTS = "instruments"


class RulesGuard:
    """Check of a process's settings against the booking rules stored in the ledger.

    The ledger owns its rules. A process adopts them where it sets no value, and is rejected where it
    sets another value: two processes with different rules would rebuild each other's books in turn.
    Only `TradingDayChange` changes the rules.
    """

    def __init__(self, ledger: Ledger, settings: Settings, *, changes_rules: bool = False) -> None:
        self._ledger = ledger
        self._stored = ledger.get("fingerprint")
        self._reject_missing_instruments(self._stored, settings)
        self.settings = settings if changes_rules else adopt_rules(settings, self._stored)
        self._fields = _fingerprint_fields(fingerprint(self.settings))

    def refreshed_settings(self, stored: str | None) -> Settings:
        """Return the settings, with the ledger's rules if its fingerprint changed since the last read.

        Raises SettingsError, OtherRulesError, MissingSourceError.
        """
        self._reject_missing_instruments(stored, self.settings)
        if stored is None or _fingerprint_fields(stored) == self._fields:
            return self.settings
        renewed = adopt_rules(self.settings.reload(), stored)
        return self.settings.with_values(**{key: getattr(renewed, key) for key in BOOKING_SETTINGS})

    def verify(self, stored: str | None) -> None:
        """Raise StoreError if the rules in the ledger changed since they were read.

        Raises MissingSourceError if the instruments file, which the books depend on, is gone.
        """
        self._reject_missing_instruments(stored, self.settings)
        if stored == self._stored:
            return
        if stored is not None and _fingerprint_fields(stored) != self._fields:
            raise StoreError("the rules of the ledger were changed meanwhile", "ask again")
        self._stored = stored

    def _reject_missing_instruments(self, stored: str | None, settings: Settings) -> None:
        """Raise MissingSourceError if the books are of an instruments file that is gone.

        A rebuild without it would count futures by other multipliers.
        """
        path = settings.instruments_file
        rules, _, instruments = (stored or "").rpartition("|")
        if not rules or not instruments or path.exists():  # without rules: a ledger of an old schema
            return
        if not self._ledger.queries.exists("absence", (INSTRUMENTS,)):
            raise MissingSourceError(
                f"the books are of the instruments in {path}, which is gone",
                f"restore it; or rebuild the books without it: `tearsheet sources forget {INSTRUMENTS} --by NAME`",
                ("instruments_file",),
            )


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


def fingerprint(settings: Settings) -> str:
    """Return the rebuild key of the books: version, booking settings and hash of the instruments file."""
    booked = (getattr(settings, key) for key in BOOKING_SETTINGS)
    parts = (_BOOKS_VERSION, __version__, *booked, file_digest(settings.instruments_file))
    return "|".join(map(str, parts))


def file_digest(path: Path) -> str:
    """Return the hash of a small file; empty if it does not exist."""
    try:
        with open_regular(path) as file:
            return bytes_digest(file.read(_MOST_BYTES))
    except (FileNotFoundError, NotADirectoryError):
        return ""


def bytes_digest(data: bytes) -> str:
    """Return the BLAKE2b hash of bytes, 64 bits in hex."""
    return blake2b(data, digest_size=8).hexdigest()
