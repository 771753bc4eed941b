"""Encodings, separators and number formats of files.

How a file writes numbers is decided once per file, never per cell: `1,234` is not guessed.
"""

import codecs
import re
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from tearsheet.errors import FormatError
from tearsheet.trade.amount import parse_amount

DecimalMark = Literal[".", ","]
SEPARATORS = (",", ";", "\t", "|")
#: Longest number; the patterns may take time by the square of the length.
_LONGEST = 100
#: Of so many bytes, so many are 0 where half of them are the upper halves of Latin letters.
_FEW, _MOST = 8, 0.8
_EMPTY = frozenset(("", "-", "--", "—", "–", "n/a", "N/A", "null", "None"))
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_PLAIN = re.compile(r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$")
#: Currency codes allowed next to a number. Coins are not: a fee in BNB is not a fee in dollars.
_CODES = (
    "USD|EUR|GBP|JPY|CHF|CAD|AUD|NZD|BRL|SEK|NOK|DKK|PLN|CZK|HUF|RON|TRY|ILS|HKD|SGD|TWD|THB|INR|ZAR"
    "|MXN|KRW|CNY|RUB"
)
_SIGNS = "€£¥₹₩₺₪₽฿"
_MONEY_BEFORE = re.compile(rf"^(?:[A-Z]{{0,3}}\$+|[{_SIGNS}@]|(?:Rs\.?|Fr\.?)(?=\s|\d)|(?:{_CODES})\b)\s*")
_MONEY_AFTER = re.compile(rf"\s*(?:\$+|[{_SIGNS}]|\b(?:{_CODES}|kr\.?|zł|Kč))$")
#: Thousands separators: apostrophes, and no-break and thin spaces; commas are added where used.
_BETWEEN = "'\u2019\u00a0\u2009\u202f "
_GROUPS = re.compile(rf"^[1-9][0-9]{{0,2}}(?:[,{_BETWEEN}][0-9]{{3}})+(?:\.[0-9]+)?$")
#: 12,34,567: lakhs and crores are in twos.
_INDIAN = re.compile(r"^[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}(?:\.[0-9]+)?$")
_OPEN = re.compile(r"^[1-9][0-9]{0,2}[,.][0-9]{3}$")
_NOT_A_DIGIT = re.compile(r"[^0-9.]")
_SWAPPED = str.maketrans(",.", ".,")
#: A number with a coin or currency behind it.
_UNIT = re.compile(
    r"^(?P<number>[-+(]?[\d.,' \u00a0]*\d(?:[eE][-+]?\d+)?\)?)\s*(?P<unit>[A-Z][A-Z0-9]{1,9})$"
)


class NumberFormat(Struct, frozen=True):
    """Number format of a file: its decimal mark."""

    decimal_mark: DecimalMark = "."

    def parse(self, text: str) -> Decimal | None:
        """Return the exact number of a cell, None for an empty cell. Raises ValueError with a reason."""
        if len(text) > _LONGEST:
            raise ValueError(f"is not a number, was {text[:_LONGEST]!r}…")
        if self.decimal_mark == "." and _PLAIN.match(text):
            return parse_amount(text)
        bare = text.strip()
        if bare in _EMPTY:
            return None
        return parse_amount(self._normal(bare, text))

    def sign_of(self, text: str) -> int:
        """Return -1 for a number below 0, 1 above; 0 for 0, an empty cell and other texts."""
        try:
            number = self.parse(text)
        except ValueError:
            return 0
        return (number > 0) - (number < 0) if number is not None else 0

    def _normal(self, bare: str, text: str) -> str:
        """Return a number with its sign in front, a decimal point, no currency and no thousands separators."""
        signs, bare = _strip_wrapping(bare)
        if self.decimal_mark == ",":
            bare = bare.translate(_SWAPPED)
        if _GROUPS.match(bare) or _INDIAN.match(bare):
            bare = _NOT_A_DIGIT.sub("", bare)
        # Two signs, as in (-5), may mean either; a third thing is no number at all.
        if len(signs) > 1 or not _PLAIN.match(bare):
            raise ValueError(f"is not a number, was {text!r}")
        return f"-{bare}" if signs == "-" else bare


def encoding_of(head: bytes) -> str:
    """Detect an encoding by the first bytes: byte order mark, every other byte 0 (UTF-16), UTF-8,
    else Windows-1252."""
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name
    for name, half in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        if len(half) > _FEW and half.count(0) > len(half) * _MOST:
            return name
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(head)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def separator_of(header: str) -> str:
    """Return the most frequent separator of a header line."""
    return max(SEPARATORS, key=header.count)


def split_unit(text: str) -> tuple[str, str]:
    """Split a number and the code of the coin or currency behind it."""
    if len(text) > _LONGEST:
        return text, ""
    match = _UNIT.match(text) if text[-1:].isalnum() and not text[-1:].isdigit() else None
    return (match["number"].strip(), match["unit"]) if match else (text, "")


def detect_number_format(
    sample: Iterable[str], everything: Iterable[str], separator: str, file: str
) -> NumberFormat:
    """Detect the number format of a file.

    The cells of the sample vote; where none of them can be read in one way only, the first such
    cell of the whole file decides. Raises FormatError where a file that is not separated by commas
    has nothing but numbers like `1,234`, which may be thousands or decimals.
    """
    votes = Counter(filter(None, map(_decimal_mark_of, sample)))
    if votes:
        return NumberFormat("," if votes[","] > votes["."] else ".")
    doubts: set[str] = set()
    for cell in everything:
        if "." not in cell and "," not in cell:
            continue
        if mark := _decimal_mark_of(cell):
            return NumberFormat(mark)
        bare = _strip_wrapping(cell[:_LONGEST].strip())[1]
        if _OPEN.match(bare):
            doubts |= {",", "."} & set(bare)
    if (separator != "," and "," in doubts) or (separator == ";" and doubts):
        raise FormatError(
            f"{file}: ambiguous numbers such as 1,234 or 1.234",
            "set --decimal-mark point or --decimal-mark comma",
        )
    return NumberFormat(".")


def _decimal_mark_of(cell: str) -> DecimalMark | None:
    """Return the decimal mark that a cell proves; None for cells such as 12 and 1,234."""
    if len(cell) > _LONGEST or not ("." in cell or "," in cell):
        return None
    bare = _strip_wrapping(cell.strip())[1]
    points, commas = bare.count("."), bare.count(",")
    if not (points or commas) or bare.strip(f"0123456789.,{_BETWEEN}"):
        return None
    if points and commas:
        return "," if bare.rindex(",") > bare.rindex(".") else "."
    if points > 1 or commas > 1:
        return "," if points else "."
    return None if _OPEN.match(bare) else "," if commas else "."


def _strip_wrapping(bare: str) -> tuple[str, str]:
    """Return the signs of a number, and the number without signs and currency."""
    bare, signs, before = bare.replace("\u2212", "-"), "", ""
    while bare != before:
        before = bare
        bare = _MONEY_AFTER.sub("", _MONEY_BEFORE.sub("", bare, 1), 1).strip()
        if bare.startswith("(") and bare.endswith(")"):
            signs, bare = signs + "-", bare[1:-1].strip()
        elif bare[:1] in ("-", "+"):
            signs, bare = signs + bare[0], bare[1:].strip()
        elif bare.endswith("-"):
            signs, bare = signs + "-", bare[:-1].strip()
    return signs, bare
