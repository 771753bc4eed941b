"""Fees of a row and their currency, and prices and multipliers that follow from its money."""

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Context, Decimal, localcontext

from tearsheet.sources.layouts.header import HeaderPlaces
from tearsheet.sources.layouts.layout import Fees, Layout
from tearsheet.sources.statements.raw_fill import RawEvent, RawFill, bad_number, canonical
from tearsheet.sources.text.encoding import NumberFormat, split_unit
from tearsheet.sources.text.problem import RowError
from tearsheet.sources.text.stated_money import check_stated_money
from tearsheet.trade.amount import EXACT, ONE, ZERO, exact, is_valid_amount, to_plain_string, trade_value
from tearsheet.trade.event import CHANGES, NO_TERMS, EventKind, EventTerms, Ratio
from tearsheet.trade.fill import Side

#: A quotient of money: enough digits that quantity × price agrees with the money far below a cent.
_DIGITS, _LAST_DIGIT = 40, Decimal("1E-15")
_CENT, _HUNDRED = Decimal("0.01"), Decimal(100)
#: A multiplier is a round number; the amount that it is found by may be rounded.
_CLOSE = Decimal("0.01")
#: Largest share of the trade's value that an implied fee can have; a larger difference is no fee.
_LARGEST_FEE = Decimal("0.05")
_PENCE = ("GBX", "GBP.PENCE")
#: No future with a tick below 1 costs so much.
_UNPOINTED = Decimal(100_000)
_SETTLED, _LONGEST_DAY = "16:20:00", len("2026-01-16")
_Number = Callable[[str, str], tuple[Decimal | None, str]]


#: Fields that may have a column for each direction, and a cell that says 0 where another says the amount.
_PAID_OR_RECEIVED, _NO_AMOUNT = ("cash", "amount"), re.compile(r"[-+]?[$€£₹]?\s?0*[.,]?0*\s?[$€£₹]?|-+")


def first_text(field: str, texts: Sequence[str]) -> str:
    """Return the first of the texts that a row has for a field; of money, the first that is not 0."""
    if field in _PAID_OR_RECEIVED:
        texts = [text for text in texts if not _NO_AMOUNT.fullmatch(text)] or texts
    return texts[0] if texts else ""


def fee_of_quote_row(raw: RawFill, moved: str) -> RawEvent | None:
    """Return the fee in a fill's row of the quote coin as an event; None for its row of the base coin.

    An exchange that lists what each coin did has two rows for a fill; that in the base coin is the trade.
    """
    unit = moved.strip().upper()
    if raw.base:
        raw.realized = ""  # results are those of contracts
    if not (raw.base and unit and unit == raw.currency.upper() and unit != raw.base.upper()):
        return None
    return RawEvent(
        kind="trade_fee",
        amount=EXACT.minus(raw.commission or ZERO),
        account=raw.account,
        symbol=raw.symbol,
        time=raw.time,
        currency=raw.currency,
        asset_class=raw.asset_class,
        event_id=raw.fill_id,
    )


def unstated_coin(raw: RawFill, fee: Decimal, fees: Fees, values: Mapping[str, str], number: _Number) -> str:
    """Return the coin of a fee without one, by what kind of trade it is or by its rate."""
    if raw.fee_currency or fees.unit != "stated":
        return ""
    is_inverse = raw.multiplier is not None and raw.multiplier < ZERO
    if is_inverse or values.get("category", "").casefold() in fees.in_quote:
        return raw.currency
    return _fee_coin_by_rate(raw, fee, number("fee_rate", values.get("fee_rate", ""))[0])


def _fee_coin_by_rate(raw: RawFill, fee: Decimal, rate: Decimal | None) -> str:
    """Return the coin in which the fee equals its rate of the trade, "" if the coin is ambiguous."""
    if not rate or raw.quantity is None or raw.price is None:
        return ""
    due = EXACT.multiply(raw.quantity, rate.copy_abs())
    worth = EXACT.multiply(due, raw.price)
    is_coins, is_money = (
        abs(EXACT.subtract(fee.copy_abs(), one)) <= EXACT.multiply(one, _CLOSE) for one in (due, worth)
    )
    if is_coins == is_money:
        return ""
    return raw.base if is_coins else raw.currency


