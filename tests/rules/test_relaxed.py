"""A limit that is not provably as strict as before is told."""

import pytest

from tearsheet.rules.limit import Limits
from tearsheet.rules.relaxed import find_relaxed_limits
from tearsheet.sources.config.limits import parse_limits


def limits(text: str) -> Limits:
    found = parse_limits(f"limits:\n{text}", "x") if text else None
    return found or Limits()


BASE = "  default: {daily_loss: 500, max_trades: {number: 10, warn_at: [80]}, stale_after: 15m}\n"
DRAWDOWN = "  default: {max_drawdown: {amount: 100, kind: trailing, lock_at: 5}}\n"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (BASE, BASE, []),
        ("", BASE, []),
        (BASE, "", ["default: daily_loss is gone", "default: max_trades is gone"]),
        (BASE, BASE.replace("500", "450"), []),
        (BASE, BASE.replace("500", "500.01"), ["default: daily_loss is 500.01 instead of 500"]),
        (BASE, BASE.replace("[80]", "[90]"), ["default: max_trades has other terms"]),
        (BASE, BASE.replace("15m", "14m"), []),
        (BASE, BASE.replace("15m", "16m"), ["default: stale_after is increased"]),
        (BASE, BASE.replace("15m", "null"), ["default: stale_after is increased"]),
        (BASE, BASE.replace("500", "{amount: 500, on_unknown: breach}"), []),
        (
            BASE.replace("500", "{amount: 500, on_unknown: breach}"),
            BASE,
            ["default: daily_loss has other terms"],
        ),
        (
            BASE,
            BASE.replace("500", "{amount: 500, basis: open_pnl}"),
            ["default: daily_loss has other terms"],
        ),
        (DRAWDOWN, DRAWDOWN.replace("5}", "9}"), ["default: max_drawdown has other terms"]),
        (
            DRAWDOWN,
            DRAWDOWN.replace("trailing, lock_at: 5", "static"),
            ["default: max_drawdown has other terms"],
        ),
        (
            "  default: {trading_hours: 09:00-10:00}\n",
            "  default: {trading_hours: 09:30-10:00}\n",
            ["default: trading_hours has other terms"],
        ),
        (BASE, BASE + "  accounts: {A: {daily_loss: 400}}\n", []),
        (BASE, BASE + "  accounts: {A: {daily_loss: 600}}\n", ["A: daily_loss is 600 instead of 500"]),
        (BASE, BASE + "  accounts: {A: {daily_loss: null}}\n", ["A: daily_loss is gone"]),
        (BASE + "  accounts: {A: {daily_loss: 400}}\n", BASE, ["A: daily_loss is 500 instead of 400"]),
        (BASE + "  accounts: {A: {daily_loss: 900}}\n", BASE, []),
    ],
)
def test_only_what_may_be_looser_is_told(old: str, new: str, told: list[str]) -> None:
    assert find_relaxed_limits(limits(old), limits(new)) == told
