"""`python -m benchmarks.soak`: readers and a writer over loopback while everything under them is killed.

Workers are killed by -9, Redis is killed, hung and started again, with `--postgres` PostgreSQL is restarted.
In this part an answer is *wrong* if its daily P&L is not the exact sum of the fills acknowledged up to its revision,
*stale* if its revision is below one that was acknowledged before the question was asked, *failed* if it is
neither 200, 304 nor 503. `soak_sources` harms logs, clock and disk, `soak_zones` asks from shells of other zones.
Everything that is wrong, stale, falsely healthy or a false breach makes the exit code 1.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from benchmarks.running import Running
from benchmarks.soak_sources import sources_soaked
from benchmarks.soak_zones import zones_soaked
from tests.support.redis_server import RedisServer

READERS, WORKERS = 3, 3
#: Between two harms: longer than a worker takes to start, so that somebody is there to answer.
PAUSE_S = 1.0
_PATIENCE_S = 20


@dataclass
class Seen:
    """One answer: what it says, and what had been acknowledged before it was asked for."""

    floor: int
    revision: int
    pnl: Decimal


@dataclass
class Score:
    """What came of it. `sums` is the P&L at every acknowledged revision."""

    sums: dict[int, Decimal] = field(default_factory=lambda: {0: Decimal(0)})
    acknowledged: int = 0
    answers: list[Seen] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    harms: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0

    def report(self) -> dict[str, Any]:
        """The counts."""
        wrong = [one for one in self.answers if self.sums.get(one.revision) != one.pnl]
        stale = [one for one in self.answers if one.revision < one.floor]
        return {
            "answers": len(self.answers),
            "fills": len(self.sums) - 1,
            "wrong": len(wrong),
            "stale": len(stale),
            "failed": self.statuses["failed"],
            "posts_broken": self.statuses["post broken"],
            "statuses": dict(self.statuses),
            "harms": dict(self.harms),
            "slowest_s": round(self.slowest_s, 3),
            "shown": [str(one) for one in (wrong + stale)[:5]],
        }


class Soak:
    """Readers, a writer and what harms the server, until the time is over."""

    def __init__(self, server: Running, seconds: float) -> None:
        self.server = server
        self.score = Score()
        self.over = time.monotonic() + seconds
        self._started = datetime.now(UTC)
        self._path = f"/api/performance/daily?date={self._started:%Y-%m-%d}"

    def run(self, harms: list[tuple[str, Callable[[], None]]]) -> Score:
        """Run until the time is over, then ask once more with everything whole."""
        with ThreadPoolExecutor(READERS + 1) as threads:
            running = [threads.submit(self._read, seed) for seed in range(READERS)]
            running.append(threads.submit(self._write))
            while time.monotonic() < self.over:
                for name, harm in harms:
                    time.sleep(PAUSE_S)
                    if time.monotonic() > self.over:
                        break
                    harm()
                    self.score.harms[name] += 1
            for one in running:
                one.result()  # what broke in a thread breaks here
        self._settle()
        return self.score

    def _settle(self) -> None:
        """At the end every answer is of the last revision."""
        deadline = time.monotonic() + _PATIENCE_S
        while self._ask("GET", self._path)[0] != 200:
            if time.monotonic() > deadline:
                raise SystemExit("the server does not come back: " + self.server.log.read_text()[-2000:])
            time.sleep(0.1)
        for _ in range(4 * WORKERS):
            self._look({})

    def _read(self, seed: int) -> None:
        chance = random.Random(seed)
        held: dict[str, Any] = {}
        while time.monotonic() < self.over:
            self._look(held if chance.random() < 0.5 else {})
            time.sleep(chance.random() * 0.01)

    def _look(self, held: dict[str, Any]) -> None:
        """One question; `held` has an answer and its tag, and takes the new ones."""
        floor = self.score.acknowledged
        tag = {"If-None-Match": held["tag"]} if held.get("tag") else {}
        status, answer, etag = self._ask("GET", self._path, headers=tag)
        self.score.statuses[str(status) if status in (200, 304, 503) else "failed"] += 1
        if status == 200:
            revision = int(answer["metadata"]["revision"])
            seen = Seen(floor, revision, Decimal(answer["data"]["daily_pnl"]))
            held |= {"tag": etag, "seen": seen}
        elif status == 304:
            seen = Seen(floor, held["seen"].revision, held["seen"].pnl)
        else:
            return
        self.score.answers.append(seen)

    def _write(self) -> None:
        """Round trips of a tenth; each fill is sent until it is acknowledged, under one key."""
        number, pnl = 0, Decimal(0)
        while time.monotonic() < self.over:
            number += 1
            buys = number % 2 == 1
            price = Decimal("100.01") + (0 if buys else number % 11 - 5)
            pnl -= Decimal("0.03")
            if not buys:
                pnl += (number % 11 - 5) * Decimal("0.1")
            self._post_until_kept(number, "BUY" if buys else "SELL", price, pnl)
            time.sleep(0.005)

    def _post_until_kept(self, number: int, side: str, price: Decimal, pnl: Decimal) -> None:
        at = self._started + timedelta(microseconds=number)
        fill = {
            "account": "SOAK",
            "symbol": "MSFT",
            "time": at.isoformat().replace("+00:00", "Z"),
            "side": side,
            "quantity": "0.1",
            "price": str(price),
            "commission": "0.03",
            "fill_id": f"S{number}",
        }
        headers = {"Content-Type": "application/json", "Idempotency-Key": f"soak-{number}"}
        body = json.dumps(fill).encode()
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            status, answer, _ = self._ask("POST", "/api/fills", body=body, headers=headers)
            if status in (200, 201):
                break
            self.score.statuses["post refused" if status == 503 else "post broken"] += 1
            if status not in (0, 503) or time.monotonic() > deadline:
                log = self.server.log.read_text()[-4000:]
                raise SystemExit(f"a fill is refused: {status} {answer}\n{log}")
            time.sleep(0.05)
        revision = int(answer["data"]["revision"])
        self.score.sums[revision] = pnl  # before the floor rises, so that no reader is ahead of it
        self.score.acknowledged = revision

    def _ask(
        self, method: str, path: str, *, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any, str]:
        """Status (0 where no answer came), JSON and tag."""
        started = time.monotonic()
        try:
            with closing(HTTPConnection("127.0.0.1", self.server.port, timeout=_PATIENCE_S)) as wire:
                wire.request(method, path, body=body, headers=headers or {})
                response = wire.getresponse()
                data = response.read()
        except (OSError, HTTPException):
            return 0, None, ""
        finally:
            self.score.slowest_s = max(self.score.slowest_s, time.monotonic() - started)
        found = json.loads(data, parse_float=Decimal) if data else None
        return response.status, found, response.headers.get("ETag", "")


#: Parts with their share of the time.
PARTS = {"kills": 0.35, "sources": 0.55, "zones": 0.1}
#: Figures that have to be 0.
ZEROS = ("wrong", "stale", "falsely_healthy", "unsettled", "false breaches", "verify_differences")


def main() -> None:
    """Run, print the figures, and say by the exit code whether nothing was wrong, stale or falsely healthy."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak")
    parser.add_argument("--seconds", type=float, default=60, help="for all parts together")
    parser.add_argument("--postgres", action="store_true", help="keep the ledger of the kills in PostgreSQL")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part, for all the time")
    parser.add_argument("--out", type=Path, help="write the figures to this file as well")
    options = parser.parse_args()
    parts = options.part or list(PARTS)
    figures: dict[str, Any] = {
        "started": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "seconds": options.seconds,
    }
    total = sum(PARTS[part] for part in parts)
    for part in parts:
        seconds = options.seconds * PARTS[part] / total
        with tempfile.TemporaryDirectory(prefix="tearsheet-soak-") as folder:
            figures[part] = _run_part(part, Path(folder), seconds, postgres=options.postgres)
    found = [figures[part] for part in parts]
    figures["clean"] = not any(one.get(name, 0) for one in found for name in ZEROS) and all(
        map(_has_asked, found)
    )
    text = json.dumps(figures, indent=1, default=str)
    print(text, flush=True)
    if options.out is not None:
        options.out.write_text(text + "\n")
    sys.exit(0 if figures["clean"] else 1)


