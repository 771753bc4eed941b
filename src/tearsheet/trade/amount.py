"""Exact numbers: the one place that says how decimals are read, divided and written.

Every sum and product runs inside `exact()`, whose context has room for any result and raises
rather than rounds. Only `share` rounds, and whoever divides gives the remainder to the last part.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from decimal import (
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
    Subnormal,
    localcontext,
)

ZERO = Decimal(0)

#: Sums and products of accepted amounts always fit; an inexact result raises.
EXACT = Context(
    prec=400, rounding=ROUND_HALF_EVEN, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow]
)
#: What an input may be: at most 36 significant digits, below 10^18, nothing finer than 10^-18.
_ACCEPTED = Context(
    prec=36, Emin=-18, Emax=17, traps=[Inexact, Overflow, Subnormal, InvalidOperation]
)
_plus = _ACCEPTED.plus
_BELOW, _ABOVE = Decimal("-1E18"), Decimal("1E18")
_DIVIDING = Context(prec=120, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero])
_SHARE_QUANTUM = Decimal("1E-12")
_RATIO_QUANTUM = Decimal("1E-8")


@contextmanager
def exact() -> Iterator[None]:
    """Do decimal arithmetic without rounding inside this block."""
    with localcontext(EXACT):
        yield


def accepted(value: Decimal) -> bool:
    """Whether a decimal is finite and of a size that money, prices and quantities have."""
    return all_accepted((value,))


def all_accepted(values: Iterable[Decimal | None]) -> bool:
    """Whether every decimal is `accepted`; None counts as one. Fast: it sees every number read."""
    try:
        for value in values:
            if value is not None:
                _plus(value)
                if not _BELOW < value < _ABOVE:  # also finds infinities; a NaN raises
                    return False
    except ArithmeticError:
        return False
    return True


def parse_amount(text: str) -> Decimal:
    """The exact decimal that a text states. Raises ValueError with a reason for people."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"is not a number, was {text!r}") from None
    if not accepted(value):
        raise ValueError(f"is not a usable number, was {text!r}")
    return value


def share(total: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """`total` × `part` / `whole`, rounded half to even at 12 decimals.

    The caller keeps `total - share` for the rest, so that nothing is lost or made.
    """
    quotient = _DIVIDING.divide(_DIVIDING.multiply(total, part), whole)
    return _DIVIDING.normalize(_DIVIDING.quantize(quotient, _SHARE_QUANTUM))


def ratio(numerator: Decimal, denominator: Decimal) -> Decimal | None:
    """A quotient kept to 8 decimals so that sums of it stay exact; None where it is undefined."""
    if not denominator:
        return None
    quotient = _DIVIDING.divide(numerator, denominator)
    return _DIVIDING.normalize(_DIVIDING.quantize(quotient, _RATIO_QUANTUM))


def plain(value: Decimal) -> str:
    """The canonical text of a decimal: no exponent, no trailing zeros, no negative zero."""
    if not value:
        return "0"
    return format(_DIVIDING.normalize(value), "f")
