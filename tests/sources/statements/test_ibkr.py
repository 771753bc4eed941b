"""Flex queries of Interactive Brokers in every setting that its query editor offers."""

import itertools
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tearsheet.errors import FormatError
from tearsheet.sources.config.instruments import load_instruments
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.sources.statements.statement import open_statement
from tearsheet.trade.event import Event
from tearsheet.trade.fill import Fill, Side

INSTRUMENTS = load_instruments(Path("/nonexistent.yaml"), "USD")
NEW_YORK = ZoneInfo("America/New_York")
DATES = ("%Y%m%d", "%Y-%m-%d", "%m/%d/%Y", "%m/%d/%y", "%d/%m/%Y", "%d/%m/%y", "%d-%b-%y")
CLOCKS = ("%H%M%S", "%H:%M:%S", "%H%M%S EST", "%H:%M:%S EST")
SEPARATORS = (";", ",", " ")
SETTINGS = [
    pytest.param(day, day + between + clock, id=f"{day}{between}{clock}")
    for day, clock, between in itertools.product(DATES, CLOCKS, SEPARATORS)
]
TRADES = (
    (datetime(2026, 1, 5, 10, 15), "BUY", "100", "10", "e1"),  # noqa: DTZ001 - a wall clock
    (datetime(2026, 1, 15, 11, 15), "SELL", "-100", "11", "e2"),  # noqa: DTZ001
)
COLUMNS = (
    "ClientAccountID,CurrencyPrimary,AssetClass,Symbol,Multiplier,LevelOfDetail,DateTime,TradeDate,"
    "IBExecID,Buy/Sell,Quantity,TradePrice,IBCommission,IBCommissionCurrency"
)


def read(file: Path, timezone: ZoneInfo | None = NEW_YORK, date_order: str | None = None) -> list[Fill]:
    options = StatementOptions(timezone=timezone, account=None, date_order=date_order)  # type: ignore[arg-type]
    rows = list(open_statement(file, INSTRUMENTS, options).rows())
    assert all(isinstance(row, Fill) for row in rows), rows
    return [row for row in rows if isinstance(row, Fill)]


def xml(file: Path, elements: Sequence[str], about: str = "") -> Path:
    file.write_text(
        f'<FlexQueryResponse queryName="T" type="AF"><FlexStatements count="1"><FlexStatement accountId="U1"'
        f" {about}><Trades>{''.join(elements)}</Trades></FlexStatement></FlexStatements></FlexQueryResponse>"
    )
    return file


def element(name: str, level: str, time: str, quantity: str, price: str, **more: str) -> str:
    named = {
        "accountId": "U1",
        "currency": "USD",
        "assetCategory": "STK",
        "symbol": "ABC",
        "levelOfDetail": level,
        "dateTime": time,
        "quantity": quantity,
        "tradePrice": price,
        "ibCommission": "-1",
        "ibCommissionCurrency": "USD",
        **more,
    }
    attributes = " ".join(f'{key}="{value}"' for key, value in named.items())
    return f"<{name} {attributes}/>"


def is_right(fills: Sequence[Fill]) -> bool:
    times = [fill.time.isoformat() for fill in fills]
    bought, sold = fills
    cash = sold.quantity * sold.price - bought.quantity * bought.price - bought.commission - sold.commission
    return (
        (bought.side, sold.side) == (Side.BUY, Side.SELL)
        and times == ["2026-01-05T15:15:00+00:00", "2026-01-15T16:15:00+00:00"]
        and cash == 98
    )


@pytest.mark.parametrize(("day", "time"), SETTINGS)
def test_flex_xml_is_read_in_every_date_and_time_setting(day: str, time: str, tmp_path: Path) -> None:
    trades = [
        element("Trade", "EXECUTION", f"{at:{time}}", quantity, price, tradeDate=f"{at:{day}}", ibExecID=name)
        for at, _, quantity, price, name in TRADES
    ]
    assert is_right(read(xml(tmp_path / "flex.xml", trades)))


@pytest.mark.parametrize(("day", "time"), SETTINGS)
def test_flex_csv_is_read_in_every_date_and_time_setting(day: str, time: str, tmp_path: Path) -> None:
    rows = [
        f'U1,USD,STK,ABC,1,EXECUTION,"{at:{time}}",{at:{day}},{name},{side},{quantity},{price},-1,USD'
        for at, side, quantity, price, name in TRADES
    ]
    file = tmp_path / "flex.csv"
    file.write_text("\n".join([COLUMNS, *rows]))
    assert is_right(read(file))


def test_times_with_a_zone_need_no_time_zone_from_the_user(tmp_path: Path) -> None:
    zoned = [element("Trade", "EXECUTION", "20260105;101500 EST", "1", "10")]
    assert read(xml(tmp_path / "zoned.xml", zoned), timezone=None)[0].time.hour == 15
    local = [element("Trade", "EXECUTION", "20260105;101500", "1", "10")]
    assert read(xml(tmp_path / "local.xml", local), timezone=None)[0].time.hour == 15


