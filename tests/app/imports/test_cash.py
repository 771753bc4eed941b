"""Money of accounts beside trading: parts of the tallies, in any order of files, on both databases."""

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec import json

from tearsheet.app.analysis.lists import Lists
from tearsheet.app.config.edit_accounts import AccountsEditor
from tearsheet.app.imports.api_posts import ApiWrites, state_cash
from tearsheet.app.imports.history import ImportHistory
from tearsheet.app.reports import WriteRequest
from tearsheet.performance.summary import Scope
from tearsheet.performance.tally import AccountSums, Tally
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.session import Window
from tests.support.old_ledger import TABLES, make_old, rows_of
from tests.support.place import Place, as_rows

pytestmark = pytest.mark.both_databases

HEADER = "account,time,kind,amount,currency,symbol,id,to_currency,to_amount"
DEPOSIT = "A,2026-11-16T09:00:00Z,deposit,5000,USD,,1"
FEE = "A,2026-11-17T09:00:00Z,data_fee,-25,USD,,2"
INTEREST = "A,2026-11-17T23:00:00Z,credit_interest,1.25,USD,,3"
TAX = "A,2026-11-17T12:00:00Z,withholding_tax,-15,USD,XYZ,4"
GIFT = "A,2026-11-17T13:00:00Z,adjustment,2,USD,,5"
LATE = "A,2026-11-17T13:30:00Z,adjustment,-3.5,USD,,6"
CREDIT = "A,2026-11-17T14:00:00Z,credit,100,USD,,7"
PAYOUT = "B,2026-11-17T15:00:00Z,payout,-400,USD,,8"
EUROS = "A,2026-11-17T16:00:00Z,conversion,-1000,EUR,,9,GBP,870"
ALL = (DEPOSIT, FEE, INTEREST, TAX, GIFT, LATE, CREDIT, PAYOUT, EUROS)
FILLS = """account,symbol,time,side,quantity,price,commission,fill_id
A,XYZ,2026-11-16T15:00:00Z,buy,10,100,1,f1
A,XYZ,2026-11-17T15:00:00Z,sell,10,101,1,f2
B,XYZ,2026-11-17T15:00:00Z,buy,1,100,0,f3
"""


def cash(place: Place, name: str, *rows: str) -> Path:
    full = (row + "," * (HEADER.count(",") - row.count(",")) for row in rows)
    return place.write(name, "\n".join([HEADER, *full]) + "\n")


def tally(tracker: PerformanceTracker, account: str | None, day: int, currency: str = "USD") -> Tally:
    session = date(2026, 11, day)
    with tracker.ledger.snapshot():
        found = tracker.ledger.tallies.between(account, session, date(2026, 11, day + 1), currency)
    return found[0][1] if found else Tally()


def sums(money: AccountSums) -> tuple[Decimal, ...]:
    return money.income, money.costs, money.tax, money.flows, money.converted


def test_money_of_an_account_is_a_part_of_the_session_in_which_it_moved(place: Place) -> None:
    with place.tracker() as tracker:
        tracker.import_file(place.write("fills.csv", FILLS))
        tracker.import_file(cash(place, "cash.csv", *ALL))
        day = tally(tracker, "A", 17)
        assert sums(day.money) == (Decimal("3.25"), Decimal("28.5"), Decimal(15), 0, 0)
        assert (day.curve.net, day.result, day.fills) == (Decimal(9), Decimal("-31.25"), 1)
        assert tally(tracker, "A", 16).balance_change == 4999
        assert sums(tally(tracker, "B", 17).money) == (0, 0, 0, -400, 0)
        assert sums(tally(tracker, "A", 17, "EUR").money) == (0, 0, 0, 0, -1000)
        assert tally(tracker, None, 17).balance_change == Decimal("-431.25")
        assert tracker.verify().differences == []
        week = tracker.get_summary("weekly")
        # what no trading made is in no result of trading, and no deposit is a fill
        assert (week.value("net_pnl"), week.value("fees"), week.value("max_drawdown")) == (8, 2, 1)
        assert week.freshness.last_fill_at is not None
        assert week.freshness.last_fill_at.isoformat() == "2026-11-17T15:00:00+00:00"


