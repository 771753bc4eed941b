"""Limits of the targets file, with the last valid version in the ledger as the fallback.

Two processes with other files would contradict each other in turn, so the ledger notes who judges by which.
"""

import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from msgspec import Struct, json
from msgspec.structs import replace

from tearsheet.app.parsed_file import ParsedFile
from tearsheet.errors import MissingSourceError, SettingsError, StoreError
from tearsheet.rules.limit import AccountLimits, Limit, Limits, NewsWindow
from tearsheet.store.tables.ledger import Ledger

_LOCK_TIMEOUT_S = 0.2
#: Who judges by which file, and after how long without a verdict a file is no longer in use.
_JUDGES, _IN_USE = "limits_judges", timedelta(minutes=2)
#: How often a process that goes on judging is noted again.
_NOTED_EVERY = timedelta(seconds=30)
_STATED_NONE = re.compile(r"^(?:limits:\s*)?\{\s*\}\s*(?:#.*)?$", re.MULTILINE)


class LoadedLimits(Struct, frozen=True):
    """Limits to evaluate with the hash of their file; `error` is the reason why they may be others, None for none.

    `code` is the reason's code: the file cannot be loaded, or another process judges by another one.
    """

    limits: Limits
    error: str | None = None
    code: str = "bad_limits"
    digest: str | None = None


class _JudgingPlace(Struct, frozen=True):
    """Hash of the limits file of a place, when its content was first judged by, and when last.

    `is_edit`: another content was judged by before.
    """

    digest: str
    since: datetime
    last: datetime
    is_edit: bool = False


class LimitsJudges:
    """The places, each a host and a file, by whose limits a ledger was judged within the last minutes."""

    def __init__(self, ledger: Ledger, path: Path) -> None:
        self._ledger = ledger
        self._place = f"{os.uname().nodename}:{path.absolute()}"

    def conflict(self, digest: str, now: datetime) -> str | None:
        """Return that another place judges by other limits at the same time, None if none does. Raises StoreError.

        An edit that another place has not seen yet is no conflict, unless that one goes on with what it had.
        """
        judges = self._stored()
        own = judges.get(self._place)
        if own is not None and own.digest != digest:
            return None  # an edit that is not noted yet
        since = own.since if own is not None and own.is_edit else None
        for place, other in sorted(judges.items()):
            is_present = abs(now - other.last) < _IN_USE and (since is None or other.last >= since)
            if place != self._place and other.digest != digest and is_present:
                return (
                    f"limits file {digest} of {self._place} judges here, and {other.digest} of {place} "
                    f"did at {other.last.isoformat(timespec='seconds')}; let all processes have one file"
                )
        return None

    def note(self, digest: str, now: datetime) -> None:
        """Note that this place judges by a file with this hash, every 30 seconds; a failure is no obstacle."""
        own = self._stored().get(self._place)
        is_known = own is not None and own.digest == digest
        if self._ledger.read_only or (own is not None and is_known and abs(now - own.last) < _NOTED_EVERY):
            return
        with suppress(StoreError), self._ledger.lock_timeout(_LOCK_TIMEOUT_S), self._ledger.writing():
            judges = {place: one for place, one in self._stored().items() if abs(now - one.last) < _IN_USE}
            since, is_edit = (
                (own.since, own.is_edit) if own is not None and is_known else (now, own is not None)
            )
            judges[self._place] = _JudgingPlace(digest, since, now, is_edit)
            self._ledger.put(_JUDGES, json.encode(judges).decode())

    def _stored(self) -> Mapping[str, _JudgingPlace]:
        stored = self._ledger.get(_JUDGES)
        with suppress(msgspec.MsgspecError):
            return {} if stored is None else json.decode(stored, type=dict[str, _JudgingPlace])
        return {}


class LimitsFile:
    """Loader for the limits in the targets file of one ledger; `clock` returns the present instant."""

    def __init__(self, ledger: Ledger, path: Path, clock: Callable[[], datetime]) -> None:
        self._ledger, self._clock = ledger, clock
        self._judges = LimitsJudges(ledger, path)
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
            return replace(loaded, limits=self._with_news(loaded.limits))
        except SettingsError as error:
            return loaded if loaded.error else replace(loaded, error=error.message, code="bad_limits")

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
            limits, digest = self._file.load(), self._file.digest
            if not digest:
                return LoadedLimits(limits)
            return LoadedLimits(limits, self._judges.conflict(digest, self._clock()), "other_limits", digest)
        except MissingSourceError as error:
            last = self._file.last_stored() or Limits()
            return LoadedLimits(last, error.message if last != Limits() else None)
        except SettingsError as error:
            return LoadedLimits(self._file.last_stored() or Limits(), error.message)

    def remember(self) -> None:
        """Note who judges; save the limits of a changed valid file, so that they are known if it vanishes."""
        loaded = self.load()
        if loaded.digest is not None:
            self._judges.note(loaded.digest, self._clock())
        is_new = loaded.error is None and self._file.digest and not self._file.is_stored
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
