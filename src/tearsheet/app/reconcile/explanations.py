"""Explanations of differences: each is computed, and valid only if it gives the broker's values exactly."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import time
from decimal import Decimal
from itertools import product
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

from tearsheet.app.reconcile.our_fills import FillEffect
from tearsheet.app.reconcile.our_sums import (
    ADDITIVE,
    METHODS,
    CostMethod,
    DayRange,
    LedgerNumbers,
    NumberKind,
    Rounding,
    average_prices,
    roundings,
)
from tearsheet.trade.amount import to_plain_string
from tearsheet.trade.session import TradingCalendar

CauseKind = Literal["missing fill", "fee", "multiplier", "day boundary", "method", "rounding", "unknown"]
#: Key of a number in the statement: its kind, period and instrument.
NumberKey = tuple[NumberKind, DayRange]
#: Ratios between full-size and micro contracts, option lots, and pence and pounds.
_RATIOS = frozenset(map(Decimal, (2, 4, 5, 8, 10, 20, 25, 40, 50, 100, 500, 1000)))
#: Hours at which a broker's day may start, the usual ones first.
_HOURS = (0, 17, 18, 16, *(hour for hour in range(24) if hour not in (0, 16, 17, 18)))
_METHOD_DETAILS = {
    "fifo": "with FIFO the ledger matches the broker exactly; both methods match when flat",
    "average": "at average cost our own fills give exactly theirs; both agree once flat",
}


class Cause(Struct, frozen=True):
    """Cause of a difference, with its detail text."""

    kind: CauseKind
    detail: str


class ValueTransform(Struct, frozen=True):
    """Transform from a ledger sum to the statement's value: cost method, ratio, rounding, fees."""

    method: CostMethod
    ratio: Decimal | None = None
    rounding: Rounding | None = None
    with_fees: bool = False


class DifferenceExplanation(Struct, frozen=True):
    """Explanation of a group: ledger version, calendar and transforms.

    `books` is 0 for the ledger as stored, 1 with the statement's fills, 2 with its fees too.
    """

    books: int
    calendar: TradingCalendar | None
    transforms: Mapping[NumberKind, ValueTransform]


