"""An event that two files tell is one event, however either of them tells it.

Kind: a fact has a key made of what a file happens to state, so another file of the same facts doubles them.
"""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from tearsheet.app.imports.history import ImportHistory
from tearsheet.performance.summary import Scope
from tearsheet.tracker import PerformanceTracker
from tests.support.place import Place, fills_csv

pytestmark = pytest.mark.both_databases

NEW_YORK = ZoneInfo("America/New_York")
HELD = ["A,AAPL,2026-11-16T15:00:00Z,buy,10,100,0,1"]
HEAD = "kind,account,symbol,time,amount,currency"


class Events:
    """A place whose account holds ten shares, and that takes in events."""

    def __init__(self, place: Place, tracker: PerformanceTracker) -> None:
        self._place, self.tracker, self._number = place, tracker, 0
        tracker.import_file(place.write("held.csv", fills_csv(HELD)))

    def add(self, *rows: str, head: str = HEAD) -> int:
        self._number += 1
        path = self._place.write(f"e{self._number}.csv", "\n".join([head, *rows]) + "\n")
        report = self.tracker.import_file(path, timezone=NEW_YORK)
        assert report.rejected == 0
        assert self.tracker.verify().differences == []
        return report.id

    @property
    def net(self) -> object:
        return self.tracker.get_summary("all").value("net_pnl")

    @property
    def codes(self) -> list[str]:
        return [reason.code for reason in self.tracker.get_summary("all").partial_reasons]


PLAIN = "dividend,A,AAPL,2026-11-17,24,USD"


@pytest.mark.parametrize(
    ("other", "head"),
    [
        (f"{PLAIN},77", f"{HEAD},id"),
        ("dividend,A,AAPL,2026-11-17 20:20:00,24.00,USD", HEAD),
        ("dividend,A,AAPL,2026-11-17 20:20:00,24.00,USD,77", f"{HEAD},id"),
        ("dividend,A,AAPL,2026-11-17T00:00:00Z,24,USD,77", f"{HEAD},id"),
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_dividend_that_two_files_tell_counts_once(
    place: Place, other: str, head: str, is_first: bool
) -> None:
    with place.tracker() as tracker:
        events = Events(place, tracker)
        told = [(PLAIN, HEAD), (other, head)][:: 1 if is_first else -1]
        numbers = [events.add(row, head=its) for row, its in told]
        assert (events.net, events.codes) == (24, [])
        # without either of them the other counts
        history = ImportHistory(tracker)
        history.undo(numbers[0], "kim")
        assert events.net == 24
        assert tracker.verify().differences == []
        events.add(told[0][0], head=told[0][1])
        history.undo(numbers[1], "kim")
        assert events.net == 24
        assert tracker.verify().differences == []


def test_events_that_are_two_count_twice(place: Place) -> None:
    """Two rows of one file, other amounts, another day, other instants of one day."""
    with place.tracker() as tracker:
        events = Events(place, tracker)
        events.add(PLAIN, PLAIN)
        assert events.net == 48
        events.add(f"{PLAIN},1", f"{PLAIN},2", head=f"{HEAD},id")
        assert events.net == 48
        events.add("dividend,A,AAPL,2026-11-18,24,USD,3", head=f"{HEAD},id")
        events.add("dividend,A,AAPL,2026-11-17,25,USD,4", head=f"{HEAD},id")
        assert events.net == 48 + 24 + 25
        events.add("borrow_fee,A,AAPL,2026-11-17 10:00:00,-1,USD")
        events.add("borrow_fee,A,AAPL,2026-11-17 14:00:00,-1,USD,5", head=f"{HEAD},id")
        assert events.net == 97 - 2


def test_money_of_an_account_that_two_files_tell_counts_once(place: Place) -> None:
    with place.tracker() as tracker:
        events = Events(place, tracker)
        events.add("deposit,A,,2026-11-17,1000,USD", "credit_interest,A,,2026-11-17,3,USD")
        events.add(
            "deposit,A,,2026-11-17 09:31:00,1000,USD,d1",
            "credit_interest,A,,2026-11-17,3,USD,i1",
            head=f"{HEAD},id",
        )
        found = tracker.get_summary("all")
        assert (found.value("flows"), found.value("income")) == (1000, 3)


@pytest.mark.parametrize("order", [1, -1])
def test_a_split_written_by_hand_and_by_the_broker_is_one_split(place: Place, order: int) -> None:
    head = f"{HEAD},ratio,id"
    files = [
        ("split,A,AAPL,2026-11-17,,USD,2:1,", head),
        ("split,A,AAPL,2026-11-17 20:25:00,,USD,2:1,b-9", head),
    ]
    with place.tracker() as tracker:
        events = Events(place, tracker)
        for row, its in files[::order]:
            events.add(row, head=its)
        [held] = tracker.open_positions(Scope("A"))
        assert (held.open_quantity, held.cost, events.codes) == (20, 1000, [])


def test_splits_of_one_day_with_other_terms_contradict_each_other(place: Place) -> None:
    """The first that was told counts, once, and its window says that another file tells it otherwise."""
    with place.tracker() as tracker:
        events = Events(place, tracker)
        events.add("split,A,AAPL,2026-11-17,,USD,2:1", head=f"{HEAD},ratio")
        number = events.add("split,A,AAPL,2026-11-17,,USD,3:1,b", head=f"{HEAD},ratio,id")
        [held] = tracker.open_positions(Scope("A"))
        assert (held.open_quantity, events.codes) == (20, ["contradiction"])
        ImportHistory(tracker).undo(number, "kim")
        assert events.codes == []


def test_funding_is_told_by_its_instant(place: Place) -> None:
    """The same amount every eight hours is not one payment; the same instants in two exports are."""
    place.now = datetime(2026, 11, 20, 21, tzinfo=UTC)
    rows = [f"funding,A,AAPL,2026-11-17T{hour:02}:00:00Z,-1,USD" for hour in (0, 8, 16)]
    with place.tracker() as tracker:
        events = Events(place, tracker)
        events.add(*rows[:2])
        events.add(*(f"{row},f{n}" for n, row in enumerate(rows)), head=f"{HEAD},id")
        assert events.net == Decimal(-3)
