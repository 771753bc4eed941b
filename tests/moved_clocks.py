"""Run the tests under moved clocks: `python -m tests.moved_clocks [--quick] [--clock NAME] [PYTEST ARGUMENT ...]`.

libfaketime moves the clock of pytest and of every process that it starts; the clock runs on, and no test
knows of it. Left out, and counted, are the tests in a browser, those that install from a package index, and
those of threads that take turns, which libfaketime hinders.
The whole form runs all others under each clock, about 5 minutes a clock on two quiet cores; `--clock` takes
one of them. `--quick` takes the tests that start processes or ask for the time, and two clocks, about 3
minutes; without libfaketime it says so and succeeds, where the whole form fails.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

TOP = Path(__file__).parents[1]
#: As in the Makefile: three workers, since many tests wait for a process.
WORKERS = ("-n", "3", "--dist", "loadfile", "--no-loadscope-reorder")
LEFT_OUT = {
    "in a browser": ("tests/browser",),
    "installing from an index": ("-m", "network", "tests/stories"),
    "of threads that take turns": ("-m", "paced", "tests/stories"),
}
LEAVE_OUT = ("--ignore=tests/browser", "-m", "not (network or paced)")
#: Tests that see the real clock, their own or that of a process they start.
OF_THE_CLOCK = (
    "tests/cli",
    "tests/guard",
    "tests/watch",
    "tests/web/api/test_events.py",
    "tests/web/http/test_auth.py",
    "tests/stories/test_bot_to_guard.py",
    "tests/stories/test_faults.py",
    "tests/stories/test_polling_client.py",
)
_PROBE = "import time; print(time.time())"
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")


def at(hour: int, minute: int, day: Callable[[datetime], bool] = lambda moment: True) -> datetime:
    """Return the next instant of this time of day (UTC) on such a day."""
    moment = datetime.now(UTC).replace(hour=hour, minute=minute, second=0, microsecond=0) + timedelta(days=1)
    while not day(moment):
        moment += timedelta(days=1)
    return moment


CLOCKS: dict[str, Callable[[], datetime]] = {
    "29 February": lambda: at(12, 0, lambda moment: (moment.month, moment.day) == (2, 29)),
    "31 December": lambda: at(12, 0, lambda moment: (moment.month, moment.day) == (12, 31)),
    "a Sunday": lambda: at(12, 0, lambda moment: moment.isoweekday() == 7),
    "00:30 UTC": lambda: at(0, 30),
    "23:30 UTC": lambda: at(23, 30),
}
QUICK = ("29 February", "23:30 UTC")


def libraries() -> Iterator[Path]:
    """Where libfaketime may be: in the wheel, or where Debian puts it."""
    spec = find_spec("libfaketime")
    for root in spec.submodule_search_locations or [] if spec else []:
        yield from Path(root).rglob("libfaketime.so*")
    yield from Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    yield from Path("/usr/lib").glob("faketime/libfaketime.so.1")


def moved(library: Path, moment: datetime) -> dict[str, str]:
    """Return an environment whose clock stands at this moment and runs on."""
    ahead = int(moment.timestamp() - time.time())
    return os.environ | {
        "LD_PRELOAD": str(library),
        "FAKETIME": f"{ahead:+}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def works(library: Path) -> bool:
    """Whether a process sees the moved clock; a library for another machine is not even loaded."""
    moment = at(12, 0)
    probe = subprocess.run(
        [sys.executable, "-c", _PROBE],
        env=moved(library, moment),
        capture_output=True,
        text=True,
        check=False,
    )
    return probe.returncode == 0 and abs(float(probe.stdout) - moment.timestamp()) < 60


def run(library: Path, moment: datetime, arguments: list[str]) -> tuple[int, dict[str, int]]:
    """Run pytest; return its exit code and what it counted."""
    with TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        command = [*PYTEST, *WORKERS, f"--junit-xml={report}"]
        code = subprocess.run(
            [*command, *arguments], cwd=TOP, env=moved(library, moment), check=False
        ).returncode
        if not report.exists():
            return code, {}
        suite = ElementTree.parse(report).getroot()[0]
    return code, {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}


def count(arguments: tuple[str, ...]) -> int:
    """Count the tests that pytest collects."""
    done = subprocess.run(
        [*PYTEST, "-n", "0", "--collect-only", *arguments],
        cwd=TOP,
        capture_output=True,
        text=True,
        check=False,
    )
    return sum("::" in line for line in done.stdout.splitlines())


def main(words: list[str]) -> int:
    """Run the tests under each clock, and print a table."""
    options = argparse.ArgumentParser(prog="python -m tests.moved_clocks")
    options.add_argument("--quick", action="store_true")
    options.add_argument("--clock", action="append", choices=CLOCKS)
    chosen, arguments = options.parse_known_args(words)
    quick = chosen.quick
    library = next(filter(works, libraries()), None)
    if library is None:
        print(
            "NOT TESTED: the clocks were not moved, since no libfaketime works here.\n"
            "Install it: `uv pip install libfaketime` (Linux, x86-64) or `apt-get install libfaketime`.",
            file=sys.stderr,
        )
        return 0 if quick else 69
    if not any(Path(TOP, word.partition("::")[0]).exists() for word in arguments):
        arguments += OF_THE_CLOCK if quick else ["tests"]
    lines = [f"{'clock':<14}{'instant':<20}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}"]
    worst = 0
    for name in chosen.clock or (QUICK if quick else CLOCKS):
        moment, begin = CLOCKS[name](), time.monotonic()
        code, counts = run(library, moment, [*arguments, *LEAVE_OUT])
        worst = max(worst, code)
        failed = counts.get("failures", 0) + counts.get("errors", 0)
        skipped = counts.get("skipped", 0)
        passed = counts.get("tests", 0) - failed - skipped
        lines.append(
            f"{name:<14}{moment:%Y-%m-%d %H:%M}    {passed:>8}{failed:>8}{skipped:>9}"
            f"{time.monotonic() - begin:>9.0f}"
        )
    left_out = ", ".join(f"{count(which)} {kind}" for kind, which in LEFT_OUT.items())
    print("\n".join([*lines, f"left out under each clock: {left_out}; clocks moved by {library}"]))
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
