"""Workbooks: .xlsx, .xls and .ods are read as tables within bounds, or refused in words."""

import resource
import struct
import time
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tearsheet.errors import FormatError
from tearsheet.sources.config.instruments import load_instruments
from tearsheet.sources.files import workbook_limits
from tearsheet.sources.files.excel import ExcelSheets
from tearsheet.sources.statements.statement import Statement, StatementOptions, open_statement
from tearsheet.trade.event import Event
from tearsheet.trade.fill import Fill, Rejection
from tests.support.place import SAMPLES
from tests.support.workbooks import (
    number_record,
    ods_rows,
    record,
    shared_strings,
    text_record,
    write_ods,
    write_xls,
    write_xlsx,
    write_xlsx_parts,
)

INSTRUMENTS = load_instruments(SAMPLES / "instruments.yaml", "USD")
GENERIC = ("symbol", "time", "side", "quantity", "price", "account", "commission")
ATHENS = ZoneInfo("Europe/Athens")


def opened(path: Path, **options: object) -> Statement:
    options = {"timezone": ATHENS, "account": "MINE", **options}
    return open_statement(path, INSTRUMENTS, StatementOptions(**options))  # type: ignore[arg-type]


def rows(path: Path, **options: object) -> list[Fill | Rejection]:
    return list(opened(path, **options).rows())


def cells(path: Path) -> list[list[str]]:
    return [row for row, _ in ExcelSheets(path).rows(0)]


# --- what is read ------------------------------------------------------------------------------------


HEAD = [
    "Time",
    "Deal",
    "Symbol",
    "Type",
    "Direction",
    "Volume",
    "Price",
    "Order",
    "Commission",
    "Fee",
    "Swap",
    "Profit",
]


def test_metatrader_5_in_excel(tmp_path: Path) -> None:
    path = write_xlsx(
        tmp_path / "report.xlsx",
        [
            ["Trade History Report"],
            ["Account:", "", "", "7100 (USD, Server, demo, Hedge)"],
            ["Deals"],
            HEAD,
            ["2026.03.02 12:48:49", 91, "EURUSD", "sell", "in", 0.5, 1.5524199999999999, 1, -1.75, 0, 0, 0],
            [46083.5, 92, "EURUSD", "buy", "out", 0.5, 1.0842, 2, -1.75, 0, -1.2, 50],
            ["", "", "", "", "", "", "", "", -3.5, 0, -1.2, 50],
            ["Working Orders"],
            ["Open Time", "Order", "Symbol", "Type"],
        ],
    )
    statement = opened(path, account=None)
    sold, bought, swap = statement.rows()
    assert isinstance(sold, Fill)
    assert isinstance(bought, Fill)
    assert isinstance(swap, Event)
    assert (swap.kind, swap.amount, swap.currency) == ("swap", Decimal("-1.2"), "USD")
    assert (statement.layout, statement.skipped) == ("metatrader5_deals", {"totals": 1})
    assert (sold.account, sold.price, sold.commission) == ("7100", Decimal("1.55242"), Decimal("1.75"))
    assert (bought.commission, bought.multiplier) == (Decimal("1.75"), 100_000)
    assert bought.time.isoformat() == "2026-03-02T10:00:00+00:00"


def test_a_workbook_of_other_things_says_what_it_holds(tmp_path: Path) -> None:
    path = write_xlsx(
        tmp_path / "other.xlsx", [["Account", "Instrument", "Open time", "PnL"], ["A", "B", 1, 2]]
    )
    with pytest.raises(FormatError, match="no layout fits its header: Account, Instrument, Open time, PnL"):
        rows(path)


def test_what_is_no_workbook_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.xlsx"
    path.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(FormatError, match="not a valid Excel workbook"):
        rows(path)


REPORT = [
    ["Account:", "", "", "7100 (USD, Server, demo, Hedge)"],
    ["Deals"],
    HEAD,
    ["2026.03.02 12:48:49", 91, "EURUSD", "sell", "in", 0.5, 1.5524199999999999, 1, -1.75, 0, 0, 0],
]


