"""The limits file: what it may say, and the exact words for all that it may not."""

import json
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tearsheet.errors import SettingsError
from tearsheet.rules.limit import GROUP_ONLY, LIMITS, AccountLimits, Limit, Limits, TimeOfDayRange
from tearsheet.sources.config.limits import load_limits, parse_limits
from tearsheet.sources.config.targets import parse_targets
from tests.support.laws import examples

WHOLE = """\
win_rate_target: 55
limits:
  default:
    stale_after: 90s
    on_unknown: breach
    daily_loss: 500
    weekly_loss: {amount: 1200.50, warn_at: [80], on_unknown: hold}
    monthly_loss: 3000
    max_drawdown:
      amount: 2500
      kind: trailing
      basis: end_of_day
      lock_at: 100
      since: 2026-11-01
    max_trades: 10
    max_losses_in_a_row: {number: 3, min_trades: 4}
    max_open_quantity: {quantity: 2.5, per: symbol}
    profit_lock: {give_back: 40, from: 200, hysteresis: 0}
    trading_hours: ["17:00-23:30", "08:30-15:00"]
    no_trading: {calendar: news.csv, before: 2m, after: 2m}
    inactivity: 30
    silence: "11:30-12:30"
  accounts:
    EQ-1:
      daily_loss: {amount: 300, basis: open_pnl}
      max_trades: null
      warn_at: [90]
    EQ-2:
"""


def limits(text: str) -> Limits:
    found = parse_limits(text, "limits.yaml")
    assert found is not None
    return found


def get(plan: AccountLimits, name: str) -> Limit:
    found = plan.get(name)  # type: ignore[arg-type]
    assert found is not None
    return found


def test_every_limit_and_key_is_read() -> None:
    plan = limits(WHOLE).for_account("somebody")
    assert [limit.name for limit in plan.limits] == [name for name in LIMITS if name not in GROUP_ONLY]
    assert plan.stale_after == timedelta(seconds=90)
    assert {limit.mute_windows for limit in plan.limits} == {(TimeOfDayRange(time(11, 30), time(12, 30)),)}
    assert get(plan, "daily_loss") == Limit(
        name="daily_loss",
        threshold=Decimal(500),
        on_unknown="breach",
        mute_windows=(TimeOfDayRange(time(11, 30), time(12, 30)),),
    )
    weekly = get(plan, "weekly_loss")
    assert (weekly.threshold, weekly.warn_at, weekly.on_unknown) == (
        Decimal("1200.50"),
        (Decimal(80),),
        "hold",
    )
    drawdown = get(plan, "max_drawdown")
    assert (drawdown.trailing, drawdown.basis, drawdown.lock_at, drawdown.since) == (
        True,
        "end_of_day",
        Decimal(100),
        date(2026, 11, 1),
    )
    assert get(plan, "max_losses_in_a_row").min_trades == 4
    assert get(plan, "max_open_quantity").per_symbol
    lock = get(plan, "profit_lock")
    assert (lock.threshold, lock.armed_from, lock.hysteresis) == (40, 200, 0)
    assert get(plan, "trading_hours").trading_hours == (
        TimeOfDayRange(time(17), time(23, 30)),
        TimeOfDayRange(time(8, 30), time(15)),
    )


def test_an_account_takes_the_default_but_for_what_it_says_itself() -> None:
    found = limits(WHOLE)
    own = found.for_account("EQ-1")
    assert own.get("max_trades") is None
    daily = get(own, "daily_loss")
    assert (daily.threshold, daily.basis, daily.on_unknown) == (300, "open_pnl", "breach")
    assert get(own, "monthly_loss").warn_at == (90,)
    assert get(own, "weekly_loss").warn_at == (80,)
    assert found.for_account("EQ-2") == found.default


def test_targets_and_limits_share_a_file() -> None:
    assert parse_targets(WHOLE, "t.yaml").win_rate_target == 55
    both = "targets: {win_rate_target: 55}\nlimits: {default: {daily_loss: 1}}\n"
    assert parse_targets(both, "t.yaml").win_rate_target == 55
    assert parse_limits("win_rate_target: 55", "t.yaml") is None
    with pytest.raises(SettingsError, match=r"t\.yaml:1: limits\.default\.daily_loss is 'x'"):
        parse_targets("limits: {default: {daily_loss: x}}", "t.yaml")


