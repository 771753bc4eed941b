"""When somebody last asked for an account's verdict: a guard that does not ask guards nothing."""

from datetime import UTC, datetime, timedelta

import msgspec

from tearsheet.tracker.tracking import PerformanceTracker
from tearsheet.tracker.verdicts import verdicts_of

_KEY = "verdict_asked"
#: Stands for every account, where a question names none.
EVERY = ""
_MINUTE = timedelta(minutes=1)


def note_asked(tracker: PerformanceTracker, account: str, patience_s: float) -> None:
    """Remember that somebody asked now. Raises StoreError."""
    with tracker.ledger.patience(patience_s), tracker.ledger.writing():
        asked = _asked(tracker) | {account: tracker.now.timestamp()}
        tracker.ledger.put(_KEY, msgspec.json.encode(asked).decode())


def last_asked(tracker: PerformanceTracker, began: datetime) -> dict[str, datetime]:
    """When each account with limits was last asked about; where never, when the service began.

    Raises StoreError.
    """
    asked = _asked(tracker)
    found = {}
    for one in verdicts_of(tracker).all():
        at = max(asked.get(one.account, 0.0), asked.get(EVERY, 0.0))
        found[one.account] = datetime.fromtimestamp(at, UTC) if at else began
    return found


def absent_guards(tracker: PerformanceTracker, began: datetime) -> dict[str, int]:
    """The accounts about which nobody asked for too long, and for how many minutes. Raises StoreError."""
    most = tracker.settings.guard_absent_minutes
    if not most:
        return {}
    ages = {name: tracker.now - at for name, at in last_asked(tracker, began).items()}
    return {name: age // _MINUTE for name, age in ages.items() if age >= most * _MINUTE}


def _asked(tracker: PerformanceTracker) -> dict[str, float]:
    return msgspec.json.decode(tracker.ledger.get(_KEY) or "{}", type=dict[str, float])
