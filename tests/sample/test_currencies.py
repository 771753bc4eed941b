"""The account of several currencies: every kind of money is in it, and its balances are those its broker states."""

from datetime import date, timedelta
from decimal import Decimal

from tearsheet.app.analysis.balances import account_list
from tearsheet.app.analysis.base_view import BaseSummaryBuilder
from tearsheet.app.config.edit_accounts import AccountsEditor
from tearsheet.performance.summary import Scope
from tearsheet.sample import write_currencies
from tearsheet.sample.currencies import CURRENCIES_ACCOUNT
from tests.support.place import Place

BEFORE = date(2026, 7, 29)


def test_its_balances_tie_out_in_every_currency(place: Place) -> None:
    sample = write_currencies(place.folder, before=BEFORE, until=date(2026, 11, 20))
    assert sample.last_day < BEFORE - timedelta(days=14)
    with place.tracker() as tracker:
        AccountsEditor(tracker).set_file(sample.accounts, "kim")
        assert [tracker.import_file(path).rejections for path in (sample.fills, sample.cash)] == [[], []]
        balances = {one.account: one.balance for one in account_list(tracker)}
        assert (
            balances[CURRENCIES_ACCOUNT]
            == sample.closing
            == {"EUR": Decimal("7647.61"), "USDT": Decimal("2556.226")}
        )
        window = tracker.window(start=sample.first_day, end=sample.last_day)
        euros = tracker.get_summary(window, scope=Scope(CURRENCIES_ACCOUNT), currency="EUR")
        parts = ("net_pnl", "carry", "income", "costs", "tax", "flows")
        assert [euros.value(part) for part in parts] == [
            Decimal("344.2"),
            94,
            Decimal("3.2"),
            15,
            Decimal("24.79"),
            9500,
        ]
        assert euros.window.timezone == "Europe/Berlin"
        tether = tracker.get_summary(window, scope=Scope(CURRENCIES_ACCOUNT), currency="USDT")
        assert [tether.value(part) for part in parts[:2]] == [Decimal("56.226"), Decimal("-1.35")]
        in_base = BaseSummaryBuilder(tracker, "USD").summary(window, Scope(CURRENCIES_ACCOUNT), None)
        assert in_base.partial_reasons == ()
        assert tracker.verify().differences == []
