"""Exact numbers: the one place that says how decimals are read, divided and written.

Every sum and product runs inside `exact()`, whose context has room for any result and raises
rather than rounds. Only `share` and `ratio` cut off, and whoever shares out gives the remainder to
the last part.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager
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

ZERO, ONE = Decimal(0), Decimal(1)

#: Sums and products of accepted amounts always fit; an inexact result raises.
EXACT = Context(
    prec=400, rounding=ROUND_HALF_EVEN, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow]
)
#: What an input may be: at most 36 significant digits, below 10^18, and nearer to 0 than 10^-18 only
#: if it is 0. A product of three such has at most 108 digits, a sum of any number of products fits 400.
_ACCEPTED = Context(prec=36, Emin=-18, Emax=17, traps=[Inexact, Overflow, Subnormal, InvalidOperation])
_plus = _ACCEPTED.plus
_BELOW, _ABOVE = Decimal("-1E18"), Decimal("1E18")
_E12, _E_12 = Decimal("1E12"), Decimal("1E-12")
_E8, _E_8 = Decimal("1E8"), Decimal("1E-8")


def exact() -> AbstractContextManager[Context]:
    """Do decimal arithmetic without rounding inside a `with` block."""
    return localcontext(EXACT)


def is_valid_amount(value: Decimal) -> bool:
    """Whether a decimal is finite and of a size that money, prices and quantities have."""
    return are_valid_amounts((value,))


def are_valid_amounts(values: Iterable[Decimal | None]) -> bool:
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
    if "_" in text or not text.isascii():  # Decimal takes 1_000 and Arabic digits
        raise ValueError(f"is not a number, was {text!r}")
    if not is_valid_amount(value):
        raise ValueError(f"is not a usable number, was {text!r}")
    return value


def proportional_share(total: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """`total` × `part` / `whole`, cut off after 12 decimals; to be called inside `exact()`.

    The caller keeps `total - share` for the rest, so that nothing is lost or made.
    """
    return (total * part * _E12 // whole * _E_12).normalize()


def ratio(numerator: Decimal, denominator: Decimal) -> Decimal | None:
    """A quotient cut off after 8 decimals so that sums of it stay exact; None where undefined.

    To be called inside `exact()`.
    """
    if not denominator:
        return None
    return (numerator * _E8 // denominator * _E_8).normalize()


def to_plain_string(value: Decimal) -> str:
    """The canonical text of a decimal: no exponent, no trailing zeros, no negative zero."""
    if not value:
        return "0"
    return format(EXACT.normalize(value), "f")
