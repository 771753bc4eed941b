"""Files that no layout fits, read by `--map`: what it takes, and what it refuses rather than guess."""

from pathlib import Path

import pytest

from tearsheet.cli import EXIT_BAD_DATA, EXIT_OK, main

ROUND_TRIPS = """Ticker;Dir;Size;In;InPx;Out;OutPx;Fee A;Fee B;Status;P/L
MESH26;Long;2;02.03.2026 15:00:00;6000,25;02.03.2026 16:00:00;6004,25;1,20;0,30;done;40
MESH26;Short;1;02.03.2026 17:00:00;6000,00;02.03.2026 18:00:00;6001,00;0,60;0,15;done;-5
"""
BOTH_SIDES = """Inst,Qty,Bought,Bp,Sold,Sp
ZNH26,1,2026-03-02 15:00:00,110'16,2026-03-02 15:10:00,110-17+
ZNH26,1,2026-03-02 17:00:00,110 040,2026-03-02 16:10:00,110 055
ESH26,1,2026-03-02 17:00:00,6 004,2026-03-02 16:10:00,6 005
ZCH26,1,2026-03-02 17:00:00,450'2,2026-03-02 16:10:00,450'6
ZNH26,1,2026-03-02 17:00:00,110 041,2026-03-02 16:10:00,110 055
ESH26,1,2026-03-02 17:00:00,60'16,2026-03-02 16:10:00,60'17
"""
CLOCKS = "Time,Sym,Side,Qty,Px\n09:30:01,AAPL,B,100,200.5\n09:45:01,AAPL,S,100,201.5\n"
TWO_FEES = """account,symbol,time,side,quantity,price,Brokerage,Exchange
A,ABC,2026-03-02T10:00:00Z,buy,10,100,5,1
A,ABC,2026-03-02T11:00:00Z,sell,10,101,5,1
"""
UNNAMED = """Date,Time,Product,Quantity,Price,,Fee,
02-03-2026,10:00,ASML,10,700.5,EUR,-2,EUR
03-03-2026,10:00,ASML,-10,710.5,EUR,-2,EUR
"""
HALVES = """id,Trade ID,Time,Instrument,Side,Amount,Px,Coin
1,900,2026-03-02 10:00:00,BTC-USDT,Buy,0.01,50000,BTC
2,900,2026-03-02 10:00:00,BTC-USDT,Buy,-500,50000,USDT
3,901,2026-03-02 11:00:00,BTC-USDT,Sell,-0.01,51000,BTC
4,901,2026-03-02 11:00:00,BTC-USDT,Sell,510,51000,USDT
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEARSHEET_LOG_LEVEL", "ERROR")
    return tmp_path


def doctor(
    capsys: pytest.CaptureFixture[str], text: str, mapping: str, *more: str, code: int = EXIT_OK
) -> str:
    """What doctor says of a file; the mapping is `column=field` with commas between."""
    Path("own.csv").write_text(text, "utf-8")
    maps = [word for one in filter(None, mapping.split(",")) for word in ("--map", one)]
    assert main(["doctor", "own.csv", "--account", "A", *maps, *more]) == code
    said = capsys.readouterr()
    return said.out + said.err


def test_round_trips_by_entry_and_exit_with_two_fees_and_a_column_named_status(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = doctor(
        capsys,
        ROUND_TRIPS,
        "Ticker=symbol,Dir=side,Size=quantity,In=time,InPx=price,Out=exit_time,OutPx=exit_price,Fee A=commission,"
        "Fee B=commission,P/L=result",
        "--timezone",
        "Europe/Berlin",
    )
    assert "SELL 1 MESH26 @ 6000  fee 0.75 USD" in said
    assert "A  MESH26  2 trades closed, net 32.75 USD" in said


def test_prices_in_fractions_are_told_by_the_tick(capsys: pytest.CaptureFixture[str]) -> None:
    said = doctor(
        capsys,
        BOTH_SIDES,
        "Inst=symbol,Qty=quantity,Bought=bought,Bp=buy_price,Sold=sold,Sp=sell_price",
        "--timezone",
        "UTC",
    )
    for words in (
        "BUY  1 ZNH26 @ 110.5 ",
        "SELL 1 ZNH26 @ 110.546875 ",
        "BUY  1 ZNH26 @ 110.125 ",
        "A  ZNH26  2 trades closed, net 93.75 USD",
        "A  ESH26  1 trade closed, net 50 USD",
        "A  ZCH26  1 trade closed, net 25 USD",
        "price is no fraction, was '110 041'",
        "no reading of it is a multiple of 0.25, the tick of ESH26",
    ):
        assert words in said, words


def test_two_columns_of_fees_are_added_and_kept_in_a_layout(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("own.csv").write_text(TWO_FEES)
    maps = ["--map", "Brokerage=commission", "--map", "Exchange=commission"]
    assert main(["import", "own.csv", *maps, "--constant", "strategy=S", "--save-layout", "mine"]) == EXIT_OK
    capsys.readouterr()
    assert main(["doctor", "own.csv", "--layout", "mine"]) == EXIT_OK
    assert "A  ABC  1 trade closed, net -2 USD" in capsys.readouterr().out


def test_two_columns_of_another_field_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    said = doctor(capsys, TWO_FEES, "Brokerage=price,Exchange=price", code=EXIT_BAD_DATA)
    assert "--map says price of two columns, Brokerage and Exchange" in said


def test_times_without_a_day_need_one(capsys: pytest.CaptureFixture[str]) -> None:
    mapping, zone = "Time=time,Sym=symbol,Qty=quantity,Px=price", ("--timezone", "America/New_York")
    said = doctor(capsys, CLOCKS, mapping, *zone, code=EXIT_BAD_DATA)
    assert "--date YYYY-MM-DD" in said
    said = doctor(capsys, CLOCKS, mapping, *zone, "--date", "2026-03-02")
    assert "2026-03-02 14:30:01+00:00  BUY  100 AAPL @ 200.5" in said
    assert "net 100 USD" in said


def test_a_constant_is_what_every_row_has(capsys: pytest.CaptureFixture[str]) -> None:
    text = "Time,Side,Qty,Px\n2026-03-02T10:00:00Z,Long,1,6000\n"
    said = doctor(capsys, text, "Time=time,Side=side,Qty=quantity,Px=price", "--constant", "symbol=MESH26")
    assert "BUY  1 MESH26 @ 6000" in said
    said = doctor(capsys, text, "Time=time", "--constant", "colour=red", code=EXIT_BAD_DATA)
    assert "there is no field 'colour'" in said


def test_a_column_of_money_that_is_not_mapped_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    mapping = "Date=time,Time=clock,Product=symbol,Fee=commission"
    more = ("--timezone", "UTC", "--fee-sign", "negative", "--date-order", "day-first")
    said = doctor(capsys, UNNAMED, mapping, *more, code=EXIT_BAD_DATA)
    assert "its column 'Price +1' holds EUR, and nothing says in which money its prices are" in said
    for answer in (("--map", "Price +1=currency"), ("--currency", "EUR")):
        assert "net 96 EUR" in doctor(capsys, UNNAMED, mapping, *more, *answer)


def test_a_column_of_taxes_that_is_not_mapped_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    text = "Sym,When,Qty,Px,Commission,Tax,Fee Currency\nAAPL,2026-03-02T10:00:00Z,1,100,1,0.50,USD\n"
    mapping = "Sym=symbol,When=time,Qty=quantity,Px=price,Commission=commission"
    said = doctor(capsys, text, mapping, code=EXIT_BAD_DATA)
    assert "its column 'Tax' holds fees or taxes that would be left out" in said
    assert "fee 1.5 USD" in doctor(capsys, text, f"{mapping},Tax=commission")
    assert "fee 1 USD" in doctor(capsys, text, f"{mapping},Tax=ignore")
    assert "fee 1 USD" in doctor(capsys, text.replace("0.50", "0.00"), mapping)


def test_halves_of_trades_are_not_taken_for_trades(capsys: pytest.CaptureFixture[str]) -> None:
    mapping = "Time=time,Instrument=symbol,Amount=quantity,Px=price"
    said = doctor(capsys, HALVES, mapping, "--timezone", "UTC", "--currency", "USDT", code=EXIT_BAD_DATA)
    assert "each 'Trade ID' stands on two rows" in said


def test_pence_are_hundredths_of_a_pound(capsys: pytest.CaptureFixture[str]) -> None:
    text = """account,symbol,time,side,quantity,price,commission,currency
