"""Files of a log folder that are no log by their name, and may hold one: misnamed, rotated, packed, in a subfolder."""

import bz2
import gzip
import lzma
import os
import re
import stat
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import date
from functools import lru_cache
from io import BufferedIOBase
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from tearsheet.shared_files import open_regular

_UNFINISHED = r"(?<!\.tmp)(?<!\.part)(?<!\.swp)(?<!\.lock)(?<!~)"
#: Names that a log is given by mistake or by a rotation: another spelling of the date or the ending, a part before
#: or behind it, a packed copy. Unfinished copies are none.
_DATED = re.compile(
    r"(?P<before>[^.].*?)??(?<!\d)"
    r"(?:(?P<year>\d{4})[-_. ]?(?P<month>\d\d?)[-_. ]?(?P<day>\d\d?)"
    r"|(?P<first>\d\d?)[-_. ](?P<second>\d\d?)[-_. ](?P<last>\d{4}))(?!\d)(?P<after>.*)"
    rf"\.(?:jsonl?|ndjson|log)(?:\W.*)?{_UNFINISHED}",
    re.IGNORECASE,
)
#: Any name with the ending of JSON Lines, rotated or not.
_LINES = re.compile(rf"(?:[^.].*)?\.(?:jsonl|ndjson)(?:\W.*)?{_UNFINISHED}", re.IGNORECASE)
_ROTATED = re.compile(r"(\d{4}-\d\d-\d\d)\.jsonl(?:\W.+)?")
_OPENERS: Mapping[str, Callable[[BinaryIO], BufferedIOBase]] = {
    ".gz": lambda file: gzip.GzipFile(fileobj=file),
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
}
_PACKED = (*_OPENERS, ".zst", ".zip", ".7z")
#: What is read of a file to see whether its lines are trades.
_HEAD = 4096
_CHUNK = 1 << 20
#: Subfolders are looked into so deep, and so many of their files are looked at.
_DEPTH, _MOST = 3, 10_000


class OtherFile(Struct, frozen=True):
    """File that is no log by its name: its path below the log folder, size and modification time."""

    name: str
    size: int
    mtime_ns: int

    @property
    def place(self) -> str:
        """Return its name, of one in a subfolder that of the subfolder."""
        first, slash, _ = self.name.partition("/")
        return first + slash

    @property
    def days(self) -> tuple[date, date] | None:
        """Return the first and last day that its name may mean, None if it means none."""
        return _days(self.name.rpartition("/")[2])

    @property
    def day_of_log(self) -> date | None:
        """Return the day of the log that it was moved from, by its name; None for any other name."""
        found = _ROTATED.fullmatch(self.name.rpartition("/")[2])
        return None if found is None else _date(*found[1].split("-"))


def is_named_like_log(name: str) -> bool:
    """Return whether a file is worth a look by its name, which costs less than its state."""
    return _LINES.fullmatch(name) is not None or _DATED.fullmatch(name) is not None


def may_be_log(folder: Path, name: str, info: os.stat_result) -> bool:
    """Return whether a file beside the logs may hold one: it is dated like one, or its lines are trades."""
    if not (stat.S_ISREG(info.st_mode) or stat.S_ISLNK(info.st_mode)):  # a link to nothing
        return False
    if (found := _DATED.fullmatch(name)) is not None:
        # the dated `.log` of an application is none
        return not (found["before"] and ".log" in name[found.start("after") :].lower())
    return _LINES.fullmatch(name) is not None and _holds_trades(folder / name, info)


def files_below(folder: Path, name: str, depth: int = _DEPTH) -> Iterator[OtherFile]:
    """Yield the files in a subfolder that may hold logs; what cannot be listed is passed over."""
    with suppress(OSError), os.scandir(folder / name) as entries:
        for entry in islice(entries, _MOST):
            path = f"{name}/{entry.name}"
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                if depth > 1:
                    yield from files_below(folder, path, depth - 1)
            elif _LINES.fullmatch(entry.name) or _is_dated(entry.name):
                with suppress(OSError):
                    info = entry.stat()
                    if stat.S_ISREG(info.st_mode) and _holds_trades(folder / path, info):
                        yield OtherFile(path, info.st_size, info.st_mtime_ns)


def content_of(folder: Path, file: OtherFile, most: int) -> tuple[int, int] | None:
    """Return the length and checksum of a file's content, unpacked; None if it is unreadable or longer than `most`."""
    return _content(str(folder / file.name), file.size, file.mtime_ns, most)


def _is_dated(name: str) -> bool:
    found = _DATED.fullmatch(name)
    return found is not None and not found["before"]


def _holds_trades(path: Path, info: os.stat_result) -> bool:
    if path.name.lower().endswith(_PACKED):
        return True
    return _starts_with_trades(str(path), info.st_size, info.st_mtime_ns, info.st_ino)


@lru_cache(maxsize=_MOST)
def _starts_with_trades(path: str, size: int, mtime_ns: int, inode: int) -> bool:
    """Return whether the beginning of a file has the keys of a trade; one that cannot be read may hold anything."""
    try:
        with open_regular(Path(path)) as file:
            head = file.read(_HEAD)
    except OSError:
        return True
    return b'"symbol"' in head and b'"action"' in head


@lru_cache(maxsize=1000)
def _content(path: str, size: int, mtime_ns: int, most: int) -> tuple[int, int] | None:
    opener = _OPENERS.get(Path(path).suffix.lower())
    if opener is None and size > most:
        return None
    try:
        with open_regular(Path(path)) as plain:
            return _summed(opener(plain) if opener else plain, most)
    except (OSError, EOFError, lzma.LZMAError, zlib.error):
        return None


def _summed(file: BinaryIO | BufferedIOBase, most: int) -> tuple[int, int] | None:
    length = checksum = 0
    while chunk := file.read(_CHUNK):
        length += len(chunk)
        checksum = zlib.crc32(chunk, checksum)
        if length > most:
            return None
    return length, checksum


def _days(name: str) -> tuple[date, date] | None:
    """Return the first and last day that a name may mean: 02-03-2026 is in February or March."""
    found = _DATED.fullmatch(name)
    if found is None:
        return None
    if found["year"]:
        readings = [_date(found["year"], found["month"], found["day"])]
    else:
        ends = (found["first"], found["second"])
        readings = [_date(found["last"], *ends), _date(found["last"], *reversed(ends))]
    possible = [day for day in readings if day is not None]
    return (min(possible), max(possible)) if possible else None


def _date(year: str, month: str, day: str) -> date | None:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None
