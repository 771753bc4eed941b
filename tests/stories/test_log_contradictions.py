"""Records that contradict themselves are said, with file and line, and are partial where a number depends on it.

The kind: two statements of one line disagree, one of them is used, and nobody hears of the other. Places: outcome and
result, result and its parts, exit and entry, a key twice in one object, a word in another case.
"""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.support.api import Api, fill
from tests.support.place import NOON, Place, fills_csv, opened, record


def result(**fields: Any) -> dict[str, Any]:
    """A win of 100 − 1 at noon."""
    return record(**{"at": NOON, "held": 0, "order_id": "1", **fields})


TWICE = json.dumps(result())[:-1] + ', "net_profit_loss": "-5"}'


@pytest.mark.parametrize(
    ("line", "code", "words", "net", "partial"),
    [
        (result(net_profit_loss="-5", profit_loss="-4"), "wrong_outcome", "the outcome is win", -5, False),
        (result(outcome="loss"), "wrong_outcome", "the outcome is loss", 99, False),
        (
            result(net_profit_loss="50"),
            "contradiction",
            "50 is not profit_loss 100.00 − commission 1.00",
            50,
            True,
        ),
        (result(held=-7200), "contradiction", "is before the entry", 99, True),
        (TWICE, "repeated_key", "net_profit_loss stands twice", -5, True),
    ],
)
def test_a_contradiction_is_said_and_partial_where_a_number_depends_on_it(
    place: Place, line: Any, code: str, words: str, net: int, partial: bool
) -> None:
    place.log("2026-11-20", opened(order_id="0", at=NOON - timedelta(hours=9)), line)
    with place.tracker() as tracker:
        summary = tracker.get_summary("daily")
        assert (summary.value("net_pnl"), summary.partial) == (net, partial)
        found = tracker.rejections()
        assert (found[0].code, found[0].line, found[0].file) == (code, 2, "2026-11-20.jsonl")
        assert words in found[0].reason
        place.change_rules(TEARSHEET_BREAKEVEN_BAND="0.5")
    with place.tracker() as tracker:
        assert {one.code for one in tracker.rejections()} == {one.code for one in found}
        assert tracker.verify().differences == []


def test_a_corrected_line_ends_the_contradiction(place: Place) -> None:
    place.log("2026-11-20", result(net_profit_loss="50"))
    with place.tracker() as tracker:
        assert tracker.get_summary("daily").partial
        place.log("2026-11-20", result(net_profit_loss="99"), mode="a")
        assert not tracker.get_summary("daily").partial
        assert tracker.rejections() == []


@pytest.mark.parametrize(
    "fields",
    [
        {"net_profit_loss": "98.98"},  # with slippage
        {"net_profit_loss": "99.005"},  # rounded
        {"held": -30},  # written half a minute after the exit
        {"outcome": "breakeven", "net_profit_loss": "0.4", "profit_loss": "1.4"},
        {"profit_loss": None},
        {"indicators_used": {"price": 1, "inner": {"price": 2}}},
    ],
)
def test_what_is_no_contradiction_is_not_said(place: Place, fields: dict[str, Any]) -> None:
    place.log("2026-11-20", result(**fields), result(order_id="2", net="1"))
    with place.tracker() as tracker:
        assert not tracker.get_summary("daily").partial
        assert tracker.rejections() == []


@pytest.mark.parametrize("word", ["sell", "Sell", "SELL"])
def test_sides_are_spelled_in_any_case_everywhere(place: Place, word: str) -> None:
    """In logs, files, and posts; so are outcome, mode and status."""
    place.log("2026-11-20", result(action=word, outcome="Win", execution_mode="paper"))
    rows = ["A,AAPL,2026-11-20T10:00:00Z,buy,1,10,0,1", f"A,AAPL,2026-11-20T10:01:00Z,{word},1,12,0,2"]
    with place.tracker() as tracker:
        assert tracker.import_file(place.write("fills.csv", fills_csv(rows))).rejections == []
        assert tracker.get_summary("daily").value("net_pnl") == Decimal(101)
    api = Api(place)
    api.fills(fill(1, account="P"), fill(2, word, 103, account="P", status="Fill"))
    assert api.get("/api/performance/daily?account=P")["data"]["daily_pnl"] == 3
