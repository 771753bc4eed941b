"""Bookings and positions from fills, per account and instrument, from flat to flat.

A booking is the effect of a fill on one position. Daily P&L is the sum of the bookings of a session,
the P&L of a position the sum of its own bookings, so the two agree by construction.
A partial exit realizes P&L against average cost; the last exit takes the exact remainder. The bookings
of a closed position sum exactly to −Σ(signed quantity × price × multiplier) − Σ commissions + Σ carry.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from tearsheet.trade.amount import (
    EXACT,
    ONE,
    ZERO,
    exact,
    inverse_value,
    proportional_share,
    ratio,
    trade_value,
)
from tearsheet.trade.event import (
    CASH,
    RESULT_PARTS,
    AccountPart,
    Gap,
    account_part,
    unlike_gap,
    unmatched_gap,
)
from tearsheet.trade.fill import Fill, Mode, Side, TradeRecord, digest
from tearsheet.trade.session import EARLIEST

Outcome = Literal["win", "loss", "breakeven"]
#: `closed_by` of an open position that came without its cost.
UNKNOWN_COST = "unknown_cost"


class Booking(Struct, frozen=True, gc=False):
    """Effect of one fill or event on one position. `quantity` is signed, `gross` is P&L before `fees`, a cost.

    `part` is 1 for the part of a reversing fill that opens the next position, else 0. `carry` is what holding
    paid or, below 0, cost. `event` is the kind of event, None for a fill. An event that affects no position has
    an empty `position_id`. `cash` is money that came to the account or, below 0, left it, beside trading.
    """

    position_id: str
    account: str
    symbol: str
    currency: str
    time: datetime
    rank: int
    fill_key: str
    part: int
    quantity: Decimal
    price: Decimal
    gross: Decimal
    fees: Decimal
    closes: bool
    carry: Decimal = ZERO
    event: str | None = None
    cash: Decimal = ZERO

    @property
    def net(self) -> Decimal:
        """Return P&L after fees and carry; call it inside `exact()`."""
        return self.gross - self.fees + self.carry

    @property
    def is_cash(self) -> bool:
        """Return whether the booking is money of the account that no instrument caused."""
        return self.event in CASH

    @property
    def account_part(self) -> tuple[AccountPart, Decimal] | None:
        """Return what `cash` counts as, and by how much."""
        return account_part(self.event, self.cash) if self.event is not None and self.cash else None

    @property
    def result(self) -> Decimal:
        """Return what the account made: net P&L plus income less costs and tax; call it inside `exact()`."""
        return self.net + self.cash if (self.account_part or ("",))[0] in RESULT_PARTS else self.net

    @property
    def order(self) -> tuple[datetime, str, int, str, int, str, int]:
        """Return the sort key among all bookings."""
        line = log_place(self.rank)
        return (self.time, self.account, line, self.symbol, self.rank, self.fill_key, self.part)


#: Ranks from here on are places in a trade log: the day of its file × 2^32 + the line.
LOG_RANKS = 1 << 32


def log_place(rank: int) -> int:
    """Return a rank that is a place in a trade log, which orders all instruments of an account, else 0."""
    return rank if rank >= LOG_RANKS else 0


class Position(Struct, frozen=True, gc=False):
    """One position from flat to flat; `closed_at` is None while it is open.

    `quantity` is the total entered, `peak_quantity` the largest and `open_quantity` the current open
    quantity. `entry_value` and `exit_value` are Σ quantity × price, of inverse contracts the coins that
    `inverse_value` gives; `cost` is the cost of the open part (× multiplier). `gross`, `fees` and `carry` are
    booked so far. `held` is the duration. `last_at` is the time of the last booking: carry may be paid after the
    position was closed. `position_side` is long or short in an account that holds both at once. `closed_by` is
    the event by which it ended, None for a fill.
    """

    id: str
    account: str
    symbol: str
    currency: str
    multiplier: Decimal
    side: Side
    opened_at: datetime | None
    closed_at: datetime | None
    last_at: datetime
    last_rank: int
    last_key: str
    quantity: Decimal
    peak_quantity: Decimal
    open_quantity: Decimal
    entry_value: Decimal
    exit_value: Decimal
    cost: Decimal
    gross: Decimal
    fees: Decimal
    fills: int
    strategy: str | None = None
    stop_loss: Decimal | None = None
    target: Decimal | None = None
    planned_risk_reward: Decimal | None = None
    mode: Mode | None = None
    held: timedelta | None = None
    carry: Decimal = ZERO
    position_side: str | None = None
    closed_by: str | None = None

    @property
    def is_inverse(self) -> bool:
        """Return whether the position is in a coin-margined contract, whose money is in its coin."""
        return self.multiplier < ZERO

    @property
    def net(self) -> Decimal:
        """Return booked P&L after fees and carry; call it inside `exact()`."""
        return self.gross - self.fees + self.carry

    @property
    def closing_order(self) -> tuple[datetime, str, int, str, int, str]:
        """Return the sort key among all closed positions; but for the id, it is the place of the closing fill."""
        closed_at = self.closed_at or self.last_at
        return closed_at, self.account, log_place(self.last_rank), self.symbol, self.last_rank, self.id

    def unrealized(self, price: Decimal) -> Decimal:
        """Return the P&L before fees of closing the open part at a price; call it inside `exact()`."""
        value = trade_value(self.open_quantity, price, self.multiplier)
        return value - self.cost if self.side is Side.BUY else self.cost - value

    @property
    def has_unknown_cost(self) -> bool:
        """Return whether the position came without its cost, so that exits have no result."""
        return self.closed_by == UNKNOWN_COST

    @property
    def average_entry(self) -> Decimal | None:
        """Return the mean entry price to 8 decimals: of all entries once closed, else of the open part."""
        if self.has_unknown_cost:
            return None
        with exact():
            if self.is_inverse:
                if self.closed_at is None:
                    return ratio(self.open_quantity * self.multiplier, self.cost)
                return ratio(-self.quantity * self.multiplier, self.entry_value)
            if self.closed_at is None:
                return ratio(self.cost, self.open_quantity * self.multiplier)
            return ratio(self.entry_value, self.quantity)

    @property
    def average_exit(self) -> Decimal | None:
        """Return the mean exit price to 8 decimals; None before the first exit."""
        with exact():
            left = self.quantity - self.open_quantity
            return (
                ratio(-left * self.multiplier, self.exit_value)
                if self.is_inverse
                else ratio(self.exit_value, left)
            )

    @property
    def initial_risk(self) -> Decimal | None:
        """Return |entry value − stop × quantity| × multiplier; call it inside `exact()`."""
        if self.stop_loss is None:
            return None
        if self.is_inverse:
            return abs(self.entry_value - inverse_value(self.quantity, self.stop_loss, self.multiplier))
        return abs(self.entry_value - self.stop_loss * self.quantity) * self.multiplier

    @property
    def r_multiple(self) -> Decimal | None:
        """Return net P&L ÷ initial risk to 8 decimals; call it inside `exact()`."""
        risk = self.initial_risk
        return ratio(self.net, risk) if risk else None


class OpenPosition:
    """Mutable state of an open position in a `Book`."""

    __slots__ = (
        "carry",
        "closed_by",
        "cost",
        "entry_value",
        "exit_value",
        "fees",
        "first",
        "gross",
        "id",
        "is_inverse",
        "last",
        "left",
        "multiplier",
        "number",
        "opened_at",
        "peak",
        "planned",
        "quantity",
        "side",
    )

    def __init__(self, fill: Fill, quantity: Decimal, fees: Decimal) -> None:
        self.id = position_id(fill.account, fill.symbol, fill.key)
        self.closed_by: str | None = None
        self.first: Fill | Position = fill
        self.last: Fill | Position = fill
        self.opened_at: datetime | None = fill.time
        self.side = fill.side
        self.multiplier = fill.multiplier
        self.planned: Decimal | None = None
        if fill.stop_loss is not None:
            self.planned = planned_risk_reward(fill.price, fill.stop_loss, fill.target)
        self.quantity = self.peak = self.left = quantity
        self.is_inverse = fill.multiplier < ZERO
        self.entry_value = self.value(quantity, fill.price)
        self.cost = -self.entry_value if self.is_inverse else self.entry_value * self.multiplier
        self.exit_value = self.gross = self.carry = ZERO
        self.fees = ZERO + fees  # `NO_FEE` becomes 0
        self.number = 1

    @classmethod
    def resume(cls, position: Position) -> "OpenPosition":
        """Continue a stored open position."""
        self = cls.__new__(cls)
        self.id, self.first, self.last = position.id, position, position
        self.opened_at, self.side = position.opened_at, position.side
        self.multiplier, self.planned = position.multiplier, position.planned_risk_reward
        self.is_inverse = position.is_inverse
        self.quantity, self.peak = position.quantity, position.peak_quantity
        self.left = position.open_quantity
        self.entry_value, self.exit_value = position.entry_value, position.exit_value
        self.cost, self.gross, self.fees = position.cost, position.gross, position.fees
        self.carry, self.closed_by = position.carry, position.closed_by
        self.number = position.fills
        return self

    def value(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Return the value that entries and exits add up; call it inside `exact()`."""
        return inverse_value(quantity, price, self.multiplier) if self.is_inverse else quantity * price

    def increase(self, fill: Fill, quantity: Decimal, price: Decimal, fees: Decimal) -> None:
        """Add a fill on the same side to quantity and cost; call it inside `exact()`."""
        value = self.value(quantity, price)
        self.entry_value += value
        self.cost += -value if self.is_inverse else value * self.multiplier
        self.quantity += quantity
        left = self.left = self.left + quantity
        if left > self.peak:
            self.peak = left
        self.fees += fees
        self.number += 1
        self.last = fill

    def position(self) -> Position:
        """Return the current position."""
        first, last = self.first, self.last
        if isinstance(last, Position):
            return last
        closed_at = None if self.left else last.time
        held = closed_at - self.opened_at if closed_at and self.opened_at else None
        return Position(
            self.id,
            first.account,
            first.symbol,
            first.currency,
            self.multiplier,
            self.side,
            self.opened_at,
            closed_at,
            last.time,
            last.rank,
            last.key,
            self.quantity,
            self.peak,
            self.left,
            self.entry_value,
            self.exit_value,
            self.cost,
            self.gross,
            self.fees,
            self.number,
            first.strategy,
            first.stop_loss,
            first.target,
            self.planned,
            first.mode,
            held,
            self.carry,
            first.position_side,
            self.closed_by,
        )


