"""The picture of one trade: every execution is in it, whatever shares a moment or a price."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tearsheet.export.executions_chart import Execution, PriceWords, executions_picture
from tearsheet.export.plot import plain_words

AT = datetime(2026, 11, 27, 15, 17, 8, tzinfo=UTC)
ZONE = ZoneInfo("America/Chicago")
PRICES = PriceWords(str, str, str, ZONE)


def picture(*executions: tuple[int, str, str | None, str], size: tuple[int, int] = (760, 380)) -> str | None:
    found = [
        Execution(AT + timedelta(seconds=s), Decimal(q), None if p is None else Decimal(p), Decimal(n))
        for s, q, p, n in executions
    ]
    return executions_picture(found, plain_words(ZONE), PRICES, size)


def test_fills_of_one_second_share_a_marker_with_their_count() -> None:
    text = picture((0, "-4", "21472", "-2.48"), (600, "3", "21435", "220"), (600, "1", "21435", "88"))
    assert text is not None
    assert text.count('class="execution"') == 2
    assert "Buy 4 in 2 @ 21435" in text
    assert "09:17:08" in text
    assert "+305.52" in text


def test_without_prices_there_is_no_picture() -> None:
    assert picture((0, "1", None, "5")) is None


@pytest.mark.parametrize("size", [(760, 380), (330, 340)])
def test_one_execution_and_one_price_are_a_picture(size: tuple[int, int]) -> None:
    assert picture((0, "1", "100", "0"), size=size) is not None
    assert picture((0, "1", "0", "0"), (5, "-1", "0", "0"), size=size) is not None


@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**7),
            st.sampled_from(["1", "-2", "0.5"]),
            st.sampled_from(["-37.63", "0.0001", "21472", None]),
            st.sampled_from(["0", "-1000000", "0.01"]),
        ),
        min_size=1,
        max_size=30,
    ),
    st.sampled_from([(760, 380), (330, 340)]),
)
def test_whatever_was_executed_lies_within_the_picture(
    executions: list[tuple[int, str, str | None, str]], size: tuple[int, int]
) -> None:
    text = picture(*sorted(executions, key=lambda one: one[0]), size=size)
    if text is None:
        return
    ElementTree.fromstring(text)
    for x, y in re.findall(r'cx="([\d.-]+)" cy="([\d.-]+)"', text):
        assert 0 <= float(x) <= size[0]
        assert 0 <= float(y) <= size[1]
