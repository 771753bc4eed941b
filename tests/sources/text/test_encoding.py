"""Numbers as people and programs write them: one form a file, and never a silent guess."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tearsheet.errors import FormatError
from tearsheet.sources.text.encoding import DecimalMark, NumberFormat, detect_number_format

POINT, COMMA = NumberFormat("."), NumberFormat(",")


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("1.234,56", "1234.56"),
        ("128.450,00", "128450"),
        ("7200,75", "7200.75"),
        ("1 234,5", "1234.5"),
        ("1\u202f234,5", "1234.5"),
        ("1'234,5", "1234.5"),
        ("0,62 $", "0.62"),
        ("0,62\u00a0€", "0.62"),
        ("R$ 100,00", "100"),
        ("-R$ 35,00", "-35"),
        ("1.234", "1234"),
        ("(62,90)", "-62.90"),
        ("62,90-", "-62.90"),
        ("EUR 5,5", "5.5"),
        ("2,25E+2", "225"),
    ],
)
def test_numbers_with_a_decimal_comma(written: str, number: str) -> None:
    assert COMMA.parse(written) == Decimal(number)


@pytest.mark.parametrize(
    "written",
    [
        "1@2",
        "1€2",
        "$",
        "(-5)",
        "-5-",
        "--5",
        "+-5",
        "1,23.4",
        "0,062",
        "12,34",
        "1.234.567",
        "0.3 BNB",
        "0.01BTC",
        "1_000",
        "٣",
        "0x10",
        "1e",
        "1 2",
        "5 apples",
        "NaN",
        "Infinity",
        "sNaN",
        "110'16",
        "1,234,56",
    ],
)
def test_what_is_no_number_or_may_mean_two_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="is not a number, was"):
        POINT.parse(written)


@pytest.mark.parametrize("written", ["7200.75", "1,234.5", "1.23", "0.062"])
def test_a_decimal_point_in_a_file_with_decimal_commas_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="is not a number, was"):
        COMMA.parse(written)


@pytest.mark.parametrize(
    ("cells", "mark"),
    [
        (["1", "2", "10.5"], "."),
        (["7200,75", "1"], ","),
        (["1.234,56"], ","),
        (["1,234.56"], "."),
        (["0,062", "12"], ","),
        (["0.125"], "."),
        (["1,234,567"], "."),
        (["1.234.567"], ","),
        (["$1,234.50", ""], "."),
        (["0,62 $", "-"], ","),
        (["1,5", "2.5", "3.5"], "."),
        (["1", "2"], "."),
        ([], "."),
        (["Q1.5"], "."),
    ],
)
def test_the_cells_of_a_file_settle_its_decimal_mark(cells: list[str], mark: DecimalMark) -> None:
    assert detect_number_format(cells, cells, ";", "f.csv") == NumberFormat(mark)


def test_the_whole_file_is_asked_where_its_first_rows_say_nothing() -> None:
    assert detect_number_format(["1", "2"], ["1", "2", "7,125", "7,15"], ";", "f.csv") == COMMA


@pytest.mark.parametrize(
    ("cell", "separator"), [("1,234", ";"), ("1.234", ";"), ("12,500", "\t"), ("-1,234 $", ";")]
)
def test_a_file_that_leaves_it_open_is_refused(cell: str, separator: str) -> None:
    with pytest.raises(FormatError) as caught:
        detect_number_format([cell], [cell, "5"], separator, "f.csv")
    assert caught.value.message == ("f.csv: ambiguous numbers such as 1,234 or 1.234")


@pytest.mark.parametrize(("cell", "separator"), [("1,234", ","), ("1.234", ","), ("1.234", "\t")])
def test_separated_by_commas_a_comma_inside_is_for_thousands(cell: str, separator: str) -> None:
    assert detect_number_format([cell], [cell], separator, "f.csv") == POINT


@given(st.decimals(-(10**12), 10**12, places=2), st.sampled_from(["", "$", "€ "]))
def test_what_a_locale_writes_is_read_back(number: Decimal, money: str) -> None:
    american = f"{number:,}"
    european = american.translate(str.maketrans(",.", ".,"))
    assert POINT.parse(money + american) == number
    assert COMMA.parse(money + european) == number
    assert detect_number_format([european], [european], ";", "f.csv") == COMMA
    assert detect_number_format([american], [american], ";", "f.csv") == POINT