def test_an_abbreviation_of_several_zones_is_read_where_it_is_that_of_the_stated_zone(tmp_path: Path) -> None:
    file = xml(tmp_path / "flex.xml", [element("Trade", "EXECUTION", "20260105;101500 CST", "1", "10")])
    assert read(file, ZoneInfo("America/Chicago"))[0].time.hour == 16
    assert read(file, ZoneInfo("Asia/Shanghai"))[0].time.hour == 2
    statement = open_statement(file, INSTRUMENTS, StatementOptions(timezone=NEW_YORK, account=None))
    assert [getattr(row, "code", "") for row in statement.rows()] == ["bad_time"]


@pytest.mark.parametrize(
    ("until", "month"), [("13/05/2026", 5), ("05/13/2026", 4)], ids=["day-first", "month-first"]
)
def test_the_other_dates_of_a_file_tell_whether_days_come_first(
    until: str, month: int, tmp_path: Path
) -> None:
    trades = [element("Trade", "EXECUTION", "04/05/2026;101500", "1", "10")]
    (fill,) = read(xml(tmp_path / "flex.xml", trades, f'toDate="{until}"'))
    assert fill.time.month == month


def test_dates_that_may_be_two_days_are_asked_for(tmp_path: Path) -> None:
    file = xml(tmp_path / "flex.xml", [element("Trade", "EXECUTION", "04/05/2026;101500", "1", "10")])
    with pytest.raises(FormatError, match="ambiguous dates"):
        read(file)
    assert read(file, date_order="day-first")[0].time.month == 5


def test_orders_are_read_where_a_query_has_no_executions(tmp_path: Path) -> None:
    order = element("Order", "ORDER", "20260105;101500", "100", "10")
    executions = [
        element("Trade", "EXECUTION", "20260105;101500", "50", "10", ibExecID=name) for name in "ab"
    ]
    lot = element("Lot", "CLOSED_LOT", "20260105;101500", "100", "10")
    assert [fill.quantity for fill in read(xml(tmp_path / "orders.xml", [order, lot]))] == [100]
    both = read(xml(tmp_path / "both.xml", [order, *executions, lot]))
    assert [fill.quantity for fill in both] == [50, 50]
    with pytest.raises(FormatError, match="Lot only"):
        read(xml(tmp_path / "lots.xml", [lot]))


@pytest.mark.parametrize("levels", [("ORDER",), ("ORDER", "EXECUTION", "CLOSED_LOT")], ids=["orders", "all"])
def test_one_level_of_a_flex_csv_is_read(levels: Sequence[str], tmp_path: Path) -> None:
    file = tmp_path / "flex.csv"
    rows = [f"U1,USD,STK,ABC,1,{level},20260105;101500,20260105,,BUY,100,10,-1,USD" for level in levels]
    file.write_text("\n".join([COLUMNS, *rows]))
    assert [fill.quantity for fill in read(file)] == [100]


def test_a_bond_is_priced_in_percent_and_its_accrued_interest_is_carry(tmp_path: Path) -> None:
    bond = {"assetCategory": "BOND", "symbol": "T 4 1/4 12/31/26", "multiplier": "1"}
    bought = element(
        "Trade", "EXECUTION", "20260105;101500", "10000", "98.5", tradeMoney="9850", accruedInt="-120",
        ibExecID="e1", **bond,
    )  # fmt: skip
    sold = element(
        "Trade", "EXECUTION", "20260115;101500", "-10000", "99.25", tradeMoney="-9925", accruedInt="60",
        ibExecID="e2", **bond,
    )  # fmt: skip
    rows = read(xml(tmp_path / "flex.xml", [bought, sold]))
    interest = [(row.symbol, row.kind, row.amount) for row in rows if isinstance(row, Event)]
    fills = [row for row in rows if not isinstance(row, Event)]
    assert [fill.quantity * fill.price * fill.multiplier for fill in fills] == [9850, 9925]
    assert interest == [
        ("T 4 1/4 12/31/26", "accrued_interest", -120),
        ("T 4 1/4 12/31/26", "accrued_interest", 60),
    ]


@pytest.mark.parametrize(
    ("money", "multiplier"), [("", "0.01"), ("9850", "0.01"), ("985000", "1"), ("7880", "")]
)
def test_the_money_of_a_bond_tells_its_unit(money: str, multiplier: str, tmp_path: Path) -> None:
    """Of a bond of which a fifth was paid back, the money is less than the percentage says."""
    trade = element(
        "Trade", "EXECUTION", "20260105;101500", "10000", "98.5", tradeMoney=money, assetCategory="BOND"
    )
    options = StatementOptions(timezone=NEW_YORK, account=None)
    (row,) = open_statement(xml(tmp_path / "flex.xml", [trade]), INSTRUMENTS, options).rows()
    assert (f"{row.multiplier}" if isinstance(row, Fill) else "") == multiplier


def test_a_contract_for_difference_is_not_taken_for_its_share(tmp_path: Path) -> None:
    trades = [
        element("Trade", "EXECUTION", f"20260105;10150{n}", "1", "10", ibExecID=f"e{n}", **more)
        for n, more in enumerate(
            [{}, {"assetCategory": "CFD"}, {"assetCategory": "CFD", "symbol": "IBUS500"}]
        )
    ]
    fills = read(xml(tmp_path / "flex.xml", trades))
    assert [(fill.symbol, fill.multiplier) for fill in fills] == [("ABC", 1), ("ABC CFD", 1), ("IBUS500", 1)]
