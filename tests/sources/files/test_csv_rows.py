"""Statements whose bytes, lines and cells are not as they should be: nothing is lost in silence."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tearsheet.errors import FormatError, InputError, TearsheetError
from tearsheet.sources.config.instruments import load_instruments
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.sources.statements.statement import open_statement
from tearsheet.trade.fill import REJECTION_CODES, Fill, Rejection
from tests.support.laws import examples

INSTRUMENTS = load_instruments(None, "USD")
CHICAGO = ZoneInfo("America/Chicago")
HEADER = "account,symbol,time,side,quantity,price,commission"
ROW = "A,AAPL,2026-03-02T10:00:00Z,buy,1,10,0"
LINE = '{"account":"A","symbol":"AAPL","time":"2026-03-02T10:00:00Z","side":"buy","quantity":1,"price":1}'


def read(folder: Path, content: str | bytes, **options: object) -> list[Fill | Rejection]:
    path = folder / "fills.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(open_statement(path, INSTRUMENTS, StatementOptions(**options)).rows())  # type: ignore[arg-type]


def said(rows: list[Fill | Rejection]) -> list[str]:
    """`fill`, or the code of a rejection, row by row; every text can be stored."""
    for row in rows:
        if isinstance(row, Rejection):
            assert (row.text + row.reason).encode()
    return [row.code if isinstance(row, Rejection) else "fill" for row in rows]


def test_one_byte_that_is_no_text_costs_one_row(tmp_path: Path) -> None:
    many = f"{HEADER}\n".encode() + f"{ROW}\n".encode() * 2000
    rows = read(tmp_path, many + b"A,\xff\xfe,2026-03-02T10:00:00Z,buy,1,10,0\n" + ROW.encode())
    assert said(rows)[2000:] == ["bad_encoding", "fill"]
    assert isinstance(rows[2000], Rejection)
    assert (rows[2000].line, rows[2000].reason) == (2002, "the row is not valid text")
    assert rows[2000].text == r"A,\udcff\udcfe,2026-03-02T10:00:00Z,buy,1,10,0"


@pytest.mark.parametrize("tail", [b"a", b"\x00\xd8\x41\x00", b"\x00\xdc\n\x00"])
def test_half_a_character_in_utf_16_costs_one_row(tmp_path: Path, tail: bytes) -> None:
    rows = read(tmp_path, f"{HEADER}\n{ROW}\n".encode("utf-16") + tail)
    assert said(rows) == ["fill", "bad_encoding"]


def test_utf_16_that_is_no_text_from_the_start_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"no layout fits its header: \\udc00\\udcd8A"):
        read(tmp_path, b"\xff\xfe\x00\xd8A\x00")


@pytest.mark.parametrize("account", [r"\ud800", r"A\u0000B"])
def test_json_may_not_smuggle_in_what_is_no_text(tmp_path: Path, account: str) -> None:
    assert said(read(tmp_path, f"{LINE}\n{LINE.replace('A', account, 1)}\n")) == ["fill", "bad_encoding"]


def test_nul_is_no_text(tmp_path: Path) -> None:
    assert said(read(tmp_path, f"{HEADER}\n{ROW}\nA\0,{ROW}\n{ROW}\n")) == ["fill", "bad_encoding", "fill"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_an_endless_line_costs_itself_whatever_ends_it(tmp_path: Path, end: str) -> None:
    rows = read(tmp_path, end.join([HEADER, ROW, f"A,{'x' * 2_000_000}", "," * 1_500_000, ROW]))
    assert said(rows) == ["fill", "line_too_long", "line_too_long", "fill"]


def test_an_endless_json_line_costs_itself(tmp_path: Path) -> None:
    rows = read(tmp_path, f'{LINE}\n{{"account":"{"x" * 2_000_000}"}}\n{LINE}\n')
    assert said(rows) == ["fill", "line_too_long", "fill"]


def test_an_endless_line_above_the_header_is_passed_over(tmp_path: Path) -> None:
    assert said(read(tmp_path, f"{'x' * 300_000}\n{HEADER}\n{ROW}\n")) == ["fill"]


def test_a_quote_that_is_never_closed_says_what_it_swallowed(tmp_path: Path) -> None:
    (row,) = read(tmp_path, f'{HEADER}\nA,"AAPL,2026-03-02T10:00:00Z,buy,1,10,0\n{ROW}\n{ROW}\n')
    assert isinstance(row, Rejection)
    assert row.reason == "time is empty; lines 2–4 were read as one row"
    assert (row.line, row.hint) == (2, "check for a missing closing quote; every fill has one")


def test_rows_of_spaces_are_blank(tmp_path: Path) -> None:
    assert said(read(tmp_path, f"{HEADER}\n{ROW}\n   \n , ,\t\n{ROW}\n")) == ["fill", "fill"]


def test_a_statement_can_be_read_again(tmp_path: Path) -> None:
    path = tmp_path / "fills.csv"
    path.write_text(f"{HEADER},fill_id\n{ROW},7\n{ROW},\n{ROW},\n")
    statement = open_statement(path, INSTRUMENTS, StatementOptions())
    first = list(statement.rows())
    assert len(first) == 3
    assert list(statement.rows()) == first


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="pipe is a device or pipe, not a file"):
        open_statement(tmp_path / "pipe", INSTRUMENTS, StatementOptions())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "fills.csv is empty"),
        (" \n\n", "fills.csv holds no text"),
        (b"\xff\xfe", "fills.csv holds no text"),
    ],
)
def test_a_file_without_text_cannot_be_read(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, content)
    assert caught.value.message.endswith(message)
    assert caught.value.hint == "a file of fills needs a header and at least one row"


# --- keys, columns and values ------------------------------------------------------------------


def test_json_keys_that_differ_in_case_only_are_one_key(tmp_path: Path) -> None:
    rows = read(tmp_path, f"{LINE}\n{LINE.replace('{', '{' + chr(34) + 'Account' + chr(34) + ':1,')}")
    assert isinstance(rows[1], Rejection)
    assert rows[1].reason == "the line is no JSON object: key 'account' stands twice"


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="the column Price stands twice in its header"):
        read(tmp_path, f"{HEADER},Price\n{ROW},11\n".replace("price,", "Price,"))


def test_two_columns_that_nobody_reads_may_share_a_name(tmp_path: Path) -> None:
    assert said(read(tmp_path, f"{HEADER},note,note\n{ROW},a,b\n")) == ["fill"]


def test_json_lines_may_be_asked_for_and_must_be_there(tmp_path: Path) -> None:
    assert said(read(tmp_path, LINE, layout="generic_fills_jsonl")) == ["fill"]
    with pytest.raises(FormatError, match="layout generic_fills_jsonl does not fit its header"):
        read(tmp_path, f"{HEADER}\n{ROW}\n", layout="generic_fills_jsonl")
    with pytest.raises(FormatError, match="layout generic_fills does not fit its header"):
        read(tmp_path, LINE, layout="generic_fills")


def test_a_row_that_is_rejected_does_not_use_up_its_execution_id(tmp_path: Path) -> None:
    rows = read(tmp_path, f"{HEADER},fill_id,stop_loss\n{ROW},7,abc\n{ROW},7,9\n")
    assert said(rows) == ["bad_number", "fill"]


@pytest.mark.parametrize("code", ["US Dollar", "$", "€", "TOOLONGTOBECODE"])
def test_a_currency_is_a_code(tmp_path: Path, code: str) -> None:
    (row,) = read(tmp_path, f"{HEADER},currency\n{ROW},{code}\n")
    assert isinstance(row, Rejection)
    assert (row.code, row.reason) == ("bad_value", f"invalid currency {code!r}")


# --- times -------------------------------------------------------------------------------------


@pytest.mark.parametrize("time", ["2026-12-31T19:00:00-06:00", "2027-01-01T01:00:00Z"])
def test_a_one_digit_year_is_that_of_the_trader_on_new_years_eve(tmp_path: Path, time: str) -> None:
    (fill,) = read(tmp_path, f"{HEADER}\nA,ESZ6,{time},buy,1,10,0\n")
    assert isinstance(fill, Fill)
    assert fill.symbol == "ESZ26"


def test_a_decimal_comma_says_that_days_come_first(tmp_path: Path) -> None:
    (fill,) = read(tmp_path, f'{HEADER}\nA,AAPL,2/4/2026 6:05:02,buy,1,"7200,75",0\n', timezone=CHICAGO)
    assert isinstance(fill, Fill)
    assert fill.time == datetime(2026, 4, 2, 11, 5, 2, tzinfo=UTC)


def test_a_local_date_below_a_thousand_iso_dates_is_not_guessed(tmp_path: Path) -> None:
    rows = read(
        tmp_path,
        f"{HEADER}\n{f'{ROW}{chr(10)}' * 1000}{ROW.replace('2026-03-02T10:00:00Z', '3/4/2026 10:00')}\n",
    )
    assert isinstance(rows[-1], Rejection)
    assert rows[-1].reason == "ambiguous date '3/4/2026 10:00'"


def test_the_repeated_hour_is_the_first_in_a_file_without_order(tmp_path: Path) -> None:
    walls = ["2026-11-01 01:50:00", "2026-11-01 01:10:00"]
    lines = [f"A,AAPL,{wall},buy,1,10,0" for wall in ["2026-11-02 10:00:00", "2026-10-01 10:00:00", *walls]]
    rows = read(tmp_path, "\n".join([HEADER, *lines]), timezone=CHICAGO)
    assert [row.time.hour for row in rows if isinstance(row, Fill)][2:] == [6, 6]


# --- no bytes do anything else -------------------------------------------------------------------


@examples(400)
@given(
    st.sampled_from([b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b""]), st.binary(max_size=60), st.booleans()
)
def test_any_bytes_below_a_good_header(tmp_path: Path, mark: bytes, tail: bytes, json_lines: bool) -> None:
    name = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}.get(mark, "utf-8")
    head = f"{LINE}\n" if json_lines else f"{HEADER}\n{ROW}\n"
    try:
        rows = read(tmp_path, mark + head.encode(name) + tail, timezone=CHICAGO)
    except TearsheetError as error:
        assert str(error).encode()
        return
    assert set(said(rows)) <= {"fill", *REJECTION_CODES}
    assert said(rows)[0] in ("fill", "bad_encoding", "missing_field")


@examples(300)
@given(
    st.dictionaries(
        st.sampled_from(["account", "symbol", "side", "strategy", "currency", "fill_id"]),
        st.text(st.characters(), max_size=8),
        max_size=4,
    )
)
def test_any_texts_in_json(tmp_path: Path, texts: dict[str, str]) -> None:
    fill = {**json.loads(LINE), **texts}
    for row in read(tmp_path, f"{LINE}\n{json.dumps(fill)}\n"):
        assert isinstance(row, Fill | Rejection)
        assert repr(row).encode()
        if isinstance(row, Fill):
            assert (row.account + row.symbol + row.currency + (row.strategy or "")).encode()
