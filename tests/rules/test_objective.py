"""Objectives of accounts: their value, what is missing, and when they are met or failed."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from tearsheet.errors import SettingsError
from tearsheet.rules.objective import DayFacts, Objective, ObjectiveFacts, ObjectiveView, judge_objectives
from tearsheet.sources.config.limits import parse_limits
from tearsheet.trade.amount import exact

MONDAY = date(2026, 3, 2)


def objectives(text: str) -> tuple[Objective, ...]:
    """The objectives of account A, as the file would state them in one line."""
    found = parse_limits(f"objectives: {{accounts: {{A: {text}}}}}", "objectives.yaml")
    assert found is not None
    return found.objectives_of("A")


def judged(
    text: str, *results: str, days: tuple[DayFacts, ...] | None = None, **more: object
) -> dict[str, ObjectiveView]:
    """Where objectives stand after days with these results, from Monday on."""
    made = days or tuple(
        DayFacts(MONDAY + timedelta(n), Decimal(result), opened=True) for n, result in enumerate(results)
    )
    known = {"today": MONDAY + timedelta(9), "is_flat": True, "starting_balance": Decimal(100000)} | more
    facts = ObjectiveFacts(made, known.pop("days_since_payout", made), **known)  # type: ignore[arg-type]
    with exact():
        return {view.name: view for view in judge_objectives(objectives(text), facts)}


def test_the_best_day_is_a_share_of_all_profit() -> None:
    view = judged("{consistency: {best_day_percent: 40, strict: true}}", "900", "700", "500", "700")[
        "consistency"
    ]
    assert (view.state, view.best, view.profit_needed) == ("met", 900, 2250)
    assert view.share_percent == Decimal("32.142857142857")


def test_exactly_half_is_enough_for_at_most_and_not_for_below() -> None:
    days = ("5000", "2500", "2500")
    assert judged("{consistency: 50}", *days)["consistency"].state == "met"
    strict = judged("{consistency: {best_day_percent: 50, strict: true}}", *days)["consistency"]
    assert (strict.state, strict.share_percent, strict.missing) == ("open", 50, 0)


def test_without_profit_there_is_no_share() -> None:
    view = judged("{consistency: 50}", "-100", "50")["consistency"]
    assert (view.state, view.reason, view.value, view.profit_needed) == ("open", "no_profit", None, 100)


def test_the_share_may_be_of_winning_days_only() -> None:
    view = judged("{consistency: {best_day_percent: 50, of: positive_days}}", "1000", "-600", "700")[
        "consistency"
    ]
    assert (view.state, view.share_percent, view.profit_needed, view.missing) == (
        "open",
        Decimal("58.823529411764"),
        2000,
        300,
    )


def test_a_target_rises_with_the_best_day() -> None:
    text = "{profit_target: 1500, consistency: {best_day_percent: 50, of: target}}"
    found = judged(text, "1372", "203.5")
    target = found["profit_target"]
    assert found["consistency"].target == 2744
    assert (target.state, target.value, target.threshold, target.missing) == (
        "open",
        Decimal("1575.5"),
        2744,
        Decimal("1168.5"),
    )


def test_of_each_day_only_its_share_of_the_target_counts() -> None:
    text = "{profit_target: 500, consistency: {best_day_percent: 40, variant: cap}}"
    found = judged(text, "320", "100", "40", "22", "18")
    assert (found["consistency"].counted, found["consistency"].state) == (380, "open")
    assert (found["profit_target"].state, found["profit_target"].value) == ("met", 500)


def test_the_best_trade_may_count_instead_of_the_best_day() -> None:
    days = (
        DayFacts(MONDAY, Decimal(550), Decimal(300)),
        DayFacts(MONDAY + timedelta(1), Decimal(200), Decimal(200)),
    )
    view = judged("{consistency: {best_day_percent: 40, best: trade}}", days=days)["consistency"]
    assert (view.state, view.best, view.share_percent, view.profit_needed) == ("met", 300, 40, 750)


def test_after_a_payout_the_count_begins_anew() -> None:
    days = tuple(
        DayFacts(MONDAY + timedelta(n), Decimal(made)) for n, made in enumerate((2000, 400, 350, 300))
    )
    view = judged("{restart_on_payout: true, consistency: 40}", days=days, days_since_payout=days[1:])[
        "consistency"
    ]
    assert (view.state, view.best, view.share_percent) == ("met", 400, Decimal("38.095238095238"))


def test_a_target_is_met_once_nothing_is_open() -> None:
    assert judged("{profit_target: {percent: 10}}", "10000")["profit_target"].state == "met"
    view = judged("{profit_target: {percent: 10}}", "10000", is_flat=False)["profit_target"]
    assert (view.state, view.reason, view.missing) == ("open", "open_positions", 0)


def test_a_share_of_a_start_that_nobody_stated_stays_open() -> None:
    view = judged("{profit_target: {percent: 10}}", "10000", starting_balance=None)["profit_target"]
    assert (view.state, view.reason, view.threshold) == ("open", "no_starting_balance", None)


def test_days_count_on_which_a_position_was_opened() -> None:
    days = tuple(
        DayFacts(MONDAY + timedelta(n), opened=opened) for n, opened in enumerate((True, True, False, True))
    )
    view = judged("{min_trading_days: 4}", days=days)["min_trading_days"]
    assert (view.state, view.value, view.missing) == ("open", 3, 1)


def test_a_winning_day_made_enough() -> None:
    view = judged("{winning_days: {number: 3, at_least: 150}}", "150", "149.99", "-5", "600")["winning_days"]
    assert (view.state, view.value, view.threshold, view.missing) == ("open", 2, 3, 1)


def test_a_winning_day_by_equity_counts_once_it_is_over() -> None:
    days = tuple(
        DayFacts(MONDAY + timedelta(n), equity_change=None if made is None else Decimal(made))
        for n, made in enumerate((600, 400, 500, 700))
    )
    text = "{winning_days: {number: 3, percent: 0.5, measure: equity}}"
    found = judged(text, days=days, today=days[-1].session)["winning_days"]
    assert (found.state, found.value, found.reason) == ("open", 2, None)
    unknown = (DayFacts(MONDAY), *days[1:])
    assert judged(text, days=unknown)["winning_days"].reason == "missing_marks"


def test_what_is_not_met_by_its_date_has_failed() -> None:
    text = "{profit_target: {amount: 500, by: 2026-03-03}}"
    assert judged(text, "400", "50", "100", today=date(2026, 3, 3))["profit_target"].state == "open"
    late = judged(text, "400", "50", "100", today=date(2026, 3, 4))["profit_target"]
    assert (late.state, late.value) == ("failed", 450)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            "profit_target: -5",
            "objectives.accounts.A.profit_target is '-5'",
            "allowed is an amount of money above 0",
        ),
        ("profit_targt: 5", "objectives.accounts.A.profit_targt is no key", "did you mean profit_target?"),
        (
            "winning_days: {at_least: 5}",
            "objectives.accounts.A.winning_days is {at_least}",
            "it needs number",
        ),
        (
            "consistency: {best_day_percent: 40, of: target}",
            "objectives.accounts.A.consistency is {best_day_percent, of}",
            "state a profit_target beside it",
        ),
        (
            "since: monday",
            "objectives.accounts.A.since is 'monday'",
            "a date such as 2026-11-02, or last_payout",
        ),
    ],
)
def test_what_makes_no_sense_is_an_error_with_its_line(text: str, message: str, hint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_limits(f"objectives:\n  accounts:\n    A:\n      {text}\n", "targets.yaml")
    assert caught.value.message == f"targets.yaml:4: {message}"
    assert hint in (caught.value.hint or "")
