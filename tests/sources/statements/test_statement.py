"""Files of fills: formats, encodings, numbers, times, identity, and what is refused with which words."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tearsheet.errors import FormatError, InputError, TearsheetError
from tearsheet.sources.config.instruments import load_instruments
from tearsheet.sources.layouts.catalogue import known_layouts
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.sources.statements.statement import Statement, open_statement
from tearsheet.trade.fill import REJECTION_CODES, Fill, Rejection, Side
from tests.support.laws import examples

INSTRUMENTS = load_instruments(Path("/nonexistent.yaml"), "USD")
CHICAGO = ZoneInfo("America/Chicago")
NINJA = (
    "Instrument,Action,Quantity,Price,Time,ID,E/X,Position,Order ID,Name,Commission,Rate,Account,Connection,"
)
GENERIC = "account,symbol,time,side,quantity,price,commission"


class File:
    """A file to be read."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "fills.csv"

    def open(self, content: str | bytes, **options: object) -> Statement:
        self.path.write_bytes(content.encode() if isinstance(content, str) else content)
        return open_statement(self.path, INSTRUMENTS, StatementOptions(**options))  # type: ignore[arg-type]

    def rows(self, content: str | bytes, **options: object) -> list[Fill | Rejection]:
        return list(self.open(content, **options).rows())

    def fills(self, content: str | bytes, **options: object) -> list[Fill]:
        rows = self.rows(content, **options)
        assert all(isinstance(row, Fill) for row in rows), rows
        return [row for row in rows if isinstance(row, Fill)]

    def rejection(self, row: str, header: str = GENERIC, **options: object) -> Rejection:
        good = "A,AAPL,2026-03-02T10:00:00Z,buy,1,10,0" if header == GENERIC else ""
        rows = self.rows(f"{header}\n{row}\n{good}\n", **options)
        (rejection,) = [row for row in rows if isinstance(row, Rejection)]
        assert rejection.code in REJECTION_CODES
        assert rejection.file == "fills.csv"
        return rejection


@pytest.fixture
def file(tmp_path: Path) -> File:
    return File(tmp_path)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


# --- NinjaTrader -------------------------------------------------------------------------------


def test_ninjatrader_executions(file: File) -> None:
    fills = file.fills(
        f"{NINJA}\n"
        "MNQ 12-26,Buy,2,20150.25,11/3/2026 8:32:05 AM,F1,Entry,2 L,O1,Entry,$4.20,1,Sim101,Sim,\n"
        "MNQ 12-26,SellShort,3,20160,11/3/2026 12:00:00 PM,F2,Exit,1 S,O2,Stop,$6.30,1,Sim101,Sim,\n"
        "MNQ 12-26,BuyToCover,1,20155.5,11/3/2026 12:30:00 AM,F3,Exit,-,O3,,$2.10,1,Sim101,Sim,\n",
        timezone=CHICAGO,
    )
    first = fills[0]
    assert (first.account, first.symbol, first.multiplier, first.key) == ("Sim101", "MNQZ26", 2, "x:F1")
    assert (first.side, first.quantity, first.price, first.commission) == (
        Side.BUY,
        2,
        Decimal("20150.25"),
        Decimal("4.20"),
    )
    assert first.time == at("2026-11-03T14:32:05+00:00")
    assert (first.fill_id, first.order_id) == ("F1", "O1")
    assert [f.side for f in fills] == [Side.BUY, Side.SELL, Side.BUY]
    assert [f.time.hour for f in fills[1:]] == [18, 6]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_ninjatrader_in_europe(file: File, encoding: str) -> None:
    text = (
        "Instrument;Action;Quantity;Price;Time;ID;E/X;Position;Order ID;Name;Commission;Rate;Account display name;Connection;\r\n"
        "MES JUN26;Buy;1;7.200,75;27/04/2026 6:05:02;e1;Entry;1 L;o1;Größe;0,62 €;1;Konto;P;\r\n"
        "MES JUN26;Sell;1;7204,75;27/04/2026 16:10:02;e2;Exit;0;o2;Exit;0,62 €;1;Konto;P;\r\n"
    )
    fills = file.fills(text.encode(encoding), timezone=ZoneInfo("Europe/Berlin"))
    assert [(f.price, f.commission) for f in fills] == [
        (Decimal("7200.75"), Decimal("0.62")),
        (Decimal("7204.75"), Decimal("0.62")),
    ]
    assert fills[1].time == at("2026-04-27T14:10:02+00:00")
    assert fills[0].account == "Konto"


