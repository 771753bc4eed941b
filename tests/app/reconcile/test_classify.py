"""Laws of the tie-out: a random history, its broker's report, one fault, and exactly its name; else none."""

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, assume, given
from hypothesis import strategies as st

from tearsheet.app.reconcile.reconcile import Reconciliation, reconcile_statement
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.trade.amount import exact
from tearsheet.trade.fill import Fill, Side
from tearsheet.trade.position import Book
from tearsheet.trade.session import TradingCalendar
from tests.support.laws import examples
from tests.support.place import Place, fills_csv

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
HEAD = "account,date,symbol,realized_pnl,fees,position\n"
LAW = examples(40, HealthCheck.filter_too_much)
CENT = Decimal("0.01")


@dataclass
class Day:
    """What a broker states of a day."""

    realized: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    position: Decimal = Decimal(0)


def fills(*, digits: int = 2) -> st.SearchStrategy[list[Fill]]:
    """Fills of one instrument on five days, at different instants, each with a fee."""
    unit = Decimal(1).scaleb(-digits)
    one = st.tuples(
        st.integers(0, 5 * 24 * 60 - 1),
        st.sampled_from(Side),
        st.integers(1, 5),
        st.integers(90 * 10**digits, 110 * 10**digits),
        st.integers(1, 5 * 10**digits),
    )
    rows = st.lists(one, min_size=2, max_size=14, unique_by=lambda row: row[0])
    return rows.map(
        lambda its: [
            Fill(
                account="A",
                symbol="MSFT",
                time=MONDAY + timedelta(minutes=minute),
                side=side,
                quantity=Decimal(quantity),
                price=price * unit,
                commission=fee * unit,
                multiplier=Decimal(1),
                currency="USD",
                key=f"x:{number}",
                fill_id=str(number),
            )
            for number, (minute, side, quantity, price, fee) in enumerate(sorted(its, key=lambda r: r[0]), 1)
        ]
    )


def stated(history: Sequence[Fill], calendar: TradingCalendar | None = None) -> dict[date, Day]:
    """What a broker with average cost states, for every day from the first to the last."""
    calendar = calendar or TradingCalendar(ZoneInfo("UTC"))
    days: dict[date, Day] = defaultdict(Day)
    book, held = Book(), Decimal(0)
    with exact():
        for fill in history:
            day = days[calendar.trading_day_of(fill.time)]
            for booking in book.book(fill):
                day.realized += booking.gross
                day.fees += booking.fees
                held += booking.quantity
            day.position = held
    return filled(days)


def filled(days: dict[date, Day]) -> dict[date, Day]:
    """The days between, on which nothing happened."""
    every, held = {}, Decimal(0)
    for n in range((max(days) - min(days)).days + 1):
        day = min(days) + timedelta(days=n)
        every[day] = days[day] if day in days else Day(position=held)
        held = every[day].position
    return every


def by_fifo(history: Iterable[Fill]) -> dict[date, Day]:
    """What a broker states that closes the oldest lot first, unit by unit."""
    days: dict[date, Day] = defaultdict(Day)
    lots: deque[Decimal] = deque()
    held = 0
    for fill in history:
        day = days[fill.time.date()]
        day.fees += fill.commission
        sign = 1 if fill.side is Side.BUY else -1
        for _ in range(int(fill.quantity)):
            if held * sign < 0:
                day.realized += (fill.price - lots.popleft()) * -sign
            else:
                lots.append(fill.price)
            held += sign
        day.position = Decimal(held)
    return filled(days)


def written(days: dict[date, Day]) -> str:
    """The report as a file."""
    return HEAD + "".join(
        f"A,{day},MSFT,{one.realized:f},{one.fees:f},{one.position:f}\n" for day, one in days.items()
    )


def rows_of(history: Iterable[Fill]) -> list[str]:
    """Fills in the generic form."""
    return [
        f"A,MSFT,{f.time.isoformat()},{f.side.value},{f.quantity},{f.price},{f.commission},{f.fill_id}"
        for f in history
    ]


def compared(ours: Sequence[Fill], report: str, method: str = "average", **options: object) -> Reconciliation:
    """Import our fills, and hold the report beside them."""
    with TemporaryDirectory() as folder:
        place = Place(Path(folder), {})
        with place.tracker() as tracker:
            if ours:
                tracker.import_file(place.write("fills.csv", fills_csv(rows_of(ours))))
            return reconcile_statement(
                tracker, place.write("report.csv", report), StatementOptions(**options), method=method
            )


def kinds(found: Reconciliation) -> set[str]:
    return {one.kind for one in found.differences}


@LAW
@given(fills())
def test_without_a_fault_there_is_no_difference(history: list[Fill]) -> None:
    found = compared(history, written(stated(history)))
    assert (found.agrees, found.differences, found.fills) == (True, [], [])
    assert compared(history, fills_csv(rows_of(history))).agrees


