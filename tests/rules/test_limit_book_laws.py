"""Laws of limits: one by one or at once, by fills or by tallies, the same; what is latched stays."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from tearsheet.performance.tally import Tally
from tearsheet.rules.breach import Breach, Release, make_release
from tearsheet.rules.limit_book import LimitBook, LimitContext, build_limit_book, first_session_needed
from tearsheet.rules.verdict import FeedStatus, Verdict, verdict
from tearsheet.trade.amount import exact
from tearsheet.trade.fill import Fill
from tearsheet.trade.position import Booking
from tests.support.laws import examples
from tests.support.limit_story import UTC_DAYS, booked, calendar_of, plan_of
from tests.support.place import make_fill

EVERYTHING = plan_of(
    "{daily_loss: 60, weekly_loss: 120, monthly_loss: 300, max_trades: 4, max_losses_in_a_row: 2,"
    " max_open_quantity: 4, profit_lock: {give_back: 50, from: 20}, trading_hours: '02:00-20:00',"
    " max_drawdown: {amount: 150, kind: trailing, lock_at: 50}, stale_after: null}"
)
T = datetime(2026, 10, 26, tzinfo=UTC)
CHICAGO = calendar_of("America/Chicago 17:00")


@st.composite
def histories(draw: st.DrawFn) -> list[Fill]:
    """Fills of two instruments over some weeks, in order."""
    at, fills = T, []
    for number in range(draw(st.integers(1, 25))):
        at += timedelta(minutes=draw(st.sampled_from([0, 1, 47, 300, 1440, 4000])))
        fills.append(
            make_fill(
                number,
                at,
                draw(st.sampled_from(["buy", "sell"])),
                str(draw(st.integers(1, 3))),
                str(draw(st.integers(60, 140))),
                draw(st.sampled_from(["0", "0.25", "3"])),
                symbol=draw(st.sampled_from(["X", "Y"])),
                rank=number,
            )
        )
    return fills


def ordered(fills: list[Fill]) -> list[Booking]:
    return sorted(booked(fills)[0], key=lambda booking: booking.order)


def state(book: LimitBook, now: datetime) -> Verdict:
    return verdict(book, FeedStatus(sequence=1, last_update_at=now), now)


@examples(60)
@given(histories(), st.sampled_from([UTC_DAYS, CHICAGO]))
def test_asking_after_each_fill_gives_what_one_fold_from_scratch_gives(
    fills: list[Fill], calendar: object
) -> None:
    terms = LimitContext(calendar, "USD")  # type: ignore[arg-type]
    bookings = ordered(fills)
    step_by_step = LimitBook("A", EVERYTHING, terms)
    for number, booking in enumerate(bookings, 1):
        step_by_step.book(booking)
        asked = state(step_by_step, booking.time)
        at_once = LimitBook("A", EVERYTHING, terms)
        for one in bookings[:number]:
            at_once.book(one)
        assert state(at_once, booking.time) == asked


@examples(150)
@given(histories(), st.integers(0, 25), st.sampled_from([UTC_DAYS, CHICAGO]))
def test_past_sessions_as_tallies_give_the_same_values_as_their_fills(
    fills: list[Fill], cut: int, calendar: object
) -> None:
    """All but the warnings' hysteresis, the end of trading hours, and who moved it when."""
    terms = LimitContext(calendar, "USD")  # type: ignore[arg-type]
    bookings = ordered(fills)
    whole = LimitBook("A", EVERYTHING, terms)
    for booking in bookings:
        whole.book(booking)
    session = terms.calendar.trading_day_of
    days = [(day, list(those)) for day, those in groupby(bookings, lambda b: session(b.time))]
    past, rest = days[: cut % len(days)], days[cut % len(days) :]
    later = [booking for _, those in rest for booking in those]
    _, positions = booked(fills)
    ended = {p.last_key: p for p in positions if p.closed_at}
    tallies = [
        (day, Tally.from_bookings(those, [ended[b.fill_key] for b in those if b.closes]))
        for day, those in past
    ]
    book = build_limit_book(
        "A",
        EVERYTHING,
        terms,
        past=tallies,
        bookings=later,
        positions=[p for p in positions if not p.closed_at or p.id in {b.position_id for b in later}],
    )
    book.advance_time(bookings[-1].time)
    for one, other in zip(book.limit_states, whole.limit_states, strict=True):
        if one.limit.name != "trading_hours":
            assert one.usage == other.usage, one.limit.name
    sums = {"daily_loss", "weekly_loss", "monthly_loss", "max_losses_in_a_row", "max_trades"}
    assert {b.id for b in book.new_breaches if b.limit in sums} == {
        b.id for b in whole.new_breaches if b.limit in sums
    }


