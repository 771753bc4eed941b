"""The whole way with real processes: a bot writes a line, and the guard's command runs, once."""

import json
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.place import Place, record
from tests.support.processes import Running, is_alive, until
from tests.support.redis_server import free_port

LIMITS = "limits:\n  default: {daily_loss: 100, stale_after: null, warn_at: [50]}\n"


def append(place: Place, number: int, net: str) -> None:
    """The bot writes a line."""
    at = datetime.now(UTC) - timedelta(seconds=1)
    place.log(
        f"{at:%Y-%m-%d}", record(order_id=f"E{number}", at=at, held=0, net=net, account_id="A"), mode="a"
    )


def decisions(place: Place, *wanted: str) -> list[dict[str, Any]]:
    """What the guard decided so far."""
    file = place.folder / "logs" / "guard" / "A.audit.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    return [found for found in map(json.loads, lines) if found["decision"] in wanted]


def workers_of(server: Running) -> list[int]:
    """The processes of a server that answer requests."""
    found = {line["pid"] for line in server.lines("tearsheet.request")}
    return [pid for pid in found if is_alive(pid)]


def test_from_the_line_to_the_command_which_runs_once_whoever_is_killed(place: Place) -> None:
    place.write("config/dashboard-targets.yaml", LIMITS)
    port, ran = free_port(), place.folder / "ran"
    note = f"import os; open({str(ran)!r}, 'a').write(os.environ['TEARSHEET_VERDICT_LIMIT'] + '\\n')"
    place.write("flatten.py", note)
    guards = (
        "guard",
        "--url",
        f"http://127.0.0.1:{port}",
        "--account",
        "A",
        "--on-unknown",
        "hold",
        "--on-breach",
        f"{sys.executable} flatten.py",
        "--every",
        "3600",
    )
    quiet = {"TEARSHEET_SYNC_EVERY_S": "3600", "TEARSHEET_LOG_FORMAT": "json"}
    serves = ("serve", "--port", str(port), "--watch", "--workers", "2")
    with Running(place, *serves, **quiet) as server:
        watcher = server.waits_for("tearsheet.companion")["pid"]
        server.waits_for("watch.begin")
        append(place, 1, "10")
        server.waits_for("watch.logs", revision=1)
        with Running(place, *guards) as guard:
            until(lambda: decisions(place, "none"), why=lambda: guard.said + server.said)
            until(lambda: server.lines("tearsheet.request", path="/api/events"))
            append(place, 2, "-70")
            # the guard asks by itself once an hour only: an event told it to look
            until(
                lambda: [d for d in decisions(place, "none") if d["state"] == "warn"],
                why=lambda: guard.said + server.said,
            )
            os.kill(watcher, signal.SIGKILL)
            os.kill(workers_of(server)[0], signal.SIGKILL)
            append(place, 3, "-60")
            until(lambda: decisions(place, "done"), why=lambda: guard.said + server.said)
            append(place, 4, "500")  # the money is back; the breach holds
            until(lambda: decisions(place, "known"), why=lambda: guard.said + server.said)
            guard.end(signal.SIGKILL)
        with Running(place, *guards) as guard:
            known = len(decisions(place, "known"))
            until(lambda: len(decisions(place, "known")) > known, why=lambda: guard.said)
            assert guard.end() == 0
        assert ran.read_text() == "daily_loss\n"
        with Running(place, "release", "A", "daily_loss", "--by", "kim", "--reason", "corrected") as release:
            assert release.process.wait(60) == 0, release.said
        with Running(place, *guards, "--once") as guard:
            assert guard.process.wait(60) == 0, guard.said
        assert server.end() == 0
    assert ran.read_text() == "daily_loss\n"
