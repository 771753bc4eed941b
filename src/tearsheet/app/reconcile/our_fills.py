"""Our side of a tie-out: what every fill did to an account's results, by average cost and first in, first out."""

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from tearsheet.store.tables.columns import FillRow, PositionRow
from tearsheet.store.tables.queries import Queries
from tearsheet.store.tables.rows import fill_from_row, position_from_row
from tearsheet.trade.amount import ZERO, proportional_share
from tearsheet.trade.fill import Fill, Side
from tearsheet.trade.position import Book
from tearsheet.trade.session import to_micros


class FillEffect(Struct, frozen=True, gc=False):
    """What one fill did. `gross` and `fifo` are its result before fees by the two methods, `paid` and
    `fifo_paid` the fees of both sides of what it closed; `held`, `cost` and the others are what stands
    after it: the quantity (short is negative) and the money in it, without and with fees.
    """

    at: datetime
    symbol: str
    currency: str
    multiplier: Decimal
    fees: Decimal
    cash: Decimal
    gross: Decimal
    fifo: Decimal
    paid: Decimal
    fifo_paid: Decimal
    held: Decimal
    cost: Decimal
    fifo_cost: Decimal
    cost_fees: Decimal
    fifo_fees: Decimal
    exits: int


class _Lot:
    __slots__ = ("fees", "left", "price")

    def __init__(self, left: Decimal, price: Decimal, fees: Decimal) -> None:
        self.left, self.price, self.fees = left, price, fees


class _LotQueue:
    """Lots of one instrument: first in, first out, and the fees that were paid for them."""

    def __init__(self) -> None:
        self.lots: deque[_Lot] = deque()
        self.held = self.value = self.fees = self.average_fees = ZERO

    def add(self, quantity: Decimal, price: Decimal, fees: Decimal) -> None:
        """Add a lot; the quantity is signed."""
        self.lots.append(_Lot(abs(quantity), price, fees))
        self.held += quantity
        self.value += abs(quantity) * price
        self.fees += fees
        self.average_fees += fees

    def close(self, quantity: Decimal, price: Decimal) -> tuple[Decimal, Decimal, Decimal]:
        """Take out what a signed quantity closes: points × quantity made, and the lots' fees by both methods."""
        left, made, paid = abs(quantity), ZERO, ZERO
        sign = -1 if quantity > 0 else 1
        before = abs(self.held)
        while left:
            lot = self.lots[0]
            taken = min(left, lot.left)
            fees = lot.fees if taken == lot.left else proportional_share(lot.fees, taken, lot.left)
            made += (price - lot.price) * taken * sign
            paid += fees
            self.value -= lot.price * taken
            self.fees -= fees
            lot.fees -= fees
            lot.left -= taken
            left -= taken
            if not lot.left:
                self.lots.popleft()
        self.held += quantity
        average = self.average_fees
        if self.held:
            average = proportional_share(average, abs(quantity), before)
        self.average_fees -= average
        return made, paid, average


def fill_effects(fills: Iterable[Fill]) -> list[FillEffect]:
    """The steps of one instrument's fills, in order, from flat; to be called inside `exact()`."""
    book, lots, steps = Book(), _LotQueue(), []
    cost, exits = ZERO, 0
    for fill in fills:
        gross = fifo = paid = fifo_paid = ZERO
        for booking in book.book(fill):
            value = abs(booking.quantity) * fill.price * fill.multiplier
            if lots.held and (lots.held > 0) is not (booking.quantity > 0):
                is_long = lots.held > 0
                gross = booking.gross
                made, fifo_paid, paid = lots.close(booking.quantity, fill.price)
                fifo = made * fill.multiplier
                paid, fifo_paid = paid + booking.fees, fifo_paid + booking.fees
                cost -= value - gross if is_long else value + gross
                exits += 1
            else:
                exits = exits if lots.held else 0
                lots.add(booking.quantity, fill.price, booking.fees)
                cost += value
        signed = fill.quantity if fill.side is Side.BUY else -fill.quantity
        steps.append(
            FillEffect(
                fill.time,
                fill.symbol,
                fill.currency,
                fill.multiplier,
                fill.commission,
                -signed * fill.price * fill.multiplier - fill.commission,
                gross,
                fifo,
                paid,
                fifo_paid,
                lots.held,
                cost,
                lots.value * fill.multiplier,
                lots.average_fees,
                lots.fees,
                exits,
            )
        )
    return steps


def fills_since_flat(queries: Queries, account: str, symbol: str, since: datetime) -> list[Fill]:
    """The fills of an instrument from the last time it was flat before an instant."""
    since_us, before = to_micros(since), None
    while since_us != before:
        before = since_us
        for row in queries.rows(PositionRow, "positions_of_stream_since", (account, symbol, since_us)):
            since_us = min(since_us, since_us if row.opened_us is None else row.opened_us)
    found = queries.stream(FillRow, "fills_of_stream", (account, symbol, since_us))
    return list(map(fill_from_row, found))


def traded_symbols(queries: Queries, account: str, since: datetime) -> list[str]:
    """The instruments of an account that were held or traded since an instant."""
    return sorted(queries.values("streams_of_account_since", (account, to_micros(since))))


def trade_log_effects(
    queries: Queries, account: str, since: datetime, until: datetime
) -> Sequence[FillEffect]:
    """Trades that a bot's log states whole: a result and fees at one instant."""
    steps = []
    for row in queries.stream(PositionRow, "closed_account", (account, to_micros(since), to_micros(until))):
        if row.logged:
            p = position_from_row(row)
            net = p.gross - p.fees
            steps.append(
                FillEffect(
                    p.last_at,
                    p.symbol,
                    p.currency,
                    p.multiplier,
                    p.fees,
                    net,
                    p.gross,
                    p.gross,
                    p.fees,
                    p.fees,
                    ZERO,
                    ZERO,
                    ZERO,
                    ZERO,
                    ZERO,
                    1,
                )
            )
    return steps