def test_spreadsheets_of_opendocument_and_old_workbooks_are_read_alike(tmp_path: Path) -> None:
    want = rows(write_xlsx(tmp_path / "report.xlsx", REPORT), account=None)
    texts = [cell for row in REPORT for cell in row if isinstance(cell, str)]
    records = b"".join(
        text_record(y, x, texts.index(cell)) if isinstance(cell, str) else number_record(y, x, cell)
        for y, row in enumerate(REPORT)
        for x, cell in enumerate(row)
        if isinstance(cell, int | float | str) and cell != ""
    )
    old = write_xls(tmp_path / "report.xls", records, shared=shared_strings(*texts))
    assert isinstance(want[0], Fill)
    for path in (old, write_ods(tmp_path / "report.ods", ods_rows(REPORT))):
        got = rows(path, account=None)
        assert [(f.price, f.time, f.fill_id) for f in got if isinstance(f, Fill)] == [
            (want[0].price, want[0].time, want[0].fill_id)
        ]


@pytest.mark.parametrize("date1904", [False, True])
def test_dates_follow_the_date_system_of_the_workbook(tmp_path: Path, date1904: bool) -> None:
    serial = 46027.6875 - (1462 if date1904 else 0)
    sheet = f'<row r="1"><c r="A1" s="1"><v>{serial}</v></c></row>'
    assert cells(write_xlsx_parts(tmp_path / "a.xlsx", [sheet], date1904=date1904)) == [
        ["2026-01-05 16:30:00"]
    ]
    old = write_xls(tmp_path / "a.xls", number_record(0, 0, serial, 1), date1904=date1904)
    assert cells(old) == [["2026-01-05 16:30:00"]]


def test_a_workbook_of_the_1904_date_system_gives_the_day_that_it_shows(tmp_path: Path) -> None:
    head = "".join(
        f'<c r="{place}1" t="inlineStr"><is><t>{name}</t></is></c>'
        for place, name in zip("ABCDEFG", GENERIC, strict=True)
    )
    first = '<c r="A2" t="str"><v>AAPL</v></c><c r="B2" s="1"><v>44565.6875</v></c><c r="C2" t="str"><v>buy</v></c>'
    sheet = f'<row r="1">{head}</row><row r="2">{first}<c r="D2"><v>1</v></c><c r="E2"><v>99.5</v></c><c r="F2" t="str"><v>A</v></c><c r="G2"><v>0</v></c></row>'
    path = write_xlsx_parts(tmp_path / "fills.xlsx", [sheet], date1904=True)
    mapping = {name: name for name in GENERIC}
    for options in ({"mapping": mapping}, {"layout": "generic_fills"}):
        (fill,) = rows(path, timezone=ZoneInfo("UTC"), **options)
        assert isinstance(fill, Fill)
        assert (fill.time.isoformat(), fill.price) == ("2026-01-05T16:30:00+00:00", Decimal("99.5"))


def test_phonetic_texts_are_not_part_of_a_cell(tmp_path: Path) -> None:
    texts = '<sst><si><t>東京</t><rPh sb="0" eb="2"><t>トウキョウ</t></rPh></si></sst>'
    sheet = '<row r="1"><c r="A1" t="s"><v>0</v></c></row>'
    path = write_xlsx_parts(tmp_path / "a.xlsx", [sheet], parts={"xl/sharedStrings.xml": texts})
    assert cells(path) == [["東京"]]


def test_sheets_come_in_the_order_of_the_workbook(tmp_path: Path) -> None:
    sheets = [f'<row r="1"><c r="A1"><v>{n}</v></c></row>' for n in (1, 2, 3)]
    path = write_xlsx_parts(tmp_path / "a.xlsx", sheets, names=["sheet9.xml", "sheet1.xml", "sheet5.xml"])
    assert cells(path) == [["1"], ["2"], ["3"]]


def test_cells_as_they_are_shown(tmp_path: Path) -> None:
    values = ("5", "1.5524199999999999", "0.30000000000000004", "1e-7", "12345678901234567890", "-0.5")
    line = "".join(f"<c><v>{value}</v></c>" for value in values)
    line += '<c t="b"><v>1</v></c><c t="str"><v> a&amp;b </v></c><c t="e"><v>#N/A</v></c><c t="e"><v>#REF!</v></c>'
    assert cells(write_xlsx_parts(tmp_path / "a.xlsx", [f"<row>{line}</row>"])) == [
        ["5", "1.55242", "0.3", "0.0000001", "12345678901234600000", "-0.5", "1", " a&b ", "#N/A", "#REF!"]
    ]