class RowFees:
    """Fee columns of a layout, bound to a header; `currency` names the column that states the money of each."""

    def __init__(self, columns: Sequence[Sequence[str]], currency: str, places: HeaderPlaces) -> None:
        names = [next((n for n in group if places.place(n) is not None), "") for group in columns]
        self._places = [places.place(name) if name else None for name in names]
        self._units = [
            places.place(currency.replace("{fee}", name)) if name and currency else None for name in names
        ]
        self._named = [places.open_parts(name).get("currency", "") if name else "" for name in names]

    def texts(self, cells: Sequence[str]) -> list[str]:
        """Return the fees of a row as written, each with the currency that another column or its name states."""
        texts = []
        for place, unit, named in zip(self._places, self._units, self._named, strict=True):
            text = cells[place].strip() if place is not None else ""
            money = (cells[unit].strip().upper() if unit is not None else "") or named
            texts.append(f"{text} {money}" if money and text[-1:].isdigit() else text)
        return texts

    def total(
        self, texts: Sequence[str], own: str, values: Mapping[str, str], number: _Number
    ) -> tuple[Decimal, str]:
        """Return the sum of the fees and their currency. Raises RowError.

        A fee in the currency of the price is converted at the rate that the row states.
        """
        sums: dict[str, Decimal] = {}
        for text in texts:
            fee, unit = number("commission", text)
            if fee:
                fee, unit = _converted(fee, unit, own, values, number)
                sums[unit] = EXACT.add(sums.get(unit, ZERO), fee)
        if own and own in sums and "" in sums:
            sums[own] = EXACT.add(sums[own], sums.pop(""))
        if len(sums) > 1:
            raise RowError(
                "foreign_fee",
                f"the row has fees in several currencies: {', '.join(sorted(sums))}",
                "import this fill in the generic format with one fee",
            )
        return next(((fee, unit) for unit, fee in sums.items()), (ZERO, ""))


def _converted(
    fee: Decimal, unit: str, own: str, values: Mapping[str, str], number: _Number
) -> tuple[Decimal, str]:
    priced = values.get("price_currency", "").upper()
    if not unit or unit == own or not priced or unit not in (priced, *_major_of(priced)):
        return fee, unit
    rate = number("rate", values.get("rate", ""))[0]
    if not rate:
        return fee, unit
    with localcontext(Context(prec=_DIGITS)):
        factor = _HUNDRED if unit != priced else Decimal(1)
        return canonical((fee * factor / rate).quantize(_CENT)), own


def _major_of(priced: str) -> tuple[str, ...]:
    return ("GBP",) if priced in _PENCE else ()


def fee_at_rate(raw: RawFill, cost: Decimal | None, rate: Decimal | None) -> Decimal | None:
    """Convert a fee from the account's currency; drop the result, which is rounded in that currency."""
    if rate not in (None, ONE):
        raw.realized = ""
    return None if cost is None else in_trade_currency(cost, rate)


def in_trade_currency(cost: Decimal, rate: Decimal | None) -> Decimal:
    """Convert a fee from the account's currency to the trade's; `rate` is the value of one unit of the latter."""
    if not rate or not cost:
        return cost
    with localcontext(Context(prec=_DIGITS)):
        return canonical((cost / rate).quantize(_LAST_DIGIT))


def set_price_by_money(raw: RawFill, side: Side, *, by_cash: bool) -> None:
    """Compute the price from the money of a trade, and drop its amount and cash. Raises RowError.

    `by_cash`: the cash that moved has the fees in it; otherwise the amount of the trade is without them, and
    the cash is compared with it.
    """
    fee = raw.commission or ZERO
    if fee and raw.fee_currency and raw.currency and raw.fee_currency != raw.currency:
        raise RowError(
            "foreign_fee",
            f"the fee is in {raw.fee_currency}, the cash that moved in {raw.currency}",
            "write the fill in the generic format, with the fee in the currency of the account",
        )
    money = raw.cash if by_cash else raw.amount
    if money is None or not raw.quantity:
        if raw.quantity:
            raise RowError("missing_field", "the amount of the trade is empty", "its price follows from it")
        return
    paid = EXACT.minus(fee) if side is Side.BUY else fee
    gross = EXACT.add(money.copy_abs(), paid) if by_cash else money.copy_abs()
    moved = (
        None
        if by_cash or raw.cash is None
        else EXACT.subtract(raw.cash.copy_abs(), EXACT.subtract(gross, paid))
    )
    if moved is not None and abs(moved) > 2 * _CENT:
        raise RowError(
            "contradiction",
            f"the amount is {to_plain_string(gross)} and the fees are {to_plain_string(fee)}, but the cash "
            f"that moved is {to_plain_string(raw.cash or ZERO)}",
            "check the row with your broker",
        )
    with localcontext(Context(prec=_DIGITS)):
        price = (gross / raw.quantity).quantize(_LAST_DIGIT)
    raw.price, raw.amount, raw.cash = checked_amount("price", price), None, None


