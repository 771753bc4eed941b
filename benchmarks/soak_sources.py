"""Logs, clock and disk of a service are harmed under load; an independent sum says what every answer has to be.

A bot writes a trade log of two accounts, a client posts fills of a third, readers ask for results and verdicts.
Meanwhile the log is rotated, truncated and started anew, its folder is taken away, the clock stands ahead and back,
the disk is full, and workers are killed. After each harm an operator decides on what is in doubt, and everything
has to settle.

*wrong*: a result said to be complete that is no sum of what had happened; *stale*: one that lacks what had happened
before it was asked for; *falsely healthy*: `ok` or `warn` although a limit was broken, or with the value of another
moment; *unsettled*: still partial after the operator decided. All have to be 0.
"""

import json
import os
import random
import resource
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from http.client import HTTPException
from pathlib import Path
from threading import Event, Lock
from typing import Any

from benchmarks.running import children
from tests.support.place import NOON, Place, record
from tests.support.web_server import Server

DAY = f"{NOON:%Y-%m-%d}"
#: Accounts of the log, one that never breaks its limit and one that does early, and the account of posts.
CALM, BROKEN, POSTED = "CALM", "BROKEN", "POSTED"
LIMITS = f"""limits:
  default: {{daily_loss: 100000, stale_after: null}}
  accounts:
    {BROKEN}: {{daily_loss: 20}}
"""
HARM_S, SETTLE_S = 1.5, 30.0
#: What a client sees of a worker that is killed.
_CUT = (OSError, HTTPException, ValueError)


