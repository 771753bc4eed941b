"""Rules that firms set, told as stories: what is open, what is lost, where the floor stands."""

from decimal import Decimal

import pytest

from tearsheet.rules.limit_usage import AccountFacts
from tests.support.limit_story import Story, calendar_of, plan_of


def tell(limits: str, start: str, text: str, calendar: str = "UTC") -> Story:
    """A story of an account with a starting balance; no warnings, prices never grow old."""
    plan = plan_of(f"{{warn_at: [], stale_after: null, {limits}}}")
    facts = AccountFacts(Decimal(start), lambda symbol: symbol.removesuffix("H26"))
    return Story(plan, calendar_of(calendar), facts=facts).tell(text)


FTMO = "daily_loss: {percent: 5, of: initial, from: day_balance, basis: open_pnl, breaks: below}"


def test_a_percent_of_the_start_is_taken_off_the_balance_at_midnight() -> None:
    tell(
        FTMO,
        "100000",
        """
        2026-03-02 10:00 buy 1 @ 100000   => unknown; daily_loss -/- floor 95000; because missing_marks
        10:01 sell 1 @ 104000             => ok; daily_loss 0/5000 left 9000 floor 95000
        2026-03-03 10:00 buy 1 @ 100000   => unknown; daily_loss -/- floor 99000
        10:05 price 95000.01              => ok; daily_loss 4999.99/5000 left 0.01 floor 99000
        10:06 price 95000                 => ok; daily_loss 5000/5000 left 0 floor 99000
        10:07 price 94999.99              => breach; daily_loss 5000.01/5000 left -0.01 floor 99000
        """,
        "Europe/Prague",
    )


def test_what_was_open_at_midnight_is_judged_against_the_floor_of_the_new_day() -> None:
    tell(
        FTMO,
        "200000",
        """
        2026-03-02 10:00 buy 1 @ 100000
        10:01 sell 1 @ 104000
        20:00 buy 1 @ 100000
        22:59 price 87000                 => ok; daily_loss 9000/10000 left 1000 floor 190000
        2026-03-03 00:00 now              => breach; daily_loss 13000/10000 left -3000 floor 194000
        """,
        "Europe/Prague",
    )


def test_a_day_may_begin_at_the_higher_of_balance_and_equity() -> None:
    tell(
        "daily_loss: {percent: 5, of: day_higher, from: day_higher, basis: open_pnl}",
        "100000",
        """
        2026-03-02 10:00 buy 1 @ 100000   => unknown; daily_loss -/- floor 95000
        16:00 price 102000                => ok; daily_loss 0/5000 left 7000 floor 95000
        17:00 now                         => ok; daily_loss 0/5100 left 5100 floor 96900
        18:00 price 96900                 => breach; daily_loss 5100/5100 left 0 floor 96900
        """,
        "America/New_York 17:00",
    )


def test_a_day_whose_first_equity_nobody_knows_is_unknown_to_its_end() -> None:
    tell(
        "daily_loss: {amount: 500, from: day_equity, basis: closed}",
        "100000",
        """
        2026-03-02 10:00 buy 1 @ 100000   => ok; daily_loss 0/500 left 500 floor 99500
        2026-03-03 00:00 now              => unknown; because missing_marks; daily_loss -/-
        10:00 price 99000                 => unknown; because missing_marks
        11:00 sell 1 @ 100000             => unknown; because missing_marks
        2026-03-04 00:00 now              => ok; daily_loss 0/500 left 500 floor 99500
        """,
    )


def test_a_percent_of_a_balance_that_nobody_stated_is_unknown() -> None:
    story = Story(plan_of("{daily_loss: {percent: 5}}"))
    story.tell("09:00 now => unknown; because no_starting_balance; daily_loss -/-")


def test_a_floor_follows_the_balance_at_the_end_of_the_day_and_locks_at_the_start() -> None:
    tell(
        "max_drawdown: {amount: 2000, kind: trailing, basis: end_of_day, judged: open_pnl, lock_at: 0}",
        "50000",
        """
        2026-03-02 09:00 buy 1 @ 100000   => unknown; max_drawdown -/- floor 48000
        09:01 sell 1 @ 100500             => ok; max_drawdown 0/2000 left 2500 floor 48000
        2026-03-03 09:00 buy 1 @ 100000   => unknown; max_drawdown -/- floor 48500
        09:01 sell 1 @ 99500              => ok; max_drawdown 500/2000 left 1500 floor 48500
        2026-03-04 09:00 buy 1 @ 100000
        09:01 sell 1 @ 102500             => ok; max_drawdown 0/2000 left 4000 floor 48500
        2026-03-05 09:00 buy 1 @ 100000   => unknown; max_drawdown -/- floor 50000
        09:01 sell 1 @ 100100             => ok; max_drawdown 0/2000 left 2600 floor 50000
        """,
        "America/Chicago 17:00",
    )


def test_an_open_gain_that_is_given_back_has_raised_the_floor() -> None:
    tell(
        "max_drawdown: {amount: 2500, kind: trailing, basis: open_pnl}",
        "50000",
        """
        09:00 buy 1 @ 100000              => unknown; max_drawdown -/- floor 47500
        09:01 price 100875                => ok; max_drawdown 0/2500 left 2500 floor 48375
        09:02 sell 1 @ 100200             => ok; max_drawdown 675/2500 left 1825 floor 48375
        09:03 buy 1 @ 100000              => unknown; max_drawdown -/- floor 48375
        09:04 price 98176                 => ok; max_drawdown 2499/2500 left 1
        09:05 price 98175                 => breach; max_drawdown 2500/2500 left 0
        """,
    )


