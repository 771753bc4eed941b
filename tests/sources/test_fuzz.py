"""No file, however broken, does anything but fills, rejections and documented errors.

Each sample of a format is broken in every way that files break: bytes, cells, lines, tags.
"""

import re
import sqlite3
from datetime import UTC
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tearsheet.errors import TearsheetError
from tearsheet.sources.config.instruments import load_instruments
from tearsheet.sources.layouts.catalogue import layouts
from tearsheet.sources.layouts.header import header_places
from tearsheet.sources.statements.diagnosis import diagnose
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.sources.statements.row_kinds import ExpirationRow, RowClassifier, SkippedRow
from tearsheet.sources.statements.statement import open_statement
from tearsheet.sources.text.contracts import coin_pair, expiry_of, fraction_price, option_symbol
from tearsheet.sources.text.encoding import NumberFormat
from tearsheet.sources.text.problem import RowError
from tearsheet.sources.text.times import TimeFormatError, TimeParser, is_unambiguous
from tearsheet.trade.amount import is_valid_amount
from tearsheet.trade.event import Event
from tearsheet.trade.fill import REJECTION_CODES, Fill
from tests.support.laws import examples
from tests.support.place import SAMPLES
from tests.support.workbooks import (
    number_record,
    ods_rows,
    record,
    shared_strings,
    text_record,
    write_ods,
    write_xls,
    write_xlsx_parts,
)

FILES = sorted(file for file in SAMPLES.iterdir() if file.suffix not in (".expected", ".yaml"))
INSTRUMENTS = load_instruments(SAMPLES / "instruments.yaml", "USD")
OCC = re.compile(r"[A-Z]{1,6}\d? *\d{6}[CP]\d{8}")
OPTIONS = StatementOptions(timezone=ZoneInfo("America/New_York"), account="MINE")
#: What stands in cells when something is wrong.
ODD = [
    b"",
    b"-",
    b"0",
    b"-1",
    b"1e400",
    b"1E-400",
    b"NaN",
    b"Infinity",
    b"1,234",
    b"1.234",
    b"(5)",
    b"9" * 400,
    b"110'99",
    b"450'9",
    b"\x00",
    b"\xff\xfe",
    b'"',
    b"'",
    b"=1+1",
    b'="x"',
    b"24:61:61",
    b"31/31/2026",
    b"2026-02-30",
    b"99999999999999999999",
    b"1772445600000",
    b"45000.999999999999",
    b"<td>",
    b"</tr>",
    b"<!DOCTYPE x>",
    b"&#xD800;",
    b"&nbsp;",
    b"\\ud800",
    b"{}",
    b"[]",
    b"null",
    b"true",
    "−5 €".encode(),
    b"\r",
    b"\n",
    b",",
    b";",
    b"\t",
    b"EST",
    b"CST",
    b"+99:99",
    b"BUY",
    b"SELL",
    b"0.00001BTC",
    b"ES",
    b"ESZ6",
    b"AAPL 16JAN26 200 C",
]
change = st.tuples(st.integers(0, 1 << 16), st.integers(0, 60), st.sampled_from(ODD) | st.binary(max_size=6))


