"""Leader election for watchers, using a lease stored in the ledger."""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from tearsheet.app.watcher_lease import KEY, TERM_S, LeaseHolder, current_holder
from tearsheet.store.tables.ledger import Ledger


class LeaderLease:
    """This process's claim to be the leader of a ledger.

    If the leader dies, a watcher on the same machine takes over immediately, since it sees that the process is
    gone; watchers on other machines do so when the lease expires.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._holder = os.urandom(8).hex()
        #: the folders of statements that it reads as the leader
        self.folders = tuple(map(str, folders))

    def acquire(self, ledger: Ledger) -> LeaseHolder | None:
        """Acquire or renew the lease, or return its other holder. Raises StoreError."""
        held = current_holder(ledger)
        if self._is_mine(held) and held is not None and held.until - time.time() > TERM_S / 2:
            return None
        if self._is_held_by_other(held):
            return held
        with ledger.writing():
            held = current_holder(ledger)
            if self._is_held_by_other(held):
                return held
            self._renew(ledger, time.time() + TERM_S)
        return None

    def release(self, ledger: Ledger) -> None:
        """Release the lease. Raises StoreError."""
        if self._is_mine(current_holder(ledger)):
            with ledger.writing():
                if self._is_mine(current_holder(ledger)):
                    self._renew(ledger, 0)

    def _renew(self, ledger: Ledger, until: float) -> None:
        held = LeaseHolder(self._holder, _machine_id(), os.getpid(), until, self.folders)
        ledger.put(KEY, msgspec.json.encode(held).decode())

    def _is_mine(self, held: LeaseHolder | None) -> bool:
        return held is not None and held.holder == self._holder

    def _is_held_by_other(self, held: LeaseHolder | None) -> bool:
        if held is None or self._is_mine(held) or _is_dead(held):
            return False
        # a lease that ends far in the future was written by a wrong clock
        return time.time() < held.until <= time.time() + 2 * TERM_S


def _machine_id() -> str:
    """Return what makes a process ID unique: the booted machine and its PID namespace."""
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
