"""Names of futures contracts, options on them and coin-margined contracts, as platforms spell them.

A name is taken apart into root, month and year; whether the root is known is the caller's question.
"""

import re
from collections.abc import Container, Mapping
from datetime import date
from decimal import Decimal

from msgspec import Struct

MONTH_CODES = "FGHJKMNQUVXZ"
_MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_MONTHS = "|".join(_MONTH_NAMES)
_ROOT = r"(?P<root>[A-Z0-9]{1,5})"
_EXCHANGES = (
    "CME|CBOT|CBT|COMEX|CMX|CEC|NYMEX|NYM|NYB|GLOBEX|IMM|CFE|ICE|IFUS|IFEU|EUREX|HKFE|XCME|XCBT|XNYM|XCEC"
    "|XCBF|XEUR"
)
#: CON.F.US.MES.H26 (ProjectX), F.US.MESH26 (CQG), CM.MNQU6 (Rithmic), CME_MINI:MESH2026, /MESH26, @ESZ26.
_PREFIX = re.compile(r"^(?:(?P<exchange>[A-Z_]+):|(?P<mark>[/@#&]))")
#: MESH26_FUT_CME (Sierra Chart), ESZ26.CME, MESU6@CME, /ESH27:XCME, MNQZ6.FUT.
#: After a dot only futures exchanges: SIX2.DE is a stock in Frankfurt, not a silver future.
_SUFFIX = re.compile(
    rf"(?:[_.\- ]FUT(?:URES?)?(?:[_.\- ](?:{_EXCHANGES}))?|[.@_\- ] ?@?(?:{_EXCHANGES})|[@:][A-Z_]+)$"
)
_DATED = tuple(
    re.compile(f"^{_ROOT}{tail}$")
    for tail in (
        rf"(?P<code>[{MONTH_CODES}])(?P<year>\d{{4}}|\d\d?)",
        rf"[ ._-](?P<code>[{MONTH_CODES}])(?P<year>\d{{4}}|\d\d?)",
        r" (?P<month>\d\d)[-/](?P<year>\d{4}|\d\d)",
        r"[ _-](?P<year>20\d\d)[-/](?P<month>\d\d)(?:-(?P<day>\d\d))?",
        r"[ _-](?P<year>20\d\d)(?P<month>0[1-9]|1[0-2])(?P<day>\d\d)?",
        rf"[ ._-]?(?P<name>{_MONTHS})[ .'_-]?(?P<year>\d{{4}}|\d\d)",
        rf" (?P<day>\d{{1,2}})[ -]?(?P<name>{_MONTHS})[ '-]?(?P<year>\d{{4}}|\d\d)",
        rf" (?P<name>{_MONTHS}) ?(?P<day>\d{{1,2}}) ?'(?P<year>\d\d)",
    )
)
#: MNQ202612: of a root that nobody knows it may be the number of a share.
_DATED_IF_KNOWN = re.compile(rf"^{_ROOT}(?P<year>20\d\d)(?P<month>0[1-9]|1[0-2])(?P<day>\d\d)?$")
#: MES1! is the nearest contract of TradingView, kept as it is. The others have no number.
_CONTINUOUS = re.compile(rf"^{_ROOT}(?P<nth>\d)!$")
_UNDATED = re.compile(
    rf"^{_ROOT}(?: ?##(?: ?-? ?##)?|#[CF]?\d?|[=_]F|[ _.-]CONT(?:INUOUS|RACT)?|\.[CNV]\.\d)$"
)
#: E-MINI S&P 500 MAR26, MAR 26 E-MINI S&P 500, Gold (Apr 2026).
_LONG_NAME = re.compile(
    rf"^(?P<words>.*[A-Z&].*?)[ ,(-]+(?P<name>{_MONTHS})[A-Z]*[ .'-]*(?P<year>\d{{4}}|\d\d)\)?$"
)
_LONG_NAME_BEHIND = re.compile(
    rf"^(?P<name>{_MONTHS})[A-Z]*[ .'-]*(?P<year>\d{{4}}|\d\d)[ ,-]+(?P<words>.*[A-Z&].*)$"
)
_NO_NAME = re.compile(rf"\b(?:FUTURES?|FUT|CONTRACTS?|THE|{_EXCHANGES})\b|[^A-Z0-9]")
#: ESZ6 C5000, ./ESZ26C5000, ESZ26 5000 P: an option on a future.
_OPTION = re.compile(
    r"^(?P<contract>.*\d) ?"
    r"(?:(?P<right>[CP]) ?(?P<strike>\d+(?:\.\d+)?)| (?P<strike2>\d+(?:\.\d+)?) ?(?P<right2>[CP]))$"
)
#: Roots of CQG, which ProjectX puts into its contract ids, where they differ.
_CQG_ROOTS = {
    "EP": "ES", "ENQ": "NQ", "CLE": "CL", "MCLE": "MCL", "GCE": "GC", "SIE": "SI", "CPE": "HG", "NGE": "NG",
    "RBE": "RB", "HOE": "HO", "PLE": "PL", "PAE": "PA", "TYA": "ZN", "USA": "ZB", "FVA": "ZF", "TUA": "ZT",
    "ULA": "UB", "TNA": "TN", "EU6": "6E", "JY6": "6J", "BP6": "6B", "DA6": "6A", "CA6": "6C", "SF6": "6S",
    "NE6": "6N", "ZCE": "ZC", "ZWA": "ZW", "ZSE": "ZS", "ZME": "ZM", "ZLE": "ZL", "GLE": "LE",
}  # fmt: skip
#: Other long names of roots, without spaces and signs; those of the table are known.
_LONG_NAMES = {
    "ES": "EMINISP EMINISP500 SP500EMINI ESMINI EMINISANDP500 MINISP500",
    "MES": "MICROEMINISP MICROEMINISP500 MICROSP500 MICROEMINISANDP500",
    "NQ": "EMININASDAQ EMININASDAQ100 NASDAQ100EMINI NASDAQEMINI MININASDAQ100",
    "MNQ": "MICROEMININASDAQ MICROEMININASDAQ100 MICRONASDAQ100",
    "YM": "EMINIDOW EMINIDOWJONES MINIDOW MINIDOWJONES DOWEMINI MINISIZEDDOW EMINIDOW5",
    "MYM": "MICROEMINIDOW MICROEMINIDOWJONES MICRODOW",
    "RTY": "EMINIRUSSELL EMINIRUSSELL2000 RUSSELL2000EMINI",
    "M2K": "MICROEMINIRUSSELL MICROEMINIRUSSELL2000 MICRORUSSELL2000",
    "CL": "CRUDEOIL CRUDE LIGHTSWEETCRUDEOIL WTICRUDEOIL CRUDEOILWTI LIGHTCRUDEOIL",
    "MCL": "MICROCRUDEOIL MICROWTICRUDEOIL",
    "NG": "NATURALGAS HENRYHUBNATURALGAS NATGAS",
    "GC": "GOLD", "MGC": "MICROGOLD", "SI": "SILVER", "SIL": "MICROSILVER", "HG": "COPPER", "PL": "PLATINUM",
    "PA": "PALLADIUM",
    "ZB": "USTREASURYBOND 30YEARUSTREASURYBOND 30YEARTBOND USTBOND 30YRTBOND TBOND",
    "UB": "ULTRATBOND ULTRAUSTREASURYBOND ULTRABOND",
    "ZN": "10YEARTNOTE 10YEARUSTREASURYNOTE 10YRTNOTE 10YRUSTREASURYNOTE 10YRNOTE",
    "TN": "ULTRA10YEARTNOTE ULTRA10YEARUSTREASURYNOTE ULTRA10YRNOTE",
    "ZF": "5YEARTNOTE 5YEARUSTREASURYNOTE 5YRTNOTE 5YRNOTE",
    "ZT": "2YEARTNOTE 2YEARUSTREASURYNOTE 2YRTNOTE 2YRNOTE",
    "6E": "EUROFX EURO", "6J": "JAPANESEYEN YEN", "6B": "BRITISHPOUND", "6A": "AUSTRALIANDOLLAR",
    "6C": "CANADIANDOLLAR", "6S": "SWISSFRANC", "6N": "NEWZEALANDDOLLAR", "6M": "MEXICANPESO",
    "ZC": "CORN", "ZW": "WHEAT CHICAGOWHEAT", "ZS": "SOYBEAN SOYBEANS", "ZL": "SOYBEANOIL", "ZM": "SOYBEANMEAL",
    "LE": "LIVECATTLE", "HE": "LEANHOG LEANHOGS", "GF": "FEEDERCATTLE", "CC": "COCOA", "KC": "COFFEE COFFEEC",
    "SB": "SUGAR SUGAR11 SUGARNO11", "CT": "COTTON COTTONNO2 COTTON2", "BTC": "BITCOIN", "MBT": "MICROBITCOIN",
    "ETH": "ETHER", "MET": "MICROETHER", "VX": "VIX CBOEVOLATILITYINDEX",
}  # fmt: skip
_ROOT_OF = {name: root for root, names in _LONG_NAMES.items() for name in names.split()}
#: Names of exchanges' coin-margined contracts, and the dollars of one.
_INVERSE = (
    (re.compile(r"^(?P<coin>[A-Z0-9]{2,6})USD_(?:PERP|\d{6})$"), None),  # Binance COIN-M
    (re.compile(r"^(?P<coin>[A-Z0-9]{2,6})-USD-(?:SWAP|\d{6})$"), None),  # OKX
    (re.compile(r"^(?:PI|FI)_(?P<coin>[A-Z]{3,4})USD(?:_\d{6})?$"), Decimal(1)),  # Kraken
    (re.compile(rf"^(?P<coin>BTC|ETH)USD[{MONTH_CODES}]\d\d$"), Decimal(1)),  # Bybit
    # Deribit, whose amounts are dollars
    (re.compile(rf"^(?P<coin>BTC|ETH)-(?:PERPETUAL|\d{{1,2}}(?:{_MONTHS})\d\d)$"), Decimal(1)),
)
_LARGE, _SMALL = Decimal(100), Decimal(10)


