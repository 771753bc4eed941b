"""Which watcher acts: a lease kept in the ledger, so that there is one, and another when it dies."""

import os
import time
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from tearsheet.store.tables.ledger import Ledger

#: Seconds that a lease holds without being renewed.
TERM_S = 15.0
_KEY = "watcher"


class LeaseHolder(Struct, frozen=True):
    """A lease as it is kept: who holds it, where that process runs, and until when (epoch)."""

    holder: str
    place: str
    pid: int
    until: float


class LeaderLease:
    """This process's claim to be the one that acts on a ledger.

    A holder that dies is followed at once by one of the same machine, which sees that its process
    is gone, and by others when the lease runs out.
    """

    def __init__(self) -> None:
        self._holder = os.urandom(8).hex()

    def acquire(self, ledger: Ledger) -> LeaseHolder | None:
        """Hold the lease, renewed where half of it is over; else say who holds it. Raises StoreError."""
        held = _current_holder(ledger)
        if self._is_mine(held) and held is not None and held.until - time.time() > TERM_S / 2:
            return None
        if self._is_held_by_other(held):
            return held
        with ledger.writing():
            held = _current_holder(ledger)
            if self._is_held_by_other(held):
                return held
            self._renew(ledger, time.time() + TERM_S)
        return None

    def release(self, ledger: Ledger) -> None:
        """Let another one act. Raises StoreError."""
        if self._is_mine(_current_holder(ledger)):
            with ledger.writing():
                if self._is_mine(_current_holder(ledger)):
                    self._renew(ledger, 0)

    def _renew(self, ledger: Ledger, until: float) -> None:
        held = LeaseHolder(self._holder, _machine_id(), os.getpid(), until)
        ledger.put(_KEY, msgspec.json.encode(held).decode())

    def _is_mine(self, held: LeaseHolder | None) -> bool:
        return held is not None and held.holder == self._holder

    def _is_held_by_other(self, held: LeaseHolder | None) -> bool:
        if held is None or self._is_mine(held) or _is_dead(held):
            return False
        # one that ends far in the future was written by a clock that was wrong
        return time.time() < held.until <= time.time() + 2 * TERM_S


def _current_holder(ledger: Ledger) -> LeaseHolder | None:
    kept = ledger.get(_KEY)
    with suppress(msgspec.MsgspecError):
        return None if kept is None else msgspec.json.decode(kept, type=LeaseHolder)
    return None


def _machine_id() -> str:
    """Where a process id means one process: the machine as booted, and its space of process ids."""
    parts = [os.uname().nodename]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


def _is_dead(held: LeaseHolder) -> bool:
    if held.place != _machine_id():
        return False
    try:
        os.kill(held.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
