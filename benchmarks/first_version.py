"""Commands beside those of another version, such as the first, in turns: CPU of whole processes, the least of three."""

import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

from benchmarks.imports import TEARSHEET, Cost, cost_of
from benchmarks.page import Row, say
from tearsheet.sample import write_fills_csv, write_log

_ROUNDS = 3


def beside_version(scratch: Path, number: int, python: str | None) -> Iterator[Row]:
    """Import, verify and cold sync beside the version that another Python has; nothing without one."""
    if python is None:
        return
    fills, logs = scratch / "versions.csv", scratch / "versions-logs"
    write_fills_csv(fills, count=number)
    write_log(logs, days=30, trades_per_day=1000, last_day=date(2026, 11, 20))
    pairs = [
        _in_turns(scratch, python, lambda folder, other: _imported(folder, other, fills))
        for _ in range(_ROUNDS)
    ]
    for place, what in enumerate((f"import of {number:,} fills (CSV)", "verify of that ledger")):
        yield _row(what, [(ours[place], theirs[place]) for ours, theirs in pairs])
    size = (scratch / "ours" / "logs/performance/tearsheet.db").stat().st_size
    yield ("ledger of these fills", f"{size / number:.0f} bytes a fill", "", "")
    synced = [
        _in_turns(scratch, python, lambda folder, other: [_synced(folder, other, logs)])
        for _ in range(_ROUNDS)
    ]
    yield _row("cold sync of 30 logs of 1,000 records", [(ours[0], theirs[0]) for ours, theirs in synced])


def _in_turns(
    scratch: Path, python: str, measure: Callable[[Path, str | None], list[Cost]]
) -> tuple[list[Cost], list[Cost]]:
    costs = []
    for name, other in (("theirs", python), ("ours", None)):
        say(f"  {name}")
        folder = scratch / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        costs.append(measure(folder, other))
    theirs, ours = costs
    return ours, theirs


def _imported(folder: Path, python: str | None, fills: Path) -> list[Cost]:
    return [_run(folder, python, "import", str(fills)), _run(folder, python, "verify")]


def _synced(folder: Path, python: str | None, logs: Path) -> Cost:
    shutil.copytree(logs, folder / "logs")
    return _run(folder, python, "sync")


def _run(folder: Path, python: str | None, *arguments: str) -> Cost:
    more = {} if python is None else {"python": python}
    return cost_of(folder, "-c", TEARSHEET, *arguments, **more)


def _row(what: str, pairs: list[tuple[Cost, Cost]]) -> Row:
    ours, theirs = (min((pair[place] for pair in pairs), key=lambda cost: cost.cpu) for place in (0, 1))
    ratio = f"{theirs.cpu / ours.cpu:.2f} × as fast as the other version ({theirs.cpu:.2f} s)"
    return (what, f"{ours.cpu:.2f} s of CPU", ratio, f"{ours.peak:.0f} MiB, the other {theirs.peak:.0f} MiB")
