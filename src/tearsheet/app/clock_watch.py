"""Latest time that a service of a ledger has shown: a clock that stands before it was set back.

Nothing else tells it while no fill comes: a rolled-back day would be empty, and its limits kept.
"""

import time
from datetime import datetime, timedelta

from tearsheet.errors import StoreError
from tearsheet.performance.summary import PartialReason
from tearsheet.store.tables.ledger import Ledger
from tearsheet.trade.session import CLOCK_TOLERANCE, from_micros, is_ahead, to_micros

#: Name of the clock among the sources, and code of its doubt.
CLOCK, CLOCK_BACK = "clock", "clock_back"
_MARK = "clock_mark"
#: How often the time is saved.
_EVERY = timedelta(seconds=60)
#: After so many seconds a clock that jumped ahead and runs on counts as right.
_TRUSTED_AFTER_S = 600.0
_LOCK_TIMEOUT_S = 0.2
#: Counts while the machine sleeps, too.
_UPTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class ClockWatch:
    """Comparison of a process's clock with the latest time saved in the ledger.

    A clock that jumps ahead within the process is not saved: a moment of it would be a doubt for as long as
    it was ahead.
    """

    def __init__(self) -> None:
        #: time shown and uptime at the first look, and at the first look after a jump
        self._base: tuple[datetime, float] | None = None
        self._jumped: tuple[datetime, float] | None = None

    def reasons(self, ledger: Ledger, now: datetime, *, save: bool) -> list[PartialReason]:
        """Return that the clock was set back, if it was; otherwise `save` the time, at most once a minute."""
        latest = latest_time(ledger)
        if latest is not None and is_ahead(latest, now):
            shown, was = (f"{at:%Y-%m-%d %H:%M:%S}" for at in (now, latest))
            detail = f"it shows {shown} UTC, and {was} has passed"
            return [
                PartialReason(CLOCK_BACK, f"{detail}; if it is right, `tearsheet sources accept {CLOCK}`")
            ]
        is_due = latest is None or now - latest >= _EVERY
        if save and self._is_steady(now) and is_due and not ledger.read_only:
            self._save(ledger, now)
        return []

    def _save(self, ledger: Ledger, now: datetime) -> None:
        try:
            with ledger.lock_timeout(_LOCK_TIMEOUT_S), ledger.writing():
                latest = latest_time(ledger)
                if latest is None or latest < now:
                    save_time(ledger, now)
        except StoreError:
            return  # the next look tries again

    def _is_steady(self, now: datetime) -> bool:
        """Return whether the clock advanced as the time since the first look did."""
        uptime = time.clock_gettime(_UPTIME)
        if self._base is None:
            self._base = (now, uptime)
        if _runs_since(self._base, now, uptime):
            self._jumped = None
            return True
        if self._jumped is None or not _runs_since(self._jumped, now, uptime):
            self._jumped = (now, uptime)
        if uptime - self._jumped[1] > _TRUSTED_AFTER_S:
            self._base, self._jumped = self._jumped, None
        return False


def latest_time(ledger: Ledger) -> datetime | None:
    """Return the latest time that was saved."""
    text = ledger.get(_MARK)
    return None if text is None else from_micros(int(text))


def latest_stated_time(ledger: Ledger) -> datetime | None:
    """Return the latest time that was shown or at which an account was heard, by a clock that may have been ahead."""
    heard_us = ledger.queries.value("last_heard")
    heard = None if heard_us is None else from_micros(heard_us)
    return max((at for at in (latest_time(ledger), heard) if at is not None), default=None)


def set_back(ledger: Ledger, now: datetime) -> None:
    """Take a time for right although later ones were shown, inside a write transaction."""
    save_time(ledger, now)
    ledger.queries.execute("hear_no_later", (to_micros(now),))
    ledger.queries.execute("say_no_later", (to_micros(now),))


def save_time(ledger: Ledger, now: datetime) -> None:
    """Save a time as the latest one, inside a write transaction."""
    ledger.put(_MARK, str(to_micros(now)))


def _runs_since(base: tuple[datetime, float], now: datetime, uptime: float) -> bool:
    return now <= base[0] + timedelta(seconds=uptime - base[1]) + CLOCK_TOLERANCE
