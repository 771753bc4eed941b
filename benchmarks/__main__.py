"""`make bench`: prints ratios and, with `--write`, the tables of docs/performance.md.

Every figure is the median of several runs in turn with what it is compared to, on this machine, now.
Nothing here is asserted: a figure is to be read beside its peer.
"""

import gc
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from benchmarks.first_version import beside_version
from benchmarks.imports import importing
from benchmarks.page import Row, as_table, options_of, put, say
from benchmarks.web import serving
from tearsheet.columns.exact_lane import FoldRules
from tearsheet.columns.fill_columns import FillColumns
from tearsheet.columns.fold import Fold
from tearsheet.sample import write_log
from tearsheet.settings import Settings
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.fill import Fill, Side, TradeRecord
from tearsheet.trade.position import Book
from tearsheet.trade.session import TradingCalendar

LAST_DAY = date(2026, 11, 20)
NOW = datetime(2026, 11, 20, 23, tzinfo=UTC)
PYTHON = sys.executable
TEARSHEET = "import sys; from tearsheet.cli import run; run()"
_PEAK = (
    "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL);"
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)


def main() -> None:
    """Measure everything and print the table."""
    options = options_of(sys.argv[1:])
    rows: list[Row] = []
    scratch = Path(tempfile.mkdtemp(prefix="tearsheet-bench-"))
    try:
        for part in (summaries, cold_sync, refresh, folding):
            say(f"… {part.__doc__}")
            rows += part(scratch)
        say(f"… {importing.__doc__}")
        imported = list(importing(scratch, options.fills, options.peer))
        versions = list(beside_version(scratch, options.fills, options.base))
    finally:
        shutil.rmtree(scratch)
    served = list(serving(options.positions))
    tables = (("", rows), (" of imports", imported), (" of the API", served))
    if versions:
        tables = (*tables, (" beside another version", versions))
    for name, table in ((name, as_table(its)) for name, its in tables):
        print(table)
        if options.write:
            put(table, name)


