"""Tie-out with the reports of brokers: each agrees with its own fills, and names what is missing."""

from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tearsheet.app.reconcile.reconcile import Reconciliation, reconcile_statement
from tearsheet.sources.statements.options import StatementOptions
from tests.support.place import Place, fills_csv

Compare = Callable[..., Reconciliation]
NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture
def compare(place: Place) -> Compare:
    def made(
        name: str, report: str, fills: list[str], method: str = "average", **options: object
    ) -> Reconciliation:
        with place.tracker() as tracker:
            if fills:
                tracker.import_file(place.write("fills.csv", fills_csv(fills)))
            return reconcile_statement(
                tracker, place.write(name, report), StatementOptions(**options), method=method
            )

    return made


def kinds(found: Reconciliation) -> list[tuple[str, str, str]]:
    return [(f"{d.session:%d}", d.what, d.kind) for d in found.differences]


IBKR_FILLS = [
    "U7000001,AAPL,2026-11-16T15:30:00Z,buy,100,200,1,e1",
    "U7000001,AAPL,2026-11-16T16:00:00Z,buy,100,210,1,e2",
    "U7000001,AAPL,2026-11-17T15:00:00Z,sell,100,212,1,e3",
    "U7000001,AAPL,2026-11-18T15:00:00Z,sell,100,215,1,e4",
    "U7000001,MSFT,2026-11-18T16:00:00Z,buy,10,400,1,e5",
]
ACTIVITY = """Statement,Header,Field Name,Field Value
Statement,Data,Title,Activity Statement
Statement,Data,Period,"November 16, 2026 - November 18, 2026"
Account Information,Header,Field Name,Field Value
Account Information,Data,Account,U7000001
Account Information,Data,Base Currency,USD
Cash Report,Header,Currency Summary,Currency,Total,Securities,Futures,
Cash Report,Data,Commissions,Base Currency Summary,-5,-5,0,
Cash Report,Data,Commissions,USD,-5,-5,0,
Cash Report,Data,Deposits,USD,1000,1000,0,
Cash Report,Data,Trades (Sales),USD,42700,42700,0,
Cash Report,Data,Trades (Purchase),USD,-45000,-45000,0,
Realized & Unrealized Performance Summary,Header,Asset Category,Symbol,Cost Adj.,Realized Total,Unrealized Total,Total,Code
Realized & Unrealized Performance Summary,Data,Stocks,AAPL,0,1696,0,1696,
Realized & Unrealized Performance Summary,Data,Total,,0,1696,9,1705,
Open Positions,Header,DataDiscriminator,Asset Category,Currency,Symbol,Quantity,Mult,Cost Price,Cost Basis,Code
Open Positions,Data,Summary,Stocks,USD,MSFT,10,1,400.1,4001,
Open Positions,Total,,Stocks,USD,,,,,4001,
"""
TRADES = """Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,T. Price,C. Price,Proceeds,Comm/Fee,Basis,Realized P/L,MTM P/L,Code
Trades,Data,Order,Stocks,USD,AAPL,"2026-11-16, 10:30:00",100,200,200,-20000,-1,20001,0,0,O
Trades,Data,Order,Stocks,USD,AAPL,"2026-11-16, 11:00:00",100,210,210,-21000,-1,21001,0,0,O
Trades,Data,Order,Stocks,USD,AAPL,"2026-11-17, 10:00:00",-100,212,212,21200,-1,-20001,1198,0,C
Trades,Data,Order,Stocks,USD,AAPL,"2026-11-18, 10:00:00",-100,215,215,21500,-1,-21001,498,0,C
Trades,Data,Order,Stocks,USD,MSFT,"2026-11-18, 11:00:00",10,400,400,-4000,-1,4001,0,0,O
Trades,SubTotal,,Stocks,USD,AAPL,,0,,,1700,-4,0,1696,0,
"""


def test_an_activity_statement_agrees_by_its_own_method(compare: Compare) -> None:
    """Results and mean prices of Interactive Brokers are first in, first out, after fees."""
    found = compare("s.csv", ACTIVITY + TRADES, IBKR_FILLS, timezone=NEW_YORK, method="fifo")
    assert (found.agrees, found.layout, found.compared) == (True, "ibkr_activity", 12)


