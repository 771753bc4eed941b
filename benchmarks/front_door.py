"""`python -m benchmarks.front_door [--seconds 60]`: slow, silent and greedy clients against the service beside probes.

The service is `tearsheet serve` as it starts by default; no attacker has a token. During each attack `/healthz` and
`/api/risk/verdict` are asked four times a second, each over a connection of its own: a probe that fails or takes over a
second is a fault. Connections that the service closes are opened again. Exit code 1 for any fault.
"""

import argparse
import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

from benchmarks.running import Running, ask

FORM = "Content-Type: application/x-www-form-urlencoded"
PROBES = ("/healthz", "/api/risk/verdict?account=A")
SLOWEST_S = 1.0


@dataclass(frozen=True)
class Attack:
    """How many connections are held, what each sends first, and what it sends every second."""

    connections: int
    first: bytes = b""
    more: bytes = b""


def attacks(port: int) -> dict[str, Attack]:
    """Return the attacks by name."""

    def head(line: str, *fields: str) -> bytes:
        return "\r\n".join([f"{line} HTTP/1.1", f"Host: 127.0.0.1:{port}", *fields, ""]).encode()

    part = b'\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="x.csv"\r\n\r\n'
    return {
        "400 silent connections": Attack(400),
        "slow heads": Attack(200, head("GET /healthz") + b"X-A: ", b"a"),
        "heads without end": Attack(50, head("GET /healthz"), b"X-B: " + b"b" * 4000 + b"\r\n"),
        "slow login bodies": Attack(
            200, head("POST /login", FORM, "Content-Length: 1000") + b"\r\ntoken=", b"x"
        ),
        "slow fills bodies": Attack(
            200,
            head("POST /api/fills", "Content-Type: application/json", "Content-Length: 1000") + b"\r\n[",
            b" ",
        ),
        "slow import bodies": Attack(
            200,
            head(
                "POST /api/import", "Content-Type: multipart/form-data; boundary=b", "Content-Length: 100000"
            )
            + part,
            b"a",
        ),
    }


@dataclass
class Probes:
    """Probes beside an attack: how long each took, and which failed."""

    port: int
    took: list[float] = field(default_factory=list)
    failed: int = 0
    over: Event = field(default_factory=Event)

    def run(self) -> None:
        """Probe until it is over."""
        while not self.over.is_set():
            for path in PROBES:
                started = time.monotonic()
                try:
                    status = ask(self.port, "GET", path, timeout=5)[0]
                except OSError:
                    status = 0
                self.took.append(time.monotonic() - started)
                self.failed += status != 200
            self.over.wait(0.25)

    def figures(self) -> dict[str, Any]:
        """Return their number, faults and times."""
        ordered = sorted(self.took)
        return {
            "probes": len(ordered),
            "failed": self.failed,
            "over_1_s": sum(one > SLOWEST_S for one in ordered),
            "median_ms": round(1000 * ordered[len(ordered) // 2], 1),
            "worst_ms": round(1000 * ordered[-1], 1),
        }


def attacked(port: int, attack: Attack, seconds: float) -> dict[str, Any]:
    """Hold the connections of an attack for some time; return the figures of the probes beside it."""
    probes = Probes(port)
    thread = Thread(target=probes.run)
    thread.start()
    over, held, closed = time.monotonic() + seconds, list[socket.socket](), 0
    try:
        while time.monotonic() < over:
            alive = [one for one in held if _goes_on(one, attack.more)]
            closed += len(held) - len(alive)
            held = [*alive, *_opened(port, attack, attack.connections - len(alive), over)]
            time.sleep(1)
    finally:
        probes.over.set()
        thread.join()
        for one in held:
            one.close()
    return {**probes.figures(), "held": len(held), "closed": closed}


def _opened(port: int, attack: Attack, number: int, over: float) -> Iterator[socket.socket]:
    for _ in range(number):
        if time.monotonic() > over:
            return
        one = socket.socket()
        one.settimeout(0.5)
        try:
            one.connect(("127.0.0.1", port))
            one.sendall(attack.first)
        except OSError:
            one.close()
            return
        yield one


def _goes_on(one: socket.socket, more: bytes) -> bool:
    """Send what is sent each second; return whether the service has not closed the connection."""
    try:
        if more:
            one.sendall(more)
        one.setblocking(False)
        gone = one.recv(65_536) == b""
    except BlockingIOError:
        gone = False
    except OSError:
        gone = True
    with suppress(OSError):
        one.settimeout(0.5)
    if gone:
        one.close()
    return not gone


def main() -> int:
    """Run the attacks, print the figures, and return 1 for a fault."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.front_door")
    parser.add_argument("--seconds", type=float, default=60, help="for each attack")
    parser.add_argument("--only", help="attacks whose name has this word")
    parser.add_argument("--out", type=Path, help="write the figures to this file as well")
    options = parser.parse_args()
    found: dict[str, Any] = {"seconds": options.seconds}
    with tempfile.TemporaryDirectory(prefix="tearsheet-door-") as name, _service(Path(name)) as server:
        for title, attack in attacks(server.port).items():
            if options.only is None or options.only in title:
                found[title] = attacked(server.port, attack, options.seconds)
                found[title]["load"] = round(os.getloadavg()[0], 1)
                print(f"{title:<24}{json.dumps(found[title])}", flush=True)
                time.sleep(2)
    figures = [one for one in found.values() if isinstance(one, dict)]
    found["faults"] = sum(one["failed"] + one["over_1_s"] for one in figures)
    print(f"faults: {found['faults']}")
    if options.out is not None:
        options.out.write_text(json.dumps(found, indent=1) + "\n")
    return 1 if found["faults"] else 0


def _service(folder: Path) -> Running:
    (folder / "config").mkdir()
    limits = "limits: {default: {daily_loss: 500, stale_after: null}}\n"
    (folder / "config/dashboard-targets.yaml").write_text(limits)
    return Running(folder)


if __name__ == "__main__":
    sys.exit(main())
