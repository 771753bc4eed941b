"""CPU, which a busy machine disturbs less than time: of the server for a cached answer, and of a summary's process.

`python -m benchmarks.cpu` prints ratios: the server beside a bare Flask route under gunicorn, `tearsheet summary`
beside a process that imports click, msgspec and sqlite3. Rounds are taken in turn; a row is a median of five.
"""

import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.load import Wire
from benchmarks.running import Running, children, environment
from benchmarks.web import DAILY, bare, fill_ledger

ROUNDS, REQUESTS = 5, 400
_FLOOR = "import click, msgspec, sqlite3"
_TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure, and print a row each."""
    with TemporaryDirectory() as name, ExitStack() as running:
        folder = Path(name)
        fill_ledger(folder / "ledger", 1000)
        path = {"PYTHONPATH": str(Path(__file__).parents[1])}
        servers = {
            "bare Flask route": running.enter_context(bare(folder / "flask", "bare_flask", **path)),
            "daily, cached": running.enter_context(Running(folder / "ledger")),
        }
        measures: dict[str, Callable[[], float]] = {
            name: (lambda server=server: _server_cpu(server))  # type: ignore[misc]
            for name, server in servers.items()
        }
        summary = (sys.executable, "-c", "from tearsheet.cli import run; run()", "summary", "--window=weekly")
        measures["imports of click, msgspec, sqlite3"] = lambda: _process_cpu(
            folder, (sys.executable, "-c", _FLOOR)
        )
        measures["summary weekly"] = lambda: _process_cpu(folder / "ledger", summary)
        for measure in measures.values():
            measure()
        taken = [{name: measure() for name, measure in measures.items()} for _ in range(ROUNDS)]
    medians = {name: statistics.median(one[name] for one in taken) for name in measures}
    floors = list(medians.values())[::2]
    for (name, value), floor in zip(medians.items(), [floors[0]] * 2 + [floors[1]] * 2, strict=True):
        print(f"{name:36} {value * 1000:8.2f} ms CPU {value / floor:6.2f} ×")


def _server_cpu(server: Running) -> float:
    """Return the CPU seconds of a server's processes for a request."""
    wire = Wire(server.port)
    before = _cpu_of(server)
    for _ in range(REQUESTS):
        wire.timed(DAILY)
    return (_cpu_of(server) - before) / REQUESTS


def _cpu_of(server: Running) -> float:
    ticks = 0
    for process in (server.pid, *children(server.pid)):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS


def _process_cpu(folder: Path, command: tuple[str, ...]) -> float:
    """Return the CPU seconds of a process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=folder, env=environment({}), stdout=subprocess.DEVNULL, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


if __name__ == "__main__":
    main()
