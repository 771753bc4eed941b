"""A service in one zone, and commands in a shell without the variable: every answer is of the service's day.

The loss of an hour ago was yesterday in the ledger's zone, and is today in UTC: whoever books by UTC says a breach that
never was. A third shell states UTC, and has to be refused.
"""

import json
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from benchmarks.running import Running, ask, environment

RUN = (sys.executable, "-c", "from tearsheet.cli import run; run()")
ZONE_VARIABLE = "PERFORMANCE_SUMMARY_TIMEZONE"


def zone_after_midnight(now: datetime) -> tuple[str, datetime]:
    """Return a zone whose day has begun less than an hour ago, and an instant of its yesterday."""
    hours = now.hour if now.hour <= 12 else now.hour - 24
    begun = now.replace(minute=0, second=0, microsecond=0)
    return f"Etc/GMT{hours:+d}", begun - timedelta(minutes=30)


def zones_soaked(folder: Path, seconds: float) -> dict[str, Any]:
    """Return the figures of one run in a folder."""
    now = datetime.now(UTC)
    zone, yesterday = zone_after_midnight(now)
    (folder / "config").mkdir(parents=True)
    (folder / "config/dashboard-targets.yaml").write_text(
        "limits: {default: {daily_loss: 100, stale_after: null}}\n"
    )
    counts: Counter[str] = Counter()
    shown: list[str] = []
    lock = Lock()

    def judge(what: str, *, wrong: bool, breach: bool, words: object) -> None:
        with lock:
            counts[what] += 1
            counts["wrong"] += wrong
            counts["false breaches"] += breach
        if wrong or breach:
            shown.append(f"{what}: {words}"[:600])

    with Running(folder, **{ZONE_VARIABLE: zone}) as server:
        _post(server, yesterday, 500, "y")
        _post(server, now, 30, "t")
        over = time.monotonic() + seconds

        def ask_on() -> None:
            while time.monotonic() < over:
                status, answer = _json(server, "/api/performance/daily?account=A")
                daily = (
                    status,
                    answer.get("data", {}).get("daily_pnl"),
                    answer.get("metadata", {}).get("partial"),
                )
                judge("results", wrong=daily != (200, -30, False), breach=False, words=daily)
                state = _json(server, "/api/risk/verdict?account=A")[1].get("data", {}).get("state")
                judge("verdicts", wrong=state != "ok", breach=state == "breach", words=state)

        readers = [Thread(target=ask_on) for _ in range(2)]
        for reader in readers:
            reader.start()
        while time.monotonic() < over:
            code, out = _run(folder, "check")
            judge("checks", wrong=code != 0, breach=code == 2, words=(code, out))
            code, out = _run(folder, "verdict", "--json")
            judge("verdicts of the command", wrong=code != 0, breach=code == 2, words=(code, out))
            code, out = _run(folder, "check", **{ZONE_VARIABLE: "Pacific/Auckland"})
            judge("checks that state another zone", wrong=code != 65, breach=code == 2, words=(code, out))
        for reader in readers:
            reader.join()
        kept = _json(server, "/api/risk/breaches")[1]["data"]
    counts["false breaches"] += len(kept)
    return {
        **counts,
        "wrong": counts["wrong"],
        "false breaches": counts["false breaches"],
        "zone": zone,
        "shown": shown[:5],
    }


def _post(server: Running, at: datetime, loss: int, name: str) -> None:
    time_of = at.isoformat().replace("+00:00", "Z")
    base = {"account": "A", "symbol": "MSFT", "time": time_of, "quantity": 1}
    fills = [
        base | {"side": "BUY", "price": 1000, "fill_id": f"{name}1"},
        base | {"side": "SELL", "price": 1000 - loss, "fill_id": f"{name}2"},
    ]
    status, answer = ask(
        server.port,
        "POST",
        "/api/fills",
        body=json.dumps(fills).encode(),
        headers={"Content-Type": "application/json"},
    )
    if status != 201:
        raise SystemExit(f"the fills are refused: {answer!r}")


def _json(server: Running, path: str) -> tuple[int, Any]:
    try:
        status, body = server.get(path)
    except OSError:
        return 0, {}
    return status, json.loads(body)


def _run(folder: Path, *words: str, **env: str) -> tuple[int, str]:
    """Run a command in a shell that states no zone, or the one in `env`."""
    done = subprocess.run(
        [*RUN, *words], cwd=folder, env=environment(env), capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr
