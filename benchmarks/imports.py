"""A large CSV of fills to kept positions, each in a process of its own: CPU, memory, and what is beside it."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from benchmarks.page import Row, say
from tearsheet.sample import write_fills_csv

TEARSHEET = "from tearsheet.cli import run; run()"
_CSV = "import csv, sys; [None for _ in csv.reader(open(sys.argv[1], newline=''))]"
_COST = (
    "import json, resource, subprocess, sys;"
    "done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL);"
    "use = resource.getrusage(resource.RUSAGE_CHILDREN);"
    "print(json.dumps([done.returncode, use.ru_utime + use.ru_stime, use.ru_maxrss / 1024]))"
)


class Cost(Struct, frozen=True):
    """What a process took: seconds of CPU, of the clock, and the most memory in MiB."""

    cpu: float
    wall: float
    peak: float


def importing(scratch: Path, number: int, peer: str | None) -> Iterator[Row]:
    """A CSV of fills to a kept ledger, beside the csv module and nautilus_trader on the same file."""
    few, many = scratch / "few.csv", scratch / "many.csv"
    write_fills_csv(few, count=number // 10)
    write_fills_csv(many, count=number)
    folder, small = scratch / "import", scratch / "import-few"
    csv = cost_of(scratch, "-c", _CSV, str(many))
    yield _row(f"the csv module reads {number:,} rows", csv, number, csv)
    ours = tearsheet(folder, "import", str(many))
    yield _row(f"import of {number:,} fills: CSV to kept positions", ours, number, csv)
    if peer is not None:
        yield _peer(peer, many, number, csv)
    yield _row("verify of that ledger", tearsheet(folder, "verify"), number, csv)
    many.write_text(many.read_text() + "\n")
    again = tearsheet(folder, "import", str(many))
    yield _row("the same fills again, in a file of other bytes", again, number, csv)
    for which, what in (("2", "that, which changes nothing"), ("1", "the first, all of them")):
        undone = tearsheet(folder, "imports", "undo", which)
        yield _row(f"imports undo of {what}", undone, number, csv)
    smaller = tearsheet(small, "import", str(few))
    ratio = f"{ours.peak / smaller.peak:.2f} × that of {number // 10:,} ({smaller.peak:.0f} MiB)"
    yield ("peak memory of the import", f"{ours.peak:.0f} MiB", ratio, "")


def tearsheet(folder: Path, *arguments: str) -> Cost:
    """What a tearsheet command costs."""
    folder.mkdir(exist_ok=True)
    return cost_of(folder, "-c", TEARSHEET, *arguments)


def cost_of(folder: Path, *arguments: str, python: str = sys.executable) -> Cost:
    """What a Python process costs."""
    say(f"  {' '.join(arguments)[-60:]}")
    started = time.perf_counter()
    command = [sys.executable, "-c", _COST, python, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    code, cpu, peak = json.loads(done.stdout)
    if code:
        raise SystemExit(done.stderr)
    return Cost(cpu, time.perf_counter() - started, peak)


def _peer(python: str, path: Path, number: int, csv: Cost) -> Row:
    script = Path(__file__).parent / "peer.py"
    cost = cost_of(path.parent, str(script), str(path), python=python)
    return _row("nautilus_trader: CSV to positions, nothing kept", cost, number, csv)


def _row(what: str, cost: Cost, number: int, csv: Cost) -> Row:
    rate = f"{number / cost.cpu:,.0f}/s, {cost.peak:.0f} MiB, {cost.wall:.0f} s by the clock"
    return (what, f"{cost.cpu:.1f} s of CPU", f"{cost.cpu / csv.cpu:.1f} × the csv module", rate)