def broken(content: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    """Some stretches of a file replaced by something else."""
    for place, length, new in changes:
        at = place % (len(content) + 1)
        content = content[:at] + new + content[at + length :]
    return content


def is_read_or_refused(path: Path) -> None:
    """The one thing that has to hold for every file."""
    try:
        for row in open_statement(path, INSTRUMENTS, OPTIONS).rows():
            if isinstance(row, Event):
                assert row.time.tzinfo is UTC
                assert (row.account + row.symbol + row.currency).encode()
            elif isinstance(row, Fill):
                assert row.quantity > 0
                assert row.commission.is_finite()
                assert is_valid_amount(row.quantity)
                assert is_valid_amount(row.price)
                assert row.time.tzinfo is UTC
                assert (row.account + row.symbol + row.currency + (row.fill_id or "")).encode()
            else:
                assert row.code in REJECTION_CODES
                assert (row.text + row.reason + row.hint).encode()
    except TearsheetError as error:
        assert error.message
        assert error.hint
        assert str(error).encode()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_broken_sample(tmp_path: Path, file: Path) -> None:
    path, whole = tmp_path / file.name, file.read_bytes()

    @examples(60)
    @given(st.lists(change, min_size=1, max_size=5))
    def is_harmless(changes: list[tuple[int, int, bytes]]) -> None:
        path.write_bytes(broken(whole, changes))
        is_read_or_refused(path)

    is_harmless()


@pytest.mark.parametrize("name", ["binance_ledger", "coinbase_pro_ledger", "kraken_ledger"])
def test_a_ledger_of_coins_without_one_of_its_columns(tmp_path: Path, name: str) -> None:
    """Kind: a column that detection does without is looked up by name afterwards."""
    head, _, rest = (SAMPLES / f"{name}.csv").read_text("utf-8").partition("\n")
    for column in head.split(","):
        path = tmp_path / "case.csv"
        path.write_text(f"{head.replace(column, 'other', 1)}\n{rest}")
        is_read_or_refused(path)


@examples(200)
@given(st.sampled_from(FILES), st.sampled_from(["utf-16", "cp1252", "utf-8-sig"]), st.integers(0, 3000))
def test_a_sample_in_another_encoding_and_cut_off(
    tmp_path: Path, file: Path, encoding: str, end: int
) -> None:
    path = tmp_path / file.name
    path.write_bytes(file.read_text("utf-8").encode(encoding, "replace")[:end] or b"x")
    is_read_or_refused(path)


@examples(200)
@given(
    st.sampled_from(
        [b"<", b"<table>", b"<?xml version='1.0'?>", b"[", b"{", b"PK\x03\x04", b"SQLite format 3\x00"]
    ),
    st.binary(max_size=200),
)
def test_any_bytes_behind_the_mark_of_a_kind(tmp_path: Path, mark: bytes, tail: bytes) -> None:
    path = tmp_path / "fuzz.bin"
    path.write_bytes(mark + tail)
    is_read_or_refused(path)
    assert diagnose(path, INSTRUMENTS, OPTIONS).error


SHEET = b"""<?xml version="1.0"?><worksheet><sheetData>
<row r="1"><c r="A1" t="inlineStr"><is><t>Time</t></is></c><c r="B1" t="s"><v>0</v></c></row>
<row r="2"><c r="A2"><v>45000.5</v></c><c r="B2"><v>1.5524199999999999</v></c></row></sheetData></worksheet>"""


@examples(150)
@given(st.lists(change, max_size=4), st.lists(change, max_size=3), st.booleans())
def test_broken_sheets(
    tmp_path: Path, sheet: list[tuple[int, int, bytes]], texts: list[tuple[int, int, bytes]], whole: bool
) -> None:
    strings = broken(b"<sst><si><t>Deal</t></si></sst>", texts)
    parts = {"xl/worksheets/sheet1.xml": broken(SHEET, sheet), "xl/sharedStrings.xml": strings}
    path = write_xlsx_parts(tmp_path / "fuzz.xlsx", [""], parts=parts)
    if not whole:
        path.write_bytes(broken(path.read_bytes(), sheet))
    is_read_or_refused(path)


OLD_SHEETS = (
    record(0x200, bytes(14)) + text_record(0, 0, 0) + text_record(0, 1, 1) + number_record(1, 1, 1.1),
    number_record(0, 0, 45000.5, 1) + record(0x205, bytes(6) + b"\x2a\x01"),
)


@examples(150)
@given(st.lists(change, min_size=1, max_size=4), st.lists(change, max_size=3))
def test_broken_old_workbooks(
    tmp_path: Path, changes: list[tuple[int, int, bytes]], texts: list[tuple[int, int, bytes]]
) -> None:
    shared = broken(shared_strings("Time", "Deal"), texts)
    path = write_xls(tmp_path / "fuzz.xls", *OLD_SHEETS, shared=shared)
    path.write_bytes(broken(path.read_bytes(), changes))
    is_read_or_refused(path)


@examples(100)
@given(st.lists(change, max_size=4))
def test_broken_spreadsheets(tmp_path: Path, changes: list[tuple[int, int, bytes]]) -> None:
    rows = broken(ods_rows([["Time", "Deal"], [45000.5, 1.1]]).encode(), changes)
    is_read_or_refused(write_ods(tmp_path / "fuzz.ods", rows.decode("utf-8", "replace")))


@examples(60)
@given(
    st.lists(
        st.tuples(
            *[
                st.none()
                | st.integers(-(2**63), 2**63 - 1)
                | st.floats()
                | st.text(st.characters(codec="utf-8"), max_size=5)
                | st.binary(max_size=4)
            ]
            * 7
        ),
        max_size=4,
    )
)
def test_broken_databases(tmp_path: Path, rows: list[tuple[object, ...]]) -> None:
    path = tmp_path / "fuzz.sqlite"
    path.unlink(missing_ok=True)
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE trades (id, pair, fee_open, fee_close)")
    database.execute(
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, ft_trade_id, ft_order_side, order_id, status, filled, average, price, order_filled_date, order_update_date)"
    )
    database.execute("INSERT INTO trades VALUES (1, 'ETH/USDT', 0.001, 0.002)")
    database.executemany("INSERT INTO orders VALUES (NULL, 1, ?, ?, ?, ?, ?, NULL, ?, ?)", rows)
    database.commit()
    database.close()
    is_read_or_refused(path)


