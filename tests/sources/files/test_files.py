"""Files that are neither CSV nor workbooks: databases, web pages, documents."""

import json
import sqlite3
import zipfile
from collections import Counter
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tearsheet.errors import FormatError, InputError
from tearsheet.sources.config.instruments import load_instruments
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.sources.statements.statement import Statement, open_statement
from tearsheet.trade.event import Event
from tearsheet.trade.fill import Fill, Rejection
from tests.support.place import SAMPLES

INSTRUMENTS = load_instruments(SAMPLES / "instruments.yaml", "USD")
ATHENS = ZoneInfo("Europe/Athens")


def opened(path: Path, **options: object) -> Statement:
    options = {"timezone": ATHENS, "account": "MINE", **options}
    return open_statement(path, INSTRUMENTS, StatementOptions(**options))  # type: ignore[arg-type]


def rows(path: Path, **options: object) -> list[Fill | Rejection]:
    return list(opened(path, **options).rows())


# --- XML and HTML ------------------------------------------------------------------------------------


def test_flex_rows_have_the_lines_of_an_editor() -> None:
    statement = opened(SAMPLES / "ibkr_flex_xml.xml")
    lines = [statement.line for _ in statement.rows()]
    assert lines == [9, 10, 12, 13, 17, 21, 22]  # 20 repeats 13
    assert statement.bytes_read == statement.total_bytes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x a="&e;"/>',
            "it declares a document type",
        ),
        ("<FlexQueryResponse><Trades><Trade", "it is no XML"),
        ('<a><b c="1"/></a>', "no layout fits its header: element, c"),
        ("<table></table>", "contains no table"),
        (
            "<table><tr><td>Ticket</td><td>Profit</td></tr></table>",
            "no layout fits its header: Ticket, Profit",
        ),
    ],
)
def test_documents_that_are_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "document.xml"
    path.write_text(content)
    with pytest.raises((FormatError, InputError), match=message):
        rows(path)


def test_a_web_page_in_one_line_and_in_utf_16(tmp_path: Path) -> None:
    whole = (SAMPLES / "metatrader5_deals.html").read_text("utf-8")
    path = tmp_path / "report.html"
    path.write_text(whole.replace("\n", " "), "utf-16")
    want = [row for row in rows(SAMPLES / "metatrader5_deals.html") if isinstance(row, Fill)]
    assert [row for row in rows(path) if isinstance(row, Fill)] == want
    assert len(want) == 4  # with the deposit and the swap


def test_a_round_trip_is_two_fills_or_none(tmp_path: Path) -> None:
    path = tmp_path / "trades.csv"
    path.write_text(
        "Ticket,Open Time,Type,Size,Item,Price,S/L,T/P,Close Time,Price,Commission,Taxes,Swap,Profit\n"
        "101,2026.03.02 09:15:00,buy,1.00,EURUSD,1.08420,0,0,2026.03.03 14:22:00,1.08610,-7.00,0,0,190\n"
        "102,2026.03.02 09:15:00,buy,1.00,EURUSD,1.08420,0,0,2026.03.03 14:22:00,,-7.00,0,0,190\n"
        "103,2026.03.02 09:15:00,buy,1.00,EURUSD,1.08420,0,0,never,1.08610,-7.00,0,0,190\n"
    )
    got = rows(path)
    assert [type(row).__name__ for row in got] == ["Fill", "Fill", "Rejection", "Rejection"]
    entry, exit_, no_price, no_time = got
    assert isinstance(entry, Fill)
    assert isinstance(exit_, Fill)
    assert (entry.side.value, entry.price, entry.commission) == ("BUY", Decimal("1.0842"), 7)
    assert (exit_.side.value, exit_.price, exit_.commission) == ("SELL", Decimal("1.0861"), 0)
    assert isinstance(no_price, Rejection)
    assert isinstance(no_time, Rejection)
    assert (no_price.reason, no_time.code) == ("price is empty", "bad_time")


# --- JSON ------------------------------------------------------------------------------------------------


def test_activities_a_line_each(tmp_path: Path) -> None:
    path = tmp_path / "activities.jsonl"
    whole = json.loads((SAMPLES / "alpaca_activities.json").read_text())
    path.write_text("".join(json.dumps(one) + "\n" for one in whole))
    want = [row for row in rows(SAMPLES / "alpaca_activities.json") if isinstance(row, Fill)]
    assert [row for row in rows(path) if isinstance(row, Fill)] == want
    assert Counter(map(type, want)) == {Fill: 5, Event: 5}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1, 2]", "it holds no list of objects"),
        ('{"a": [{"b": 1}', "it is no JSON"),
        ('[{"a": 1, "a": 2}]', "a key stands twice"),
        ("[" * 5000, "it is no JSON"),
        ('[{"event": "started"}]', "no layout fits its keys: event"),
    ],
)
def test_json_that_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(FormatError, match=message):
        rows(path)


