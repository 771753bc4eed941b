"""Balances: what an account began with, made, and what came and went, by currency."""

from datetime import date
from decimal import Decimal

import pytest

from tearsheet.app.analysis.balances import account_list, balances_of
from tearsheet.app.config.edit_accounts import AccountsEditor
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.session import to_micros
from tests.app.imports.test_cash import ALL, FILLS, cash
from tests.support.place import Place

pytestmark = pytest.mark.both_databases

FIRST, SECOND = date(2026, 11, 16), date(2026, 11, 17)
TERMS = "accounts: {A: {starting_balance: {USD: 10000, EUR: 3000}}, B: {starting_balance: 2000}}"


def bring(place: Place, tracker: PerformanceTracker) -> None:
    tracker.import_file(place.write("fills.csv", FILLS))
    tracker.import_file(cash(place, "cash.csv", *ALL))


def test_a_balance_is_what_was_there_and_what_changed_it(place: Place) -> None:
    with place.tracker() as tracker:
        bring(place, tracker)
        AccountsEditor(tracker).set_text(TERMS, "accounts.yaml", "kim")
        with tracker.ledger.snapshot():
            balances = balances_of(tracker)
            assert balances.at_start("A", "USD", FIRST) == 10000
            assert balances.at_end("A", "USD", FIRST) == balances.at_start("A", "USD", SECOND) == 14999
            assert balances.now("A", "USD") == Decimal("14967.75")
            assert balances.now("A", "EUR") == 2000
            assert balances.flows("A", "USD", FIRST) == 5000
            assert balances.now(None, "USD") == Decimal("16567.75")
            assert balances.currencies("A") == ["EUR", "GBP", "USD"]
            days = balances.days("A", "USD", FIRST, date(2026, 11, 20))
        assert [(day.opening, day.result, day.flows, day.balance) for day in days] == [
            (10000, -1, 5000, 14999),
            (14999, Decimal("-31.25"), 0, Decimal("14967.75")),
        ]
        assert [one.balance for one in account_list(tracker)] == [
            {"EUR": 2000, "GBP": 870, "USD": Decimal("14967.75")},
            {"USD": 1600},
        ]


def test_equity_needs_a_price_of_everything_open(place: Place) -> None:
    with place.tracker() as tracker:
        bring(place, tracker)
        AccountsEditor(tracker).set_text(TERMS, "accounts.yaml", "kim")
        with tracker.ledger.snapshot():
            balances = balances_of(tracker)
            assert balances.equity("A", "USD").value == Decimal("14967.75")
            assert balances.equity("B", "USD").reason == "no mark for XYZ"
        with tracker.ledger.writing() as queries:
            queries.execute("put_mark", ("XYZ", "103", to_micros(tracker.now)))
        with tracker.ledger.snapshot():
            assert balances_of(tracker).equity("B", "USD").value == 1603


def test_without_a_starting_balance_there_is_none_and_it_says_whose(place: Place) -> None:
    with place.tracker(TEARSHEET_STARTING_BALANCE="500") as tracker:
        bring(place, tracker)
        with tracker.ledger.snapshot():
            balances = balances_of(tracker)
            # the number of the ledger goes on while no account states one
            assert balances.at_start(None, "USD", FIRST) == 500
            assert balances.now(None, "EUR") is None
        AccountsEditor(tracker).set_text("accounts: {A: {starting_balance: 1}}", "a", "kim")
        with tracker.ledger.snapshot():
            balances = balances_of(tracker)
            assert (balances.now("B", "USD"), balances.now(None, "USD")) == (None, None)
            assert "of B is stated" in str(balances.missing(None, "USD"))
            assert balances.equity("B", "USD").reason == balances.missing("B", "USD")
            # what B did in dollars is not asked for in euros
            assert balances.now(None, "EUR") == -1000