def price_in_account_currency(raw: RawFill, side: Side, values: Mapping[str, str], number: _Number) -> None:
    """Set the price in the currency of the account, if the row states it in another. Raises RowError.

    The fee is what the cash leaves at the rate of the row; without a rate the cash has no fee beside it.
    """
    priced, rate = values.get("price_currency", "").upper(), number("rate", values.get("rate", ""))[0]
    if not raw.currency and rate not in (None, 1):
        raise RowError(
            "missing_field",
            f"the cash that moved is in another money than {priced or 'the price'}, and the file does not say in which",
            "say the currency of the account with --currency",
        )
    raw.currency = raw.currency or priced
    if raw.currency == priced or not priced:
        return
    if raw.cash is None or raw.price is None or not raw.quantity:
        raise RowError(
            "missing_field", "the cash that moved is empty", "the price in its currency follows from it"
        )
    with localcontext(Context(prec=_DIGITS)):
        paid = raw.cash.copy_abs()
        gross = raw.quantity * raw.price * rate if rate else paid
        fee = paid - gross if side is Side.BUY else gross - paid
        if raw.commission is None and ZERO <= fee <= gross * _LARGEST_FEE:
            raw.commission = canonical(fee.quantize(_CENT))
    set_price_by_money(raw, side, by_cash=True)


def mark_unpointed(raw: RawFill, layout: Layout) -> None:
    """Leave a large whole price to the tick of its instrument, which shows whether its point was left out."""
    if layout.prices != "unpointed":
        return
    if raw.price is not None and raw.price >= _UNPOINTED and raw.price == EXACT.to_integral_value(raw.price):
        raw.fraction = to_plain_string(raw.price)


def multiplier_by_volume(volume: Decimal | None, quantity: Decimal | None) -> Decimal | None:
    """Return how many units a lot is, by the volume in units and the quantity in lots."""
    if not volume or not quantity:
        return None
    with localcontext(Context(prec=_DIGITS)):
        return canonical((volume / quantity).copy_abs().quantize(_LAST_DIGIT))


def multiplier_by_amount(raw: RawFill) -> Decimal | None:
    """Return the round multiplier by which quantity × price is the amount. Raises RowError."""
    if not raw.amount or not raw.price or not raw.quantity:
        return None
    with localcontext(Context(prec=_DIGITS)) as context:
        exact = raw.amount.copy_abs() / (raw.price.copy_abs() * raw.quantity)
        for digits in (1, 2):
            context.prec = digits
            rounded = +exact
            context.prec = _DIGITS
            if abs(exact - rounded) <= rounded * _CLOSE:
                return canonical(rounded)
    raise RowError(
        "contradiction",
        f"the amount {to_plain_string(raw.amount)} is no round multiple of quantity × price",
        "check the row with your broker, or state the multiplier in the instruments file",
    )


def bond_multiplier(raw: RawFill) -> Decimal:
    """Return 0.01 for a price in percent of the face value, 1 for a price in money, by the amount of the row.

    Raises RowError for a bond that is partly repaid, or whose face value follows an index.
    """
    multiplier = multiplier_by_amount(raw) if raw.amount else _CENT
    if multiplier not in (None, _CENT, ONE):
        raise RowError(
            "contradiction",
            f"the amount {to_plain_string(raw.amount or ZERO)} is neither quantity × price nor a hundredth of it",
            "write the fill in the generic format, with the multiplier of this bond",
        )
    return multiplier or _CENT


def checked_amount(field: str, number: Decimal) -> Decimal:
    """Return a computed number in canonical form. Raises RowError if it is out of range."""
    if not is_valid_amount(number):
        raise bad_number(field, ValueError(f"is not a usable number, was {to_plain_string(number)!r}"))
    return canonical(number)


