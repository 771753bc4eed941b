"""Reader of the alerts file, for clients that poll it for new alerts."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from tearsheet.errors import InputError
from tearsheet.shared_files import read_lines


class AlertLine(Struct, frozen=True):
    """A line of the alerts file, the account of its alert, and the offset of its end."""

    body: bytes
    account: str | None
    end: int


class _AlertHeader(Struct):
    account: str | None = None


def read_since(file: Path, offset: int) -> Iterator[AlertLine]:
    """Yield the alerts after an offset of the alerts file; if the file was replaced, all of them.

    Invalid lines are skipped; `AlertEvaluator` logs them. Raises InputError.
    """
    try:
        for line, end in read_lines(file, offset):
            if (header := _parse_header(line)) is not None:
                yield AlertLine(line, header.account, end)
    except OSError as error:
        raise InputError(
            f"the alerts file {file} cannot be read: {error.strerror or error}",
            "check the path and its permissions",
        ) from error


def _parse_header(line: bytes) -> _AlertHeader | None:
    try:
        return msgspec.json.decode(line, type=_AlertHeader)
    except (msgspec.MsgspecError, RecursionError):
        return None