def test_an_error_in_a_cell_is_never_nothing(tmp_path: Path) -> None:
    """The library returns such cells empty, and an empty fee would be no fee."""
    formula = struct.pack("<HHHBBBBBBHHIH", 0, 2, 0, 2, 0, 42, 0, 0, 0, 0xFFFF, 0, 0, 0)
    content = (
        number_record(0, 1, 7) + record(0x06, formula) + record(0x205, struct.pack("<HHHBB", 0, 3, 0, 7, 1))
    )
    assert cells(write_xls(tmp_path / "a.xls", content)) == [["7", "#N/A", "#DIV/0!"]]
    error = (
        'office:value-type="string" office:string-value="" calcext:value-type="error"><text:p>#N/A</text:p>'
    )
    row = (
        f"<table:table-row><table:table-cell/><table:table-cell {error}</table:table-cell></table:table-row>"
    )
    assert cells(write_ods(tmp_path / "a.ods", row)) == [["#N/A"]]


def test_dates_and_times_of_opendocument(tmp_path: Path) -> None:
    values = (
        'office:value-type="date" office:date-value="2026-01-05T16:30:15.123"',
        'office:value-type="date" office:date-value="2026-01-05"',
        'office:value-type="time" office:time-value="PT14H30M15S"',
    )
    row = f"<table:table-row>{''.join(f'<table:table-cell {value}/>' for value in values)}</table:table-row>"
    assert cells(write_ods(tmp_path / "a.ods", row)) == [
        ["2026-01-05 16:30:15.123000", "2026-01-05", "14:30:15"]
    ]


def test_strings_that_go_on_in_the_next_record(tmp_path: Path) -> None:
    """Records hold 8,224 bytes; a text continues with its own width of characters."""
    first = struct.pack("<IIHB", 2, 2, 5, 0) + b"ab"
    rest = b"\x01" + "cdé".encode("utf-16-le") + struct.pack("<HBH", 2, 8, 1) + b"xy" + bytes(4)
    shared = record(0xFC, first) + record(0x3C, rest)
    path = write_xls(tmp_path / "a.xls", text_record(0, 0, 0) + text_record(0, 1, 1), shared=shared)
    assert cells(path) == [["abcdé", "xy"]]


# --- what is refused ---------------------------------------------------------------------------------


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


FAR_APART = (
    '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>',
    "".join(
        f'<row r="{n}"><c r="A{n}"><v>1</v></c><c r="XFD{n}"><v>1</v></c></row>' for n in range(1, 60_001)
    ),
)
_EMPTY = '<table:table-cell table:number-columns-repeated="{}"/>'
_SEVEN = '<table:table-cell table:number-columns-repeated="{}" office:value-type="float" office:value="7"/>'


def far_apart_files(folder: Path) -> list[Path]:
    """Files of some kilobytes that ask for gigabytes."""
    files = [write_xlsx_parts(folder / f"{n}.xlsx", [sheet]) for n, sheet in enumerate(FAR_APART)]
    corners = number_record(0, 0, 1) + number_record(65_535, 65_535, 1)
    strings = shared_strings("x" * 30_000)
    labels = b"".join(text_record(n, 0, 0) for n in range(10_000))
    files += [
        write_xls(folder / "corners.xls", corners),
        write_xls(folder / "text.xls", labels, shared=strings),
    ]
    tables = (
        f'<table:table-row table:number-rows-repeated="1000000">{_SEVEN.format(100)}</table:table-row>',
        f"<table:table-row>{_EMPTY.format(10**9)}{_EMPTY.format(1)}</table:table-row>",
        f'<table:table-row table:number-rows-repeated="1000000">{_EMPTY.format(9)}</table:table-row>'
        f"<table:table-row>{_SEVEN.format(16)}</table:table-row>",
        '<table:table-row><table:table-cell office:value-type="string"><text:p><text:s text:c="1000000000"/>'
        "</text:p></table:table-cell></table:table-row>",
    )
    return [*files, *(write_ods(folder / f"{n}.ods", table) for n, table in enumerate(tables))]


