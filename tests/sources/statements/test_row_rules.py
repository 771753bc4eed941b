"""Times, options, pairs, fractions and fees as brokers write them; what is open is refused, not guessed."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tearsheet.errors import FormatError, UsageError
from tearsheet.sources.config.instruments import load_instruments
from tearsheet.sources.layouts.catalogue import all_layouts, layouts
from tearsheet.sources.layouts.mapping import layout_text, mapped_layout
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.sources.statements.statement import open_statement
from tearsheet.sources.text.contracts import coin_pair, fraction_price, option_symbol
from tearsheet.sources.text.problem import RowError
from tearsheet.sources.text.times import TimeFormatError, TimeParser
from tearsheet.trade.event import Event
from tearsheet.trade.fill import Fill, Rejection, Side

INSTRUMENTS = load_instruments(None, "USD")
CHICAGO = ZoneInfo("America/Chicago")
BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def read(folder: Path, text: str, name: str = "fills.csv", **options: object) -> list[Fill | Rejection]:
    path = folder / name
    path.write_text(text, "utf-8")
    return list(open_statement(path, INSTRUMENTS, StatementOptions(**options)).rows())  # type: ignore[arg-type]


def fills(folder: Path, text: str, name: str = "fills.csv", **options: object) -> list[Fill]:
    rows = read(folder, text, name, **options)
    assert all(isinstance(row, Fill) for row in rows), rows
    return [row for row in rows if isinstance(row, Fill)]


# --- times ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-02T12:00:00Z",
        "2026-03-02 12:00:00 UTC",
        "2026.03.02 12:00:00 GMT",
        "2026/03/02 07:00:00,GMT-05",
        "2026/3/2, 7:00 AM -05:00",
        "03/02/2026 07:00:00 EST",
        "03/02/2026 6:00:00 -06:00",
        "3/2/26 14:00 UTC+02",
        "20260302;120000",
        "20260302 12:00:00",
        "12:00 2026-03-02",
        "Mar. 2, 2026, 12:00 PM",
        "Mar 2 2026 12:00:00",
        "Mon Mar 02 2026 15:00:00 GMT+0300 (Arabian Standard Time)",
        "2 March 2026, 12:00",
        "02-Mar-2026 12:00:00",
        "'2026-03-02 12:00:00",
        "46083.5",
        "2026-03-02, 12:00:00",
    ],
)
def test_times_of_brokers(text: str) -> None:
    assert TimeParser(ZoneInfo("UTC"), "month-first", ascending=True).parse(text) == NOON


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("03/02/2026 06:00:00 IST", "IST may be several zones"),
        ("26-03-02 12:00:00", "the year may come first"),
        ("02/30/2026 12:00", "day is out of range"),
        ("2026.02.30 12:00", "day is out of range"),
        ("3/2/2026 13:00 PM", "hours of a 12-hour clock must be 1 to 12"),
        ("2026-03-02 12:00 UTC+99", "offset must be"),
        ("Foo 2, 2026, 12:00", "invalid time"),
        ("1772445600", "invalid time"),
    ],
)
def test_times_that_are_not_guessed(text: str, reason: str) -> None:
    with pytest.raises(TimeFormatError) as caught:
        TimeParser(CHICAGO, "month-first", ascending=True).parse(text)
    assert reason in caught.value.reason
    assert caught.value.hint


def test_excel_days_know_milliseconds() -> None:
    at = TimeParser(ZoneInfo("UTC"), None, ascending=True).parse("46083.395833333336")
    assert at == datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


# --- instruments in pieces ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expiry", "strike", "right", "symbol"),
    [
        ("20 MAR 26", "580", "Call", "SPY   260320C00580000"),
        ("20MAR26", "712.5", "P", "SPY   260320P00712500"),
        ("2026-03-20", "$1,250.00", "PUT", "SPY   260320P01250000"),
        ("20260320", ".5", "c", "SPY   260320C00000500"),
        ("3/20/2026", "580", "C", "SPY   260320C00580000"),
    ],
)
def test_options_become_occ_symbols(expiry: str, strike: str, right: str, symbol: str) -> None:
    pieces = {"underlying": "spy", "expiry": expiry, "strike": strike, "right": right}
    assert option_symbol(pieces, ["month-first"]) == symbol


@pytest.mark.parametrize(
    "pieces",
    [
        {"underlying": "SPY", "expiry": "31 FEB 26", "strike": "580", "right": "C"},
        {"underlying": "SPY", "expiry": "MAR 26", "strike": "580", "right": "C"},
        {"underlying": "SPY", "expiry": "20 MAR 26", "strike": "0", "right": "C"},
        {"underlying": "SPY", "expiry": "20 MAR 26", "strike": "580.00001", "right": "C"},
        {"underlying": "SPY", "expiry": "20 MAR 26", "strike": "NaN", "right": "C"},
        {"underlying": "SPY", "expiry": "20 MAR 26", "strike": "580", "right": "X"},
        {"underlying": "TOOLONGER", "expiry": "20 MAR 26", "strike": "580", "right": "C"},
        {"underlying": "SPY", "expiry": "3/20/2026", "strike": "580", "right": "C"},
        {},
    ],
)
def test_options_that_are_not_understood(pieces: dict[str, str]) -> None:
    with pytest.raises(RowError, match="the option is not understood"):
        option_symbol(pieces, [])


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("110'16", "110.5"),
        ("110 045", "110.140625"),
        ("110-165", "110.515625"),
        ("123 25", "123.78125"),
        ("110 002", "110.0078125"),
        ("110 317", "110.9921875"),
        ("450'2", "450.25"),
        ("-1'16", "-1.5"),
        ("110.5", None),
        ("", None),
    ],
)
def test_prices_in_fractions(text: str, price: str | None) -> None:
    assert fraction_price(text) == (None if price is None else Decimal(price))


@pytest.mark.parametrize("text", ["110'32", "110'163", "450'8", "110 999"])
def test_fractions_that_are_none(text: str) -> None:
    with pytest.raises(RowError, match="price is no fraction"):
        fraction_price(text)


@pytest.mark.parametrize(
    ("symbol", "pair"),
    [
        ("BTC/USDT", ("BTC", "USDT")),
        ("eth-eur", ("ETH", "EUR")),
        ("BTCUSDT", ("BTC", "USDT")),
        ("USDTTRY", ("USDT", "TRY")),
        ("BTCUSD", ("", "")),
        ("USDT", ("", "")),
        ("BTCUSD_PERP", ("", "")),
        ("BTC-PERP", ("", "")),
    ],
)
def test_pairs_of_coins(symbol: str, pair: tuple[str, str]) -> None:
    assert coin_pair(symbol, ["USDT", "EUR", "TRY"]) == pair


# --- fees and money ----------------------------------------------------------------------------------

SPOT = "Date(UTC),Pair,Side,Price,Executed,Amount,Fee\n"


def test_a_fee_in_the_coin_bought_leaves_less_of_it_and_the_same_result(tmp_path: Path) -> None:
    bought, sold = fills(
        tmp_path,
        SPOT + "2026-03-02 10:00:00,ADAUSDT,BUY,100,1ADA,100USDT,0.001ADA\n"
        "2026-03-02 11:00:00,ADAUSDT,SELL,110,0.999ADA,109.89USDT,0USDT\n",
        account="A",
    )
    assert (bought.quantity, bought.commission, bought.currency) == (Decimal("0.999"), Decimal("0.1"), "USDT")
    assert bought.quantity == sold.quantity
    spent = bought.quantity * bought.price + bought.commission
    assert (spent, sold.quantity * sold.price) == (100, Decimal("109.89"))


def test_a_fee_in_a_third_coin_needs_its_worth(tmp_path: Path) -> None:
    text = SPOT + "2026-03-02 10:00:00,ADAUSDT,BUY,100,1ADA,100USDT,0.002BNB\n"
    bought, fee = read(tmp_path, text, account="A")
    assert isinstance(bought, Fill)
    assert isinstance(fee, Event)
    assert (bought.commission, bought.states_fee) == (0, True)
    assert (fee.kind, fee.amount, fee.currency, fee.symbol) == (
        "foreign_fee",
        Decimal("-0.002"),
        "BNB",
        bought.symbol,
    )
    (fill,) = fills(tmp_path, text, account="A", fee_rates={"BNB": Decimal("612.5")})
    assert (fill.quantity, fill.commission) == (1, Decimal("1.225"))


def test_fees_of_several_currencies_in_one_row_are_not_added(tmp_path: Path) -> None:
    folder = tmp_path / "layouts"
    folder.mkdir()
    (folder / "two_fees.toml").write_text(
        layout_text(mapped_layout({"Sym": "symbol"}, layouts()["generic_fills"], "positive"), "Two fees")
        .replace("[fees]", '[fees]\ncolumns = [["Fee A"], ["Fee B"]]')
        .replace('commission = ["commission"]\n', "")
    )
    text = "Sym,time,quantity,price,Fee A,Fee B\nAAPL,2026-03-02T12:00:00Z,1,10,1 USD,{}\n"
    (row,) = read(tmp_path, text.format("2 EUR"), account="A", layouts=folder)
    assert isinstance(row, Rejection)
    assert "several currencies: EUR, USD" in row.reason
    (fill,) = fills(tmp_path, text.format("2 USD"), account="A", layouts=folder)
    assert fill.commission == 3


FLEX = "ClientAccountID,CurrencyPrimary,AssetClass,Symbol,Multiplier,DateTime,Quantity,TradePrice,TradeMoney,IBCommission,IBCommissionCurrency\n"


@pytest.mark.parametrize(
    ("row", "code", "reason"),
    [
        (
            "U1,USD,FUT,MESM6,50,20260302;120000,1,5000,,-1,USD",
            "contradiction",
            "has a multiplier of 50 for MESM26, the table 5",
        ),
        (
            "U1,USD,FUT,MESM6,5,20260302;120000,1,5000,5000,-1,USD",
            "contradiction",
            "is 25000, but the file says 5000",
        ),
        ("U1,USD,SWAP,X,1,20260302;120000,1,50,50,-1,USD", "unknown_row", "unknown instrument type 'SWAP'"),
        (
            "U1,USD,STK,AAPL,1,20260302;120000,x,50,50,-1,USD",
            "bad_number",
            "quantity is not a number, was 'x'",
        ),
        (
            "U1,USD,STK,AAPL,1,20260302;120000,1,50,50,?,USD",
            "bad_number",
            "commission is not a number, was '?'",
        ),
        ("U1,USD,STK,AAPL,1,20260308;023000,1,50,50,-1,USD", "bad_time", "does not exist in America/Chicago"),
        (
            "U1,USD,STK,AAPL,1,20260302;120000,0,50,50,-1,USD",
            "bad_quantity",
            "quantity must be positive, was 0",
        ),
        (
            "U1,USD,STK,AAPL,1,20260302;120000,1,50,50,-1,USD,more",
            "extra_columns",
            "more columns than the header",
        ),
    ],
)
def test_what_a_file_says_is_held_against_what_is_known(
    tmp_path: Path, row: str, code: str, reason: str
) -> None:
    (rejection,) = read(tmp_path, f"{FLEX}{row}\n", timezone=CHICAGO)
    assert isinstance(rejection, Rejection)
    assert rejection.code == code
    assert reason in rejection.reason


def test_a_file_may_know_a_contract_that_the_table_does_not(tmp_path: Path) -> None:
    (fill,) = fills(
        tmp_path, f"{FLEX}U1,EUR,FUT,QQQQM6,25,20260302;120000,2,100,5000,-1,EUR\n", timezone=CHICAGO
    )
    assert (fill.symbol, fill.multiplier, fill.currency) == ("QQQQM6", 25, "EUR")


def test_a_user_who_states_a_multiplier_has_the_last_word(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("MES: {multiplier: 50}\n")
    path = tmp_path / "flex.csv"
    path.write_text(f"{FLEX}U1,USD,FUT,MESM6,5,20260302;120000,1,5000,,-1,USD\n")
    instruments = load_instruments(tmp_path / "own.yaml", "USD")
    (fill,) = open_statement(path, instruments, StatementOptions(timezone=CHICAGO)).rows()
    assert isinstance(fill, Fill)
    assert fill.multiplier == 50


def test_the_repeated_hour_of_a_statement(tmp_path: Path) -> None:
    rows = "".join(
        f"U1,USD,STK,AAPL,1,20261101;{clock},1,{n},,-1,USD\n"
        for n, clock in enumerate(["005000", "013000", "015000", "011000", "020000"], 1)
    )
    got = fills(tmp_path, FLEX + rows, timezone=CHICAGO)
    assert [fill.time.strftime("%H:%M") for fill in got] == ["05:50", "06:30", "06:50", "07:10", "08:00"]


def test_several_accounts_in_a_file_stay_apart(tmp_path: Path) -> None:
    got = fills(
        tmp_path,
        f"{FLEX}U1,USD,STK,AAPL,1,20260302;120000,1,50,50,-1,USD\nU2,USD,STK,AAPL,1,20260302;120000,-1,50,-50,-1,USD\n",
        timezone=CHICAGO,
        account="ignored where the file says it",
    )
    assert [(fill.account, fill.side) for fill in got] == [("U1", Side.BUY), ("U2", Side.SELL)]


# --- zones -------------------------------------------------------------------------------------------


def test_a_format_that_is_in_utc_stays_so_whatever_is_said_for_other_files(tmp_path: Path) -> None:
    (fill,) = fills(
        tmp_path, SPOT + "2026-03-02 12:00:00,ADAUSDT,BUY,1,1ADA,1USDT,0USDT\n", timezone=CHICAGO, account="A"
    )
    assert fill.time == NOON


def test_a_name_that_says_another_zone_than_utc_is_asked_about(tmp_path: Path) -> None:
    name, text = "trades(UTC+3).csv", SPOT + "2026-03-02 15:00:00,ADAUSDT,BUY,1,1ADA,1USDT,0USDT\n"
    with pytest.raises(FormatError, match=r"its name says that its times are UTC\+3, not UTC"):
        read(tmp_path, text, name, account="A")
    (fill,) = fills(tmp_path, text, name, account="A", timezone=ZoneInfo("Etc/GMT-3"))
    assert fill.time == NOON


# --- numbers that leave it open --------------------------------------------------------------------------


def test_a_decimal_mark_that_is_said(tmp_path: Path) -> None:
    text = "account;symbol;time;side;quantity;price;commission\nA;AAPL;2026-03-02T12:00:00Z;buy;1;1,234;0\n"
    with pytest.raises(FormatError, match="ambiguous numbers") as caught:
        read(tmp_path, text)
    assert caught.value.hint == "set --decimal-mark point or --decimal-mark comma"
    assert fills(tmp_path, text, decimal_mark=",")[0].price == Decimal("1.234")
    assert fills(tmp_path, text, decimal_mark=".")[0].price == 1234


# --- mappings ----------------------------------------------------------------------------------------

OWN = "Ticker;Qty;When;Fill;Costs\nAAPL;100;02.03.2026 13:00;1.234,50;{}\nAAPL;-100;02.03.2026 14:00;1.240,50;0\n"
MAPPING = {"Ticker": "symbol", "Qty": "quantity", "When": "time", "Fill": "price", "Costs": "commission"}


def test_a_file_that_no_layout_fits_is_mapped(tmp_path: Path) -> None:
    got = fills(tmp_path, OWN.format("1,5"), account="ME", timezone=BERLIN, mapping=MAPPING)
    assert [(f.side, f.quantity, f.price, f.commission) for f in got] == [
        (Side.BUY, 100, Decimal("1234.5"), Decimal("1.5")),
        (Side.SELL, 100, Decimal("1240.5"), 0),
    ]
    assert got[0].time == NOON


def test_the_sign_of_mapped_fees_is_asked_for_where_it_matters(tmp_path: Path) -> None:
    text, said = OWN.format("-1,5"), {"account": "ME", "timezone": BERLIN, "mapping": MAPPING}
    with pytest.raises(FormatError, match="negative fees could be costs or rebates"):
        read(tmp_path, text, **said)
    for sign, cost in (("negative", "1.5"), ("positive", "-1.5")):
        assert fills(tmp_path, text, fee_sign=sign, **said)[0].commission == Decimal(cost)


def test_a_mapping_that_is_kept_reads_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "layouts"
    folder.mkdir()
    mapped = mapped_layout(MAPPING, layouts()["generic_fills"], "negative")
    (folder / "mine.toml").write_text(layout_text(mapped, 'My "own"'), "utf-8")
    assert all_layouts(folder)["mine"].title == 'My "own"'
    assert {**all_layouts(folder)}.keys() - layouts().keys() == {"mine"}
    said = {"account": "ME", "timezone": BERLIN}
    kept = fills(tmp_path, OWN.format("-1,5"), layouts=folder, **said)
    assert kept == fills(tmp_path, OWN.format("-1,5"), mapping=MAPPING, fee_sign="negative", **said)


def test_a_mapping_to_a_field_that_there_is_not() -> None:
    with pytest.raises(UsageError, match="there is no field 'ticker'"):
        mapped_layout({"Sym": "ticker"}, layouts()["generic_fills"], None)


def test_a_mapping_of_a_column_that_the_file_has_not(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="layout your_mapping does not fit its header: Ticker, Qty"):
        read(tmp_path, OWN.format("0"), mapping={"Symbol": "symbol"})


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("ADAUSDT,BUY,100,1BTC,100USDT,0.1USDT", "quantity is in BTC, but the trade is of ADA/USDT in ADA"),
        ("ADAUSDT,BUY,100,1ADA,100EUR,0.1USDT", "amount is in EUR, but the trade is of ADA/USDT in USDT"),
        (
            "ADAUSDT,BUY,100,1ADA,1000USDT,0.1USDT",
            "quantity × price × multiplier is 100, but the file says 1000",
        ),
        ("ADAUSDT,BUY,100,1ADA,100USDT,2ADA", "the fee 2 is no less than the quantity"),
        ("ADAUSD,BUY,100,1ADA,100USD,0", "'ADAUSD' is no pair of coins that is known here"),
    ],
)
def test_coins_that_do_not_agree(tmp_path: Path, row: str, reason: str) -> None:
    (rejection,) = read(tmp_path, f"{SPOT}2026-03-02 10:00:00,{row}\n", account="A")
    assert isinstance(rejection, Rejection)
    assert reason in rejection.reason


def test_a_commission_may_settle_the_form_of_all_numbers(tmp_path: Path) -> None:
    text = "Ticker;Qty;When;Fill;Costs\nAAPL;100;2026-03-02 13:00:00;1.234;0,5\n"
    (fill,) = fills(tmp_path, text, account="ME", timezone=BERLIN, mapping=MAPPING)
    assert (fill.price, fill.commission) == (1234, Decimal("0.5"))


def test_a_row_that_is_refused_concerns_the_account_of_the_file_alone(tmp_path: Path) -> None:
    text = SPOT + "2026-03-02 10:00:00,NOPAIR,BUY,100,1,100,0\n"
    (rejection,) = read(tmp_path, text, account="A")
    assert isinstance(rejection, Rejection)
    assert rejection.account == "A"


def test_a_layout_of_the_user_goes_before_a_packaged_one_that_fits_too(tmp_path: Path) -> None:
    folder = tmp_path / "layouts"
    folder.mkdir()
    mapped = mapped_layout({"price": "price"}, layouts()["generic_fills"], "negative")
    (folder / "mine.toml").write_text(layout_text(mapped, "Mine"), "utf-8")
    text = "account,symbol,time,side,quantity,price,commission\nA,AAPL,2026-03-02T12:00:00Z,buy,1,10,-1\n"
    assert fills(tmp_path, text)[0].commission == -1
    assert fills(tmp_path, text, layouts=folder)[0].commission == 1
