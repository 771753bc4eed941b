"""Settlement of a fill: checks of multiplier, amount and cash against the instrument, and fees in another currency.

A contradiction is rejected, and a currency is converted only by a rate that the user states.
"""

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from decimal import Context, Decimal, localcontext

from msgspec import Struct, structs

from tearsheet.sources.layouts.layout import Layout
from tearsheet.sources.statements.raw_fill import RawFill, canonical
from tearsheet.sources.text.encoding import NumberFormat
from tearsheet.sources.text.problem import RowError, RowProblem
from tearsheet.trade.amount import ONE, ZERO, exact, to_plain_string, trade_value
from tearsheet.trade.fill import Fill, Side
from tearsheet.trade.instrument import (
    AssetClass,
    Instrument,
    InstrumentOverride,
    Instruments,
    UnknownInstrument,
)
from tearsheet.trade.value_rule import COIN, COIN_PATTERN, InvalidValueError

_CENT = Decimal("0.01")
#: Sizes of a lot that a result may show, and how far it may be rounded.
_LOTS = tuple(Decimal(digit).scaleb(power) for power in range(-3, 7) for digit in (1, 2, 5))
_ROUNDED = Decimal("0.015")
_DIGITS, _LAST_DIGIT = 40, Decimal("1E-15")
#: Maximum fee that is derived as a difference of amounts: this share of the trade, or a broker's minimum fee
#: for a small trade. A wrong multiplier or side gives a larger difference.
_LARGEST_FEE = Decimal("0.05")
_LEAST_FEE = Decimal(1)
_LARGEST_MINIMUM = Decimal(20)
_LARGEST_PART = Decimal("0.3")
_FEE_OF_A_CONTRACT = Decimal(2)
_FEE_OF_A_FUTURE = Decimal(10)
#: A lot of a pair of currencies, and how far apart the rates of its results may be.
_PAIR_LOT, _FARTHEST = Decimal(100_000), Decimal("1.25")
_PAIR = re.compile(
    r"^(?:(?:AUD|CAD|CHF|CNH|CZK|DKK|EUR|GBP|HUF|JPY|MXN|NOK|NZD|PLN|SEK|SGD|TRY|USD|ZAR)){2}\b"
)


class TradeTerms(Struct, frozen=True):
    """Side, quantity, price and cost of a fill, as written."""

    side: Side
    quantity: Decimal
    price: Decimal
    commission: Decimal


