"""Limits of the targets file, with the last valid version in the ledger as the fallback."""

import re
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from tearsheet.app.parsed_file import ParsedFile
from tearsheet.errors import MissingSourceError, SettingsError, StoreError
from tearsheet.rules.limit import AccountLimits, Limit, Limits, NewsWindow
from tearsheet.store.tables.ledger import Ledger

_LOCK_TIMEOUT_S = 0.2
_STATED_NONE = re.compile(r"^(?:limits:\s*)?\{\s*\}\s*(?:#.*)?$", re.MULTILINE)


class LoadedLimits(Struct, frozen=True):
    """Limits to evaluate; `error` is the reason why the file could not be loaded, None if it was."""

    limits: Limits
    error: str | None = None


class LimitsFile:
    """Loader for the limits in the targets file of one ledger."""

    def __init__(self, ledger: Ledger, path: Path) -> None:
        self._ledger = ledger
        self._file: ParsedFile[Limits] = ParsedFile(ledger, path, "limits", Limits, self._parse, _find_loss)
        self._news: dict[tuple[str, int, timedelta, timedelta], tuple[NewsWindow, ...]] = {}

    def _parse(self, path: Path) -> Limits:
        """Parse a file; a preset without a version stays the one that the ledger has."""
        return _parse_limits(path, self._file.last_stored())

    def load(self) -> LoadedLimits:
        """Return the current limits, or the last stored ones if the file is invalid. Raises StoreError."""
        loaded = self._load()
        plans = [loaded.limits.default, *loaded.limits.accounts.values()]
        if not any(plan.get("no_trading") for plan in plans):
            return loaded
        try:
            return LoadedLimits(self._with_news(loaded.limits), loaded.error)
        except SettingsError as error:
            return LoadedLimits(loaded.limits, loaded.error or error.message)

    def _with_news(self, limits: Limits) -> Limits:
        accounts = {name: self._plan_with_news(plan) for name, plan in limits.accounts.items()}
        return replace(limits, default=self._plan_with_news(limits.default), accounts=accounts)

    def _plan_with_news(self, plan: AccountLimits) -> AccountLimits:
        rules = (self._limit_with_news(one) if one.calendar else one for one in plan.limits)
        return replace(plan, limits=tuple(rules))

    def _limit_with_news(self, limit: Limit) -> Limit:
        """Return a limit with the windows of its calendar, read again when the file changed."""
        try:
            changed_at = Path(limit.calendar).stat().st_mtime_ns
        except OSError:
            changed_at = 0
        key = (limit.calendar, changed_at, limit.before, limit.after)
        if key not in self._news:
            from tearsheet.sources.config.news import news_windows  # only where there is a calendar

            self._news = {key: news_windows(limit)}
        return replace(limit, news=self._news[key])

    def _load(self) -> LoadedLimits:
        try:
            return LoadedLimits(self._file.load())
        except MissingSourceError as error:
            last = self._file.last_stored() or Limits()
            return LoadedLimits(last, error.message if last != Limits() else None)
        except SettingsError as error:
            return LoadedLimits(self._file.last_stored() or Limits(), error.message)

    def remember(self) -> None:
        """Save the limits of a changed valid file, so that they are known if the file vanishes."""
        is_new = self.load().error is None and self._file.digest and not self._file.is_stored
        if is_new and not self._ledger.read_only:
            with suppress(StoreError), self._ledger.lock_timeout(_LOCK_TIMEOUT_S), self._ledger.writing():
                self._file.store()

    def save_snapshot(self, loaded: LoadedLimits) -> None:
        """Save the limits of a valid file in the ledger. Requires a write transaction."""
        if loaded.error is None:
            self._file.store()


def _find_loss(last: Limits, new: Limits, text: str) -> str | None:
    """Return that limits are gone, unless the file says that there are to be none."""
    if last == Limits() or new != Limits() or _STATED_NONE.search(text):
        return None
    return "has no limits any more: the last known ones go on"


def _parse_limits(path: Path, kept: Limits | None) -> Limits:
    if not path.exists():
        return Limits()
    from tearsheet.sources.config.limits import limits_in  # deferred: imports a YAML parser and difflib

    return limits_in(path, kept) or Limits()