def test_cells_far_apart_are_refused_at_once(tmp_path: Path) -> None:
    for path in far_apart_files(tmp_path):
        memory, start = peak_mb(), time.process_time()
        with pytest.raises(FormatError, match=r"the workbook is too large: it (spans|has|holds) more than"):
            cells(path)
        assert time.process_time() - start < 1, path
        assert peak_mb() - memory < 100, path


def test_one_far_column_is_only_as_wide_as_it_is(tmp_path: Path) -> None:
    sheet = "".join(f'<row r="{n}"><c r="XFD{n}"><v>{n}</v></c></row>' for n in range(1, 1001))
    assert len(cells(write_xlsx_parts(tmp_path / "a.xlsx", [sheet]))) == 1000


def test_styles_far_from_the_values_do_not_count(tmp_path: Path) -> None:
    sheet = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576" s="1"/></row>'
    assert cells(write_xlsx_parts(tmp_path / "a.xlsx", [sheet])) == [["1"]]
    empty = f'<table:table-row table:number-rows-repeated="1048575">{_EMPTY.format(16_384)}</table:table-row>'
    assert cells(write_ods(tmp_path / "a.ods", ods_rows([[1]]) + empty)) == [["1"]]


def test_texts_and_unpacked_bytes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook_limits, "MOST_BYTES", 100_000)
    labels = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(1, 101))
    with pytest.raises(FormatError, match="more than 0 MB of text"):
        cells(write_xlsx_parts(tmp_path / "a.xlsx", [labels], ["x" * 5000]))
    with pytest.raises(FormatError, match="unpacked, it has more than 0 MB"):
        cells(write_xlsx_parts(tmp_path / "a.xlsx", ["<row/>" * 20_000]))


@pytest.mark.parametrize("name", ["xl/workbook.xml", "xl/worksheets/sheet1.xml"])
def test_damaged_workbooks_are_refused(tmp_path: Path, name: str) -> None:
    """Each byte of the packed part is broken: whatever fails then is told in words."""
    path = write_xlsx(tmp_path / "a.xlsx", [["Time", "Symbol"], [1.5, "AAPL"]] * 20)
    content = path.read_bytes()
    start = content.index(name.encode()) + len(name)
    for place in range(start, start + 60, 3):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :])
        with pytest.raises(FormatError, match="not a valid Excel workbook"):
            cells(path)


def test_a_workbook_without_its_parts_is_refused(tmp_path: Path) -> None:
    path = write_xlsx_parts(tmp_path / "a.xlsx", [""], parts={"xl/workbook.xml": "<x", "mimetype": ""})
    with pytest.raises(FormatError, match="not a valid Excel workbook"):
        cells(path)


@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/styles.xml", "xl/sharedStrings.xml"])
def test_a_workbook_with_entities_is_refused(tmp_path: Path, part: str) -> None:
    content = '<!DOCTYPE x [<!ENTITY a "aaaa">]><worksheet>&a;</worksheet>'
    with pytest.raises(FormatError, match="it declares a document type"):
        rows(write_xlsx_parts(tmp_path / "bomb.xlsx", [""], parts={part: content}))


def test_protected_workbooks_are_refused(tmp_path: Path) -> None:
    path = write_xls(tmp_path / "a.xls", b"", shared=record(0x2F, b"\x01\x00"))
    with pytest.raises(FormatError, match="protected by a password"):
        cells(path)


@pytest.mark.parametrize("name", ["a.html", "a.xml"])
def test_tables_of_other_files_can_be_generic_fills(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    line = ("AAPL", "2026-01-05T16:30:00Z", "buy", "1", "99.5", "A", "0")
    if name == "a.xml":
        values = " ".join(f'{key}="{value}"' for key, value in zip(GENERIC, line, strict=True))
        path.write_text(f"<fills><fill {values}/></fills>")
    else:
        table = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in (GENERIC, line))
        path.write_text(f"<table>{table}</table>")
    (fill,) = rows(path, layout="generic_fills")
    assert isinstance(fill, Fill)
    assert (fill.symbol, fill.price) == ("AAPL", Decimal("99.5"))