def test_the_difference_of_methods_is_named_as_such(compare: Compare) -> None:
    found = compare("s.csv", ACTIVITY + TRADES, IBKR_FILLS, timezone=NEW_YORK)
    assert kinds(found) == [("17", "net", "method"), ("18", "net", "method")]
    assert sum(d.difference for d in found.differences) == 0  # once flat, both are the same
    assert not found.agrees


def test_from_flat_to_flat_both_methods_come_to_the_same_sum(compare: Compare) -> None:
    """Without a result for each trade only the sum of the period is compared."""
    trades = TRADES.replace(",1198,0,C", ",,0,C").replace(",498,0,C", ",,0,C")
    trades = trades.replace(",0,0,O", ",,0,O")
    found = compare("s.csv", ACTIVITY + trades, IBKR_FILLS, timezone=NEW_YORK)
    assert (found.agrees, found.compared) == (True, 9)
    wrong = ACTIVITY.replace("Stocks,AAPL,0,1696", "Stocks,AAPL,0,1697")
    [difference] = compare("s.csv", wrong + trades, IBKR_FILLS, timezone=NEW_YORK).differences
    assert (difference.what, difference.kind, difference.difference) == ("net", "unknown", 1)


@pytest.mark.parametrize("lacking", range(5))
def test_whatever_fill_we_lack_the_statement_names_it(compare: Compare, lacking: int) -> None:
    rest = [row for n, row in enumerate(IBKR_FILLS) if n != lacking]
    found = compare("s.csv", ACTIVITY + TRADES, rest, timezone=NEW_YORK, method="fifo")
    [named] = found.fills
    assert (named.lacking, named.line) == ("books", 20 + lacking)
    assert {d.kind for d in found.differences} == {"missing fill"}
    assert {"cash", "fees"} <= {d.what for d in found.differences}


def test_orders_of_a_statement_are_found_in_the_fills_that_they_are_made_of(compare: Compare) -> None:
    parts = [
        "U7000001,MSFT,2026-11-18T16:00:00Z,buy,4,399,0.4,p1",
        "U7000001,MSFT,2026-11-18T16:00:03Z,buy,3,400,0.3,p2",
        "U7000001,MSFT,2026-11-18T16:00:09Z,buy,3,401.33,0.3,p3",
    ]
    report = ACTIVITY.replace("400.1,4001", "400.099,4000.99") + TRADES.replace(
        "10,400,400,-4000,-1,4001", "10,399.999,400,-3999.99,-1,4000.99"
    )
    report = report.replace("(Purchase),USD,-45000,-45000", "(Purchase),USD,-44999.99,-44999.99")
    found = compare("s.csv", report, [*IBKR_FILLS[:4], *parts], timezone=NEW_YORK, method="fifo")
    assert (found.agrees, found.fills) == (True, [])


FLEX = """<FlexQueryResponse queryName="T" type="AF"><FlexStatements count="1">
<FlexStatement accountId="U7000001" fromDate="20261116" toDate="20261118" period="">
<OpenPositions>
<OpenPosition accountId="U7000001" currency="USD" assetCategory="STK" symbol="MSFT" multiplier="1" reportDate="20261118" position="10" costBasisPrice="400.1" levelOfDetail="SUMMARY" />
<OpenPosition accountId="U7000001" currency="USD" assetCategory="STK" symbol="MSFT" multiplier="1" reportDate="20261118" position="10" costBasisPrice="400.1" levelOfDetail="LOT" />
</OpenPositions>
<FIFOPerformanceSummaryInBase>
<FIFOPerformanceSummaryUnderlying accountId="U7000001" assetCategory="STK" symbol="AAPL" totalRealizedPnl="1696" />
</FIFOPerformanceSummaryInBase>
<Trades>
{trades}</Trades>
<CashReport><CashReportCurrency accountId="U7000001" currency="USD" levelOfDetail="Currency" commissions="-5" netTradesSales="42700" netTradesPurchases="-45000" /></CashReport>
</FlexStatement></FlexStatements></FlexQueryResponse>
"""
_TRADE = '<Trade accountId="U7000001" currency="USD" assetCategory="STK" symbol="{}" multiplier="1" tradeDate="{}" dateTime="{};{}" quantity="{}" tradePrice="{}" ibCommission="-1" ibCommissionCurrency="USD" buySell="{}" ibExecID="e{}" openCloseIndicator="{}" fifoPnlRealized="{}" levelOfDetail="EXECUTION" />\n'
FLEX_TRADES = [
    _TRADE.format("AAPL", 20261116, 20261116, 103000, 100, 200, "BUY", 1, "O", 0),
    _TRADE.format("AAPL", 20261116, 20261116, 110000, 100, 210, "BUY", 2, "O", 0),
    _TRADE.format("AAPL", 20261117, 20261117, 100000, -100, 212, "SELL", 3, "C", 1198),
    _TRADE.format("AAPL", 20261118, 20261118, 100000, -100, 215, "SELL", 4, "C", 498),
    _TRADE.format("MSFT", 20261118, 20261118, 110000, 10, 400, "BUY", 5, "O", 0),
]


