"""Presets of firms: every one can be used, says what it rests on, and is chosen by its version."""

from datetime import date
from decimal import Decimal

import pytest

from tearsheet.errors import SettingsError
from tearsheet.rules.limit import Limits
from tearsheet.rules.preset import PresetUse
from tearsheet.sources.config.limits import parse_limits
from tearsheet.sources.config.presets import all_presets

FIRMS = {"ftmo", "topstep", "apex", "take-profit-trader", "myfundedfutures", "fundednext", "the5ers"}


def limits(text: str, kept: Limits | None = None) -> Limits:
    found = parse_limits(text, "limits.yaml", kept)
    assert found is not None
    return found


def test_the_named_firms_are_there() -> None:
    assert {one.use.name.split("/")[0] for one in all_presets()} >= FIRMS


@pytest.mark.parametrize("use", [one.use for one in all_presets()], ids=lambda use: use.label)
def test_every_preset_can_be_used_and_says_what_it_rests_on(use: PresetUse) -> None:
    found = limits(f"limits: {{accounts: {{A: {{preset: {use.label}}}}}}}")
    plan = found.for_account("A")
    assert plan.limits
    assert plan.preset == use
    assert use.source
    assert all(page.startswith("https://") for page in use.source)
    assert use.confidence in ("firm", "secondary")
    assert use.read_on is None or use.version == f"{use.read_on:%Y-%m}"


def test_no_preset_stands_twice() -> None:
    labels = [one.use.label for one in all_presets()]
    assert len(set(labels)) == len(labels)


def test_a_key_written_beside_a_preset_wins_and_the_rest_of_the_rule_stays() -> None:
    found = limits(
        """\
limits:
  accounts:
    A:
      preset: ftmo/2-step@2026-10
      daily_loss: {percent: 4}
      max_drawdown: {amount: 9000}
      max_trades: 10
objectives:
  accounts:
    A: {profit_target: {amount: 7000}}
"""
    )
    plan = found.for_account("A")
    daily, drawdown = plan.get("daily_loss"), plan.get("max_drawdown")
    assert daily is not None
    assert drawdown is not None
    assert (daily.threshold, daily.percent_of, daily.basis, daily.breaks) == (
        4,
        "initial",
        "open_pnl",
        "below",
    )
    assert (drawdown.threshold, drawdown.percent_of, drawdown.judged) == (9000, None, "open_pnl")
    assert plan.get("max_trades") is not None
    target, days = found.objectives_of("A")
    assert (target.threshold, target.is_percent) == (Decimal(7000), False)
    assert days.name == "min_trading_days"


def test_a_limit_of_a_preset_is_taken_away_by_null() -> None:
    plan = limits("limits: {accounts: {A: {preset: ftmo/2-step, daily_loss: null}}}").for_account("A")
    assert [limit.name for limit in plan.limits] == ["max_drawdown"]


def test_without_a_version_the_one_that_was_chosen_before_stays() -> None:
    text = "limits: {accounts: {A: {preset: ftmo/2-step}}}"
    chosen = limits(text).for_account("A").preset
    assert chosen is not None
    assert limits(text, limits(text)).for_account("A").preset == chosen


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("preset: ftmo/3-step", "limits.accounts.A.preset is 'ftmo/3-step'"),
        ("preset: ftmo/2-step@2020-01", "limits.accounts.A.preset is 'ftmo/2-step@2020-01'"),
    ],
)
def test_an_unknown_preset_is_an_error_with_its_line_and_what_is_known(text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        limits(f"limits:\n  accounts:\n    A:\n      {text}\n")
    assert caught.value.message == f"limits.yaml:4: {message}"
    assert "ftmo/2-step" in (caught.value.hint or "")


def test_an_old_preset_and_a_second_hand_one_say_so() -> None:
    use = next(one.use for one in all_presets() if one.use.name == "ftmo/2-step")
    assert use.age_days(date(2026, 10, 5)) == 1
    assert use.cautions(date(2026, 10, 5)) == ("it was not read on the firm's live page",)
    assert "93 days ago" in use.cautions(date(2027, 1, 5))[0]
