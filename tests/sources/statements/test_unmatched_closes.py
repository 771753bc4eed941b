"""Orphan closes: a file that begins in the middle of a position says so, and nothing is made up."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tearsheet.app.imports.import_file import diagnose_file
from tearsheet.app.reconcile.reconcile import reconcile_statement
from tearsheet.cli import EXIT_BREACH, EXIT_OK, main
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.sources.statements.unmatched_closes import UnmatchedCloseFinder
from tearsheet.trade.amount import ZERO
from tearsheet.trade.fill import UnmatchedClose
from tests.support.place import Place, make_fill

NINJA = (
    "Instrument,Action,Quantity,Price,Time,ID,E/X,Position,Order ID,Name,Commission,Rate,Account,Connection\n"
)
CLOSING = "MES 12-26,Sell,2,5130.50,11/16/2026 9:42:15 AM,x2,Exit,-,o2,Exit,$1.20,1,Sim101,My\n"
ROUND = (
    "MES 12-26,Sell,1,5140,11/16/2026 10:35:12 AM,x3,Entry,1 S,o3,Entry,$0.60,1,Sim101,My\n"
    "MES 12-26,Buy,1,5141,11/16/2026 10:42:15 AM,x4,Exit,-,o4,Exit,$0.60,1,Sim101,My\n"
)
OPENING = "MES 12-26,Buy,2,5125.25,11/13/2026 9:35:12 AM,x1,Entry,2 L,o1,Entry,$1.20,1,Sim101,My\n"
NEW_YORK = ZoneInfo("America/New_York")
START = datetime(2026, 11, 16, tzinfo=UTC)


@pytest.mark.parametrize("rows", [CLOSING + ROUND, "".join((CLOSING + ROUND).splitlines(True)[::-1])])
def test_a_file_that_begins_in_a_position_says_so(place: Place, rows: str) -> None:
    """In either order of rows; the same file agrees once what opened it is there."""
    path = place.write("late.csv", NINJA + rows)
    options = {"timezone": NEW_YORK, "date_order": "month-first"}
    expected = [
        UnmatchedClose(
            "Sim101",
            "MESZ26",
            "SELL",
            Decimal(2),
            datetime(2026, 11, 16, 14, 42, 15, tzinfo=UTC),
            2 if rows.startswith(CLOSING) else 4,
        )
    ]
    assert diagnose_file(path, place.settings(), StatementOptions(**options)).unmatched_closes == expected
    with place.tracker() as tracker:
        report = tracker.import_file(path, **options)
        assert report.orphans == report.unmatched_closes == expected
        found = reconcile_statement(tracker, path, StatementOptions(**options))
        assert found.orphans == found.unmatched_closes
        assert (found.orphans, found.agrees) == (expected, False)
        first = tracker.import_file(place.write("first.csv", NINJA + OPENING), **options)
        assert first.orphans == []
        assert reconcile_statement(tracker, path, StatementOptions(**options)).orphans == []


def test_an_earlier_file_that_opened_it_leaves_nothing_orphaned(place: Place) -> None:
    options = {"timezone": NEW_YORK, "date_order": "month-first"}
    with place.tracker() as tracker:
        tracker.import_file(place.write("first.csv", NINJA + OPENING), **options)
        assert tracker.import_file(place.write("late.csv", NINJA + CLOSING), **options).orphans == []


def test_a_sale_on_a_spot_exchange_without_holdings_is_an_orphan(place: Place) -> None:
    """Nobody sells short there; a broker that allows it says nothing, and nothing is guessed."""
    spot = "portfolio,trade id,product,side,created at,size,size unit,price,fee,total,price/fee/total unit\n"
    row = "p,{},BTC-USD,{},2026-11-16T1{}:00:00Z,{},BTC,100,0,100,USD\n"
    rows = row.format(1, "BUY", 0, 1) + row.format(2, "SELL", 1, 3) + row.format(3, "BUY", 2, 5)
    [orphan] = diagnose_file(place.write("spot.csv", spot + rows), place.settings()).unmatched_closes
    assert (orphan.symbol, orphan.quantity, orphan.line) == ("BTC-USD", 2, 3)
    generic = "account,symbol,time,side,quantity,price,commission\nA,MSFT,2026-11-16T15:00:00Z,sell,1,100,0\n"
    assert diagnose_file(place.write("generic.csv", generic), place.settings()).unmatched_closes == []


def test_the_commands_name_it(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place.folder)
    place.write("late.csv", NINJA + CLOSING)
    said = ["late.csv", "--timezone", "America/New_York", "--date-order", "month-first"]
    words = "Sim101 SELL 2 MESZ26 at 2026-11-16T14:42:15+00:00 closes what nothing opened"
    assert main(["doctor", *said]) == EXIT_OK
    assert words in capsys.readouterr().out
    assert main(["import", *said]) == EXIT_OK
    assert words in capsys.readouterr().out
    assert main(["reconcile", *said]) == EXIT_BREACH
    assert words in capsys.readouterr().out


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 4)), min_size=1, max_size=12), st.booleans())
def test_as_much_is_orphaned_as_stands_below_nothing_at_the_worst(
    moves: Sequence[tuple[bool, int]], is_backwards: bool
) -> None:
    """In time or against it, the orphaned quantity is the deepest point below 0."""
    stands, deepest = 0, 0
    fills = []
    for number, (opens, quantity) in enumerate(moves, 1):
        stands += quantity if opens else -quantity
        deepest = min(deepest, stands)
        side, at = "buy" if opens else "sell", START + timedelta(minutes=number)
        fills.append((make_fill(number, at, side, str(quantity), "1"), opens, number))
    watch = UnmatchedCloseFinder()
    for fill, opens, line in reversed(fills) if is_backwards else fills:
        watch.add(fill, "open" if opens else "close", line)
    found = watch.results(lambda account, symbol, at: ZERO)
    assert sum(one.quantity for one in found) == -deepest
    assert watch.results(lambda account, symbol, at: Decimal(-deepest)) == []