def test_a_flex_query_ties_out(compare: Compare) -> None:
    report = FLEX.format(trades="".join(FLEX_TRADES))
    assert compare("f.xml", report, IBKR_FILLS, timezone=NEW_YORK, method="fifo").agrees
    found = compare("f.xml", report, IBKR_FILLS, timezone=NEW_YORK)
    assert {d.kind for d in found.differences} == {"method"}


def test_a_flex_query_that_lacks_a_fill_of_ours_says_which(compare: Compare) -> None:
    report = FLEX.format(trades="".join(FLEX_TRADES[:4]))
    found = compare("f.xml", report, IBKR_FILLS, timezone=NEW_YORK, method="fifo")
    [named] = found.fills
    assert (named.lacking, named.fill_id, named.symbol) == ("report", "e5", "MSFT")


def test_a_trade_day_of_the_broker_shows_another_day_start(compare: Compare, place: Place) -> None:
    """Ours begin at midnight UTC, the broker's at 17:00 in Chicago: the fees are a day off."""
    fills = [
        "U7000001,AAPL,2026-11-16T23:30:00Z,buy,1,200,1,e1",
        "U7000001,AAPL,2026-11-17T15:00:00Z,sell,1,210,1,e2",
        "U7000001,AAPL,2026-11-17T23:30:00Z,buy,1,200,1,e3",
        "U7000001,AAPL,2026-11-18T15:00:00Z,sell,1,210,1,e4",
    ]
    rows = [
        ("16;183000", 17, 1, "BUY", 0),
        ("17;100000", 17, -1, "SELL", 8),
        ("17;183000", 18, 1, "BUY", 0),
        ("18;100000", 18, -1, "SELL", 8),
    ]
    trades = "".join(
        _TRADE.format(
            "AAPL",
            f"202611{day}",
            *f"202611{at}".split(";"),
            quantity,
            200 if quantity > 0 else 210,
            side,
            number,
            "O" if quantity > 0 else "C",
            pnl,
        )
        for number, (at, day, quantity, side, pnl) in enumerate(rows, 1)
    )
    report = (
        '<FlexQueryResponse><FlexStatement accountId="U7000001" fromDate="20261116" toDate="20261118">'
        f"{trades}</FlexStatement></FlexQueryResponse>"
    )
    found = compare("f.xml", report, fills, timezone=NEW_YORK)
    assert {d.kind for d in found.differences} == {"day boundary"}
    place.change_rules(PERFORMANCE_SUMMARY_TIMEZONE="America/Chicago", TEARSHEET_DAY_STARTS_AT="17:00")
    with place.tracker() as tracker:
        assert reconcile_statement(
            tracker, place.folder / "f.xml", StatementOptions(timezone=NEW_YORK)
        ).agrees


MT5 = """Time,Deal,Symbol,Type,Direction,Volume,Price,Order,Commission,Fee,Swap,Profit,Balance,Comment
2026.11.16 09:00:00,1,,balance,,,,,0,0,0,3000,3000,Deposit
2026.11.16 10:00:00,2,EURUSD,buy,in,0.10,1.10000,11,-0.35,0,0,0,2999.65,
2026.11.17 10:00:00,3,EURUSD,sell,out,0.10,1.10500,12,-0.35,0,-0.10,50.00,3049.20,
2026.11.18 09:00:00,4,,balance,,,,,0,0,0,-500,2549.20,Withdrawal
2026.11.18 10:00:00,5,EURUSD,sell,in,0.10,1.10400,13,-0.35,0,0,0,{last},
"""


