"""Laws of firms' rules: a floor moves as its rule says, whatever the days; what is no profit helps no objective."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from tearsheet.rules.limit_book import LimitBook, LimitContext
from tearsheet.rules.limit_usage import AccountFacts, LimitUsage
from tearsheet.rules.objective import DayFacts, ObjectiveFacts, ObjectiveView, judge_objectives
from tearsheet.sources.config.limits import parse_limits
from tearsheet.trade.amount import exact
from tearsheet.trade.position import Book, Booking
from tearsheet.trade.session import TradingCalendar
from tests.support.laws import examples
from tests.support.limit_story import UTC_DAYS, calendar_of, flow_booking, plan_of
from tests.support.place import make_fill

T = datetime(2026, 10, 26, tzinfo=UTC)
CALENDARS = (UTC_DAYS, calendar_of("America/Chicago 17:00"), calendar_of("Europe/Prague 00:00"))
START = Decimal(10000)
parsed = cache(plan_of)


class Move(NamedTuple):
    """A result, a deposit or a payout of an account, at an instant."""

    at: datetime
    kind: str
    amount: Decimal


@st.composite
def moves(draw: st.DrawFn) -> list[Move]:
    """What happened to an account over some weeks: results of closed trades, deposits and payouts."""
    at, found = T, []
    for _ in range(draw(st.integers(1, 20))):
        at += timedelta(minutes=draw(st.sampled_from([7, 300, 1440, 4000])))
        kind = draw(st.sampled_from(["result", "result", "result", "deposit", "payout"]))
        amount = draw(st.integers(-150, 150)) if kind == "result" else draw(st.integers(1, 90))
        found.append(Move(at, kind, Decimal(amount)))
    return found


def usages(rule: str, moved: Sequence[Move], calendar: TradingCalendar) -> list[LimitUsage]:
    """The use of a limit after each move."""
    plan = parsed(rule)
    book = LimitBook("A", plan, LimitContext(calendar, "USD", facts=AccountFacts(START)))
    positions, found = Book(), []
    for number, move in enumerate(moved):
        for booking in bookings_of(move, number, positions):
            book.book(booking)
        found.append(book.limit_states[0].usage)
    return found


def bookings_of(move: Move, number: int, positions: Book) -> list[Booking]:
    if move.kind != "result":
        return [flow_booking(move.at, move.kind, move.amount)]
    prices = ("buy", Decimal(1000)), ("sell", 1000 + move.amount)
    fills = [
        make_fill(2 * number + leg, move.at, side, "1", str(price), rank=2 * number + leg)
        for leg, (side, price) in enumerate(prices)
    ]
    return [booking for fill in fills for booking in positions.book(fill)]


def floors(
    moved: Sequence[Move], amount: Decimal, lock: Decimal | None, payout: str
) -> list[tuple[Decimal, Decimal]]:
    """Level and floor of a trailing drawdown after each move, above the start, worked out plainly."""
    level = high = Decimal(0)
    is_locked, found = False, []
    for move in moved:
        if move.kind == "result":
            level += move.amount
            high = max(high, level)
        elif move.kind == "payout" and payout != "follow":
            level -= move.amount
            is_locked = is_locked or payout == "lock"
        floor = high - amount if lock is None else min(high - amount, lock)
        found.append((level, (lock or Decimal(0)) if is_locked else floor))
    return found


LOCKS = st.sampled_from([None, Decimal(0), Decimal(40)])
PAYOUTS = st.sampled_from(["follow", "keep", "lock"])


@examples(60)
@given(moves(), st.sampled_from([50, 130, 400]), LOCKS, PAYOUTS, st.sampled_from(CALENDARS))
def test_a_floor_under_the_high_of_bookings_is_that_of_plain_arithmetic_in_any_days(
    moved: list[Move], amount: int, lock: Decimal | None, payout: str, calendar: TradingCalendar
) -> None:
    locked = "" if lock is None else f", lock_at: {lock}"
    rule = (
        f"{{max_drawdown: {{amount: {amount}, kind: trailing, basis: closed, on_payout: {payout}{locked}}}}}"
    )
    right = floors(moved, Decimal(amount), lock, payout)
    assert [one.headroom for one in usages(rule, moved, calendar)] == [
        level - floor for level, floor in right
    ]
    if payout == "keep":
        assert all(later >= before for (_, before), (_, later) in pairwise(right))


@examples(50)
@given(
    moves(),
    st.sampled_from([1, 40]),
    st.sampled_from([1, 300]),
    st.sampled_from(["closed", "end_of_day"]),
    PAYOUTS,
)
def test_more_room_is_more_headroom_by_as_much_until_the_lock(
    moved: list[Move], amount: int, more: int, basis: str, payout: str
) -> None:
    def headrooms(given_amount: int) -> list[Decimal]:
        terms = f"amount: {given_amount}, kind: trailing, basis: {basis}, judged: closed, on_payout: {payout}"
        found = usages(f"{{max_drawdown: {{{terms}}}}}", moved, UTC_DAYS)
        return [one.headroom for one in found if one.headroom is not None]

    small, large = headrooms(amount), headrooms(amount + more)
    paid = [n for n, move in enumerate(moved) if move.kind == "payout"] if payout == "lock" else []
    first = paid[0] if paid else len(moved)
    assert [b - a for a, b in zip(small, large, strict=True)] == [
        more if n < first else 0 for n in range(len(moved))
    ]


@examples(50)
@given(moves(), st.sampled_from([1, 4, 20]), st.sampled_from(CALENDARS))
def test_a_percentage_of_the_start_is_its_amount(
    moved: list[Move], percent: int, calendar: TradingCalendar
) -> None:
    for name in ("daily_loss", "weekly_loss", "max_drawdown"):
        kind = ", kind: trailing" if name == "max_drawdown" else ""
        of_start = usages(f"{{{name}: {{percent: {percent}{kind}}}}}", moved, calendar)
        assert of_start == usages(f"{{{name}: {{amount: {percent * 100}{kind}}}}}", moved, calendar)


@examples(50)
@given(moves(), st.sampled_from(CALENDARS))
def test_flows_are_no_loss_of_a_day_and_its_headroom_is_what_was_made_above_the_floor(
    moved: list[Move], calendar: TradingCalendar
) -> None:
    found = usages("{daily_loss: 100}", moved, calendar)
    for number, usage in enumerate(found):
        day = calendar.trading_day_of(moved[number].at)
        made = [
            one.amount
            for one in moved[: number + 1]
            if one.kind == "result" and calendar.trading_day_of(one.at) == day
        ]
        assert usage.headroom == 100 + sum(made)


def consistency(results: Sequence[int], percent: int) -> ObjectiveView:
    text = f"objectives: {{accounts: {{A: {{consistency: {percent}}}}}}}"
    found = parse_limits(text, "objectives.yaml")
    assert found is not None
    days = tuple(
        DayFacts(date(2026, 3, 2) + timedelta(n), Decimal(result), opened=True)
        for n, result in enumerate(results)
    )
    facts = ObjectiveFacts(days, days, date(2026, 6, 1), is_flat=True, starting_balance=START)
    with exact():
        [view] = judge_objectives(found.objectives_of("A"), facts)
    return view


@examples(60)
@given(
    st.lists(st.integers(-500, 900), min_size=1, max_size=12),
    st.integers(1, 99),
    st.randoms(use_true_random=False),
)
def test_a_best_day_is_small_enough_if_and_only_if_its_share_is_in_any_order_of_days(
    results: list[int], percent: int, random: object
) -> None:
    view, total, best = consistency(results, percent), sum(results), max(results)
    shuffled = sorted(results, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert consistency(shuffled, percent) == view
    is_small = total > 0 and 100 * best <= percent * total
    assert (view.state == "met") is is_small
    if is_small:
        assert consistency(results, min(percent + 1, 100)).state == "met"
