"""`ts.Table`: the same digits, types and nulls in every library that reads Arrow, and in files."""

import csv
import io
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import tearsheet as ts
from tearsheet.api.packing import CHUNK_ROWS, pack_chunks, with_money
from tearsheet.app.analysis.table_columns import TABLES, Column
from tests.support.place import Place, fills_csv

pa = pytest.importorskip("pyarrow", reason="NOT TESTED: pyarrow is not installed; run make setup")
parquet = pytest.importorskip(
    "pyarrow.parquet", reason="NOT TESTED: pyarrow is not installed; run make setup"
)
pl = pytest.importorskip("polars", reason="NOT TESTED: polars is not installed; run make setup")
pd = pytest.importorskip("pandas", reason="NOT TESTED: pandas is not installed; run make setup")
duckdb = pytest.importorskip("duckdb", reason="NOT TESTED: duckdb is not installed; run make setup")
pytest.importorskip("nanoarrow", reason="NOT TESTED: nanoarrow is not installed; run make setup")
pytestmark = pytest.mark.filterwarnings("ignore::tearsheet.PartialWarning")
TYPES = {
    "text": pa.string(),
    "texts": pa.list_(pa.string()),
    "decimal": pa.decimal128(38, 18),
    "float": pa.float64(),
    "count": pa.int64(),
    "flag": pa.bool_(),
    "time": pa.timestamp("us", "UTC"),
    "date": pa.date32(),
    "duration": pa.duration("us"),
}
TABLE_VERBS: dict[str, Callable[[ts.Ledger], ts.Table]] = {
    "fills": lambda one: one.fills(),
    "trades": lambda one: one.trades(),
    "positions": lambda one: one.positions(),
    "bookings": lambda one: one.bookings(),
    "days": lambda one: one.days(),
    "returns": lambda one: one.where(currency="USD").returns(),
    "equity": lambda one: one.where(currency="USD").equity(),
    "rejections": lambda one: one.rejections(),
}


@pytest.fixture(params=sorted(TABLE_VERBS))
def table(request: pytest.FixtureRequest, ledger: ts.Ledger) -> ts.Table:
    """Each table of the ledger."""
    return TABLE_VERBS[request.param](ledger)


def make_table(values: list[Any], kind: str = "decimal") -> ts.Table:
    """A table of one column."""
    columns = (Column("x", kind, ""),)  # type: ignore[arg-type]
    return ts.Table("x", columns, pack_chunks(columns, [(value,) for value in values]), "made")


def test_the_columns_are_those_of_the_documentation(table: ts.Table) -> None:
    columns = TABLES[table._name]  # type: ignore[index]
    schema = table.to_arrow().schema
    assert schema == pa.schema([(column.name, TYPES[column.type]) for column in columns])
    assert table.columns == tuple(schema.names)
    assert list(table.schema) == schema.names
    assert pa.schema(table) == schema


def test_each_library_has_the_rows_of_the_table(table: ts.Table) -> None:
    rows = table.to_dicts()
    assert rows
    assert table.to_arrow().to_pylist() == rows
    assert table.to_polars().to_dicts() == rows
    assert len(table) == len(table.to_pandas()) == len(rows)
    taken = table  # noqa: F841 - duckdb finds it by its name
    assert duckdb.sql("select * from taken").fetchall() == [tuple(row.values()) for row in rows]


def test_pandas_has_the_nearest_floats_and_naive_days(ledger: ts.Ledger) -> None:
    rows, frame = ledger.fills().to_dicts(), ledger.fills().to_pandas()
    assert frame.price.dtype == "float64"
    assert frame.price.tolist() == [float(row["price"]) for row in rows]
    assert str(frame.time.dt.tz) == "UTC"
    assert frame.session.dt.tz is None
    assert frame.stop_loss.isna().tolist() == [row["stop_loss"] is None for row in rows]
    series = ledger.where(currency="USD").returns().to_series()
    assert (series.name, series.index.name, series.index.tz) == ("return", "session", None)
    assert isinstance(series.index, pd.DatetimeIndex)


def test_money_is_exact_decimals_nearest_floats_or_canonical_text(ledger: ts.Ledger) -> None:
    exact = [row["price"] for row in ledger.fills()]
    assert Decimal("410.123456789012345678") in exact
    assert [row["price"] for row in ledger.fills(money="float")] == [float(price) for price in exact]
    texts = [row["price"] for row in ledger.fills(money="text")]
    assert texts == [format(price.normalize(), "f") for price in exact]
    assert ledger.fills(money="text").schema["price"] == "string"
    assert ledger.fills(money="float").to_polars()["price"].dtype == pl.Float64