def test_local_times_need_a_zone(file: File) -> None:
    with pytest.raises(FormatError, match="specify it with --timezone"):
        file.open(f"{NINJA}\nMNQ 12-26,Buy,2,20150.25,11/3/2026 8:32:05 AM,F1,,,,,$0,1,Sim,Sim,\n")


def test_dates_that_nothing_settles_are_asked_for(file: File) -> None:
    row = "MNQ 12-26,Buy,2,20150.25,11/3/2026 18:32:05,F1,,,,,$0,1,Sim,Sim,"
    with pytest.raises(FormatError, match="--date-order"):
        file.open(f"{NINJA}\n{row}\n", timezone=CHICAGO)
    (fill,) = file.fills(f"{NINJA}\n{row}\n", timezone=CHICAGO, date_order="day-first")
    assert fill.time.month == 3
    settled = file.fills(
        f"{NINJA}\n{row}\n{row.replace('11/3', '11/23').replace('F1', 'F2')}\n", timezone=CHICAGO
    )
    assert {f.time.month for f in settled} == {11}


# --- generic CSV and JSON Lines -----------------------------------------------------------------


def test_generic_fills(file: File) -> None:
    fills = file.fills(
        "Symbol,ACCOUNT,time,side,price,quantity,commission,fill_id,order_id,strategy,stop_loss,target,currency,asset_class,note\n"
        "ES,A,2026-03-02 10:00:00+01:00,Sld,-37.63,0.5,-0.25,7,o,orb,9.5,12,eur,equity,x\n"
    )
    (fill,) = fills
    assert (fill.symbol, fill.side, fill.quantity, fill.price) == (
        "ES",
        Side.SELL,
        Decimal("0.5"),
        Decimal("-37.63"),
    )
    assert (fill.commission, fill.currency, fill.strategy) == (Decimal("-0.25"), "EUR", "orb")
    assert (fill.stop_loss, fill.target, fill.multiplier) == (Decimal("9.5"), 12, 1)
    assert fill.time == at("2026-03-02T09:00:00+00:00")


def test_json_lines(file: File) -> None:
    line = {"account": "A", "symbol": "AAPL", "time": "2026-03-02T10:00:00Z", "side": "BUY", "quantity": 1}
    lines = [
        {**line, "price": 0.1, "commission": "1.10"},
        {**line, "price": "12345678901234567.123456789", "commission": None},
    ]
    fills = file.fills("".join(json.dumps(one) + "\n" for one in lines))
    assert [f.price for f in fills] == [Decimal("0.1"), Decimal("12345678901234567.123456789")]
    assert [f.commission for f in fills] == [Decimal("1.10"), 0]