class AccountComparison:
    """Comparison of an account: the statement's numbers and the ledger, as stored and adjusted to it.

    Call its methods inside `exact()`. `places` are the decimals in the statement, `unpriced` the periods
    with missing fills for which the statement has no fee, `absent` the implied zeros (never rounded),
    `moved` the instruments with fills that differ only in time.
    """

    def __init__(
        self,
        stated: Mapping[NumberKey, Decimal],
        books: Sequence[Mapping[str, Sequence[FillEffect]]],
        calendar: TradingCalendar,
        method: CostMethod,
        places: Mapping[NumberKind, int],
        unpriced: frozenset[DayRange] = frozenset(),
        absent: Collection[NumberKey] = (),
        *,
        fees_in_price: bool = False,
        moved: frozenset[str] = frozenset(),
    ) -> None:
        self.broker_numbers, self.method, self.places = stated, method, places
        self.calendar, self.unpriced, self._fees_in_price = calendar, unpriced, fees_in_price
        self._books, self._implied_zeros, self._time_shifted = books, absent, moved
        self._cache: dict[tuple[int, int], LedgerNumbers] = {}
        self.distinct_books = [0, *(n for n in range(1, len(books)) if books[n] is not books[n - 1])]
        self.groups: dict[str, list[NumberKey]] = {}
        for key in stated:
            self.groups.setdefault(key[1].symbol, []).append(key)

    def ledger_numbers(self, books: int = 0, calendar: TradingCalendar | None = None) -> LedgerNumbers:
        """Return the ledger's numbers for a ledger version and calendar, from a cache."""
        place = (books, id(calendar))
        if place not in self._cache:
            self._cache[place] = LedgerNumbers(self._books[books], calendar or self.calendar)
        return self._cache[place]

    def reproduces(self, ours: LedgerNumbers, key: NumberKey, finish: ValueTransform) -> bool:
        """Return whether the transformed ledger number equals the statement's value."""
        theirs, (what, span) = self.broker_numbers[key], key
        if what == "price":
            return self._is_price(ours, span, theirs, finish)
        if what == "position":
            return theirs == ours.value(what, span, "average")
        if finish.ratio is not None:
            gross = ours.value("realized", span, finish.method)
            paid = gross - ours.value("net", span, finish.method)
            expected = theirs + paid if what == "net" else theirs
            return expected == gross * finish.ratio
        if finish.rounding is not None and key not in self._implied_zeros:
            return theirs == ours.rounded_value(what, span, finish.method, finish.rounding)
        return theirs == ours.value(what, span, finish.method)

    def default_transform(self, what: NumberKind) -> ValueTransform:
        """Return the default transform; prices include fees if the statement's do."""
        return ValueTransform(self.method, with_fees=what == "price" and self._fees_in_price)

    def matches(self, key: NumberKey) -> bool:
        """Return whether the statement matches the ledger."""
        return self.reproduces(self.ledger_numbers(), key, self.default_transform(key[0]))

    def ledger_value(self, key: NumberKey) -> Decimal:
        """Return the ledger's number for a key."""
        what, span = key
        if what != "price":
            return self.ledger_numbers().value(what, span, self.method)
        found = [average_prices(step, self.method) for step in self.ledger_numbers().last_effects(span)]
        name = _price_name(self.default_transform(what))
        held = [one[name] for one in found if one]
        return roundings(8)[0].apply(held[0]).normalize() if held else Decimal(0)

    def transforms(self, ours: LedgerNumbers, keys: Sequence[NumberKey]) -> Iterator[ValueTransform]:
        """Yield the transforms that may give these numbers of one kind, simplest first."""
        what = keys[0][0]
        yield (plain_finish := self.default_transform(what))
        if what == "price":
            in_it = plain_finish.with_fees
            methods = sorted(METHODS, key=lambda m: m != self.method)
            yield from (ValueTransform(m, with_fees=f) for f, m in product((in_it, not in_it), methods))
            return
        if what not in ADDITIVE:
            return
        by_method = what in ("realized", "net", "paid", "balance")
        others = [m for m in METHODS if m != self.method] if by_method else []
        yield from map(ValueTransform, others)
        if what in ("realized", "net"):
            for method in (self.method, *others):
                if ratio := self._ratio(ours, keys, method):
                    yield ValueTransform(method, ratio=ratio)
        for method in (self.method, *others):
            for rule in roundings(self.places.get(what, 0)):
                yield ValueTransform(method, rounding=rule)

    def find_explanation(self, group: Sequence[NumberKey]) -> DifferenceExplanation | None:
        """Return the simplest explanation that gives every number of a group exactly, or None."""
        for calendar in (None, *_calendars(self.calendar)):
            for books in self.distinct_books:
                ours = self.ledger_numbers(books, calendar)
                if calendar is not None and not self._moves_inside(calendar, books, group):
                    continue
                finishes = self._transforms_for_all(ours, group)
                if finishes is not None:
                    return DifferenceExplanation(books, calendar, finishes)
        return None

    def explain(self, theory: DifferenceExplanation, key: NumberKey) -> Cause:
        """Return the cause that a valid explanation gives for one number."""
        finish = theory.transforms[key[0]]
        plainly = self.default_transform(key[0])
        words: list[Cause] = []
        steps: list[tuple[int, TradingCalendar | None, ValueTransform, Callable[[], Cause]]] = [
            (min(theory.books, 1), None, plainly, lambda: self.explained_by_missing_fills(key)),
            (theory.books, None, plainly, explained_by_fees),
            (theory.books, theory.calendar, plainly, lambda: self._explain_day_boundary(theory.calendar)),
            (theory.books, theory.calendar, finish, lambda: _explain_transform(finish, plainly)),
        ]
        before = self._number(0, None, plainly, key)
        for books, calendar, way, tell in steps:
            now = self._number(books, calendar, way, key)
            if now != before:
                words.append(tell())
            before = now
        kind = words[0].kind if words else "unknown"
        return Cause(kind, "; and ".join(one.detail for one in words) or "nothing explains it")

    def explained_by_missing_fills(self, key: NumberKey) -> Cause:
        """Return the cause if the ledger with the statement's fills gives its number."""
        if key[1].symbol in self._time_shifted:
            return Cause("day boundary", "with the broker's fill times the ledger matches (see Fills)")
        return Cause("missing fill", "with the report's fills our books give it: see below")

    def _number(
        self, books: int, calendar: TradingCalendar | None, finish: ValueTransform, key: NumberKey
    ) -> object:
        what, span = key
        ours = self.ledger_numbers(books, calendar)
        if what == "price":
            return [
                average_prices(step, finish.method)[_price_name(finish)]
                for step in ours.last_effects(span)
                if step.held
            ]
        if finish.ratio is not None:
            return self.broker_numbers[key]
        if finish.rounding is not None:
            return ours.rounded_value(what, span, finish.method, finish.rounding)
        return ours.value(what, span, finish.method)

    def _transforms_for_all(
        self, ours: LedgerNumbers, group: Sequence[NumberKey]
    ) -> dict[NumberKind, ValueTransform] | None:
        found: dict[NumberKind, ValueTransform] = {}
        for what in dict.fromkeys(key[0] for key in group):
            keys = [key for key in group if key[0] == what]
            finish = next(
                (f for f in self.transforms(ours, keys) if all(self.reproduces(ours, k, f) for k in keys)),
                None,
            )
            if finish is None:
                return None
            found[what] = finish
        return found

    def _moves_inside(self, calendar: TradingCalendar, books: int, group: Sequence[NumberKey]) -> bool:
        """Return whether another calendar moves an effect from one reported day to another."""
        days = [(span.since, span.day) for what, span in group if what in ADDITIVE]
        if not days:
            return False
        first, last = min(days)[0], max(day for _, day in days)
        moved = self.ledger_numbers(books).shifted_days(calendar, group[0][1])
        return any(first <= day <= last and first <= there <= last for day, there in moved)

    def _ratio(self, ours: LedgerNumbers, keys: Sequence[NumberKey], method: CostMethod) -> Decimal | None:
        """Return the single ratio of broker to ledger values, if contract multipliers can differ by it."""
        ratios = set()
        number = 0
        for key in keys:
            what, span = key
            gross = ours.value("realized", span, method)
            paid = gross - ours.value("net", span, method) if what == "net" else Decimal(0)
            theirs = self.broker_numbers[key] + paid
            if gross and theirs:
                number += 1
                ratios.add(_quotient(theirs, gross))
        ratio = next(iter(ratios)) if len(ratios) == 1 else None
        if ratio is None or ratio <= 0 or ratio == 1:
            return None
        is_known = ratio in _RATIOS or _quotient(Decimal(1), ratio) in _RATIOS
        return ratio if is_known or number > 1 else None

    def _is_price(self, ours: LedgerNumbers, span: DayRange, theirs: Decimal, finish: ValueTransform) -> bool:
        """Return whether the average price equals the statement's at its decimals."""
        held = [average_prices(step, finish.method) for step in ours.last_effects(span) if step.held]
        if not held:
            return not theirs
        own = held[0][_price_name(finish)]
        return any(rule.apply(own) == theirs for rule in roundings(self.places.get("price", 0)))

    def _explain_day_boundary(self, calendar: TradingCalendar | None) -> Cause:
        other = calendar or self.calendar
        return Cause(
            "day boundary",
            f"with days from {other.day_starts_at:%H:%M} {other.timezone.key} all days agree; "
            f"ours begin at {self.calendar.day_starts_at:%H:%M} {self.calendar.timezone.key}",
        )


