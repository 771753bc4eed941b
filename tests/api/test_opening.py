"""`ts.from_fills`: fills of any frame, by the rules of files; nothing is kept on disk."""

import csv
import gc
import io
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import tearsheet as ts
from tests.support.place import Place

CSV = """account,symbol,time,side,quantity,price,commission
A,AAPL,2026-03-02T15:00:00,buy,10,100.10,1
A,AAPL,2026-03-02T16:00:00,sell,10,101.25,1
A,MESH26,2026-03-02T16:30:00,sell,1,5000.25,1.24
A,MESH26,2026-03-02T16:35:00,buy,1,4990.25,1.24
"""
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory without settings."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def dicts(**more: Any) -> list[dict[str, Any]]:
    """Two fills as dicts."""
    one = {"symbol": "AAPL", "time": NOON, "side": "buy", "quantity": 2, "price": "10.5"}
    return [{**one, **more}, {**one, "side": "sell", "price": "11", **more}]


def from_polars() -> Any:
    polars = pytest.importorskip("polars", reason="NOT TESTED: polars is not installed; run make setup")
    return polars.read_csv(io.StringIO(CSV), try_parse_dates=True)


FRAMES: dict[str, Callable[[], Any]] = {
    "dicts": lambda: list(csv.DictReader(io.StringIO(CSV))),
    "generator": lambda: (row for row in csv.DictReader(io.StringIO(CSV))),
    "polars": from_polars,
    "pandas": lambda: from_polars().to_pandas(),
    "arrow": lambda: from_polars().to_arrow(),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_every_frame_gives_the_same_books(kind: str) -> None:
    with ts.from_fills(FRAMES[kind](), timezone="America/Chicago", balance=50_000) as ledger:
        assert [row["net"] for row in ledger.trades()] == [Decimal("9.5"), Decimal("47.52")]
        assert next(iter(ledger.trades()))["opened_at"] == datetime(2026, 3, 2, 21, tzinfo=UTC)
        assert ledger.returns().to_dicts()[0]["return"] == pytest.approx(57.02 / 50_000)
        floats = (
            () if kind in ("dicts", "generator") else ("8 numbers were floats, read by their shortest text",)
        )
        assert ledger.imported is not None
        assert [words for words in ledger.imported.assumed if "floats" in words] == list(floats)


def test_a_frame_becomes_a_report_in_one_line(at_home: Path) -> None:
    ts.from_fills(FRAMES["dicts"](), timezone="America/Chicago").report("march.html")
    assert "2 Mar 2026" in (at_home / "march.html").read_text("utf-8")


def test_columns_are_named_sides_signed_and_values_stated() -> None:
    rows = [
        {"Sym": "AAPL", "When": NOON, "Qty": 2, "Px": 6700.25},
        {"Sym": "AAPL", "When": NOON.replace(hour=13), "Qty": -2, "Px": 6701},
    ]
    names = {"Sym": "symbol", "When": "time", "Qty": "quantity", "Px": "price"}
    with ts.from_fills(rows, columns=names, account="X", currency="EUR") as ledger:
        assert [(row["side"], row["quantity"]) for row in ledger.fills()] == [("BUY", 2), ("SELL", 2)]
        [trade] = ledger.trades()
        assert (trade["account"], trade["currency"], trade["net"]) == ("X", "EUR", Decimal("1.5"))
        assert {row["fee_stated"] for row in ledger.fills()} == {False}
        assert [note.code for note in ledger.summary().notes] == ["no_fees_stated"]


def test_floats_are_read_by_their_shortest_text_and_exact_numbers_exactly() -> None:
    exact = Decimal("0.123456789012345678")
    rows = dicts()
    rows[0]["price"], rows[1]["price"], rows[0]["quantity"], rows[1]["quantity"] = (
        0.1 + 0.2,
        exact,
        1e-7,
        1e-7,
    )
    with ts.from_fills(rows) as ledger:
        assert [row["price"] for row in ledger.fills()] == [Decimal("0.30000000000000004"), exact]
        assert {row["quantity"] for row in ledger.fills()} == {Decimal("0.0000001")}


def test_bad_rows_are_rejections_and_strict_refuses_the_first() -> None:
    rows = [*dicts(), {**dicts()[0], "price": float("nan")}, {**dicts()[0], "symbol": "ESX9"}]
    with ts.from_fills(rows) as ledger:
        found = [(row["line"], row["code"]) for row in ledger.rejections()]
        assert found[0] == (4, "missing_field")
        with pytest.warns(ts.PartialWarning, match="rejected_lines"):
            assert len(ledger.trades()) == 1
    with pytest.raises(ts.InputError, match="row 3: price is empty"):
        ts.from_fills(rows, strict=True)


@pytest.mark.parametrize(
    ("fills", "kind", "words"),
    [
        ([], ts.FormatError, "frame has no rows"),
        (7, ts.UsageError, "fills are a int"),
        ("fills.csv", ts.UsageError, "fills are a str"),
        ([5], ts.UsageError, "row 1 of the fills is a int"),
        ([{"symbol": "A"}], ts.UsageError, "the frame lacks time, quantity, price"),
        (dicts(foo=1), ts.UsageError, "column 'foo' is no field"),
        (dicts(time="2026-03-02T15:00:00"), ts.FormatError, "time without a time zone"),
        (dicts(time="noon"), ts.FormatError, "row 1: invalid time"),
        ([*dicts(), {**dicts()[0], "fee": 1}], ts.UsageError, "row 3 has 'fee'"),
    ],
)
def test_what_is_no_frame_of_fills_is_refused(fills: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        ts.from_fills(fills)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"timezone": "Chicago"}, "timezone is 'Chicago'"),
        ({"balance": "much"}, "balance is 'much'"),
        ({"columns": {"Qty": "quantity"}}, "columns names 'Qty', which the frame has not"),
        ({"columns": {"price": "prise"}}, "is 'prise'"),
        ({"account": 5}, "account is 5"),
    ],
)
def test_wrong_arguments_are_said(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ts.UsageError, match=words):
        ts.from_fills(dicts(), **wrong)


def test_nothing_stays_on_disk(
    at_home: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    ledger = ts.from_fills(dicts())
    assert len(list(folder.iterdir())) == 1
    ledger.close()
    assert list(folder.iterdir()) == []
    ts.from_fills(dicts()).days()  # let go without being closed
    gc.collect()
    with pytest.raises(ts.FormatError):
        ts.from_fills([])
    assert list(folder.iterdir()) == []
    assert list(at_home.iterdir()) == []


def test_a_ledger_that_is_open_for_writing_takes_frames_files_and_logs(place: Place) -> None:
    path = place.write("more.csv", CSV.replace("AAPL", "MSFT"))
    with ts.open(place.folder / "own.db", write=True, clock=lambda: place.now) as ledger:
        assert ledger.add_fills(FRAMES["dicts"](), timezone="America/Chicago").new == 4
        assert ledger.add_fills(FRAMES["dicts"](), timezone="America/Chicago").known == 4
        assert ledger.import_file(str(path), timezone="America/Chicago").new == 2
        assert ledger.sync().records == 0
        assert {row["symbol"] for row in ledger.fills()} == {"AAPL", "MSFT", "MESH26"}
    with ts.open(place.folder / "own.db") as ledger:
        assert len(ledger.fills()) == 6
