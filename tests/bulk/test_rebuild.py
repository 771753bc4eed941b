"""The books of a lake are those of `Book` and `Tally`, whole, cut, merged and after kills."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from tearsheet.bulk.lake import Lake
from tearsheet.bulk.rebuild import rebuild
from tearsheet.bulk.run import PUBLISHED, TOTAL, published_run
from tearsheet.columns.fill_columns import FoldOutput
from tearsheet.errors import NotFoundError, UsageError
from tearsheet.store.tables.tallies import decode
from tearsheet.trade.fill import Fill
from tests.bulk.lakes import empty_lake, fill_lake
from tests.columns.random_fills import by_book, random_fills


def books_of(lake: Lake) -> dict[str, list[tuple[object, ...]]]:
    """All rows of the published books, sorted."""
    run = published_run(lake)
    found: dict[str, list[tuple[object, ...]]] = {}
    for name in run.tables:
        parts = [part for part in run.parts if part != TOTAL or name == "tallies"]
        tables = [run.table(lake, name, part) for part in parts]
        found[name] = sorted((tuple(row.values()) for t in tables for row in t.to_pylist()), key=str)
    found["tallies"] = [(*row[:4], decode(str(row[-1]))) for row in found["tallies"]]
    return found


def expected(fills: Sequence[Fill], *, has_total: bool = True) -> dict[str, list[tuple[object, ...]]]:
    """The rows that `Book` and `Tally` make."""
    made: FoldOutput = by_book(list(fills))
    tallies = [
        (one.account, one.session, one.currency, one.last_us, one.tally)
        for one in made.tallies
        if one.account or has_total
    ]
    return {
        "tallies": sorted(tallies, key=str),
        "bookings": sorted(zip(*made.bookings, strict=True), key=str),
        "positions": sorted(zip(*made.positions, strict=True), key=str),
    }


@pytest.mark.parametrize("seed", range(4))
def test_books_are_those_of_the_book(tmp_path: Path, seed: int) -> None:
    fills = random_fills(Random(seed), 7, 40)
    lake = fill_lake(empty_lake(str(tmp_path)), fills)
    report = rebuild(str(tmp_path), processes=0, has_total=True)
    assert (report.fills, report.is_new) == (len(fills), True)
    assert books_of(lake) == expected(fills)


def test_accounts_of_several_sources_are_merged_in_order(tmp_path: Path) -> None:
    fills = random_fills(Random(5), 9, 50)
    lake = empty_lake(str(tmp_path), buckets=2)
    for number in range(3):
        own = [fill for fill in fills if int(fill.account[1:]) % 3 == number]
        lake = fill_lake(lake, own, f"source {number}", at_once=10)
    rebuild(str(tmp_path), processes=0, has_total=True)
    assert books_of(lake) == expected(fills)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_repeated_run_changes_no_file_and_other_processes_write_the_same(tmp_path: Path) -> None:
    fills = random_fills(Random(6), 6, 40, ("plain", "crypto"))
    one, two = tmp_path / "one", tmp_path / "two"
    for folder, processes in ((one, 1), (two, 2)):
        fill_lake(empty_lake(str(folder)), fills)
        report = rebuild(str(folder), processes=processes)
        assert report.made == report.parts > 1
    assert files_of(one) == files_of(two)
    before = files_of(one)
    again = rebuild(str(one), processes=0)
    assert (again.made, again.is_new) == (0, False)
    assert files_of(one) == before


def test_tallies_alone_have_no_bookings(tmp_path: Path) -> None:
    fills = random_fills(Random(7), 4, 40)
    lake = fill_lake(empty_lake(str(tmp_path)), fills)
    rebuild(str(tmp_path), processes=0, has_rows=False)
    assert books_of(lake) == {"tallies": expected(fills, has_total=False)["tallies"]}
    with pytest.raises(NotFoundError, match="have no bookings"):
        published_run(lake).table(lake, "bookings", "bucket=0000")


def test_new_fills_put_the_books_out_of_date(tmp_path: Path) -> None:
    fills = random_fills(Random(8), 4, 40, ("plain",))
    lake = fill_lake(empty_lake(str(tmp_path)), fills[:-5])
    rebuild(str(tmp_path), processes=0)
    lake = fill_lake(lake, fills)
    with pytest.raises(NotFoundError, match="of an earlier state"):
        published_run(lake)
    rebuild(str(tmp_path), processes=0)
    assert books_of(lake) == expected(fills, has_total=False)


def test_an_unknown_engine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no engine 'cloud'"):
        rebuild(str(tmp_path), engine="cloud")


_DRIVER = "import sys; from tearsheet.bulk.rebuild import rebuild; rebuild(sys.argv[1], processes=2)"


def children_of(process: int) -> list[int]:
    return [int(number) for number in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def is_there(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for(condition: object, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize("who", ["driver", "worker"])
@pytest.mark.parametrize("marks", [0, 3])
def test_after_a_kill_the_next_run_makes_the_rest_and_nothing_twice(
    tmp_path: Path, who: str, marks: int
) -> None:
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    fills = random_fills(Random(9), 24, 60, ("plain", "crypto"))
    for folder in (killed, whole):
        fill_lake(empty_lake(str(folder), buckets=8), fills)
    parts = rebuild(str(whole), processes=0).parts
    driver = subprocess.Popen([sys.executable, "-c", _DRIVER, str(killed)], stderr=subprocess.DEVNULL)
    wait_for(lambda: driver.poll() is not None or len(list(killed.glob("runs/*/*.json"))) >= marks)
    workers = children_of(driver.pid) if driver.poll() is None else []
    if who == "driver":
        driver.kill()
        driver.wait()
        wait_for(lambda: not any(map(is_there, workers)))  # they end by themselves
        done = len(list(killed.glob("runs/*/*.json")))
        report = rebuild(str(killed), processes=0)
        assert report.made == parts - done
    else:
        for worker in workers[:1]:
            os.kill(worker, signal.SIGKILL)
        assert driver.wait() == 0
    assert (killed / PUBLISHED).exists()
    assert {name: data for name, data in files_of(killed).items() if not name.endswith(".tmp")} == files_of(
        whole
    )
