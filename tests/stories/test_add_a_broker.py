"""The page that shows how to add a broker does what it says, with the very layout that it prints."""

import re
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from tearsheet.sources.config.instruments import load_instruments
from tearsheet.sources.layouts.layout import FIELDS, PIECES, Fees, Layout, parse_layout
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.sources.statements.statement import open_statement
from tearsheet.trade.event import Event
from tearsheet.trade.fill import Fill, Rejection
from tests.support.place import TOP

PAGE = (TOP / "docs" / "add-a-broker.md").read_text("utf-8")
EXPORT = """My broker, a monthly statement
Trade Date,Trade Time,Type,Action,Ticker,Qty,Price,Gross,Commission,Exch Fee,Exec ID
3/2/2026,09:30:00,TRADE,BUY,AAPL,100,150.25,15025.00,-1.00,-0.25,e1
3/2/2026,10:00:00,DIV,,AAPL,,,12.50,,,
3/2/2026,15:00:00,TRADE,SELL,AAPL,100,151.00,15100.00,-1.00,-0.25,e2
3/2/2026,15:00:01,SPLIT,,AAPL,2,,,,,
3/2/2026,15:00:02,GIFT,BUY,AAPL,1,1,1,0,0,e3
3/2/2026,15:00:03,TRADE,BUY,AAPL,1,151.00,15100.00,-1.00,-0.25,e4
,,,,,,,,-2.00,-0.50,
"""


def test_the_layout_of_the_page_reads_a_statement(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(title = .+?)```", PAGE, re.DOTALL)
    (tmp_path / "layouts").mkdir()
    (tmp_path / "layouts" / "my_broker.toml").write_text(example, "utf-8")
    path = tmp_path / "export.csv"
    path.write_text(EXPORT)
    options = StatementOptions(
        timezone=ZoneInfo("America/New_York"), account="ME", layouts=tmp_path / "layouts"
    )
    statement = open_statement(path, load_instruments(None, "USD"), options)
    rows = list(statement.rows())
    assert statement.layout == "my_broker"
    assert [(f.side.value, f.price, f.commission) for f in rows if type(f) is Fill] == [
        ("BUY", Decimal("150.25"), Decimal("1.25")),
        ("SELL", 151, Decimal("1.25")),
    ]
    assert [row.code for row in rows if isinstance(row, Rejection)] == [
        "unknown_row",
        "unknown_row",
        "contradiction",
    ]
    assert [(e.kind, e.amount) for e in rows if isinstance(e, Event)] == [("dividend", Decimal("12.5"))]
    assert statement.skipped == {"totals": 1}


def test_every_key_of_a_layout_is_on_the_page() -> None:
    keys = {field.name for field in msgspec.structs.fields(Layout)} - {
        "name",
        "title",
        "sides",
        "rows",
        "fees",
    }
    table = "\n".join(line for line in PAGE.splitlines() if line.startswith("| `"))
    assert {key for key in keys if f"`{key}" not in table} == set()
    fees = {field.name for field in msgspec.structs.fields(Fees)} - {"columns"}
    assert {key for key in fees if not re.search(rf"`(fees)?\.{key}`", table)} == set()
    fields = PAGE.partition("\nFields: ")[2]
    assert {field for field in (*FIELDS, *PIECES) if field not in fields} == set()


def test_a_layout_of_the_page_without_a_column_is_refused() -> None:
    (example,) = re.findall(r"```toml\n(title = .+?)```", PAGE, re.DOTALL)
    assert parse_layout("my_broker", example).needed[:3] == ["Trade Date", "Trade Time", "Symbol"]
