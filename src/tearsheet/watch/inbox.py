"""Statements dropped into watched folders: which of them are complete and not taken in yet."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from tearsheet.errors import InputError

#: Seconds that a file must lie unchanged before it is believed to be complete.
STABLE_AFTER_S = 0.75
_UNFINISHED = (".part", ".partial", ".tmp", ".crdownload", ".download", ".swp", ".lock")

FileSignature = tuple[int, int, int]


class _InboxFile(Struct):
    signature: FileSignature
    since: float
    done: bool = False


class Inbox:
    """Looks at folders of statements; a file that changes after it was taken in is given again.

    Hidden files and those named like unfinished downloads are passed over, and folders in them too.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = tuple(folders)
        self._known: dict[Path, _InboxFile] = {}

    @property
    def has_pending(self) -> bool:
        """Whether some file was seen that may not be complete yet."""
        return any(not seen.done for seen in self._known.values())

    def ready_files(self) -> Iterator[Path]:
        """Every file that lies unchanged since a while and was not taken in as it is. Raises InputError."""
        now = time.monotonic()
        present = {path: state for folder in self.folders for path, state in _files(folder)}
        self._known = {path: seen for path, seen in self._known.items() if path in present}
        for path, state in sorted(present.items()):
            seen = self._known.get(path)
            if seen is None or seen.signature != state:
                self._known[path] = _InboxFile(state, now)
            elif not seen.done and now - seen.since >= STABLE_AFTER_S:
                yield path

    def mark_done(self, path: Path) -> None:
        """Remember that a file was taken in, or cannot be, as it is."""
        self._known[path].done = True


def _files(folder: Path) -> Iterator[tuple[Path, FileSignature]]:
    try:
        entries = sorted(folder.iterdir())
    except FileNotFoundError:
        return  # it may appear later
    except OSError as error:
        raise InputError(
            f"the folder {folder} cannot be listed: {error.strerror or error}",
            "name a folder that can be read",
        ) from error
    for path in entries:
        if path.name.startswith((".", "~")) or path.name.lower().endswith(_UNFINISHED):
            continue
        try:
            info = path.stat()
        except OSError:
            continue  # it went away meanwhile
        if path.is_file() and info.st_size:
            yield path, (info.st_size, info.st_mtime_ns, info.st_ino)
