"""Resolution of symbols to instruments with multiplier and currency.

The futures table is data (`futures.csv` in this folder, read by the caller); this module parses
symbols. A symbol that looks like a future but is not in the table, and a bare futures root, are
rejected: a wrong multiplier is an error by a factor of 50.
"""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from tearsheet.trade.amount import ONE

AssetClass = Literal["future", "equity", "crypto", "forex", "option"]
ASSET_CLASSES: tuple[AssetClass, ...] = ("future", "equity", "crypto", "forex", "option")

MONTH_CODES = "FGHJKMNQUVXZ"
_MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_OPTION_MULTIPLIER = Decimal(100)

_ROOT = r"(?P<root>[A-Z0-9]{1,4})"
_PREFIX = r"(?:[A-Z_]+:|(?:[A-Z]+\.)+|/|@)?"
#: After a dot only futures exchanges: SIX2.DE is a stock in Frankfurt, not a silver future.
_EXCHANGES = (
    "CME|CBOT|CBT|COMEX|CMX|NYMEX|NYM|NYB|GLOBEX|CFE|ICE|IFUS|IFEU|EUREX|HKFE|XCME|XCBT|XNYM|XCEC|XCBF|XEUR"
)
_SUFFIX = rf"(?:[@:][A-Z_]+|\.(?:{_EXCHANGES}))?"
#: MNQ 12-26 (NinjaTrader), MNQ DEC26, MNQZ6 / MNQZ26 / MNQZ2026, with /, @, CM. or :XCME around them.
_CONTRACTS = tuple(
    re.compile(f"^{_PREFIX}{_ROOT}{tail}{_SUFFIX}$")
    for tail in (
        r" (?P<month>\d\d)-(?P<year>\d\d)",
        rf" ?(?P<name>{'|'.join(_MONTH_NAMES)}) ?(?P<year>\d\d)",
        rf"(?P<code>[{MONTH_CODES}])(?P<year>\d{{4}}|\d\d?)",
    )
)
_CONTINUOUS = re.compile(rf"^{_PREFIX}{_ROOT}(?P<nth>\d)!$")
#: Rest after a futures root in unsupported spellings: MNQ 12-2026, ESZ6 C5000, ES=F.
_FUTURE_TAIL = re.compile(
    rf"[{MONTH_CODES}]\d{{1,4}}(?:-.*|\.[A-Z]{{3,}})|(?:[{MONTH_CODES}]\d{{1,4}})? .*|\d{{3,}}.*|=F|!"
)
#: Options in unsupported spellings: .AAPL260109C320, -NVDA260710P195, SPY 3/20/2026 CALL $580, AAPL 16JAN26 200 C.
_LIKE_OPTION = re.compile(r"[-.].+|[A-Z]{1,6} ?\d{6}[CP][\d.]+|.+ (?:CALL|PUT)(?: .*)?|.+ [\d.]+ ?[CP]")
#: BTC/USDT, BTC-USD, BTCUSDT, BTC/USDT:USDT: P&L is in the quote currency. BRK-B is not a pair.
_PAIR = re.compile(
    r"^(?P<base>[A-Z0-9]{2,10})(?:[/-](?P<quoted>USDT?|USDC|FDUSD|BUSD|TUSD|DAI|EUR|GBP|JPY|CHF|AUD|CAD"
    r"|BTC|ETH|BNB)|(?P<joined>USDT|USDC|FDUSD))(?::[A-Z]+)?$"
)
_CASH = frozenset(("USD", "EUR", "GBP", "JPY", "CHF", "AUD", "CAD", "NZD"))
#: 21-character OCC symbols of US options; a digit after the root marks an adjusted option.
_OCC_OPTION = re.compile(
    r"^(?P<root>[A-Z]{1,6}(?P<adjusted>\d?)) *(?P<expiry>\d{6})(?P<right>[CP])(?P<strike>\d{8})$"
)


class Instrument(Struct, frozen=True, gc=False):
    """Tradable instrument; `multiplier` is money per point and unit, in `currency`."""

    symbol: str
    multiplier: Decimal
    currency: str
    asset_class: AssetClass
    tick: Decimal | None = None
    root: str | None = None


class FutureRoot(Struct, frozen=True, gc=False):
    """Row of the futures table; `multiplier` is money per 1.0 of the quoted price."""

    root: str
    name: str
    exchange: str
    currency: str
    multiplier: Decimal
    tick: Decimal


