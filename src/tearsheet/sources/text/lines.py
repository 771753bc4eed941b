"""Lines of a text file of any size; undecodable and overlong lines are flagged, never dropped."""

import codecs
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

#: In characters; a longer line is cut, and its rest is skipped without being held in memory.
LONGEST_LINE = 1_000_000
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_MARKING = "tearsheet.marking"


def is_text(text: str) -> bool:
    """Return whether a text has no NUL and no lone surrogate, which databases and JSON cannot store."""
    return _NO_TEXT.search(text) is None


def truncate(text: str, length: int) -> str:
    """Return the start of a text; NUL and lone surrogates become escape codes."""
    start = text if len(text) <= length else f"{text[:length]}…"
    return start.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


class Lines:
    """Iterator over the lines of a file.

    `has_invalid` and `has_truncated` stay set for a line that is not text or too long, until the
    caller clears them.
    """

    def __init__(self, path: Path, encoding: str) -> None:
        self._raw: BinaryIO = path.open("rb")
        self._text = io.TextIOWrapper(self._raw, encoding=encoding, errors=_MARKING, newline="")
        self.has_invalid = False
        self.has_truncated = False

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, *error: object) -> None:
        self._text.close()

    def __iter__(self) -> Iterator[str]:
        readline = self._text.readline
        while line := readline(LONGEST_LINE + 1):
            if len(line) > LONGEST_LINE and line[-1] not in "\r\n":
                self._skip_rest()
            if "\0" in line or not (line.isascii() or is_text(line)):
                self.has_invalid = True
            yield line

    def position(self) -> int:
        """Return the number of bytes that have been read."""
        return self._raw.tell()

    def _skip_rest(self) -> None:
        self.has_truncated = True
        while (rest := self._text.readline(LONGEST_LINE)) and rest[-1] not in "\r\n":
            pass


def _mark_undecodable(error: UnicodeError) -> tuple[str, int]:
    """Replace undecodable bytes by lone surrogates, in any encoding.

    The standard `surrogateescape` does it for bytes above 127 only, which UTF-16 is not made of.
    """
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(_MARKING, _mark_undecodable)