# --- databases -------------------------------------------------------------------------------------------


def freqtrade(path: Path, *, with_orders: bool = True) -> Path:
    """The tables of freqtrade's database that are read."""
    database = sqlite3.connect(path)
    database.execute(
        "CREATE TABLE trades (id INTEGER PRIMARY KEY, pair TEXT, fee_open FLOAT, fee_close FLOAT, is_short BOOLEAN, strategy TEXT)"
    )
    database.execute(
        "INSERT INTO trades VALUES (1, 'ETH/USDT', 0.001, 0.002, 0, 'Trend'), (2, 'BTC/USDT', 0.001, 0.002, 1, 'Trend')"
    )
    if with_orders:
        database.execute(
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, ft_trade_id INTEGER, ft_order_side TEXT, order_id TEXT, status TEXT, "
            "filled FLOAT, average FLOAT, price FLOAT, order_filled_date DATETIME, order_update_date DATETIME)"
        )
        database.executemany(
            "INSERT INTO orders VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
            [
                (1, "buy", "o1", "closed", 0.1, 2000.1, 2001.0, "2026-03-02 10:00:00.123000"),
                (1, "sell", "o2", "closed", 0.1, 2010.2, 2010.0, "2026-03-02 11:00:00.000000"),
                (1, "sell", "o3", "canceled", 0.0, None, 2020.0, None),
                (2, "sell", "o4", "closed", 0.01, None, 60000.0, "2026-03-02 12:00:00.000000"),
                (2, "buy", "o5", "open", 0.005, 59000.0, 59000.0, "2026-03-02 13:00:00.000000"),
            ],
        )
    database.commit()
    database.close()
    return path


def test_freqtrades_database(tmp_path: Path) -> None:
    statement = opened(freqtrade(tmp_path / "tradesv3.sqlite"))
    got = [row for row in statement.rows() if isinstance(row, Fill)]
    assert [(f.symbol, f.side.value, f.quantity, f.price, f.commission, f.fill_id) for f in got] == [
        ("ETH/USDT", "BUY", Decimal("0.1"), Decimal("2000.1"), Decimal("0.20001"), "o1"),
        ("ETH/USDT", "SELL", Decimal("0.1"), Decimal("2010.2"), Decimal("0.40204"), "o2"),
        ("BTC/USDT", "SELL", Decimal("0.01"), Decimal("60000"), Decimal("0.6"), "o4"),
    ]
    assert statement.skipped == {"unfilled_orders": 1, "open_orders": 1}
    assert got[0].time.isoformat() == "2026-03-02T10:00:00.123000+00:00"
    assert {f.strategy for f in got} == {"Trend"}


def test_reading_a_database_does_not_change_it(tmp_path: Path) -> None:
    path = freqtrade(tmp_path / "tradesv3.sqlite")
    before = path.read_bytes()
    rows(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["tradesv3.sqlite"]


def test_another_database_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no layout fits its tables: orders lacks ft_trade_id"):
        rows(freqtrade(tmp_path / "other.sqlite", with_orders=False))


def test_a_broken_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.sqlite"
    path.write_bytes(b"SQLite format 3\x00" + b"\x01" * 200)
    with pytest.raises(FormatError, match="the database cannot be read"):
        rows(path)


# --- what broken files taught ------------------------------------------------------------------------------


def test_an_archive_with_a_nameless_part_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fills.ods"
    with zipfile.ZipFile(path, "w") as archive:
        nameless = zipfile.ZipInfo("a")
        nameless.filename = ""
        with archive.open(nameless, "w") as part:
            part.write(b"nothing")
    with pytest.raises(FormatError):
        list(rows(path))


def test_a_row_of_a_coin_ledger_may_be_far_shorter_than_its_header(tmp_path: Path) -> None:
    header, *lines = (SAMPLES / "binance_ledger.csv").read_text().splitlines()
    path = tmp_path / "ledger.csv"
    more = ",".join(f"column{n}" for n in range(30))
    path.write_text("\n".join([f"{more},{header}", *(f"{',' * 29},{line}" for line in lines), "1,2"]) + "\n")
    found = list(rows(path))
    assert [one for one in found if isinstance(one, Fill)]
    assert isinstance(found[-1], Rejection | Event)
