"""The lines of a text file of any size: what is no text or far too long is marked, never dropped."""

import codecs
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

#: In characters; a line beyond is cut, and its rest is passed over without being kept.
LONGEST_LINE = 1_000_000
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_MARKING = "tearsheet.marking"


def is_text(text: str) -> bool:
    """Whether a text bears neither NUL nor half a character, which nothing can store or send."""
    return _NO_TEXT.search(text) is None


def truncate(text: str, length: int) -> str:
    """The beginning of a text that can be stored and printed: what is no text stands as its codes."""
    begin = text if len(text) <= length else f"{text[:length]}…"
    return begin.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


class Lines:
    """Iterates over the lines of a file. `odd` says that a line was no text, `cut` that one was
    too long, since the reader last took the marks away."""

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
        """How many bytes of the file have been read."""
        return self._raw.tell()

    def _skip_rest(self) -> None:
        self.has_truncated = True
        while (rest := self._text.readline(LONGEST_LINE)) and rest[-1] not in "\r\n":
            pass


def _mark_undecodable(error: UnicodeError) -> tuple[str, int]:
    """Half characters in place of bytes that cannot be decoded, in any encoding.

    The standard `surrogateescape` does it for bytes above 127 only, which UTF-16 is not made of.
    """
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(_MARKING, _mark_undecodable)