class InstrumentOverride(Struct, frozen=True, forbid_unknown_fields=True):
    """User settings of a symbol or futures root; they override the table."""

    multiplier: Decimal | None = None
    currency: str | None = None
    asset_class: AssetClass | None = None
    tick: Decimal | None = None


class UnknownInstrument(Struct, frozen=True):
    """Reason why a symbol has no instrument, with a hint."""

    code: Literal["unknown_instrument", "ambiguous_instrument"]
    reason: str
    hint: str


class Instruments:
    """Resolver of symbols, based on the user's overrides and the futures table."""

    def __init__(
        self,
        futures: Mapping[str, FutureRoot],
        overrides: Mapping[str, InstrumentOverride] | None = None,
        default_currency: str = "USD",
    ) -> None:
        self.futures = futures
        self.overrides = dict(overrides or {})
        self.default_currency = default_currency
        self._cache: dict[tuple[str, int, str | None, str | None], Instrument | UnknownInstrument] = {}

    def resolve(
        self, symbol: str, on: date, asset_class: AssetClass | None = None, currency: str | None = None
    ) -> Instrument | UnknownInstrument:
        """Resolve a symbol as written; the trade date determines one-digit contract years."""
        key = (symbol, on.year, asset_class, currency)
        result = self._cache.get(key)
        if result is None:
            result = self._cache[key] = self._resolve(symbol, on, asset_class, currency)
        return result

    def _resolve(
        self, symbol: str, on: date, asset_class: AssetClass | None, currency: str | None
    ) -> Instrument | UnknownInstrument:
        text = " ".join(symbol.upper().split())
        override = self.overrides.get(text)
        kind = (override.asset_class if override else None) or asset_class
        result = self._contract(text, on, override, currency) if kind in (None, "future") else None
        if result is None and kind in (None, "option"):
            result = self._option(text, kind, override, currency)
        pair = _PAIR.match(text)
        if result is None and pair is None and (override is None or override.multiplier is None):
            result = self._future_without_month(text, kind, currency)
        if result is not None:
            return result
        quote = currency or (pair["quoted"] or pair["joined"] if pair else None)
        spot: AssetClass = "future" if text in self.futures else _spot(pair)
        return self._build_instrument(text, kind or spot, ONE, override, quote)

    def _contract(
        self, text: str, on: date, override: InstrumentOverride | None, currency: str | None
    ) -> Instrument | UnknownInstrument | None:
        contract = _contract(text, on)
        return None if contract is None else self._from_root(*contract, text, override, currency)

    def _from_root(
        self, root: str, canonical: str, text: str, override: InstrumentOverride | None, currency: str | None
    ) -> Instrument | UnknownInstrument:
        row = self.futures.get(root)
        rule = override or self._find_override(root)
        multiplier = rule.multiplier or (row.multiplier if row else None)
        if multiplier is None:
            return _unknown_root(text, root)
        return Instrument(
            symbol=canonical,
            multiplier=multiplier,
            currency=rule.currency or (row.currency if row else currency or self.default_currency),
            asset_class="future",
            tick=rule.tick or (row.tick if row else None),
            root=root,
        )

    def _find_override(self, root: str) -> InstrumentOverride:
        """Return the override of a futures root; one for a stock of the same name does not apply."""
        rule = self.overrides.get(root)
        return rule if rule and rule.asset_class in (None, "future") else InstrumentOverride()

    def _future_without_month(
        self, text: str, kind: AssetClass | None, currency: str | None
    ) -> Instrument | UnknownInstrument | None:
        """Resolve or reject a symbol that is, or may be, a future without a contract month."""
        if kind is None:
            return self._ambiguity(text)
        if kind != "future":
            return None
        if text in self.futures:
            return self._from_root(text, text, text, None, currency)
        return _unknown_spelling(text)

    def _option(
        self, text: str, kind: AssetClass | None, override: InstrumentOverride | None, currency: str | None
    ) -> Instrument | UnknownInstrument | None:
        match = _OCC_OPTION.match(text)
        has_multiplier = override is not None and override.multiplier is not None
        if match is None:
            return _unknown_option(text) if kind == "option" and not has_multiplier else None
        if match["adjusted"] and not has_multiplier:
            return _unknown_option(text)
        canonical = f"{match['root']:<6}{match['expiry']}{match['right']}{match['strike']}"
        return self._build_instrument(canonical, "option", _OPTION_MULTIPLIER, override, currency)

    def _ambiguity(self, text: str) -> UnknownInstrument | None:
        """Return why a symbol that is neither a contract nor a pair is not clearly a stock, or None."""
        if text in self.futures:
            return _ambiguous(text)
        if _LIKE_OPTION.fullmatch(text):
            return _unknown_option(text)
        exchange, _, name = text.rpartition(":")
        bare = name.lstrip("/@")
        if bare != name:
            return _unknown_spelling(text)
        if exchange and bare in self.futures and self._is_futures_exchange(exchange):
            return _unknown_spelling(text)
        roots = (bare[:length] for length in range(1, 5))
        if any(r in self.futures and _FUTURE_TAIL.fullmatch(bare[len(r) :]) for r in roots):
            return _unknown_spelling(text)
        return None

    def _is_futures_exchange(self, exchange: str) -> bool:
        return any(row.exchange == exchange.removesuffix("_MINI") for row in self.futures.values())

    def _build_instrument(
        self,
        symbol: str,
        kind: AssetClass,
        multiplier: Decimal,
        override: InstrumentOverride | None,
        currency: str | None,
    ) -> Instrument:
        rule = override or InstrumentOverride()
        return Instrument(
            symbol=symbol,
            multiplier=multiplier if rule.multiplier is None else rule.multiplier,
            currency=rule.currency or currency or self.default_currency,
            asset_class=kind,
            tick=rule.tick,
        )


