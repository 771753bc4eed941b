"""Lists of closed positions: what the database filters, sorts and pages is what a plain loop would."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tearsheet.app.analysis.charts import Charts, Selection, TradePage
from tearsheet.app.analysis.lists import PositionView
from tearsheet.app.analysis.notes import TradeNotes
from tearsheet.columns.sort_keys import sortable
from tearsheet.performance.summary import Scope
from tearsheet.store.list_values import SORTS, TradeFilter
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.amount import is_valid_amount
from tearsheet.trade.note import validate_note
from tearsheet.trade.session import Window
from tests.support.place import NOON, Place, fills_csv, record

pytestmark = pytest.mark.both_databases

EVER = Window.choose("all", NOON.date(), None, None)
HEADER = "account,symbol,time,side,quantity,price,commission,fill_id,strategy,stop_loss"
amounts = st.decimals(allow_nan=False, allow_infinity=False).filter(is_valid_amount)


@given(st.lists(amounts, min_size=2))
def test_a_sortable_number_is_in_the_order_of_the_amounts(drawn: list[Decimal]) -> None:
    for low, high in pairwise(sorted(drawn)):
        assert -(1 << 63) < sortable(low) <= sortable(high) < 1 << 63
        assert (sortable(low) == 0) is (low == 0)
        # two that differ in their first 16 digits are told apart
        if low and abs(high - low) > abs(low) * Decimal("1e-15"):
            assert sortable(low) < sortable(high)


@pytest.fixture
def traded(place: Place) -> Iterator[PerformanceTracker]:
    """Forty positions of two accounts, with ties in everything that a list is sorted by."""
    lines = []
    for n in range(40):
        at = NOON - timedelta(hours=50 - n // 2)
        side, other = ("buy", "sell") if n % 3 else ("sell", "buy")
        name = ("ÖL_1", "MSFT", "AAPL")[n % 3]
        strategy, stop = ("orb", "", "100%_x!")[n // 3 % 3], (95 if n % 2 and n % 3 else "")
        whose = f"{'AB'[n % 2]},{name}{n % 2}"
        lines.append(f"{whose},{at.isoformat()},{side},{1 + n % 4},100,1,{n}a,{strategy},{stop}")
        after = at + timedelta(minutes=n % 5)
        lines.append(f"{whose},{after.isoformat()},{other},{1 + n % 4},{98 + n % 5},1,{n}b,,")
    with place.tracker() as tracker:
        tracker.import_file(place.write("a.csv", fills_csv(lines, HEADER)))
        for number, position in enumerate(tracker.closed_positions(EVER)):
            if number % 4 == 0:
                TradeNotes(tracker).write(
                    position.id, validate_note("x", ["good", f"t{number % 3}"]), "kim", 0
                )
        yield tracker


def walk(
    tracker: PerformanceTracker, chosen: Selection, wanted: TradeFilter, number: int
) -> list[PositionView]:
    """All pages, each after the last row of the one before."""
    found: list[PositionView] = []
    page: TradePage | None = None
    while page is None or page.next:
        page = Charts(tracker).trades(chosen, wanted, 0, number, page.next if page else None)
        assert page.items or not found
        found += page.items
    assert len(found) == page.total
    assert walk_back(tracker, chosen, wanted, number, page) == found
    return found


def walk_back(
    tracker: PerformanceTracker, chosen: Selection, wanted: TradeFilter, number: int, last: TradePage
) -> list[PositionView]:
    """All pages from the last, each before the first row of the one after it."""
    found, page = list(last.items), last
    while page.previous:
        page = Charts(tracker).trades(chosen, wanted, 0, number, None, page.previous)
        assert page.next
        assert len(page.items) == number
        found = [*page.items, *found]
    return found


VALUES: dict[str, Callable[[PositionView], Any]] = {
    "closed": lambda p: p.closed_at,
    "symbol": lambda p: p.symbol,
    "account": lambda p: p.account,
    "strategy": lambda p: p.strategy,
    "side": lambda p: {"long": 0, "short": 1}[p.side],
    "quantity": lambda p: p.quantity,
    "net": lambda p: p.net,
    "r": lambda p: p.r_multiple,
    "held": lambda p: p.closed_at - p.opened_at if p.closed_at and p.opened_at else None,
}


def plain(rows: list[PositionView], wanted: TradeFilter) -> list[str]:
    """What a loop makes of all rows."""
    text = (wanted.text or "").casefold()
    kept = [
        p
        for p in rows
        if wanted.side in (None, p.side)
        and wanted.outcome in (None, p.outcome)
        and (wanted.tag is None or wanted.tag in p.tags)
        and any(text in (name or "").casefold() for name in (p.symbol, p.account, p.strategy))
    ]
    value = VALUES[wanted.sort]
    known = [p for p in kept if value(p) is not None]
    known.sort(key=lambda p: (value(p), p.closed_at, p.id), reverse=not wanted.ascending)
    rest = [p for p in kept if value(p) is None]
    rest.sort(key=lambda p: (p.closed_at, p.id), reverse=not wanted.ascending)
    return [p.id for p in known + rest]


def test_every_filter_and_order_is_that_of_a_plain_loop(traded: PerformanceTracker) -> None:
    everything = walk(traded, Selection(EVER), TradeFilter(), 1000)
    assert len(everything) == 40
    filters = [
        TradeFilter(),
        TradeFilter(side="long"),
        TradeFilter(outcome="win"),
        TradeFilter(outcome="loss"),
        TradeFilter(outcome="breakeven"),
        TradeFilter(text="msf"),
        TradeFilter(text="öl_"),
        TradeFilter(text="0%_X!"),
        TradeFilter(text="_"),
        TradeFilter(text="orb", side="short"),
        TradeFilter(tag="good"),
        TradeFilter(tag="t1", text="a"),
        TradeFilter(tag="nobody's"),
    ]
    for wanted in filters:
        for sort in SORTS:
            for ascending in (True, False):
                asked = replace(wanted, sort=sort, ascending=ascending)
                found = [p.id for p in walk(traded, Selection(EVER), asked, 7)]
                assert found == plain(everything, asked), asked


def test_a_scope_and_the_last_trades_are_filtered_alike(traded: PerformanceTracker) -> None:
    everything = walk(traded, Selection(EVER), TradeFilter(), 1000)
    for scope in (Scope("A"), Scope(strategy="orb"), Scope(symbol="MSFT1")):
        chosen = Selection(EVER, scope)
        of_scope = [p.id for p in traded.closed_positions(EVER, scope)][::-1]
        assert [p.id for p in walk(traded, chosen, TradeFilter(), 3)] == of_scope
        last = Selection(Window.last(5, NOON.date()), scope)
        its = [p for p in everything if p.id in of_scope[:5]]
        for sort in SORTS:
            found = [p.id for p in walk(traded, last, TradeFilter(sort=sort), 2)]
            assert found == plain(its, TradeFilter(sort=sort))


def test_an_offset_and_a_place_lead_to_the_same_rows(traded: PerformanceTracker) -> None:
    wanted, insights = TradeFilter(sort="r"), Charts(traded)
    ids = [p.id for p in walk(traded, Selection(EVER), wanted, 7)]
    for offset in (0, 7, 39, 40):
        page = insights.trades(Selection(EVER), wanted, offset, 7)
        assert [p.id for p in page.items] == ids[offset : offset + 7]
        assert (page.total, page.offset, page.next is None) == (40, offset, offset >= 33)


def test_the_band_of_breakeven_is_that_of_the_settings(place: Place) -> None:
    lines = []
    for n, price in enumerate(("100.5", "101", "99", "98.9", "101.1")):
        at = NOON - timedelta(hours=n + 1)
        lines.append(f"A,X,{at.isoformat()},buy,1,100,0,{n}a,,")
        lines.append(f"A,X,{(at + timedelta(minutes=1)).isoformat()},sell,1,{price},0,{n}b,,")
    place.write("a.csv", fills_csv(lines, HEADER))
    with place.tracker(TEARSHEET_BREAKEVEN_BAND="1") as tracker:
        tracker.import_file(place.folder / "a.csv")
        counted = {
            outcome: Charts(tracker).trades(Selection(EVER), TradeFilter(outcome=outcome), 0, 9).total  # type: ignore[arg-type]
            for outcome in ("win", "loss", "breakeven")
        }
    assert counted == {"win": 1, "loss": 1, "breakeven": 3}


def test_a_logged_result_states_the_price_of_one_end_only(place: Place) -> None:
    entry, leaving = record(order_id="1"), record(order_id="2", exit_timestamp=NOON.isoformat())
    place.log("2026-11-20", entry, leaving)
    with place.tracker() as tracker:
        tracker.sync()
        page = Charts(tracker).trades(Selection(EVER), TradeFilter(ascending=True), 0, 5)
    found = {(p.average_entry, p.average_exit) for p in page.items}
    assert found == {(Decimal("150.50"), None), (None, Decimal("150.50"))}
