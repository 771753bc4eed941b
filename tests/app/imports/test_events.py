"""Events in the ledger: which position bears them, in any order of files, on both databases."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tearsheet.app.analysis.lists import Lists
from tearsheet.app.analysis.summaries import summarize
from tearsheet.app.imports.history import ImportHistory
from tearsheet.app.imports.stated_events import open_from_reported, settle, state_opening
from tearsheet.app.reconcile.tie_out import tie_out_within
from tearsheet.app.reports import TieOut
from tearsheet.errors import NotFoundError
from tearsheet.performance.summary import Scope
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.session import Window
from tests.support.place import Place, as_rows

pytestmark = pytest.mark.both_databases

ALL = Window("all", date(1970, 1, 1), date(2100, 1, 1))
HEADER = (
    "Uid,Contracts,Filled Type,Filled Quantity,Filled Price,Order Type,Fee Rate,Trading Fee,Direction,"
    "Transaction Time(UTC+0),Transaction ID,Order No."
)
BUY = "1,BTCUSDT,Trade,1,50000,Market,0.00055,27.5,Long,2026-11-16 10:00:00,t1,o1"
SELL = "1,BTCUSDT,Trade,1,50500,Market,0.00055,27.775,Short,2026-11-17 16:00:00,t3,o3"


def funding(at: str, paid: str, name: str) -> str:
    return f"1,BTCUSDT,Funding,1,50100,-,0.0001,{paid},Long,2026-11-{at},{name},-"


HELD = funding("16 16:00:00", "5.01", "f1")
AT_EXIT = funding("17 16:00:12", "5.02", "f2")
TOO_LATE = funding("17 18:00:00", "0.5", "f3")


def csv(place: Place, name: str, *rows: str) -> Path:
    return place.write(name, "\n".join([HEADER, *rows]) + "\n")


def nets(place: Place) -> list[tuple[Decimal, Decimal, Decimal]]:
    with place.tracker() as tracker:
        found = Lists(tracker).closed_trades(ALL, Scope(), 50, None)
        return [(p.gross, p.carry, p.net) for p in found.items]


def tied(
    tracker: PerformanceTracker, path: Path, layout: str, options: StatementOptions = StatementOptions()
) -> TieOut | None:
    """What a file states beside the books."""
    with tracker.ledger.snapshot():
        return tie_out_within(tracker, path, layout, options)


def test_funding_belongs_to_the_position_that_was_held_and_to_the_day_it_was_paid(place: Place) -> None:
    with place.tracker() as tracker:
        report = tracker.import_file(csv(place, "a.csv", TOO_LATE, AT_EXIT, SELL, HELD, BUY))
        assert (report.new, report.events, report.skipped) == (2, 3, {})
        day = summarize(tracker, Window("daily", date(2026, 11, 16), date(2026, 11, 17)))
        assert (day.value("net_pnl"), day.value("carry")) == (Decimal("-32.51"), Decimal("-5.01"))
        week = tracker.get_summary("weekly")
        # the last one is two hours late: paid on that day, borne by no position
        assert (week.value("carry"), week.value("net_pnl")) == (Decimal("-10.53"), Decimal("434.195"))
        assert week.value("closed_pnl") == Decimal("434.695")
        assert tracker.verify().differences == []
    assert nets(place) == [(Decimal(500), Decimal("-10.03"), Decimal("434.695"))]


def test_events_that_come_later_or_twice_give_the_same_books(place: Place) -> None:
    for folder, files in {
        "one": [[AT_EXIT, SELL, HELD, BUY]],
        "two": [[SELL, BUY], [AT_EXIT, HELD], [HELD, BUY]],
    }.items():
        (place.folder / folder).mkdir()
        other = Place(place.folder / folder, place.env)
        with other.tracker() as tracker:
            for number, rows in enumerate(files):
                tracker.import_file(csv(other, f"{number}.csv", *rows))
                assert tracker.verify().differences == []
            if folder == "one":
                whole = as_rows(tracker)
            else:
                assert as_rows(tracker) == whole


def test_undo_takes_carry_out_of_the_position(place: Place) -> None:
    with place.tracker() as tracker:
        tracker.import_file(csv(place, "a.csv", SELL, BUY))
        before = as_rows(tracker)
        later = tracker.import_file(csv(place, "b.csv", AT_EXIT, HELD, TOO_LATE))
        assert as_rows(tracker) != before
        ImportHistory(tracker).undo(later.id, "test")
        assert as_rows(tracker) == before
        assert tracker.verify().matches


def test_an_opening_and_a_settlement_are_stated_and_taken_back(place: Place) -> None:
    sale = "A,ACT,2026-11-17T15:00:00Z,sell,100,30,1,x1,close"
    place.write("a.csv", "account,symbol,time,side,quantity,price,commission,fill_id,effect\n" + sale + "\n")
    with place.tracker() as tracker:
        tracker.import_file(place.folder / "a.csv")
        week = tracker.get_summary("weekly")
        assert [reason.code for reason in week.partial_reasons] == ["unmatched_closes"]
        assert (week.value("total_trades"), week.value("net_pnl"), week.open_positions) == (0, 0, 0)
        at = datetime(2026, 11, 2, tzinfo=UTC)
        opening = state_opening(tracker, "A", "ACT", Decimal(150), Decimal(4125), at, "USD")
        week = tracker.get_summary("weekly")
        assert (week.partial, week.value("net_pnl"), week.open_positions) == (False, 249, 1)
        ended = settle(tracker, "A", "act", Decimal(0), at + timedelta(days=17), how="delisting")
        assert (ended.events, tracker.get_summary("weekly").value("net_pnl")) == (1, Decimal(-1126))
        assert tracker.verify().differences == []
        for number in (ended.id, opening.id):
            ImportHistory(tracker).undo(number, "test")
        assert tracker.get_summary("weekly").partial_reasons[0].code == "unmatched_closes"
        with pytest.raises(NotFoundError):
            settle(tracker, "A", "ACT", Decimal(0))


def test_an_import_says_whether_the_broker_agrees(place: Place) -> None:
    folder = Path(__file__).parents[2] / "stories" / "data" / "cases" / "04-splits" / "ib_flex_forward_split"
    with place.tracker() as tracker:
        tracker.import_file(folder / "ib_split.xml", timezone=ZoneInfo("America/New_York"))
        found = tied(
            tracker,
            folder / "ib_split.xml",
            "ibkr_flex_xml",
            StatementOptions(timezone=ZoneInfo("America/New_York")),
        )
        assert found is not None
        assert (found.compared, found.differences) == (4, ())
        assert found.text == "agrees with the broker: 4 of 4"
        assert tied(tracker, folder / "ib_split.xml", "generic_fills") is None


def test_an_event_with_the_same_id_and_another_amount_is_rejected(place: Place) -> None:
    with place.tracker() as tracker:
        tracker.import_file(csv(place, "a.csv", HELD, BUY))
        report = tracker.import_file(csv(place, "b.csv", funding("16 16:00:00", "6", "f1")))
        assert [r.code for r in report.rejections] == ["conflicting_id"]
        assert "funding f1 of account 1" in report.rejections[0].reason
        assert tracker.get_summary("weekly").partial


def test_cash_that_trading_did_not_make_is_named_beside_the_result(place: Place) -> None:
    rows = "A,2026-11-16T09:00:00Z,deposit,5000,USDT\nA,2026-11-17T09:00:00Z,credit_interest,1.25,USDT\n"
    rows += "A,2026-11-18T09:00:00Z,credit,70,USDT\n"
    place.write("cash.csv", f"account,time,kind,amount,currency\n{rows}")
    with place.tracker() as tracker:
        tracker.import_file(csv(place, "a.csv", SELL, BUY))
        tracker.import_file(place.folder / "cash.csv")
        day = summarize(tracker, Window("daily", date(2026, 11, 17), date(2026, 11, 18)))
        assert (day.value("net_pnl"), day.value("income")) == (Decimal("472.225"), Decimal("1.25"))
        assert (day.value("result"), day.partial, day.notes) == (Decimal("473.475"), False, ())
        week = tracker.get_summary("weekly")
        assert (week.value("flows"), week.value("balance")) == (5000, None)
        [note] = summarize(tracker, day_of(18)).notes
        assert (note.code, note.detail) == ("cash_not_booked", "in no balance: credit 70 USDT (1)")
        [held] = Lists(tracker).closed_trades(week_window(), Scope(), 50, None).items
        one = summarize(tracker, week_window(), Scope(symbol=held.symbol))
        assert (one.value("net_pnl"), one.value("income")) == (held.net, None)
        assert str(one.metrics["income"].reason).startswith("account_only")


def week_window() -> Window:
    return Window("weekly", date(2026, 11, 16), date(2026, 11, 23))


def day_of(day: int) -> Window:
    return Window("daily", date(2026, 11, day), date(2026, 11, day + 1))


FILLS = "account,symbol,time,side,quantity,price,commission,fill_id"


def test_a_round_trip_whose_fee_is_in_a_third_coin(place: Place) -> None:
    rows = (
        "symbol,side,quantity,entry_time,entry_price,exit_time,exit_price,commission,fee_currency,currency",
        "BTCUSDT,long,1,2026-11-16T10:00:00Z,50000,2026-11-16T12:00:00Z,50100,0.002,BNB,USDT",
    )
    place.write("a.csv", "\n".join(rows) + "\n")
    with place.tracker() as tracker:
        report = tracker.import_file(place.folder / "a.csv", account="A")
        assert (report.new, report.events, report.rejected) == (2, 1, 0)
        week = tracker.get_summary("weekly")
        assert (week.currency, week.value("net_pnl")) == ("USDT", Decimal(100))
        assert tracker.get_summary("weekly", currency="BNB").value("fees") == Decimal("0.002")
        assert "foreign_fee" in [reason.code for reason in week.partial_reasons]
        assert tracker.verify().differences == []


def test_a_fee_in_a_third_coin_stands_in_its_own_currency(place: Place) -> None:
    rows = (
        "A,ADA/USDT,2026-11-16T10:00:00Z,BUY,1,1000,0.00125,1,USDT,BNB,",
        "A,ADA/USDT,2026-11-16T12:00:00Z,SELL,1,1010,0.00125,2,USDT,BNB,",
        "A,SOL/USDT,2026-11-16T12:00:00Z,BUY,1,100,0.00125,3,USDT,BNB,600",
    )
    head = f"{FILLS},currency,fee_currency,fee_rate"
    place.write("a.csv", "\n".join([head, *rows]) + "\n")
    with place.tracker() as tracker:
        report = tracker.import_file(place.folder / "a.csv")
        assert (report.new, report.events, report.rejected) == (3, 2, 0)
        week = tracker.get_summary("weekly")
        assert (week.currency, week.value("net_pnl"), week.value("fees")) == (
            "USDT",
            Decimal("9.25"),
            Decimal("0.75"),
        )
        codes = [reason.code for reason in week.partial_reasons]
        assert codes == ["foreign_fee", "other_currencies"]
        coins = tracker.get_summary("weekly", currency="BNB")
        assert (coins.value("net_pnl"), coins.value("fees")) == (Decimal("-0.0025"), Decimal("0.0025"))
        assert tracker.verify().differences == []
        ImportHistory(tracker).undo(report.id, "test")
        assert not tracker.get_summary("weekly").partial


def test_what_could_not_be_booked_counts_for_all_even_before_the_first_session(place: Place) -> None:
    early = "A,ACT,2026-11-02T15:00:00Z,SELL,100,30,1,1,close"
    place.write("a.csv", f"{FILLS},effect\n{early}\n")
    place.write("b.csv", f"{FILLS},effect\n{early.replace(',1,1,', ',1,9,').replace('30', 'x')}\n")
    place.write("c.csv", f"{FILLS},effect\nA,XYZ,2026-11-16T15:00:00Z,BUY,1,30,1,2,open\n")
    with place.tracker() as tracker:
        for name, codes in (
            ("a.csv", ["unmatched_closes"]),
            ("b.csv", ["rejected_lines", "unmatched_closes"]),
            ("c.csv", ["rejected_lines", "unmatched_closes"]),
        ):
            tracker.import_file(place.folder / name)
            assert [reason.code for reason in summarize(tracker, ALL).partial_reasons] == codes


def test_what_was_held_before_is_taken_from_the_brokers_result_by_choice(place: Place) -> None:
    rows = (
        "A,ACT,2026-11-16T15:00:00Z,SELL,100,30,1,1,close,249",
        "A,ACT,2026-11-17T15:00:00Z,BUY,10,20,1,2,open,",
        "A,ACT,2026-11-17T16:00:00Z,SELL,30,21,3,3,close,50",
        "A,ACT,2026-11-18T16:00:00Z,BUY,5,20,1,4,close,-11",
        "A,XYZ,2026-11-17T16:00:00Z,SELL,5,20,1,5,close,",
    )
    place.write("a.csv", "\n".join([f"{FILLS},effect,reported_pnl", *rows]) + "\n")
    with place.tracker() as tracker:
        tracker.import_file(place.folder / "a.csv")
        before = tracker.get_summary("weekly")
        assert (before.value("net_pnl"), before.partial_reasons[0].code) == (8, "unmatched_closes")
        chosen = open_from_reported(tracker, "A", who="test")
        assert (chosen.events, chosen.rejected) == (1, 0)
        week = tracker.get_summary("weekly", scope=Scope(symbol="ACT"))
        assert [reason.code for reason in week.partial_reasons] == ["opening_from_reported"]
        # the broker's own nets, of which the second has 10 that were bought here for 200 and 1
        assert week.value("net_pnl") == 249 + 50 - 11
        closed = Lists(tracker).closed_trades(ALL, Scope(symbol="ACT"), 50, None).items
        assert sorted((p.side, p.quantity, p.net, p.closed_by) for p in closed) == [
            ("long", 10, 8, None),
            ("long", 20, 42, "orphan"),
            ("long", 100, 249, "orphan"),
            ("short", 5, -11, "orphan"),
        ]
        assert tracker.verify().differences == []
        ImportHistory(tracker).undo(chosen.id, "test")
        assert tracker.get_summary("weekly").value("net_pnl") == 8
        with pytest.raises(NotFoundError):
            open_from_reported(tracker, "A", "XYZ")


FLEX = """ClientAccountID,CurrencyPrimary,AssetClass,Symbol,DateTime,Quantity,TradePrice,TradeMoney,IBCommission,IBCommissionCurrency,IBExecID,LevelOfDetail,Open/CloseIndicator,FifoPnlRealized
U1,USD,STK,ACT,20261102;093000,100,150,15000,-1,USD,e1,EXECUTION,O,0
U1,USD,STK,ACT,20261103;093000,-60,151,-9060,-0.6,USD,e2,EXECUTION,C,58.8
U1,USD,STK,ACT,20261103;093000,60,,,,,,CLOSED_LOT,,58.8
U1,USD,STK,OLD,20261104;093000,-10,20,-200,-1,USD,e3,EXECUTION,C,49
U1,USD,STK,FLIP,20261105;093000,10,20,200,-1,USD,e4,EXECUTION,O,0
U1,USD,STK,FLIP,20261106;093000,-20,21,-420,-1,USD,e5,EXECUTION,C;O,8.5
"""


def test_results_of_a_flex_query_are_compared_once_and_open_what_they_close(place: Place) -> None:
    path = place.write("flex.csv", FLEX)
    with place.tracker() as tracker:
        tracker.import_file(path)
        before = tied(tracker, path, "ibkr_flex_csv")
        assert before is not None
        assert before.text == "differs from the broker: 1 of 10 (1 unknown)"
        assert (before.differences[0].symbol, before.differences[0].theirs) == ("OLD", 49)
        open_from_reported(tracker, "U1")
        after = tied(tracker, path, "ibkr_flex_csv")
        assert after is not None
        assert after.text == "agrees with the broker: 10 of 10"
