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
from tearsheet.trade.contract_name import (
    MONTH_CODES,
    ContractName,
    inverse_contract,
    long_names,
    parse_contract,
    parse_long_name,
)

AssetClass = Literal["future", "equity", "crypto", "forex", "option", "bond", "cfd"]
ASSET_CLASSES: tuple[AssetClass, ...] = ("future", "equity", "crypto", "forex", "option", "bond", "cfd")

_SPOT_OR_INVERSE = ("XBTUSD",)
_OPTION_MULTIPLIER = Decimal(100)
#: The price of a bond is in percent of its face value.
_BOND_MULTIPLIER = Decimal("0.01")
#: Longest symbol of a share; a contract for difference on it must not be taken for the share.
_SHARE_LENGTH = 5

#: Rest after a futures root in unsupported spellings: MNQ 12-2026, ESZ6 C5000, ES=F.
_FUTURE_TAIL = re.compile(
    rf"[{MONTH_CODES}]\d{{1,4}}(?:-.*|\.[A-Z]{{3,}})|(?:[{MONTH_CODES}]\d{{1,4}})? .*|\d{{3,}}.*|=F|!"
)
#: Options in unsupported spellings: .AAPL260109C320, -NVDA260710P195, SPY 3/20/2026 CALL $580, AAPL 16JAN26 200 C.
#: EW3H6 C6000 is a weekly option on a future.
_LIKE_OPTION = re.compile(
    r"[-.].+|[A-Z]{1,6} ?\d{6}[CP][\d.]+|.+ (?:CALL|PUT)(?: .*)?|.+ [\d.]+ ?[CP]"
    rf"|[A-Z0-9]{{1,5}}[{MONTH_CODES}]\d{{1,2}} ?[CP][\d.]+"
)
#: BTC/USDT, BTC-USD, BTCUSDT, BTC/USDT:USDT: P&L is in the quote currency. BRK-B is not a pair.
_PAIR = re.compile(
    r"^(?P<base>[A-Z0-9]{2,10})(?:[/-](?P<quoted>USDT?|USDC|FDUSD|BUSD|TUSD|DAI|EUR|GBP|JPY|CHF|AUD|CAD"
    r"|BTC|ETH|BNB)|(?P<joined>USDT|USDC|FDUSD))(?::[A-Z]+)?$"
)
_CASH = frozenset(("USD", "EUR", "GBP", "JPY", "CHF", "AUD", "CAD", "NZD"))
#: Day of which a contract without a year is taken to be, where only its root is asked for.
_ANY_DAY = date(2000, 1, 1)
_SEPARATOR = re.compile(r"[^A-Z0-9]")
#: MES1!, the nearest contract: a root without a month.
_NEAREST = re.compile(r"\d!$")
#: 21-character OCC symbols of US options; a digit after the root marks an adjusted option.
_OCC_OPTION = re.compile(
    r"^(?P<root>[A-Z]{1,6}(?P<adjusted>\d?)) *(?P<expiry>\d{6})(?P<right>[CP])(?P<strike>\d{8})$"
)


class Instrument(Struct, frozen=True, gc=False):
    """Tradable instrument; `multiplier` is money per point and unit, in `currency`.

    That of a coin-margined (inverse) contract is below 0: its money, in its coin, is quantity × multiplier ÷ price.
    """

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