def test_shares_that_came_and_went_are_flows_at_their_cost(place: Place) -> None:
    rows = (
        "A,2026-11-16T12:00:00Z,transfer_in,NVDA,20,2000,",
        "A,2026-11-17T12:00:00Z,transfer_out,NVDA,5,,B",
        "A,2026-11-18T12:00:00Z,transfer_out,NVDA,5,,",
    )
    head = "account,time,kind,symbol,quantity,cost,to_account"
    with place.tracker() as tracker:
        tracker.import_file(place.write("moved.csv", "\n".join([head, *rows]) + "\n"))
        flows = [tally(tracker, "A", day).money.flows for day in (16, 17, 18)]
        assert flows == [2000, -500, -500]
        assert tally(tracker, "B", 17).money.flows == 500
        assert tally(tracker, None, 17).money.flows == 0
        assert tracker.verify().differences == []


def test_any_order_of_files_and_an_undo_give_the_same_tallies(place: Place) -> None:
    books = []
    for folder, files in {"one": [ALL], "many": [(PAYOUT, LATE), (INTEREST, TAX, DEPOSIT), ALL]}.items():
        (place.folder / folder).mkdir()
        other = Place(place.folder / folder, place.env)
        with other.tracker() as tracker:
            for number, rows in enumerate(files):
                tracker.import_file(cash(other, f"{number}.csv", *rows))
            tracker.import_file(other.write("fills.csv", FILLS))
            books.append(as_rows(tracker))
            extra = tracker.import_file(
                cash(other, "more.csv", "A,2026-11-17T09:30:00Z,deposit,7,USD,,extra")
            )
            assert as_rows(tracker) != books[0]
            ImportHistory(tracker).undo(extra.id, "test")
            assert as_rows(tracker) == books[0]
            assert tracker.verify().differences == []
    assert books[0] == books[1]


def test_another_trading_day_moves_money_with_its_session(place: Place) -> None:
    with place.tracker() as tracker:
        tracker.import_file(cash(place, "cash.csv", FEE, INTEREST))
        assert sums(tally(tracker, "A", 17).money)[:2] == (Decimal("1.25"), 25)
    place.change_rules(TEARSHEET_DAY_STARTS_AT="17:00")
    with place.tracker() as tracker:
        assert sums(tally(tracker, "A", 17).money)[:2] == (0, 25)
        assert sums(tally(tracker, "A", 18).money)[:2] == (Decimal("1.25"), 0)
        assert tracker.verify().differences == []


def test_a_kept_ledger_with_money_is_booked_again_once(place: Place, tmp_path: Path) -> None:
    """Before version 21 money of accounts was kept as a fact and in no tally."""
    (tmp_path / "source").mkdir()
    source = Place(tmp_path / "source", {})
    with source.tracker() as tracker:
        tracker.import_file(source.write("fills.csv", FILLS))
        tracker.import_file(cash(source, "cash.csv", *ALL))
        books = as_rows(tracker)
        content = {table: rows_of(tracker, table) for table in TABLES}
    content["booking"] = [row for row in content["booking"] if row[-1] is None]
    content["tally"] = []
    make_old(place, 18, content)
    with place.tracker() as tracker:
        assert tracker.sync().rebuilt
        assert as_rows(tracker) == books
        assert not tracker.sync().rebuilt
        assert tracker.verify().differences == []


def test_a_kept_ledger_learns_what_of_its_inflows_was_converted_or_transferred(
    place: Place, tmp_path: Path
) -> None:
    """Before version 27 tallies knew inflows as a whole."""
    (tmp_path / "source").mkdir()
    source = Place(tmp_path / "source", {})
    with source.tracker() as tracker:
        tracker.import_file(source.write("fills.csv", FILLS))
        tracker.import_file(cash(source, "cash.csv", EUROS))
        books = as_rows(tracker)
        content = {table: rows_of(tracker, table) for table in TABLES}
    content["tally"] = [
        tuple(re.sub(r',"converted_in":"870"', "", one) if isinstance(one, str) else one for one in row)
        for row in content["tally"]
    ]
    make_old(place, 26, content)
    with place.tracker() as tracker:
        assert as_rows(tracker) != books
        assert tracker.sync().rebuilt
        assert as_rows(tracker) == books
        assert not tracker.sync().rebuilt