A,VOD.L,2026-03-02T10:00:00Z,buy,300,182.5,3,GBX
A,VOD.L,2026-03-02T12:00:00Z,sell,300,184.32,3,GBp
"""
    assert "A  VOD.L  1 trade closed, net -0.54 GBP" in doctor(capsys, text, "")


def test_a_saved_mapping_keeps_zone_account_money_and_constants(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "Day;Clock;Sym;Dir;Size;Px;Cost\n02.03.2026;15:00:00;ABC;Long;1,5;10,25;0,50\n"
    Path("own.csv").write_text(rows)
    pairs = (
        "Day=time",
        "Clock=clock",
        "Sym=symbol",
        "Dir=side",
        "Size=quantity",
        "Px=price",
        "Cost=commission",
    )
    maps = [word for pair in pairs for word in ("--map", pair)]
    stated = [
        "--timezone",
        "Europe/Berlin",
        "--account",
        "A",
        "--currency",
        "EUR",
        "--constant",
        "strategy=S",
    ]
    stated += ["--date-order", "day-first", "--decimal-mark", "comma"]
    assert main(["import", "own.csv", *maps, *stated, "--save-layout", "mine"]) == EXIT_OK
    Path("next.csv").write_text(
        rows.replace("Long", "Short").replace("15:00", "16:00").replace("02.03", "04.03")
    )
    capsys.readouterr()
    assert main(["import", "next.csv"]) == EXIT_OK
    said = capsys.readouterr().out
    for words in (
        "(mine): 1 new",
        "the account is A, by the saved layout",
        "money is EUR",
        "of Europe/Berlin",
    ):
        assert words in said, words
    assert main(["positions", "--window", "all", "--json"]) == EXIT_OK
    said = capsys.readouterr().out
    for words in (
        '"account": "A"',
        '"currency": "EUR"',
        '"2026-03-04T15:00:00Z"',
        '"strategy": "S"',
        '"net": -1',
    ):
        assert words in said.replace("+00:00", "Z"), words
    Path("last.csv").write_text(rows.replace("02.03", "05.03"))
    more = ["--account", "B", "--currency", "USD", "--timezone", "UTC"]
    assert main(["doctor", "last.csv", *more]) == EXIT_OK
    said = capsys.readouterr().out
    assert "B  2026-03-05 15:00:00+00:00  BUY  1.5 ABC @ 10.25  fee 0.5 USD" in said


DEBITS = """When,Ticker,Action,Shares,Price,Debit,Credit
2026-03-02 10:00:00,AAPL,Buy,100,200.5,20051.00,0.00
2026-03-02 11:00:00,AAPL,Sell,100,201.5,,20149.00
"""
EFFECTS = """When,Ticker,Type,Side,Qty,Price
2026-03-02 10:00:00,AAPL,Entry,Short,100,200.5
2026-03-02 11:00:00,AAPL,Exit,Short,100,199.5
"""


def test_what_was_paid_and_what_was_received_are_one_amount(capsys: pytest.CaptureFixture[str]) -> None:
    mapping = "When=time,Ticker=symbol,Action=side,Shares=quantity,Debit=cash,Credit=cash"
    said = doctor(capsys, DEBITS, mapping, "--timezone", "UTC")
    assert "BUY  100 AAPL @ 200.5  fee 1 USD" in said
    assert "A  AAPL  1 trade closed, net 98 USD" in said


def test_sides_of_positions_need_the_column_that_says_which_rows_leave_them(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mapping, zone = "When=time,Ticker=symbol,Qty=quantity", ("--timezone", "UTC")
    said = doctor(capsys, EFFECTS, mapping, *zone, code=EXIT_BAD_DATA)
    assert "its column 'Type' says entry and exit" in said
    said = doctor(capsys, EFFECTS, f"{mapping},Type=effect", *zone)
    assert "A  AAPL  1 trade closed, net 100 USD" in said
    maps = [word for pair in f"{mapping},Type=effect".split(",") for word in ("--map", pair)]
    assert main(["import", "own.csv", *maps, *zone, "--account", "A", "--save-layout", "mine"]) == EXIT_OK
    capsys.readouterr()
    assert "net 100 USD" in doctor(capsys, EFFECTS, "")


@pytest.mark.parametrize(("quantity", "code"), [("Qty", EXIT_BAD_DATA), ("Filled Qty", EXIT_OK)])
def test_orders_that_ended_are_no_fills_though_nobody_maps_their_status(
    capsys: pytest.CaptureFixture[str], quantity: str, code: int
) -> None:
    """A cancelled order may have been filled in part: a column of filled quantities says how much."""
    left = "0" if code == EXIT_OK else "10"
    Path("own.csv").write_text(
        f"Sym,Way,{quantity},When,Px,Status\n"
        "AAPL,Kauf,10,1772445600,100,Filled\n"
        "AAPL,Verkauf,10,1772449200000,110,Filled\n"
        f"AAPL,Verkauf,{left},1772449300,110,Cancelled\n"
        "AAPL,Verkauf,10,1772449300,110,Rejected\n"
    )
    maps = ("Sym=symbol", "Way=side", f"{quantity}=quantity", "When=time", "Px=price")
    words = [word for one in maps for word in ("--map", one)]
    words += ["--account", "A", "--currency", "USD", "--save-layout", "own"]
    main(["import", "own.csv", "--timezone", "UTC", *words])
    said = capsys.readouterr()
    assert ("1 rejected" in said.out) == (code == EXIT_BAD_DATA)
    assert f"{1 if code else 2} unfilled_orders" in said.out
    main(["positions", "--window", "all", "--json"])
    assert capsys.readouterr().out.count('"net":') == 1
    Path("again.csv").write_text(Path("own.csv").read_text().replace("AAPL", "MSFT"))
    main(["import", "again.csv", "--account", "A"])
    assert "(own): 2 new" in capsys.readouterr().out
