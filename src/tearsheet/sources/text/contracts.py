"""Option symbols from their parts, coin pairs, and prices in fractions, as brokers write them."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

from tearsheet.sources.text.problem import RowError
from tearsheet.trade.amount import ONE, exact, to_plain_string
from tearsheet.trade.instrument import Instrument

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAY_MONTH_YEAR = re.compile(r"^(\d{1,2})[ -]?([A-Z]{3})[ -]?(\d{4}|\d\d)$")
_ISO = re.compile(r"^(\d{4})-?(\d\d)-?(\d\d)$")
_SHORT = re.compile(r"^\d{6}$")
_SLASHES = re.compile(r"^(\d{1,2})[/-](\d{1,2})[/-](\d{4}|\d\d)$")
_RIGHTS = {"C": "C", "CALL": "C", "CE": "C", "P": "P", "PUT": "P", "PE": "P"}
_THOUSAND = Decimal(1000)
#: 110'16 and 110 040: points and 32nds, the third digit is quarters of a 32nd; 450'2: eighths.
#: 110-16+ and 110'16.5: half a 32nd more.
_FRACTION = re.compile(r"^(?P<sign>-?)(?P<points>\d+)['\- ](?P<part>\d{1,3})(?P<rest>\+|\.\d{1,3})?$")
#: Futures whose ticks are parts of a 32nd, and those in eighths of a cent.
_BINARY_TICKS = frozenset(Decimal(1) / Decimal(2) ** n for n in range(5, 9))
_EIGHTHS = frozenset(("ZC", "ZW", "KE", "ZS", "ZO"))
_QUARTERS = {"": Decimal(0), "0": Decimal(0), "2": Decimal("0.25"), "5": Decimal("0.5"), "7": Decimal("0.75")}
_OCC_EXPIRY = re.compile(r"^[A-Z]{1,6}\d? *(\d{6})[CP]\d{8}$")
_PAIR = re.compile(r"^([A-Z0-9]{1,12})[-/_]([A-Z0-9]{2,10})$")


#: Roots of the options on an index that do not expire on its monthly day.
_WEEKLY_ROOTS = {"SPX": "SPXW", "RUT": "RUTW", "NDX": "NDXP", "VIX": "VIXW"}
_CASH_SETTLED = {*_WEEKLY_ROOTS, *_WEEKLY_ROOTS.values(), "XSP", "MRUT", "XND", "DJX", "OEX", "XEO"}


def option_symbol(pieces: Mapping[str, str], forms: Sequence[str]) -> str:
    """Return the OCC symbol of an option from underlying, expiry, strike and right. Raises RowError."""
    root = pieces.get("underlying", "") or pieces.get("symbol", "")
    root = root.upper().lstrip(".")
    right = _RIGHTS.get(pieces.get("right", "").upper())
    expiry = _expiry(pieces.get("expiry", "").upper(), forms)
    strike = _strike(pieces.get("strike", ""))
    if right is None or expiry is None or strike is None or not re.fullmatch(r"[A-Z]{1,6}\d?", root):
        option = " ".join(pieces.get(p, "") for p in ("underlying", "expiry", "strike", "right"))
        raise RowError(
            "unknown_instrument",
            f"the option is not understood: {option.strip()!r}",
            "use the 21-character OCC symbol in the generic format",
        )
    root = _series(root, expiry, pieces.get("series", ""))
    return f"{root:<6}{expiry:%y%m%d}{right}{strike:08d}"


def _series(root: str, expiry: date, stated: str) -> str:
    """Return the root of an index option: platforms write SPX for SPXW too, whose days are not the monthly one."""
    weekly = _WEEKLY_ROOTS.get(root)
    if weekly is None:
        return root
    month = expiry.replace(day=1)
    if root == "VIX":  # thirty days before the third Friday of the month after
        month = (month + timedelta(days=32)).replace(day=1)
    third_friday = month + timedelta(days=(4 - month.weekday()) % 7 + 14)
    monthly = third_friday - timedelta(days=30) if root == "VIX" else third_friday
    is_near = abs(expiry - monthly) <= timedelta(days=1)  # the day before a holiday
    return weekly if stated or not is_near else root


def is_cash_settled(symbol: str) -> bool:
    """Return whether the OCC symbol of an option is on an index, which no shares deliver."""
    return symbol[:6].strip() in _CASH_SETTLED


def spelled_contract(pieces: Mapping[str, str], forms: Sequence[str]) -> str:
    """Return a contract by its parts: `NIFTY 31JUL25 25000 C`, or `NIFTY 31JUL25 FUT` without a strike.

    Raises RowError.
    """
    root = " ".join((pieces.get("underlying", "") or pieces.get("symbol", "")).upper().split())
    expiry = _expiry(pieces.get("expiry", "").strip().upper(), forms)
    kind = pieces.get("right", "").upper().split()[-1:]
    right = _RIGHTS.get(kind[0]) if kind else None
    strike = _strike(pieces.get("strike", ""))
    if root and expiry is not None:
        day = f"{expiry:%d}{_MONTHS[expiry.month - 1]}{expiry:%y}"
        if right is not None and strike is not None:
            return f"{root} {day} {format((Decimal(strike) / _THOUSAND).normalize(), 'f')} {right}"
        if kind and kind[0].startswith("FUT"):
            return f"{root} {day} FUT"
    named = " ".join(pieces.get(p, "") for p in ("underlying", "symbol", "expiry", "strike", "right"))
    raise RowError(
        "unknown_instrument",
        f"the contract is not understood: {' '.join(named.split())!r}",
        "write the fill in the generic format, with a name of your own for the contract",
    )


def expiry_of(symbol: str) -> date | None:
    """Return the expiry of an option by its OCC symbol; None for other symbols."""
    match = _OCC_EXPIRY.search(symbol)
    return _expiry(match[1], ()) if match else None


def coin_pair(symbol: str, quotes: Sequence[str]) -> tuple[str, str]:
    """Return base and quote of BTC/USDT, BTC-USDT or BTCUSDT, two empty texts for other symbols.

    If `quotes` are given, the quote has to be one of them; a joined pair needs them. Of `????ZUSD`, each
    `?` is a character of the base: it is a quote behind bases of four characters only.
    """
    text = symbol.strip().upper()
    if match := _PAIR.match(text):
        is_known = not quotes or match[2] in {quote.lstrip("?") for quote in quotes}
        return (match[1], match[2]) if is_known else ("", "")
    for quote in sorted(quotes, key=lambda quote: len(quote.lstrip("?")), reverse=True):
        bare = quote.lstrip("?")
        base = text.removesuffix(bare)
        if (
            0 < len(base) < len(text)
            and text.isalnum()
            and len(base) == (len(quote) - len(bare) or len(base))
        ):
            return base, bare
    return "", ""


def is_fraction(text: str) -> bool:
    """Return whether a text may be a price in 32nds, 64ths or eighths, or a number with a group of thousands."""
    return _FRACTION.match(text.strip()) is not None


def fraction_price(text: str, *, per: int = 32) -> Decimal | None:
    """Return a price in 32nds (or 64ths) or eighths; None if the text is not a fraction. Raises RowError."""
    match = _FRACTION.match(text.strip())
    if match is None:
        return None
    part, rest = match["part"], match["rest"] or ""
    with exact():
        if len(part) == 1 and not rest:
            parts = Decimal(part) / 8
        else:
            quarter = _QUARTERS.get(part[2:])
            more = Decimal("0.5") if rest == "+" else Decimal(f"0{rest}") if rest else Decimal(0)
            parts = (Decimal(part[:2]) + (quarter or 0) + more) / per
            if quarter is None or (rest and len(part) != 2) or (rest and per != 32):
                parts = Decimal(1)
        if parts >= 1:
            raise RowError(
                "bad_number",
                f"price is no fraction, was {text!r}",
                "32nds are 00 to 31 and a quarter (0, 2, 5, 7); eighths are 0 to 7",
            )
        value = Decimal(match["points"]) + parts
        return -value if match["sign"] else value


def price_by_tick(text: str, as_number: Decimal | None, instrument: Instrument) -> Decimal:
    """Return the price that a text such as `110 040` or `6 004` is, by the tick of its instrument. Raises RowError.

    `as_number` is the text with its last three digits as a group of thousands, if it can be one.
    """
    tick, price = instrument.tick, as_number
    if price is not None and text.isdecimal():
        digits = -int(tick.as_tuple().exponent) if tick is not None and tick < ONE else 0
        with exact():
            price = price.scaleb(-digits)
    elif tick in _BINARY_TICKS:
        price = fraction_price(text, per=64 if instrument.asset_class == "option" else 32)
    elif instrument.root in _EIGHTHS and re.fullmatch(r"-?\d+['\- ]\d", text.strip()):
        price = fraction_price(text)
    with exact():
        if price is None or (tick is not None and price % tick):
            raise RowError(
                "bad_number",
                f"price is not understood, was {text!r}",
                f"no reading of it is a multiple of {to_plain_string(tick)}, the tick of {instrument.symbol}"
                if tick
                else "write it as a decimal number, or state the tick of its instrument",
            )
        return price


def _expiry(text: str, forms: Sequence[str]) -> date | None:
    try:
        if (match := _DAY_MONTH_YEAR.match(text)) and match[2] in _MONTHS:
            return date(_year(match[3]), _MONTHS.index(match[2]) + 1, int(match[1]))
        if match := _ISO.match(f"20{text}" if _SHORT.match(text) else text):
            return date(int(match[1]), int(match[2]), int(match[3]))
        if forms and (match := _SLASHES.match(text)):
            first, second = int(match[1]), int(match[2])
            month, day = (first, second) if "month-first" in forms else (second, first)
            return date(_year(match[3]), month, day)
    except ValueError:
        return None
    return None


def _year(digits: str) -> int:
    return int(digits) if len(digits) == 4 else 2000 + int(digits)


def _strike(text: str) -> int | None:
    """Return a strike in thousandths, the unit of OCC symbols."""
    try:
        thousandths = Decimal(text.strip().lstrip("$").replace(",", "")) * _THOUSAND
        if 0 < thousandths < 10**8 and thousandths == thousandths.to_integral_value():
            return int(thousandths)
    except ArithmeticError:
        return None
    return None
