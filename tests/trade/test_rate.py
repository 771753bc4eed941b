"""Which rate converts a currency on a day, and that turning and crossing cut once."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tearsheet.trade.amount import exact
from tearsheet.trade.rate import BaseTerms, Rate, Rates

MONDAY = date(2026, 3, 2)
TERMS = BaseTerms("USD", {"USDT": "USD", "USDC": "USD"})
numbers = st.decimals("0.000001", "1000000", places=6)


def rate(pair: str, number: str, day: date = MONDAY) -> Rate:
    one, other = pair.split("/")
    return Rate(day, one, other, Decimal(number), "ecb")


@pytest.mark.parametrize(
    ("currency", "base", "kind", "number"),
    [
        ("USD", "USD", "same", "1"),
        ("EUR", "USD", "table", "1.085"),
        ("USD", "EUR", "turned", "0.921658986175"),
        ("GBP", "USD", "crossed", "1.261627906976"),
        ("USDT", "USD", "peg", "1"),
        ("USD", "USDT", "peg", "1"),
        ("USDC", "USDT", "peg", "1"),
        ("USDT", "EUR", "turned", "0.921658986175"),
        ("EUR", "USDC", "table", "1.085"),
    ],
)
def test_a_rate_is_stated_turned_crossed_or_pegged(currency: str, base: str, kind: str, number: str) -> None:
    rates = Rates([rate("EUR/USD", "1.085"), rate("EUR/GBP", "0.86")], TERMS)
    found = rates.find(currency, base, MONDAY)
    assert found is not None
    assert (found.kind, found.rate) == (kind, Decimal(number))


def test_a_crossing_takes_one_step_only() -> None:
    rates = Rates([rate("EUR/USD", "1.085"), rate("EUR/GBP", "0.86")], TERMS)
    assert rates.find("USDT", "GBP", MONDAY) is None  # a peg to the dollar, then over the euro
    assert rates.find("CHF", "USD", MONDAY) is None


def test_the_last_rate_before_counts_up_to_the_greatest_age_and_no_later_one() -> None:
    rates = Rates([rate("EUR/USD", "1.085"), rate("EUR/USD", "1.2", MONDAY + timedelta(9))])
    ages = [rates.find("EUR", "USD", MONDAY + timedelta(days)) for days in (-1, 0, 5, 6)]
    assert [None if one is None else one.rate for one in ages] == [
        None,
        Decimal("1.085"),
        Decimal("1.085"),
        None,
    ]
    assert (
        Rates([rate("EUR/USD", "1.085")], BaseTerms(max_age=0)).find("EUR", "USD", date(2026, 3, 3)) is None
    )


def test_both_sides_of_a_crossing_are_of_one_day() -> None:
    rates = Rates([rate("EUR/USD", "1.085"), rate("EUR/GBP", "0.86", MONDAY - timedelta(1))])
    assert rates.find("GBP", "USD", MONDAY) is None


def test_a_peg_goes_before_the_table_and_another_currency_falls_back_to_it() -> None:
    stated = [rate("USDC/USD", "0.97"), rate("USDC/EUR", "0.9")]
    pegged = Rates(stated, TERMS).find("USDC", "USD", MONDAY)
    assert pegged is not None
    assert (pegged.rate, pegged.pegs) == (1, ("USDC: USD",))
    bare = Rates(stated).find("USDC", "USD", MONDAY)
    assert bare is not None
    assert (bare.rate, bare.pegs) == (Decimal("0.97"), ())
    euro = Rates(stated, TERMS).find("USDC", "EUR", MONDAY)  # the peg leads nowhere
    assert euro is not None
    assert euro.rate == Decimal("0.9")


def test_a_rate_below_the_twelfth_decimal_is_none() -> None:
    assert Rates([rate("BTC/SAT", "10000000000000")]).find("SAT", "BTC", MONDAY) is None


@given(numbers, numbers)
def test_what_is_cut_is_below_the_twelfth_decimal(one: Decimal, other: Decimal) -> None:
    rates = Rates([Rate(MONDAY, "EUR", "USD", one, ""), Rate(MONDAY, "EUR", "GBP", other, "")])
    turned, crossed = rates.find("USD", "EUR", MONDAY), rates.find("GBP", "USD", MONDAY)
    with exact():
        assert turned is None or 0 <= 1 - turned.rate * one < Decimal("1E-12") * one
        assert crossed is None or 0 <= one - crossed.rate * other < Decimal("1E-12") * other
    for found in (turned, crossed):
        assert found is None or -int(found.rate.as_tuple().exponent) <= 12


@given(st.lists(st.tuples(st.integers(0, 9), numbers), max_size=8))
def test_the_order_in_which_rates_become_known_does_not_matter(rows: list[tuple[int, Decimal]]) -> None:
    stated = list({day: Rate(MONDAY + timedelta(day), "EUR", "USD", n, "") for day, n in rows}.values())
    days = [MONDAY + timedelta(n) for n in range(16)]
    forward, backward = Rates(stated), Rates(stated[::-1])
    assert [forward.find("EUR", "USD", d) for d in days] == [backward.find("EUR", "USD", d) for d in days]