class Settlement(Struct, frozen=True):
    """Settlement rules of a layout and its user.

    `lots`: quantities are lots, whose size only the user can state; `deal_prices`: prices of deals in the
    currency of the account, where those of the file are in another. `is_root_equity`: a symbol that can be a
    stock or the root of a future is a stock. `is_account_money`: prices are in the currency of the account,
    whatever that of the instrument is. `futures_pay_fees_only`: the cash of a trade in a future is its
    fee, because gains are settled daily. `rates`: value of one unit of a currency in that of the trade.
    """

    lots: bool = False
    lot_sizes: Mapping[str, Decimal] = {}
    deal_prices: Mapping[str, Decimal] = {}
    lot_currency: str | None = None
    is_root_equity: bool = False
    is_account_money: bool = False
    futures_pay_fees_only: bool = False
    rates: Mapping[str, Decimal] = {}

    def with_multiplier(
        self,
        instrument: Instrument | UnknownInstrument,
        symbol: str,
        kind: AssetClass | None,
        currency: str | None,
        stated: Decimal | None,
        instruments: Instruments,
    ) -> Instrument | UnknownInstrument:
        """Return the instrument, with the multiplier of the file if no other source states one.

        Raises RowError if the file contradicts the table of instruments.
        """
        text = " ".join(symbol.upper().split())
        override = instruments.overrides.get(text)
        if self.lots and (override is None or override.multiplier is None):
            if (size := self.lot_sizes.get(text)) is None:
                return _unknown_lot_size(text)
            money = currency or self.lot_currency or instruments.default_currency
            return Instrument(symbol=text, multiplier=size, currency=money, asset_class="future")
        if stated is None:
            return instrument
        if stated < ZERO:  # an inverse contract, by the rules of its format
            money = currency or instruments.default_currency
            return Instrument(symbol=text, multiplier=stated, currency=money, asset_class="future")
        if isinstance(instrument, UnknownInstrument):
            if instrument.code != "unknown_instrument" or kind not in ("future", "option") or not stated:
                return instrument
            money = currency or instruments.default_currency
            return Instrument(symbol=text, multiplier=stated, currency=money, asset_class=kind)
        is_stated_share = kind == "equity" and instrument.root is None  # a warrant, a certificate
        if (kind == "bond" or is_stated_share) and override is None and stated:
            return structs.replace(instrument, multiplier=stated)
        is_known = override is not None or instrument.root in instruments.overrides
        if stated not in (ZERO, instrument.multiplier) and not is_known:
            raise RowError(
                "contradiction",
                f"the file has a multiplier of {to_plain_string(stated)} for {instrument.symbol}, "
                f"the table {to_plain_string(instrument.multiplier)}",
                f"state the right one in the instruments file: {instrument.root or text}: {{multiplier: …}}",
            )
        return instrument

    def resolve_fee(self, terms: TradeTerms, instrument: Instrument, raw: RawFill) -> tuple[Decimal, Decimal]:
        """Return quantity and commission, with the fee in the currency of the trade. Raises RowError.

        A fee in a third currency is converted by the rate of the row, else by that of the user. Without one it stands
        in its own, as `raw.foreign_fee`; a correction and a bust are rejected then.
        """
        with exact():
            gross = trade_value(terms.quantity, terms.price, instrument.multiplier)
            if raw.amount is not None:
                _check_amount(terms, gross, raw.amount, instrument)
            if raw.cash is None:
                money, base = raw.fee_currency.strip().upper(), raw.base.strip().upper()
                return self._convert_fee(terms, instrument, money, base, raw)
            if self.futures_pay_fees_only and instrument.asset_class == "future":
                return terms.quantity, _fee_from_cash_only(terms, raw.cash)
            interest = raw.accrued_interest(terms.side)
            cash = raw.cash - ((interest.amount if interest else None) or ZERO)
            return terms.quantity, _fee_from_cash(terms, gross, cash, instrument)

    def _convert_fee(
        self, terms: TradeTerms, instrument: Instrument, money: str, base: str, raw: RawFill
    ) -> tuple[Decimal, Decimal]:
        """Return quantity and commission; a fee in a third currency without a rate becomes `raw.foreign_fee`."""
        fee, quantity = terms.commission, terms.quantity
        if not fee or not money or money == instrument.currency:
            return quantity, fee
        if money == base:
            return _fee_in_base_coin(terms)
        rate = raw.fee_worth or self.rates.get(money)
        if not (money.isascii() and re.fullmatch(COIN_PATTERN, money.upper())):
            raise RowError("bad_value", f"the currency of the fee is no code, was {money!r}", "such as USD")
        if rate is None and raw.status.strip().casefold() in ("", "fill"):
            raw.foreign_fee = (fee, currency_code(money) or money)
            return quantity, ZERO
        if rate is None or rate <= ZERO:
            raise RowError(
                "foreign_fee",
                f"the fee is {to_plain_string(fee)} {money}, the trade is in {instrument.currency}",
                f"say what one {money} is worth with --fee-rate {money}=RATE",
            )
        return quantity, fee * rate


#: Settlement without lots and without rates of other currencies.
AS_WRITTEN = Settlement()


def _unknown_lot_size(symbol: str) -> UnknownInstrument:
    return UnknownInstrument(
        code="unknown_instrument",
        reason=f"the quantity of {symbol} is in lots, and how much a lot is only the broker knows",
        hint="see the contract size in the platform and state it in the instruments file, such as "
        f"{symbol}: {{multiplier: 100000, currency: USD}}",
    )


def _fee_in_base_coin(terms: TradeTerms) -> tuple[Decimal, Decimal]:
    """Return quantity and commission if the fee is paid in the traded coin: it reduces the quantity, at the price.

    A buy of 1 at 100 with a fee of 0.001 holds 0.999 and costs 100, which is 0.999 × 100 + 0.1.
    """
    fee = terms.commission
    quantity = terms.quantity - fee if terms.side is Side.BUY else terms.quantity + fee
    if quantity <= ZERO:
        raise RowError(
            "contradiction", f"the fee {to_plain_string(fee)} is no less than the quantity", "check the row"
        )
    return quantity, fee * terms.price


