"""What files of the world look like, one case each: read as it is meant, or refused with what to do."""

import gzip
import zipfile
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tearsheet.errors import FormatError
from tearsheet.sources.config.instruments import load_instruments
from tearsheet.sources.statements.diagnosis import diagnose
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.sources.statements.statement import open_statement
from tearsheet.sources.text.encoding import NumberFormat, detect_number_format
from tearsheet.trade.amount import to_plain_string
from tearsheet.trade.fill import Fill, Rejection

HEADER = "account,symbol,time,side,quantity,price,commission\n"
ROW = "A,AAPL,2026-03-02T10:00:00Z,buy,2,150.25,1.5\n"
TEXT = HEADER + ROW
GERMAN = "account;symbol;time;side;quantity;price;commission\nA;AAPL;02.03.2026 10:00;buy;2;1.150,25;1,50\n"


def rows(path: Path, content: str | bytes, **options: Any) -> list[Fill | Rejection]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(open_statement(path, load_instruments(None, "USD"), StatementOptions(**options)).rows())


def told(found: list[Fill | Rejection]) -> list[str]:
    return [
        f"{row.account} {row.time:%m-%d %H:%M} {row.side.value} {to_plain_string(row.quantity)} {row.symbol} @ "
        f"{to_plain_string(row.price)} fee {to_plain_string(row.commission)} {row.currency}"
        if isinstance(row, Fill)
        else f"! {row.line} {row.code}"
        for row in found
    ]


ONE = ["A 03-02 10:00 BUY 2 AAPL @ 150.25 fee 1.5 USD"]


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode(),
        f"Größe und Zeit\n{TEXT}".encode("cp1252"),
        TEXT.replace(",", ";").encode(),
        TEXT.replace(",", "\t").encode(),
        TEXT.replace(",", "|").encode(),
        f"sep=,\n{TEXT}".encode(),
        f"My broker\nAccount,A\n\nFills,,,\n{TEXT}".encode(),
        f"{TEXT}\n\n".encode(),
        f"{HEADER}\n{ROW}{HEADER}".encode(),
        TEXT.replace("AAPL", '"AAPL"').replace("2,", '"2",').encode(),
    ],
)
def test_encodings_separators_and_titles(tmp_path: Path, content: bytes) -> None:
    assert told(rows(tmp_path / "a.csv", content)) == ONE


def test_a_german_file(tmp_path: Path) -> None:
    found = rows(tmp_path / "a.csv", GERMAN.encode("cp1252"), timezone=ZoneInfo("Europe/Berlin"))
    assert told(found) == ["A 03-02 09:00 BUY 2 AAPL @ 1150.25 fee 1.5 USD"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,234.50", "1234.5"),
        ("1'234.50", "1234.5"),
        ("1’234.50", "1234.5"),
        ("1 234.50", "1234.5"),
        ("1\u00a0234.50", "1234.5"),
        ("1\u2009234.50", "1234.5"),
        ("1\u202f234.50", "1234.5"),
        ("12,34,567.80", "1234567.8"),
        ("1,23,456", "123456"),
        ("(5.25)", "-5.25"),
        ("($5.25)", "-5.25"),
        ("$(5.25)", "-5.25"),
        ("5.25-", "-5.25"),
        ("−5.25", "-5.25"),
        ("-$1,000", "-1000"),
        ("$-1,000", "-1000"),
        ("R$ 35.00", "35"),
        ("US$5", "5"),
        ("€ 5", "5"),
        ("5.5 €", "5.5"),
        ("₹1,00,000.50", "100000.5"),
        ("Rs. 5.5", "5.5"),
        ("CHF 5.5", "5.5"),
        ("5.5 kr", "5.5"),
        ("5.5 zł", "5.5"),
        ("+5", "5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1e-3", "0.001"),
    ],
)
def test_numbers_of_people(text: str, value: str) -> None:
    number = NumberFormat(".").parse(text)
    assert number is not None
    assert to_plain_string(number) == value


@pytest.mark.parametrize(
    "text",
    [
        "1,2,3",
        "12,3",
        "1,234,56",
        "1,23,45",
        "(-5)",
        "--5",
        "5 BNB",
        "1 2",
        "12,34,56",
        "0x10",
        "1.2.3",
        "٣",
        "½",
    ],
)
def test_numbers_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number"):
        NumberFormat(".").parse(text)


@pytest.mark.parametrize(
    ("cells", "mark"),
    [
        (["1.234,50"], ","),
        (["1’234.50"], "."),
        (["1\u2009234,50"], ","),
        (["12,34,567"], "."),
        (["1.234.567"], ","),
        (["1234,5"], ","),
        (["1,234.5", "2"], "."),
    ],
)
def test_the_form_of_the_numbers_of_a_file(cells: list[str], mark: str) -> None:
    assert detect_number_format(cells, cells, ";", "a.csv").decimal_mark == mark