def test_a_floor_that_rises_with_closed_profit_is_held_against_equity() -> None:
    tell(
        "max_drawdown: {percent: 6, kind: trailing, basis: closed, judged: open_pnl, lock_at: 0}",
        "100000",
        """
        10:00 buy 1 @ 100000              => unknown; max_drawdown -/- floor 94000
        10:01 price 105000                => ok; max_drawdown 0/6000 left 11000 floor 94000
        10:02 sell 1 @ 102000             => ok; max_drawdown 0/6000 left 6000 floor 96000
        12:00 buy 1 @ 100000
        12:01 sell 1 @ 105000             => ok; max_drawdown 0/6000 left 7000 floor 100000
        13:00 buy 1 @ 100000
        13:01 sell 1 @ 94000              => ok; max_drawdown 5000/6000 left 1000 floor 100000
        """,
    )


def test_a_dip_within_the_day_is_none_where_the_end_of_the_day_is_judged() -> None:
    story = tell(
        "max_drawdown: {amount: 2000, kind: static, judged: end_of_day}",
        "50000",
        """
        2026-03-02 10:00 buy 1 @ 100000   => ok; max_drawdown 0/2000 left 2000 floor 48000
        10:01 sell 1 @ 97900              => ok; max_drawdown 2100/2000 left -100 floor 48000
        11:00 buy 1 @ 100000
        11:01 sell 1 @ 100400             => ok; max_drawdown 1700/2000 left 300
        2026-03-03 10:00 buy 1 @ 100000   => ok
        10:01 sell 1 @ 99700              => ok; max_drawdown 2000/2000 left 0
        16:59 now                         => ok
        17:00 now                         => breach; flat; max_drawdown 2000/2000 left 0 breach
        17:10 release max_drawdown by kim: agreed => ok
        2026-03-04 10:00 buy 1 @ 100000
        10:01 sell 1 @ 99900              => ok; max_drawdown 2100/2000 left -100
        17:00 now                         => breach
        """,
        "America/New_York 17:00",
    )
    (first, second) = story.breaches.values()
    assert (first.trading_day.isoformat(), second.trading_day.isoformat()) == ("2026-03-03", "2026-03-04")


def test_a_release_of_what_is_judged_at_the_end_of_the_day_holds_for_that_value() -> None:
    tell(
        "max_drawdown: {amount: 2000, kind: static, judged: end_of_day}",
        "50000",
        """
        2026-03-02 10:00 buy 1 @ 100000
        10:01 sell 1 @ 98000
        2026-03-03 00:00 now              => breach
        01:00 release max_drawdown by kim: agreed => ok
        2026-03-05 00:00 now              => ok; max_drawdown 2000/2000 left 0
        """,
    )


def test_the_size_grows_with_the_profit_at_the_end_of_the_day() -> None:
    tell(
        "max_open_quantity: {scale: [{from: 0, quantity: 2}, {from: 1500, quantity: 3}, {from: 2000, quantity: 5}]}",
        "0",
        """
        2026-03-02 09:00 buy 1 @ 100000   => ok; max_open_quantity 1/2 left 1
        09:01 sell 1 @ 101600             => ok; max_open_quantity 0/2 left 2
        10:00 buy 3 @ 100000              => breach; max_open_quantity 3/2 left -1
        10:05 sell 3 @ 100000             => breach
        2026-03-03 10:00 buy 3 @ 100000   => ok; max_open_quantity 3/3 left 0
        10:01 sell 3 @ 99000              => ok; max_open_quantity 0/3 left 3
        2026-03-04 10:00 buy 1 @ 100000   => ok; max_open_quantity 1/2 left 1
        """,
        "America/Chicago 17:00",
    )


@pytest.mark.parametrize("limit", ["quantity: 5, weights: {MES: 0.1}", "symbols: {ES: 5, MES: 10}"])
def test_micros_count_a_tenth_or_have_a_number_of_their_own(limit: str) -> None:
    story = tell(
        f"max_open_quantity: {{{limit}}}",
        "50000",
        """
        09:00 buy 4 @ 6850 in ESH26       => ok
        09:01 buy 10 @ 6850 in MESH26     => ok
        09:02 buy 1 @ 6850 in MESH26      => breach
        """,
    )
    assert story.view("max_open_quantity", story.fills[-1].time).headroom in (Decimal("-0.1"), -1)


def test_idle_days_count_from_the_last_fill_while_flat() -> None:
    tell(
        "inactivity: {days: 30}",
        "100000",
        """
        2026-03-02 10:00 buy 1 @ 100000   => ok; inactivity 0/30 left 30
        2026-04-10 10:00 now              => ok; inactivity 0/30 left 30
        11:00 sell 1 @ 100005             => ok; inactivity 0/30 left 30
        2026-05-10 10:00 now              => ok; inactivity 30/30 left 0
        2026-05-11 10:00 now              => breach; inactivity 31/30 left -1
        """,
    )


def test_hours_over_midnight_end_with_what_is_held() -> None:
    tell(
        "trading_hours: 17:00-15:10",
        "50000",
        """
        2026-03-02 14:00 buy 1 @ 100000   => ok
        15:09 now                         => ok
        15:10 now                         => breach; flat; trading_hours 1/1 left 0
        15:12 sell 1 @ 100005             => breach
        17:00 now                         => ok; trading_hours 0/1 left 1
        """,
        "America/Chicago 17:00",
    )