class ContractName(Struct, frozen=True):
    """Root of a futures contract and its canonical symbol; `option` is put behind the symbol of an option on it."""

    root: str
    symbol: str
    option: str = ""


class InverseContract(Struct, frozen=True):
    """Coin in which a contract is settled, and the dollars that one is worth."""

    coin: str
    worth: Decimal


def parse_contract(text: str, on: date, known: Container[str]) -> ContractName | None:
    """Return the contract that a name in upper case spells, or None.

    `known` are the roots: a name without a month is a contract only of a known one. A one-digit year is the first
    from that of `on`.
    """
    return _parse_plain(text, on, known) or _parse_option(text, on, known)


def long_names(names: Mapping[str, str]) -> dict[str, str]:
    """Return the root of each long name of a table of root → name, without spaces and signs."""
    return {_NO_NAME.sub("", name.upper()): root for root, name in names.items()} | _ROOT_OF


def parse_long_name(text: str, on: date, roots: Mapping[str, str]) -> ContractName | None:
    """Return the contract of words with a month; its root is empty where no root has that name."""
    match = _LONG_NAME.match(text) or _LONG_NAME_BEHIND.match(text)
    if match is None:
        return None
    root = roots.get(_NO_NAME.sub("", match["words"]), "")
    return ContractName(root, _symbol(root, match.groupdict(), on) or "") if root else ContractName("", "")


