"""Limits told as stories: a day of fills with the verdict after each."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tearsheet.errors import UsageError
from tearsheet.export.files import json_line
from tearsheet.performance.summary import PartialReason
from tearsheet.rules.breach import make_release
from tests.support.limit_story import Story, plan_of, tell


def test_a_day_of_fills_with_the_verdict_after_each() -> None:
    tell(
        "{daily_loss: 500, max_losses_in_a_row: 3, max_trades: 10}",
        """
        09:00 now              => ok; daily_loss 0/500 left 500
        09:01 buy 10 @ 100 fee 5   => ok; daily_loss 5/500 left 495 by #1; day 2026-11-20
        09:10 sell 10 @ 110 fee 5  => ok; daily_loss 0/500 left 590 by #2; max_trades 1/10 left 9 by #2
        09:20 buy 10 @ 100     => ok; daily_loss 0/500 left 590 by #2
        09:30 sell 10 @ 80     => ok; daily_loss 110/500 left 390 by #4; max_losses_in_a_row 1/3
        09:40 buy 20 @ 100     => ok
        09:50 sell 20 @ 92     => warn; daily_loss 270/500 left 230 by #6 at 50% warn
        10:00 buy 1 @ 100      => warn
        10:10 sell 1 @ 99      => breach; flat; max_losses_in_a_row 3/3 left 0 by #8; daily_loss 271/500 left 229
        10:20 buy 1 @ 100      => breach; flat
        10:30 sell 1 @ 400     => breach; flat; max_losses_in_a_row 0/3 breach; daily_loss 0/500 left 529 ok
        """,
    )


def test_a_loss_that_reaches_the_limit_breaks_it_and_one_cent_less_does_not() -> None:
    tell(
        "{daily_loss: 500, warn_at: []}",
        """
        09:00 buy 1 @ 1000
        09:10 sell 1 @ 500.01  => ok; daily_loss 499.99/500 left 0.01
        09:20 buy 1 @ 10 fee 0.01 => breach; flat; daily_loss 500/500 left 0 by #3
        """,
    )


def test_a_win_after_the_breach_does_not_lift_it_and_the_next_day_does() -> None:
    tell(
        "{daily_loss: 100}",
        """
        09:00 buy 1 @ 1000
        09:10 sell 1 @ 880     => breach; daily_loss 120/100 left -20 by #2 breach; because breach
        09:20 buy 1 @ 1000
        09:30 sell 1 @ 1500    => breach; flat; daily_loss 0/100 left 480 breach
        23:59 now              => breach; day 2026-11-20
        2026-11-21 00:00 now   => ok; day 2026-11-21; daily_loss 0/100 left 100 ok
        """,
    )


def test_seventeen_hundred_rolls_the_day_and_friday_evening_is_monday() -> None:
    tell(
        "{daily_loss: 100}",
        """
        2026-11-19 16:59 buy 1 @ 1000
        16:59:59 sell 1 @ 850  => breach; day 2026-11-19
        17:00 now              => ok; day 2026-11-20; daily_loss 0/100
        2026-11-20 16:00 buy 1 @ 1000
        16:30 sell 1 @ 880     => breach; day 2026-11-20
        17:00 now              => ok; day 2026-11-23
        2026-11-21 12:00 now   => ok; day 2026-11-23
        2026-11-22 17:01 buy 1 @ 1000
        18:00 sell 1 @ 890     => breach; day 2026-11-23
        """,
        "America/Chicago 17:00",
    )


@pytest.mark.parametrize("day", ["2026-03-08", "2026-11-01"])
def test_a_day_of_23_or_25_hours_ends_at_its_midnight(day: str) -> None:
    following = f"{day[:-2]}{int(day[-2:]) + 1:02d}"
    tell(
        "{daily_loss: 100}",
        f"""
        {day} 00:00 buy 1 @ 1000
        04:00 sell 1 @ 890     => breach; day {day}
        23:59:59 now           => breach; day {day}
        {following} 00:00 now  => ok; day {following}
        """,
        "America/Chicago",
    )


def test_the_hour_that_comes_twice_belongs_to_one_day() -> None:
    story = tell("{daily_loss: 100}", "2026-11-01 00:30 buy 1 @ 1000", "America/Chicago")
    again = datetime(2026, 11, 1, 7, 30, tzinfo=UTC)  # 01:30 for the second time
    story.happen(again, "sell 1 @ 850")
    assert story.judge(again).state == "breach"
    assert story.judge(again).resets_at == datetime(2026, 11, 2, 6, tzinfo=UTC)


def test_a_late_fill_after_a_breach_leaves_it_latched() -> None:
    story = tell(
        "{daily_loss: 100}",
        """
        09:00 buy 1 @ 1000
        09:30 sell 1 @ 880     => breach; daily_loss 120/100 by #2
        10:00 late sell 1 @ 1000 => breach
        09:05 late buy 1 @ 900   => breach; flat; daily_loss 20/100 left 80 breach
        """,
    )
    note = story.view("daily_loss", datetime(2026, 11, 20, 11, tzinfo=UTC)).note
    assert note == "breached at 120 of 100; the books have changed since"


def test_a_correction_that_would_have_prevented_the_breach_is_told_but_lifts_nothing() -> None:
    story = tell(
        "{daily_loss: 100}",
        """
        09:00 buy 1 @ 1000
        09:30 sell 1 @ 880     => breach
        09:40 correct #2 sell 1 @ 980 => breach; flat; daily_loss 20/100 left 80 by #2 breach
        09:45 restart          => breach; flat
        2026-11-21 00:01 now   => ok
        """,
    )
    (breach,) = story.breaches.values()
    assert (breach.value, breach.fill_key) == (Decimal(120), "x:2")


def test_a_correction_that_brings_a_breach_to_light_latches_it() -> None:
    tell(
        "{daily_loss: 100}",
        """
        09:00 buy 1 @ 1000
        09:30 sell 1 @ 980     => ok
        09:40 correct #2 sell 1 @ 880 => breach; flat
        """,
    )


def test_the_feed_stops_at_lunch() -> None:
    tell(
        "{daily_loss: 500, stale_after: 15m}",
        """
        11:50 buy 1 @ 1000
        12:00 now              => ok
        12:00 feed stops
        12:15 now              => ok
        12:15:01 now           => unknown; because stale_feed; daily_loss 0/500 unknown
        12:40 feed runs        => ok
        """,
    )


def test_a_stopped_feed_flattens_where_the_file_says_so_and_never_hides_a_breach() -> None:
    tell(
        "{daily_loss: {amount: 500, on_unknown: breach}}",
        """
        12:00 buy 1 @ 1000
        12:00 feed stops
        12:30 now              => unknown; flat
        """,
    )
    tell(
        "{daily_loss: 500}",
        """
        12:00 buy 1 @ 1000
        12:01 sell 1 @ 10      => breach
        12:01 feed stops
        14:00 now              => breach; flat; because stale_feed; because breach
        """,
    )


def test_outside_trading_hours_silence_is_no_news() -> None:
    tell(
        "{daily_loss: 500, trading_hours: '08:30-15:00'}",
        """
        14:59 now              => ok
        14:59 feed stops
        18:00 now              => ok
        2026-11-21 10:00 now   => ok
        2026-11-23 08:29 now   => ok
        08:30 now              => unknown; because stale_feed
        """,
        "America/Chicago",
    )


def test_a_clock_that_goes_back_takes_no_breach_away() -> None:
    tell(
        "{daily_loss: 100}",
        """
        2026-11-20 23:50 buy 1 @ 1000
        2026-11-21 00:10 sell 1 @ 890  => breach; day 2026-11-21
        2026-11-20 20:00 now   => breach; flat; because clock_back
        """,
    )
    tell(
        "{daily_loss: 100}",
        """
        12:00 buy 1 @ 1000     => ok
        11:59:30 now           => ok
        11:00 now              => unknown; because clock_back
        12:01 now              => ok
        """,
    )


def test_week_and_month_have_their_own_losses_and_resets() -> None:
    story = tell(
        "{weekly_loss: 300, monthly_loss: 500, warn_at: []}",
        """
        2026-11-26 09:00 buy 1 @ 1000
        10:00 sell 1 @ 850     => ok; weekly_loss 150/300; monthly_loss 150/500
        2026-11-27 09:00 buy 1 @ 1000
        10:00 sell 1 @ 850     => breach; weekly_loss 300/300 breach; monthly_loss 300/500 ok
        2026-11-28 09:00 now   => breach
        2026-11-30 00:00 now   => ok; weekly_loss 0/300 ok; monthly_loss 300/500
        09:00 buy 1 @ 1000
        10:00 sell 1 @ 800     => breach; weekly_loss 200/300 ok; monthly_loss 500/500 breach
        2026-12-01 00:00 now   => ok; weekly_loss 200/300 ok; monthly_loss 0/500 ok
        """,
    )
    view = story.view("weekly_loss", datetime(2026, 12, 1, 1, tzinfo=UTC))
    assert view.resets_at == datetime(2026, 12, 7, tzinfo=UTC)


def test_a_static_drawdown_is_measured_from_the_start() -> None:
    tell(
        "{max_drawdown: 500, warn_at: []}",
        """
        09:00 buy 1 @ 1000
        09:01 sell 1 @ 1300    => ok; max_drawdown 0/500 left 800
        09:02 buy 1 @ 1000
        09:03 sell 1 @ 400     => ok; max_drawdown 300/500 left 200
        2026-11-23 09:02 buy 1 @ 1000
        09:03 sell 1 @ 800     => breach; max_drawdown 500/500
        2027-01-04 09:00 now   => breach; flat
        """,
    )


def test_a_trailing_drawdown_follows_every_fill_and_locks() -> None:
    tell(
        "{max_drawdown: {amount: 500, kind: trailing, lock_at: 100}, warn_at: []}",
        """
        09:00 buy 1 @ 1000
        09:01 sell 1 @ 1300    => ok; max_drawdown 0/500 left 500
        09:02 buy 1 @ 1000
        09:03 sell 1 @ 800     => ok; max_drawdown 200/500 left 300
        09:04 buy 1 @ 1000
        09:05 sell 1 @ 1900    => ok; max_drawdown 0/500 left 900
        09:06 buy 1 @ 1000
        09:07 sell 1 @ 101     => ok; max_drawdown 499/500 left 1
        09:08 buy 1 @ 1000 fee 1 => breach
        """,
    )


def test_a_drawdown_by_end_of_day_lets_the_day_breathe() -> None:
    tell(
        "{max_drawdown: {amount: 500, kind: trailing, basis: end_of_day}, warn_at: []}",
        """
        09:00 buy 1 @ 1000
        09:01 sell 1 @ 1400
        09:02 buy 1 @ 1000
        09:03 sell 1 @ 500     => ok; max_drawdown 100/500 left 400
        09:04 buy 1 @ 1000
        09:05 sell 1 @ 1300    => ok; max_drawdown 0/500 left 700
        2026-11-21 00:00 now   => ok; max_drawdown 0/500 left 500
        09:02 buy 1 @ 1000
        09:03 sell 1 @ 500     => breach; max_drawdown 500/500 left 0
        """,
    )


def test_open_profit_moves_the_floor_where_prices_are_given() -> None:
    tell(
        "{max_drawdown: {amount: 500, kind: trailing, basis: open_pnl}, warn_at: []}",
        """
        09:00 buy 1 @ 1000     => unknown; because missing_marks; max_drawdown -/- unknown
        09:01 price 1400       => ok; max_drawdown 0/500 left 500
        09:02 price 1000       => ok; max_drawdown 400/500 left 100
        09:03 price 899        => breach; flat; max_drawdown 501/500 left -1
        09:04 sell 1 @ 1500    => breach; max_drawdown 0/500 left 500 breach
        """,
    )


def test_a_daily_loss_may_count_what_is_open() -> None:
    tell(
        "{daily_loss: {amount: 100, basis: open_pnl}, max_trades: 5}",
        """
        09:00 buy 2 @ 1000     => unknown; max_trades 0/5 ok
        09:01 price 960        => warn; daily_loss 80/100 left 20 warn
        09:02 buy 1 @ 960      => unknown; because missing_marks
        09:03 price 950        => breach; daily_loss 110/100
        """,
    )


def test_drawdown_can_begin_on_a_date() -> None:
    tell(
        "{max_drawdown: {amount: 100, since: 2026-11-23}}",
        """
        2026-11-20 09:00 buy 1 @ 1000
        09:01 sell 1 @ 10      => unknown
        2026-11-23 09:00 buy 1 @ 1000
        09:01 sell 1 @ 900     => breach
        """,
    )


def test_losses_in_a_row_are_counted_by_day_and_a_breakeven_changes_nothing() -> None:
    tell(
        "{max_losses_in_a_row: 3, warn_at: []}",
        """
        09:00 buy 1 @ 10
        09:01 sell 1 @ 9
        09:02 buy 1 @ 10
        09:03 sell 1 @ 10      => ok; max_losses_in_a_row 1/3 by #2
        09:04 buy 2 @ 10
        09:05 sell 1 @ 5       => ok; max_losses_in_a_row 1/3
        09:06 sell 1 @ 15      => ok; max_losses_in_a_row 1/3
        09:07 buy 1 @ 10
        09:08 sell 1 @ 9       => ok; max_losses_in_a_row 2/3 left 1 by #9
        2026-11-21 09:00 now   => ok; max_losses_in_a_row 0/3
        """,
    )


def test_trades_are_counted_when_they_close() -> None:
    tell(
        "{max_trades: 2}",
        """
        09:00 buy 2 @ 10
        09:01 sell 1 @ 11      => ok; max_trades 0/2
        09:02 sell 2 @ 11      => warn; max_trades 1/2 left 1 by #3 at 50%
        09:03 buy 1 @ 10       => breach; max_trades 2/2 left 0
        """,
    )


def test_open_quantity_may_be_as_large_as_the_limit_and_no_larger() -> None:
    tell(
        "{max_open_quantity: 5}",
        """
        09:00 buy 3 @ 10       => warn; max_open_quantity 3/5 left 2
        09:01 sell 2 @ 10 in Y => warn; max_open_quantity 5/5 left 0 at 90%
        09:02 sell 1 @ 10 in Y => breach; max_open_quantity 6/5 left -1 by #3
        """,
    )
    tell(
        "{max_open_quantity: {quantity: 5, per: symbol}}",
        """
        09:00 buy 5 @ 10
        09:01 sell 5 @ 10 in Y => warn; max_open_quantity 5/5
        09:02 sell 11 @ 10     => breach; max_open_quantity 6/5
        """,
    )


def test_what_is_too_large_overnight_breaks_the_next_day_too() -> None:
    tell(
        "{max_open_quantity: 5}",
        """
        09:00 buy 6 @ 10       => breach
        2026-11-23 00:00 now   => breach; max_open_quantity 6/5 breach
        09:00 sell 6 @ 10      => breach
        2026-11-24 00:00 now   => ok
        """,
    )


def test_a_profit_lock_keeps_the_best_of_the_day() -> None:
    tell(
        "{profit_lock: {give_back: 40, from: 200}, warn_at: [50]}",
        """
        09:00 buy 1 @ 1000
        09:01 sell 1 @ 1190    => ok; profit_lock 0/- left -
        09:02 buy 1 @ 1000
        09:03 sell 1 @ 900     => ok; profit_lock 100/-
        09:04 buy 1 @ 1000
        09:05 sell 1 @ 1410    => ok; profit_lock 0/200 left 200
        09:06 buy 1 @ 1000
        09:07 sell 1 @ 880     => warn; profit_lock 120/200 left 80 at 50%
        09:08 buy 1 @ 1000
        09:09 sell 1 @ 920     => breach; profit_lock 200/200 left 0
        """,
    )


def test_a_fill_outside_trading_hours_breaks_them_but_going_flat_does_not() -> None:
    tell(
        "{trading_hours: '08:30-15:00'}",
        """
        08:29 buy 1 @ 10       => breach; trading_hours 1/1 by #1
        2026-11-23 00:00 now   => breach; trading_hours 1/1
        07:00 sell 1 @ 11      => breach; trading_hours 1/1
        2026-11-24 08:29 now   => ok
        08:30 buy 1 @ 10       => ok
        14:59 now              => ok
        15:00 now              => breach; flat; trading_hours 1/1
        15:00:01 now           => breach; flat; trading_hours 1/1
        15:30 sell 1 @ 9       => breach
        """,
        "America/Chicago",
    )


def test_what_is_held_past_the_close_is_found_even_if_nobody_asked_then() -> None:
    story = tell(
        "{trading_hours: ['22:00-02:00', '08:00-12:00']}",
        """
        2026-11-19 23:00 buy 1 @ 10   => ok
        2026-11-20 01:59 now          => ok
        2026-11-20 08:10 sell 1 @ 10  => breach; trading_hours 1/1
        """,
    )
    (breach,) = story.breaches.values()
    assert (breach.at, breach.fill_key) == (datetime(2026, 11, 20, 2, tzinfo=UTC), None)


def test_a_release_needs_somebody_and_a_reason_and_allows_no_further_loss() -> None:
    story = tell(
        "{daily_loss: 100, warn_at: [50]}",
        """
        09:00 buy 1 @ 1000
        09:01 sell 1 @ 880     => breach
        09:02 release daily_loss by ann: broker error => warn; daily_loss 120/100 warn
        09:03 buy 1 @ 1000     => warn
        09:04 sell 1 @ 1000    => warn
        09:05 buy 1 @ 1000 fee 0.01 => breach; daily_loss 120.01/100 breach
        """,
    )
    first, second = story.breaches.values()
    assert (first.number, second.number) == (1, 2)
    assert first.id != second.id
    for actor, reason in (("", "x"), ("ann", " ")):
        with pytest.raises(UsageError, match="a name and a reason are required"):
            make_release(first, value=first.value, actor=actor, reason=reason, at=first.at)
    with pytest.raises(UsageError, match="must be 0 or more"):
        make_release(first, value=first.value, actor="a", reason="b", at=first.at, allowance=Decimal(-1))


def test_a_release_with_an_allowance_is_spent_when_the_loss_is_won_back() -> None:
    tell(
        "{daily_loss: 100, warn_at: []}",
        """
        09:00 buy 1 @ 1000
        09:01 sell 1 @ 880     => breach
        09:02 release daily_loss by ann: one more allowing 50 => ok
        09:03 buy 1 @ 1000
        09:04 sell 1 @ 950     => ok; daily_loss 170/100 left -70
        09:05 buy 1 @ 1000
        09:06 sell 1 @ 1080    => ok; daily_loss 90/100
        09:07 buy 1 @ 1000
        09:08 sell 1 @ 990     => breach; daily_loss 100/100
        09:09 restart          => breach
        """,
    )


def test_a_release_survives_a_restart_and_says_who_and_why() -> None:
    story = tell(
        "{max_drawdown: 100, warn_at: []}",
        """
        09:00 buy 1 @ 1000
        09:01 sell 1 @ 880     => breach
        2026-11-23 09:00 release max_drawdown by ann: new terms allowing 100 => ok
        09:02 restart          => ok
        """,
    )
    view = story.view("max_drawdown", datetime(2026, 11, 23, 10, tzinfo=UTC))
    assert view.note == "released by ann: new terms. It will be breached again beyond 220"
    assert view.resets_at is None


def test_a_fill_stamped_before_the_release_but_told_after_it_is_not_covered_by_it() -> None:
    story = tell(
        "{daily_loss: 100}",
        """
        09:00 buy 1 @ 1000
        09:01 sell 1 @ 880     => breach
        09:05 release daily_loss by ann: why not => warn
        09:04 buy 1 @ 1000 fee 5
        09:06 now              => breach; daily_loss 125/100 breach
        """,
    )
    assert [breach.number for breach in story.breaches.values()] == [1, 2]


def test_a_verdict_is_json_with_every_digit() -> None:
    story = tell(
        "{daily_loss: 100, max_drawdown: 0.3}",
        """
        09:00 buy 0.1 @ 3
        09:01 sell 0.1 @ 2     => ok
        """,
    )
    now = datetime(2026, 11, 20, 9, 2, tzinfo=UTC)
    found = json.loads(json_line(story.judge(now)), parse_float=str)
    drawdown = found["limits"][1]
    assert (drawdown["value"], drawdown["threshold"], drawdown["used"], drawdown["headroom"]) == (
        "0.1",
        "0.3",
        "0.33333333",
        "0.2",
    )
    assert (found["state"], found["trading_day"], found["resets_at"], found["as_of"]) == (
        "ok",
        "2026-11-20",
        "2026-11-21T00:00:00Z",
        "2026-11-20T09:02:00Z",
    )
    assert found["limits"][0]["resets_at"] == "2026-11-21T00:00:00Z"
    assert (drawdown["resets_at"], drawdown["moved_by"], drawdown["breach"]) == (None, "x:2", None)


def test_a_warning_ends_below_its_threshold_not_at_it() -> None:
    tell(
        "{daily_loss: {amount: 100, warn_at: [50, 75], hysteresis: 10}}",
        """
        09:00 buy 1 @ 1000
        09:01 sell 1 @ 925     => warn; daily_loss 75/100 at 75%
        09:02 buy 1 @ 1000
        09:03 sell 1 @ 1009    => warn; daily_loss 66/100 at 75%
        09:04 buy 1 @ 1000
        09:05 sell 1 @ 1001    => warn; daily_loss 65/100 at 50%
        09:06 buy 1 @ 1000
        09:07 sell 1 @ 1024    => warn; daily_loss 41/100 at 50%
        09:08 buy 1 @ 1000
        09:09 sell 1 @ 1001    => ok; daily_loss 40/100
        """,
    )


def test_warnings_wait_for_a_sample_and_are_silent_in_their_windows_but_breaches_are_not() -> None:
    tell(
        "{daily_loss: {amount: 100, min_trades: 2, silence: '11:30-12:30'}}",
        """
        09:00 buy 1 @ 1000
        09:01 sell 1 @ 940     => ok; daily_loss 60/100 at 50% ok
        09:02 buy 1 @ 1000
        09:03 sell 1 @ 990     => warn; daily_loss 70/100
        11:30 now              => ok; daily_loss 70/100 at 50% ok
        12:00 buy 1 @ 1000
        12:01 sell 1 @ 950     => breach; flat
        """,
    )


def test_rejected_lines_partial_data_and_a_ledger_in_trouble_are_unknown_never_ok() -> None:
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)

    def state(**more: object) -> tuple[str, list[str]]:
        found = Story(plan_of("{daily_loss: 100}"), **more).judge(noon)  # type: ignore[arg-type]
        return found.state, [reason.code for reason in found.reasons]

    assert state() == ("ok", [])
    assert state(rejected=2) == ("unknown", ["rejected_lines"])
    missing = (PartialReason("missing_days", "2026-11-19"),)
    assert state(partial=missing) == ("unknown", ["missing_days"])
    assert state(trouble="database is locked") == ("unknown", ["store_unavailable"])
    assert state(feed_runs=False) == ("unknown", ["nothing_heard"])


def test_an_account_without_limits_is_unknown() -> None:
    found = Story(plan_of("{}")).judge(datetime(2026, 11, 20, 12, tzinfo=UTC))
    assert (found.state, found.must_be_flat, found.reasons[0].code) == ("unknown", False, "no_limits")


def test_trouble_hides_the_values_but_not_the_breach() -> None:
    story = tell(
        "{daily_loss: 100, max_trades: 9}",
        """
        09:00 buy 1 @ 1000
        09:01 sell 1 @ 880     => breach
        """,
    )
    story.trouble = "locked"
    found = story.judge(datetime(2026, 11, 20, 10, tzinfo=UTC))
    assert found.state == "breach"
    assert [(v.level, v.value, v.used) for v in found.limits] == [
        ("breach", None, None),
        ("unknown", None, None),
    ]


def test_a_limit_taken_from_the_file_or_widened_leaves_its_breach() -> None:
    story = tell(
        "{daily_loss: 100}",
        """
        09:00 buy 1 @ 1000
        09:01 sell 1 @ 880     => breach
        """,
    )
    story.plan = plan_of("{daily_loss: 1000}")
    story.tell("09:02 restart => breach; daily_loss 120/1000 left 880 breach")
    story.plan = plan_of("{max_trades: 5}")
    story.tell("09:03 restart => breach; flat; daily_loss -/100 breach")
    story.tell("2026-11-21 00:00 now => ok")


def test_a_ledger_that_is_ahead_of_the_book_is_unknown() -> None:
    from tearsheet.rules.verdict import FeedStatus, verdict

    story = tell("{daily_loss: 100}", "09:00 buy 1 @ 1000")
    now = datetime(2026, 11, 20, 9, 5, tzinfo=UTC)
    feed = FeedStatus(sequence=7, last_update_at=now, last_fill_at=now - timedelta(minutes=1))
    found = verdict(story.book, feed, now)
    assert (found.state, [r.code for r in found.reasons]) == ("unknown", ["behind"])
    assert (found.sequence, found.data_age_s, found.last_fill_at) == (7, 0.0, feed.last_fill_at)


def test_a_booking_before_the_last_is_refused_so_that_nothing_is_folded_in_disorder() -> None:
    story = tell("{daily_loss: 100}", "09:00 buy 1 @ 1000")
    with pytest.raises(UsageError, match="comes after later ones"):
        story.happen(datetime(2026, 11, 20, 8, tzinfo=UTC), "sell 1 @ 1000")
    quiet = tell("{daily_loss: 100}", "2026-11-21 00:00 now => ok")
    with pytest.raises(UsageError, match="comes after later ones"):
        quiet.happen(datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC), "buy 1 @ 1000")


def test_money_in_another_currency_is_left_out_and_said() -> None:
    from tests.support.place import make_fill

    story = tell("{daily_loss: 100}", "09:00 buy 1 @ 1000")
    at = datetime(2026, 11, 20, 9, 1, tzinfo=UTC)
    story.take(make_fill(9, at, "buy", "1", "5", "999", symbol="E", currency="EUR"))
    found = story.judge(at)
    assert [(r.code, r.detail) for r in found.reasons] == [("other_currencies", "EUR beside USD")]
