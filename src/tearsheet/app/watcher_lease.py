"""The lease of the watcher that acts on a ledger, as it is stored there."""

import time
from contextlib import suppress

import msgspec
from msgspec import Struct

from tearsheet.performance.summary import PartialReason
from tearsheet.store.tables.ledger import Ledger

#: Seconds after which a lease that is not renewed expires.
TERM_S = 15.0
KEY = "watcher"
#: Name of the watcher among the sources, and code of its doubt.
WATCHER, WATCHER_GONE = "watcher", "watcher_gone"


class LeaseHolder(Struct, frozen=True):
    """Stored lease: its holder, the machine and process ID, its expiry, and the folders of statements that it reads.

    `until` is in epoch seconds, 0 when released.
    """

    holder: str
    place: str
    pid: int
    until: float
    folders: tuple[str, ...] = ()


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


def unread_folders(ledger: Ledger) -> list[PartialReason]:
    """Return that statements may lie unread, because the watcher that reads their folders died."""
    held, lapsed = current_holder(ledger), lapsed_for_s(ledger)
    if held is None or not held.folders or not lapsed:
        return []
    detail = (
        f"no sign of the watcher for {lapsed:.0f} s, so {', '.join(held.folders)} may have unread statements; "
        f"start it again; see `tearsheet sources forget {WATCHER}`"
    )
    return [PartialReason(WATCHER_GONE, detail)]