def test_a_form_that_nothing_settles_is_asked_for(tmp_path: Path) -> None:
    text = TEXT.replace(",", ";").replace("150.25", "1,234").replace("1.5", "1")
    with pytest.raises(FormatError, match="ambiguous numbers") as caught:
        rows(tmp_path / "a.csv", text)
    assert caught.value.hint == "set --decimal-mark point or --decimal-mark comma"


def test_excel_days(tmp_path: Path) -> None:
    text = TEXT.replace("2026-03-02T10:00:00Z", "46083.416666666664")
    assert told(rows(tmp_path / "a.csv", text, timezone=ZoneInfo("UTC"))) == ONE


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        ("2026-03-08 02:30:00", "! 2 bad_time"),  # the clock goes from 2 to 3
        ("2026-11-01 01:30:00", "A 11-01 05:30 BUY 2 AAPL @ 150.25 fee 1.5 USD"),  # the first of two
    ],
)
def test_hours_that_the_clock_skips_and_repeats(tmp_path: Path, clock: str, expected: str) -> None:
    text = TEXT.replace("2026-03-02T10:00:00Z", clock)
    found = rows(tmp_path / "a.csv", text, timezone=ZoneInfo("America/New_York"))
    assert told(found) == [expected]
    for row in found:
        assert not isinstance(row, Rejection) or "America/New_York" in row.reason


def test_several_accounts_and_currencies_in_a_file(tmp_path: Path) -> None:
    text = (
        "account,symbol,time,side,quantity,price,commission,currency\n"
        "A,AAPL,2026-03-02T10:00:00Z,buy,2,150.25,1.5,USD\n"
        "B,SAP,2026-03-02T10:00:01Z,sell,3,220.5,2,EUR\n"
        ",SAP,2026-03-02T10:00:02Z,sell,3,220.5,2,EUR\n"
    )
    assert told(rows(tmp_path / "a.csv", text)) == [
        *ONE,
        "B 03-02 10:00 SELL 3 SAP @ 220.5 fee 2 EUR",
        "! 4 missing_field",
    ]


def test_a_totals_row_is_no_fill_and_not_silent(tmp_path: Path) -> None:
    (_, rejected) = rows(tmp_path / "a.csv", f"{TEXT}Total,,,,2,,1.5\n")
    assert isinstance(rejected, Rejection)
    assert rejected.reason == "time is empty"


def test_a_trade_over_more_rows_takes_what_stands_above(tmp_path: Path) -> None:
    text = (
        "Account Trade History\n,Exec Time,Spread,Side,Qty,Pos Effect,Symbol,Exp,Strike,Type,Price,Net Price,Order Type\n"
        ",3/2/26 09:45:00,VERTICAL,BUY,+1,TO OPEN,QQQ,20 MAR 26,430,CALL,4.20,2.10,LMT\n"
        ",,,SELL,-1,TO OPEN,QQQ,20 MAR 26,440,CALL,2.10,DEBIT,\n"
    )
    found = rows(tmp_path / "a.csv", text, account="A", timezone=ZoneInfo("America/Chicago"))
    assert told(found) == [
        "A 03-02 15:45 BUY 1 QQQ   260320C00430000 @ 4.2 fee 0 USD",
        "A 03-02 15:45 SELL 1 QQQ   260320C00440000 @ 2.1 fee 0 USD",
    ]


def zipped(path: Path, *names: str) -> bytes:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, TEXT)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("content", "what", "hint"),
    [
        (gzip.compress(TEXT.encode()), r"is compressed \(gzip\)", "extract it"),
        (b"%PDF-1.7\n%\xe2\xe3", "is a PDF", "export the statement as CSV"),
        (
            bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600),
            "not a valid Excel workbook .*its sectors have an unknown size",
            "save it as CSV",
        ),
        (b"PAR1" + bytes(40), "is a Parquet file", "CSV or JSON Lines"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "is a picture", "export the data"),
    ],
)
def test_files_that_are_no_statement(tmp_path: Path, content: bytes, what: str, hint: str) -> None:
    with pytest.raises(FormatError, match=what) as caught:
        rows(tmp_path / "a.csv", content)
    assert hint in caught.value.hint


def test_an_archive_says_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    content = zipped(path, "fills.csv", "b.csv", "c.csv", "d.csv", "e.csv", "f.csv")
    with pytest.raises(FormatError, match=r"fills\.csv, b\.csv, c\.csv, d\.csv, e\.csv and 1 more"):
        rows(path, content)
    with pytest.raises(FormatError, match="not a valid Excel workbook or OpenDocument"):
        rows(path, zipped(path, "mimetype", "content.xml"))
    with pytest.raises(FormatError, match=r"binary workbook of Excel \(\.xlsb\)"):
        rows(path, zipped(path, "xl/workbook.bin"))
    found = diagnose(path, load_instruments(None, "USD"), StatementOptions())
    assert not found.is_readable