@pytest.mark.parametrize(
    ("line", "code", "reason"),
    [
        ('{"account": "A", "account": "B"}', "bad_json", "stands twice"),
        ("{bad", "bad_json", "no JSON object"),
        ('["A"]', "bad_json", "no JSON object"),
        (
            '{"account": "A", "symbol": "AAPL", "time": "2026-03-02T10:00:00Z", "side": "BUY", "quantity": 1, "price": NaN}',
            "bad_number",
            "price is not a number, was 'NaN'",
        ),
        (
            '{"account": "A", "symbol": "AAPL", "time": "2026-03-02T10:00:00Z", "side": "BUY", "quantity": 1, "price": 1e400}',
            "bad_number",
            "price is not a usable number, was '1e400'",
        ),
        (
            '{"account": "A", "symbol": "AAPL", "time": "2026-03-02T10:00:00Z", "side": "BUY", "quantity": {"a": 1}, "price": 1}',
            "bad_number",
            "quantity is not a number",
        ),
    ],
)
def test_bad_json_lines(file: File, line: str, code: str, reason: str) -> None:
    good = '{"account":"A","symbol":"AAPL","time":"2026-03-02T10:00:00Z","side":"BUY","quantity":1,"price":1}'
    rows = file.rows(f"{good}\n{line}\n")
    (rejection,) = [row for row in rows if isinstance(row, Rejection)]
    assert (rejection.code, rejection.line) == (code, 2)
    assert reason in rejection.reason


# --- what is rejected, and in which words ---------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "code", "reason"),
    [
        ("A,AAPL,2026-03-02T10:00:00Z,buy,1,abc,0", "bad_number", "price is not a number, was 'abc'"),
        ("A,AAPL,2026-03-02T10:00:00Z,buy,1,NaN,0", "bad_number", "price is not a number, was 'NaN'"),
        (
            "A,AAPL,2026-03-02T10:00:00Z,buy,1,Infinity,0",
            "bad_number",
            "price is not a number, was 'Infinity'",
        ),
        (
            "A,AAPL,2026-03-02T10:00:00Z,buy,1,1e400,0",
            "bad_number",
            "price is not a usable number, was '1e400'",
        ),
        (
            "A,AAPL,2026-03-02T10:00:00Z,buy,1,1e-30,0",
            "bad_number",
            "price is not a usable number, was '1e-30'",
        ),
        ("A,AAPL,2026-03-02T10:00:00Z,buy,1,,0", "missing_field", "price is empty"),
        ("A,AAPL,2026-03-02T10:00:00Z,buy,,10,0", "missing_field", "quantity is empty"),
        ("A,AAPL,2026-03-02T10:00:00Z,buy,0,10,0", "bad_quantity", "quantity must be positive, was 0"),
        ("A,AAPL,2026-03-02T10:00:00Z,buy,-1,10,0", "bad_quantity", "quantity must be positive, was -1"),
        ("A,AAPL,2026-03-02T10:00:00Z,hold,1,10,0", "bad_side", "unknown side 'hold'"),
        ("A,,2026-03-02T10:00:00Z,buy,1,10,0", "missing_field", "symbol is empty"),
        (",AAPL,2026-03-02T10:00:00Z,buy,1,10,0", "missing_field", "account is empty"),
        ("A,AAPL,,buy,1,10,0", "missing_field", "time is empty"),
        ("A,AAPL,yesterday,buy,1,10,0", "bad_time", "invalid time 'yesterday'"),
        (
            "A,AAPL,2026-03-02T10:00:00,buy,1,10,0",
            "bad_time",
            "time without a time zone: '2026-03-02T10:00:00'",
        ),
        ("A,AAPL,9999-12-31T23:59:59Z,buy,1,10,0", "bad_time", "time out of range: '9999-12-31T23:59:59Z'"),
        ("A,AAPL,0001-01-01T00:00:00+14:00,buy,1,10,0", "bad_time", "time out of range"),
        ("A,QQQQZ6,2026-03-02T10:00:00Z,buy,1,10,0", "unknown_instrument", "unknown futures root QQQQ in"),
        ("A,ES,2026-03-02T10:00:00Z,buy,1,10,0", "ambiguous_instrument", "ES is a futures root"),
        ("A,AAPL,2026-03-02T10:00:00Z,buy,1,10,0,surplus", "extra_columns", "more columns than the header"),
    ],
)
def test_rejections(file: File, row: str, code: str, reason: str) -> None:
    rejection = file.rejection(row)
    assert (rejection.code, rejection.line) == (code, 2)
    assert reason in rejection.reason
    assert rejection.hint
    assert rejection.text.startswith(row[:20])


