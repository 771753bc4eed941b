"""`python -m benchmarks.web`: the API under gunicorn beside a bare Flask route and a bare WSGI application.

All servers run at the same time and are asked in turn, under the same settings of gunicorn (two workers).
The clients are those of `load.py`. `--positions N` makes the large ledger smaller, `--write` keeps the table.
"""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from benchmarks.load import Times, Wire, at_once, get, post
from benchmarks.page import Row, as_table, options_of, put, say
from benchmarks.running import Running
from tearsheet.sample import write_log
from tearsheet.settings import Settings
from tearsheet.tracker import PerformanceTracker

TOP = Path(__file__).parents[1]
DAILY = get("/api/performance/daily")
DAYS, CLOSED_SHARE = 100, 0.9
ROUNDS, REQUESTS = 5, 200
Measure = Callable[[], Times]
_ORDER = count(1)


def main() -> None:
    """Measure and print the table."""
    options = options_of(sys.argv[1:])
    table = as_table(list(serving(options.positions)))
    print(table)
    if options.write:
        put(table, " of the API")


def serving(positions: int) -> Iterable[Row]:
    """Requests of the day's P&L, cached and after a new fill, in a small ledger and in a large one."""
    scratch = Path(tempfile.mkdtemp(prefix="tearsheet-bench-"))
    try:
        with ExitStack() as running:
            servers = start_all(running, scratch, positions)
            for clients in (1, 8):
                yield from rows(clients, in_turn(measures(servers, clients)))
    finally:
        shutil.rmtree(scratch)


def start_all(running: ExitStack, scratch: Path, positions: int) -> dict[str, Running]:
    """Every server by the name of its rows."""
    small, large = scratch / "small", scratch / "large"
    for folder, number in ((small, 1000), (large, positions)):
        fill_ledger(folder, number)
    path = {"PYTHONPATH": str(TOP)}
    servers = {
        "bare WSGI application": bare(scratch / "wsgi", "bare_wsgi", health="/", **path),
        "bare Flask route": bare(scratch / "flask", "bare_flask", **path),
        "bare Flask route, gthread": bare(scratch / "gthread", "bare_flask", "--threads=4", **path),
        "daily, 1,000 positions": Running(small),
        f"daily, {positions:,} positions": Running(large),
        f"daily, {positions:,} positions, gthread": threaded(large),
    }
    return {name: running.enter_context(server) for name, server in servers.items()}


def bare(folder: Path, name: str, *words: str, health: str = "/healthz", **env: str) -> Running:
    """A peer under the settings of `tearsheet serve`."""
    command = (
        sys.executable,
        "-m",
        "gunicorn",
        f"benchmarks.bare:{name}",
        "--workers=2",
        "--bind=127.0.0.1:{port}",
        "--worker-tmp-dir=/dev/shm",
        "--keep-alive=30",
        *words,
    )
    return Running(folder, command, health=health, **env)


def threaded(folder: Path) -> Running:
    """The API with four threads a worker."""
    command = (
        sys.executable,
        "-c",
        "from tearsheet.cli import run; run()",
        "serve",
        "--threads=4",
        "--port={port}",
    )
    return Running(folder, command)


def fill_ledger(folder: Path, positions: int) -> None:
    """A ledger with so many closed positions, of a log of a hundred days."""
    # of the days before, so that the fills to come are the newest, as they are in trading
    yesterday = _today().date() - timedelta(days=1)
    each = round(positions / CLOSED_SHARE / DAYS)
    write_log(folder / "logs", days=DAYS, trades_per_day=each, last_day=yesterday)
    with PerformanceTracker(Settings.load({}, folder)) as tracker:
        tracker.sync()
        closed = tracker.get_summary("all").value("total_trades")
    say(f"… a ledger of {closed:,} closed positions")


def measures(servers: dict[str, Running], clients: int) -> dict[str, Measure]:
    """What is measured, by the name of its row."""
    found: dict[str, Measure] = {}
    for name, server in servers.items():
        if "gthread" not in name:
            found[name] = _asking(server, clients)
            if "positions" in name:
                found[f"{name}, after a fill each"] = _after_fills(server, clients)
        elif clients == 1:
            found[name] = _asking(server, clients)
            found[f"{name}, keep-alive"] = _asking(server, clients, keep_alive=True)
    return found


def _asking(server: Running, clients: int, *, keep_alive: bool = False) -> Measure:
    def client(number: int) -> list[float]:
        wire = Wire(server.port, keep_alive=keep_alive)
        return [wire.timed(DAILY) for _ in range(REQUESTS)]

    return lambda: at_once(clients, client)


def _after_fills(server: Running, clients: int) -> Measure:
    def client(number: int) -> list[float]:
        wire, taken = Wire(server.port), []
        for _ in range(REQUESTS // clients):
            wire.timed(post("/api/fills", _fill(number)))
            taken.append(wire.timed(DAILY))
        return taken

    return lambda: at_once(clients, client)


def _fill(client: int) -> bytes:
    number = next(_ORDER)
    fill = {
        "account": f"BENCH-{client}",
        "symbol": "MSFT",
        "time": _today().isoformat().replace("+00:00", "Z"),
        "side": "BUY" if number % 2 else "SELL",
        "quantity": 1,
        "price": 100 + number % 7,
        "fill_id": f"{os.getpid()}-{number}",
    }
    return json.dumps(fill).encode()


def _today() -> datetime:
    return datetime.now(UTC) - timedelta(seconds=1)


def in_turn(tasks: dict[str, Measure]) -> dict[str, list[Times]]:
    """Each measured several times, A B C, A B C …"""
    found: dict[str, list[Times]] = {name: [] for name in tasks}
    for _ in range(ROUNDS):
        for name, task in tasks.items():
            found[name].append(task())
    return found


def rows(clients: int, found: dict[str, list[Times]]) -> Iterator[Row]:
    """A row for each: median, hundredth, requests a second, and the ratio to the bare Flask route."""
    peer = middle(found["bare Flask route"], lambda times: times.p50)
    for name, times in found.items():
        p50 = middle(times, lambda one: one.p50)
        p99 = middle(times, lambda one: one.p99)
        rate = middle(times, lambda one: one.per_second)
        several = "1 client" if clients == 1 else f"{clients} clients"
        # fills are posted between the requests, so that a rate would say nothing
        shown = "" if "after a fill" in name else f", {rate:,.0f} requests/s"
        yield (
            f"{name}, {several}",
            f"{p50:.2f} ms",
            f"{p50 / peer:.2f} × a bare Flask route",
            f"p99 {p99:.1f} ms{shown}",
        )


def middle(times: list[Times], figure: Callable[[Times], float]) -> float:
    """The median round."""
    figures = sorted(figure(one) for one in times)
    return figures[len(figures) // 2]


if __name__ == "__main__":
    main()
