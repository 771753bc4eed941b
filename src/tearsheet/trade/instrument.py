"""What is traded and what one point of it is worth.

The futures table is data (`futures.csv` beside this file, read by the caller); this file only knows
how contracts are spelled. A symbol that looks like a future and is not in the table is never guessed.
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
_SUFFIX = r"(?:@[A-Z]+|:[A-Z]+|\.[A-Z]{2,})?"
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
#: BTC/USDT, BTC-USD, BTCUSDT: money is in the quote currency. BRK-B and BRK/B are no pairs.
_PAIR = re.compile(
    r"^[A-Z0-9]{2,10}(?:[/-](?P<quoted>USDT?|USDC|EUR|GBP|JPY|CHF|AUD|CAD|BTC|ETH|BNB)|(?P<joined>USDT|USDC))$"
)
_OCC_OPTION = re.compile(
    r"^(?P<root>[A-Z]{1,6}) *(?P<expiry>\d{6})(?P<right>[CP])(?P<strike>\d{8})$"
)


class Instrument(Struct, frozen=True, gc=False):
    """One tradable thing: canonical symbol, money per point and unit, currency, smallest step."""

    symbol: str
    multiplier: Decimal
    currency: str
    asset_class: AssetClass
    tick: Decimal | None = None
    root: str | None = None


class FutureRoot(Struct, frozen=True, gc=False):
    """A row of the futures table; the multiplier is money per 1.0 of the price as quoted."""

    root: str
    name: str
    exchange: str
    currency: str
    multiplier: Decimal
    tick: Decimal


class Override(Struct, frozen=True, forbid_unknown_fields=True):
    """What the user says of a symbol or a futures root; it goes before the table."""

    multiplier: Decimal | None = None
    currency: str | None = None
    asset_class: AssetClass | None = None
    tick: Decimal | None = None


class UnknownInstrument(Struct, frozen=True):
    """Why a symbol has no instrument, and what the user can do."""

    code: Literal["unknown_instrument", "ambiguous_instrument"]
    reason: str
    hint: str


class Instruments:
    """Finds the instrument that a symbol names, from the user's overrides and the futures table."""

    def __init__(
        self,
        futures: Mapping[str, FutureRoot],
        overrides: Mapping[str, Override] | None = None,
        default_currency: str = "USD",
    ) -> None:
        self.futures = futures
        self.overrides = dict(overrides or {})
        self.default_currency = default_currency
        self._known: dict[
            tuple[str, int, str | None, str | None], Instrument | UnknownInstrument
        ] = {}

    def resolve(
        self,
        symbol: str,
        on: date,
        asset_class: AssetClass | None = None,
        currency: str | None = None,
    ) -> Instrument | UnknownInstrument:
        """The instrument for a symbol as written, traded on a date (it settles one-digit years)."""
        key = (symbol, on.year, asset_class, currency)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._resolve(symbol, on, asset_class, currency)
        return found

    def _resolve(
        self, symbol: str, on: date, asset_class: AssetClass | None, currency: str | None
    ) -> Instrument | UnknownInstrument:
        text = " ".join(symbol.upper().split())
        override = self.overrides.get(text)
        kind = (override.asset_class if override else None) or asset_class
        if kind in (None, "future"):
            future = self._future(text, on, override, currency)
            if future is not None:
                return future
        if kind in (None, "option") and (option := _OCC_OPTION.match(text)):
            canonical = f"{option['root']:<6}{option['expiry']}{option['right']}{option['strike']}"
            return self._plain(canonical, "option", _OPTION_MULTIPLIER, override, currency)
        if kind is None and override is None and text in self.futures:
            return _ambiguous(text)
        pair = _PAIR.match(text)
        quote = currency or (pair["quoted"] or pair["joined"] if pair else None)
        spot: AssetClass = "equity" if pair is None else "crypto"
        return self._plain(text, kind or spot, ONE, override, quote)

    def _future(
        self, text: str, on: date, override: Override | None, currency: str | None
    ) -> Instrument | UnknownInstrument | None:
        contract = _contract(text, on)
        if contract is None:
            if override and override.asset_class == "future" and override.multiplier is not None:
                return self._plain(text, "future", override.multiplier, override, currency)
            return None
        root, canonical = contract
        rule = override or self.overrides.get(root)
        row = self.futures.get(root)
        if row is None and (rule is None or rule.multiplier is None):
            return _unknown_root(text, root)
        multiplier = rule.multiplier if rule and rule.multiplier is not None else None
        return Instrument(
            symbol=canonical,
            multiplier=multiplier if multiplier is not None else _row(row).multiplier,
            currency=(rule.currency if rule else None)
            or (row.currency if row else currency or self.default_currency),
            asset_class="future",
            tick=(rule.tick if rule else None) or (row.tick if row else None),
            root=root,
        )

    def _plain(
        self,
        symbol: str,
        kind: AssetClass,
        multiplier: Decimal,
        override: Override | None,
        currency: str | None,
    ) -> Instrument:
        rule = override or Override()
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
    """Root and canonical symbol (MNQZ26) of a dated or continuous contract, None for anything else."""
    if continuous := _CONTINUOUS.match(text):
        return continuous["root"], f"{continuous['root']}{continuous['nth']}!"
    for form in _CONTRACTS:
        if found := form.match(text):
            code = _month_code(found.groupdict())
            if code is None:
                return None
            return found["root"], f"{found['root']}{code}{_year(found['year'], on) % 100:02d}"
    return None


def _month_code(parts: Mapping[str, str | None]) -> str | None:
    if code := parts.get("code"):
        return code
    if name := parts.get("name"):
        return MONTH_CODES[_MONTH_NAMES.index(name)]
    month = int(parts["month"] or 0)
    return MONTH_CODES[month - 1] if 1 <= month <= 12 else None


def _year(digits: str, on: date) -> int:
    """The contract year: a one-digit year is the nearest one not before the year of the trade."""
    if len(digits) == 4:
        return int(digits)
    if len(digits) == 2:
        return 2000 + int(digits)
    return on.year + (int(digits) - on.year) % 10


def _row(row: FutureRoot | None) -> FutureRoot:
    assert row is not None
    return row


def _unknown_root(text: str, root: str) -> UnknownInstrument:
    return UnknownInstrument(
        code="unknown_instrument",
        reason=f"{text} looks like a futures contract, but its root {root} is in no table",
        hint=f"state its multiplier in the instruments file: {root}: {{multiplier: …, currency: …}}",
    )


def _ambiguous(text: str) -> UnknownInstrument:
    return UnknownInstrument(
        code="ambiguous_instrument",
        reason=f"{text} is a futures root without a contract month, and may also be a stock",
        hint=f"write the contract ({text}Z26), or state in the instruments file: "
        f"{text}: {{asset_class: equity}}",
    )
