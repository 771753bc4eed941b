"""Replay: when the limits would have stopped an account, and what came after."""

from datetime import UTC, date, datetime
from decimal import Decimal

from hypothesis import given

from tearsheet.rules.limit_book import LimitBook, LimitContext
from tearsheet.rules.replay import Replay, Simulation
from tearsheet.trade.fill import Fill
from tearsheet.trade.position import Book
from tests.rules.test_limit_book_laws import EVERYTHING, UTC_DAYS, histories
from tests.support.laws import examples
from tests.support.limit_story import Story, booked, calendar_of, plan_of


def replayed(limits: str, text: str, calendar: str = "UTC") -> Replay:
    """A history told as a story, with its limits held."""
    story = Story(plan_of("{}"), calendar_of(calendar)).tell(text)
    return rerun(story.fills, LimitBook("A", plan_of(limits), LimitContext(calendar_of(calendar), "USD")))


def rerun(fills: list[Fill], book: LimitBook) -> Replay:
    days = book.context.calendar
    run = Simulation(book, days.trading_day_of(fills[0].time), days.trading_day_of(fills[-1].time))
    bookings, positions = booked(fills)
    closed = {position.id: position for position in positions if position.closed_at}
    for booking in sorted(bookings, key=lambda b: b.order):
        run.add_booking(booking, closed[booking.position_id] if booking.closes else None)
    return run.result()


def told(found: Replay) -> list[tuple[str, str, Decimal, Decimal, tuple[str, ...]]]:
    return [
        (stop.limit, f"{stop.at:%d %H:%M}", stop.day_net, stop.pnl_after_stop, stop.open_at_stop)
        for stop in found.stops
    ]


def test_what_came_after_a_stop_is_what_it_saved_or_cost() -> None:
    found = replayed(
        "{daily_loss: 100}",
        """
        2026-11-19 09:00 buy 1 @ 1000
        09:01 sell 1 @ 880
        09:02 buy 1 @ 1000
        09:03 sell 1 @ 700
        2026-11-20 09:00 buy 1 @ 1000
        09:01 sell 1 @ 890
        09:02 buy 1 @ 1000
        09:03 sell 1 @ 1050
        2026-11-21 09:00 buy 1 @ 1000
        09:01 sell 1 @ 1010
        """,
    )
    assert told(found) == [
        ("daily_loss", "19 09:01", -120, -300, ()),
        ("daily_loss", "20 09:01", -110, 50, ()),
    ]
    assert [stop.saved for stop in found.stops] == [300, -50]
    assert (found.net, found.net_with_limits, found.saved) == (-470, -220, 250)
    assert [(d.session.day, d.net, d.net_with_limits, d.stops) for d in found.days] == [
        (19, -420, -120, 1),
        (20, -60, -110, 1),
        (21, 10, 10, 0),
    ]


def test_what_was_open_at_the_stop_or_opened_after_it_is_its_rest_also_tomorrow() -> None:
    found = replayed(
        "{max_losses_in_a_row: 1}",
        """
        2026-11-19 09:00 buy 1 @ 1000 in Y
        09:01 buy 1 @ 10
        09:02 sell 1 @ 9
        23:00 buy 1 @ 10
        2026-11-20 09:00 sell 1 @ 15
        09:01 sell 1 @ 990 in Y
        09:02 buy 1 @ 10
        09:03 sell 1 @ 12
        """,
    )
    assert told(found) == [("max_losses_in_a_row", "19 09:02", -1, -5, ("Y",))]
    assert found.stops[0].fills_after_stop == 3
    assert found.net_with_limits == 1


def test_a_stop_of_the_week_lasts_the_week_and_a_drawdown_for_ever() -> None:
    text = """
        2026-11-24 09:00 buy 1 @ 1000
        09:01 sell 1 @ 800
        2026-11-26 09:00 buy 1 @ 1000
        09:01 sell 1 @ 700
        2026-12-01 09:00 buy 1 @ 1000
        09:01 sell 1 @ 1100
        """
    weekly = replayed("{daily_loss: 150, weekly_loss: 200}", text)
    assert told(weekly) == [("weekly_loss", "24 09:01", -200, -300, ())]
    assert weekly.stops[0].simultaneous_limits == ("daily_loss",)
    assert weekly.stops[0].until == datetime(2026, 11, 30, tzinfo=UTC)
    drawdown = replayed("{max_drawdown: 200}", text)
    assert told(drawdown) == [("max_drawdown", "24 09:01", -200, -200, ())]
    assert drawdown.stops[0].until is None