def test_a_rejection_bears_what_could_be_read(file: File) -> None:
    rejection = file.rejection("A,AAPL,2026-03-02T10:00:00Z,buy,1,abc,0")
    assert (rejection.account, rejection.since) == ("A", at("2026-03-02T10:00:00+00:00"))


def test_a_bad_asset_class_is_said(file: File) -> None:
    rows = file.rows(f"{GENERIC},asset_class\nA,AAPL,2026-03-02T10:00:00Z,buy,1,10,0,house\n")
    assert isinstance(rows[0], Rejection)
    assert rows[0].reason == "unknown asset_class 'house'"


@pytest.mark.parametrize(
    ("wall", "zone", "expected"),
    [
        ("2026-03-08 02:30:00", "America/Chicago", None),  # the clock skips it
        ("2026-11-01 01:30:00", "America/Chicago", "2026-11-01T06:30:00+00:00"),  # the first of two
        ("2026-07-01 09:30:00", "America/Chicago", "2026-07-01T14:30:00+00:00"),
    ],
)
def test_local_times_around_a_clock_change(file: File, wall: str, zone: str, expected: str | None) -> None:
    (row,) = file.rows(f"{GENERIC}\nA,AAPL,{wall},buy,1,10,0\n", timezone=ZoneInfo(zone))
    if expected is None:
        assert isinstance(row, Rejection)
        assert row.reason == f"'{wall}' does not exist in {zone} because of daylight saving time"
    else:
        assert isinstance(row, Fill)
        assert row.time == at(expected)


def test_the_repeated_hour_follows_the_order_of_the_file(file: File) -> None:
    rows = ["2026-11-01 01:50:00", "2026-11-01 01:10:00", "2026-11-01 01:20:00"]
    lines = [f"A,AAPL,{wall},buy,1,10,{n}" for n, wall in enumerate(rows)]
    fills = file.fills(
        "\n".join([GENERIC, "A,AAPL,2026-11-01 00:10:00,buy,1,10,9", *lines]) + "\n", timezone=CHICAGO
    )
    assert [f.time.isoformat()[11:16] for f in fills] == ["05:10", "06:50", "07:10", "07:20"]


def test_a_time_in_a_twelve_hour_clock_has_twelve_hours(file: File) -> None:
    assert file.rejection("A,AAPL,3/22/2026 14:00:00 PM,buy,1,10,0", timezone=CHICAGO).code == "bad_time"
    assert file.rejection("A,AAPL,13/22/2026 14:00:00,buy,1,10,0", timezone=CHICAGO).code == "bad_time"


# --- files that are refused -----------------------------------------------------------------------


def test_an_unknown_header_lists_what_was_seen_and_what_is_known(file: File) -> None:
    with pytest.raises(FormatError) as caught:
        file.open("Ticker,Qty\nAAPL,1\n")
    assert caught.value.message == f"{file.path}: no layout fits its header: Ticker, Qty"
    for name in ("generic_fills", "--map"):
        assert name in caught.value.hint
    assert {"generic_fills", "ninjatrader_executions", "generic_fills_jsonl"} <= set(known_layouts())


def test_a_layout_that_the_user_names_must_fit(file: File) -> None:
    with pytest.raises(FormatError, match="layout ninjatrader_executions does not fit its header"):
        file.open(f"{GENERIC}\n", layout="ninjatrader_executions")
    with pytest.raises(FormatError, match="no layout 'metatrader'"):
        file.open(f"{GENERIC}\n", layout="metatrader")


def test_json_that_is_no_fill_is_refused(file: File) -> None:
    with pytest.raises(FormatError, match="no layout fits its keys: event"):
        file.open('{"event": "started"}\n')


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_empty_file_is_refused(file: File, content: str) -> None:
    with pytest.raises(InputError, match=r"is empty|holds no text"):
        file.open(content)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        open_statement(tmp_path, INSTRUMENTS, StatementOptions())
    with pytest.raises(InputError, match="No such file"):
        open_statement(tmp_path / "none.csv", INSTRUMENTS, StatementOptions())


