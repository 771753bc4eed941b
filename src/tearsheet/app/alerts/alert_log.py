"""What happened since a client last heard: alerts, as the alerts file tells them."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from tearsheet.errors import InputError

_CHUNK = 1 << 16


class AlertLine(Struct, frozen=True):
    """A line of the alerts file, whose alert it is, and where the line ends."""

    body: bytes
    account: str | None
    end: int


class _AlertHeader(Struct):
    account: str | None = None


def log_end(file: Path) -> int:
    """How long the alerts file is; 0 where there is none."""
    try:
        return file.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return 0


def read_since(file: Path, offset: int) -> Iterator[AlertLine]:
    """Every whole line of the alerts file after an offset; all of a file that was replaced.

    Raises InputError where the file cannot be read.
    """
    if offset > log_end(file):
        offset = 0
    rest = b""
    try:
        with file.open("rb") as opened:
            opened.seek(offset)
            while chunk := opened.read(_CHUNK):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    offset += len(line) + 1
                    if (whose := _parse_header(line)) is not None:
                        yield AlertLine(line, whose.account, offset)
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(
            f"the alerts file {file} cannot be read: {error.strerror or error}",
            "check the path and its permissions",
        ) from error


def _parse_header(line: bytes) -> _AlertHeader | None:
    try:
        return msgspec.json.decode(line, type=_AlertHeader)
    except msgspec.MsgspecError:
        return None  # the alerts' own reader tells of such lines