def _fee_from_cash(terms: TradeTerms, gross: Decimal, cash: Decimal, instrument: Instrument) -> Decimal:
    """Return the fee: the difference between the amount of the trade and its cash. Raises RowError."""
    fee = -cash - gross if terms.side is Side.BUY else gross - cash
    size = abs(gross)
    limits = [_LEAST_FEE, size * _LARGEST_FEE, min(size * _LARGEST_PART, _LARGEST_MINIMUM)]
    if instrument.asset_class == "option":
        limits.append(_LEAST_FEE + terms.quantity * _FEE_OF_A_CONTRACT)
    if abs(fee) > max(limits):
        raise RowError(
            "contradiction",
            f"quantity × price is {to_plain_string(gross)}, but the cash that moved is {to_plain_string(cash)}",
            "check side, quantity, price and the contract multiplier",
        )
    return fee


def _fee_from_cash_only(terms: TradeTerms, cash: Decimal) -> Decimal:
    if abs(cash) > terms.quantity * _FEE_OF_A_FUTURE:
        raise RowError(
            "contradiction",
            f"the cash amount {to_plain_string(cash)} is too large to be a futures fee",
            "check the row with your broker",
        )
    return -cash


def _rounding_unit(number: Decimal) -> Decimal:
    """Return the unit of the last digit of a number, at most a cent: its possible rounding."""
    exponent = number.as_tuple().exponent
    return min(_CENT, Decimal(1).scaleb(exponent)) if isinstance(exponent, int) else _CENT


def _check_amount(terms: TradeTerms, gross: Decimal, amount: Decimal, instrument: Instrument) -> None:
    """Raise RowError if the amount, with or without fee, differs by more than 1 % and the rounding."""
    stated, slack = abs(amount), abs(gross) * _CENT
    if abs(abs(gross) - stated) <= slack:
        return
    slack += terms.quantity * instrument.multiplier * _rounding_unit(terms.price) / 2 + _rounding_unit(amount)
    fee = terms.commission
    if min(abs(abs(gross + with_fee) - stated) for with_fee in (ZERO, fee, -fee)) > slack:
        raise RowError(
            "contradiction",
            f"quantity × price × multiplier is {to_plain_string(gross)}, but the file says {to_plain_string(amount)}",
            f"check the multiplier of {instrument.symbol}, which is {to_plain_string(instrument.multiplier)}",
        )


def find_lot_sizes(trades: Iterable[RawFill], layout: Layout, form: NumberFormat) -> dict[str, Decimal]:
    """Return lot sizes by symbol, derived from the results of the file's closing trades.

    A size is found where one round number explains all results of its symbol.
    """
    fitting: dict[str, set[Decimal]] = {}
    for symbol, moved, gain in _closings(trades, layout, form):
        sizes = fitting.setdefault(" ".join(symbol.upper().split()), set(_LOTS))
        with exact():
            sizes &= {lot for lot in sizes if abs(lot * moved - gain) <= _ROUNDED}
    return {symbol: sizes.pop() for symbol, sizes in fitting.items() if len(sizes) == 1}


def _closings(
    trades: Iterable[RawFill], layout: Layout, form: NumberFormat
) -> Iterator[tuple[str, Decimal, Decimal]]:
    """Yield symbol, lots × points and result of each trade that closes a position with one entry price."""
    held: dict[tuple[str, Side], dict[Decimal, Decimal]] = {}
    sides = layout.side_words(Side.BUY, Side.SELL)
    for raw in trades:
        side = sides.get(raw.side.casefold())
        if side is None or not raw.price or not raw.quantity:
            continue
        if raw.effect in layout.effects.opens:
            lots = held.setdefault((raw.symbol, side), {})
            lots[raw.price] = lots.get(raw.price, ZERO) + raw.quantity
            continue
        entries = held.pop((raw.symbol, side.opposite), {})
        if len(entries) != 1 or raw.effect not in layout.effects.closes:
            continue
        [(entry, quantity)] = entries.items()
        if quantity > raw.quantity:
            held[raw.symbol, side.opposite] = {entry: quantity - raw.quantity}
        try:
            gain = form.parse(raw.realized)
        except ValueError:
            continue
        points = raw.price - entry if side is Side.SELL else entry - raw.price
        if gain is not None and points and quantity >= raw.quantity:
            yield raw.symbol, points * raw.quantity, gain


