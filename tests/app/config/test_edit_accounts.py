"""Accounts are stated in a file, kept in the ledger with who changed them, and refused in words where they are wrong."""

from decimal import Decimal
from pathlib import Path

import pytest

from tearsheet.app.config.edit_accounts import AccountsEditor
from tearsheet.app.config.settings_audit import setting_changes
from tearsheet.app.currency.stated_rates import RatesFilter, StatedRates
from tearsheet.errors import NotFoundError, SettingsError
from tearsheet.trade.rate import BaseTerms
from tests.support.place import Place

pytestmark = pytest.mark.both_databases

FILE = """accounts:
  FTMO-100K: {starting_balance: 100000, currency: usd, timezone: Europe/Prague, day_starts_at: "00:00"}
  BINANCE: {starting_balance: {USDT: 5000, EUR: 0}}
  XFA-50K: {starting_balance: 0}
base: {currency: USD}
"""


def test_accounts_are_kept_with_who_set_them(place: Place) -> None:
    path = place.write("accounts.yaml", FILE)
    with place.tracker() as tracker:
        revision = tracker.revision
        changes = AccountsEditor(tracker).set_file(path, "kim")
        assert len(changes) == 7
        assert tracker.revision == revision + 1
        assert AccountsEditor(tracker).set_file(path, "kim") == ()
        assert tracker.revision == revision + 1
    with place.tracker() as tracker:
        kept = AccountsEditor(tracker).show()
        assert kept.terms("FTMO-100K").start("USD") == 100000
        assert kept.terms("FTMO-100K").timezone == "Europe/Prague"
        # beside a currency that is stated, the others begin at 0
        assert [kept.terms("BINANCE").start(money) for money in ("USDT", "EUR", "BTC")] == [5000, 0, 0]
        assert kept.terms("XFA-50K").start("USD") == 0
        assert kept.terms("nobody").start("USD") is None
        assert kept.base == BaseTerms("USD")
        later = AccountsEditor(tracker).set_text("accounts: {XFA-50K: null, BINANCE: {}}", "later", "lee")
        assert [(one.name, one.old, one.new) for one in later] == [
            ("BINANCE.starting_balance", "5000 USDT, 0 EUR", None),
            ("XFA-50K.starting_balance", "0 USD", None),
        ]
        assert AccountsEditor(tracker).show().terms("FTMO-100K").start("USD") == 100000
        newest = setting_changes(tracker.ledger, 1)[0]
        assert (newest.who, newest.file, newest.name) == ("lee", "accounts", "XFA-50K.starting_balance")


def test_accounts_that_differ_by_case_and_spaces_are_named(place: Place) -> None:
    with place.tracker() as tracker:
        editor = AccountsEditor(tracker)
        editor.set_text(
            "accounts: {FTMO 100K: {starting_balance: 1}, B: {starting_balance: 1}}", "a.yaml", "kim"
        )
        assert editor.similar_accounts() == []
        fills = "account,symbol,time,side,quantity,price\nftmo 100k,X,2026-11-16T15:00:00Z,buy,1,10\n"
        tracker.import_file(place.write("fills.csv", fills))
        assert editor.similar_accounts() == [["FTMO 100K", "ftmo 100k"]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("accounts: {A: {starting_balance: -5}}", ("accounts.A.starting_balance is '-5'", "not below 0")),
        ("accounts: {A: {starting_balance: {}}}", ("starting_balance", "a map of them by currency")),
        (
            "accounts: {A: {starting_balance: {USD: 1, usd: 2}}}",
            ("starting_balance.usd", "each currency stands once"),
        ),
        ("accounts: {A: {currency: dollars}}", ("accounts.A.currency is 'dollars'", "3 to 5 letters")),
        ("accounts: {A: {timezone: Mars/Base}}", ("accounts.A.timezone is 'Mars/Base'", "IANA")),
        ("accounts: {A: {day_starts_at: 5pm}}", ("accounts.A.day_starts_at is '5pm'", "HH:MM")),
        (
            "accounts:\n  A:\n    balance: 5",
            ("a.yaml:3: accounts.A.balance is no key", "did you mean starting_balance?"),
        ),
        ('accounts: {" C ": {}}', ("accounts. C  is ' C '", "no space around them")),
        ("account: {A: {}}", ("account is no key", "did you mean accounts?")),
        ("base: {money: USD}", ("base.money is no key", "known are currency, rates, max_age, pegs")),
        ("base: {currency: dollars}", ("base.currency is 'dollars'", "3 to 5 letters")),
        ("base: {max_age: 32d}", ("base.max_age is '32d'", "0d to 31d")),
        ("base: {pegs: {USDT: U-D}}", ("base.pegs.USDT is 'U-D'", "a currency code")),
        ("base: {pegs: {USDT: USDT}}", ("base.pegs.USDT is 'USDT'", "a currency that has none")),
        ("base: {pegs: {USDT: USDC, USDC: USD}}", ("base.pegs.USDT is 'USDC'", "a currency that has none")),
        ("accounts: [A]", ("accounts is", "key: value")),
        ("accounts: {'': {}}", ("accounts.", "1 to 200")),
    ],
)
def test_a_wrong_file_changes_nothing(place: Place, text: str, words: tuple[str, ...]) -> None:
    with place.tracker() as tracker:
        with pytest.raises(SettingsError) as refused:
            AccountsEditor(tracker).set_text(text, "a.yaml", "kim")
        assert all(word in str(refused.value) for word in words), str(refused.value)
        assert AccountsEditor(tracker).show().accounts == {}
        with pytest.raises(NotFoundError, match="does not exist"):
            AccountsEditor(tracker).set_file(Path("nowhere.yaml"), "kim")


def test_the_base_is_kept_with_its_rates(place: Place) -> None:
    place.write("config/rates.csv", "date,from,to,rate,source\n2026-03-02,EUR,USD,1.085,ecb\n")
    text = "base: {currency: USD, rates: config/rates.csv, max_age: 3d, pegs: {USDT: USD, USDC: USD}}"
    with place.tracker() as tracker:
        editor = AccountsEditor(tracker)
        changes = editor.set_text(text, "a.yaml", "kim")
        assert [(one.name, one.new) for one in changes] == [
            ("base.currency", "USD"),
            ("base.max_age", "3d"),
            ("base.pegs", "USDT: USD, USDC: USD"),
            ("base.rates", "config/rates.csv"),
        ]
        assert editor.show().base == BaseTerms("USD", {"USDT": "USD", "USDC": "USD"}, 3, "config/rates.csv")
        assert [str(one.rate) for one in StatedRates(tracker).list(RatesFilter(), 5)] == ["1.085"]
        assert editor.set_text(text, "a.yaml", "kim") == ()
        place.write("config/rates.csv", "date,from,to,rate,source\n2026-03-02,EUR,USD,-1,ecb\n")
        with pytest.raises(SettingsError, match="line 2 is wrong: rate is -1"):
            editor.set_text("base: {currency: EUR, rates: config/rates.csv}", "a.yaml", "kim")
        assert editor.show().base.currency == "USD"


def test_an_amount_is_exact(place: Place) -> None:
    with place.tracker() as tracker:
        AccountsEditor(tracker).set_text(
            "accounts: {A: {starting_balance: 0.10000000000000000001}}", "a", "k"
        )
        start = AccountsEditor(tracker).show().terms("A").start("USD")
        assert start == Decimal("0.10000000000000000001")