class Truth:
    """What happened to an account: results in order, each with the moment from which it has to be known."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._begun = [Decimal(0)]
        self._known = 0
        self._broken_at: int | None = None

    def begin(self, result: Decimal) -> None:
        """Note a result that is about to be told."""
        with self._lock:
            self._begun.append(self._begun[-1] + result)

    def told(self) -> None:
        """Note that everything that was begun has been told."""
        with self._lock:
            self._known = len(self._begun) - 1
            if self._broken_at is None:
                broken = (number for number, one in enumerate(self._begun) if one <= -20)
                self._broken_at = next(broken, None)

    def mark(self) -> tuple[int, int]:
        """Return how many results have to be known, and how many may be."""
        with self._lock:
            return self._known, len(self._begun) - 1

    def judge(self, value: Decimal, floor: int, ceiling: int) -> str | None:
        """Return what is the matter with a sum that was asked for between two marks."""
        with self._lock:
            if value in self._begun[floor : ceiling + 1]:
                return None
            return "stale" if value in self._begun[:floor] else "wrong"

    def not_lost(self, floor: int, ceiling: int) -> list[Decimal]:
        """Return the sums that use nothing of a limit of losses: those that are not below 0."""
        with self._lock:
            return [one for one in self._begun[floor : ceiling + 1] if one >= 0]

    def was_broken(self, floor: int) -> bool:
        """Return whether the limit of 20 was broken by what has to be known."""
        with self._lock:
            return self._broken_at is not None and self._broken_at <= floor


class SourceSoak:
    """Bot, client, readers and operator around one service."""

    def __init__(self, place: Place, server: Server, seconds: float) -> None:
        self.place, self.server = place, server
        self.over = time.monotonic() + seconds
        self.counts: Counter[str] = Counter()
        self.harms: Counter[str] = Counter()
        self.shown: list[str] = []
        self.truth = {name: Truth() for name in (CALM, BROKEN, POSTED)}
        self._bot = Lock()
        #: cleared while everything settles, so that a busy machine is no doubt
        self._busy = Event()
        self._busy.set()
        self._logs = place.folder / "logs"
        self._log = self._logs / f"{DAY}.jsonl"
        self._chance = random.Random(1)
        self._rotated = 0
        #: why the last answers of each account could not be used
        self._why: dict[str, object] = {}
        self.slowest_s = 0.0

    def run(self) -> dict[str, Any]:
        """Harm until the time is over, then let everything settle; return the figures."""
        harms: list[tuple[str, Callable[[], None]]] = [
            ("log rotated by rename", self._rotate),
            ("log copied and truncated", self._copytruncate),
            ("log started anew", self._restart),
            ("log folder away", self._unmount),
            ("clock ahead", lambda: self._move_clock(timedelta(hours=2))),
            ("clock back", lambda: self._move_clock(timedelta(hours=-2))),
            ("disk full", self._fill_disk),
            ("a worker killed by -9", self._kill),
        ]
        with ThreadPoolExecutor(6) as threads:
            work = [threads.submit(self._write_log), threads.submit(self._post)]
            work += [threads.submit(self._read, seed) for seed in range(3)]
            try:
                while time.monotonic() < self.over:
                    for name, harm in harms:
                        if time.monotonic() > self.over:
                            break
                        harm()
                        self.harms[name] += 1
                        self._settle(name)
            finally:
                self.over = 0
            for one in work:
                one.result()
        self._settle("the end")
        return self._figures()

    def _figures(self) -> dict[str, Any]:
        known = {name: truth.mark()[0] for name, truth in self.truth.items()}
        names = ("answers", "partial", "refused", "wrong", "stale", "falsely healthy", "unsettled", "failed")
        return {
            **{name.replace(" ", "_"): self.counts[name] for name in names},
            "results": known,
            "slowest_to_settle_s": round(self.slowest_s, 1),
            "harms": dict(self.harms),
            "shown": self.shown[:8],
        }

    def _write_log(self) -> None:
        number = 0
        while time.monotonic() < self.over:
            self._busy.wait()
            with self._bot:
                number += 1
                account = BROKEN if number % 3 == 0 else CALM
                result = Decimal(self._chance.randint(-300, 290)) / 100
                at = NOON - timedelta(hours=3) + timedelta(milliseconds=20 * number)
                line = record(order_id=f"L{number}", account_id=account, net=str(result), at=at, held=0)
                self.truth[account].begin(result)
                with self._log.open("a") as file:
                    file.write(json.dumps(line) + "\n")
                self.truth[account].told()
            time.sleep(0.02)

    def _post(self) -> None:
        number = 0
        while time.monotonic() < self.over:
            self._busy.wait()
            number += 1
            result = Decimal(self._chance.randint(-300, 290)) / 100
            at = NOON - timedelta(hours=3) + timedelta(milliseconds=20 * number)
            fills = [
                _fill(f"{number}{side}", side, price, at)
                for side, price in (("BUY", 1000), ("SELL", 1000 + result))
            ]
            self.truth[POSTED].begin(result)
            while not self._is_accepted(fills, f"P{number}") and time.monotonic() < self.over + 60:
                time.sleep(0.05)
            self.truth[POSTED].told()
            time.sleep(0.03)

    def _is_accepted(self, fills: list[dict[str, Any]], key: str) -> bool:
        try:
            status, answer, _ = self.server.ask("POST", "/api/fills", fills, {"Idempotency-Key": key})
        except _CUT:
            return False
        if status in (200, 201):
            return True
        # a clock that was set back refuses what lies in its future
        if status not in (503, 422) or (status == 422 and "future_time" not in json.dumps(answer)):
            self._note("failed", f"a post: {status} {answer}")
        return False

    def _read(self, seed: int) -> None:
        chance = random.Random(seed)
        while time.monotonic() < self.over:
            self._busy.wait()
            account = chance.choice((CALM, BROKEN, POSTED))
            if chance.random() < 0.5:
                self._ask_result(account)
            else:
                self._ask_verdict(account)
            time.sleep(0.01)

    def _get(self, path: str) -> Any:
        """Return the JSON of an answer, None where there is none or it is refused."""
        try:
            status, answer = self.server.get(path)
        except _CUT:
            self.counts["cut"] += 1  # by a worker that was killed
            return None
        if status == 200:
            self.counts["answers"] += 1
            return answer
        # an account of which nothing was read yet is not known
        self.counts["refused" if status in (503, 404) else "failed"] += 1
        return None

    def _ask_result(self, account: str) -> bool:
        """Ask for the day's result; return whether it is complete and right."""
        floor = self.truth[account].mark()[0]
        answer = self._get(f"/api/performance/daily?account={account}&date={DAY}")
        if answer is None:
            return floor == 0  # nothing was told of it yet, so it is not known
        if answer["metadata"]["partial"]:
            self.counts["partial"] += 1
            self._why[account] = answer["metadata"]["partial_reasons"]
            return False
        value = Decimal(str(answer["data"]["daily_pnl"]))
        trouble = self.truth[account].judge(value, floor, self.truth[account].mark()[1])
        if trouble is not None:
            self._note(trouble, f"{account}: daily_pnl {value}, {floor} results told")
        return trouble is None

    def _ask_verdict(self, account: str) -> bool:
        """Ask for the verdict; return whether it is neither unknown nor falsely healthy."""
        floor = self.truth[account].mark()[0]
        answer = self._get(f"/api/risk/verdict?account={account}")
        if answer is None:
            return floor == 0  # nothing was told of it yet, so it is not known
        found = answer["data"]
        if found["state"] not in ("ok", "warn"):
            self._why[f"verdict of {account}"] = found["reasons"]
            return bool(found["state"] == "breach")
        if account == BROKEN and self.truth[account].was_broken(floor):
            self._note("falsely healthy", f"{account}: {found['state']} after a breach")
            return False
        value = Decimal(str(found["limits"][0]["value"]))
        ceiling = self.truth[account].mark()[1]
        sums = [-value] if value else self.truth[account].not_lost(floor, ceiling)
        if not any(self.truth[account].judge(one, floor, ceiling) is None for one in sums):
            self._note("falsely healthy", f"{account}: {found['state']} {value}, {floor} results told")
            return False
        return True

    def _settle(self, after: str) -> None:
        """Decide on what is in doubt, until results are complete, right and judged again."""
        self._why.clear()
        self._busy.clear()
        try:
            self._wait_until_settled(after)
        finally:
            self._busy.set()

    def _wait_until_settled(self, after: str) -> None:
        started = time.monotonic()
        deadline = started + SETTLE_S
        accounts = (CALM, BROKEN, POSTED)
        while True:
            self._decide()
            if all(self._ask_result(one) and self._ask_verdict(one) for one in accounts):
                self.slowest_s = max(self.slowest_s, time.monotonic() - started)
                return
            if time.monotonic() > deadline:
                self._note("unsettled", f"after {after}: {self._why}")
                return
            time.sleep(0.1)

    def _decide(self) -> None:
        found = self._get("/api/sources")
        for doubt in found["data"]["doubts"] if found else ():
            decision = "accept" if doubt["source"] == "clock" else "keep"
            try:
                self.server.post("/api/sources/decisions", {"source": doubt["source"], "decision": decision})
            except _CUT:
                return

    @contextmanager
    def _bot_paused(self) -> Iterator[None]:
        """Hold the bot until everything that it wrote was read, and then while the log is changed."""
        with self._bot:
            deadline = time.monotonic() + SETTLE_S
            while not (self._ask_result(CALM) and self._ask_result(BROKEN)) and time.monotonic() < deadline:
                time.sleep(0.05)
            yield

    def _rotate(self) -> None:
        with self._bot_paused():
            self._rotated += 1
            self._log.rename(self._log.with_suffix(f".jsonl.{self._rotated}"))
        time.sleep(HARM_S)

    def _copytruncate(self) -> None:
        with self._bot_paused():
            self._rotated += 1
            shutil.copy(self._log, self._log.with_suffix(f".jsonl.{self._rotated}"))
            os.truncate(self._log, 0)
        time.sleep(HARM_S)

    def _restart(self) -> None:
        with self._bot_paused():
            self._log.open("w").close()
        time.sleep(HARM_S)

    def _unmount(self) -> None:
        away = self.place.folder / "away"
        with self._bot:
            self._logs.rename(away)
            until = time.monotonic() + HARM_S
            while time.monotonic() < until:
                for account in (CALM, BROKEN):
                    if self._ask_result(account):
                        self._note("falsely healthy", f"{account}: complete without its log folder")
                    answer = self._get(f"/api/risk/verdict?account={account}")
                    if answer is not None and answer["data"]["state"] in ("ok", "warn"):
                        self._note(
                            "falsely healthy", f"{account}: {answer['data']['state']} without its log folder"
                        )
            shutil.rmtree(self._logs, ignore_errors=True)  # what was made in its place
            away.rename(self._logs)

    def _move_clock(self, distance: timedelta) -> None:
        self.server.set_clock(NOON + distance)
        time.sleep(HARM_S)
        self.server.set_clock(NOON)

    def _fill_disk(self) -> None:
        """No file of a worker may grow: writes fail as on a disk that is full."""
        for size in (1, resource.RLIM_INFINITY):
            for pid in children(self.server.process.pid):
                try:
                    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
                except ProcessLookupError:
                    continue
            time.sleep(HARM_S if size == 1 else 0)

    def _kill(self) -> None:
        for _ in range(2):
            if workers := children(self.server.process.pid):
                os.kill(self._chance.choice(workers), 9)
            time.sleep(HARM_S / 2)

    def _note(self, what: str, words: str) -> None:
        self.counts[what] += 1
        if len(self.shown) < 20:
            self.shown.append(f"{what}: {words}")


def _fill(number: str, side: str, price: Any, at: datetime) -> dict[str, Any]:
    return {
        "account": POSTED,
        "symbol": "MSFT",
        "time": at.isoformat().replace("+00:00", "Z"),
        "side": side,
        "quantity": 1,
        "price": str(price),
        "fill_id": number,
    }


def sources_soaked(folder: Path, seconds: float) -> dict[str, Any]:
    """Return the figures of one run in a folder; the ledger is kept beside the logs, not in them."""
    place = Place(folder, {}, now=NOON)
    place.write("config/dashboard-targets.yaml", LIMITS)
    place.log(DAY, record(order_id="L0", account_id="OTHER", net="1", at=NOON - timedelta(hours=4), held=0))
    env = {
        "DATABASE_URL": str(folder / "ledger.db"),
        "TEARSHEET_ALERTS_FILE": str(folder / "alerts.jsonl"),
        "TEARSHEET_SYNC_EVERY_S": "0",
    }
    with Server(place, workers=3, kind="tearsheet.web.worker.StreamingWorker", **env) as server:
        found = SourceSoak(place, server, seconds).run()
    with place.tracker(**env) as tracker:
        return found | {"verify_differences": len(tracker.verify().differences)}
