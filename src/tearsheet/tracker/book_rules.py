"""What the books depend on besides the facts, as the settings say it."""

from hashlib import blake2b
from pathlib import Path

from tearsheet import __version__
from tearsheet.settings import Settings
from tearsheet.store.posting import BookRules

#: Raised when the same facts would give other rows than before, so that ledgers are rebuilt.
_BOOKS_VERSION = 1


def book_rules(settings: Settings) -> BookRules:
    """The rules by which facts are booked. Raises SettingsError for a bad instruments file."""
    from tearsheet.sources.instruments import load_instruments

    return BookRules(
        calendar=settings.calendar,
        instruments=load_instruments(settings.instruments_file, settings.currency),
        trade_log_mode=settings.trade_log_mode,
        breakeven_band=settings.breakeven_band,
        breakeven_breaks_streak=settings.breakeven_streak == "break",
        fingerprint=fingerprint(settings),
    )


def fingerprint(settings: Settings) -> str:
    """All that the books depend on besides the facts, as one short text."""
    parts = (
        _BOOKS_VERSION,
        __version__,
        settings.timezone,
        settings.day_starts_at,
        settings.trade_log_mode,
        settings.breakeven_band,
        settings.breakeven_streak,
        settings.currency,
        digest_of(settings.instruments_file),
    )
    return "|".join(map(str, parts))


def digest_of(path: Path) -> str:
    """A digest of a small file's content, empty where it does not exist."""
    try:
        return blake2b(path.read_bytes(), digest_size=8).hexdigest()
    except FileNotFoundError:
        return ""
