"""`RawFill`: the fields of a layout, with numbers parsed."""

from decimal import Decimal

import pytest

from tearsheet.sources.layouts.layout import FIELDS
from tearsheet.sources.statements.raw_fill import NUMBERS, RawFill, TextCache, canonical, raw_fill_of
from tearsheet.sources.statements.row_money import multiplier_by_amount, price_in_account_currency
from tearsheet.sources.text.encoding import NumberFormat
from tearsheet.trade.amount import exact
from tearsheet.trade.fill import Side

numbers = TextCache(NumberFormat(".").parse)


def test_the_fields_are_those_of_layouts() -> None:
    assert RawFill.__struct_fields__ == (
        *FIELDS,
        *("bad_number", "leg", "accrued", "fraction", "swap", "swap_currency", "foreign_fee", "is_end"),
    )


def test_each_text_goes_to_its_field() -> None:
    texts = [str(place) if field in NUMBERS else field for place, field in enumerate(FIELDS)]
    raw = raw_fill_of(texts, numbers)
    for place, field in enumerate(FIELDS):
        assert getattr(raw, field) == (place if field in NUMBERS else field)
    assert raw.bad_number is None
    assert raw_fill_of([""] * len(FIELDS), numbers) == RawFill()


@pytest.mark.parametrize("field", NUMBERS)
def test_a_bad_number_leaves_the_texts_for_the_rejection(field: str) -> None:
    texts = ["?" if name == field else "1" if name in NUMBERS else name for name in FIELDS]
    raw = raw_fill_of(texts, numbers)
    assert raw.bad_number is not None
    assert raw.bad_number.reason == f"{field} is not a number, was '?'"
    assert (raw.account, raw.time, raw.side) == ("account", "time", "side")


@pytest.mark.parametrize(
    ("written", "plain"),
    [("1.50", "1.5"), ("100", "100"), ("1E+3", "1000"), ("-0.0", "0"), ("0.000001", "0.000001")],
)
def test_a_canonical_number_prints_plainly(written: str, plain: str) -> None:
    assert str(canonical(Decimal(written))) == plain


def test_a_cache_stays_small() -> None:
    cache = TextCache(len)
    for number in range(25_000):
        assert cache[str(number)] == len(str(number))
    assert len(cache) <= 10_000


def test_a_multiplier_that_does_not_come_out_even_is_found_also_where_money_is_exact() -> None:
    """Kind: a quotient taken in the reader's context, which refuses what is inexact."""
    row = RawFill(price=Decimal(3), quantity=Decimal(7))
    row.amount = Decimal(1)
    with exact():
        assert multiplier_by_amount(row) == Decimal("0.048")


def test_a_fee_that_the_cash_leaves_is_rounded_also_where_money_is_exact() -> None:
    row = RawFill(price=Decimal("10.123"), quantity=Decimal(7), currency="USD")
    row.cash = Decimal("-71.8623")
    with exact():
        price_in_account_currency(
            row, Side.BUY, {"price_currency": "EUR", "rate": "1"}, lambda name, text: (Decimal(1), None)
        )
    assert row.commission is None or row.commission == row.commission.quantize(Decimal("0.01"))
