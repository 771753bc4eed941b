"""`tearsheet export`: every table as CSV, Parquet and Arrow, streamed, with the numbers of the books."""

import csv
import io
import tracemalloc
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tearsheet.api.packing import Chunk, pack_chunks
from tearsheet.api.table_files import FORMATS, FileFormat, write
from tearsheet.app.analysis.table_columns import TABLES
from tearsheet.app.config.edit_accounts import AccountsEditor
from tearsheet.cli import tearsheet
from tearsheet.performance.summary import Scope
from tests.support.place import Place, fills_csv

ROWS = (
    "A,X,2026-11-18T15:00:00Z,buy,3,100.10,0.35,1",
    "A,X,2026-11-18T16:00:00Z,sell,3,101.85,0.35,2",
    "B,Y,2026-11-19T15:00:00Z,buy,1,10,0,3",
)


@pytest.fixture
def home(place: Place, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a ledger, which is the working directory."""
    place.write("fills.csv", fills_csv(ROWS))
    with place.tracker() as tracker:
        tracker.import_file(place.folder / "fills.csv")
    monkeypatch.chdir(place.folder)
    return place.folder


def run(*arguments: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(tearsheet, ["export", *arguments], catch_exceptions=False)


def rows_of(made: Result) -> list[dict[str, str]]:
    """The rows of a CSV on standard output."""
    return list(csv.DictReader(io.StringIO(made.stdout)))


@pytest.mark.parametrize("table", [name for name in TABLES if name != "returns"])
def test_each_table_goes_to_standard_output(home: Path, table: str) -> None:
    made = run(table)
    assert made.exit_code == 0
    assert made.stdout.splitlines()[0] == ",".join(column.name for column in TABLES[table])  # type: ignore[index]


def test_the_numbers_are_those_of_the_summary(home: Path, place: Place) -> None:
    with place.tracker() as tracker:
        net = tracker.get_summary("all", scope=Scope("A")).value("net_pnl")
    rows = rows_of(run("bookings", "--account", "A"))
    assert sum(Decimal(row["net"]) for row in rows) == net == Decimal("4.55")
    [trade] = rows_of(run("trades", "--money", "text", "--start", "2026-11-18", "--end", "2026-11-18"))
    assert (trade["net"], trade["held"], trade["closed_at"]) == ("4.55", "3600", "2026-11-18T16:00:00Z")
    assert rows_of(run("trades", "--start", "2026-11-19")) == []


def test_the_name_of_the_file_says_the_format(home: Path) -> None:
    arrow = pytest.importorskip("pyarrow", reason="NOT TESTED: pyarrow is not installed; run make setup")
    parquet = pytest.importorskip("pyarrow.parquet")
    assert run("fills", "-o", "f.parquet").stdout == "  written  f.parquet\n"
    assert run("fills", "-o", "f.arrow").exit_code == run("fills", "-o", "f.csv").exit_code == 0
    table = parquet.read_table("f.parquet")
    assert table["price"].to_pylist() == [Decimal("100.1"), Decimal("101.85"), Decimal(10)]
    assert arrow.ipc.open_stream("f.arrow").read_all() == table
    with Path("f.csv").open(encoding="utf-8") as file:
        assert [row["fill_id"] for row in csv.DictReader(file)] == table["fill_id"].to_pylist()
    out = CliRunner().invoke(tearsheet, ["export", "fills", "--format", "arrow"]).stdout_bytes
    assert arrow.ipc.open_stream(out).read_all() == table


def test_wrong_use_is_said_in_words(home: Path) -> None:
    from tearsheet.cli import EXIT_USAGE, main

    assert main(["export", "fills", "--format", "parquet"]) == EXIT_USAGE
    assert main(["export", "returns"]) == EXIT_USAGE
    assert main(["export", "fills", "--tag", "x"]) == EXIT_USAGE
    assert main(["export", "orders"]) == EXIT_USAGE
    assert not list(home.glob("*.parquet"))


@pytest.mark.parametrize(
    ("option", "name", "nearest"), [("--account", "AA", "'A'"), ("--currency", "USDD", "'USD'")]
)
@pytest.mark.parametrize("table", ["fills", "days", "rejections"])
def test_an_account_or_currency_that_is_not_there_is_no_empty_table(
    home: Path, capsys: pytest.CaptureFixture[str], table: str, option: str, name: str, nearest: str
) -> None:
    from tearsheet.cli import EXIT_USAGE, main

    assert main(["export", table, option, name]) == EXIT_USAGE
    said = capsys.readouterr()
    assert said.out == ""
    assert f"{option[2:]} is {name!r}" in said.err
    assert f"did you mean {nearest}?" in said.err


def test_a_stated_account_or_currency_without_trades_is_an_empty_table(home: Path, place: Place) -> None:
    place.write("config/accounts.yaml", "accounts: {C: {starting_balance: {EUR: 100}}}")
    with place.tracker() as tracker:
        AccountsEditor(tracker).set_file(place.folder / "config/accounts.yaml", "kim")
    assert rows_of(run("fills", "--account", "C")) == []
    assert rows_of(run("fills", "--currency", "EUR")) == []


def test_a_file_that_fails_half_way_is_not_there(home: Path) -> None:
    columns = TABLES["rejections"]

    def broken() -> object:
        yield from pack_chunks(columns, [("f", 1, None, "c", "r", "h", "t")])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(home / "half.csv", "csv", columns, broken())  # type: ignore[arg-type]
    assert not list(home.glob("*half*"))


@pytest.mark.parametrize("money", ["decimal", "text"])
def test_no_text_is_a_formula_and_a_number_below_0_is_a_number(home: Path, place: Place, money: str) -> None:
    """A cell begins with an apostrophe where a spreadsheet would compute it."""
    place.write("more.csv", fills_csv(["=HYPERLINK(1),+X,2026-11-19T15:00:00Z,buy,1,10,-1.5,@9"]))
    with place.tracker() as tracker:
        tracker.import_file(place.folder / "more.csv")
    assert run("fills", "--money", money, "-o", "f.csv").exit_code == 0
    with Path("f.csv").open(encoding="utf-8") as file:
        [found] = [one for one in csv.DictReader(file) if "HYPERLINK" in one["account"]]
    assert found["account"] == "'=HYPERLINK(1)"
    assert (found["symbol"], found["fill_id"], found["commission"]) == ("'+X", "'@9", "-1.5")


@pytest.mark.parametrize("form", FORMATS)
def test_memory_does_not_grow_with_the_rows(tmp_path: Path, form: FileFormat) -> None:
    if form != "csv":
        pytest.importorskip("pyarrow", reason="NOT TESTED: pyarrow is not installed; run make setup")
    columns = TABLES["days"][2:5]

    def peak_of(number: int) -> int:
        rows = ((Decimal(k % 100), Decimal(1), Decimal(2)) for k in range(number))
        chunks: list[Chunk] | object = pack_chunks(columns, rows, size=1000)
        tracemalloc.start()
        try:
            write(tmp_path / f"x.{form}", form, columns, chunks)  # type: ignore[arg-type]
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak_of(1000)  # what is imported and kept once
    assert peak_of(20_000) < 2 * peak_of(2000)