def test_limits_say_how_far_back_they_look() -> None:
    tuesday = date(2026, 12, 1)
    assert first_session_needed(EVERYTHING, tuesday) is None
    assert first_session_needed(plan_of("{weekly_loss: 1, daily_loss: 1}"), tuesday) == date(2026, 11, 30)
    assert first_session_needed(plan_of("{monthly_loss: 1, max_trades: 1}"), tuesday) == tuesday
    assert first_session_needed(plan_of("{}"), tuesday) == tuesday
    since = plan_of("{max_drawdown: {amount: 5, since: 2026-06-01}, weekly_loss: 1}")
    assert first_session_needed(since, tuesday) == date(2026, 6, 1)


@examples(150)
@given(histories(), st.data())
def test_a_breach_holds_until_its_period_is_over_or_somebody_releases_it(
    fills: list[Fill], data: st.DataObject
) -> None:
    """Whatever comes: fills, restarts on corrected facts, a clock that jumps."""
    terms = LimitContext(UTC_DAYS, "USD")
    kept: dict[str, Breach] = {}
    releases: list[Release] = []
    book = LimitBook("A", EVERYTHING, terms)
    seen: list[Booking] = []
    for booking in ordered(fills):
        seen.append(booking)
        for breach in book.book(booking):
            kept.setdefault(breach.id, breach)
        event = data.draw(st.sampled_from(["nothing", "restart", "corrected", "clock", "release"]))
        if event in ("restart", "corrected"):
            facts = [] if event == "corrected" else seen
            book = LimitBook("A", EVERYTHING, terms, breaches=kept.values(), releases=releases)
            for one in facts:
                for breach in book.book(one):
                    kept.setdefault(breach.id, breach)
            seen = list(facts)
        now = booking.time - timedelta(hours=5 if event == "clock" else 0)
        found = state(book, now)
        for view in found.limits:
            if view.breach:
                kept.setdefault(view.breach.id, view.breach)
        held = [view for view in found.limits if view.breach]
        if event == "release" and held:
            view = held[0]
            assert view.breach
            assert view.value is not None
            release = make_release(view.breach, value=view.value, actor="a", reason="b", at=booking.time)
            releases.append(release)
            book.release(release)
        released = {release.breach_id for release in releases}
        shown = {view.breach.id for view in held if view.breach}
        for breach in kept.values():
            if breach.id not in released and _lasts(breach, found.trading_day):
                assert breach.id in shown
                assert found.state == "breach"
                assert found.must_be_flat


def _lasts(breach: Breach, day: date) -> bool:
    from tearsheet.rules.breach import is_active_in

    return is_active_in(breach.limit, breach.period_start, day)


@examples(150)
@given(histories())
def test_every_threshold_is_crossed_by_warnings_no_later_than_by_the_breach(fills: list[Fill]) -> None:
    book = LimitBook("A", EVERYTHING, LimitContext(UTC_DAYS, "USD"))
    for booking in ordered(fills):
        found = book.book(booking)
        fresh = {b.limit for b in found if b.fill_key == booking.fill_key}
        for watch in book.limit_states:
            if watch.limit.name in fresh and watch.usage.value:
                assert watch.level == len(watch.limit.warn_at)


@examples(100)
@given(histories())
def test_headroom_is_exactly_what_can_still_be_lost(fills: list[Fill]) -> None:
    """Losing all of it breaks the limit, losing a cent less does not."""
    plan = plan_of("{daily_loss: 1000, max_drawdown: {amount: 2000, kind: trailing}}")
    for less, broken in ((Decimal("0.01"), False), (Decimal(0), True)):
        book = LimitBook("A", plan, LimitContext(UTC_DAYS, "USD"))
        for booking in ordered(fills):
            book.book(booking)
        now = fills[-1].time
        if state(book, now).state == "breach":
            return
        with exact():
            lost = min(watch.usage.headroom for watch in book.limit_states) - less  # type: ignore[type-var,operator]
        fee = make_fill(99, now, "buy", "1", "0", f"{lost:f}", symbol="Z", rank=999)
        for booking in booked([fee])[0]:
            book.book(booking)
        assert (state(book, now).state == "breach") is broken