@LAW
@given(fills(), st.data())
def test_a_fill_that_we_lack_is_named(history: list[Fill], data: st.DataObject) -> None:
    dropped = data.draw(st.sampled_from(history))
    rest = [fill for fill in history if fill is not dropped]
    found = compared(rest, written(stated(history)))
    assert kinds(found) == {"missing fill"}
    first = next(d for d in found.differences if d.what == "position")
    signed = dropped.quantity if dropped.side is Side.BUY else -dropped.quantity
    assert (first.session, first.difference) == (dropped.time.date(), signed)

    [named] = compared(rest, fills_csv(rows_of(history))).fills
    assert (named.lacking, named.fill_id, named.quantity, named.fee) == (
        "books",
        dropped.fill_id,
        dropped.quantity,
        dropped.commission,
    )


@LAW
@given(fills(), st.data())
def test_a_fill_that_the_report_lacks_is_named(history: list[Fill], data: st.DataObject) -> None:
    assume(len(history) > 2)
    dropped = data.draw(st.sampled_from(history[1:-1]))
    rest = [fill for fill in history if fill is not dropped]
    found = compared(history, fills_csv(rows_of(rest)))
    [named] = found.fills
    assert (named.lacking, named.fill_id, -named.fee) == ("report", dropped.fill_id, dropped.commission)
    assert kinds(found) == {"missing fill"}


@LAW
@given(fills(), st.data(), st.integers(1, 300), st.sampled_from([1, -1]))
def test_another_fee_is_a_fee(history: list[Fill], data: st.DataObject, cents: int, sign: int) -> None:
    days = stated(history)
    day = data.draw(st.sampled_from([f.time.date() for f in history]))
    days[day].fees += CENT * cents * sign
    assume(days[day].fees)  # a report without any fee of a day may lack its fills
    [found] = compared(history, written(days)).differences
    assert (found.kind, found.what, found.session) == ("fee", "fees", day)
    assert found.difference == CENT * cents * sign

    other = data.draw(st.sampled_from(history))
    rows = rows_of(history)
    at = history.index(other)
    cells = rows[at].split(",")
    cells[6] = str(other.commission + CENT * cents)
    rows[at] = ",".join(cells)
    found_fills = compared(history, fills_csv(rows))
    [named] = found_fills.fills
    assert (named.lacking, named.fill_id, named.fee) == ("fee", other.fill_id, CENT * cents)
    assert kinds(found_fills) == {"fee"}


@LAW
@given(fills(), st.sampled_from([5, 10, 50]))
def test_another_multiplier_is_one(history: list[Fill], ratio: int) -> None:
    days = stated(history)
    assume(any(one.realized for one in days.values()))
    for one in days.values():
        one.realized *= ratio
    found = compared(history, written(days))
    assert kinds(found) == {"multiplier"}
    assert all(d.theirs == ratio * d.ours for d in found.differences)


@LAW
@given(fills(), st.integers(1, 23))
def test_another_day_start_is_one(history: list[Fill], hour: int) -> None:
    own, other = stated(history), stated(history, TradingCalendar(ZoneInfo("UTC"), time(hour)))
    calendar = TradingCalendar(ZoneInfo("UTC"), time(hour))
    moved = [f for f in history if calendar.trading_day_of(f.time) != f.time.date()]
    assume(
        any(
            min(other) <= f.time.date() <= max(other) and calendar.trading_day_of(f.time) in other
            for f in moved
        )
    )
    assume(
        {d: (x.realized, x.fees, x.position) for d, x in own.items()}
        != {d: (x.realized, x.fees, x.position) for d, x in other.items()}
    )
    assert kinds(compared(history, written(other))) == {"day boundary"}


@LAW
@given(fills(digits=4))
def test_rounding_is_rounding_and_nothing_else(history: list[Fill]) -> None:
    days = stated(history)
    for one in days.values():
        one.realized = one.realized.quantize(CENT, rounding=ROUND_HALF_UP)
        one.fees = one.fees.quantize(CENT, rounding=ROUND_HALF_UP)
    assert kinds(compared(history, written(days))) <= {"rounding"}


@LAW
@given(fills())
def test_first_in_first_out_is_a_method(history: list[Fill]) -> None:
    days, own = by_fifo(history), stated(history)
    assert compared(history, written(days), method="fifo").agrees
    found = compared(history, written(days))
    assert kinds(found) <= {"method"}
    assert found.agrees is all(days[day].realized == own[day].realized for day in days)
    if days[max(days)].position == 0:  # from flat to flat both come to the same
        with exact():
            assert sum(d.difference for d in found.differences) == 0


@LAW
@given(fills(), st.data(), st.integers(1, 2))
def test_two_faults_are_never_called_rounding(history: list[Fill], data: st.DataObject, cents: int) -> None:
    """All amounts of the history are whole cents, so that no difference can come of rounding."""
    dropped = data.draw(st.sampled_from(history))
    rest = [fill for fill in history if fill is not dropped]
    days = stated(history)
    amounts = [*days.values(), *(stated(rest).values() if rest else ())]
    assume(all(one.realized == one.realized.quantize(CENT) for one in amounts))
    days[data.draw(st.sampled_from(list(days)))].fees += CENT * cents
    days[data.draw(st.sampled_from(list(days)))].realized += CENT * cents
    found = compared(rest, written(days))
    assert "rounding" not in kinds(found)
    assert not found.agrees
