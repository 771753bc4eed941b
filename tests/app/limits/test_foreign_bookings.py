"""Limits of an account that trades in other currencies: converted by the day's rate, unknown without one."""

from decimal import Decimal

import pytest

from tearsheet.app.config.edit_accounts import AccountsEditor
from tearsheet.app.currency.stated_rates import StatedRates
from tearsheet.app.limits.verdicts import account_verdicts
from tearsheet.rules.verdict import Verdict
from tearsheet.store.tables.prices import Mark, Marks
from tearsheet.tracker import PerformanceTracker
from tests.support.place import NOON, Place

pytestmark = pytest.mark.both_databases

TODAY = str(NOON.date())
HEADER = "account,symbol,time,side,quantity,price,commission,fill_id,currency\n"
LIMITS = "limits: {accounts: {A: {daily_loss: 100, max_drawdown: 150, stale_after: null}}}"
TERMS = "accounts: {A: {currency: USD, starting_balance: 1000}}"


def fills(*rows: tuple[str, str, str, int]) -> str:
    """Fills of one unit of an instrument of its currency: day and clock, side, currency, price."""
    made = (f"A,{money}X,{at},{side},1,{price},0,{at}{side},{money}" for at, side, money, price in rows)
    return HEADER + "\n".join(made) + "\n"


def usage(tracker: PerformanceTracker, name: str) -> tuple[str, Decimal | None]:
    found = verdict(tracker)
    (one,) = [limit for limit in found.limits if limit.name == name]
    return one.level, one.value


def verdict(tracker: PerformanceTracker) -> Verdict:
    return account_verdicts(tracker).for_account("A")


def bring(place: Place) -> PerformanceTracker:
    place.write("config/dashboard-targets.yaml", LIMITS)
    tracker = place.tracker()
    AccountsEditor(tracker).set_text(TERMS, "a.yaml", "kim")
    rows = fills(
        ("2026-11-19T10:00:00Z", "buy", "EUR", 1000),
        ("2026-11-19T11:00:00Z", "sell", "EUR", 980),
        (f"{TODAY}T10:00:00Z", "buy", "EUR", 1000),
        (f"{TODAY}T11:00:00Z", "sell", "EUR", 950),
        (f"{TODAY}T11:30:00Z", "buy", "USD", 100),
        (f"{TODAY}T11:40:00Z", "sell", "USD", 90),
    )
    tracker.import_file(place.write("fills.csv", rows))
    return tracker


def test_losses_in_another_currency_count_at_the_rate_of_their_day(place: Place) -> None:
    tracker = bring(place)
    assert {reason.code for reason in verdict(tracker).reasons} == {"other_currencies"}
    assert verdict(tracker).state == "unknown"
    rates = StatedRates(tracker)
    rates.add((TODAY, "EUR", "USD", "1.1", "ecb"))
    assert verdict(tracker).state == "unknown"  # the day before has none, and is part of the drawdown
    rates.add(("2026-11-19", "EUR", "USD", "1.2", "ecb"))
    assert usage(tracker, "daily_loss") == ("warn", Decimal("65.0"))
    assert usage(tracker, "max_drawdown") == ("warn", Decimal("89.0"))
    assert {reason.code for reason in verdict(tracker).reasons} == {"warn"}
    # what comes now is converted too, and so is a correction
    later = fills((f"{TODAY}T12:00:00Z", "buy", "EUR", 1000), (f"{TODAY}T12:01:00Z", "sell", "EUR", 990))
    tracker.import_file(place.write("later.csv", later))
    assert usage(tracker, "daily_loss") == ("warn", Decimal("76.0"))
    rates.add((TODAY, "EUR", "USD", "1.5", "my bank"))
    assert usage(tracker, "daily_loss") == ("breach", Decimal("100.0"))
    with place.tracker() as other:
        assert usage(other, "daily_loss") == ("breach", Decimal("100.0"))


def test_a_peg_converts_without_a_rate(place: Place) -> None:
    place.write("config/dashboard-targets.yaml", LIMITS)
    tracker = place.tracker()
    AccountsEditor(tracker).set_text(TERMS, "a.yaml", "kim")
    rows = fills((f"{TODAY}T10:00:00Z", "buy", "USDT", 1000), (f"{TODAY}T11:00:00Z", "sell", "USDT", 950))
    tracker.import_file(place.write("fills.csv", rows))
    assert verdict(tracker).state == "unknown"
    AccountsEditor(tracker).set_text("base: {pegs: {USDT: USD}}", "a.yaml", "kim")
    assert usage(tracker, "daily_loss") == ("warn", Decimal(50))


def test_what_is_open_is_valued_at_the_rate_of_today(place: Place) -> None:
    place.write(
        "config/dashboard-targets.yaml",
        "limits: {accounts: {A: {max_drawdown: {amount: 150, basis: open_pnl}, stale_after: null}}}",
    )
    tracker = place.tracker()
    AccountsEditor(tracker).set_text(TERMS, "a.yaml", "kim")
    tracker.import_file(place.write("fills.csv", fills(("2026-11-19T10:00:00Z", "buy", "EUR", 1000))))
    rates = StatedRates(tracker)
    rates.add(("2026-11-19", "EUR", "USD", "1.2", "ecb"))
    rates.add((TODAY, "EUR", "USD", "1.1", "ecb"))
    assert verdict(tracker).state == "unknown"  # no price
    with tracker.ledger.writing() as queries:
        Marks(queries).save(Mark("EURX", Decimal(960), NOON))
        tracker.ledger.bump_revision()
    assert usage(tracker, "max_drawdown") == ("ok", Decimal("44.0"))