def test_numbers_that_may_be_thousands_or_decimals_are_asked_for(file: File) -> None:
    with pytest.raises(FormatError, match="ambiguous numbers"):
        file.open(f"{GENERIC.replace(',', ';')}\nA;AAPL;2026-03-02T10:00:00Z;buy;1;1,234;0\n")


# --- text and shape -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("$4.20", "4.20"),
        ("$$0.52", "0.52"),
        ("-$2,506.50", "-2506.50"),
        ("($62.90)", "-62.90"),
        ("$(31.25)", "-31.25"),
        ("62.90-", "-62.90"),
        ("−5", "-5"),
        ("1'234.5", "1234.5"),
        ("@187.50", "187.50"),
        ("90.00 $", "90.00"),
        ("0.3 USD", "0.3"),
        ("+7", "7"),
        ("1,234,567.5", "1234567.5"),
        ("2.25E+2", "225"),
        (".5", "0.5"),
    ],
)
def test_numbers_as_people_write_them(file: File, written: str, number: str) -> None:
    (fill,) = file.fills(f'{GENERIC}\nA,AAPL,2026-03-02T10:00:00Z,buy,1,"{written}",0\n')
    assert fill.price == Decimal(number)


@pytest.mark.parametrize("empty", ["", "-", "--", "—", "N/A"])
def test_a_commission_that_is_not_there_is_none(file: File, empty: str) -> None:
    (fill,) = file.fills(f"{GENERIC}\nA,AAPL,2026-03-02T10:00:00Z,buy,1,10,{empty}\n")
    assert fill.commission == 0


def test_quotes_blank_lines_preamble_and_repeated_headers(file: File) -> None:
    fills = file.fills(
        f"My broker\n\n{GENERIC},strategy\n"
        'A,AAPL,2026-03-02T10:00:00Z,buy,1,10,0,"two\nlines"\n'
        "\n,,,,,,,\n"
        f"{GENERIC},strategy\n"
        "A,AAPL,2026-03-02T10:01:00Z,sell,1,10\n"
    )
    assert [f.strategy for f in fills] == ["two\nlines", None]


def test_lines_are_numbered_as_in_an_editor(file: File) -> None:
    statement = file.open(f"{GENERIC}\n\nA,AAPL,2026-03-02T10:00:00Z,buy,1,10,0\nA,AAPL,x,buy,1,10,0\n")
    assert [(statement.line, type(row).__name__) for row in statement.rows()] == [
        (3, "Fill"),
        (4, "Rejection"),
    ]
    assert statement.bytes_read == statement.total_bytes


def test_bytes_that_are_no_text(file: File) -> None:
    head = f"{GENERIC}\n".encode() + b"A,AAPL,2026-03-02T10:00:00Z,buy,1,10,0\n" * 2000
    rows = file.rows(head + b"A,\xff\xfe,2026-03-02T10:00:00Z,buy,1,10,0\n")
    assert isinstance(rows[-1], Rejection)
    assert rows[-1].code == "bad_encoding"


@pytest.mark.parametrize("length", [200_000, 10_000_000])
def test_an_endless_cell_is_rejected_and_the_rest_is_read(file: File, length: int) -> None:
    good = "A,AAPL,2026-03-02T10:00:00Z,buy,1,10,0\n"
    rows = file.rows(f"{GENERIC}\n{good}A,{'x' * length},2026-03-02T10:00:00Z,buy,1,10,0\n{good}")
    assert [type(row).__name__ for row in rows] == ["Fill", "Rejection", "Fill"]
    assert isinstance(rows[1], Rejection)
    assert rows[1].code == "line_too_long"


# --- identity and order ---------------------------------------------------------------------------


