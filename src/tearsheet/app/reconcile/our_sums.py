"""Ledger numbers for the periods of a statement, by cost method and trading-day calendar."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal, InvalidOperation
from itertools import accumulate
from typing import Literal

from msgspec import Struct

from tearsheet.app.reconcile.our_fills import FillEffect
from tearsheet.trade.amount import ZERO
from tearsheet.trade.session import TradingCalendar

NumberKind = Literal["realized", "net", "fees", "paid", "position", "price", "balance", "cash"]
#: Kinds that are summed over a period; the others are values at its end.
ADDITIVE: tuple[NumberKind, ...] = ("realized", "net", "fees", "paid", "balance", "cash")
CostMethod = Literal["average", "fifo"]
METHODS: tuple[CostMethod, ...] = ("average", "fifo")
#: Context without the Inexact trap of `exact()`, because rounding is intended.
_ROUNDED = Context(prec=400, traps=[InvalidOperation])
_ROUNDINGS = {ROUND_HALF_UP: "halves up", ROUND_HALF_EVEN: "halves to even", ROUND_DOWN: "cut off"}


class DayRange(Struct, frozen=True, order=True):
    """Days from `since` to `day`; an empty symbol or currency means all."""

    day: date
    since: date
    symbol: str = ""
    currency: str = ""


class Rounding(Struct, frozen=True):
    """Rounding rule: decimal places, mode, and whether it applies to each fill or to the sum."""

    places: int
    mode: str
    each: bool

    @property
    def description(self) -> str:
        """Return the rule as text."""
        what = "each fill" if self.each else "the sum"
        return f"{what} rounded to {self.places} decimals, {_ROUNDINGS[self.mode]}"

    def apply(self, amount: Decimal) -> Decimal:
        """Return the rounded amount."""
        return amount.quantize(Decimal(1).scaleb(-self.places), rounding=self.mode, context=_ROUNDED)


def roundings(places: int) -> list[Rounding]:
    """Return every rounding rule that brokers use."""
    return [Rounding(places, mode, each) for each in (True, False) for mode in _ROUNDINGS]


class LedgerNumbers:
    """Fill effects of an account by trading day; call its methods inside `exact()`."""

    def __init__(self, steps: Mapping[str, Sequence[FillEffect]], calendar: TradingCalendar) -> None:
        self._effects = steps
        self._calendar = calendar
        self._days = {symbol: [calendar.trading_day_of(s.at) for s in its] for symbol, its in steps.items()}
        self._cache: dict[tuple[NumberKind, DayRange, CostMethod], Decimal] = {}

    def value(self, what: NumberKind, span: DayRange, method: CostMethod) -> Decimal:
        """Return the ledger's number, from a cache."""
        key = (what, span, method)
        if key not in self._cache:
            if what == "position":
                found = sum((s.held for s in self.last_effects(span)), ZERO)
            else:
                found = sum((_amount(what, s, method) for s in self.effects_in(span)), ZERO)
            self._cache[key] = found
        return self._cache[key]

    def rounded_value(self, what: NumberKind, span: DayRange, method: CostMethod, rule: Rounding) -> Decimal:
        """Return the ledger's number under a rounding rule."""
        if not rule.each:
            return rule.apply(self.value(what, span, method))
        amounts = (_amount(what, s, method) for s in self.effects_in(span))
        return sum(map(rule.apply, amounts), ZERO)

    def effects_in(self, span: DayRange) -> Iterator[FillEffect]:
        """Yield the fill effects in a period."""
        for symbol, steps in self._effects_of(span):
            days = self._days[symbol]
            for at in range(bisect_left(days, span.since), bisect_right(days, span.day)):
                if span.currency in ("", steps[at].currency):
                    yield steps[at]

    def last_effects(self, span: DayRange) -> Iterator[FillEffect]:
        """Yield the last fill effect of each instrument up to the end of a period."""
        for symbol, steps in self._effects_of(span):
            at = bisect_right(self._days[symbol], span.day)
            if at:
                yield steps[at - 1]

    def is_boundary_shift(self, what: NumberKind, early: DayRange, late: DayRange, gap: Decimal) -> bool:
        """Return whether the last fills of the early day, or the first of the late day, add up to the gap.

        A positive gap means that the statement has more on the early day.
        """
        firsts = accumulate(_amount(what, s, "average") for s in self.effects_in(late))
        ends = [_amount(what, s, "average") for s in self.effects_in(early)]
        return gap in firsts or -gap in accumulate(reversed(ends))

    def traded_days(self, symbol: str, since: date, day: date) -> set[date]:
        """Return the days on which an instrument was traded."""
        return {d for d in self._days.get(symbol, ()) if since <= d <= day}

    def symbols(self) -> set[str]:
        """Return all instruments."""
        return {*self._effects}

    def shifted_days(self, other: TradingCalendar, span: DayRange) -> list[tuple[date, date]]:
        """Return the day pairs (this calendar, other calendar) of effects that change their day."""
        pairs = []
        for symbol, steps in self._effects_of(span):
            for step, day in zip(steps, self._days[symbol], strict=True):
                if (there := other.trading_day_of(step.at)) != day:
                    pairs.append((day, there))
        return pairs

    def _effects_of(self, span: DayRange) -> Iterator[tuple[str, Sequence[FillEffect]]]:
        if not span.symbol:
            yield from self._effects.items()
        elif span.symbol in self._effects:
            yield span.symbol, self._effects[span.symbol]


def average_prices(step: FillEffect, method: CostMethod) -> dict[str, Decimal]:
    """Return the average price of the open position without and with fees, truncated to 18 decimals."""
    units = abs(step.held) * step.multiplier
    if units <= 0:  # nothing held, or an inverse contract, whose mean is no quotient of these
        return {}
    cost, fees = (step.cost, step.cost_fees) if method == "average" else (step.fifo_cost, step.fifo_fees)
    sign = 1 if step.held > 0 else -1
    places = Decimal(10) ** 18
    return {
        "without fees": (cost * places // units) / places,
        "with fees": ((cost + sign * fees) * places // units) / places,
    }


def _amount(what: NumberKind, step: FillEffect, method: CostMethod) -> Decimal:
    is_fifo = method == "fifo"
    if what == "realized":
        return step.fifo if is_fifo else step.gross
    if what == "net":
        return step.fifo - step.fifo_paid if is_fifo else step.gross - step.paid
    if what == "paid":
        return step.fifo_paid if is_fifo else step.paid
    if what == "balance":
        return (step.fifo if is_fifo else step.gross) - step.fees + step.carry
    return step.fees if what == "fees" else step.cash