def test_a_consumer_that_asks_for_floats_is_given_floats(ledger: ts.Ledger) -> None:
    table = ledger.fills()
    names = table.to_arrow().schema
    wanted = names.set(names.get_field_index("price"), pa.field("price", pa.float64()))
    read = pa.RecordBatchReader.from_stream(table, schema=wanted).read_all()
    assert read.schema.field("price").type == pa.float64()
    assert read["price"].to_pylist() == [float(row["price"]) for row in table]
    assert read.schema.field("quantity").type == pa.decimal128(38, 18)


def test_narwhals_wraps_each_backend(ledger: ts.Ledger) -> None:
    pytest.importorskip("narwhals", reason="NOT TESTED: narwhals is not installed; run make setup")
    for backend, kind in (("polars", pl.DataFrame), ("pandas", pd.DataFrame), ("pyarrow", pa.Table)):
        frame = ledger.trades().to_frame(backend)
        assert isinstance(frame.to_native(), kind)
        assert frame.shape[0] == 4


@pytest.mark.parametrize(
    "number",
    [
        "0.000000000000000001",
        "-0.000000000000000001",
        "99999999999999999999.999999999999999999",
        "0",
        "-12.5",
    ],
)
def test_every_amount_that_fits_is_kept_to_the_last_digit(number: str) -> None:
    table = make_table([Decimal(number), None])
    assert [row["x"] for row in table] == [Decimal(number), None]
    assert table.to_arrow()["x"].to_pylist() == [Decimal(number), None]
    assert table.to_polars()["x"].to_list() == [Decimal(number), None]
    assert table.to_pandas()["x"][0] == float(number)


@pytest.mark.parametrize("number", ["0.0000000000000000001", "100000000000000000000", "-1E+20"])
def test_an_amount_that_does_not_fit_is_refused_by_column_and_row(number: str) -> None:
    with pytest.raises(ts.InexactError, match=r"x of row 2 is .*, which 38 digits") as raised:
        make_table([Decimal(1), Decimal(number)])
    assert 'money="text"' in raised.value.hint
    columns = with_money((Column("x", "decimal", ""),), "text")
    [chunk] = pack_chunks(columns, [(Decimal(number),)])
    assert ts.Table("x", columns, [chunk], "").to_dicts() == [{"x": format(Decimal(number), "f")}]


VALUES: dict[str, list[Any]] = {
    "text": ["", "a\0b", "ß漢🙂", None, "=1+1"],
    "texts": [[], ["a", ""], None, ["ü"]],
    "count": [0, -(2**63), 2**63 - 1, None],
    "flag": [True, False, None, True, True, False, False, True, True],
    "float": [0.1, -0.0, None, 1e308],
    "time": [datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC), None, datetime(2099, 12, 31, tzinfo=UTC)],
    "date": [date(1969, 12, 31), None, date(2099, 12, 31)],
    "duration": [timedelta(0), timedelta(days=4000, microseconds=1), None],
}


@pytest.mark.parametrize("kind", sorted(VALUES))
def test_every_value_comes_back(kind: str) -> None:
    values = VALUES[kind]
    table = make_table(values, kind)
    assert [row["x"] for row in table] == values
    assert table.to_arrow()["x"].to_pylist() == values
    assert table.to_polars()["x"].to_list() == values


@pytest.mark.parametrize("kind", sorted({*VALUES, "decimal"}))
def test_a_column_of_nulls_and_one_without_rows_keep_their_type(kind: str) -> None:
    for values in ([None] * 9, []):
        read = make_table(values, kind).to_arrow()
        assert read.schema.field("x").type == TYPES[kind]
        assert read["x"].to_pylist() == values


def test_chunks_are_joined_at_their_seams() -> None:
    rows = [Decimal(number) / 8 for number in range(CHUNK_ROWS + 3)]
    table = make_table(rows)
    assert len(table) == CHUNK_ROWS + 3
    assert table.to_arrow()["x"].num_chunks == 2
    assert [row["x"] for row in table] == rows
    assert table.to_polars()["x"].sum() == sum(rows)


def test_two_readings_of_a_table_give_the_same_bytes(ledger: ts.Ledger, tmp_path: Path) -> None:
    table, again = ledger.trades(), ledger.trades()
    paths = [table.write_parquet(tmp_path / "a.parquet"), table.write_parquet(str(tmp_path / "b.parquet"))]
    paths.append(again.write_parquet(tmp_path / "c.parquet"))
    assert len({path.read_bytes() for path in paths}) == 1
    assert parquet.read_table(paths[0]).to_pylist() == table.to_dicts()
    assert pl.read_parquet(paths[0]).schema["net"] == pl.Decimal(38, 18)