def test_deals_tie_out_with_their_balance(compare: Compare, place: Place) -> None:
    """Deposits and withdrawals are no results; what the account began with is the first deposit."""
    place.write("config/instruments.yaml", "EURUSD: {multiplier: 100000, currency: USD}\n")
    utc = {"timezone": ZoneInfo("UTC"), "account": "M5"}
    with place.tracker() as tracker:
        path = place.write("deals.csv", MT5.format(last="2548.85"))
        tracker.import_file(path, **utc)
        assert reconcile_statement(tracker, path, StatementOptions(**utc)).agrees
        wrong = place.write("wrong.csv", MT5.format(last="2550.85"))
        [found] = reconcile_statement(tracker, wrong, StatementOptions(**utc)).differences
    assert (found.what, found.kind, found.difference) == ("balance", "unknown", 2)


PROJECTX = """Id,ContractName,EnteredAt,ExitedAt,EntryPrice,ExitPrice,Fees,PnL,Size,Type,TradeDay,TradeDuration,Commissions
1,MESZ6,11/16/2026 14:35:12 +00:00,11/16/2026 14:42:15 +00:00,5125.25,5130.50,1.40,52.50,2,Long,11/16/2026,00:07:03,1.00
2,MESZ6,11/16/2026 15:35:12 +00:00,11/16/2026 15:42:15 +00:00,5140.00,5141.00,0.70,-5.00,1,Short,11/16/2026,00:07:03,0.50
"""
RITHMIC = """DEMO1
MESZ6
Entry Order Number,Entry Buy/Sell,Entry Price,Entry Time,Exit Order Number,Exit Price,Exit Time,Fill Size,Trade P&L,Trade Life Span,Commission & Fees
1001,B,5125.25,2026-11-16 09:35:12,1002,5130.50,2026-11-16 09:42:15,2,52.50,00:07:03,2.40
1003,S,5140.00,2026-11-16 10:35:12,1004,5141.00,2026-11-16 10:42:15,1,-5.00,00:07:03,1.20
"""
TRADEZELLA = """Account Name,Open Date,Open Time,Close Date,Close Time,Instrument,Side,Quantity,Entry Price,Exit Price,Gross P&L,Commission,Duration,Adjusted Cost,Adjusted Proceeds
DEMO1,2026-11-16,09:35:12,2026-11-16,09:42:15,MESZ6,Long,2,5125.25,5130.50,52.50,2.40,423,,
DEMO1,2026-11-16,10:35:12,2026-11-16,10:42:15,MESZ6,Short,1,5140.00,5141.00,-5.00,1.20,423,,
"""
MES = [
    "DEMO1,MES 12-26,2026-11-16T14:35:12Z,buy,2,5125.25,1.20,1",
    "DEMO1,MES 12-26,2026-11-16T14:42:15Z,sell,2,5130.50,1.20,2",
    "DEMO1,MES 12-26,2026-11-16T15:35:12Z,sell,1,5140,0.60,3",
    "DEMO1,MES 12-26,2026-11-16T15:42:15Z,buy,1,5141,0.60,4",
]


@pytest.mark.parametrize(
    ("layout", "report", "pairs"),
    [
        ("projectx_trades", PROJECTX, True),
        ("rithmic_performance", RITHMIC, True),
        ("tradezella_trades", TRADEZELLA, False),
    ],
)
def test_reports_of_round_trips_tie_out(compare: Compare, layout: str, report: str, pairs: bool) -> None:
    options = {"timezone": NEW_YORK, "account": "DEMO1"}
    found = compare("r.csv", report, MES, **options)
    assert (found.agrees, found.layout) == (True, layout)
    other = report.replace("5141.00", "5142.00").replace("-5.00", "-10.00")
    found = compare("r.csv", other, MES, **options)
    assert [f.lacking for f in found.fills] == (["books", "report"] if pairs else [])
    assert {"realized"} <= {d.what for d in found.differences}