def _run_part(part: str, folder: Path, seconds: float, *, postgres: bool) -> dict[str, Any]:
    """Return the figures of a part; what breaks it is one of them, so that the others still run."""
    try:
        if part == "kills":
            return soaked(folder, seconds, postgres=postgres)
        return {"sources": sources_soaked, "zones": zones_soaked}[part](folder, seconds)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - unattended: the figures of the other parts must not be lost
        return {"broken": f"{type(error).__name__}: {error}"[:4000]}


def _has_asked(figures: dict[str, Any]) -> bool:
    """Return whether a part has run to its end and had answers."""
    return "broken" not in figures and bool(figures.get("answers") or figures.get("verdicts"))


def soaked(folder: Path, seconds: float, *, postgres: bool) -> dict[str, Any]:
    """The counts of one run in a folder."""
    redis = RedisServer(folder)
    redis.start()
    env = {"REDIS_URL": redis.url, "TEARSHEET_WORKERS": str(WORKERS)}
    harms: list[tuple[str, Callable[[], None]]] = []
    try:
        with database(folder, postgres) as (url, restarts), Running(folder / "place", **env, **url) as server:
            kill = ("a worker killed by -9", lambda: kill_one(server))
            harms = [
                kill,
                ("Redis killed", redis.kill),
                kill,
                ("Redis started", redis.start),
                kill,
                ("Redis hung", redis.hang),
                kill,
                ("Redis woken", redis.wake),
                *restarts,
            ]
            return Soak(server, seconds).run(harms).report()
    finally:
        redis.kill()


@contextmanager
def database(
    folder: Path, postgres: bool
) -> Iterator[tuple[dict[str, str], list[tuple[str, Callable[[], None]]]]]:
    """Where the ledger is, and how that is harmed."""
    if not postgres:
        yield {}, []
        return
    from tests.support.postgres_server import PostgresServer  # needs the extra `postgres`

    home = Path(tempfile.mkdtemp(prefix="tearsheet-soak-pg-"))
    server = PostgresServer(home)
    server.start()

    def restart(how: signal.Signals) -> None:
        server.stop(how)
        time.sleep(0.2)
        server.start()

    harms = [
        ("PostgreSQL restarted", lambda: restart(signal.SIGINT)),
        ("PostgreSQL crashed", lambda: restart(signal.SIGQUIT)),
    ]
    try:
        yield {"DATABASE_URL": server.database()}, harms
    finally:
        server.stop()


def kill_one(server: Running) -> None:
    """One worker, in whatever it is doing."""
    if workers := server.workers:
        os.kill(random.choice(workers), signal.SIGKILL)


if __name__ == "__main__":
    main()