DEFAULT = "limits:\n  default:\n    "


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            "daily_loss: -500",
            "limits.default.daily_loss is '-500'",
            "allowed is an amount of money above 0, such as 500",
        ),
        (
            "daily_loss: 1e30",
            "limits.default.daily_loss is '1e30'",
            "allowed is an amount of money above 0, such as 500",
        ),
        (
            "daily_loss: [5]",
            "limits.default.daily_loss is ['5']",
            "allowed is an amount of money above 0, such as 500",
        ),
        ("daily_lost: 5", "limits.default.daily_lost is no key", "did you mean daily_loss?"),
        (
            "daily_loss: {amount: 5, kind: static}",
            "limits.default.daily_loss.kind is no key",
            "known are amount, percent, of, from, basis, breaks, severity, warn_at, hysteresis, min_trades, silence, on_unknown",
        ),
        (
            "daily_loss: {basis: closed}",
            "limits.default.daily_loss is {basis}",
            "it needs amount: an amount of money above 0, such as 500 or percent: a percentage above 0 and up to 100",
        ),
        ("max_trades: 2.5", "limits.default.max_trades is '2.5'", "allowed is a whole number above 0"),
        (
            "max_drawdown: {amount: 5, kind: moving}",
            "limits.default.max_drawdown.kind is 'moving'",
            "allowed is static or trailing",
        ),
        (
            "max_drawdown: {amount: 5, lock_at: 1}",
            "limits.default.max_drawdown is {amount, lock_at}",
            "lock_at belongs to `kind: trailing`",
        ),
        (
            "max_drawdown: {amount: 5, basis: end_of_day}",
            "limits.default.max_drawdown is {amount, basis}",
            "`basis: end_of_day` belongs to `kind: trailing`",
        ),
        (
            "max_drawdown: {amount: 5, kind: trailing, lock_at: -5}",
            "limits.default.max_drawdown is {amount, kind, lock_at}",
            "lock_at lies above -5, where the floor begins",
        ),
        (
            "max_drawdown: {amount: 5, since: 1.11.2026}",
            "limits.default.max_drawdown.since is '1.11.2026'",
            "allowed is a date, YYYY-MM-DD",
        ),
        (
            "max_drawdown: {amount: 5, since: 1800-01-01}",
            "limits.default.max_drawdown.since is '1800-01-01'",
            "allowed is a date, YYYY-MM-DD",
        ),
        (
            "profit_lock: {from: 5}",
            "limits.default.profit_lock is {from}",
            "it needs give_back: a percentage above 0 and up to 100",
        ),
        (
            "profit_lock: 140",
            "limits.default.profit_lock is '140'",
            "allowed is a percentage above 0 and up to 100",
        ),
        (
            "trading_hours: 08:30",
            "limits.default.trading_hours is '08:30'",
            "allowed is HH:MM-HH:MM or a list, in the trading day's time zone",
        ),
        (
            "trading_hours: 08:30-08:30",
            "limits.default.trading_hours is '08:30-08:30'",
            "allowed is HH:MM-HH:MM or a list, in the trading day's time zone",
        ),
        (
            "trading_hours: 25:00-08:30",
            "limits.default.trading_hours is '25:00-08:30'",
            "allowed is HH:MM-HH:MM or a list, in the trading day's time zone",
        ),
        (
            "trading_hours: []",
            "limits.default.trading_hours is []",
            "allowed is HH:MM-HH:MM or a list, in the trading day's time zone",
        ),
        (
            "warn_at: [90, 50]",
            "limits.default.warn_at is ['90', '50']",
            "allowed is an ascending list of percentages up to 100, for example [50, 75, 90]",
        ),
        ("hysteresis: 60", "limits.default.hysteresis is '60'", "allowed is percentage points from 0 to 50"),
        ("min_trades: -1", "limits.default.min_trades is '-1'", "allowed is a whole number not below 0"),
        ("on_unknown: ignore", "limits.default.on_unknown is 'ignore'", "allowed is hold or breach"),
        ("on_unknown: [hold]", "limits.default.on_unknown is ['hold']", "allowed is hold or breach"),
        (
            "stale_after: 15",
            "limits.default.stale_after is '15'",
            "allowed is a duration such as 90s, 15m or 2h, or null",
        ),
    ],
)
def test_what_makes_no_sense_is_an_error_with_line_key_value_and_what_is_allowed(
    text: str, message: str, hint: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        limits(DEFAULT + text)
    assert caught.value.message == f"limits.yaml:3: {message}"
    assert caught.value.hint == hint


def test_a_wrong_shape_is_said_where_it_stands() -> None:
    for text, message in (
        ("limits: 5", "limits.yaml:1: limits is '5'"),
        ("limits:\n  defaults: {}", "limits.yaml:2: limits.defaults is no key"),
        ("limits:\n  accounts: [A]", "limits.yaml:2: limits.accounts is ['A']"),
        ("limits:\n  accounts:\n    A: 5", "limits.yaml:3: limits.accounts.A is '5'"),
        (
            "limits:\n accounts:\n  A:\n   max_trades: no",
            "limits.yaml:4: limits.accounts.A.max_trades is 'no'",
        ),
        ("limits: {}\nlimits: {}", "limits.yaml:2: limits stands twice"),
    ):
        with pytest.raises(SettingsError) as caught:
            limits(text)
        assert caught.value.message == message


def test_stale_data_can_be_allowed_for_ever() -> None:
    assert limits("limits: {default: {stale_after: null}}").default.stale_after is None
    assert limits("limits: {}").default == AccountLimits()


def test_a_file_that_is_missing_or_has_no_limits_is_said(tmp_path: Path) -> None:
    file = tmp_path / "limits.yaml"
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        load_limits(file)
    file.write_text("win_rate_target: 5\n")
    with pytest.raises(SettingsError, match="has no limits"):
        load_limits(file)
    file.write_text("limits: {default: {daily_loss: 5}}\n")
    assert get(load_limits(file).for_account("A"), "daily_loss").threshold == 5


_WORDS = st.sampled_from(
    [
        "daily_loss",
        "max_drawdown",
        "profit_lock",
        "trading_hours",
        "amount",
        "kind",
        "give_back",
        "from",
        "hours",
        "warn_at",
        "silence",
        "stale_after",
        "on_unknown",
        "since",
        "number",
        "null",
        "08:30-15:00",
        "500",
        "-1",
        "nan",
        "1e999",
        "15m",
        "trailing",
        "2026-01-01",
        "0000-00-00",
        "24:00-24:00",
        "x",
        "",
    ]
)
_VALUES = st.recursive(
    _WORDS | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=4),
    max_leaves=8,
)


@examples(400)
@given(st.dictionaries(_WORDS, _VALUES, max_size=4))
def test_whatever_stands_in_the_file_is_limits_or_an_error_with_its_line(block: object) -> None:
    text = json.dumps({"limits": {"default": block}})
    try:
        found = limits(text)
    except SettingsError as error:
        assert error.message.startswith("limits.yaml:1: limits.default")
        assert error.hint
    else:
        assert all(limit.threshold > 0 for limit in found.default.limits)
