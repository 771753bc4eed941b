"""Statements in watched folders that are complete and not imported yet."""

import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from tearsheet.errors import InputError

#: Seconds without a change after which a file is taken as complete.
STABLE_AFTER_S = 0.75
_UNFINISHED = (".part", ".partial", ".tmp", ".crdownload", ".download", ".swp", ".lock")
#: Subfolders are looked into so deep.
_DEPTH = 2

FileSignature = tuple[int, int, int]


class _InboxFile(Struct):
    signature: FileSignature
    since: float
    done: bool = False


class Inbox:
    """Scans folders of statements; a file that changes after its import is returned again.

    Hidden files and files named like unfinished downloads are skipped; empty files, links to nothing and files in
    subfolders are not, for a statement was to be there.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = tuple(folders)
        self._known: dict[Path, _InboxFile] = {}

    @property
    def has_pending(self) -> bool:
        """Whether a file may not be complete yet."""
        return any(not file.done for file in self._known.values())

    def ready_files(self) -> Iterator[Path]:
        """Yield the complete files that are not done. Raises InputError."""
        now = time.monotonic()
        present = {path: state for folder in self.folders for path, state in _files(folder)}
        self._known = {path: file for path, file in self._known.items() if path in present}
        for path, state in sorted(present.items()):
            file = self._known.get(path)
            if file is None or file.signature != state:
                self._known[path] = _InboxFile(state, now)
            elif not file.done and now - file.since >= STABLE_AFTER_S:
                yield path

    def mark_done(self, path: Path) -> None:
        """Mark the present content of a file as done."""
        self._known[path].done = True


def _files(folder: Path, depth: int = _DEPTH) -> Iterator[tuple[Path, FileSignature]]:
    try:
        entries = sorted(folder.iterdir())
    except FileNotFoundError:
        return  # it may appear later
    except OSError as error:
        raise InputError(
            f"the folder {folder} cannot be listed: {error.strerror or error}",
            "check the path and permissions",
        ) from error
    for path in entries:
        if path.name.startswith((".", "~")) or path.name.lower().endswith(_UNFINISHED):
            continue
        try:
            info = path.stat() if path.exists() else path.lstat()
        except OSError:
            continue  # removed since it was listed
        if stat.S_ISDIR(info.st_mode):
            if depth and not path.is_symlink():
                yield from _files(path, depth - 1)
        elif stat.S_ISREG(info.st_mode) or stat.S_ISLNK(info.st_mode):  # a pipe would be waited for
            yield path, (info.st_size, info.st_mtime_ns, info.st_ino)
