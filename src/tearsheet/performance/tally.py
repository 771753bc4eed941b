"""Tally: the sums of a period of trading that all metrics are computed from.

A tally is built per session; consecutive tallies are added: `monday + tuesday`. Addition is exact and
associative with `Tally()` as its identity, so a month is the sum of its sessions in any grouping.
Drawdowns and streaks depend on order. So only consecutive tallies may be added, and the tally of
several accounts is built from their bookings in time order, never with `+`.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from functools import reduce
from itertools import accumulate
from operator import add, attrgetter, sub

from msgspec import Struct
from msgspec.structs import replace

from tearsheet.trade.amount import ONE, ZERO, exact
from tearsheet.trade.event import TRANSFERS
from tearsheet.trade.position import Booking, Position, outcome_of

_MICROSECOND = timedelta(microseconds=1)
_gross, _fees, _quantity = attrgetter("gross"), attrgetter("fees"), attrgetter("quantity")
_carry, _event, _cash = attrgetter("carry"), attrgetter("event"), attrgetter("cash")
_result = attrgetter("result")
WIN, LOSS, BREAKEVEN = 1, -1, 0
#: The name under which the tally of all accounts is kept.
ALL_ACCOUNTS = ""


class Curve(Struct, frozen=True, gc=False):
    """Cumulative P&L of a period, starting at 0: last, highest and lowest value, and max drawdown.

    `falls` are the falls from a high that are deeper than any before: the high and the depth. One of them is
    the largest as a share of the balance, whatever the balance at the start of the period is.
    """

    net: Decimal = ZERO
    high: Decimal = ZERO
    low: Decimal = ZERO
    drawdown: Decimal = ZERO
    falls: tuple[tuple[Decimal, Decimal], ...] = ()

    @classmethod
    def from_amounts(cls, amounts: Iterable[Decimal]) -> "Curve":
        """Return the curve of amounts in time order."""
        with exact():
            path = list(accumulate(amounts, initial=ZERO))
            drawdown = max(map(sub, accumulate(path, max), path))
            falls = tuple(_falls(path)) if len(path) > 1 else ()
        return cls(path[-1], max(path), min(path), drawdown, falls)

    def __add__(self, later: "Curve") -> "Curve":
        with exact():
            return Curve(
                self.net + later.net,
                max(self.high, self.net + later.high),
                min(self.low, self.net + later.low),
                max(self.drawdown, later.drawdown, self.high - (self.net + later.low)),
                self._join_falls(later),
            )

    def _join_falls(self, later: "Curve") -> tuple[tuple[Decimal, Decimal], ...]:
        """Return the falls of two adjacent curves; the last high of the first one may fall further in the second."""
        if not self.falls or not later.falls:
            return self.falls or later.falls
        gap = self.high - self.net
        falls = list(self.falls)
        trough = min(high - depth for high, depth in later.falls if high <= gap)
        if gap - trough > falls[-1][1]:
            if falls[-1][0] == self.high:
                falls.pop()
            falls.append((self.high, gap - trough))
        for high, depth in later.falls:
            if high > gap and depth > falls[-1][1]:
                falls.append((self.net + high, depth))
        return tuple(falls)


def _falls(path: list[Decimal]) -> Iterator[tuple[Decimal, Decimal]]:
    """Yield each fall from a high of a path that is deeper than any before; the first one is from the start."""
    high = trough = path[0]
    deepest = -ONE  # a path that never falls has a fall of 0
    for value in path:
        if value > high:
            if high - trough > deepest:
                deepest = high - trough
                yield high, deepest
            high = trough = value
        elif value < trough:
            trough = value
    if high - trough > deepest:
        yield high, high - trough


class AccountSums(Struct, frozen=True, gc=False, omit_defaults=True):
    """Money of an account beside its trading in a period: one sum for each of `ACCOUNT_PARTS`.

    `inflows` is what came in of flows and conversions, without what went out; returns are of the balance with it.
    `converted_in` is its part of conversions, `transferred_in` that of transfers; `transferred` is all transfers.
    `payouts` is what was paid out to the trader, at most 0; it is a part of the flows.
    `curve` is that of the results: net P&L plus income less costs and tax.
    """

    income: Decimal = ZERO
    costs: Decimal = ZERO
    tax: Decimal = ZERO
    flows: Decimal = ZERO
    converted: Decimal = ZERO
    inflows: Decimal = ZERO
    payouts: Decimal = ZERO
    curve: Curve = Curve()
    converted_in: Decimal = ZERO
    transferred_in: Decimal = ZERO
    transferred: Decimal = ZERO

    @classmethod
    def from_bookings(cls, bookings: Sequence[Booking]) -> "AccountSums":
        """Return the sums of bookings in order of time."""
        sums = dict.fromkeys(ACCOUNT_AMOUNTS, ZERO)
        for booking in bookings:
            if (part := booking.account_part) is None:
                continue
            kind, amount = part
            sums[kind] += amount
            if kind in ("flows", "converted"):
                sums["inflows"] += max(amount, ZERO)
            if kind == "converted":
                sums["converted_in"] += max(amount, ZERO)
            if booking.event in TRANSFERS:
                sums["transferred_in"] += max(amount, ZERO)
                sums["transferred"] += amount
            if booking.event == "payout":
                sums["payouts"] += min(amount, ZERO)
        return cls(**sums, curve=Curve.from_amounts(map(_result, bookings)))

    def __add__(self, later: "AccountSums") -> "AccountSums":
        sums = {name: getattr(self, name) + getattr(later, name) for name in ACCOUNT_AMOUNTS}
        return AccountSums(**sums, curve=self.curve + later.curve)

    def without_conversions(self) -> "AccountSums":
        """Return the sums with conversions no inflows: of several currencies in one they move nothing in or out."""
        with exact():
            return replace(self, inflows=self.inflows - self.converted_in, converted_in=ZERO)

    def of_all_accounts(self) -> "AccountSums":
        """Return the sums of a session with transfers an inflow by their net: between own accounts nothing comes in."""
        came = max(self.transferred, ZERO)
        with exact():
            inflows = self.inflows - self.transferred_in + came
        return replace(self, inflows=inflows, transferred_in=came)

    @property
    def outflows(self) -> Decimal:
        """Return what went out of flows and conversions, at most 0; call it inside `exact()`."""
        return self.flows + self.converted - self.inflows


#: The amounts of these sums beside the curve.
ACCOUNT_AMOUNTS = tuple(name for name in AccountSums.__struct_fields__ if name != "curve")
NO_ACCOUNT_SUMS = AccountSums()


class Streaks(Struct, frozen=True, gc=False):
    """Streaks of equal outcomes: the first, the last, and the longest of wins and of losses.

    `count` is the number of outcomes; a period with a single streak has `first_length == count`.
    """

    count: int = 0
    first: int = BREAKEVEN
    first_length: int = 0
    last: int = BREAKEVEN
    last_length: int = 0
    longest_win: int = 0
    longest_loss: int = 0

    @classmethod
    def from_outcomes(cls, outcomes: Iterable[int]) -> "Streaks":
        """Return the streaks of outcomes (1, −1, 0) in time order."""
        count = first = first_length = length = longest_win = longest_loss = 0
        last = BREAKEVEN
        for outcome in outcomes:
            length = length + 1 if count and outcome == last else 1
            count += 1
            last = outcome
            if length == count:
                first, first_length = outcome, length
            if outcome == WIN and length > longest_win:
                longest_win = length
            elif outcome == LOSS and length > longest_loss:
                longest_loss = length
        return cls(count, first, first_length, last, length, longest_win, longest_loss)

    def __add__(self, later: "Streaks") -> "Streaks":
        if not self.count:
            return later
        if not later.count:
            return self
        continues = self.last == later.first
        joined = self.last_length + later.first_length if continues else 0
        single, later_single = self.first_length == self.count, later.first_length == later.count
        return Streaks(
            self.count + later.count,
            self.first,
            joined if single and continues else self.first_length,
            later.last,
            joined if later_single and continues else later.last_length,
            max(self.longest_win, later.longest_win, joined if self.last == WIN else 0),
            max(self.longest_loss, later.longest_loss, joined if self.last == LOSS else 0),
        )


class Tally(Struct, frozen=True, gc=False, omit_defaults=True):
    """Sums of a period of trading; `Tally()` is empty.

    Fills, gross, fees, carry, quantity and curve come from bookings, the rest from closed positions. `won`
    and `lost` are Σ net of winners (≥ 0) and losers (≤ 0), `closed_net` of all closed positions. `account` is
    money beside trading, None where there was none.
    """

    fills: int = 0
    gross: Decimal = ZERO
    fees: Decimal = ZERO
    quantity: Decimal = ZERO
    curve: Curve = Curve()
    wins: int = 0
    losses: int = 0
    breakevens: int = 0
    won: Decimal = ZERO
    lost: Decimal = ZERO
    closed_net: Decimal = ZERO
    largest_win: Decimal | None = None
    largest_loss: Decimal | None = None
    planned_sum: Decimal = ZERO
    planned_count: int = 0
    r_sum: Decimal = ZERO
    r_squares: Decimal = ZERO
    r_count: int = 0
    win_held_us: int = 0
    win_held_count: int = 0
    loss_held_us: int = 0
    loss_held_count: int = 0
    paper: int = 0
    live: int = 0
    streaks: Streaks = Streaks()
    carry: Decimal = ZERO
    account: AccountSums | None = None

    @property
    def money(self) -> AccountSums:
        """Return the money of the account beside trading."""
        return self.account or NO_ACCOUNT_SUMS

    @property
    def result_curve(self) -> Curve:
        """Return the curve of what the account made; without money beside trading it is that of net P&L."""
        return self.curve if self.account is None else self.account.curve

    @property
    def result(self) -> Decimal:
        """Return what the account made: net P&L plus income less costs and tax."""
        return self.result_curve.net

    @property
    def balance_change(self) -> Decimal:
        """Return by how much the balance changed: the result plus flows; call it inside `exact()`."""
        return (
            self.result if self.account is None else self.result + self.account.flows + self.account.converted
        )

    def of_all_accounts(self) -> "Tally":
        """Return the tally of a session of all accounts, with transfers an inflow by their net."""
        return self if self.account is None else replace(self, account=self.account.of_all_accounts())

    def without_conversions(self) -> "Tally":
        """Return the tally of several currencies in one, in which conversions are no inflows."""
        return self if self.account is None else replace(self, account=self.account.without_conversions())

    @property
    def closed(self) -> int:
        """Return the number of closed positions."""
        return self.wins + self.losses + self.breakevens

    @classmethod
    def from_bookings(
        cls,
        bookings: Iterable[Booking] = (),
        closed: Iterable[Position] = (),
        breakeven_band: Decimal = ZERO,
        breakeven_breaks_streak: bool = False,
    ) -> "Tally":
        """Return the tally of bookings and closed positions, each in time order."""
        with exact():
            return _tally_bookings(bookings) + _tally_closed(closed, breakeven_band, breakeven_breaks_streak)

    def __add__(self, later: "Tally") -> "Tally":
        with exact():
            return Tally(
                self.fills + later.fills,
                self.gross + later.gross,
                self.fees + later.fees,
                self.quantity + later.quantity,
                self.curve + later.curve,
                self.wins + later.wins,
                self.losses + later.losses,
                self.breakevens + later.breakevens,
                self.won + later.won,
                self.lost + later.lost,
                self.closed_net + later.closed_net,
                _largest(self.largest_win, later.largest_win),
                _smallest(self.largest_loss, later.largest_loss),
                self.planned_sum + later.planned_sum,
                self.planned_count + later.planned_count,
                self.r_sum + later.r_sum,
                self.r_squares + later.r_squares,
                self.r_count + later.r_count,
                self.win_held_us + later.win_held_us,
                self.win_held_count + later.win_held_count,
                self.loss_held_us + later.loss_held_us,
                self.loss_held_count + later.loss_held_count,
                self.paper + later.paper,
                self.live + later.live,
                self.streaks + later.streaks,
                self.carry + later.carry,
                self._join_account(later),
            )

    def _join_account(self, later: "Tally") -> AccountSums | None:
        if self.account is None and later.account is None:
            return None
        own = self.account or AccountSums(curve=self.curve)
        return own + (later.account or AccountSums(curve=later.curve))


def merge(tallies: Iterable[Tally]) -> Tally:
    """Add consecutive tallies in time order."""
    return reduce(Tally.__add__, tallies, Tally())


def _tally_bookings(bookings: Iterable[Booking]) -> Tally:
    every = list(bookings)
    has_cash = any(map(_cash, every))
    rows = [row for row in every if not row.is_cash] if any(map(_event, every)) else every
    gross, fees = list(map(_gross, rows)), list(map(_fees, rows))
    traded = [row for row in rows if row.event is None] if any(map(_event, rows)) else rows
    quantity = sum(map(abs, map(_quantity, traded)), ZERO)
    carry = list(map(_carry, rows))
    has_carry = any(carry)
    net = map(sub, gross, fees)
    curve = Curve.from_amounts(map(add, net, carry) if has_carry else net)
    carried = sum(carry, ZERO) if has_carry else ZERO
    account = AccountSums.from_bookings(every) if has_cash else None
    return Tally(
        len(rows), sum(gross, ZERO), sum(fees, ZERO), quantity, curve, carry=carried, account=account
    )


class _DurationSums:
    """Sum and number of the known durations."""

    def __init__(self) -> None:
        self.micros = self.count = 0

    def add(self, duration: timedelta | None) -> None:
        if duration is not None:
            self.micros += duration // _MICROSECOND
            self.count += 1


def _tally_closed(closed: Iterable[Position], band: Decimal, breakeven_breaks_streak: bool) -> Tally:
    nets: dict[int, list[Decimal]] = {WIN: [], LOSS: [], BREAKEVEN: []}
    durations = {WIN: _DurationSums(), LOSS: _DurationSums(), BREAKEVEN: _DurationSums()}
    planned, multiples, outcomes, modes = [], [], [], []
    for position in closed:
        net = position.net
        kind = _KINDS[outcome_of(net, band)]
        nets[kind].append(net)
        durations[kind].add(position.held)
        outcomes.append(kind)
        modes.append(position.mode)
        if position.planned_risk_reward is not None:
            planned.append(position.planned_risk_reward)
        if position.stop_loss is not None and (multiple := position.r_multiple) is not None:
            multiples.append(multiple)
    won, lost = sum(nets[WIN], ZERO), sum(nets[LOSS], ZERO)
    return Tally(
        wins=len(nets[WIN]),
        losses=len(nets[LOSS]),
        breakevens=len(nets[BREAKEVEN]),
        won=won,
        lost=lost,
        closed_net=won + lost + sum(nets[BREAKEVEN], ZERO),
        largest_win=max(nets[WIN], default=None),
        largest_loss=min(nets[LOSS], default=None),
        planned_sum=sum(planned, ZERO),
        planned_count=len(planned),
        r_sum=sum(multiples, ZERO),
        r_squares=sum((multiple * multiple for multiple in multiples), ZERO),
        r_count=len(multiples),
        win_held_us=durations[WIN].micros,
        win_held_count=durations[WIN].count,
        loss_held_us=durations[LOSS].micros,
        loss_held_count=durations[LOSS].count,
        paper=modes.count("PAPER"),
        live=modes.count("LIVE"),
        streaks=Streaks.from_outcomes(o for o in outcomes if o or breakeven_breaks_streak),
    )


_KINDS = {"win": WIN, "loss": LOSS, "breakeven": BREAKEVEN}


def _largest(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return other if one is None else one if other is None else max(one, other)


def _smallest(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return other if one is None else one if other is None else min(one, other)