def test_identical_fills_without_ids_are_several(file: File) -> None:
    row = "A,AAPL,2026-03-02T10:00:00Z,buy,1,10,0\n"
    keys = [f.key for f in file.fills(f"{GENERIC}\n{row}{row}{row.replace('10,0', '10.00,0.0')}")]
    assert len(set(keys)) == 3
    assert {key.rpartition(":")[0] for key in keys} == {keys[0].rpartition(":")[0]}


def test_an_execution_counts_once_and_a_contradiction_is_rejected(file: File) -> None:
    rows = file.rows(
        f"{GENERIC},fill_id\n"
        "A,AAPL,2026-03-02T10:00:00Z,buy,1,10,0,7\n"
        "A,AAPL,2026-03-02T10:00:00Z,buy,1,10,0,7\n"
        "A,AAPL,2026-03-02T10:00:00Z,buy,1,11,0,7\n"
        "B,AAPL,2026-03-02T10:00:00Z,buy,1,11,0,7\n"
        "A,AAPL,2026-03-02T10:00:00Z,buy,1,10,0,0\n"
    )
    assert [type(row).__name__ for row in rows] == ["Fill", "Rejection", "Fill", "Fill"]
    assert isinstance(rows[1], Rejection)
    assert rows[1].reason == "execution 7 of account A stands in line 2 with other content"
    assert isinstance(rows[3], Fill)
    assert rows[3].key.startswith("c:")


def test_ranks_keep_the_order_of_the_source_also_where_the_newest_is_first(file: File) -> None:
    rows = [
        f"A,AAPL,2026-03-02T10:0{minute}:00Z,buy,1,{price},0"
        for minute, price in ((0, 1), (1, 2), (1, 3), (1, 4))
    ]
    forward = file.fills("\n".join([GENERIC, *rows]))
    backward = file.fills("\n".join([GENERIC, *rows[::-1]]))
    assert [f.rank for f in forward] == [0, 0, 1, 2]
    assert [f.rank for f in backward] == [0, -1, -2, 0]
    assert [f.price for f in sorted(backward, key=lambda f: f.order)] == [f.price for f in forward]


# --- no input does anything else --------------------------------------------------------------------

cells = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    [
        "A",
        "AAPL",
        "MNQ 12-26",
        "buy",
        "sell",
        "1",
        "-1",
        "0",
        "1e999",
        "NaN",
        "2026-03-02T10:00:00Z",
        '"',
        "\x00",
        "$1",
        "11/3/2026 8:00 AM",
    ]
)
rows_of_cells = st.lists(st.lists(cells, max_size=9), max_size=6).map(
    lambda rows: "\n".join(",".join(row) for row in rows)
)
headers = st.sampled_from([GENERIC, f"{GENERIC},fill_id", NINJA, GENERIC.replace(",", ";")])


def read_all(path: Path, **options: object) -> Iterator[Fill | Rejection]:
    try:
        yield from open_statement(path, INSTRUMENTS, StatementOptions(**options)).rows()  # type: ignore[arg-type]
    except TearsheetError as error:
        assert str(path) in error.message


@examples(600)
@given(headers, rows_of_cells, st.sampled_from(["utf-8", "utf-16"]), st.none() | st.just(CHICAGO))
def test_rows_are_fills_or_rejections(
    tmp_path: Path, header: str, text: str, encoding: str, zone: ZoneInfo | None
) -> None:
    path = tmp_path / "fuzz.csv"
    path.write_bytes(f"{header}\n{text}\n".encode(encoding, "surrogatepass"))
    for row in read_all(path, timezone=zone):
        assert isinstance(row, Fill | Rejection)
        if isinstance(row, Fill):
            assert row.quantity > 0
            assert row.price.is_finite()
            assert row.time.tzinfo is UTC
        else:
            assert row.code in REJECTION_CODES


