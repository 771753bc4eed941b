"""Wakes a watcher when a folder changes: by file system events, or by polling."""

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

#: Seconds between two polls with file system events, and without them.
SLOW_S, FAST_S = 1.0, 0.2
#: Milliseconds within which changes are one event, and between two polls of the event queue.
_DEBOUNCE_MS, _STEP_MS = 40, 10


class FolderEvents:
    """Waits for changes of folders, including folders that do not exist yet.

    Events only wake the watcher, which compares the folders with the ledger itself. A lost event, or a network
    file system without events, costs a second and no more.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(dict.fromkeys(folders))
        self._changed = threading.Event()
        self._ended = threading.Event()
        self._has_events = False
        self._thread = threading.Thread(target=self._listen, name="folder-events", daemon=True)

    def wait(self, *, in_a_hurry: Callable[[], bool]) -> Iterator[None]:
        """Yield now, at each change, and after a pause without one; until `close` is called."""
        self._thread.start()
        while not self._ended.is_set():
            self._changed.clear()
            yield
            self._changed.wait(FAST_S if in_a_hurry() or not self._has_events else SLOW_S)
        self._thread.join(timeout=5)

    def close(self) -> None:
        """Stop waiting; safe in a signal handler."""
        self._ended.set()
        self._changed.set()

    def _listen(self) -> None:
        from watchfiles import watch  # loaded by the watcher only

        while not self._ended.is_set():
            listened = self._existing()
            self._has_events = len(listened) == len(self._folders)
            if listened:
                try:
                    for changes in watch(
                        *{path for path, _, _ in listened},
                        stop_event=self._ended,
                        recursive=False,
                        debounce=_DEBOUNCE_MS,
                        step=_STEP_MS,
                        rust_timeout=500,
                        yield_on_timeout=True,
                        raise_interrupt=False,
                        watch_filter=None,
                    ):
                        if changes:
                            self._changed.set()
                        if self._existing() != listened:
                            break  # a folder appeared or was replaced
                except (OSError, RuntimeError):  # events are unavailable
                    self._has_events = False
            self._ended.wait(SLOW_S)

    def _existing(self) -> list[tuple[Path, int, int]]:
        found = []
        for folder in self._folders:
            try:
                info = folder.stat()
            except OSError:
                continue
            found.append((folder, info.st_dev, info.st_ino))
        return found