#: Account and symbol, and the side where an account holds both sides at once.
StreamKey = tuple[str, ...]


def stream_key(fill: Fill | Position) -> StreamKey:
    """Return what tells the position of a fill from all others that may be open."""
    key = (fill.account, fill.symbol)
    return key if fill.position_side is None else (*key, fill.position_side)


class Book:
    """Bookings and positions from fills that are in order per account and instrument.

    `closed` collects the closed positions; the caller may clear it. A fill that is marked as closing opens
    nothing: what it closes beyond the position waits for an opening at the same instant, and is unmatched after.
    """

    def __init__(self, open_positions: Iterable[Position] = ()) -> None:
        self._open = {stream_key(p): OpenPosition.resume(p) for p in open_positions}
        self.closed: list[Position] = []
        self._waiting: dict[StreamKey, list[Fill]] = {}
        self._unmatched: list[Fill] = []
        #: fills that are of another multiplier or currency than the position that they change
        self._unlike: list[tuple[Fill, OpenPosition]] = []

    def book(self, fill: Fill) -> tuple[Booking, ...]:
        """Return the bookings of one fill: one, or two if it reverses the position."""
        return tuple(self.book_all((fill,)))

    def book_all(self, fills: Iterable[Fill]) -> list[Booking]:
        """Return the bookings of fills given in order.

        An entry adds to the cost; an exit removes its proportional share; the excess of a reversing
        fill opens the next position as part 1.
        """
        # One loop over local names, because a rebuild spends most of its time here: about 2.3 µs a fill.
        bookings: list[Booking] = []
        open_positions, buy, add = self._open, Side.BUY, bookings.append
        with exact():
            for fill in fills:
                if fill.closes:
                    bookings += self._book_closing(fill)
                    continue
                account, symbol, side, own_side = fill.account, fill.symbol, fill.side, fill.position_side
                quantity, price, fees, part = fill.quantity, fill.price, fill.commission, 0
                key: StreamKey = (account, symbol) if own_side is None else (account, symbol, own_side)
                position = open_positions.get(key)
                if position is not None and (
                    (fill.multiplier is not position.multiplier and fill.multiplier != position.multiplier)
                    or fill.currency != position.first.currency
                ):
                    self._unlike.append((fill, position))
                if position is not None and position.side is not side:
                    left = position.left
                    closes = quantity >= left
                    excess = quantity - left if closes else ZERO
                    exit_quantity, exit_fees = (
                        (left, proportional_share(fees, left, quantity)) if excess else (quantity, fees)
                    )
                    cost = position.cost if closes else proportional_share(position.cost, quantity, left)
                    value = position.value(exit_quantity, price)
                    proceeds = -value if position.is_inverse else value * position.multiplier
                    gross = cost - proceeds if side is buy else proceeds - cost
                    position.cost, position.left = position.cost - cost, ZERO if closes else left - quantity
                    position.gross, position.fees = position.gross + gross, position.fees + exit_fees
                    position.exit_value, position.number, position.last = (
                        position.exit_value + value,
                        position.number + 1,
                        fill,
                    )
                    add(
                        Booking(
                            position.id,
                            account,
                            symbol,
                            fill.currency,
                            fill.time,
                            fill.rank,
                            fill.key,
                            0,
                            exit_quantity if side is buy else -exit_quantity,
                            price,
                            gross,
                            exit_fees,
                            closes,
                        )
                    )
                    if not closes:
                        continue
                    self.closed.append(position.position())
                    del open_positions[key]
                    if not excess:
                        continue
                    position, part, quantity, fees = None, 1, excess, fees - exit_fees
                if position is None:
                    position = open_positions[key] = OpenPosition(fill, quantity, fees)
                else:
                    position.increase(fill, quantity, price, fees)
                add(
                    Booking(
                        position.id,
                        account,
                        symbol,
                        fill.currency,
                        fill.time,
                        fill.rank,
                        fill.key,
                        part,
                        quantity if side is buy else -quantity,
                        price,
                        ZERO,
                        fees,
                        False,
                    )
                )
                if self._waiting:
                    bookings += self._book_waiting(key, fill.time)
        return bookings

    def _book_closing(self, fill: Fill) -> list[Booking]:
        """Book a fill that the broker marks as closing, at most as much as is open."""
        key = stream_key(fill)
        position = self._open.get(key)
        left = ZERO if position is None or position.side is fill.side else position.left
        if fill.quantity > left:
            self._wait(key, fill, fill.quantity - left)
        if not left:
            return []
        quantity = min(fill.quantity, left)
        fees = proportional_share(fill.commission, quantity, fill.quantity)
        fees = fill.commission if quantity == fill.quantity else fees
        return self.book_all((replace(fill, quantity=quantity, commission=fees, closes=False),))

    def _wait(self, key: StreamKey, fill: Fill, quantity: Decimal) -> None:
        """Keep what a closing fill closes beyond the position."""
        fees = proportional_share(fill.commission, quantity, fill.quantity)
        if quantity == fill.quantity:
            fees = fill.commission
        self._waiting.setdefault(key, []).append(replace(fill, quantity=quantity, commission=fees))

    def _book_waiting(self, key: StreamKey, at: datetime) -> list[Booking]:
        """Book the closing fills that wait for an opening at this instant; earlier ones are unmatched."""
        waiting = self._waiting.pop(key, [])
        self._unmatched += [fill for fill in waiting if fill.time != at]
        return self.book_all([fill for fill in waiting if fill.time == at])

    def gaps(self) -> list[Gap]:
        """Return the closing fills that close what nothing opened, and fills unlike the position that they change."""
        waiting = (fill for fills in self._waiting.values() for fill in fills)
        unmatched = [unmatched_gap(fill) for fill in (*self._unmatched, *waiting)]
        return [
            *unmatched,
            *(
                unlike_gap(fill, position.multiplier, position.first.currency)
                for fill, position in self._unlike
            ),
        ]

    def open_positions(self) -> list[Position]:
        """Return the open positions."""
        return [position.position() for position in self._open.values()]