def raw_event(
    kind: EventKind, values: Mapping[str, str], fees: Sequence[str], layout: Layout, number: _Number
) -> RawEvent:
    """Return an event with the money that its row states, without instrument and time. Raises RowError."""
    rules = layout.events
    field = next((field for field in rules.amount if values.get(field)), rules.amount[0])
    text = next(filter(None, fees), "") if field == "fees" else values.get(field, "")
    amount, unit = number(field, text)
    if amount is None and kind not in CHANGES:
        raise RowError("missing_field", f"the {kind} has no amount", "an event states its money")
    if kind == "trade_fee" and not amount and number("quantity", values.get("quantity", ""))[0]:
        raise RowError(
            "foreign_fee",
            f"the fee is {values['quantity']} of the coin itself, and its row states no money",
            "write it in the generic format: a sale of that quantity, with its worth as the commission",
        )
    if kind == "split" and field != "event_amount":
        amount = None  # the worth of the shares, which did not move
    shares = values.get("quantity", "")
    shares = f"-{shares[:-1]}" if shares[-1:] in ("S", "s") else shares  # as some brokers write what went
    quantity = (number("quantity", shares)[0] or ZERO) if kind in CHANGES else ZERO
    if kind == "cancel" and layout.quantity == "unsigned":
        side = layout.side_words(1, -1).get(values.get("side", "").casefold(), 0)
        quantity = EXACT.multiply(quantity.copy_abs(), Decimal(side)) if side else quantity
    if amount is not None and kind in rules.unsigned:
        amount = EXACT.minus(amount.copy_abs())
    received = _received(kind, values, number)
    if rules.stated:
        currency = (unit or values.get("currency", "")).strip()
        check_stated_money(kind, amount, currency, received, values.get("refund", "").strip())
    return RawEvent(
        kind=kind,
        amount=EXACT.minus(amount) if amount is not None and rules.paid == "positive" else amount,
        quantity=quantity,
        cash=amount if kind == "cancel" and not layout.fees.columns else None,
        commission=_event_fee(kind, amount, values, fees, layout, number),
        terms=_terms(kind, values, number) if kind in CHANGES else _beside(values, number),
        account=values.get("account", ""),
        currency=unit,
        event_id=values.get("event_id") or values.get("fill_id", ""),
        position_side=values.get("position_side", ""),
        held_on=values.get("ex_date", ""),
        received=received,
    )


def _received(kind: EventKind, values: Mapping[str, str], number: _Number) -> tuple[Decimal, str] | None:
    """Return the received amount and currency of a conversion. Raises RowError if one of them is missing."""
    text, currency = values.get("to_amount", ""), values.get("to_currency", "").strip()
    if kind != "conversion" or not (text or currency):
        return None
    amount = number("to_amount", text)[0]
    if amount is None or not currency:
        missing = "to_amount" if amount is None else "to_currency"
        raise RowError(
            "missing_field", f"the conversion has no {missing}", "state what it came to, and in what"
        )
    return amount, currency


def event_time(kind: EventKind, text: str) -> str:
    """Return the time of an event as written; an option of a day is settled after it was removed."""
    return f"{text} {_SETTLED}" if kind == "cash_settlement" and 0 < len(text) <= _LONGEST_DAY else text


def _event_fee(
    kind: EventKind,
    amount: Decimal | None,
    values: Mapping[str, str],
    fees: Sequence[str],
    layout: Layout,
    number: _Number,
) -> Decimal:
    """Return the fee of a cancellation, or of a settlement: what its cash leaves of its amount."""
    if kind == "cash_settlement" and amount is not None:
        cash = number("cash", values.get("cash", ""))[0]
        return ZERO if cash is None else EXACT.subtract(amount, cash)
    if kind != "cancel":
        return ZERO
    paid = ZERO
    for text in fees:
        paid = EXACT.add(paid, number("commission", text)[0] or ZERO)
    return EXACT.minus(paid) if layout.fees.cost == "negative" else paid


def _terms(kind: EventKind, values: Mapping[str, str], number: _Number) -> EventTerms:
    """Return the terms of a position change in a row. Raises RowError."""

    def stated(field: str) -> Decimal | None:
        return number(field, values.get(field, ""))[0]

    def shares(field: str) -> Ratio | None:
        new, _, old = values.get(field, "").partition(":")
        pair = number(field, new)[0], number(field, old or ("1" if new else ""))[0]
        if pair[0] is None or pair[1] is None:
            return None
        return pair[0], pair[1]

    ratio, delta = shares("ratio"), stated("delta")
    if kind == "split" and ratio is None and delta is None:
        delta = stated("quantity")
    return EventTerms(
        ratio=ratio,
        to=values.get("to_symbol") or None,
        to_account=values.get("to_account") or None,
        to_quantity=stated("to_quantity"),
        in_lieu=stated("cash_in_lieu"),
        delta=delta,
        cost=stated("cost"),
        cost_share=shares("cost_share"),
        how=values.get("how") or None,
        price=stated("price"),
        base_rate=_base_rate(values, number),
    )