def test_a_csv_file_has_every_digit(ledger: ts.Ledger, tmp_path: Path) -> None:
    table = ledger.fills()
    rows = list(csv.DictReader(io.StringIO(table.write_csv(tmp_path / "f.csv").read_text("utf-8"))))
    assert [Decimal(row["price"]) for row in rows] == [row["price"] for row in table]
    assert rows[0]["time"] == "2026-11-18T15:00:00Z"
    assert rows[0]["fee_stated"] == "true"
    with pytest.raises(ts.InputError, match="cannot be written"):
        table.write_csv(tmp_path / "f.csv" / "x.csv")


def test_an_empty_ledger_has_tables_with_columns_and_no_rows(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with place.tracker():
        pass
    monkeypatch.chdir(place.folder)
    monkeypatch.setenv("TEARSHEET_STARTING_BALANCE", "1000")
    with ts.open(clock=lambda: place.now) as empty:
        for name, columns in TABLES.items():
            table = getattr(empty, name)()
            assert (len(table), bool(table), table.columns) == (0, True, tuple(one.name for one in columns))
            assert len(table.to_polars()) == len(table.to_pandas()) == len(table.to_arrow()) == 0
            assert "0 rows" in repr(table)
            assert parquet.read_table(table.write_parquet(tmp_path / "e.parquet")).num_rows == 0
        assert empty.metrics().sharpe.reason


def test_hostile_names_are_shown_as_text_and_kept_as_they_are(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = "<img src=x onerror=alert(1)>'; drop table fill; --"
    row = f'"{account}",X,2026-11-18T15:00:00Z,buy,3,100,0,1'
    place.write("f.csv", fills_csv([row, row.replace("buy", "sell").replace(",1\n", ",2")[:-1] + "2"]))
    with place.tracker() as tracker:
        tracker.import_file(place.folder / "f.csv")
    monkeypatch.chdir(place.folder)
    with ts.open(clock=lambda: place.now) as found:
        trades = found.where(account=account).trades()
        assert [one["account"] for one in trades.to_arrow().to_pylist()] == [account]
        for shown in (trades._repr_html_(), found.where(account=account)._repr_html_()):
            assert "<img" not in shown
            assert "&lt;img" in shown


def test_a_hundred_thousand_rows_add_up(ledger: ts.Ledger) -> None:
    columns = TABLES["bookings"]
    first = tuple(next(iter(ledger.bookings())).values())
    place = [column.name for column in columns].index("net")
    many = [(*first[:place], Decimal(number) / 100, *first[place + 1 :]) for number in range(100_000)]
    table = ts.Table("bookings", columns, pack_chunks(columns, many), "made")
    total = Decimal(99_999 * 100_000) / 2 / 100
    taken = table  # noqa: F841 - duckdb finds it by its name
    assert duckdb.sql("select sum(net) from taken").fetchall() == [(total,)]
    assert pl.DataFrame(table)["net"].sum() == total
    assert sum(table.to_arrow()["net"].to_pylist()) == total


def test_what_is_shown_has_the_first_and_the_last_rows() -> None:
    table = make_table([Decimal(number) for number in range(100)])
    lines = repr(table).splitlines()
    assert lines[0] == "x: 100 rows · made"
    assert [line.strip() for line in lines[1:]] == [
        "x",
        *map(str, range(10)),
        "… 85 more …",
        *map(str, range(95, 100)),
    ]
    assert table._repr_html_().count("<tr>") == 17


@pytest.mark.parametrize(
    ("missing", "verb", "words"),
    [
        (
            "nanoarrow",
            "to_arrow()",
            "an Arrow stream needs nanoarrow, which is not installed|tearsheet[arrow]",
        ),
        ("pyarrow", "to_arrow()", "to_arrow() needs pyarrow, which is not installed|tearsheet[frames]"),
        ("pyarrow", "to_pandas()", "to_pandas() needs pyarrow, which is not installed|tearsheet[frames]"),
        ("polars", "to_polars()", "to_polars() needs polars, which is not installed|polars"),
        (
            "narwhals",
            "to_frame('polars')",
            "to_frame() needs narwhals, which is not installed|tearsheet[frames]",
        ),
        (
            "pyarrow",
            "write_parquet('x.parquet')",
            "Parquet needs pyarrow, which is not installed|tearsheet[frames]",
        ),
    ],
)
def test_a_missing_library_is_named_with_its_extra(
    ledger: ts.Ledger, missing: str, verb: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is where the library cannot be found."""
    for name in (missing, f"{missing}.parquet"):
        monkeypatch.setitem(sys.modules, name, None)
    table = ledger.trades()
    assert len(table.to_dicts()) == 4
    with pytest.raises(ImportError) as raised:
        eval(f"table.{verb}", {"table": table})
    message, _, extra = words.partition("|")
    assert isinstance(raised.value, ts.MissingExtra)
    assert (raised.value.code, raised.value.message) == ("missing_extra", message)
    assert raised.value.hint == f"pip install '{extra}'"
