"""Files that several processes read and write: atomic replacement, exclusive locks, append-only lines.

Needs the standard library only, since the guard uses it too. Every function raises OSError.
"""

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_CHUNK = 1 << 16
_LOCK_POLL_S = 0.025


def replace_file(path: Path, data: bytes, mode: int = 0o666, *, durable: bool = True) -> None:
    """Replace a file atomically by data."""
    with replacing(path, mode, durable=durable) as file:
        file.write(data)


@contextmanager
def replacing(path: Path, mode: int = 0o666, *, durable: bool = True) -> Iterator[BinaryIO]:
    """Replace a file atomically by what the block writes: into a temporary file beside it, which is then renamed.

    `mode` is that of a new file, less the umask; `durable` waits until file and folder are on the disk.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}.{os.urandom(4).hex()}.tmp"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor has no path
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    if durable:
        _fsync_folder(path.parent)


@contextmanager
def exclusive_lock(path: Path, *, timeout_s: float = 0.0, mode: int = 0o666) -> Iterator[bool]:
    """Lock a file, created if missing, until the block or the process ends; yield False if another holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, mode)
    try:
        yield _try_lock(descriptor, timeout_s)
    finally:
        os.close(descriptor)


def file_size(path: Path) -> int:
    """Return the size of a file, 0 if it is missing."""
    try:
        return path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return 0


def read_lines(path: Path, offset: int = 0) -> Iterator[tuple[bytes, int]]:
    """Yield each complete line after an offset, without its line break, and the offset of its end.

    A file shorter than the offset was replaced, so it is read from its start; a missing file has no lines.
    """
    size = file_size(path)
    if size in (0, offset):
        return
    end, rest = (offset if offset < size else 0), b""
    with path.open("rb") as file:
        file.seek(end)
        while chunk := file.read(_CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                end += len(line) + 1
                yield line, end


def read_last_lines(path: Path, size: int = _CHUNK) -> Iterator[bytes]:
    """Yield the lines in the last `size` bytes of a file, newest first; the first and last may be partial."""
    if not file_size(path):
        return
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - size))
        lines = file.read().removesuffix(b"\n").split(b"\n")
    yield from reversed(lines)


def append_lines(path: Path, lines: Iterable[bytes]) -> int:
    """Append whole lines durably, and return the file's new size.

    After a crash the file may end in a partial line; it is terminated first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    data = b"".join(line + b"\n" for line in lines)
    with path.open("a+b") as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                data = b"\n" + data
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
        return file.tell()


def _try_lock(descriptor: int, timeout_s: float) -> bool:
    until = time.monotonic() + timeout_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(_LOCK_POLL_S)
        else:
            return True


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading. Raises OSError for anything else: opening a named pipe would wait for ever."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is no file")
        return os.fdopen(descriptor, "rb")
    except OSError:
        os.close(descriptor)
        raise
