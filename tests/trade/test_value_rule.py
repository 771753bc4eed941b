"""Rules of values: each says in words what is allowed, and takes nothing else."""

from datetime import date, time
from decimal import Decimal

import pytest

from tearsheet.trade.value_rule import (
    COIN,
    COIN_CODE,
    CURRENCY,
    CURRENCY_CODE,
    ISO_DATE,
    TIME_OF_DAY,
    TIME_ZONE,
    InvalidValueError,
    ValueRule,
    either,
    matching,
    meaning,
    number,
    one_of,
    optional,
    whole_number,
)

ABOVE_0 = number("a number above 0", above="0", most="10")


@pytest.mark.parametrize(
    ("rule", "text", "value"),
    [
        (one_of("a", "b"), "b", "b"),
        (meaning({"yes": True, "no": False}), "no", False),
        (whole_number(0, 10_000_000_000), "10000000000", 10_000_000_000),
        (ABOVE_0, "0.50", Decimal("0.50")),
        (number("a whole number", whole=True), "-3.0", Decimal("-3.0")),
        (optional(ABOVE_0), "", None),
        (optional(ABOVE_0), "1", Decimal(1)),
        (CURRENCY_CODE, "USDT", "USDT"),
        (CURRENCY, "usd", "USD"),
        (ISO_DATE, "2024-02-29", date(2024, 2, 29)),
        (TIME_OF_DAY, "17:00", time(17)),
    ],
)
def test_what_a_text_means(rule: ValueRule[object], text: str, value: object) -> None:
    assert rule.parse(text) == value


@pytest.mark.parametrize(
    ("rule", "values", "allowed"),
    [
        (one_of("a", "b"), ("", "A", 1), "a, b"),
        (either("a", "b", "c"), ("d",), "a, b or c"),
        (
            whole_number(1, 10),
            ("0", "11", "+5", "1_0", "٥", "", "1.0", 5, "9" * 5000),
            "a whole number from 1 to 10",
        ),
        (ABOVE_0, ("0", "10.1", "NaN", "1e400", "x", None, ["1"]), "a number above 0"),
        (number("a whole number", whole=True), ("0.5",), "a whole number"),
        (optional(ABOVE_0), ("0",), "a number above 0, or nothing"),
        (matching("[a-z]+", "small letters"), ("", "aB", "a\n"), "small letters"),
        (CURRENCY_CODE, ("usd", "US", "DOLLAR"), "a code of 3 to 5 capital letters"),
        (CURRENCY, ("aß", "U5D", "us"), "a code of 3 to 5 letters"),
        (COIN_CODE, ("usdt", "U", "US$", "A" * 11), "a currency code in capitals, such as EUR or USDT"),
        (COIN, ("aß", "U", "US$", "A" * 11, "EUR/USD"), "a currency code, such as EUR or USDT"),
        (ISO_DATE, ("2023-02-29", "20240229", "1979-12-31", "2090-01-01"), "a date, YYYY-MM-DD"),
        (TIME_OF_DAY, ("7:00", "24:00", "17:60", "17:00:00"), "HH:MM, such as 17:00"),
        (
            TIME_ZONE,
            ("", "America", "../etc/passwd", "/etc", "Mars/Base"),
            "an IANA name such as UTC or America/Chicago",
        ),
    ],
)
def test_what_is_not_allowed(rule: ValueRule[object], values: tuple[object, ...], allowed: str) -> None:
    for value in values:
        with pytest.raises(InvalidValueError) as caught:
            rule.parse(value)
        assert str(caught.value) == f"allowed is {allowed}"


def test_the_reason_of_a_value_goes_with_it() -> None:
    def convert(value: object) -> int:
        raise InvalidValueError("", "it has a comma")

    with pytest.raises(InvalidValueError, match="allowed is one") as caught:
        ValueRule("one", convert).parse("x")
    assert caught.value.reason == "it has a comma"
