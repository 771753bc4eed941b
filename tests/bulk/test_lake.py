"""What a lake holds, and what it refuses: wrong columns, types, values, order, rules."""

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tearsheet.bulk.fill_schema import FILLS
from tearsheet.bulk.lake import MANIFEST, Lake
from tearsheet.bulk.rebuild import rebuild
from tearsheet.bulk.write import write_ledger
from tearsheet.errors import InputError, NotFoundError, SchemaError, TearsheetError, UsageError
from tests.bulk.lakes import empty_lake, fill_lake, traded, written
from tests.columns.random_fills import random_fills
from tests.support.place import Place, fills_csv, record


def filled(folder: Path) -> Lake:
    """A lake of one bucket and file."""
    return fill_lake(empty_lake(str(folder), buckets=1), random_fills(Random(3), 3, 40, ("plain",)))


def changed(lake: Lake, change: Callable[[Any], Any]) -> str:
    """Write the lake's only file anew with a change, and return its name."""
    [file] = lake.bucket_files([0])
    path = Path(lake.place.address) / file.name
    pq.write_table(change(pq.read_table(path)), path)
    return str(path)


def with_value(name: str, value: Any, row: int = 5) -> Callable[[Any], Any]:
    def change(table: Any) -> Any:
        values = table.column(name).to_pylist()
        values[row] = value
        place = table.schema.get_field_index(name)
        return table.set_column(place, name, pa.array(values, table.schema.field(name).type))

    return change


def swapped(table: Any) -> Any:
    order = [0, 2, 1, *range(3, table.num_rows)]
    return table.take(order)


WRONG = {
    "a column more": (lambda t: t.append_column("venue", t.column("symbol")), "column 'venue' is not known"),
    "a column less": (lambda t: t.drop_columns(["key"]), "column 'key' is missing"),
    "a type": (
        lambda t: t.set_column(
            t.schema.get_field_index("price"), "price", t.column("price").cast(pa.float64())
        ),
        "column 'price' is double, not string",
    ),
    "no symbol": (with_value("symbol", None), "column 'symbol' has a null"),
    "a side": (with_value("side", "HOLD"), "column 'side' has 'HOLD'"),
    "a mode": (with_value("mode", "TEST"), "column 'mode' has 'TEST'"),
    "a quantity below 0": (with_value("quantity", "-1"), "column 'quantity' has a number below 0"),
    "no number": (with_value("price", "12,5"), "column 'price' is not a number, was '12,5'"),
    "a number that is none": (
        with_value("commission", "NaN"),
        "column 'commission' is not a usable number, was 'NaN'",
    ),
    "two fills swapped": (swapped, "does not come after"),
    "a fill less": (lambda t: t.slice(1), "where its source states"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_file_that_is_wrong_is_refused_with_its_name(tmp_path: Path, what: str) -> None:
    change, words = WRONG[what]
    lake = filled(tmp_path)
    path = changed(lake, change)
    with pytest.raises(InputError, match=words) as refused:
        rebuild(str(tmp_path), processes=0)
    assert path in refused.value.message
    assert refused.value.hint


def test_an_account_in_another_s_bucket_is_refused(tmp_path: Path) -> None:
    lake = fill_lake(empty_lake(str(tmp_path), buckets=2), random_fills(Random(3), 6, 20, ("plain",)))
    one, other = (Path(lake.place.address) / file.name for file in lake.bucket_files([0, 1]))
    one.write_bytes(other.read_bytes())
    with pytest.raises(InputError, match="of bucket 1 in bucket 0"):
        rebuild(str(tmp_path), processes=0)


def test_texts_and_times_are_kept_as_they_are(tmp_path: Path) -> None:
    fills = random_fills(Random(4), 5, 30)
    lake = fill_lake(empty_lake(str(tmp_path), buckets=1), fills)
    [file] = lake.bucket_files([0])
    table = pq.read_table(tmp_path / file.name)
    assert table.schema.equals(FILLS)
    assert table.column("time").to_pylist() == [fill.time for fill in fills]
    assert table.column("key").to_pylist() == [fill.key for fill in fills]


def test_no_lake_another_version_and_other_rules(tmp_path: Path, place: Place) -> None:
    with pytest.raises(NotFoundError, match="no lake at"):
        Lake.open(str(tmp_path / "none"))
    lake = tmp_path / "lake"
    with traded(place) as tracker:
        written(tracker, lake)
        with pytest.raises(UsageError, match="buckets is 3, not 4"):
            write_ledger(tracker, str(lake), 4)
        text = (lake / MANIFEST).read_text()
        (lake / MANIFEST).write_text(text.replace('"UTC"', '"Asia/Tokyo"'))
        with pytest.raises(UsageError, match="timezone is Asia/Tokyo, that of the ledger UTC"):
            write_ledger(tracker, str(lake))
        (lake / MANIFEST).write_text(text.replace('"schema": 1', '"schema": 2'))
        with pytest.raises(SchemaError, match="schema is 2, this version reads 1"):
            Lake.open(str(lake))
        (lake / MANIFEST).write_text("{")
        with pytest.raises(InputError, match=MANIFEST):
            Lake.open(str(lake))


def test_a_ledger_is_written_once_and_its_own_files_are_replaced(tmp_path: Path, place: Place) -> None:
    with traded(place) as tracker:
        first = write_ledger(tracker, str(tmp_path / "lake"), 3)
        again = write_ledger(tracker, str(tmp_path / "lake"))
        assert (first.is_new, again.is_new) == (True, False)
        place.write("more.csv", fills_csv(["A000,NEW,2026-11-20T15:00:00Z,buy,1,10,0,late"]))
        tracker.import_file(place.folder / "more.csv")
        later = write_ledger(tracker, str(tmp_path / "lake"))
    assert (later.is_new, later.fills) == (True, first.fills + 1)
    lake = Lake.open(str(tmp_path / "lake"))
    named = sorted(file.name for source in lake.sources for file in source.files)
    assert lake.place.names("fills") == named


def test_a_ledger_with_more_than_fills_is_refused(tmp_path: Path, place: Place) -> None:
    place.log("2026-11-20", record())
    with place.tracker() as tracker:
        tracker.sync()
        with pytest.raises(InputError, match="results of a trade log"):
            write_ledger(tracker, str(tmp_path / "lake"))
    assert not (tmp_path / "lake").exists()


def test_an_account_of_another_source_is_refused(tmp_path: Path) -> None:
    fills = random_fills(Random(3), 3, 20, ("plain",))
    lake = fill_lake(empty_lake(str(tmp_path)), fills)
    with pytest.raises(InputError, match="account 'A000' of two is in the lake already, of one"):
        fill_lake(lake, fills, "two")


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(TearsheetError, match="is no place of a lake"):
        Lake.open("carrier-pigeon://loft")
