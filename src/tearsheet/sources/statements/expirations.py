"""Positions that end without a trade: options that expired, were assigned or exercised.

The option ends at price 0; the shares that were delivered are a row of their own. Where the row does
not say whether it was held long or short, what the file opened tells it, or the row is rejected.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

from msgspec import Struct

from tearsheet.sources.layouts.layout import FIELDS, Layout
from tearsheet.sources.statements.row_rules import RowMapper
from tearsheet.sources.text.contracts import expiry_of
from tearsheet.sources.text.encoding import NumberFormat
from tearsheet.sources.text.problem import RowError
from tearsheet.trade.amount import ZERO, exact, to_plain_string
from tearsheet.trade.fill import Side

_ACCOUNT, _SYMBOL, _TIME, _SIDE, _QUANTITY, _PRICE = (
    FIELDS.index(field) for field in ("account", "symbol", "time", "side", "quantity", "price")
)
#: When the last options of a day have been traded in New York.
_CLOSE = time(16, 20)
_LONGEST_DAY = len("2026-01-16")
_Cells = Sequence[str]
_InstrumentKey = tuple[str, str]


class PendingExpiration(Struct, frozen=True):
    """A row by which a position ends, kept until the whole file was seen."""

    line: int
    last_line: int
    cells: list[str]
    values: dict[str, str]
    rules: RowMapper


class Expirations:
    """Settles the sides of rows by which positions end, from what a file says of its trades."""

    def __init__(self, layout: Layout, form: NumberFormat) -> None:
        self._number_format = form
        self._opens = {word.casefold() for word in layout.opens}
        self._sides = layout.side_words(Side.BUY, Side.SELL)
        self._is_signed = layout.endings == "signed"
        self._clock = layout.constants.get("clock", "")
        self._long: defaultdict[_InstrumentKey, Decimal] = defaultdict(Decimal)
        self._short: defaultdict[_InstrumentKey, Decimal] = defaultdict(Decimal)
        self._stated: Counter[tuple[str, ...]] = Counter()

    def scan_trades(self, trades: Iterable[_Cells], wanted: Iterable[_Cells]) -> None:
        """Take in the trades of the file, as canonical rows, of the instruments that are wanted."""
        streams = {_instrument_key(row) for row in wanted}
        with exact():
            for row in trades:
                if _instrument_key(row) not in streams:
                    continue
                self._stated[_content(row, self._side(row[_SIDE]))] += 1
                self._count(row)

    def _count(self, row: _Cells) -> None:
        stream, quantity = _instrument_key(row), Decimal(row[_QUANTITY] or 0)
        is_opening = row[_SIDE].casefold() in self._opens
        is_long = (self._side(row[_SIDE]) is Side.BUY) is is_opening
        held = self._long if is_long else self._short
        held[stream] += quantity if is_opening else -quantity

    def row(self, held: PendingExpiration) -> _Cells:
        """The canonical row of an ending, with the side that it says, or a buy. Raises RowError."""
        values = held.values
        event = values["event"]
        changed = {
            "amount": "",
            "cash": "",
            "order_id": values.get("order_id") or event,
            "quantity": self._quantity(values.get("quantity", "")),
            "side": self._stated_side(values) or Side.BUY.value,
        }
        if event != "delivery":
            changed["price"] = "0"
        row = list(held.rules.to_fill_rows({**values, **changed}, held.cells, self._number_format)[0])
        row[_TIME] = self._time(held, row)
        return row

    def with_side(self, held: PendingExpiration, row: _Cells) -> _Cells | None:
        """The row with its side; None where a trade of the file says the same. Raises RowError."""
        if self._is_signed or self._stated_side(held.values):
            content = _content(row, self._side(row[_SIDE]))
            if self._is_signed and self._stated[content]:
                self._stated[content] -= 1
                return None
            return row
        side = self._opposite_side(row, held.values["event"])
        return [*row[:_SIDE], side.value, *row[_SIDE + 1 :]]

    def _opposite_side(self, row: _Cells, event: str) -> Side:
        stream, quantity = _instrument_key(row), Decimal(row[_QUANTITY] or 0)
        bought, sold = self._long[stream], self._short[stream]
        if quantity > ZERO and bought >= quantity and sold <= ZERO:
            self._long[stream] -= quantity
            return Side.SELL
        if quantity > ZERO and sold >= quantity and bought <= ZERO:
            self._short[stream] -= quantity
            return Side.BUY
        raise RowError(
            "unknown_row",
            f"the {event} has no side, and the file does not show that {to_plain_string(quantity)} of "
            f"{row[_SYMBOL]} were opened before: it has {to_plain_string(bought)} long, {to_plain_string(sold)} short",
            "export from before the position was opened, or write its end as a fill at price 0 in the "
            "generic format",
        )

    def _stated_side(self, values: dict[str, str]) -> str:
        """The word for a side that the row has itself, or the one that its sign means."""
        word = values.get("side", "")
        if word.casefold() in self._sides:
            return word
        if not self._is_signed:
            return ""
        is_sale = self._number_format.sign_of(values.get("quantity", "")) < 0
        return Side.SELL.value if is_sale else Side.BUY.value

    def _side(self, word: str) -> Side:
        return self._sides.get(word.casefold()) or (Side.SELL if word == "SELL" else Side.BUY)

    def _time(self, held: PendingExpiration, row: _Cells) -> str:
        """When it ended: options expire after the close in New York, whenever that was written down;
        what else happened on a day without hours was after the trades of the day."""
        day, clock = held.values.get("time", ""), held.values.get("clock", "")
        if not day or len(day) > _LONGEST_DAY:
            return row[_TIME]
        expiry = expiry_of(row[_SYMBOL]) if held.values["event"] == "expiry" else None
        if expiry is not None:
            return datetime.combine(expiry, _CLOSE, ZoneInfo("America/New_York")).isoformat()
        return row[_TIME] if clock != self._clock else f"{day} {_CLOSE}"

    def _quantity(self, text: str) -> str:
        try:
            number = self._number_format.parse(text.rstrip("Ss "))
        except ValueError as error:
            raise RowError("bad_number", f"quantity {error}", "allowed is a number") from None
        return "" if number is None else to_plain_string(abs(number))


def _instrument_key(row: _Cells) -> _InstrumentKey:
    return row[_ACCOUNT], "".join(row[_SYMBOL].split()).upper()


def _content(row: _Cells, side: Side) -> tuple[str, ...]:
    """What two rows about one event have in common; their hours may differ, their day does not."""
    day = "".join(row[_TIME].split("T")[0].split(" ")[0].split(";")[0].split("-"))[:8]
    return (*_instrument_key(row), side.value, row[_QUANTITY], row[_PRICE], day)