def summaries(scratch: Path) -> Iterable[Row]:
    """Whole-process summaries of 1,000 trades a day, after 30 and after 3,650 days of history."""
    month, decade = scratch / "month", scratch / "decade"
    write_log(month / "logs", days=30, trades_per_day=1000, last_day=LAST_DAY)
    write_log(decade / "logs", days=3650, trades_per_day=1000, last_day=LAST_DAY)
    for folder in (month, decade):
        started = time.perf_counter()
        run(folder, "sync")
        say(f"  first sync of {folder.name}: {time.perf_counter() - started:.1f} s")
    bare = [PYTHON, "-c", "pass"]
    start = f"--start={LAST_DAY}"
    medians = in_turn(
        {
            "bare": lambda: spawn(bare, month),
            "daily 30": lambda: run(month, "summary", "--window=daily", start),
            "daily 3650": lambda: run(decade, "summary", "--window=daily", start),
            "weekly 30": lambda: run(month, "summary", "--window=weekly", start),
            "weekly 3650": lambda: run(decade, "summary", "--window=weekly", start),
            "yearly 3650": lambda: run(decade, "summary", "--window=yearly", start),
            "check 30": lambda: run(month, "check", start),
        },
        rounds=9,
    )
    base = medians["bare"]
    yield row("python -c pass", base, "the physical limit of a process here", "")
    for kind, floor in (("daily", 500), ("weekly", 1500)):
        few, many = medians[f"{kind} 30"], medians[f"{kind} 3650"]
        yield row(
            f"summary {kind}, 30 days of history",
            few,
            f"{few / base:.1f} × python -c pass",
            f"floor {floor} ms",
        )
        yield row(
            f"summary {kind}, 3,650 days of history",
            many,
            f"{many / few:.2f} × the same after 30 days",
            f"floor {floor} ms",
        )
    yield row(
        "summary yearly, 3,650 days of history",
        medians["yearly 3650"],
        f"{medians['yearly 3650'] / base:.1f} × python -c pass",
        "",
    )
    yield row(
        "alert run (check)",
        medians["check 30"],
        f"{medians['check 30'] / base:.1f} × python -c pass",
        "floor 150 ms in process",
    )
    peak = int(
        subprocess.run(
            [PYTHON, "-c", _PEAK, PYTHON, "-c", TEARSHEET, "summary", "--window=yearly", start],
            cwd=decade,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )
    yield ("peak memory of that yearly summary", f"{peak / 1024:.0f} MiB", "", "")
    bigger = sum(file.stat().st_size for file in (decade / "logs").glob("*.jsonl"))
    kept = (decade / "logs/performance/tearsheet.db").stat().st_size
    yield ("ledger of 3,650,000 records", f"{kept / 2**20:.0f} MiB", f"{kept / bigger:.2f} × the logs", "")
    shutil.rmtree(decade)


def cold_sync(scratch: Path) -> Iterable[Row]:
    """Reading, validating, booking and keeping a log, beside msgspec decoding the same bytes."""
    folder = scratch / "cold"
    number = write_log(folder / "logs", days=30, trades_per_day=1000, last_day=LAST_DAY)
    decode = msgspec.json.Decoder(TradeRecord).decode
    lines = [
        line for file in sorted((folder / "logs").glob("*.jsonl")) for line in file.read_bytes().splitlines()
    ]

    def sync() -> None:
        shutil.rmtree(folder / "logs/performance", ignore_errors=True)
        with tracker(folder) as opened:
            opened.sync()

    medians = in_turn({"ours": sync, "peer": lambda: [decode(line) for line in lines]}, rounds=5)
    ours, peer = number / medians["ours"] * 1000, number / medians["peer"] * 1000
    yield (
        "cold sync: read, validated, booked, kept",
        f"{ours:,.0f} records/s",
        f"{ours / peer:.2f} × msgspec decoding only ({peer:,.0f} records/s)",
        "",
    )


def refresh(scratch: Path) -> Iterable[Row]:
    """A summary right after 1,000 records were appended."""
    folder = scratch / "refresh"
    write_log(folder / "logs", days=30, trades_per_day=1000, last_day=LAST_DAY)
    more = scratch / "more"
    write_log(more, days=1, trades_per_day=20_000, last_day=LAST_DAY, seed=8)
    appended = (more / f"{LAST_DAY}.jsonl").read_text().replace('"O-', '"P-').splitlines(keepends=True)
    times = []
    with tracker(folder) as opened:
        opened.sync()
        for n in range(9):
            with (folder / f"logs/{LAST_DAY}.jsonl").open("a") as file:
                file.writelines(appended[n * 1000 : (n + 1) * 1000])
            started = time.perf_counter()
            opened.get_summary("weekly")
            times.append((time.perf_counter() - started) * 1000)
    yield row(
        "refresh after 1,000 appended records, in process", statistics.median(times), "", "floor 300 ms"
    )


def folding(scratch: Path) -> Iterable[Row]:
    """Fills in memory to bookings and positions, beside nautilus_trader's figure where it is installed."""
    fills = round_trips(200_000)
    gc.disable()
    medians = in_turn(
        {"ours": lambda: Book().book_all(fills), "limit": lambda: plain_integers(fills)}, rounds=5
    )
    gc.enable()
    ours, limit = len(fills) / medians["ours"] * 1000, len(fills) / medians["limit"] * 1000
    yield (
        "fold: fills to exact bookings and positions",
        f"{ours:,.0f} fills/s",
        f"{ours / limit:.2f} × a bare loop that keeps only totals ({limit:,.0f} fills/s)",
        "",
    )
    columns = FillColumns.from_fills(fills)
    rules = FoldRules(TradingCalendar(ZoneInfo("UTC")))
    fold = in_turn({"columns": lambda: Fold(rules).add(columns)}, rounds=5)["columns"]
    rate = len(fills) / fold * 1000
    yield (
        "the same by the fold on columns, with tallies, ids and texts of all rows",
        f"{rate:,.0f} fills/s",
        f"{rate / ours:.2f} × fills to bookings and positions by `Book`",
        "",
    )


def round_trips(number: int) -> list[Fill]:
    """Fills of round trips in 1,000 accounts and symbols."""
    start = datetime(2026, 3, 2, 9, tzinfo=UTC)
    price, fee, one = Decimal("100.25"), Decimal("0.65"), Decimal(2)
    return [
        Fill(
            account=f"A{n % 20}",
            symbol=f"S{n % 50}",
            time=start + timedelta(seconds=n),
            currency="USD",
            side=Side.BUY if n // 1000 % 2 == 0 else Side.SELL,
            quantity=Decimal(1 + n // 2000 % 3),
            price=price + n % 7,
            commission=fee,
            multiplier=one,
            key=f"x:{n}",
        )
        for n in range(number)
    ]


def plain_integers(fills: list[Fill]) -> int:
    """The least that a loop over the same objects can do: net quantity and cash by stream."""
    held: dict[tuple[str, str], Decimal] = {}
    cash = Decimal(0)
    for fill in fills:
        stream = (fill.account, fill.symbol)
        signed = fill.quantity if fill.side is Side.BUY else -fill.quantity
        held[stream] = held.get(stream, 0) + signed
        cash -= signed * fill.price
    return len(held)


def tracker(folder: Path) -> PerformanceTracker:
    """A tracker of a folder on the last day."""
    return PerformanceTracker(Settings.load({}, folder), clock=lambda: NOW)


def in_turn(tasks: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median milliseconds of each task, run A B C, A B C …"""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            started = time.perf_counter()
            task()
            times[name].append((time.perf_counter() - started) * 1000)
    return {name: statistics.median(taken) for name, taken in times.items()}


def run(folder: Path, *arguments: str) -> None:
    """A tearsheet command as a process of its own."""
    spawn([PYTHON, "-c", TEARSHEET, *arguments], folder)


def spawn(command: list[str], folder: Path) -> None:
    """Any command; 2 says only that a target is missed."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 2):
        raise SystemExit(done.stderr)


def row(what: str, milliseconds: float, ratio: str, floor: str) -> Row:
    """A row of a duration."""
    return (what, f"{milliseconds:.0f} ms", ratio, floor)


if __name__ == "__main__":
    main()