class Spelling(Struct, frozen=True, gc=False):
    """What tells instruments apart however they are spelled: letters and digits of the canonical name.

    A future without a month may be any contract of its root.
    """

    name: str
    root: str | None = None
    is_undated: bool = False


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
        self._roots = frozenset(
            (*futures, *(name for name, rule in self.overrides.items() if rule.multiplier))
        )
        self._long_names = long_names({root: row.name for root, row in futures.items()})
        self._cache: dict[tuple[str, int, str | None, str | None], Instrument | UnknownInstrument] = {}
        self._spellings: dict[tuple[str, int], Spelling] = {}

    def resolve(
        self, symbol: str, on: date, asset_class: AssetClass | None = None, currency: str | None = None
    ) -> Instrument | UnknownInstrument:
        """Resolve a symbol as written; the trade date determines one-digit contract years."""
        key = (symbol, on.year, asset_class, currency)
        result = self._cache.get(key)
        if result is None:
            result = self._cache[key] = self._resolve(symbol, on, asset_class, currency)
        return result

    def root_of(self, symbol: str) -> str:
        """Return the root of a contract, such as MES of MESZ26; else the symbol itself."""
        found = self.resolve(symbol, _ANY_DAY)
        return found.root or symbol if isinstance(found, Instrument) else symbol

    def spelled(self, symbol: str, on: date) -> Spelling:
        """Return what a symbol has in common with every other spelling of its instrument."""
        key = (symbol, on.year)
        spelling = self._spellings.get(key)
        if spelling is None:
            spelling = self._spellings[key] = self._spelling(symbol, on)
        return spelling

    def _spelling(self, symbol: str, on: date) -> Spelling:
        found = self.resolve(symbol, on)
        if isinstance(found, Instrument):
            name = _SEPARATOR.sub("", found.symbol.removesuffix(" CFD"))
            is_undated = found.root is not None and _NEAREST.sub("", found.symbol) == found.root
            return Spelling(name, found.root, is_undated)
        text = " ".join(symbol.upper().split())
        root = text if text in self._roots else None
        return Spelling(_SEPARATOR.sub("", text), root, is_undated=root is not None)

    def stated_multiplier(self, symbol: str, on: date) -> Decimal | None:
        """Return the multiplier that the instruments file or the table of futures states for a canonical symbol."""
        found, text = self.resolve(symbol, on), symbol.removesuffix(" CFD")
        own = self.overrides.get(symbol) or self.overrides.get(text)
        if own is not None and own.multiplier is not None:
            return own.multiplier
        is_of_root = isinstance(found, Instrument) and found.root is not None and found.symbol == symbol
        return found.multiplier if is_of_root and isinstance(found, Instrument) else None

    def _resolve(
        self, symbol: str, on: date, asset_class: AssetClass | None, currency: str | None
    ) -> Instrument | UnknownInstrument:
        text = " ".join(symbol.upper().split())
        override = self.overrides.get(text)
        kind = (override.asset_class if override else None) or asset_class
        if text in _SPOT_OR_INVERSE and kind is None and override is None:
            return UnknownInstrument(
                "ambiguous_instrument",
                f"{text} is a coin-margined (inverse) contract of BitMEX, or coins of Kraken",
                f"state in the instruments file: {text}: {{kind: inverse, currency: BTC}}, or {{asset_class: crypto}}",
            )
        if (inverse := inverse_contract(text)) and (override is None or override.multiplier is None):
            return self._build_instrument(text, "future", -inverse.worth, override, inverse.coin)
        result = (
            self._contract(text, on, kind, override, currency) if kind in (None, "future", "option") else None
        )
        if result is None and kind in (None, "option"):
            result = self._option(text, kind, override, currency)
        pair = _PAIR.match(text)
        if result is None and pair is None and (override is None or override.multiplier is None):
            result = self._future_without_month(text, kind, currency)
        if result is not None:
            return result
        quote = currency or (pair["quoted"] or pair["joined"] if pair else None)
        spot: AssetClass = "future" if text in self.futures else _spot(pair)
        if kind == "cfd" and len(text) <= _SHARE_LENGTH:
            text += " CFD"
        multiplier = _BOND_MULTIPLIER if kind == "bond" else ONE
        return self._build_instrument(text, kind or spot, multiplier, override, quote)

    def _contract(
        self,
        text: str,
        on: date,
        kind: AssetClass | None,
        override: InstrumentOverride | None,
        currency: str | None,
    ) -> Instrument | UnknownInstrument | None:
        contract = parse_contract(text, on, self._roots) or parse_long_name(text, on, self._long_names)
        if contract is None or (kind is not None and bool(contract.option) != (kind == "option")):
            return None
        return self._from_root(contract, text, override, currency)

    def _from_root(
        self, contract: ContractName, text: str, override: InstrumentOverride | None, currency: str | None
    ) -> Instrument | UnknownInstrument:
        root, row = contract.root, self.futures.get(contract.root)
        rule = override or self._find_override(root)
        multiplier = rule.multiplier or (row.multiplier if row else None)
        if multiplier is None:
            return _unknown_root(text, root) if root else _unknown_spelling(text)
        return Instrument(
            symbol=f"{contract.symbol} {contract.option}" if contract.option else contract.symbol or text,
            multiplier=multiplier,
            currency=rule.currency or (row.currency if row else currency or self.default_currency),
            asset_class="option" if contract.option else "future",
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
            return self._from_root(ContractName(text, text), text, None, currency)
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


def _spot(pair: re.Match[str] | None) -> AssetClass:
    if pair is None:
        return "equity"
    return "forex" if {pair["base"], pair["quoted"]} <= _CASH else "crypto"


def _unknown_root(text: str, root: str) -> UnknownInstrument:
    return UnknownInstrument(
        code="unknown_instrument",
        reason=f"unknown futures root {root} in {text}",
        hint=f"state its multiplier in the instruments file: {root}: {{multiplier: …, currency: …}}",
    )


def _unknown_spelling(text: str) -> UnknownInstrument:
    return UnknownInstrument(
        code="unknown_instrument",
        reason=f"unrecognized futures symbol {text}",
        hint=f"write root, month and year (MNQZ26, MNQ 12-26), or state in the instruments file: "
        f"{text}: {{multiplier: …, asset_class: …}}",
    )


def _unknown_option(text: str) -> UnknownInstrument:
    return UnknownInstrument(
        code="unknown_instrument",
        reason=f"unknown multiplier for option {text}",
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
