"""The shape that everything above reads."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from tearsheet.performance.metric import Day
from tearsheet.performance.summary import Freshness, Scope, to_plain_builtins


@pytest.mark.parametrize(
    ("scope", "label", "narrows"),
    [
        (Scope(), "all accounts", False),
        (Scope("A"), "A", False),
        (Scope("A", "orb"), "A · orb", True),
        (Scope(symbol="MNQZ26"), "MNQZ26", True),
        (Scope(mode="PAPER"), "PAPER", True),
    ],
)
def test_a_scope_says_whose_trading_it_is(scope: Scope, label: str, narrows: bool) -> None:
    assert (scope.label, scope.needs_row_filter) == (label, narrows)


def test_plain_values_keep_every_digit_in_its_shortest_form() -> None:
    exact = Decimal("12345678901234567890123456789012345678901234567890.10")
    assert to_plain_builtins(Day(date(2026, 3, 2), exact, 1, exact)) == {
        "session": "2026-03-02",
        "net_pnl": Decimal("12345678901234567890123456789012345678901234567890.1"),
        "trades": 1,
        "result": Decimal("12345678901234567890123456789012345678901234567890.1"),
        "flows": 0,
        "converted": 0,
        "inflows": 0,
    }
    assert str(to_plain_builtins((Decimal("1E+2"), Decimal("-0.00")))) == "[Decimal('100'), Decimal('0')]"


def test_plain_instants_are_in_utc() -> None:
    found = to_plain_builtins(Freshness(3, datetime(2026, 3, 2, 9, 30, tzinfo=UTC), None, 1.5))
    at = "2026-03-02T09:30:00Z"
    assert found == {"revision": 3, "as_of": at, "last_fill_at": None, "data_age_s": 1.5, "feeds": []}
