"""Folder of trade logs: change detection and incremental reading.

Reading continues at the saved offset if the bytes before it are unchanged; otherwise it starts over.
"""

import os
import zlib
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from hashlib import blake2b
from operator import attrgetter
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from tearsheet.errors import InputError
from tearsheet.sources.trade_logs.other_files import OtherFile, files_below, is_named_like_log, may_be_log
from tearsheet.sources.trade_logs.trade_log import LogChunk, read_chunk

_SUFFIX = ".jsonl"
_NAME_LENGTH = len("2026-01-31.jsonl")
_CHUNK = 8 << 20
_TAIL = 4096
_name = attrgetter("name")


class LogFile(Struct, frozen=True, gc=False):
    """Log file with its size, modification time and inode."""

    name: str
    size: int
    mtime_ns: int
    inode: int

    @property
    def day(self) -> date:
        """Return the date in the file name."""
        return date.fromisoformat(self.name[: -len(_SUFFIX)])


class LogReadPosition(Struct, frozen=True):
    """Read position in a file: bytes, complete lines, checksum of all bytes and digest of the last ones."""

    offset: int = 0
    lines: int = 0
    checksum: int = 0
    tail: str = ""
    complete: bool = True


class FolderListing(Struct, frozen=True):
    """Log files of a folder, and the others in it and its subfolders that may hold logs; both by name."""

    logs: list[LogFile] = []
    others: list[OtherFile] = []

    @property
    def signature(self) -> str:
        """Return a digest that changes with any of the files."""
        states = [f"{file.name} {file.size} {file.mtime_ns} {file.inode}" for file in self.logs]
        states += [f"{file.name} {file.size} {file.mtime_ns}" for file in self.others]
        return blake2b("\n".join(states).encode(), digest_size=16).hexdigest()


def list_folder(folder: Path) -> FolderListing:
    """List a folder, with one call of stat for each file, because every query begins with it.

    A missing folder has no logs. Raises InputError if the folder cannot be listed.
    """
    logs, others = [], []
    for name, info in _list_files(folder):
        if isinstance(info, OtherFile):
            others.append(info)
        else:
            logs.append(LogFile(name, info.st_size, info.st_mtime_ns, info.st_ino))
    return FolderListing(sorted(logs, key=_name), sorted(others, key=_name))


def _list_files(folder: Path) -> Iterator[tuple[str, os.stat_result | OtherFile]]:
    """Yield the log files with their state, and the other files that may hold logs."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                if len(name) == _NAME_LENGTH and name.endswith(_SUFFIX) and _is_dated(name):
                    try:
                        yield name, entry.stat()
                    except FileNotFoundError:
                        if entry.is_symlink():  # to nothing; else deleted since the folder was listed
                            yield name, OtherFile(name, 0, 0)
                elif is_named_like_log(name) and not entry.is_dir():
                    with suppress(OSError):
                        info = entry.stat(follow_symlinks=entry.is_file())
                        if may_be_log(folder, name, info):
                            yield name, OtherFile(name, info.st_size, info.st_mtime_ns)
                elif not name.startswith(".") and entry.is_dir():
                    for file in files_below(folder, name):
                        yield file.name, file
    except FileNotFoundError:
        if folder.is_symlink():
            raise InputError(
                f"the log folder {folder} is a link to a folder that is not there", "mount it"
            ) from None
        return
    except OSError as error:
        raise InputError(
            f"the log folder {folder} cannot be listed: {error.strerror or error}", "check TEARSHEET_LOG_DIR"
        ) from error


def _is_dated(name: str) -> bool:
    try:
        date.fromisoformat(name[: -len(_SUFFIX)])
    except ValueError:
        return False
    return name[4] == name[7] == "-"


def is_appended(file: BinaryIO, state: LogFile, so_far: LogReadPosition, same_inode: bool) -> bool:
    """Return whether the bytes that were read are still the beginning of the file.

    For a larger file with the same inode, only the last bytes read are compared. If the inode differs or
    the size is not larger, the checksum of all bytes read is compared.
    """
    if state.size < so_far.offset:
        return False
    if same_inode and state.size > so_far.offset:
        return _tail(file, so_far.offset) == so_far.tail
    file.seek(0)
    return _checksum(file, so_far.offset) == so_far.checksum


def read_new(
    file: BinaryIO, name: str, day: date | None, so_far: LogReadPosition
) -> Iterator[tuple[LogChunk, LogReadPosition]]:
    """Read a file from the saved position to its end, in chunks of 8 MiB."""
    file.seek(so_far.offset)
    buffer = b""
    while True:
        chunk = file.read(_CHUNK)
        at_end = len(chunk) < _CHUNK
        buffer += chunk
        part = read_chunk(buffer, file=name, day=day, first_line=so_far.lines + 1, last=at_end)
        so_far = LogReadPosition(
            offset=so_far.offset + part.used_bytes,
            lines=so_far.lines + part.ended_lines,
            checksum=zlib.crc32(buffer[: part.used_bytes], so_far.checksum),
            tail=so_far.tail,
            complete=part.complete,
        )
        buffer = buffer[part.used_bytes :]
        if at_end:
            yield part, _with_tail_digest(file, so_far)
            return
        yield part, so_far


def prefix_matches(file: BinaryIO, so_far: LogReadPosition) -> bool:
    """Return whether all bytes that were read are unchanged."""
    file.seek(0)
    return _checksum(file, so_far.offset) == so_far.checksum


def _with_tail_digest(file: BinaryIO, so_far: LogReadPosition) -> LogReadPosition:
    return LogReadPosition(
        so_far.offset, so_far.lines, so_far.checksum, _tail(file, so_far.offset), so_far.complete
    )


def _tail(file: BinaryIO, offset: int) -> str:
    start = max(0, offset - _TAIL)
    file.seek(start)
    return blake2b(file.read(offset - start), digest_size=8).hexdigest()


def _checksum(file: BinaryIO, length: int) -> int:
    checksum, left = 0, length
    while left > 0:
        chunk = file.read(min(_CHUNK, left))
        if not chunk:
            return -1
        checksum = zlib.crc32(chunk, checksum)
        left -= len(chunk)
    return checksum