class DealPrices(Struct):
    """Sizes of a lot by symbol, and prices in the currency of the account by deal, for `converted` symbols."""

    sizes: dict[str, Decimal] = {}
    prices: dict[str, Decimal] = {}
    converted: tuple[str, ...] = ()


class _Entry(Struct):
    """Deals that opened a position at one price, and what of them is open."""

    deals: list[str]
    price: Decimal
    quantity: Decimal
    rate: Decimal | None = None


class _ForeignSymbol:
    """Deals of a symbol whose prices are in another currency than its results."""

    def __init__(self, symbol: str) -> None:
        self.lot = _PAIR_LOT if _PAIR.match(symbol) else ONE
        self.prices: dict[str, Decimal] = {}
        self._held: dict[Side, list[_Entry]] = {Side.BUY: [], Side.SELL: []}
        self._rates: list[Decimal] = []
        self._is_clear = True

    @property
    def is_whole(self) -> bool:
        """Return whether every deal has a price, by rates that are alike."""
        for entry in (*self._held[Side.BUY], *self._held[Side.SELL]):
            if self._rates:
                self._set(entry, self._rates[-1])
        if not (self._is_clear and self._rates):
            return False
        return max(self._rates) <= min(self._rates) * _FARTHEST

    def open(self, raw: RawFill, side: Side) -> None:
        """Add a deal that opens."""
        price, quantity = raw.price or ZERO, raw.quantity or ZERO
        same = next((one for one in self._held[side] if one.price == price and one.rate is None), None)
        if same is None:
            self._held[side].append(_Entry([raw.fill_id], price, quantity))
        else:
            same.deals.append(raw.fill_id)
            same.quantity += quantity

    def close(self, raw: RawFill, side: Side, gain: Decimal | None) -> None:
        """Add a deal that closes: its result is that of its entry, which is the only one or has its size."""
        held, quantity = self._held[side.opposite], raw.quantity or ZERO
        fitting = held if len(held) == 1 else [one for one in held if one.quantity == quantity]
        if gain is None or len(fitting) != 1 or fitting[0].quantity < quantity:
            self._is_clear = False
            return
        entry, price = fitting[0], raw.price or ZERO
        points = price - entry.price if side is Side.SELL else entry.price - price
        if points and gain:
            self._rates.append(gain / (points * quantity * self.lot))
        if not self._rates or self._rates[-1] <= ZERO:
            self._is_clear = False
            return
        self._set(entry, self._rates[-1])
        made = gain / (quantity * self.lot)
        own = self.prices[entry.deals[0]]
        self.prices[raw.fill_id] = _rounded(own + made if side is Side.SELL else own - made)
        entry.quantity -= quantity
        if not entry.quantity:
            held.remove(entry)

    def refuse(self) -> None:
        """Leave the symbol to the user."""
        self._is_clear = False

    def _set(self, entry: _Entry, rate: Decimal) -> None:
        if entry.rate is None:
            entry.rate = rate
            self.prices |= dict.fromkeys(entry.deals, _rounded(entry.price * rate))


def _rounded(price: Decimal) -> Decimal:
    return canonical(price.quantize(_LAST_DIGIT))


