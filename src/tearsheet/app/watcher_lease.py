"""The lease of the watcher that acts on a ledger, as it is stored there."""

import time
from contextlib import suppress

import msgspec
from msgspec import Struct

from tearsheet.store.tables.ledger import Ledger

#: Seconds after which a lease that is not renewed expires.
TERM_S = 15.0
KEY = "watcher"


class LeaseHolder(Struct, frozen=True):
    """Stored lease: its holder, the machine and process ID, and its expiry (epoch seconds; 0 when released)."""

    holder: str
    place: str
    pid: int
    until: float


def current_holder(ledger: Ledger) -> LeaseHolder | None:
    """Return the stored lease; None before the first watcher."""
    stored = ledger.get(KEY)
    with suppress(msgspec.MsgspecError):
        return None if stored is None else msgspec.json.decode(stored, type=LeaseHolder)
    return None


def lapsed_for_s(ledger: Ledger) -> float:
    """Return for how many seconds a watcher that did not end in order has not renewed its lease; else 0."""
    held = current_holder(ledger)
    if held is None or not held.until:
        return 0.0
    return max(0.0, time.time() - held.until - TERM_S)