def test_a_limit_is_judged_on_what_would_have_been_traded() -> None:
    """The week never loses 300, because its days were stopped before."""
    found = replayed(
        "{daily_loss: 100, weekly_loss: 300}",
        """
        2026-11-24 09:00 buy 1 @ 1000
        09:01 sell 1 @ 900
        09:02 buy 1 @ 1000
        09:03 sell 1 @ 700
        2026-11-25 09:00 buy 1 @ 1000
        09:01 sell 1 @ 900
        """,
    )
    assert [stop.limit for stop in found.stops] == ["daily_loss", "daily_loss"]


def test_a_reversing_fill_that_stops_is_whole_and_what_it_opens_is_closed_there() -> None:
    found = replayed(
        "{daily_loss: 100}",
        """
        2026-11-24 09:00 buy 1 @ 1000
        09:01 sell 2 @ 900 fee 4
        09:02 buy 1 @ 850
        """,
    )
    assert told(found) == [("daily_loss", "24 09:01", -102, 50, ("X",))]
    assert (found.net, found.net_with_limits) == (-54, -104)


def test_a_reversing_fill_whose_second_part_breaks_more_stops_for_longer() -> None:
    found = replayed(
        "{daily_loss: 100, weekly_loss: 103, max_trades: 1}",
        """
        2026-11-24 09:00 buy 1 @ 1000
        09:01 sell 2 @ 900 fee 4
        2026-11-26 09:00 buy 2 @ 850
        """,
    )
    (stop,) = found.stops
    assert (stop.limit, stop.simultaneous_limits) == ("daily_loss", ("max_trades", "weekly_loss"))
    assert (stop.until, stop.pnl_after_stop) == (datetime(2026, 11, 30, tzinfo=UTC), 50)


def test_trading_hours_stop_at_the_close_and_the_next_day_begins_flat() -> None:
    found = replayed(
        "{trading_hours: '09:00-15:00', max_open_quantity: 1}",
        """
        2026-11-19 14:00 buy 1 @ 1000
        2026-11-20 10:00 sell 1 @ 900
        10:01 buy 1 @ 1000
        10:02 sell 1 @ 1001
        2026-11-23 10:00 buy 2 @ 10
        10:01 sell 2 @ 11
        """,
    )
    assert told(found) == [
        ("trading_hours", "19 15:00", 0, -100, ("X",)),
        ("max_open_quantity", "23 10:00", 0, 2, ("X",)),
    ]
    assert found.net_with_limits == 1


def test_a_week_that_was_lost_before_the_start_begins_stopped() -> None:
    from tearsheet.performance.tally import Curve, Tally

    lost = Tally(fills=1, curve=Curve(Decimal(-300), Decimal(0), Decimal(-300), Decimal(300)))
    book = LimitBook("A", plan_of("{weekly_loss: 300}"), LimitContext(UTC_DAYS, "USD"))
    book.add_session_tally(date(2026, 11, 24), lost)
    story = Story(plan_of("{}")).tell("2026-11-26 09:00 buy 1 @ 5\n09:01 sell 1 @ 6")
    found = rerun(story.fills, book)
    assert told(found) == [("weekly_loss", "24 00:00", 0, 1, ())]
    assert found.net_with_limits == 0


@examples(150)
@given(histories())
def test_what_was_made_is_what_was_kept_and_the_rests(fills: list[Fill]) -> None:
    found = rerun(fills, LimitBook("A", EVERYTHING, LimitContext(UTC_DAYS, "USD")))
    bookings = Book().book_all(fills)
    assert found.net == sum(b.net for b in bookings)
    assert found.net == found.net_with_limits + sum(stop.pnl_after_stop for stop in found.stops)
    assert found.saved == sum(stop.saved for stop in found.stops)
    for one, following in zip(found.stops, found.stops[1:], strict=False):
        assert one.until is not None
        assert one.at < one.until <= following.at
