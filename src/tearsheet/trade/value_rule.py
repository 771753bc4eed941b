"""Validation rules for values given as text: a description of the allowed values, and a parser."""

import re
from collections.abc import Callable, Mapping
from datetime import date, time
from decimal import Decimal
from typing import Any, Generic, TypeVar
from zoneinfo import ZoneInfo

from msgspec import Struct

from tearsheet.trade.amount import parse_amount
from tearsheet.trade.session import DATE_PATTERN

T = TypeVar("T")


class InvalidValueError(ValueError):
    """An invalid value; the message describes the allowed values, `reason` has more detail."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class ValueRule(Struct, Generic[T], frozen=True):
    """Description of allowed values, and `convert`, which raises ValueError or LookupError for others."""

    allowed: str
    convert: Callable[[Any], T]

    def parse(self, value: object) -> T:
        """Parse a value. Raises InvalidValueError with the allowed values."""
        try:
            return self.convert(value)
        except (ValueError, LookupError, OSError) as error:
            reason = error.reason if isinstance(error, InvalidValueError) else ""
            raise InvalidValueError(f"allowed is {self.allowed}", reason) from None


def text_rule(allowed: str, convert: Callable[[str], T]) -> ValueRule[T]:
    """Return a rule for `str` only, not for subclasses such as a raw JSON number."""

    def convert_text(value: object) -> T:
        if type(value) is not str:
            raise ValueError
        return convert(value)

    return ValueRule(allowed, convert_text)


def optional(rule: ValueRule[T]) -> ValueRule[T | None]:
    """Return a rule that also accepts blank text, as None."""
    return text_rule(f"{rule.allowed}, or nothing", lambda text: rule.convert(text) if text.strip() else None)


def one_of(*choices: str) -> ValueRule[str]:
    """Return a rule for one of several words, described as a list."""
    return text_rule(", ".join(choices), {choice: choice for choice in choices}.__getitem__)


def any_case(*choices: str) -> ValueRule[str]:
    """Return a rule for one of several words in any case."""
    spelled = {choice.casefold(): choice for choice in choices}
    return text_rule(", ".join(choices), lambda text: spelled[text.casefold() if text.isascii() else text])


def either(*choices: str) -> ValueRule[str]:
    """Return a rule for one of several words, described with "or"."""
    return meaning({choice: choice for choice in choices})


def meaning(meanings: Mapping[str, T]) -> ValueRule[T]:
    """Return a rule for one of several words, each with its value."""
    *others, last = meanings
    return text_rule(f"{', '.join(others)} or {last}", meanings.__getitem__)


def matching(pattern: str, allowed: str) -> ValueRule[str]:
    """Return a rule for text that a pattern matches completely."""
    matches = re.compile(pattern).fullmatch

    def convert(text: str) -> str:
        if not matches(text):
            raise ValueError
        return text

    return text_rule(allowed, convert)


def whole_number(low: int, high: int) -> ValueRule[int]:
    """Return a rule for integers in ASCII digits; `int` would also accept 1_000 and signs."""

    def convert(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 20 and low <= int(text) <= high):
            raise ValueError
        return int(text)

    return text_rule(f"a whole number from {low} to {high}", convert)


def number(
    allowed: str, *, above: str = "-1E18", least: str = "-1E18", most: str = "1E18", whole: bool = False
) -> ValueRule[Decimal]:
    """Return a rule for exact numbers within bounds."""
    floor, low, high = Decimal(above), Decimal(least), Decimal(most)

    def convert(text: str) -> Decimal:
        value = parse_amount(text)
        if not (floor < value and low <= value <= high) or (whole and value != value.to_integral_value()):
            raise ValueError
        return value

    return text_rule(allowed, convert)


def _time_of_day(text: str) -> time:
    if not re.fullmatch("[0-9]{2}:[0-9]{2}", text):
        raise ValueError
    return time.fromisoformat(text)


CURRENCY_CODE = matching("[A-Z]{3,5}", "a code of 3 to 5 capital letters")
_LETTERS = matching("[A-Za-z]{3,5}", "letters")
#: In any case, returned in capitals.
CURRENCY = text_rule("a code of 3 to 5 letters", lambda text: _LETTERS.convert(text).upper())
COIN_PATTERN = "[A-Z0-9]{2,10}"
#: Of a coin too, in capitals.
COIN_CODE = matching(COIN_PATTERN, "a currency code in capitals, such as EUR or USDT")
#: Of a coin too, in any case, returned in capitals.
COIN = text_rule(
    "a currency code, such as EUR or USDT",
    lambda text: COIN_CODE.convert(text.upper() if text.isascii() else text),
)
_ISO_DATE = matching(DATE_PATTERN, "a date, YYYY-MM-DD")
ISO_DATE = text_rule(_ISO_DATE.allowed, lambda text: date.fromisoformat(_ISO_DATE.convert(text)))
TIME_OF_DAY = text_rule("HH:MM, such as 17:00", _time_of_day)
TIME_ZONE = text_rule("an IANA name such as UTC or America/Chicago", ZoneInfo)
