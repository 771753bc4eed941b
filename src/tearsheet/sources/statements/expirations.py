"""Expirations: options that expired, were assigned or exercised, so that a position ends without a trade.

The option ends at price 0; delivered shares have a row of their own. If a row does not state
whether the position was long or short, the trades of the file show it, or the row is rejected.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

from msgspec import Struct

from tearsheet.sources.layouts.layout import Layout
from tearsheet.sources.statements.raw_fill import PickedRow, RawEvent, RawFill, canonical
from tearsheet.sources.statements.row_rules import RuleMapper
from tearsheet.sources.text.contracts import expiry_of, is_cash_settled
from tearsheet.sources.text.encoding import NumberFormat
from tearsheet.sources.text.problem import RowError
from tearsheet.trade.amount import ZERO, exact, to_plain_string
from tearsheet.trade.fill import Side

#: When the last options of a day have been traded in New York.
_CLOSE = time(16, 20)
_LONGEST_DAY = len("2026-01-16")
_InstrumentKey = tuple[str, str]


class PendingExpiration(Struct, frozen=True):
    """A row by which a position ends, kept until all trades of the file are known."""

    line: int
    last_line: int
    cells: list[str]
    row: PickedRow
    mapper: RuleMapper


class Expirations:
    """Sides of the rows by which positions end, from the trades of the file."""

    def __init__(self, layout: Layout, form: NumberFormat) -> None:
        self._number_format = form
        self._opens = {word.casefold() for word in layout.opens}
        self._sides = layout.side_words(Side.BUY, Side.SELL)
        self._is_signed = layout.endings == "signed"
        self._clock = layout.constants.get("clock", "")
        self._long: defaultdict[_InstrumentKey, Decimal] = defaultdict(Decimal)
        self._short: defaultdict[_InstrumentKey, Decimal] = defaultdict(Decimal)
        self._stated: Counter[tuple[object, ...]] = Counter()

    def scan_trades(self, trades: Iterable[RawFill], ended: Iterable[RawFill]) -> None:
        """Add the trades of the instruments that ended."""
        keys = {_instrument_key(raw) for raw in ended}
        with exact():
            for raw in trades:
                if _instrument_key(raw) in keys:
                    self._stated[_content(raw, self._side(raw.side))] += 1
                    self._count(raw)

    def _count(self, raw: RawFill) -> None:
        key, quantity = _instrument_key(raw), raw.quantity or ZERO
        is_opening = raw.side.casefold() in self._opens
        is_long = (self._side(raw.side) is Side.BUY) is is_opening
        held = self._long if is_long else self._short
        held[key] += quantity if is_opening else -quantity

    def raw_fill(self, pending: PendingExpiration) -> RawFill:
        """Return the fill of an end, with the side the row states, or a buy. Raises RowError."""
        values = pending.row.values
        event = values["event"]
        quantity = self._quantity(values.get("quantity", ""))
        changed = {
            "amount": "",
            "cash": "",
            "order_id": values.get("order_id") or event,
            "quantity": "",
            "side": self._stated_side(values) or Side.BUY.value,
        }
        if event != "delivery":
            changed["price"] = "0"
        raw = pending.mapper.raw_fill(PickedRow({**values, **changed}, pending.row.fees), quantity)
        raw.time = self._time(values, raw)
        raw.is_end = event != "delivery"
        return raw

    def settlement(self, pending: PendingExpiration, raw: RawFill) -> RawEvent | None:
        """Return the cash that the row of an index option states beside its end. Raises RowError."""
        values = pending.row.values
        if self._is_signed or not is_cash_settled(raw.symbol):
            return None
        text = values.get("cash") or values.get("amount") or ""
        try:
            cash = self._number_format.parse(text)
        except ValueError as error:
            raise RowError("bad_number", f"amount {error}", "allowed is a number") from None
        if not cash:
            return None
        return RawEvent(
            kind="cash_settlement",
            amount=canonical(cash),
            account=raw.account,
            symbol=raw.symbol,
            time=raw.time,
            currency=raw.currency,
            asset_class=raw.asset_class,
        )

    def set_side(self, pending: PendingExpiration, raw: RawFill) -> bool:
        """Set the side of an end; return whether a trade of the file restates it. Raises RowError."""
        if not (self._is_signed or self._stated_side(pending.row.values)):
            raw.side = self._closing_side(raw, pending.row.values["event"]).value
            return False
        content = _content(raw, self._side(raw.side))
        if self._is_signed and self._stated[content]:
            self._stated[content] -= 1
            return True
        return False

    def _closing_side(self, raw: RawFill, event: str) -> Side:
        key, quantity = _instrument_key(raw), raw.quantity or ZERO
        bought, sold = self._long[key], self._short[key]
        if quantity > ZERO and bought >= quantity and sold <= ZERO:
            self._long[key] -= quantity
            return Side.SELL
        if quantity > ZERO and sold >= quantity and bought <= ZERO:
            self._short[key] -= quantity
            return Side.BUY
        raise RowError(
            "unknown_row",
            f"the {event} has no side, and the file does not show that {to_plain_string(quantity)} of "
            f"{raw.symbol} were opened before: it has {to_plain_string(bought)} long, {to_plain_string(sold)} short",
            "export from before the position was opened, or write its end as a fill at price 0 in the "
            "generic format",
        )

    def _stated_side(self, values: dict[str, str]) -> str:
        """Return the word for the side that the row states, or the one of its sign."""
        word = values.get("side", "")
        if word.casefold() in self._sides:
            return word
        if not self._is_signed:
            return ""
        is_sale = self._number_format.sign_of(values.get("quantity", "")) < 0
        return Side.SELL.value if is_sale else Side.BUY.value

    def _side(self, word: str) -> Side:
        return self._sides.get(word.casefold()) or (Side.SELL if word == "SELL" else Side.BUY)

    def _time(self, values: dict[str, str], raw: RawFill) -> str:
        """Return when the position ended.

        Options expire after the close in New York, whenever the broker books it; another event on
        a day without a time of day comes after the trades of that day.
        """
        day, clock = values.get("time", ""), values.get("clock", "")
        if not day or len(day) > _LONGEST_DAY:
            return raw.time
        expiry = expiry_of(raw.symbol) if values["event"] == "expiry" else None
        if expiry is not None:
            return datetime.combine(expiry, _CLOSE, ZoneInfo("America/New_York")).isoformat()
        return raw.time if clock != self._clock else f"{day} {_CLOSE}"

    def _quantity(self, text: str) -> Decimal | None:
        try:
            number = self._number_format.parse(text.rstrip("Ss "))
        except ValueError as error:
            raise RowError("bad_number", f"quantity {error}", "allowed is a number") from None
        return None if number is None else canonical(number.copy_abs())


def _instrument_key(raw: RawFill) -> _InstrumentKey:
    return raw.account, "".join(raw.symbol.split()).upper()


def _content(raw: RawFill, side: Side) -> tuple[object, ...]:
    """Return what two rows about one event share: their time of day may differ, their day does not."""
    day = "".join(raw.time.split("T")[0].split(" ")[0].split(";")[0].split("-"))[:8]
    return (*_instrument_key(raw), side, raw.quantity, raw.price, day)