def inverse_contract(text: str) -> InverseContract | None:
    """Return what a coin-margined contract is settled in, by a name that no other instrument has."""
    for pattern, worth in _INVERSE:
        if match := pattern.match(text):
            coin = "BTC" if match["coin"] == "XBT" else match["coin"]
            return InverseContract(coin, worth or (_LARGE if coin == "BTC" else _SMALL))
    return None


def _parse_plain(text: str, on: date, known: Container[str]) -> ContractName | None:
    bare, is_marked = _strip(text)
    segments = bare.split(".")
    for n in range(len(segments)):
        if all(segment.isalpha() for segment in segments[:n]):
            found = _parse_dated(".".join(segments[n:]), on, known, is_cqg=text.startswith("CON.F."))
            if found is not None:
                return found
    undated = _UNDATED.match(bare)
    root = undated["root"] if undated else bare
    return ContractName(root, root) if (undated or is_marked) and root in known else None


def _parse_dated(text: str, on: date, known: Container[str], *, is_cqg: bool) -> ContractName | None:
    if continuous := _CONTINUOUS.match(text):
        return ContractName(continuous["root"], text)
    match = next((m for pattern in _DATED if (m := pattern.match(text))), None)
    if match is None:
        match = _DATED_IF_KNOWN.match(text)
        match = match if match and match["root"] in known else None
    if match is None:
        return None
    root = _CQG_ROOTS.get(match["root"], match["root"]) if is_cqg else match["root"]
    symbol = _symbol(root, match.groupdict(), on)
    return None if symbol is None else ContractName(root, symbol)


def _strip(text: str) -> tuple[str, bool]:
    """Return a name without exchange and marks around it, and whether one of them says that it is a future."""
    bare, is_marked = text, False
    if match := _PREFIX.match(bare):
        # NYSE:CL is a share
        is_marked = bool(match["mark"]) or match["exchange"].removesuffix("_MINI") in _EXCHANGES.split("|")
        bare = bare[match.end() :]
    if match := _SUFFIX.search(bare):
        is_marked = is_marked or "FUT" in match.group()
        bare = bare[: match.start()]
    return bare, is_marked


def _parse_option(text: str, on: date, known: Container[str]) -> ContractName | None:
    match = _OPTION.match(_SUFFIX.sub("", text.removeprefix(".")))
    if match is None:
        return None
    contract = _parse_plain(match["contract"].rstrip(), on, known)
    if contract is None or contract.root not in known or contract.symbol == contract.root:
        return None
    right, strike = match["right"] or match["right2"], match["strike"] or match["strike2"]
    return ContractName(contract.root, contract.symbol, f"{right}{strike}")


def _symbol(root: str, parts: Mapping[str, str | None], on: date) -> str | None:
    """Return root, month and year as in MNQZ26, or None where there is no such month."""
    code = parts.get("code") or ""
    if name := parts.get("name"):
        code = MONTH_CODES[_MONTH_NAMES.index(name)]
    elif not code:
        month = int(parts.get("month") or 0)
        code = MONTH_CODES[month - 1] if 1 <= month <= 12 else ""
    return f"{root}{code}{_year(parts['year'] or '', on) % 100:02d}" if code else None


def _year(digits: str, on: date) -> int:
    """Return the contract year; a one-digit year is the first one from the trade's year on."""
    if len(digits) == 4:
        return int(digits)
    if len(digits) == 2:
        return 2000 + int(digits)
    return on.year + (int(digits) - on.year) % 10