@examples(400)
@given(st.binary(max_size=300))
def test_any_bytes_are_refused_or_read(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "fuzz.bin"
    path.write_bytes(content)
    assert all(isinstance(row, Fill | Rejection) for row in read_all(path))


@examples(300)
@given(
    st.lists(
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=5),
            lambda x: st.dictionaries(
                st.sampled_from(["account", "symbol", "time", "side", "quantity", "price"]), x, max_size=6
            ),
            max_leaves=8,
        ),
        max_size=5,
    )
)
def test_any_json_is_refused_or_read(tmp_path: Path, values: list[object]) -> None:
    path = tmp_path / "fuzz.jsonl"
    path.write_text(
        '{"account":"A","symbol":"AAPL","side":"b","price":1}\n' + "\n".join(map(json.dumps, values))
    )
    assert all(isinstance(row, Fill | Rejection) for row in read_all(path))


def test_a_multiplier_that_a_generic_file_states_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "fills.csv"
    path.write_text(
        "account,symbol,time,side,quantity,price,commission,asset_class,multiplier\n"
        "A,MESZ26,2026-11-16T15:00:00Z,buy,1,6000,0,,50\n"
        "A,MESZ26,2026-11-16T15:00:00Z,buy,1,6000,0,,5\n"
        "A,QQQQZ26,2026-11-16T15:00:00Z,buy,1,6000,0,future,50\n"
    )
    found = list(open_statement(path, load_instruments(None, "USD"), StatementOptions()).rows())
    wrong, known, stated = found
    assert isinstance(wrong, Rejection)
    assert wrong.reason == "the file has a multiplier of 50 for MESZ26, the table 5"
    assert [one.multiplier for one in (known, stated) if isinstance(one, Fill)] == [5, 50]


@pytest.mark.parametrize(("column", "text"), [("multiplier", "abc"), ("multiplier", "1/2"), ("target", "x")])
def test_any_number_of_a_generic_file_that_is_none_is_rejected(file: File, column: str, text: str) -> None:
    (row,) = file.rows(f"{GENERIC},{column}\nA,AAPL,2026-03-02T10:00:00Z,buy,1,10,0,{text}\n")
    assert isinstance(row, Rejection)
    assert (row.code, row.reason) == ("bad_number", f"{column} is not a number, was {text!r}")
    assert (row.account, row.since) == ("A", at("2026-03-02T10:00:00+00:00"))


@pytest.mark.parametrize("field", ["multiplier", "amount", "cash"])
def test_any_number_of_a_json_line_that_is_none_is_rejected(file: File, field: str) -> None:
    line = '{"account":"A","symbol":"AAPL","time":"2026-03-02T10:00:00Z","side":"buy","quantity":1,"price":1'
    fill, rejection = file.rows(f'{line}}}\n{line},"{field}":"abc"}}\n')
    assert isinstance(fill, Fill)
    assert isinstance(rejection, Rejection)
    assert rejection.reason == f"{field} is not a number, was 'abc'"
    assert rejection.text == f'{line},"{field}":"abc"}}'


def test_a_header_within_a_file_may_order_its_columns_anew(file: File) -> None:
    first, second = file.fills(
        f"{GENERIC}\nA,AAPL,2026-03-02T10:00:00Z,buy,1,10,0\n\n"
        "symbol,account,time,side,price,quantity,commission\nAAPL,A,2026-03-02T10:01:00Z,sell,11,1,0\n"
    )
    assert (first.quantity, first.price, second.quantity, second.price) == (1, 10, 1, 11)


def test_the_generic_format_may_be_named_for_a_table_of_a_page(tmp_path: Path) -> None:
    rows = [GENERIC.split(","), ["A", "AAPL", "2026-03-02T10:00:00Z", "buy", "1", "10", "0"]]
    page = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    (tmp_path / "fills.html").write_text(f"<table>{page}</table>")
    options = StatementOptions(layout="generic_fills")
    (fill,) = open_statement(tmp_path / "fills.html", INSTRUMENTS, options).rows()
    assert isinstance(fill, Fill)
    assert (fill.account, fill.symbol, fill.price) == ("A", "AAPL", 10)
