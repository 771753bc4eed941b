"""Run the tests under moved clocks: `python -m tests.moved_clocks [--quick] [PYTEST ARGUMENT ...]`.

libfaketime moves the clock of pytest and of every process that it starts; the clock runs on, and no test
knows of it. The tests in a browser are left out. `--quick` takes those that start processes or ask for the
time, and two clocks; without libfaketime it says so and succeeds, where the whole form fails.
"""

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
LEFT_OUT = "tests/browser"
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
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junit-xml={report}"]
        code = subprocess.run(
            [*command, *arguments], cwd=TOP, env=moved(library, moment), check=False
        ).returncode
        if not report.exists():
            return code, {}
        suite = ElementTree.parse(report).getroot()[0]
    return code, {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}


def main(words: list[str]) -> int:
    """Run the tests under each clock, and print a table."""
    quick = "--quick" in words
    library = next(filter(works, libraries()), None)
    if library is None:
        print(
            "NOT TESTED: the clocks were not moved, since no libfaketime works here.\n"
            "Install it: `uv pip install libfaketime` (Linux, x86-64) or `apt-get install libfaketime`.",
            file=sys.stderr,
        )
        return 0 if quick else 69
    arguments = [word for word in words if word != "--quick"]
    if not any(Path(TOP, word.partition("::")[0]).exists() for word in arguments):
        arguments += OF_THE_CLOCK if quick else ["tests"]
    lines = [f"{'clock':<14}{'instant':<20}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}"]
    worst = 0
    for name in QUICK if quick else CLOCKS:
        moment, begin = CLOCKS[name](), time.monotonic()
        code, count = run(library, moment, [*arguments, f"--ignore={LEFT_OUT}"])
        worst = max(worst, code)
        failed = count.get("failures", 0) + count.get("errors", 0)
        passed = count.get("tests", 0) - failed - count.get("skipped", 0)
        lines.append(
            f"{name:<14}{moment:%Y-%m-%d %H:%M}    {passed:>8}{failed:>8}{count.get('skipped', 0):>9}"
            f"{time.monotonic() - begin:>9.0f}"
        )
    files = len(list(Path(TOP, LEFT_OUT).glob("test_*.py")))
    print("\n".join([*lines, f"left out: {LEFT_OUT} ({files} files); clocks moved by {library}"]))
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