def signed_open_quantity(position: Position) -> Decimal:
    """Return the open quantity, negative for a short position."""
    return position.open_quantity if position.side is Side.BUY else -position.open_quantity


def position_id(account: str, symbol: str, opening_key: str) -> str:
    """Return the id of a position; deterministic, so that a rebuild yields the same ids."""
    return digest(f"{account}\0{symbol}\0{opening_key}")


def planned_risk_reward(entry: Decimal, stop_loss: Decimal | None, target: Decimal | None) -> Decimal | None:
    """Return (target − entry) ÷ (entry − stop) for longs and shorts, or None if it is not positive.

    It is not positive if stop and target are on the same side of the entry.
    """
    if stop_loss is None or target is None:
        return None
    with exact():
        planned = ratio(target - entry, entry - stop_loss)
    return planned if planned is not None and planned > 0 else None


def outcome_of(net: Decimal, breakeven_band: Decimal = ZERO) -> Outcome:
    """Classify net P&L; within ± the band is breakeven."""
    if net > breakeven_band:
        return "win"
    return "loss" if net < -breakeven_band else "breakeven"


def position_from_record(
    record: TradeRecord, key: str, currency: str, multiplier: Decimal | None = ONE, rank: int = 0
) -> tuple[Position, Booking]:
    """Return the closed position of a trade-log record, and its one booking at the exit.

    `rank` is the place of the record in the log, which orders results of one instant.
    A record whose exit is later than its timestamp was written at the entry: action and price are
    those of the entry. Any other was written at the exit: action and price are those of the exit, and
    the initial risk is unknown. The risk is also unknown if the multiplier is None.
    """
    # one derived booking: a second stored row would cost 5 µs a record in the first sync
    if multiplier is not None and multiplier < ZERO:
        multiplier = None  # the log has the money, and an entry or an exit alone tells no coins
    closed_at = record.result_time
    at_entry = closed_at > record.timestamp
    gross, fees = _logged_result(record)
    value = EXACT.multiply(record.quantity, record.price)
    signed = record.quantity if record.action is Side.BUY else EXACT.minus(record.quantity)
    duration = _logged_duration(record, closed_at)
    account = record.account
    id_ = position_id(account, record.symbol, key)
    planned = record.risk_reward_ratio
    if planned is None and at_entry:
        planned = planned_risk_reward(record.price, record.stop_loss, record.target)
    position = Position(
        id_,
        account,
        record.symbol,
        currency,
        ONE if multiplier is None else multiplier,
        record.action if at_entry else record.action.opposite,
        closed_at - duration if duration is not None else None,
        closed_at,
        closed_at,
        rank,
        key,
        record.quantity,
        record.quantity,
        ZERO,
        value if at_entry else ZERO,
        ZERO if at_entry else value,
        ZERO,
        gross,
        fees,
        1,
        record.strategy_name,
        record.stop_loss if at_entry and multiplier is not None else None,
        record.target if at_entry else None,
        planned,
        record.execution_mode,
        duration,
    )
    booking = Booking(
        id_,
        account,
        record.symbol,
        currency,
        closed_at,
        rank,
        key,
        0,
        EXACT.minus(signed) if at_entry else signed,
        record.price,
        gross,
        fees,
        True,
    )
    return position, booking


