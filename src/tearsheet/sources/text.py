"""Text of any origin: encodings, separators, and numbers as people and programs write them.

How a file writes numbers is decided once per file, never per cell: `1,234` is not guessed.
"""

import codecs
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from tearsheet.errors import FormatError
from tearsheet.trade.amount import parse_amount

DecimalMark = Literal[".", ","]
SEPARATORS = (",", ";", "\t")
_EMPTY = frozenset(("", "-", "--", "—", "–", "n/a", "N/A", "null", "None"))
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_PLAIN = re.compile(r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$")
_CURRENCY = re.compile(r"^[A-Z]{0,3}\$+|[€£¥₹]|\$+$|\b[A-Z]{3}$")
_POINT_EVIDENCE = re.compile(r"\d\.\d+$|^\D*\.\d+$")
_COMMA_EVIDENCE = re.compile(r"\d,\d+$")
_THOUSANDS = re.compile(r"^\d{1,3}(?:[,.'\u00a0\u202f ]\d{3})+(?:[.,]\d+)?$")


class NumberForm(Struct, frozen=True):
    """How a file writes numbers: its decimal mark."""

    mark: DecimalMark = "."

    def parse(self, text: str) -> Decimal | None:
        """The exact number of a cell, None for an empty one. Raises ValueError with a reason."""
        if self.mark == "." and _PLAIN.match(text):
            return parse_amount(text)
        bare = text.strip()
        if bare in _EMPTY:
            return None
        return parse_amount(self._normal(bare, text))

    def _normal(self, bare: str, text: str) -> str:
        """A number with sign in front, a point, and no signs of money or thousands."""
        bare = bare.replace("\u2212", "-").replace("@", "")
        negative = False
        if bare.startswith("(") and bare.endswith(")"):
            negative, bare = True, bare[1:-1].strip()
        bare = _CURRENCY.sub("", bare).strip()
        if bare.endswith("-"):
            negative, bare = not negative, bare[:-1].strip()
        if bare[:1] in ("-", "+"):
            negative, bare = negative != (bare[0] == "-"), bare[1:].strip()
        bare = _CURRENCY.sub("", bare).strip()
        if bare.startswith("(") and bare.endswith(")"):
            negative, bare = True, bare[1:-1].strip()
        if self.mark == ",":
            bare = bare.translate(_SWAPPED)
        if "," in bare or "'" in bare or " " in bare or "\u00a0" in bare or "\u202f" in bare:
            if not _THOUSANDS.match(bare):
                raise ValueError(f"is not a number, was {text!r}")
            whole, point, rest = bare.rpartition(".") if "." in bare else (bare, "", "")
            bare = re.sub(r"[^\d]", "", whole) + point + rest
        if not _PLAIN.match(bare):
            raise ValueError(f"is not a number, was {text!r}")
        return f"-{bare}" if negative else bare


_SWAPPED = str.maketrans(",.", ".,")


def encoding_of(head: bytes) -> str:
    """The encoding of a file by its first bytes: a byte order mark, UTF-8, else Windows-1252."""
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(head)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def separator_of(header: str) -> str:
    """The separator of a header line: the one that stands in it most."""
    return max(SEPARATORS, key=header.count)


def number_form(cells: Iterable[str], separator: str, file: str) -> NumberForm:
    """The form in which the numbers of a file are written, by all the cells given.

    One cell that can be read in one way only settles it. Raises FormatError where a file separated
    by semicolons has nothing but numbers like `1,234`, which may be thousands or decimals.
    """
    open_marks: set[str] = set()
    points = commas = False
    for cell in cells:
        bare = _CURRENCY.sub("", cell.strip().strip("()")).strip()
        if "," in bare and "." in bare:
            return NumberForm("," if bare.rindex(",") > bare.rindex(".") else ".")
        if _THOUSANDS.match(bare):
            open_marks |= {",", "."} & set(bare)
            continue
        points = points or bool(_POINT_EVIDENCE.search(bare))
        commas = commas or bool(_COMMA_EVIDENCE.search(bare))
    if commas and not points:
        return NumberForm(",")
    if open_marks and not points and separator == ";":
        raise FormatError(
            f"{file}: its numbers may have a decimal comma or thousands, such as 1,234 or 1.234",
            "write more decimals in one of them, or separate the columns by commas",
        )
    return NumberForm(".")
