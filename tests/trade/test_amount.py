"""Exact numbers: what is accepted, how it is shared out, and how it is written."""

from decimal import Decimal, Inexact
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tearsheet.trade.amount import (
    are_valid_amounts,
    exact,
    is_valid_amount,
    parse_amount,
    proportional_share,
    ratio,
    to_plain_string,
)
from tests.support.laws import examples

#: Every shape that an input may have: 36 digits anywhere between 10^18 and, but for 0, 10^-18.
amounts = st.builds(
    lambda digits, places, sign: Decimal(sign * digits).scaleb(-places),
    st.integers(1, 10**36 - 1),
    st.integers(0, 53),
    st.sampled_from((1, -1)),
).filter(is_valid_amount)
positive = amounts.map(abs)


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "-0",
        "1",
        "-37.63",
        "+5",
        "2.25E+2",
        "5e-07",
        "1E-18",
        "999999999999999999.999999999999999999",
        "-999999999999999999",
        "0E-400",
        "1." + "0" * 500,
        " 7 ",
    ],
)
def test_money_is_accepted(text: str) -> None:
    assert parse_amount(text) == Decimal(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "NaN",
        "sNaN",
        "Infinity",
        "-inf",
        "1e400",
        "1E+18",
        "-1E18",
        "9E-19",
        "1_000",
        "١٢",
        "1.0000000000000000000000000000000000001",
        "1,5",
        "0x10",
        "1e999999999999999999999",
    ],
)
def test_what_is_no_money_is_refused_with_the_text(text: str) -> None:
    with pytest.raises(ValueError, match="was "):
        parse_amount(text)


def test_none_is_accepted_beside_numbers_and_one_bad_number_is_not() -> None:
    assert are_valid_amounts((None, Decimal(1), None))
    assert are_valid_amounts(())
    assert not are_valid_amounts((Decimal(1), Decimal("NaN")))
    assert not is_valid_amount(Decimal("-Infinity"))


@examples(500)
@given(amounts, positive, positive)
def test_a_share_is_cut_off_after_12_decimals(total: Decimal, part: Decimal, rest: Decimal) -> None:
    with exact():
        whole = part + rest
        found = proportional_share(total, part, whole)
    cut = int(Fraction(total) * Fraction(part) / Fraction(whole) * 10**12)  # towards zero
    assert Fraction(found) == Fraction(cut, 10**12)


@examples(300)
@given(amounts, amounts)
def test_a_ratio_is_cut_off_after_8_decimals(numerator: Decimal, denominator: Decimal) -> None:
    with exact():
        found = ratio(numerator, denominator)
    assert found is not None
    cut = int(Fraction(numerator) / Fraction(denominator) * 10**8)
    assert Fraction(found) == Fraction(cut, 10**8)


def test_nothing_is_divided_by_zero() -> None:
    with exact():
        assert ratio(Decimal(1), Decimal(0)) is None


@examples(500)
@given(amounts, amounts, amounts, amounts)
@example(Decimal("999999999999999999"), Decimal("999999999999999999"), Decimal("1E-18"), Decimal("1E-18"))
def test_writing_and_reading_again_loses_no_digit(a: Decimal, b: Decimal, c: Decimal, d: Decimal) -> None:
    with exact():
        value = a * b * d + c * d * d
    text = to_plain_string(value)
    assert Fraction(text) == Fraction(value)
    assert "E" not in text
    assert text == "0" or not text.endswith((".", "-"))
    assert "." not in text or not text.endswith("0")


@pytest.mark.parametrize(
    ("value", "text"),
    [("0E-12", "0"), ("-0", "0"), ("1E+2", "100"), ("1.500", "1.5"), ("-5E-7", "-0.0000005")],
)
def test_the_canonical_text(value: str, text: str) -> None:
    assert to_plain_string(Decimal(value)) == text


def test_what_does_not_fit_raises_rather_than_rounds() -> None:
    with exact(), pytest.raises(Inexact):
        Decimal("1E300") + Decimal("1E-300")
