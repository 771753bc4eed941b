"""Another calendar while several workers answer and a watcher books: nobody goes by the old one after the change."""

import html
import http.client
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.support.api import fill
from tests.support.place import Place, record
from tests.support.web_server import Server

LATE = datetime.fromisoformat("2026-11-18T23:30:00+00:00")
DAY = "/api/performance/daily?date=2026-11-18"
#: What the day is worth by each calendar.
RIGHT = {"UTC": 7, "America/Chicago": 1}


def answer(server: Server) -> tuple[int, str, Any]:
    status, found = server.get(DAY)
    if status != 200:
        return status, "", found
    return status, found["metadata"]["timezone"], found["data"]["daily_pnl"]


def send(server: Server, path: str, content: dict[str, str]) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    origin = {"Origin": f"http://127.0.0.1:{server.port}"}
    media = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", path, urlencode(content), origin | media)
    found = connection.getresponse()
    text = found.read().decode()
    connection.close()
    return found.status, text


def change(server: Server, zone: str, start: str) -> None:
    _, content = server.get("/settings")
    form = content.decode().partition('action="/settings/day"')[2]
    digest = re.search(r'name="digest" value="(\w*)"', form)
    assert digest
    wish = {"timezone": zone, "day_starts_at": start, "digest": digest[1]}
    status, text = send(server, "/settings/day", wish | {"action": "try"})
    assert status == 200, text
    status, text = send(server, "/settings/day", wish | {"action": "keep", "seen": f"{zone} {start}"})
    assert status == 303, html.unescape(text)


class Asking(threading.Thread):
    """Asks all the time; what was answered, and whether it began after the change was done."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.server, self.heard = server, list[tuple[bool, int, str, Any]]()
        self.is_changed, self.is_over = threading.Event(), threading.Event()

    def run(self) -> None:
        while not self.is_over.is_set():
            is_after = self.is_changed.is_set()
            self.heard.append((is_after, *answer(self.server)))


@contextmanager
def watching(place: Place) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", "from tearsheet.cli import run; run()", "watch"]
    with (place.folder / "watch.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=place.folder, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def test_no_worker_and_no_watcher_goes_by_the_old_calendar(tmp_path: Path) -> None:
    place = Place(tmp_path, {})
    place.log("2026-11-17", record(net=1, at=LATE - timedelta(days=1), order_id="w1"))
    with watching(place) as watcher, Server(place, workers=3, TEARSHEET_SYNC_EVERY_S="0") as server:
        fills = [
            fill(n, side, price, account="B", time=(LATE + timedelta(minutes=n)).isoformat())
            for n, side, price in ((1, "BUY", 100), (2, "SELL", 107))
        ]
        assert server.post("/api/fills", fills)[0] == 201
        for _ in range(12):  # every worker has answered by the first calendar
            assert answer(server) == (200, "UTC", 7)
        asking = [Asking(server) for _ in range(3)]
        for one in asking:
            one.start()
        change(server, "America/Chicago", "17:00")
        for one in asking:
            one.is_changed.set()
        for _ in range(40):
            assert answer(server) == (200, "America/Chicago", 1)
        # whoever writes now, a worker or the watcher, books by the new one
        fills = [
            fill(n, side, price, account="B", time=(LATE + timedelta(minutes=n)).isoformat())
            for n, side, price in ((3, "BUY", 100), (4, "SELL", 103))
        ]
        assert server.post("/api/fills", fills)[0] == 201
        place.log("2026-11-18", record(net=5, at=LATE, order_id="w2"))
        deadline = time.monotonic() + 60
        while (found := server.get("/api/performance/daily?date=2026-11-19"))[1]["data"]["daily_pnl"] != 15:
            assert time.monotonic() < deadline, found
            time.sleep(0.1)
        for one in asking:
            one.is_over.set()
            one.join()
        heard = [row for one in asking for row in one.heard]
        assert {row[1] for row in heard} <= {200, 503}
        assert [row for row in heard if row[1] == 200 and row[3] != RIGHT[row[2]]] == []
        assert [row for row in heard if row[0] and row[2] == "UTC"] == []
        assert len({row[2] for row in heard if row[1] == 200}) == 2
        assert watcher.poll() is None
    told = (place.folder / "watch.log").read_text()
    assert "trouble" not in told, told
    with place.tracker(PERFORMANCE_SUMMARY_TIMEZONE="America/Chicago") as tracker:
        assert tracker.verify().matches


def test_two_workers_change_one_file_and_nothing_is_lost(tmp_path: Path) -> None:
    place = Place(tmp_path, {})
    file = place.write("config/dashboard-targets.yaml", "limits:\n  default:\n    daily_loss: 500\n")
    with Server(place, workers=3) as server:
        found: list[tuple[str, int]] = []

        def write(number: int) -> None:
            """Set an account's limit, again and again until nobody was faster."""
            while True:
                _, content = server.get(f"/settings/limits?account=A{number}")
                form = content.decode().partition('id="limits"')[2]
                values = {
                    n: html.unescape(v)
                    for n, v in re.findall(r'<input name="([^"]+)"[^>]*? value="([^"]*)"', form)
                }
                values |= dict(re.findall(r'type="radio" name="([^"]+)" value="(\w+)" checked', form))
                digest = re.search(r'name="digest" value="(\w*)"', form)
                assert digest
                values |= {"digest": digest[1], "max_trades.state": "own", "max_trades.number": str(number)}
                status, _ = send(server, f"/settings/limits?account=A{number}", values)
                found.append((f"A{number}", status))
                if status != 409:
                    break

        writers = [threading.Thread(target=write, args=(number,)) for number in range(1, 7)]
        for one in writers:
            one.start()
        for one in writers:
            one.join()
        assert {status for _, status in found} <= {303, 409}
        text = file.read_text()
        for number in range(1, 7):
            assert f"    A{number}:\n      max_trades: {number}\n" in text
        _, shown = server.get("/settings")
        assert shown.decode().count("limits.accounts.A") == 6