def test_a_transfer_between_accounts_is_no_inflow_of_all(place: Place) -> None:
    terms = "accounts: {A: {starting_balance: 10000}, B: {starting_balance: 0}}"
    rows = ("A,2026-11-16T09:00:00Z,adjustment,1000,USD,,1",)
    moved = ("A,2026-11-16T10:00:00Z,transfer,-9000,USD,,2", "B,2026-11-16T11:00:00Z,transfer,9000,USD,,3")
    with place.tracker() as tracker:
        AccountsEditor(tracker).set_text(terms, "a.yaml", "kim")
        tracker.import_file(cash(place, "made.csv", *rows))
        assert tracker.get_summary("weekly").value("total_return") == pytest.approx(0.1)
        tracker.import_file(cash(place, "moved.csv", *moved))
        assert tracker.get_summary("weekly").value("total_return") == pytest.approx(0.1)
        assert tracker.get_summary("weekly", base="USD").value("total_return") == pytest.approx(0.1)
        # what comes from elsewhere is an inflow, and so is what came to one of the accounts
        assert tally(tracker, "B", 16).money.inflows == 9000
        tracker.import_file(cash(place, "more.csv", "B,2026-11-16T12:00:00Z,transfer,10000,USD,,4"))
        assert tracker.get_summary("weekly").value("total_return") == pytest.approx(0.05)
        assert tally(tracker, None, 16).money.inflows == 10000
        assert tracker.verify().differences == []


