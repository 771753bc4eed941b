"""What the books depend on besides the facts, as the settings say it."""

from hashlib import blake2b
from pathlib import Path

from tearsheet import __version__
from tearsheet.errors import StoreError
from tearsheet.settings import Settings
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
    """Whether the books of a ledger may be asked and written by some settings.

    A process that started before the settings file was changed learns of it where the books are of
    other rules than its own, and never answers or books by what was said before.
    """

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self._ledger, self._settings = ledger, settings
        self._fields = _fingerprint_fields(fingerprint(settings))
        self._last_verified: str | None = None

    def refreshed_settings(self) -> Settings:
        """These settings, or the file's where they are others by now. Raises SettingsError, StoreError."""
        return self._refreshed(self._ledger.get("fingerprint"))

    def verify(self) -> None:
        """Refuse what would go by settings that were changed since. Raises StoreError."""
        kept = self._ledger.get("fingerprint")
        if kept != self._last_verified and self._refreshed(kept) is not self._settings:
            raise StoreError("the settings were changed meanwhile", "ask again")
        if kept is None or _fingerprint_fields(kept) == self._fields:
            self._last_verified = kept

    def _refreshed(self, kept: str | None) -> Settings:
        if kept is None or _fingerprint_fields(kept) == self._fields:
            return self._settings
        again = self._settings.reload()
        changed = {key: getattr(again, key) for key in BOOKING_SETTINGS}
        if all(getattr(self._settings, key) == value for key, value in changed.items()):
            return self._settings
        return self._settings.with_values(**changed)


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