def futures_table(text: str) -> dict[str, FutureRoot]:
    """Read the futures table: a header line, then root,name,exchange,currency,multiplier,tick."""
    rows = (line.split(",") for line in text.splitlines()[1:] if line and not line.startswith("#"))
    return {
        root: FutureRoot(root, name, exchange, currency, Decimal(multiplier), Decimal(tick))
        for root, name, exchange, currency, multiplier, tick in rows
    }


def _contract(text: str, on: date) -> tuple[str, str] | None:
    """Return root and canonical symbol (MNQZ26) of a dated or continuous contract, else None."""
    if continuous := _CONTINUOUS.match(text):
        return continuous["root"], f"{continuous['root']}{continuous['nth']}!"
    for pattern in _CONTRACTS:
        if match := pattern.match(text):
            code = _month_code(match.groupdict())
            if code is None:
                return None
            return match["root"], f"{match['root']}{code}{_year(match['year'], on) % 100:02d}"
    return None


def _month_code(parts: Mapping[str, str | None]) -> str | None:
    if code := parts.get("code"):
        return code
    if name := parts.get("name"):
        return MONTH_CODES[_MONTH_NAMES.index(name)]
    month = int(parts["month"] or 0)
    return MONTH_CODES[month - 1] if 1 <= month <= 12 else None


def _year(digits: str, on: date) -> int:
    """Return the contract year; a one-digit year is the first one from the trade's year on."""
    if len(digits) == 4:
        return int(digits)
    if len(digits) == 2:
        return 2000 + int(digits)
    return on.year + (int(digits) - on.year) % 10


def _spot(pair: re.Match[str] | None) -> AssetClass:
    if pair is None:
        return "equity"
    return "forex" if {pair["base"], pair["quoted"]} <= _CASH else "crypto"


def _unknown_root(text: str, root: str) -> UnknownInstrument:
    return UnknownInstrument(
        code="unknown_instrument",
        reason=f"{text} looks like a futures contract, but its root {root} is in no table",
        hint=f"state its multiplier in the instruments file: {root}: {{multiplier: …, currency: …}}",
    )


def _unknown_spelling(text: str) -> UnknownInstrument:
    return UnknownInstrument(
        code="unknown_instrument",
        reason=f"{text} looks like a futures contract, but not in a spelling that is known here",
        hint=f"write root, month and year (MNQZ26, MNQ 12-26), or state in the instruments file: "
        f"{text}: {{multiplier: …, asset_class: …}}",
    )


def _unknown_option(text: str) -> UnknownInstrument:
    return UnknownInstrument(
        code="unknown_instrument",
        reason=f"{text} is an option whose multiplier is not known",
        hint=f"write its 21-character OCC symbol, or state in the instruments file: "
        f"{text}: {{multiplier: …, asset_class: option}}",
    )


def _ambiguous(text: str) -> UnknownInstrument:
    return UnknownInstrument(
        code="ambiguous_instrument",
        reason=f"{text} is a futures root without a contract month, and may also be a stock",
        hint=f"write the contract ({text}Z26), or state in the instruments file: "
        f"{text}: {{asset_class: equity}}",
    )
