"""Corporate actions and transfers of statements: what brokers write, and the positions that follow."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from tearsheet.app.analysis.lists import Lists
from tearsheet.performance.summary import Scope
from tearsheet.trade.session import Window
from tests.support.place import Place

ALL = Window("all", date(1970, 1, 1), date(2100, 1, 1))
NEW_YORK = ZoneInfo("America/New_York")


def books(place: Place, name: str, content: str) -> tuple[list[str], list[str], list[str]]:
    """Closed and open positions, and what the books lack, of a statement."""
    place.write(name, content)
    with place.tracker() as tracker:
        report = tracker.import_file(place.folder / name, account="A", timezone=NEW_YORK)
        lists = Lists(tracker)
        closed = [f"{p.symbol} {p.net}" for p in lists.closed_trades(ALL, Scope(), 50, None).items]
        held = [
            f"{p.account} {p.symbol} {p.open_quantity.normalize():f}"
            for p in tracker.ledger.queries.open_positions(Scope())
        ]
        lacking = [r.code for r in report.rejections]
        lacking += [
            r.code for r in tracker.get_summary("weekly").partial_reasons if r.code != "rejected_lines"
        ]
        assert tracker.verify().differences == []
    return sorted(closed), sorted(held), lacking


TRADE = (
    '<Trade accountId="U1" currency="USD" assetCategory="STK" symbol="{}" dateTime="20261116;100000" tradeDate="20261116"'
    ' quantity="{}" tradePrice="{}" ibCommission="0" ibCommissionCurrency="USD" buySell="{}" ibExecID="{}"'
    ' levelOfDetail="EXECUTION" transactionType="ExchTrade" notes="" multiplier="1"/>'
)
SALE = TRADE.replace("20261116", "20261119")
ACTION = (
    '<CorporateAction accountId="U1" currency="USD" assetCategory="STK" symbol="{}" dateTime="20261117;202500"'
    ' reportDate="20261118" description="{}" quantity="{}" proceeds="{}" amount="0" value="0" type="{}"'
    ' actionID="7" transactionID="{}"/>'
)
TRANSFER = (
    '<Transfer accountId="{}" currency="USD" assetCategory="{}" symbol="{}" dateTime="20261117;202500" type="{}"'
    ' direction="{}" account="{}" quantity="{}" cashTransfer="{}" transactionID="{}"/>'
)


def flex(*elements: str) -> str:
    return (
        '<FlexQueryResponse queryName="q" type="AF"><FlexStatements count="1"><FlexStatement accountId="U1">'
        f"<Trades>{''.join(e for e in elements if e.startswith('<Trade '))}</Trades>"
        f"<CorporateActions>{''.join(e for e in elements if e.startswith('<Corp'))}</CorporateActions>"
        f"<Transfers>{''.join(e for e in elements if e.startswith('<Transfer'))}</Transfers>"
        "</FlexStatement></FlexStatements></FlexQueryResponse>"
    )


IBKR: dict[str, tuple[Sequence[str], list[str], list[str], list[str]]] = {
    "a reverse split by two rows": (
        (
            TRADE.format("XYZ", 100, 2, "BUY", "e1"),
            ACTION.format(
                "XYZ.OLD", "XYZ(US1234567890) SPLIT 1 FOR 10 (XYZ, XYZ NEW, US1234567899)", -100, 0, "RS", 1
            ),
            ACTION.format(
                "XYZ", "XYZ(US1234567890) SPLIT 1 FOR 10 (XYZ, XYZ NEW, US1234567899)", 10, 0, "RS", 2
            ),
            SALE.format("XYZ", -10, 25, "SELL", "e2"),
        ),
        ["XYZ 50"],
        [],
        [],
    ),
    "a reverse split of a short position": (
        (
            TRADE.format("XYZ", -100, 2, "SELL", "e1"),
            ACTION.format(
                "XYZ.OLD", "XYZ(US1234567890) SPLIT 1 FOR 10 (XYZ, XYZ NEW, US1234567899)", 100, 0, "RS", 1
            ),
            ACTION.format(
                "XYZ", "XYZ(US1234567890) SPLIT 1 FOR 10 (XYZ, XYZ NEW, US1234567899)", -10, 0, "RS", 2
            ),
            SALE.format("XYZ", 10, 15, "BUY", "e2"),
        ),
        ["XYZ 50"],
        [],
        [],
    ),
    "a cash merger": (
        (
            TRADE.format("TWTR", 100, 50, "BUY", "e1"),
            ACTION.format(
                "TWTR",
                "TWTR(US90184L1026) MERGED(Acquisition) FOR USD 54.20 PER SHARE (TWTR, T, US9)",
                -100,
                5420,
                "TC",
                1,
            ),
        ),
        ["TWTR 420"],
        [],
        [],
    ),
    "a stock merger with cash": (
        (
            TRADE.format("OLDCO", 100, 10, "BUY", "e1"),
            ACTION.format(
                "OLDCO",
                "OLDCO(US1234567890) MERGED(Acquisition) WITH US2 1 FOR 2 (NEWCO, N, US2)",
                -100,
                200,
                "TC",
                1,
            ),
            ACTION.format(
                "NEWCO",
                "OLDCO(US1234567890) MERGED(Acquisition) WITH US2 1 FOR 2 (NEWCO, N, US2)",
                50,
                0,
                "TC",
                2,
            ),
            SALE.format("NEWCO", -50, 20, "SELL", "e2"),
        ),
        ["NEWCO 200"],
        [],
        [],
    ),
    "a spin-off": (
        (
            TRADE.format("T", 100, 20, "BUY", "e1"),
            ACTION.format(
                "WBD",
                "T(US00206R1023) SPINOFF  241917 FOR 1000000 (WBD, WARNER BROS, US9344231041)",
                "24.1917",
                0,
                "SO",
                1,
            ),
            SALE.format("T", -100, 21, "SELL", "e2"),
        ),
        ["T 100"],
        ["U1 WBD 24.1917"],
        ["allocation_unknown"],
    ),
    "another symbol": (
        (
            TRADE.format("FB", 10, 200, "BUY", "e1"),
            ACTION.format(
                "FB.OLD",
                "FB(US30303M1027) CUSIP/ISIN CHANGE TO (US30303M1028) (META, META PLATFORMS, US3)",
                -10,
                0,
                "IC",
                1,
            ),
            ACTION.format(
                "META",
                "FB(US30303M1027) CUSIP/ISIN CHANGE TO (US30303M1028) (META, META PLATFORMS, US3)",
                10,
                0,
                "IC",
                2,
            ),
            SALE.format("META", -10, 210, "SELL", "e2"),
        ),
        ["META 100"],
        [],
        [],
    ),
    "removed as worthless": (
        (
            TRADE.format("BAD", 10, 20, "BUY", "e1"),
            ACTION.format("BAD", "BAD(US1234567890) DELISTED (BAD, BAD CO, US1234567890)", -10, 0, "DW", 1),
        ),
        ["BAD -200"],
        [],
        [],
    ),
    "a stock dividend": (
        (
            TRADE.format("XYZ", 100, 22, "BUY", "e1"),
            ACTION.format(
                "XYZ", "XYZ(US1234567890) STOCK DIVIDEND US1 1 FOR 10 (XYZ, X, US1)", 10, 0, "HD", 1
            ),
            SALE.format("XYZ", -110, 21, "SELL", "e2"),
        ),
        ["XYZ 110"],
        [],
        [],
    ),
    "a merger with one of its rows": (
        (
            TRADE.format("OLDCO", 100, 10, "BUY", "e1"),
            ACTION.format(
                "OLDCO",
                "OLDCO(US1234567890) MERGED(Acquisition) WITH US2 1 FOR 2 (NEWCO, N, US2)",
                -100,
                0,
                "TC",
                1,
            ),
        ),
        [],
        ["U1 OLDCO 100"],
        ["unknown_row"],
    ),
    "a merger of shares that nobody bought": (
        (
            ACTION.format(
                "TWTR", "TWTR(US9) MERGED(Acquisition) FOR USD 54.20 PER SHARE", -100, 5420, "TC", 1
            ),
        ),
        [],
        [],
        ["contradiction"],
    ),
    "shares that came and went": (
        (
            TRADE.format("XYZ", 100, 22, "BUY", "e1"),
            TRANSFER.format("U1", "STK", "XYZ", "ACATS", "OUT", "X", -40, 0, 1),
            TRANSFER.format("U1", "STK", "QQQ", "FOP", "IN", "X", 5, 0, 2),
            TRANSFER.format("U1", "CASH", "--", "ACATS", "IN", "X", 0, 500, 3),
            SALE.format("XYZ", -60, 23, "SELL", "e2"),
        ),
        ["XYZ 60"],
        ["U1 QQQ 5"],
        [],
    ),
    "between two accounts of the file": (
        (
            TRADE.format("XYZ", 100, 22, "BUY", "e1"),
            TRANSFER.format("U1", "STK", "XYZ", "INTERNAL", "OUT", "U2", -100, 0, 1),
            TRANSFER.format("U2", "STK", "XYZ", "INTERNAL", "IN", "U1", 100, 0, 2),
            SALE.replace('"U1"', '"U2"').format("XYZ", -60, 23, "SELL", "e2"),
        ),
        [],
        ["U2 XYZ 40"],
        [],
    ),
}


@pytest.mark.parametrize("name", IBKR)
def test_actions_of_interactive_brokers(place: Place, name: str) -> None:
    rows, *expected = IBKR[name]
    assert list(books(place, "flex.xml", flex(*rows))) == expected


FLEX_CSV = """\
"ClientAccountID","CurrencyPrimary","AssetClass","Symbol","Description","Multiplier","DateTime","TradeDate","TransactionType","Quantity","TradePrice","TradeMoney","IBCommission","IBCommissionCurrency","Buy/Sell","IBExecID","Notes/Codes","LevelOfDetail"
"U1","USD","STK","XYZ","XYZ CO","1","20261116;100000","20261116","ExchTrade","100","2","200","-1","USD","BUY","e1","O","EXECUTION"
"U1","USD","STK","XYZ","XYZ CO","1","20261119;100000","20261119","ExchTrade","-10","25","-250","-1","USD","SELL","e2","C","EXECUTION"
"U1","USD","OPT","SPX   261119P05900000","SPX 19NOV26 5900 P","100","20261116;100000","20261116","ExchTrade","-1","20","-2000","-1","USD","SELL","e3","O","EXECUTION"
"ClientAccountID","CurrencyPrimary","AssetClass","Symbol","Description","Multiplier","Date","TransactionType","Quantity","TradePrice","Proceeds","CommisionsAndTax","CostBasis","RealizedPnL","TradeID"
"U1","USD","OPT","SPX   261119P05900000","SPX 19NOV26 5900 P","100","20261119","Assignment","1","0","0","0","0","0","t1"
"U1","USD","OPT","SPX   261119P05900000","SPX 19NOV26 5900 P","100","20261119","Cash Settlement","0","0","-3500","0","0","-3500","t2"
"ClientAccountID","CurrencyPrimary","AssetClass","Symbol","Description","ReportDate","Date/Time","ActionDescription","Amount","Proceeds","Value","Quantity","Type","TransactionID","ActionID"
"U1","USD","STK","XYZ.OLD","XYZ CO","20261118","20261117;202500","XYZ(US1234567890) SPLIT 1 FOR 10 (XYZ, N, US1)","0","0","0","-100","RS","1","7"
"U1","USD","STK","XYZ","XYZ CO","20261118","20261117;202500","XYZ(US1234567890) SPLIT 1 FOR 10 (XYZ, N, US1)","0","0","0","10","RS","2","7"
"ClientAccountID","CurrencyPrimary","AssetClass","Symbol","Description","Date/Time","SettleDate","Amount","Type","TransactionID"
"U1","USD","STK","XYZ","XYZ(US1234567890) CASH DIVIDEND","20261118;202000","20261118","7.5","Dividends","11"
"U1","USD","","","CREDIT INT","20261118","20261118","1.25","Broker Interest Received","12"
"""


def test_a_flex_query_of_several_tables_is_read_whole(place: Place) -> None:
    assert books(place, "flex.csv", FLEX_CSV) == (["SPX   261119P05900000 -1501", "XYZ 55.5"], [], [])


SCHWAB = '"Date","Action","Symbol","Description","Quantity","Price","Fees & Comm","Amount"\n'
ROBINHOOD = '"Activity Date","Process Date","Settle Date","Instrument","Description","Trans Code","Quantity","Price","Amount"\n'
DEGIRO = (
    "Date,Time,Product,ISIN,Reference exchange,Venue,Quantity,Price,,Local value,,Value EUR,Exchange rate,AutoFX Fee,"
    "Transaction and/or third party fees EUR,Total EUR,Order ID,\n"
)
FREETRADE = (
    "Title,Type,Timestamp,Account Currency,Total Amount,Buy / Sell,Ticker,ISIN,Price per Share in Account Currency,"
    "Stamp Duty,Quantity,Venue,Order ID,Order Type,Instrument Currency,Total Shares Amount,Price per Share,FX Rate,"
    "Base FX Rate,FX Fee (BPS),FX Fee Amount,Stock Split Rate of Share Outturn From,Stock Split Rate of Share Outturn To\n"
)
FIDELITY = "Run Date,Action,Symbol,Description,Type,Quantity,Price ($),Commission ($),Fees ($),Accrued Interest ($),Amount ($),Settlement Date\n"
TASTYTRADE = (
    "Date,Type,Sub Type,Action,Symbol,Instrument Type,Description,Value,Quantity,Average Price,Commissions,Fees,Multiplier,"
    "Root Symbol,Underlying Symbol,Expiration Date,Strike Price,Call or Put,Order #,Total,Currency\n"
)
BROKERS: dict[str, tuple[str, list[str], list[str], list[str]]] = {
    "schwab: a reverse split by two rows": (
        SCHWAB + '"11/19/2026","Sell","XYZ","XYZ CO","10","$25.00","","$250.00"\n'
        '"11/18/2026","Reverse Split","XYZ","XYZ CO","10","","",""\n'
        '"11/18/2026","Reverse Split","12345A109","XYZ CO XXXREVERSE SPLIT","-100","","",""\n'
        '"11/16/2026","Buy","XYZ","XYZ CO","100","$2.00","","-$200.00"\n',
        ["XYZ 50"],
        [],
        [],
    ),
    "schwab: a cash merger": (
        SCHWAB + '"11/18/2026","Cash Merger","XYZ","XYZ CO","","","","$5420.00"\n'
        '"11/18/2026","Cash Merger Adj","XYZ","XYZ CO","-100","","",""\n'
        '"11/16/2026","Buy","XYZ","XYZ CO","100","$50.00","","-$5000.00"\n',
        ["XYZ 420"],
        [],
        [],
    ),
    "schwab: a cash merger that is paid two days later": (
        SCHWAB + '"11/19/2026","Cash Merger","XYZ","XYZ CO","","","","$5420.00"\n'
        '"11/17/2026","Cash Merger Adj","XYZ","XYZ CO","-100","","",""\n'
        '"11/16/2026","Buy","XYZ","XYZ CO","100","$50.00","","-$5000.00"\n',
        ["XYZ 420"],
        [],
        [],
    ),
    "schwab: a stock merger": (
        SCHWAB + '"11/19/2026","Sell","NEWCO","NEWCO","50","$25.00","","$1250.00"\n'
        '"11/18/2026","Stock Merger","NEWCO","NEWCO","50","","",""\n'
        '"11/18/2026","Stock Merger","OLDCO","OLDCO","-100","","",""\n'
        '"11/16/2026","Buy","OLDCO","OLDCO","100","$10.00","","-$1000.00"\n',
        ["NEWCO 250"],
        [],
        [],
    ),
    "schwab: another name, and shares that came": (
        SCHWAB + '"11/19/2026","Sell","META","META","10","$210.00","","$2100.00"\n'
        '"11/18/2026","Name Change","META","META","10","","",""\n'
        '"11/18/2026","Name Change","FB","FB","-10","","",""\n'
        '"11/18/2026","Journaled Shares","QQQ","QQQ","3","","",""\n'
        '"11/18/2026","Spin-off","CHILD","CHILD","4","","",""\n'
        '"11/16/2026","Buy","FB","FB","10","$200.00","","-$2000.00"\n',
        ["META 100"],
        ["A QQQ 3"],
        ["unknown_row"],
    ),
    "robinhood: a reverse split, a merger, a transfer": (
        ROBINHOOD + '"11/19/2026","11/19/2026","11/20/2026","DEF","DEF","Sell","10","$25.00","$250.00"\n'
        '"11/18/2026","11/18/2026","11/18/2026","DEF","DEF","SPR","10","",""\n'
        '"11/18/2026","11/18/2026","11/18/2026","DEF","DEF","SPR","100S","",""\n'
        '"11/18/2026","11/18/2026","11/18/2026","TWTR","TWTR","MRGS","10S","","$542.00"\n'
        '"11/18/2026","11/18/2026","11/18/2026","ABC","ABC","ACATO","5","",""\n'
        '"11/16/2026","11/16/2026","11/17/2026","TWTR","TWTR","Buy","10","$50.00","($500.00)"\n'
        '"11/16/2026","11/16/2026","11/17/2026","ABC","ABC","Buy","5","$10.00","($50.00)"\n'
        '"11/16/2026","11/16/2026","11/17/2026","DEF","DEF","Buy","100","$2.00","($200.00)"\n',
        ["DEF 50", "TWTR 42"],
        [],
        [],
    ),
    "fidelity: a reverse split, a distribution, a merger": (
        FIDELITY + "11/19/2026,YOU SOLD XYZ (Cash),XYZ,XYZ,Cash,-10,25,,,,250,11/20/2026\n"
        "11/18/2026,REVERSE SPLIT R/S FROM 12345A109#REOR M0051 (Cash),XYZ,XYZ,Cash,10,,,,,,\n"
        "11/18/2026,REVERSE SPLIT R/S TO 12345A208#REOR M0051 (Cash),12345A109,XYZ,Cash,-100,,,,,,\n"
        "11/18/2026,DISTRIBUTION NVIDIA (NVDA) (Cash),NVDA,NVDA,Cash,9,,,,,,\n"
        "11/18/2026,MERGER MER PAYOUT #REOR (Cash),TWTR,TWTR,Cash,-10,,,,,542,\n"
        "11/16/2026,YOU BOUGHT XYZ (Cash),XYZ,XYZ,Cash,100,2,,,,-200,11/17/2026\n"
        "11/16/2026,YOU BOUGHT NVDA (Cash),NVDA,NVDA,Cash,1,1000,,,,-1000,11/17/2026\n"
        "11/16/2026,YOU BOUGHT TWTR (Cash),TWTR,TWTR,Cash,10,50,,,,-500,11/17/2026\n",
        ["TWTR 42", "XYZ 50"],
        ["A NVDA 10"],
        [],
    ),
    "tastytrade: a forward split by two rows, another symbol": (
        TASTYTRADE
        + "2026-11-18T08:00:00-0500,Receive Deliver,Forward Split,BUY_TO_OPEN,NVDA,Equity,Forward split: Open 100 NVDA,-1000.00,100,-10.00,--,0.00,,,,,,,,-1000.00,USD\n"
        "2026-11-18T08:00:00-0500,Receive Deliver,Forward Split,SELL_TO_CLOSE,NVDA,Equity,Forward split: Close 10 NVDA,1000.00,10,100.00,--,0.00,,,,,,,,1000.00,USD\n"
        "2026-11-16T10:00:00-0500,Trade,Buy to Open,BUY_TO_OPEN,NVDA,Equity,Bought 10 NVDA @ 100.00,-1000.00,10,-100.00,0.00,0.00,,,,,,,1,-1000.00,USD\n",
        [],
        ["A NVDA 100"],
        [],
    ),
    "fidelity: cancelled trades, and one that is booked again as of its day": (
        FIDELITY + "11/19/2026,YOU SOLD XYZ (Cash),XYZ,XYZ,Cash,-10,210,,0.03,,2099.97,11/20/2026\n"
        "11/18/2026,YOU BOUGHT AS OF 11-16-26 XYZ (Cash),XYZ,XYZ,Cash,10,199,,,,-1990,11/17/2026\n"
        "11/18/2026,BUY CANCEL AS OF 11-16-26 XYZ (Cash),XYZ,XYZ,Cash,-10,200,1.3,,,2001.3,11/17/2026\n"
        "11/17/2026,YOU SOLD ABC (Cash),ABC,ABC,Cash,-5,12,,,,60,11/18/2026\n"
        "11/17/2026,CANCELED SELL ABC (Cash),ABC,ABC,Cash,5,13,,,,-65,11/18/2026\n"
        "11/17/2026,YOU SOLD ABC (Cash),ABC,ABC,Cash,-5,13,,,,65,11/18/2026\n"
        "11/16/2026,YOU BOUGHT ABC (Cash),ABC,ABC,Cash,5,10,,,,-50,11/17/2026\n"
        "11/16/2026,YOU BOUGHT XYZ (Cash),XYZ,XYZ,Cash,10,200,1.3,,,-2001.3,11/17/2026\n",
        ["ABC 10", "XYZ 109.97"],
        [],
        [],
    ),
    "schwab: a cancelled purchase": (
        SCHWAB + '"11/19/2026","Sell","XYZ","XYZ CO","10","$210.00","$0.03","$2,099.97"\n'
        '"11/18/2026 as of 11/16/2026","Buy","XYZ","XYZ CO","10","$199.00","","-$1,990.00"\n'
        '"11/18/2026","Cancel Buy","XYZ","XYZ CO","10","$200.00","$1.30","$2,001.30"\n'
        '"11/16/2026","Buy","XYZ","XYZ CO","10","$200.00","$1.30","-$2,001.30"\n',
        ["XYZ 109.97"],
        [],
        [],
    ),
    "schwab: the cash of index options, in the row of their end or in its own": (
        SCHWAB + '"10/16/2026","Assigned","SPX 10/16/2026 5000.00 P","PUT S & P 500","1","","","-$2,500.00"\n'
        '"11/17/2026","Cash Settlement","SPX 11/17/2026 5100.00 C","CALL S & P 500","","","","$700.00"\n'
        '"11/17/2026","Exchange or Exercise","SPX 11/17/2026 5100.00 C","CALL S & P 500","-1","","",""\n'
        '"11/16/2026","Buy to Open","SPX 11/17/2026 5100.00 C","CALL S & P 500","1","$5.00","$0.65","-$500.65"\n'
        '"10/12/2026","Sell to Open","SPX 10/16/2026 5000.00 P","PUT S & P 500","1","$12.00","$1.50","$1,198.50"\n',
        ["SPX   261016P05000000 -1301.5", "SPXW  261117C05100000 199.35"],
        [],
        [],
    ),
    "degiro: another ISIN, and a split of it, each as a sale and a purchase": (
        DEGIRO
        + '18-11-2026,17:10,NEWCO,NL2,EAM,XAMS,-40,"6,0000",EUR,"240,00",EUR,"240,00",,,"-2,00","238,00",id-3,\n'
        '18-11-2026,17:11,THIRD NEW,NL4,EAM,XAMS,-5,"11,0000",EUR,"55,00",EUR,"55,00",,,"-2,00","53,00",id-4,\n'
        '17-11-2026,11:00,NEWCO,NL2,EAM,XAMS,40,"5,0000",EUR,"-200,00",EUR,"-200,00",,,,"-200,00",,\n'
        '17-11-2026,11:00,NEWCO,NL2,EAM,XAMS,-10,"20,0000",EUR,"200,00",EUR,"200,00",,,,"200,00",,\n'
        '17-11-2026,10:00,NEWCO,NL2,EAM,XAMS,10,"20,0000",EUR,"-200,00",EUR,"-200,00",,,,"-200,00",,\n'
        '17-11-2026,10:00,OLDCO,NL1,EAM,XAMS,-10,"20,0000",EUR,"200,00",EUR,"200,00",,,,"200,00",,\n'
        '17-11-2026,09:30,THIRD NEW,NL4,EAM,XAMS,5,"10,0000",EUR,"-50,00",EUR,"-50,00",,,,"-50,00",,\n'
        '17-11-2026,09:30,THIRD OLD,NL3,EAM,XAMS,-5,"10,0000",EUR,"50,00",EUR,"50,00",,,,"50,00",,\n'
        '16-11-2026,15:31,OLDCO,NL1,EAM,XAMS,10,"19,0000",EUR,"-190,00",EUR,"-190,00",,,"-2,00","-192,00",id-1,\n'
        '16-11-2026,15:32,THIRD OLD,NL3,EAM,XAMS,5,"9,0000",EUR,"-45,00",EUR,"-45,00",,,"-2,00","-47,00",id-2,\n',
        ["NL2 46", "NL4 6"],
        [],
        [],
    ),
    "freetrade: a split with its rate": (
        FREETRADE
        + "Nvidia,ORDER,2026-11-18T15:16:15.350Z,GBP,400.40,SELL,NVDA,US1,13.4,0.00,30,XNAS,2,MARKET,USD,510,17,1.27,1.27,39,1.60,,\n"
        "Nvidia,STOCK_SPLIT,2026-11-17T06:00:00.000Z,GBP,,,NVDA,US1,,,,,,,USD,,,,,,,1,10\n"
        "Nvidia,ORDER,2026-11-16T15:16:15.350Z,GBP,302.00,BUY,NVDA,US1,100,0.00,3,XNAS,1,MARKET,USD,381,127,1.27,1.27,39,2.00,,\n",
        ["NVDA 98.4"],
        [],
        [],
    ),
}


@pytest.mark.parametrize("name", BROKERS)
def test_actions_of_other_brokers(place: Place, name: str) -> None:
    content, *expected = BROKERS[name]
    assert list(books(place, "statement.csv", content)) == expected


def test_alpaca_states_actions_as_activities(place: Place) -> None:
    fill = '{"activity_type": "FILL", "id": "%s", "price": "%s", "qty": "%s", "side": "%s", "symbol": "%s", "transaction_time": "%s"}'
    rows = [
        fill % ("a", "10", "100", "buy", "OLDCO", "2026-11-16T15:00:00Z"),
        '{"activity_type": "NC", "id": "b", "date": "2026-11-17", "symbol": "OLDCO", "qty": "-100", "net_amount": "0"}',
        '{"activity_type": "NC", "id": "c", "date": "2026-11-17", "symbol": "NEWCO", "qty": "100", "net_amount": "0"}',
        '{"activity_type": "SPLIT", "id": "d", "date": "2026-11-18", "symbol": "NEWCO", "qty": "100", "net_amount": "0"}',
        '{"activity_type": "JNLS", "id": "e", "date": "2026-11-18", "symbol": "QQQ", "qty": "2", "net_amount": "0"}',
        '{"activity_type": "FEE", "id": "f", "date": "2026-11-18", "net_amount": "-0.02"}',
        fill % ("g", "6", "200", "sell", "NEWCO", "2026-11-19T15:00:00Z"),
    ]
    assert books(place, "a.json", f"[{', '.join(rows)}]") == (["NEWCO 200"], ["A QQQ 2"], [])


def test_what_came_without_its_cost_says_so_at_its_exit(place: Place) -> None:
    content = SCHWAB + (
        '"11/19/2026","Sell","QQQ","QQQ","3","$25.00","","$75.00"\n'
        '"11/16/2026","Security Transfer","QQQ","QQQ","3","","",""\n'
    )
    closed, held, lacking = books(place, "statement.csv", content)
    assert (closed, held, lacking) == ([], [], ["unknown_cost"])
    with place.tracker() as tracker:
        assert tracker.get_summary("weekly").value("net_pnl") == Decimal(0)


ACTIVITY = """\
Statement,Header,Field Name,Field Value
Statement,Data,Title,Activity Statement
Account Information,Header,Field Name,Field Value
Account Information,Data,Account,U1
Deposits & Withdrawals,Header,Currency,Settle Date,Description,Amount
Deposits & Withdrawals,Data,USD,2026-11-16,Electronic Fund Transfer,5000
Deposits & Withdrawals,Data,Total,,,5000
Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,T. Price,C. Price,Proceeds,Comm/Fee,Basis,Realized P/L,MTM P/L,Code
Trades,Data,Order,Stocks,USD,XYZ,"2026-11-16, 10:00:00",100,2,2,-200,-1,201,0,0,O
Trades,Data,Order,Stocks,USD,OLDCO,"2026-11-16, 10:00:00",100,10,10,-1000,-1,1001,0,0,O
Trades,Data,Order,Stocks,USD,XYZ,"2026-11-19, 10:00:00",-10,25,25,250,-1,-201,48,0,C
Transaction Fees,Header,Asset Category,Currency,Date/Time,Symbol,Description,Quantity,Trade Price,Amount,Code
Transaction Fees,Data,Stocks,USD,"2026-11-16, 10:00:00",XYZ,French Daily Trade Charge Tax,100,2,-0.6,
Corporate Actions,Header,Asset Category,Currency,Report Date,Date/Time,Description,Quantity,Proceeds,Value,Realized P/L,Code
Corporate Actions,Data,Stocks,USD,2026-11-18,"2026-11-17, 20:25:00","XYZ(US1234567890) Split 1 for 10 (XYZ.OLD, XYZ CO, US1234567890)",-100,0,0,0,
Corporate Actions,Data,Stocks,USD,2026-11-18,"2026-11-17, 20:25:00","XYZ(US1234567890) Split 1 for 10 (XYZ, XYZ CO, US1234567899)",10,0,0,0,
Corporate Actions,Data,Stocks,USD,2026-11-18,"2026-11-17, 20:25:00","OLDCO(US5) Merged(Acquisition) FOR USD 12.00 PER SHARE (OLDCO, OLD CO, US5555555555)",-100,1200,0,0,
Corporate Actions,Data,Total,,,,,,1200,0,0,
Transfers,Header,Asset Category,Currency,Symbol,Date,Type,Direction,Xfer Company,Xfer Account,Qty,Xfer Price,Market Value,Realized P/L,Cash Amount,Code
Transfers,Data,Stocks,USD,QQQ,2026-11-18,ACATS,In,BROKER,1,5,--,2500,0,0,
Dividends,Header,Currency,Date,Description,Amount
Dividends,Data,USD,2026-11-17,XYZ(US1234567890) Cash Dividend USD 0.075 per Share (Ordinary Dividend),7.5
Withholding Tax,Header,Currency,Date,Description,Amount,Code
Withholding Tax,Data,USD,2026-11-17,XYZ(US1234567890) Cash Dividend - US Tax,-1.12,
Interest,Header,Currency,Date,Description,Amount
Interest,Data,USD,2026-11-17,USD Debit Interest for Oct-2026,-2
"""


def test_an_activity_statement_is_read_with_all_its_parts(place: Place) -> None:
    closed, held, lacking = books(place, "activity.csv", ACTIVITY)
    assert (closed, held, lacking) == (["OLDCO 199", "XYZ 54.9"], ["A QQQ 5"], [])
    with place.tracker() as tracker:
        week = tracker.get_summary("weekly")
        assert (week.value("costs"), week.value("tax")) == (2, Decimal("1.12"))
        assert week.value("flows") == 5000
        assert week.notes == ()


def test_the_end_of_an_option_opens_nothing(place: Place) -> None:
    thinkorswim = (
        "Account Statement for 1SCHW since 11/1/26 through 11/19/26\n\nCash Balance\n"
        "DATE,TIME,TYPE,REF #,DESCRIPTION,Misc Fees,Commissions & Fees,AMOUNT,BALANCE\n"
        '11/17/26,18:00:00,EXP,="3",Removed due to Expiration: EXP: 2.0 .XYZ261117P50,,,0.00,"1,000.00"\n'
    )
    _, held, lacking = books(place, "other.csv", thinkorswim)
    assert held == []
    assert "unmatched_closes" in lacking
