"""Exact decimal arithmetic: parsing, division and formatting of amounts.

Sums and products run inside `exact()`, whose context raises instead of rounding. Only
`proportional_share` and `ratio` truncate; the caller assigns the remainder to the last part.
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
#: Characters of an invalid number that an error shows.
_SHOWN = 60

#: Sums and products of valid amounts always fit; an inexact result raises.
EXACT = Context(
    prec=400, rounding=ROUND_HALF_EVEN, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow]
)
#: Valid input: at most 36 significant digits, below 10^18, and nearer to 0 than 10^-18 only
#: if it is 0. A product of three such has at most 108 digits, a sum of any number of products fits 400.
_VALID = Context(prec=36, Emin=-18, Emax=17, traps=[Inexact, Overflow, Subnormal, InvalidOperation])
_plus = _VALID.plus
_E12, _E_12 = Decimal("1E12"), Decimal("1E-12")
_E8, _E_8 = Decimal("1E8"), Decimal("1E-8")


def exact() -> AbstractContextManager[Context]:
    """Return a context manager for decimal arithmetic without rounding."""
    return localcontext(EXACT)


def is_valid_amount(value: Decimal) -> bool:
    """Return whether a decimal is finite and within the range and precision of valid input."""
    return are_valid_amounts((value,))


def are_valid_amounts(values: Iterable[Decimal | None]) -> bool:
    """Return whether all decimals are valid; None is valid. On the hot path of every file import."""
    present = list(filter(None, values))  # without 0, which is valid
    try:
        # the context raises for what is too large, too small or too long, but lets infinities and NaNs through
        return all(map(Decimal.is_finite, map(_plus, present)))
    except ArithmeticError:
        return False


def parse_amount(text: str) -> Decimal:
    """Parse an exact decimal. Raises ValueError with a readable reason."""
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"is not a number, was {shown!r}") from None
    if "_" in text or not text.isascii():  # Decimal accepts 1_000 and Arabic digits
        raise ValueError(f"is not a number, was {shown!r}")
    if not is_valid_amount(value):
        raise ValueError(f"is not a usable number, was {shown!r}")
    return value


def proportional_share(total: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """Return total × part ÷ whole, truncated to 12 decimals; call it inside `exact()`.

    The caller assigns `total - share` to the rest, so that the parts sum to `total`.
    """
    # integer division: 1.0 µs; divide, quantize and normalize with a context took 1.9 µs
    return (total * part * _E12 // whole * _E_12).normalize()


def trade_value(quantity: Decimal, price: Decimal, multiplier: Decimal) -> Decimal:
    """Return the money of a quantity at a price; call it inside `exact()`.

    A multiplier below 0 is that of an inverse contract, whose money is a coin: quantity × multiplier ÷ price.
    """
    if multiplier < ZERO:
        return -inverse_value(quantity, price, multiplier)
    return quantity * price * multiplier


def inverse_value(quantity: Decimal, price: Decimal, multiplier: Decimal) -> Decimal:
    """Return the coins, above 0, that a quantity of inverse contracts is worth, truncated to 12 decimals."""
    # a price of 0 is invalid: such a fill is rejected before it is booked
    return (quantity * -multiplier * _E12 // price * _E_12).normalize() if price else ZERO


def ratio(numerator: Decimal, denominator: Decimal) -> Decimal | None:
    """Return a quotient truncated to 8 decimals, or None for a denominator of 0.

    Truncation keeps sums of quotients exact. Call it inside `exact()`.
    """
    if not denominator:
        return None
    return (numerator * _E8 // denominator * _E_8).normalize()


def to_plain_string(value: Decimal) -> str:
    """Return the canonical text of a decimal: no exponent, no trailing zeros, no negative zero."""
    if not value:
        return "0"
    return format(EXACT.normalize(value), "f")