@pytest.mark.parametrize("hours", [10, -15])
def test_fills_that_were_read_in_another_zone_are_named_as_such(compare: Compare, hours: int) -> None:
    fills = []
    for row in MES:
        account, symbol, at, *others = row.split(",")
        moved = datetime.fromisoformat(at) + timedelta(hours=hours)
        fills.append(",".join([account, symbol, moved.isoformat(), *others]))
    found = compare("r.csv", PROJECTX, fills, account="DEMO1")
    assert {(f.lacking, f.late, f.line) for f in found.fills} == {
        ("instant", hours * 3600, line) for line in (2, 3)
    }
    assert len(found.fills) == 4
    assert {d.kind for d in found.differences} == {"day boundary"}
    words = "10:00:00 h later" if hours > 0 else "15:00:00 h earlier"
    assert words in found.fills[0].description


def test_one_fill_that_is_the_same_at_another_hour_is_no_zone(compare: Compare) -> None:
    fills = [*MES[:3], MES[3].replace("15:42:15", "16:42:15")]
    found = compare("r.csv", PROJECTX, fills, account="DEMO1")
    assert [f.lacking for f in found.fills] == ["books"]


def test_a_fee_of_a_round_trip_belongs_to_the_day_of_its_closing(compare: Compare) -> None:
    report = PROJECTX.replace("11/16/2026 15:42:15 +00:00", "11/17/2026 15:42:15 +00:00").replace(
        "Short,11/16/2026", "Short,11/17/2026"
    )
    fills = [*MES[:3], MES[3].replace("11-16T", "11-17T")]
    assert compare("r.csv", report, fills, account="DEMO1").agrees
    [found] = compare("r.csv", report.replace("0.70", "0.75"), fills, account="DEMO1").differences
    assert (found.what, found.kind, str(found.difference)) == ("paid", "fee", "0.05")


def test_a_line_that_cannot_be_read_is_no_agreement(compare: Compare) -> None:
    report = ACTIVITY + TRADES.replace("-4000,-1,4001", "-4000,one,4001")
    found = compare("s.csv", report, IBKR_FILLS, timezone=NEW_YORK, method="fifo")
    assert ([one.line for one in found.unread], found.agrees) == ([24], False)


def test_prices_in_32nds_are_prices(compare: Compare) -> None:
    report = (
        "symbol,qty,pnl,buyFillId,buyPrice,boughtTimestamp,sellFillId,sellPrice,soldTimestamp\n"
        "ZNZ6,1,$31.25,1,110 040,11/16/2026 09:35:12,2,110 050,11/16/2026 09:42:15\n"
    )
    options = {"account": "DEMO1", "timezone": NEW_YORK}
    bought = "DEMO1,ZN 12-26,2026-11-16T14:35:12Z,buy,1,110.125,0,1"
    sold = "DEMO1,ZN 12-26,2026-11-16T14:42:15Z,sell,1,110.15625,0,2"
    found = compare("r.csv", report, [bought], **options)
    assert [(f.fill_id, str(f.price)) for f in found.fills] == [("2", "110.15625")]
    assert kinds(found) == [("16", "realized", "missing fill")]
    assert compare("r.csv", report, [bought, sold], **options).agrees


def test_an_account_that_is_not_in_the_ledger_is_told(compare: Compare) -> None:
    found = compare("s.csv", ACTIVITY + TRADES, MES, timezone=NEW_YORK, method="fifo")
    words = "the ledger has no account U7000001; it has DEMO1; set --account"
    assert (found.notes, found.agrees) == ([words], False)


def test_cash_is_left_out_where_currencies_were_converted(compare: Compare) -> None:
    row = 'Trades,Data,Order,Stocks,USD,MSFT,"2026-11-18, 12:00:00",10,400,400,-4000,-1,4001,0,0,AFx\n'
    found = compare("s.csv", ACTIVITY + TRADES + row, IBKR_FILLS, timezone=NEW_YORK, method="fifo")
    assert (found.agrees, found.compared, len(found.notes)) == (True, 11, 1)
