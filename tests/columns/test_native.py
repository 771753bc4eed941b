"""What the kernel reads and sorts by itself is what Python reads and sorts: times of texts, keys of amounts."""

from array import array
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tearsheet.columns import native as k
from tearsheet.columns.sort_keys import sortable
from tearsheet.trade.amount import EXACT
from tearsheet.trade.session import to_micros
from tests.support.laws import examples

pytestmark = pytest.mark.skipif(not k.is_available(), reason="NO KERNEL: there is no C compiler, nor ziglang")

instants = st.datetimes(datetime(1971, 1, 3), datetime(2098, 12, 29))  # noqa: DTZ001 - as written
offsets = st.sampled_from(["", "Z", "+00:00", "-05:30", "+14:00", "-23:59"])
#: What is written otherwise, or is no time.
OTHERWISE = [
    "",
    "2026-01-09",
    "2026-01-09T14:32Z",
    "2026-01-09T14:32:15.Z",
    "2026-01-09T14:32:15.1234567Z",
    "2026-01-09T14:32:15+0100",
    "2026-01-09T24:00:00Z",
    "2026-01-09T23:60:00Z",
    "2026-01-09T23:59:60Z",
    "2026-02-29T00:00:00Z",
    "2100-01-01T00:00:00Z",
    "1969-12-31T00:00:00Z",
    "2026-00-10T00:00:00Z",
    "2026-01-00T00:00:00Z",
    "2026-01-09t14:32:15Z",
    " 2026-01-09T14:32:15Z",
    "2026-01-09T14:32:15Z ",
    "２０２６-01-09T14:32:15Z",
    "2026-01-09T14:32:15+24:00",
    "2026-01-09T14:32:15+01:60",
]


@examples(200)
@given(st.lists(st.tuples(instants, st.sampled_from("T "), offsets, st.integers(0, 6)), min_size=1))
def test_times_are_the_instants_that_python_reads(drawn: list[tuple[datetime, str, str, int]]) -> None:
    texts = []
    for at, between, offset, digits in drawn:
        fraction = f".{at.microsecond:06}"[: digits + 1] if digits else ""
        texts.append(f"{at:%Y-%m-%d}{between}{at:%H:%M:%S}{fraction}{offset}")
    expected = [datetime.fromisoformat(text) for text in texts]
    in_utc = [at if at.tzinfo else at.replace(tzinfo=UTC) for at in expected]
    found = k.times(texts, is_utc=True)
    assert found is not None
    assert found.tolist() == [to_micros(at.astimezone(UTC)) for at in in_utc]
    others = k.times(texts, is_utc=False)
    assert others is not None
    assert [at == k.NO_TIME for at in others] == [at.tzinfo is None for at in expected]


def test_leap_days_are_those_of_the_calendar() -> None:
    day, texts = datetime(1971, 1, 1, tzinfo=UTC), []
    while day.year < 2099:
        texts.append(f"{day:%Y-%m-%d}T00:00:00Z")
        day += timedelta(days=1)
    found = k.times(texts, is_utc=False)
    assert found is not None
    assert found.tolist() == [to_micros(datetime.fromisoformat(text)) for text in texts]


@pytest.mark.parametrize("text", OTHERWISE)
def test_what_is_written_otherwise_is_left_to_python(text: str) -> None:
    found = k.times(["2026-01-09T14:32:15Z", text, "2026-01-09T14:32:15Z"], is_utc=True)
    assert found is not None
    assert [at == k.NO_TIME for at in found] == [False, True, False]


@examples(300)
@given(
    st.lists(st.tuples(st.integers(-(10**36), 10**36), st.integers(0, 10**30)), min_size=1),
    st.integers(0, 30),
)
def test_keys_of_amounts_are_those_by_which_the_ledger_sorts(
    drawn: list[tuple[int, int]], scale: int
) -> None:
    rows = array("q")
    for value, less in drawn:
        rows.extend([0])
        for number in (value, less):
            low = number & (2**64 - 1)
            rows.extend([low - 2**64 if low >= 2**63 else low, number >> 64])
    scales = array("q", [0, 0, 0, 0, scale])
    made = k.Rows(bytearray(rows.tobytes()), len(drawn), 5, scales)
    amounts = [Decimal(value).scaleb(-scale, EXACT) for value, _ in drawn]
    assert made.sort_keys(1, k.OF_MONEY) == list(map(sortable, amounts))
    nets = [Decimal(value - less) for value, less in drawn]
    assert made.sort_keys(1, k.OF_MONEY, less=3) == [sortable(net.scaleb(-scale, EXACT)) for net in nets]
