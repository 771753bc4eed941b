"""`python -m benchmarks.databases URL …`: the same work on SQLite and on empty PostgreSQL databases in turn."""

import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from tearsheet.app.imports.api_posts import ApiWrites
from tearsheet.app.reports import WriteRequest
from tearsheet.sample import write_fills_csv, write_log
from tearsheet.settings import Settings
from tearsheet.tracker import PerformanceTracker

LAST_DAY = date(2026, 11, 20)
NOW = datetime(2026, 11, 20, 23, tzinfo=UTC)
FILLS, POSTS, ASKED = 100_000, 100, 300


def main() -> None:
    """Measure each piece of work on both and print them side by side."""
    scratch = Path(tempfile.mkdtemp(prefix="tearsheet-bench-"))
    try:
        write_fills_csv(scratch / "fills.csv", count=FILLS)
        again = (scratch / "fills.csv").read_text().splitlines()
        (scratch / "again.csv").write_text("\n".join([*again[: FILLS // 2], ""]))
        write_log(scratch / "logs", days=30, trades_per_day=1000, last_day=LAST_DAY)
        of_file: dict[str, float] = {}
        of_server: dict[str, float] = {}
        for number, url in enumerate(sys.argv[1:]):
            keep_best(of_file, measured(scratch, f"{number}.db"))
            keep_best(of_server, measured(scratch, url))
    finally:
        shutil.rmtree(scratch)
    for what, seconds in of_file.items():
        ratio = of_server[what] / seconds
        print(f"| {what} | {shown(seconds)} | {shown(of_server[what])} | {ratio:.2f} × |")


def keep_best(best: dict[str, float], figures: dict[str, float]) -> None:
    """Of several rounds the quickest tells most of the work, and least of what else was going on."""
    for what, seconds in figures.items():
        best[what] = min(seconds, best.get(what, seconds))


def measured(scratch: Path, url: str) -> dict[str, float]:
    """Seconds that each piece of work takes on a database."""
    settings = Settings.load({"DATABASE_URL": url}, scratch)
    figures: dict[str, float] = {}

    def take(what: str, work: Callable[[], object], times: int = 1) -> None:
        taken = []
        for _ in range(times):
            started = time.perf_counter()
            work()
            taken.append(time.perf_counter() - started)
        figures[what] = statistics.median(taken)

    with PerformanceTracker(settings, lambda: NOW) as tracker:
        take("import of 100,000 fills", lambda: tracker.import_file(scratch / "fills.csv"))
        take("import of 50,000 of them again", lambda: tracker.import_file(scratch / "again.csv"))
        take("cold sync of 30,000 records", tracker.sync)
        for kind in ("daily", "all"):
            take(f"summary {kind}, in process", lambda kind=kind: tracker.get_summary(kind), ASKED)  # type: ignore[misc]
        take("summary daily without a look at the logs", lambda: tracker.get_summary(sync=False), ASKED)
        posts = (post(n) for n in range(POSTS))
        take("one posted fill", lambda: ApiWrites(tracker).fills(next(posts)), POSTS)
        take("verify", tracker.verify)
        take("open and close", lambda: PerformanceTracker(settings).close(), 20)
    return figures


def post(number: int) -> WriteRequest:
    """A request with one fill, later than those before."""
    at = NOW + timedelta(seconds=number)
    fill = {
        "account": "P",
        "symbol": "AAPL",
        "time": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "side": "BUY",
        "quantity": 1,
        "price": 100,
        "fill_id": str(number),
    }
    return WriteRequest(json.dumps([fill]).encode(), "posted")


def shown(seconds: float) -> str:
    """Seconds as one reads them."""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


if __name__ == "__main__":
    main()
