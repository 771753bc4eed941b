"""Ledger side of a reconciliation: the effect of every fill by average cost and first in, first out."""

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from tearsheet.store.tables.columns import BookingRow, FillRow, PositionRow
from tearsheet.store.tables.queries import Queries
from tearsheet.store.tables.rows import booking_from_row, fill_from_row, position_from_row
from tearsheet.store.write.event_streams import REACH_US, first_with_legs
from tearsheet.trade.amount import ZERO, proportional_share, trade_value
from tearsheet.trade.event import Event
from tearsheet.trade.fill import Fill, Side
from tearsheet.trade.position import Book
from tearsheet.trade.round_trip import without_executed_legs
from tearsheet.trade.session import from_micros, to_micros


class FillEffect(Struct, frozen=True, gc=False):
    """Effect of one fill.

    `gross` and `fifo` are the result before fees by average cost and FIFO; `paid` and `fifo_paid` the
    entry and exit fees of the closed quantity. `held` is the quantity after the fill (short is
    negative), `cost` and `fifo_cost` its cost, `cost_fees` and `fifo_fees` its entry fees.
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
    carry: Decimal = ZERO


class _Lot:
    __slots__ = ("fees", "left", "price")

    def __init__(self, left: Decimal, price: Decimal, fees: Decimal) -> None:
        self.left, self.price, self.fees = left, price, fees


class _LotQueue:
    """FIFO queue of the open lots of one instrument, with their fees."""

    def __init__(self) -> None:
        self.lots: deque[_Lot] = deque()
        self.held = self.value = self.fees = self.average_fees = ZERO

    def add(self, quantity: Decimal, price: Decimal, multiplier: Decimal, fees: Decimal) -> None:
        """Add a lot; the quantity is signed."""
        self.lots.append(_Lot(abs(quantity), price, fees))
        self.held += quantity
        self.value += trade_value(abs(quantity), price, multiplier)
        self.fees += fees
        self.average_fees += fees

    def close(
        self, quantity: Decimal, price: Decimal, multiplier: Decimal
    ) -> tuple[Decimal, Decimal, Decimal]:
        """Close a signed quantity; return its result, FIFO fees and average fees."""
        left, made, paid = abs(quantity), ZERO, ZERO
        sign = -1 if quantity > 0 else 1
        before = abs(self.held)
        while left:
            lot = self.lots[0]
            closed = min(left, lot.left)
            fees = lot.fees if closed == lot.left else proportional_share(lot.fees, closed, lot.left)
            cost = trade_value(closed, lot.price, multiplier)
            made += (trade_value(closed, price, multiplier) - cost) * sign
            paid += fees
            self.value -= cost
            self.fees -= fees
            lot.fees -= fees
            lot.left -= closed
            left -= closed
            if not lot.left:
                self.lots.popleft()
        self.held += quantity
        average = self.average_fees
        if self.held:
            average = proportional_share(average, abs(quantity), before)
        self.average_fees -= average
        return made, paid, average


def fill_effects(fills: Iterable[Fill]) -> list[FillEffect]:
    """Return the effects of one instrument's fills, in order from flat; call it inside `exact()`."""
    book, lots, steps = Book(), _LotQueue(), []
    cost, exits = ZERO, 0
    for fill in fills:
        gross = fifo = paid = fifo_paid = ZERO
        for booking in book.book(fill):
            value = trade_value(abs(booking.quantity), fill.price, fill.multiplier)
            if lots.held and (lots.held > 0) is not (booking.quantity > 0):
                is_long = lots.held > 0
                gross = booking.gross
                fifo, fifo_paid, paid = lots.close(booking.quantity, fill.price, fill.multiplier)
                paid, fifo_paid = paid + booking.fees, fifo_paid + booking.fees
                cost -= value - gross if is_long else value + gross
                exits += 1
            else:
                exits = exits if lots.held else 0
                lots.add(booking.quantity, fill.price, fill.multiplier, booking.fees)
                cost += value
        signed = fill.quantity if fill.side is Side.BUY else -fill.quantity
        steps.append(
            FillEffect(
                fill.time,
                fill.symbol,
                fill.currency,
                fill.multiplier,
                fill.commission,
                -trade_value(signed, fill.price, fill.multiplier) - fill.commission,
                gross,
                fifo,
                paid,
                fifo_paid,
                lots.held,
                cost,
                lots.value,
                lots.average_fees,
                lots.fees,
                exits,
            )
        )
    return steps