def open_position_from_record(record: TradeRecord, key: str, currency: str, rank: int) -> Position:
    """Return the position that an open record of a trade log states; its fees are booked with its result."""
    account = record.account
    with exact():
        value = record.quantity * record.price
    return Position(
        position_id(account, record.symbol, key),
        account,
        record.symbol,
        currency,
        ONE,
        record.action,
        record.timestamp,
        None,
        record.timestamp,
        rank,
        key,
        record.quantity,
        record.quantity,
        record.quantity,
        value,
        ZERO,
        value,
        ZERO,
        ZERO,
        0,
        record.strategy_name,
        record.stop_loss,
        record.target,
        record.risk_reward_ratio,
        record.execution_mode,
    )


def _logged_result(record: TradeRecord) -> tuple[Decimal, Decimal]:
    """Return gross and fees of a logged trade; a logged net takes precedence over the commission."""
    commission = record.commission if record.commission is not None else ZERO
    gross, net = record.profit_loss, record.net_profit_loss
    if gross is None:
        return (ZERO if net is None else EXACT.add(net, commission)), commission
    return gross, commission if net is None else EXACT.subtract(gross, net)


def _logged_duration(record: TradeRecord, closed_at: datetime) -> timedelta | None:
    """Return the duration of a logged trade: between its two times, else the logged one if plausible."""
    if closed_at > record.timestamp:
        return closed_at - record.timestamp
    seconds = record.hold_duration_seconds
    if seconds is None or seconds < 0:
        return None
    with exact():
        micros = int(seconds * 1_000_000)
    max_micros = (closed_at - EARLIEST) // timedelta(microseconds=1)
    return timedelta(microseconds=micros) if micros <= max_micros else None


def fill_from_record(
    record: TradeRecord, instrument_symbol: str, multiplier: Decimal, currency: str, key: str, rank: int
) -> Fill:
    """Return a logged order as a fill, for logs without results."""
    return Fill(
        account=record.account,
        symbol=instrument_symbol,
        time=record.timestamp,
        side=record.action,
        quantity=record.quantity,
        price=record.price,
        commission=record.commission if record.commission is not None else ZERO,
        multiplier=multiplier,
        currency=currency,
        key=key,
        rank=rank,
        order_id=record.order_id,
        strategy=record.strategy_name,
        stop_loss=record.stop_loss,
        target=record.target,
        mode=record.execution_mode,
    )
