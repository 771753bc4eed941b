"""Ten million fills from Parquet to tallies: one process, a pool of two; `python -m benchmarks.lakes [--fills N]`."""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from tearsheet.bulk.fill_schema import FILLS
from tearsheet.bulk.lake import MANIFEST, Lake, LakeManifest, LakeRules, LakeSource, encode
from tearsheet.bulk.place import LakePlace
from tearsheet.bulk.write import put_source
from tearsheet.store.kept_accounts import KeptAccounts

_RULES = LakeRules(
    timezone="UTC", day_starts_at="00:00", breakeven_band=Decimal(0), breakeven_breaks_streak=False
)
_AT_ONCE = 100_000
_START_US = 1_767_225_600_000_000
_RUN = """
import json, resource, sys, time
from tearsheet.bulk.rebuild import rebuild
if __name__ == "__main__":
    started, address, engine, processes, rows = time.perf_counter(), *sys.argv[1:]
    rebuild(address, engine=engine, processes=int(processes), has_rows=rows == "rows")
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    cpu = sum(one.ru_utime + one.ru_stime for one in (own, others))
    peak = max(own.ru_maxrss, others.ru_maxrss)
    print(json.dumps([time.perf_counter() - started, cpu, peak / 1024]))
"""


def write_lake(address: str, fills: int, accounts: int = 200, buckets: int = 16, days: int = 250) -> Lake:
    """Write a lake of random fills of one source: 20 symbols, prices in cents, some with a stop."""
    LakePlace(address).put(MANIFEST, encode(LakeManifest(buckets=buckets, rules=_RULES)))
    source = LakeSource(
        name="made",
        label="made",
        revision=1,
        currency="USD",
        starting_balance=None,
        accounts=[],
        terms=KeptAccounts(),
        files=[],
    )
    put_source(Lake.open(address), source, _tables(fills, accounts, days * 86_400_000_000 // fills))
    return Lake.open(address)


def _tables(fills: int, accounts: int, step_us: int) -> Iterator[Any]:
    draw = random.Random(7)
    for first in range(0, fills, _AT_ONCE):
        count = min(_AT_ONCE, fills - first)
        numbers = range(first, first + count)
        columns: dict[str, Any] = {
            "account": [f"ACC-{draw.randrange(accounts):06d}" for _ in numbers],
            "symbol": [f"SYM{draw.randrange(20):02d}" for _ in numbers],
            "currency": ["USD"] * count,
            "time": pa.array([_START_US + number * step_us for number in numbers], pa.int64()).cast(
                FILLS.field("time").type
            ),
            "rank": [0] * count,
            "key": [f"x:{number}" for number in numbers],
            "side": [draw.choice(("BUY", "SELL")) for _ in numbers],
            "closes": [False] * count,
            "quantity": [str(draw.randrange(1, 5)) for _ in numbers],
            "price": [f"{draw.randrange(5_000, 20_000) / 100:.2f}" for _ in numbers],
            "commission": [f"{draw.randrange(1, 300) / 100:.2f}" for _ in numbers],
            "multiplier": ["1"] * count,
        }
        nothing = [None] * count
        yield pa.table([columns.get(name, nothing) for name in FILLS.names], schema=FILLS)


def made_by(
    address: str, engine: str, processes: int, *, has_rows: bool = False
) -> tuple[float, float, float]:
    """Rebuild a lake from nothing in a process of its own; return seconds, CPU seconds and the peak in MiB."""
    place = LakePlace(address)
    for name in (*place.names("runs"), "published.json"):
        place.remove(name)
    words = [address, engine, str(processes), "rows" if has_rows else "tallies"]
    done = subprocess.run([sys.executable, "-c", _RUN, *words], capture_output=True, text=True, check=True)
    wall, cpu, peak = json.loads(done.stdout)
    return wall, cpu, peak


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--fills", type=int, default=10_000_000)
    options.add_argument("--lake", help="a folder to keep the lake in")
    chosen = options.parse_args()
    folder = chosen.lake or tempfile.mkdtemp(prefix="tearsheet-lake-")
    if not (Path(folder) / "sources").exists():
        started = time.perf_counter()
        write_lake(folder, chosen.fills)
        print(f"written in {time.perf_counter() - started:.0f} s", flush=True)
    size = sum(file.stat().st_size for file in Path(folder).glob("fills/**/*.parquet"))
    print(f"{size / chosen.fills:.1f} bytes a fill", flush=True)
    for engine, processes, has_rows in (("local", 1, False), ("local", 2, False), ("local", 1, True)):
        wall, cpu, peak = made_by(folder, engine, processes, has_rows=has_rows)
        print(
            f"{engine} × {processes}, {'all books' if has_rows else 'tallies'}: {wall:.1f} s, CPU {cpu:.1f} s "
            f"({1e6 * cpu / chosen.fills:.2f} µs a fill), peak {peak:.0f} MiB",
            flush=True,
        )


if __name__ == "__main__":
    main()