def _calendars(own: TradingCalendar) -> Iterator[TradingCalendar]:
    """Yield other trading-day calendars that a broker may use."""
    for minute in (0, 30):
        for hour in _HOURS:
            if (start := time(hour, minute)) != own.day_starts_at:
                yield TradingCalendar(own.timezone, start, own.holidays)
    if own.timezone.key != "UTC":
        yield TradingCalendar(ZoneInfo("UTC"), time(0), own.holidays)


def _quotient(one: Decimal, other: Decimal) -> Decimal | None:
    """Return the quotient if it is exact to 12 decimals, else None."""
    whole = one * 10**12 // other
    quotient = whole / 10**12
    return quotient.normalize() if quotient * other == one else None


def _price_name(finish: ValueTransform) -> str:
    return "with fees" if finish.with_fees else "without fees"


def explained_by_fees() -> Cause:
    """Return the cause if the statement's fees give its number."""
    return Cause("fee", "with the report's fees our books give it: see below")


def _explain_transform(finish: ValueTransform, plainly: ValueTransform) -> Cause:
    if finish.ratio is not None:
        return Cause("multiplier", f"theirs is {to_plain_string(finish.ratio)} times ours on every day")
    words = [_METHOD_DETAILS[finish.method]] if finish.method != plainly.method else []
    if finish.with_fees != plainly.with_fees:
        has = "has the fees in it" if finish.with_fees else "is without fees"
        words.append(f"their price {has}")
    if words:
        return Cause("method", ", and ".join(words))
    rule = finish.rounding
    return Cause("rounding", f"{rule.description if rule else ''} gives exactly theirs")