ANY = st.text(max_size=40) | st.text("0123456789.,-+()'’ \u2009$€%/:;ETZ", max_size=24)


@examples(400)
@given(ANY, st.sampled_from([".", ","]))
def test_any_text_as_a_number(text: str, mark: Any) -> None:
    form = NumberFormat(mark)
    assert form.sign_of(text) in (-1, 0, 1)
    try:
        number = form.parse(text)
    except ValueError as error:
        assert str(error)
    else:
        assert number is None or is_valid_amount(number)


@examples(400)
@given(ANY, st.sampled_from([None, "day-first", "month-first"]), st.booleans())
def test_any_text_as_a_time(text: str, order: Any, ascending: bool) -> None:
    reader = TimeParser(ZoneInfo("America/New_York"), order, ascending=ascending)
    try:
        assert reader.parse(text).tzinfo is UTC
    except TimeFormatError as error:
        assert error.reason
        assert error.hint
    assert is_unambiguous(text) in (True, False)


@examples(300)
@given(st.fixed_dictionaries(dict.fromkeys(("underlying", "expiry", "strike", "right"), ANY)), ANY)
def test_any_text_as_an_instrument(pieces: dict[str, str], text: str) -> None:
    try:
        assert OCC.fullmatch(option_symbol(pieces, ["month-first"]))
    except RowError as error:
        assert error.problem.code in REJECTION_CODES
    try:
        assert fraction_price(text) is None or is_valid_amount(fraction_price(text))
    except RowError as error:
        assert error.problem.code in REJECTION_CODES
    assert len(coin_pair(text, ["USDT", "BTC"])) == 2
    expiry_of(text)


@examples(200)
@given(st.sampled_from(sorted(layouts())), st.lists(ANY, min_size=1, max_size=4))
def test_any_words_as_kinds_of_rows(name: str, words: list[str]) -> None:
    for rule in layouts()[name].rows:
        kinds = RowClassifier([rule], header_places([rule.column]))
        for word in words:
            try:
                assert isinstance(kinds.classify([word]), SkippedRow | ExpirationRow | None)
            except RowError as error:
                assert error.problem.code in REJECTION_CODES
                assert error.problem.hint


@examples(150)
@given(
    st.lists(
        st.tuples(st.sampled_from(["BTO", "STO", "BTC", "STC", "OEXP", "OASGN"]), st.integers(1, 4)),
        max_size=8,
    )
)
def test_ends_never_turn_a_position(tmp_path: Path, events: list[tuple[str, int]]) -> None:
    """Whatever a file says of an option, an end takes from what was opened, and never more."""
    head = "Activity Date,Process Date,Settle Date,Instrument,Description,Trans Code,Quantity,Price,Amount\n"
    path = tmp_path / "rh.csv"
    lines = [
        f"3/{4 + day}/2026,,,XYZ,XYZ 3/20/2026 Put $45.00,{code},{quantity},"
        + ("1," if code[1] == "T" else ",")
        + (f"{'-' if code[0] == 'B' else ''}{100 * quantity}" if code[1] == "T" else "")
        for day, (code, quantity) in enumerate(events)
    ]
    path.write_text(head + "\n".join(lines) + "\n")
    ends, long, short = [], 0, 0
    for row in open_statement(path, INSTRUMENTS, OPTIONS).rows():
        if not isinstance(row, Fill):
            assert row.code == "unknown_row"
        elif row.order_id in ("expiry", "assignment"):
            ends.append((row.side.value, int(row.quantity)))
    for code, quantity in events:
        long += quantity * ((code == "BTO") - (code == "STC"))
        short += quantity * ((code == "STO") - (code == "BTC"))
    assert len({side for side, _ in ends}) <= 1
    if ends:
        held = long if ends[0][0] == "SELL" else short
        assert sum(quantity for _, quantity in ends) <= held
