"""Exchange rates: stated ones, and the rate that converts a currency into another on a day.

A rate is looked up in the order of its authority: the operator's peg, then the table of stated rates. A day without
one takes the last day before that has, up to `max_age` days back. A rate that is turned round or crossed is cut after
12 decimals, once; so the conversion of an amount is one multiplication, and exact.
"""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from tearsheet.trade.amount import ONE, exact, proportional_share, to_plain_string

#: Currencies through which two others are crossed, in this order; those of pegs follow.
PIVOTS = ("EUR", "USD")
DEFAULT_MAX_AGE = 5
_DAY = timedelta(days=1)

#: `same` needs no rate · `row` is stated by the row of the booking · `peg` is the operator's word · `table` as stated ·
#: `turned` is 1 ÷ the stated rate · `crossed` is made of two rates of one day.
RateKind = Literal["same", "row", "peg", "table", "turned", "crossed"]


class Rate(Struct, frozen=True, order=True):
    """A stated rate: one unit of a currency is `rate` units of another on a day."""

    day: date
    from_currency: str
    to_currency: str
    rate: Decimal
    source: str

    @property
    def pair(self) -> tuple[str, str]:
        """Return the currencies, from and to."""
        return self.from_currency, self.to_currency

    @property
    def label(self) -> str:
        """Return the rate as a text."""
        return f"1 {self.from_currency} = {to_plain_string(self.rate)} {self.to_currency}"


class UsedRate(Struct, frozen=True):
    """The rate of a currency in another on a day: how it came about, its own day, and the rates it is made of."""

    from_currency: str
    to_currency: str
    rate: Decimal
    kind: RateKind
    day: date | None = None
    stated: tuple[Rate, ...] = ()
    pegs: tuple[str, ...] = ()


class BaseTerms(Struct, frozen=True, omit_defaults=True):
    """What the operator says about conversion: the base currency, pegs at 1, and how old a rate may be in days.

    `rates` is the file of rates that is imported with these terms.
    """

    currency: str | None = None
    pegs: dict[str, str] = {}
    max_age: int = DEFAULT_MAX_AGE
    rates: str | None = None


NO_TERMS = BaseTerms()


class _Step(Struct, frozen=True):
    """A stated rate or a peg between two currencies; `is_turned` if it is stated the other way."""

    stated: Rate | None = None
    peg: str = ""
    is_turned: bool = False


class Rates:
    """Stated rates of pairs and days, with the rules by which a day's rate is found."""

    def __init__(self, stated: Iterable[Rate] = (), terms: BaseTerms = NO_TERMS) -> None:
        self._stated = {(*rate.pair, rate.day): rate for rate in stated}
        self._terms = terms
        self._pegs = dict(terms.pegs)
        self._found: dict[tuple[str, str, date], UsedRate | None] = {}

    def find(self, currency: str, base: str, day: date) -> UsedRate | None:
        """Return the rate of a currency in the base on a day; None if there is none, or only an older one."""
        key = (currency, base, day)
        if key not in self._found:
            self._found[key] = self._find(currency, base, day)
        return self._found[key]

    def _find(self, currency: str, base: str, day: date) -> UsedRate | None:
        if currency == base:
            return UsedRate(currency, base, ONE, "same")
        said = _peg_between(self._pegs, currency, base)
        if said is not None:
            return _used(currency, base, None, (said,))
        pegged = [self._pegs[one] for one in (currency, base) if one in self._pegs]
        crossings = [*PIVOTS, *(one for pair in self._pegs.items() for one in pair)]
        for pivots, is_direct in ((pegged, False), (crossings, True)):
            for age in range(self._terms.max_age + 1):
                found = self._on(currency, base, day - age * _DAY, pivots, is_direct=is_direct)
                if found is not None:
                    return found
        return None

    def _on(
        self, currency: str, base: str, day: date, pivots: Iterable[str], *, is_direct: bool
    ) -> UsedRate | None:
        """Return the rate of one day: the stated one, else the first that can be crossed."""
        if is_direct and (step := self._step(currency, base, day)) is not None:
            return _used(currency, base, day, (step,))
        for pivot in pivots:
            if pivot in (currency, base):
                continue
            first, second = self._step(currency, pivot, day), self._step(pivot, base, day)
            if first is not None and second is not None:
                return _used(currency, base, day, (first, second))
        return None

    def _step(self, one: str, other: str, day: date) -> _Step | None:
        if (said := _peg_between(self._pegs, one, other)) is not None:
            return said
        if (stated := self._stated.get((one, other, day))) is not None:
            return _Step(stated)
        turned = self._stated.get((other, one, day))
        return None if turned is None else _Step(turned, is_turned=True)


def _peg_between(pegs: Mapping[str, str], one: str, other: str) -> _Step | None:
    for pegged, to in ((one, other), (other, one)):
        if pegs.get(pegged) == to:
            return _Step(peg=f"{pegged}: {to}")
    return None


def _used(currency: str, base: str, day: date | None, steps: tuple[_Step, ...]) -> UsedRate | None:
    """Return the rate that steps come to; None if it is below the 12th decimal."""
    stated = tuple(step.stated for step in steps if step.stated is not None)
    over = under = ONE
    with exact():
        for step in steps:
            if step.stated is not None and step.is_turned:
                under *= step.stated.rate
            elif step.stated is not None:
                over *= step.stated.rate
        rate = over if under == ONE else proportional_share(over, ONE, under)
    if not rate:
        return None
    kind: RateKind = "crossed" if len(stated) == 2 else "table" if stated else "peg"
    if kind == "table" and any(step.is_turned for step in steps):
        kind = "turned"
    pegs = tuple(step.peg for step in steps if step.peg)
    return UsedRate(currency, base, rate, kind, day if stated else None, stated, pegs)
