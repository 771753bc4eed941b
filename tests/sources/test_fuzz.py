"""No file, however broken, does anything but fills, rejections and documented errors.

Each sample of a format is broken in every way that files break: bytes, cells, lines, tags.
"""

import sqlite3
import zipfile
from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tearsheet.errors import TearsheetError
from tearsheet.sources.diagnosis import diagnose
from tearsheet.sources.instruments import load_instruments
from tearsheet.sources.statement import StatementOptions, open_statement
from tearsheet.trade.amount import accepted
from tearsheet.trade.fill import REJECTION_CODES, Fill

SAMPLES = Path(__file__).parent / "samples"
FILES = sorted(file for file in SAMPLES.iterdir() if file.suffix not in (".expected", ".yaml"))
INSTRUMENTS = load_instruments(SAMPLES / "instruments.yaml", "USD")
OPTIONS = StatementOptions(timezone=ZoneInfo("America/New_York"), account="MINE")
#: What stands in cells when something is wrong.
ODD = [
    b"", b"-", b"0", b"-1", b"1e400", b"1E-400", b"NaN", b"Infinity", b"1,234", b"1.234", b"(5)", b"9" * 400,
    b"110'99", b"450'9", b"\x00", b"\xff\xfe", b'"', b"'", b"=1+1", b'="x"', b"24:61:61", b"31/31/2026",
    b"2026-02-30", b"99999999999999999999", b"1772445600000", b"45000.999999999999", b"<td>", b"</tr>", b"<!DOCTYPE x>",
    b"&#xD800;", b"&nbsp;", b"\\ud800", b"{}", b"[]", b"null", b"true", "−5 €".encode(), b"\r", b"\n", b",", b";", b"\t",
    b"EST", b"CST", b"+99:99", b"BUY", b"SELL", b"0.00001BTC", b"ES", b"ESZ6", b"AAPL 16JAN26 200 C",
]  # fmt: skip
change = st.tuples(
    st.integers(0, 1 << 16), st.integers(0, 60), st.sampled_from(ODD) | st.binary(max_size=6)
)


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
            if isinstance(row, Fill):
                assert row.quantity > 0
                assert row.commission.is_finite()
                assert accepted(row.quantity)
                assert accepted(row.price)
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

    @settings(max_examples=60, deadline=None)
    @given(st.lists(change, min_size=1, max_size=5))
    def is_harmless(changes: list[tuple[int, int, bytes]]) -> None:
        path.write_bytes(broken(whole, changes))
        is_read_or_refused(path)

    is_harmless()


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.sampled_from(FILES), st.sampled_from(["utf-16", "cp1252", "utf-8-sig"]), st.integers(0, 3000)
)
def test_a_sample_in_another_encoding_and_cut_off(
    tmp_path: Path, file: Path, encoding: str, end: int
) -> None:
    path = tmp_path / file.name
    path.write_bytes(file.read_text("utf-8").encode(encoding, "replace")[:end] or b"x")
    is_read_or_refused(path)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from([b"<", b"<table>", b"<?xml version='1.0'?>", b"[", b"{", b"PK\x03\x04", b"SQLite format 3\x00"]), st.binary(max_size=200))  # fmt: skip
def test_any_bytes_behind_the_mark_of_a_kind(tmp_path: Path, mark: bytes, tail: bytes) -> None:
    path = tmp_path / "fuzz.bin"
    path.write_bytes(mark + tail)
    is_read_or_refused(path)
    assert diagnose(path, INSTRUMENTS, OPTIONS).trouble


SHEET = b"""<?xml version="1.0"?><worksheet><sheetData>
<row r="1"><c r="A1" t="inlineStr"><is><t>Time</t></is></c><c r="B1" t="s"><v>0</v></c></row>
<row r="2"><c r="A2"><v>45000.5</v></c><c r="B2"><v>1.5524199999999999</v></c></row></sheetData></worksheet>"""


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(change, max_size=4), st.lists(change, max_size=3), st.booleans())
def test_broken_sheets(tmp_path: Path, sheet: list[tuple[int, int, bytes]], texts: list[tuple[int, int, bytes]], whole: bool) -> None:  # fmt: skip
    path = tmp_path / "fuzz.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/worksheets/sheet1.xml", broken(SHEET, sheet))
        archive.writestr("xl/sharedStrings.xml", broken(b"<sst><si><t>Deal</t></si></sst>", texts))
    if not whole:
        path.write_bytes(broken(path.read_bytes(), sheet))
    is_read_or_refused(path)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(*[st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(st.characters(codec="utf-8"), max_size=5) | st.binary(max_size=4)] * 7), max_size=4))  # fmt: skip
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