def find_deal_prices(
    trades: Iterable[RawFill], layout: Layout, form: NumberFormat, known: Container[str]
) -> DealPrices:
    """Return deal prices derived from their results, for symbols without a consistent lot size."""
    found: dict[str, _ForeignSymbol] = {}
    sides = layout.side_words(Side.BUY, Side.SELL)
    with localcontext(Context(prec=_DIGITS)):
        for raw in trades:
            name, side = " ".join(raw.symbol.upper().split()), sides.get(raw.side.casefold())
            if name in known:
                continue
            deals = found.setdefault(name, _ForeignSymbol(name))
            if side is None or not (raw.price and raw.quantity and raw.fill_id):
                deals.refuse()
            elif raw.effect in layout.effects.opens:
                deals.open(raw, side)
            elif raw.effect in layout.effects.closes:
                try:
                    deals.close(raw, side, form.parse(raw.realized))
                except ValueError:
                    deals.refuse()
            else:
                deals.refuse()
        whole = {name: deals for name, deals in found.items() if deals.is_whole}
    prices = {deal: price for deals in whole.values() for deal, price in deals.prices.items()}
    return DealPrices({name: deals.lot for name, deals in whole.items()}, prices, tuple(sorted(whole)))


def fit_to_result(
    entry: RawFill,
    leaving: RawFill,
    gain: Decimal,
    override: InstrumentOverride | None,
    known: Decimal | None,
) -> Decimal | None:
    """Fit both fills of a round trip to their result, and return the multiplier.

    `gain` is the result before fees of what was bought at the entry, in the currency of the account, and `known`
    the multiplier of earlier trips. Prices in another currency are converted by what the result is of them; a
    round multiplier is one that a lot may have. None leaves the fills as they are.
    """
    stated = entry.multiplier or (override.multiplier if override else None)
    is_foreign = override is not None and override.currency not in (None, entry.currency or override.currency)
    if not (entry.price and leaving.price and entry.quantity):
        return None
    with localcontext(Context(prec=_DIGITS)):
        moved = (leaving.price - entry.price) * entry.quantity
        if not moved:
            return stated or known or ONE
        size = gain / moved
        if size <= ZERO or (stated is not None and not is_foreign):
            return stated
        lots = [lot for lot in _LOTS if abs(lot * moved - gain) <= _ROUNDED]
        if stated is None and lots:
            return min(lots, key=lambda lot: abs(lot * moved - gain))
        rate = size / (stated or ONE)
        for raw in (entry, leaving):
            raw.price = canonical(((raw.price or ZERO) * rate).quantize(_LAST_DIGIT))
    return stated or ONE


def with_implied_fee(result: Decimal, fills: Sequence[Fill]) -> list[Fill]:
    """Return the fills of a round trip, the first with the fee that the result leaves, if it may be one."""
    if len(fills) != 2 or fills[0].commission:
        return list(fills)
    with exact():
        entry, leaving = (trade_value(one.quantity, one.price, one.multiplier) for one in fills)
        fee = (leaving - entry if fills[0].side is Side.BUY else entry - leaving) - result
        if not _CENT <= fee <= 2 * fills[0].quantity * _FEE_OF_A_FUTURE:
            return list(fills)
    return [structs.replace(fills[0], commission=fee), fills[1]]


def result_mismatch(result: Decimal, fills: Sequence[Fill], currency: str) -> RowProblem | None:
    """Return the problem if the fills of a round trip contradict its stated result, before and after fees.

    A result in another currency than the trade is not checked.
    """
    if len(fills) != 2 or (currency and currency != fills[0].currency):
        return None
    with exact():
        paid = [trade_value(one.quantity, one.price, one.multiplier) for one in fills]
        gross = paid[1] - paid[0] if fills[0].side is Side.BUY else paid[0] - paid[1]
        fees = sum((one.commission for one in fills), ZERO)
        slack = 2 * _CENT + abs(gross) * _CENT
        if min(abs(gross - result), abs(gross - fees - result)) <= slack:
            return None
    return RowProblem(
        "contradiction",
        f"entry and exit come to {to_plain_string(gross)}, but the file says {to_plain_string(result)}",
        f"check the multiplier of {fills[0].symbol}, which is {to_plain_string(fills[0].multiplier)}",
    )


def currency_code(text: str) -> str | None:
    """Return the code of a currency in capitals; None if it is empty. Raises RowError."""
    code = text.strip()
    try:
        return COIN.parse(code) if code else None
    except InvalidValueError as error:
        raise RowError("bad_value", f"invalid currency {text!r}", str(error)) from None