def _beside(values: Mapping[str, str], number: _Number) -> EventTerms:
    """Return the terms of an event in a row, other than money. Raises RowError."""
    rate, note = _base_rate(values, number), values.get("note") or None
    return NO_TERMS if rate is None and note is None else EventTerms(base_rate=rate, note=note)


def _base_rate(values: Mapping[str, str], number: _Number) -> Decimal | None:
    """Return the rate in a row. Raises RowError if it is invalid."""
    rate = number("base_rate", values.get("base_rate", ""))[0]
    if rate is not None and rate <= ZERO:
        raise RowError("bad_number", f"the rate is {rate}", "a rate into the account's currency is above 0")
    return rate


def entry_and_exit(values: Mapping[str, str]) -> dict[str, str]:
    """Return entry and exit of a round trip that is stated as purchase and sale; empty for other rows."""
    if "bought" not in values:
        return {}
    ids = (values.get("buy_id", ""), values.get("sell_id", ""))
    return {
        "time": values["bought"],
        "price": values["buy_price"],
        "side": "BUY",
        "exit_time": values["sold"],
        "exit_price": values["sell_price"],
        "fill_id": values.get("fill_id") or "-".join(filter(None, ids)),
    }


def number_legs(entry: RawFill, leaving: RawFill, sides: tuple[str, str]) -> None:
    """Set the IDs of both legs of a round trip: the trip's ID, if any, with the side appended."""
    if trip := entry.fill_id:
        entry.fill_id, leaving.fill_id = (f"{trip}:{side}" for side in sides)


def set_fees_by_net(entry: RawFill, leaving: RawFill, net: Decimal | None) -> None:
    """Set the fees of both sides of a round trip, which are what its net result leaves. Raises RowError."""
    if net is None or entry.price is None or leaving.price is None or entry.quantity is None:
        return
    multiplier = entry.multiplier or ONE
    with exact():
        values = [trade_value(entry.quantity, raw.price or ZERO, multiplier) for raw in (entry, leaving)]
        gross = values[1] - values[0] if entry.side == Side.BUY.value else values[0] - values[1]
        fee = gross - net
        if abs(fee) > _LARGEST_FEE * sum(map(abs, values)):
            raise RowError(
                "contradiction",
                f"entry and exit come to {to_plain_string(gross)}, but the file says {to_plain_string(net)} net",
                "check quantity, prices and side with the broker",
            )
    entry.commission = canonical(fee)


def set_swap(raw: RawFill, values: Mapping[str, str], fees: Fees, number: _Number) -> None:
    """Set the swap that a row states beside its fees. Raises RowError."""
    swap, unit = number("swap", values.get("swap", ""))
    if swap and fees.at_rate:
        swap, unit = in_trade_currency(swap, number("rate", values.get("rate", ""))[0]), raw.currency
    raw.swap, raw.swap_currency = swap, unit or values.get("fee_currency", "")


def stated_result(
    entry: RawFill, leaving: RawFill, values: Mapping[str, str], number: _Number
) -> tuple[Decimal | None, Decimal | None, str]:
    """Return the result of a round trip without its swap, that before fees, and their currency. Raises RowError."""
    result, unit = number("result", values.get("result", ""))
    if result is not None and leaving.swap:
        result = EXACT.subtract(result, leaving.swap)
    gross = number("gross", values.get("gross", ""))[0]
    if gross is None and result is not None:
        gross = EXACT.add(result, EXACT.add(entry.commission or ZERO, leaving.commission or ZERO))
    return gross if result is None else result, gross, unit or values.get("fee_currency", "")


def check_unit(code: str, unit: str, where: str, symbol: str) -> str:
    """Return the code of the row, or the unit behind a number if it has none. Raises RowError."""
    if not unit:
        return code
    known = code.upper()
    if known and known != unit:
        raise RowError(
            "contradiction",
            f"{where} is in {unit}, but the trade is of {symbol} in {known}",
            "check the row with your broker",
        )
    return known or unit


def parse_with_unit(form: NumberFormat, text: str) -> tuple[Decimal | None, str]:
    """Return a number and the currency or coin behind it. Raises ValueError."""
    text, unit = split_unit(text)
    number = form.parse(text)
    return None if number is None else canonical(number), unit
