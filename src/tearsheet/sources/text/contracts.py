"""Instruments as brokers write them in pieces: options by strike and expiry, coins in pairs, prices in fractions."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from tearsheet.sources.text.problem import RowError
from tearsheet.trade.amount import exact

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAY_MONTH_YEAR = re.compile(r"^(\d{1,2})[ -]?([A-Z]{3})[ -]?(\d{4}|\d\d)$")
_ISO = re.compile(r"^(\d{4})-?(\d\d)-?(\d\d)$")
_SHORT = re.compile(r"^\d{6}$")
_SLASHES = re.compile(r"^(\d{1,2})[/-](\d{1,2})[/-](\d{4}|\d\d)$")
_RIGHTS = {"C": "C", "CALL": "C", "P": "P", "PUT": "P"}
_THOUSAND = Decimal(1000)
#: 110'16 and 110 040: points and 32nds, a third digit are quarters of one; 450'2: eighths.
_FRACTION = re.compile(r"^(?P<sign>-?)(?P<points>\d+)['\- ](?P<part>\d{1,3})$")
_QUARTERS = {"": Decimal(0), "0": Decimal(0), "2": Decimal("0.25"), "5": Decimal("0.5"), "7": Decimal("0.75")}
_OCC_EXPIRY = re.compile(r"^[A-Z]{1,6}\d? *(\d{6})[CP]\d{8}$")
_PAIR = re.compile(r"^([A-Z0-9]{1,12})[-/]([A-Z0-9]{2,10})$")


def option_symbol(pieces: Mapping[str, str], forms: Sequence[str]) -> str:
    """The OCC symbol of an option given as underlying, expiry, strike and right. Raises RowError."""
    root = pieces.get("underlying", "") or pieces.get("symbol", "")
    root = root.upper().lstrip(".")
    right = _RIGHTS.get(pieces.get("right", "").upper())
    expiry = _expiry(pieces.get("expiry", "").upper(), forms)
    strike = _strike(pieces.get("strike", ""))
    if right is None or expiry is None or strike is None or not re.fullmatch(r"[A-Z]{1,6}\d?", root):
        said = " ".join(pieces.get(p, "") for p in ("underlying", "expiry", "strike", "right"))
        raise RowError(
            "unknown_instrument",
            f"the option is not understood: {said.strip()!r}",
            "write its 21-character OCC symbol in the generic format",
        )
    return f"{root:<6}{expiry:%y%m%d}{right}{strike:08d}"


def expiry_of(symbol: str) -> date | None:
    """The day on which an option expires, by its OCC symbol; None for other symbols."""
    found = _OCC_EXPIRY.search(symbol)
    return _expiry(found[1], ()) if found else None


def coin_pair(symbol: str, quotes: Sequence[str]) -> tuple[str, str]:
    """Base and quote of a pair: BTC/USDT, BTC-USDT, or joined; the quote has to be one
    of those named, if any are."""
    text = symbol.strip().upper()
    if found := _PAIR.match(text):
        return (found[1], found[2]) if not quotes or found[2] in quotes else ("", "")
    for quote in sorted(quotes, key=len, reverse=True):
        if text.endswith(quote) and len(text) > len(quote) and text.isalnum():
            return text[: -len(quote)], quote
    return "", ""


def fraction_price(text: str) -> Decimal | None:
    """The price that a text states in 32nds or eighths; None where it is no fraction. Raises RowError."""
    found = _FRACTION.match(text.strip())
    if found is None:
        return None
    part = found["part"]
    with exact():
        if len(part) == 1:
            parts, most = Decimal(part) / 8, 1
        else:
            quarter = _QUARTERS.get(part[2:])
            parts, most = (Decimal(part[:2]) + (quarter or 0)) / 32, 1
            if quarter is None:
                parts = Decimal(most)
        if parts >= most:
            raise RowError(
                "bad_number",
                f"price is no fraction, was {text!r}",
                "32nds are 00 to 31 and a quarter (0, 2, 5, 7); eighths are 0 to 7",
            )
        value = Decimal(found["points"]) + parts
        return -value if found["sign"] else value


def _expiry(text: str, forms: Sequence[str]) -> date | None:
    try:
        if (found := _DAY_MONTH_YEAR.match(text)) and found[2] in _MONTHS:
            return date(_year(found[3]), _MONTHS.index(found[2]) + 1, int(found[1]))
        if found := _ISO.match(f"20{text}" if _SHORT.match(text) else text):
            return date(int(found[1]), int(found[2]), int(found[3]))
        if "month-first" in forms and (found := _SLASHES.match(text)):
            return date(_year(found[3]), int(found[1]), int(found[2]))
    except ValueError:
        return None
    return None


def _year(digits: str) -> int:
    return int(digits) if len(digits) == 4 else 2000 + int(digits)


def _strike(text: str) -> int | None:
    """A strike in thousandths."""
    try:
        thousandths = Decimal(text.strip().lstrip("$").replace(",", "")) * _THOUSAND
        if 0 < thousandths < 10**8 and thousandths == thousandths.to_integral_value():
            return int(thousandths)
    except ArithmeticError:
        return None
    return None
