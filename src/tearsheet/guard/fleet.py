"""Guards of many accounts in one process: a thread for each, one request for all of their verdicts."""

import sys
import threading
from collections.abc import Callable, Iterable

from tearsheet.errors import TearsheetError
from tearsheet.guard.guard import Guard
from tearsheet.guard.shared_verdicts import SharedVerdicts
from tearsheet.guard.verdict import UntrustedResponseError

#: A guard asks by itself this many times later than the fleet wakes it, if the fleet does not.
OWN_POLL = 1.5


class Fleet:
    """Guards of accounts; with `discovers`, also of every account that the service judges later.

    `make_guard` opens the state file of an account and returns its guard. `failed_accounts` are those whose
    guard could not start or broke off.
    """

    def __init__(
        self,
        make_guard: Callable[[str], Guard],
        shared: SharedVerdicts,
        accounts: Iterable[str],
        every_s: float,
        *,
        discovers: bool,
    ) -> None:
        self._make_guard, self._shared = make_guard, shared
        self._every_s, self._discovers = every_s, discovers
        self.guards: dict[str, Guard] = {account: make_guard(account) for account in accounts}
        self._threads: dict[str, threading.Thread] = {}
        self._woken, self._ended = threading.Event(), threading.Event()
        self._once = False
        self.failed_accounts: dict[str, str] = {}

    def run(self, *, once: bool = False) -> None:
        """Guard until `end` is called or a guard breaks off; `once` polls every account one time.

        Raises StoreError if a state file cannot be written at the start.
        """
        self._once = once
        for guard in self.guards.values():
            guard.check_writable()
        try:
            while not self._ended.is_set():
                self._woken.clear()
                self._discover()
                self._start_threads()
                if once:
                    break
                for guard in self.guards.values():
                    guard.wake()
                self._woken.wait(self._every_s)
        finally:
            if not once:
                self._end_guards()
            for thread in self._threads.values():
                thread.join()

    def wake(self) -> None:
        """Poll soon; called for an event."""
        self._shared.expire()
        self._woken.set()

    def end(self) -> None:
        """Stop after the current commands; safe in a signal handler."""
        self._ended.set()
        self._woken.set()
        self._end_guards()

    def _end_guards(self) -> None:
        for guard in list(self.guards.values()):
            guard.end()

    def _discover(self) -> None:
        """Make a guard for each account that the service judges and nobody guards here yet."""
        try:
            found = self._shared.get()
        except UntrustedResponseError:  # each guard reports it
            return
        for account in sorted(found.keys() - self.guards.keys()) if self._discovers else ():
            try:
                guard = self._make_guard(account)
                guard.check_writable()
            except TearsheetError as error:  # tried again at the next poll
                if self.failed_accounts.get(account) != error.message:
                    sys.stderr.write(f"tearsheet guard: {account} is not guarded: {error.message}\n")
                self.failed_accounts[account] = error.message
            else:
                self.failed_accounts.pop(account, None)
                self.guards[account] = guard

    def _start_threads(self) -> None:
        for account, guard in self.guards.items():
            if account not in self._threads:
                thread = threading.Thread(target=self._run_guard, args=(account, guard), name=account)
                self._threads[account] = thread
                thread.start()

    def _run_guard(self, account: str, guard: Guard) -> None:
        """Run a guard; if it breaks off, end all, so that the supervisor starts them again."""
        self.failed_accounts[account] = "it broke off"
        try:
            guard.run(once=self._once)
            del self.failed_accounts[account]
        finally:  # the thread prints its exception
            if account in self.failed_accounts:
                self.end()