def event_effects(
    queries: Queries, account: str, fills: Sequence[Fill], since: datetime, until: datetime
) -> list[FillEffect]:
    """Return the effects of an instrument that has events, from its bookings; FIFO is as average cost there."""
    if not fills:
        return []
    symbol, multiplier, since = fills[0].symbol, fills[0].multiplier, min(since, fills[0].time)
    span = (account, to_micros(since), to_micros(until))
    rows = (row for row in queries.stream(BookingRow, "bookings_account", span) if row.symbol == symbol)
    steps: list[FillEffect] = []
    held = cost = entry_fees = ZERO
    exits = 0
    for booking in sorted(map(booking_from_row, rows), key=lambda one: one.order):
        quantity, value = booking.quantity, trade_value(abs(booking.quantity), booking.price, multiplier)
        is_exit = bool(booking.gross) or (held and (quantity > ZERO) is not (held > ZERO))
        paid = ZERO
        if is_exit and booking.event != "split":
            part = min(abs(quantity), abs(held))
            share = proportional_share(entry_fees, part, abs(held)) if part else ZERO
            cost -= proportional_share(cost, part, abs(held)) if part else ZERO
            paid, entry_fees, exits = share + booking.fees, entry_fees - share, exits + 1
        else:
            cost, entry_fees, exits = cost + value, entry_fees + booking.fees, exits if held else 0
        held += quantity
        moved = booking.gross if booking.event == "cash_settlement" else ZERO
        cash = (
            -quantity * booking.price * multiplier + moved
            if booking.event
            else -value
            if quantity > ZERO
            else value
        )
        steps.append(
            FillEffect(
                booking.time,
                symbol,
                booking.currency,
                multiplier,
                booking.fees,
                cash - booking.fees,
                booking.gross,
                booking.gross,
                paid,
                paid,
                held,
                cost,
                cost,
                entry_fees,
                entry_fees,
                exits,
                booking.carry,
            )
        )
    return steps


def fills_since_flat(queries: Queries, account: str, symbol: str, since: datetime) -> list[Fill]:
    """Return the fills of an instrument since it was last flat before an instant."""
    since_us, before = to_micros(since), None
    while since_us != before:
        before = since_us
        for row in queries.rows(PositionRow, "positions_of_stream_since", (account, symbol, since_us)):
            since_us = min(since_us, since_us if row.opened_us is None else row.opened_us)
    first_us = first_with_legs(queries, (account, symbol), since_us)
    found = queries.stream(FillRow, "fills_of_stream", (account, symbol, first_us - REACH_US))
    fills = [fill for fill in map(fill_from_row, found) if not isinstance(fill, Event)]
    flat_at = from_micros(since_us)
    return [fill for fill in without_executed_legs(fills).fills if fill.time >= flat_at]


def traded_symbols(queries: Queries, account: str, since: datetime) -> list[str]:
    """Return the instruments that an account held or traded since an instant."""
    return sorted(queries.values("streams_of_account_since", (account, to_micros(since))))


def trade_log_effects(
    queries: Queries, account: str, since: datetime, until: datetime
) -> Sequence[FillEffect]:
    """Return the effects of trade-log trades: result and fees at one time, without single fills."""
    steps = []
    for row in queries.stream(PositionRow, "closed_account", (account, to_micros(since), to_micros(until))):
        if row.logged:
            p = position_from_row(row)
            net = p.net
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


def account_effects(
    queries: Queries, account: str, since: datetime, until: datetime, more: Iterable[str] = ()
) -> tuple[dict[str, list[Fill]], dict[str, list[FillEffect]]]:
    """Return an account's fills by instrument since each was last flat, and their effects; `more` are symbols, too."""
    symbols = {*traded_symbols(queries, account, since), *more}
    ours = {s: [f for f in fills_since_flat(queries, account, s, since) if f.time < until] for s in symbols}
    with_events = {s for s in symbols if queries.exists("event_of_stream", (account, s))}
    return ours, {
        s: event_effects(queries, account, fills, since, until) if s in with_events else fill_effects(fills)
        for s, fills in ours.items()
    }