def test_a_kept_ledger_without_money_has_the_same_books(place: Place, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    source = Place(tmp_path / "source", {})
    with source.tracker() as tracker:
        tracker.import_file(source.write("fills.csv", FILLS))
        books = as_rows(tracker)
        content = {table: rows_of(tracker, table) for table in TABLES}
    make_old(place, 18, content)
    with place.tracker() as tracker:
        tracker.sync()
        assert as_rows(tracker) == books
        assert not tracker.sync().rebuilt


def test_money_is_stated_once_by_its_id_and_another_content_is_refused(place: Place) -> None:
    deposit = {
        "account": "A",
        "kind": "deposit",
        "amount": "5000",
        "time": "2026-11-16T09:00:00Z",
        "id": "w1",
    }
    with place.tracker() as tracker:
        AccountsEditor(tracker).set_text(
            "accounts: {A: {currency: EUR, starting_balance: 1}}", "a.yaml", "kim"
        )
        first, again = state_cash(tracker, deposit), state_cash(tracker, deposit)
        assert (first.new, again.new, again.known, again.revision) == (1, 0, 1, first.revision)
        refused = state_cash(tracker, deposit | {"amount": "6000"})
        assert [one.code for one in refused.rejections] == ["conflicting_id"]
        # without a currency the money is of the account's
        assert tally(tracker, "A", 16, "EUR").money.flows == 5000
        listed = Lists(tracker).cash(Window.choose("all", tracker.today, None, None), Scope(), 10, None).items
        assert [(one.id, one.counts_as, one.currency) for one in listed] == [("w1", "flows", "EUR")]
        ImportHistory(tracker).undo(listed[0].import_id, "kim")
        assert tally(tracker, "A", 16, "EUR") == Tally()
        assert tracker.verify().differences == []


def test_a_conversion_moves_money_from_pocket_to_pocket_and_its_fee_is_a_cost(place: Place) -> None:
    stated = {"account": "A", "time": "2026-11-16T10:00:00Z", "id": "1"}
    with place.tracker() as tracker:
        state_cash(tracker, {**stated, "kind": "conversion", "currency": "EUR", "amount": "-1000",
                             "to_currency": "USD", "to_amount": "1085"})  # fmt: skip
        state_cash(tracker, {**stated, "kind": "conversion_fee", "currency": "USD", "amount": "-2"})
        assert sums(tally(tracker, "A", 16, "EUR").money) == (0, 0, 0, 0, -1000)
        assert sums(tally(tracker, "A", 16).money) == (0, 2, 0, 0, 1085)
        assert tally(tracker, "A", 16).result == -2
        path = place.write(
            "pocket.csv",
            "account,time,kind,currency,amount,to_currency,to_amount,id\n"
            "A,2026-11-16T10:00:00Z,conversion,EUR,-1000,USD,1085,1\n"
            "A,2026-11-16T10:00:00Z,conversion,EUR,-1000,USD,,2\n",
        )
        report = tracker.import_file(path)
        assert (report.events, [one.code for one in report.rejections]) == (0, ["missing_field"])
        assert sums(tally(tracker, "A", 16).money) == (0, 2, 0, 0, 1085)


def test_a_row_behind_a_conversion_is_rejected_by_its_own_number(place: Place) -> None:
    common = {"account": "A", "time": "2026-11-16T10:00:00Z"}
    conversion = {
        "kind": "conversion",
        "currency": "EUR",
        "amount": "-1000",
        "to_currency": "USD",
        "to_amount": "1085",
    }
    later = {
        "account": "A",
        "kind": "deposit",
        "currency": "USD",
        "amount": "5",
        "time": "2031-01-01T00:00:00Z",
    }
    ahead = common | conversion | {"time": "2031-01-01T00:00:00Z", "id": "2"}
    with place.tracker() as tracker:
        body = json.encode([common | conversion | {"id": "1"}, later, ahead])
        report = ApiWrites(tracker).cash(WriteRequest(body, "POST /api/cash"))
        assert [(one.line, one.code) for one in report.rejections] == [(2, "future_time"), (3, "future_time")]


def test_stated_carry_needs_its_instrument_and_is_borne_by_what_was_held(place: Place) -> None:
    late = {
        "account": "A",
        "kind": "dividend",
        "amount": "7",
        "time": "2026-11-19T09:00:00Z",
        "ex_date": "2026-11-17",
    }
    with place.tracker() as tracker:
        tracker.import_file(place.write("fills.csv", FILLS))
        assert state_cash(tracker, late).rejections[0].reason.startswith("symbol is missing")
        assert state_cash(tracker, late | {"symbol": "XYZ"}).new == 1
        assert tally(tracker, "A", 19).curve.net == 7
        assert [
            p.carry for p in tracker.closed_positions(Window.choose("all", tracker.today, None, None))
        ] == [7]
        assert tracker.verify().differences == []


#: Kind, amount and what else is stated; the words of its refusal, None where it is kept.
STATED = (
    ({"kind": "deposit", "amount": "-5"}, "the amount of a deposit is -5, below 0"),
    ({"kind": "withdrawal", "amount": "500"}, "the amount of a withdrawal is 500, above 0"),
    ({"kind": "payout", "amount": "100"}, "the amount of a payout is 100, above 0"),
    ({"kind": "data_fee", "amount": "25"}, "the amount of a data_fee is 25, above 0"),
    ({"kind": "withholding_tax", "amount": "25"}, "the amount of a withholding_tax is 25, above 0"),
    ({"kind": "conversion", "amount": "-300"}, "the conversion does not state both legs"),
    ({"kind": "conversion", "amount": "300", "to_currency": "EUR", "to_amount": "200"}, "opposite signs"),
    ({"kind": "conversion", "amount": "-300", "to_currency": "USD", "to_amount": "300"}, "USD to itself"),
    ({"kind": "payout", "amount": "-100", "refund": "yes"}, "refund 'yes' does not fit"),
    ({"kind": "data_fee", "amount": "-25", "refund": "yes"}, "refund 'yes' does not fit"),
    ({"kind": "data_fee", "amount": "25", "refund": "yes"}, None),
    ({"kind": "adjustment", "amount": "-25"}, None),
    ({"kind": "transfer", "amount": "-25"}, None),
    ({"kind": "conversion", "amount": "-300", "to_currency": "EUR", "to_amount": "200"}, None),
)


@pytest.mark.parametrize(("fields", "reason"), STATED)
def test_a_sign_that_contradicts_its_kind_is_refused_stated_or_in_a_file(
    place: Place, fields: dict[str, str], reason: str | None
) -> None:
    stated = {"account": "A", "time": "2026-11-16T09:00:00Z", "currency": "USD", "id": "1"} | fields
    path = place.write("stated.csv", f"{','.join(stated)}\n{','.join(stated.values())}\n")
    with place.tracker() as tracker:
        refused = state_cash(tracker, stated).rejections
        imported = tracker.import_file(path)
        if reason is None:
            assert (refused, imported.rejections) == ([], [])
        else:
            assert [reason in one.reason for one in (*refused, *imported.rejections)] == [True, True]
            assert tally(tracker, "A", 16) == Tally()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kind": "gift"}, "kind"),
        ({"amount": "lots"}, "amount"),
        ({"time": "2026-11-16T09:00:00"}, "time"),
        ({"time": "2031-01-01T00:00:00Z"}, "in the future"),
        ({"currency": "dollars"}, "currency"),
        ({"to_amount": "5"}, "to_currency and to_amount do not fit"),
        ({"leg": "up"}, "leg"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_money_that_is_wrong_is_refused_in_words(place: Place, change: dict[str, str], reason: str) -> None:
    stated = {"account": "A", "kind": "deposit", "amount": "1", "time": "2026-11-16T09:00:00Z"}
    with place.tracker() as tracker:
        [refused] = state_cash(tracker, stated | change).rejections
        assert reason in f"{refused.code} {refused.reason} {refused.hint}"
        assert tracker.accounts() == []
