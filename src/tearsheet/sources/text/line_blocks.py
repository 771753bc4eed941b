"""Lines of a text file in blocks, as long as they are plain: one kind of end, none too long, nothing undecodable."""

import io
from collections.abc import Iterator
from pathlib import Path

from tearsheet.sources.text.lines import LONGEST_LINE, is_text

_BLOCK = 1 << 20


class LineBlocks:
    """Iterator over blocks of lines, without their ends; it ends early before a block that is not plain."""

    def __init__(self, path: Path, encoding: str) -> None:
        self._path, self._encoding = path, encoding
        self.bytes_read = 0
        #: whether it came to the end of the file
        self.has_all = False

    def __iter__(self) -> Iterator[list[str]]:
        left = ""
        with (
            self._path.open("rb") as raw,
            io.TextIOWrapper(raw, self._encoding, errors="strict", newline="") as file,
        ):
            while text := _decoded(file):
                block = (left + text).replace("\r\n", "\n")
                whole, end, left = block.rpartition("\n")
                if "\r" in block.removesuffix("\r") or not is_text(block) or len(left) > LONGEST_LINE:
                    return
                self.bytes_read = raw.tell()
                if end:
                    yield whole.split("\n")
            if text is not None and not left.endswith("\r"):
                if left:
                    yield [left]
                self.has_all = True


def _decoded(file: io.TextIOWrapper) -> str | None:
    """Return the next text of a file, empty at its end, None where it cannot be decoded."""
    try:
        return file.read(_BLOCK)
    except UnicodeError:
        return None
