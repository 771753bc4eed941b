"""Fills whose source states no fee: the operator's schedule gives one, else the summary says that it is gross."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tearsheet.app.analysis.lists import Lists
from tearsheet.errors import SettingsError
from tearsheet.performance.summary import PerformanceSummary, Scope
from tearsheet.sources.config.fees import fees_in
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.session import Window
from tests.support.place import Place, fills_csv

pytestmark = pytest.mark.both_databases

TRADES = """symbol,qty,pnl,buyFillId,buyPrice,boughtTimestamp,sellFillId,sellPrice,soldTimestamp
MESZ6,2,$50.00,1,5125,11/16/2026 14:35:12,2,5130,11/16/2026 14:42:15
MNQZ6,1,$(2.00),4,20001,11/18/2026 15:42:15,3,20000,11/18/2026 15:35:12
"""
ALL = Window.between(date(2026, 11, 1), date(2026, 11, 20))


def read(place: Place, tracker: PerformanceTracker) -> PerformanceSummary:
    """Import the trades; what they come to."""
    tracker.import_file(place.write("trades.csv", TRADES), timezone=ZoneInfo("UTC"), account="A")
    assert tracker.verify().differences == []
    return tracker.get_summary(ALL)


def fees_file(place: Place, text: str) -> dict[str, str]:
    path = place.write("instruments.yaml", f"QQQQ: {{multiplier: 5}}\nfees:\n{text}")
    return {"TEARSHEET_INSTRUMENTS_FILE": str(path)}


def test_without_a_schedule_the_summary_says_that_it_is_gross_and_is_complete(place: Place) -> None:
    with place.tracker() as tracker:
        found = read(place, tracker)
        assert (found.value("net_pnl"), found.value("fees"), found.partial) == (48, 0, False)
        [note] = found.notes
        assert note.code == "no_fees_stated"
        assert note.detail.startswith("gross: no fees stated for 4 fills")
        assert tracker.get_summary(Window.between(date(2026, 11, 1), date(2026, 11, 2))).notes == ()
        fills = Lists(tracker).fills(ALL, Scope(), 10, None).items
        assert {(fill.fee_stated, str(fill.commission)) for fill in fills} == {(False, "0")}


def test_a_column_that_says_0_states_fees_of_0(place: Place) -> None:
    lines = ["A,X,2026-11-16T10:00:00Z,buy,1,100,0,1", "A,X,2026-11-16T11:00:00Z,sell,1,101,0.00,2"]
    with place.tracker(**fees_file(place, "  - {per_unit: 1}\n")) as tracker:
        tracker.import_file(place.write("a.csv", fills_csv(lines)))
        found = tracker.get_summary(ALL)
        assert (found.value("net_pnl"), found.notes) == (1, ())


@pytest.mark.parametrize(
    ("rules", "fees"),
    [
        ("  - {per_contract: 0.5}\n", "3"),
        ("  - {root: MES, round_turn: 1.04}\n", "2.08"),
        ("  - {venue: cme, per_order: 1}\n", "4"),
        ("  - {percent: 0.01, root: MES}\n", "10.255"),
        ("  - {asset_class: equity, per_share: 1}\n", "0"),
        ("  - {account: B, per_contract: 1}\n", "0"),
        # the rule that names most counts, then the latest
        (
            "  - {per_contract: 9}\n  - {account: A, root: MES, per_contract: 1}\n  - {root: MES, per_contract: 2}\n",
            "22",
        ),
        ("  - {per_contract: 1}\n  - {per_contract: 2, from: 2026-11-17}\n", "8"),
        ("  - {per_contract: 0.1, minimum: 0.5}\n", "2"),
    ],
)
def test_the_schedule_gives_the_fees(place: Place, rules: str, fees: str) -> None:
    with place.tracker(**fees_file(place, rules)) as tracker:
        assert read(place, tracker).value("fees") == Decimal(fees)


def test_the_books_follow_an_edited_schedule(place: Place) -> None:
    settings = fees_file(place, "  - {root: MES, per_contract: 1}\n")
    with place.tracker(**settings) as tracker:
        found = read(place, tracker)
        assert (found.value("fees"), len(found.notes)) == (4, 1)
    fees_file(place, "  - {per_contract: 2}\n")
    with place.tracker(**settings) as tracker:
        tracker.sync()
        found = tracker.get_summary(ALL)
        assert (found.value("fees"), found.notes) == (12, ())


def test_an_order_of_several_fills_pays_once(place: Place) -> None:
    head = "account,symbol,time,side,quantity,price,order_id,fill_id\n"
    rows = [
        "A,AAPL,2026-11-16T10:00:00Z,buy,1,100,o1,1",
        "A,AAPL,2026-11-16T10:00:00Z,buy,2,100,o1,2",
        "A,AAPL,2026-11-16T11:00:00Z,sell,3,101,o2,3",
    ]
    with place.tracker(**fees_file(place, "  - {per_order: 1}\n")) as tracker:
        tracker.import_file(place.write("a.csv", head + "\n".join(rows) + "\n"), mapping={"symbol": "symbol"})
        found = tracker.get_summary(ALL)
        assert (found.value("net_pnl"), found.value("fees")) == (1, 2)
        assert tracker.verify().differences == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fees: 1", "fees is '1'"),
        ("fees:\n  - {root: MES}", "rule 1 has no amount"),
        ("fees:\n  - {per_contract: 1}\n  - {per_lot: 1}", "rule 2: per_lot is unknown"),
        ("fees:\n  - {per_contract: -1}", "rule 1: per_contract is '-1'"),
        ("fees:\n  - {per_contract: 1, per_share: 1}", "stands twice"),
        ("fees:\n  - {per_contract: 1, from: 1.1.2026}", "rule 1: from is '1.1.2026'"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "instruments.yaml"
    with pytest.raises(SettingsError) as caught:
        fees_in(text + "\n", str(file))
    assert message in caught.value.message
    assert str(file) in caught.value.message
