"""`doctor`: what is seen of a file, and why it would or would not be read."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tearsheet.sources.config.instruments import load_instruments
from tearsheet.sources.statements.diagnosis import Diagnosis, diagnose
from tearsheet.sources.statements.options import StatementOptions
from tests.support.place import SAMPLES

INSTRUMENTS = load_instruments(None, "USD")


def seen(path: Path, **options: object) -> Diagnosis:
    return diagnose(path, INSTRUMENTS, StatementOptions(**options))  # type: ignore[arg-type]


def test_a_file_that_can_be_read() -> None:
    found = seen(SAMPLES / "schwab_transactions.csv", account="S1")
    assert found.is_readable
    assert (found.kind, found.encoding, found.separator) == ("csv", "utf-8", "comma")
    assert (found.layout, found.header_line, found.header[0]) == ("schwab_transactions", 1, "Date")
    assert (found.zone, found.decimal_mark, found.date_order) == ("America/New_York", "point", "month-first")
    assert (found.fills, found.rejected, found.skipped) == (9, 2, {"totals": 1})
    assert found.events == 2
    assert [str(fill.price) for fill in found.first] == ["1.5", "151", "40", "0.9", "0.4"]
    assert [one.reason[:17] for one in found.rejections] == ["Action 'Mystery R", "the expiry has no"]
    assert "schwab_transactions" not in {one.name for one in found.alternatives}


def test_a_european_file_is_told_as_such(tmp_path: Path) -> None:
    path = tmp_path / "fills.csv"
    path.write_bytes(
        "Größe\naccount;symbol;time;side;quantity;price;commission\nA;AAPL;02.03.2026 13:00;buy;1;1.234,50;0\n".encode(
            "cp1252"
        )
    )
    found = seen(path, timezone=ZoneInfo("Europe/Berlin"))
    assert (found.encoding, found.separator, found.decimal_mark, found.date_order) == (
        "cp1252",
        "semicolon",
        "comma",
        "day-first",
    )
    assert (found.header_line, found.fills) == (2, 1)


def test_a_file_that_no_layout_fits_names_the_closest(tmp_path: Path) -> None:
    path = tmp_path / "fills.csv"
    path.write_text(
        "My broker\n\naccount,symbol,time,side,how much,price,commission\nA,AAPL,2026-03-02T12:00:00Z,buy,1,10,0\n"
    )
    found = seen(path)
    assert not found.is_readable
    assert (found.layout, found.header_line) == ("", 3)
    assert [(one.name, one.missing) for one in found.alternatives][:1] == [("generic_fills", ["quantity"])]
    assert "no layout fits its header: account, symbol" in found.error
    assert "--map" in found.hint


@pytest.mark.parametrize(
    ("name", "options", "trouble"),
    [
        ("tradovate_orders.csv", {}, "files use local times"),
        ("none.csv", {}, "cannot be read: No such file"),
        ("rithmic_orders.csv", {"layout": "robinhood"}, "layout robinhood does not fit its header"),
        ("rithmic_orders.csv", {"layout": "nobody"}, "no layout 'nobody'"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(name: str, options: dict[str, object], trouble: str) -> None:
    found = seen(SAMPLES / name, **options)
    assert trouble in found.error
    assert found.hint
    assert not found.is_readable


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (
            "Timestamp (UTC),Transaction Description,Currency,Amount,To Currency,To Amount,Native Currency,"
            "Native Amount,Native Amount (in USD),Transaction Kind,Transaction Hash",
            "Crypto.com App transactions",
        )
    ],
)
def test_reports_of_results_say_what_to_export_instead(tmp_path: Path, header: str, name: str) -> None:
    path = tmp_path / "report.csv"
    path.write_text(f"{header}\n1,2,3,4\n")
    found = seen(path, timezone=ZoneInfo("UTC"))
    assert found.error.startswith(f"{path}: {name}")
    assert any(word in found.hint for word in ("export", "download", "save"))


def test_a_file_that_lacks_only_its_zone_names_the_layout_that_fits(tmp_path: Path) -> None:
    path = tmp_path / "grid.csv"
    path.write_text(
        "Instrument,Action,Quantity,Price,Time,ID,E/X,Position,Order ID,Name,Commission,Rate,Account,Connection,\n"
        "MES DEC26,Buy,1,6000.25,11/16/2026 9:31:00 AM,x1,Entry,1 L,o1,Entry,$0.62,1,Sim1,Sim,\n"
    )
    found = seen(path)
    assert "local time" in found.error
    assert "--timezone" in found.hint
    assert (found.layout, found.title) == ("ninjatrader_executions", "NinjaTrader executions")
    assert found.layout not in {one.name for one in found.alternatives}


def test_a_column_of_the_mapping_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("Ticker;Qty;When;Fill\nMSFT;1;2026-11-16 10:00:00;401\n")
    mapping = {"Tickr": "symbol", "Qty": "quantity", "When": "time", "Fill": "price"}
    found = seen(path, mapping=mapping, timezone=ZoneInfo("Europe/Berlin"), account="ME")
    assert "your_mapping: lacking are Tickr" in found.hint
