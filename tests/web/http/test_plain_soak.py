"""An answer below Flask is that of an application that was never asked before, whatever happened in whatever order."""

import json
import random
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tearsheet.cli import main
from tearsheet.web.http.auth import Tokens
from tests.support.api import Api, fill
from tests.support.place import NOON, Place, fills_csv, record
from tests.support.redis_server import RedisServer, redis_server

__all__ = ["redis_server"]

ADDRESSES = (
    "/api/performance/daily",
    "/api/performance/daily?account=A",
    "/api/performance/daily?account=EQ-1&base=EUR",
    "/api/performance/weekly",
    "/api/performance/monthly?base=EUR",
    "/api/performance/summary?window=weekly",
    "/api/performance/summary?rolling=5",
    "/api/risk/verdict",
    "/api/risk/verdict?account=A",
    "/api/risk/verdict?account=EQ-1",
)


class Soak:
    """An application with its place, and everything that may change below it."""

    def __init__(self, place: Place, redis: RedisServer, chance: random.Random) -> None:
        self.place, self.redis, self.chance = place, redis, chance
        self.env = {"TEARSHEET_SYNC_EVERY_S": "0", "REDIS_URL": redis.url, "TEARSHEET_CACHE_TTL_S": "60"}
        self.number, self.is_up = 0, True
        self.secret = ""
        self.tags: dict[str, tuple[str, str]] = {}
        self.api = Api(place, **self.env)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.secret}"} if self.secret else {}

    def next(self) -> int:
        self.number += 1
        return self.number

    def post(self) -> None:
        minute = -self.next()
        account = self.chance.choice(("A", "B"))
        side = self.chance.choice(("BUY", "SELL"))
        more: dict[str, Any] = {"account": account, "currency": self.chance.choice(("USD", "USD", "EUR"))}
        more["symbol"] = "MSFT" if more["currency"] == "USD" else "SAP"
        content = fill(minute, side, self.chance.randrange(50, 150), **more)
        self.api.client.post("/api/fills", json=[content], headers=self.headers)

    def correct(self) -> None:
        if self.number:
            amended = fill(-self.number, "BUY", 77, status="correction", account="A")
            self.api.client.post("/api/fills", json=[amended], headers=self.headers)

    def bring(self) -> None:
        rows = [
            f"A,X,2026-11-20T09:{self.next() % 60:02}:00Z,buy,1,{self.chance.randrange(90, 110)},1,I{self.number}"
        ]
        self.api.client.post(
            "/api/import?name=a.csv",
            data=fills_csv(rows),
            headers={"Content-Type": "text/csv", **self.headers},
        )

    def undo(self) -> None:
        found = self.api.get("/api/imports", **self.headers)["data"]
        wanted = [one["id"] for one in found if one["undone"] is None]
        if wanted:
            number = self.chance.choice(wanted)
            self.api.ask("POST", f"/api/imports/{number}/undo", **self.headers)

    def log(self) -> None:
        at = NOON - timedelta(minutes=self.next())
        self.place.log(
            "2026-11-20",
            record(at=at, held=0, order_id=f"L{self.number}", net=self.chance.randrange(-50, 50)),
            mode="a",
        )

    def rotate(self) -> None:
        self.place.log("2026-11-20", record(at=NOON, held=0, order_id="R", net=3))

    def limits(self) -> None:
        number = self.chance.randrange(1, 300)
        self.place.write(
            "config/dashboard-targets.yaml",
            f"daily_pl_target: {number}\nlimits: {{default: {{daily_loss: {number}, stale_after: 30m}}}}\n",
        )

    def spoil(self) -> None:
        self.place.write(
            "config/dashboard-targets.yaml", self.chance.choice(("", "limits: [", "limits: {default: 1}"))
        )

    def pass_time(self) -> None:
        self.place.now += timedelta(minutes=self.chance.choice((1, 20, 31, 200, 700)))

    def go_back(self) -> None:
        self.place.now -= timedelta(minutes=self.chance.choice((2, 90, 1500)))

    def mark(self) -> None:
        content = {
            "symbol": "MSFT",
            "price": str(self.chance.randrange(50, 150)),
            "time": f"{self.place.now:%Y-%m-%dT%H:%M:%SZ}",
        }
        self.api.client.post("/api/marks", json=content, headers=self.headers)

    def rate(self) -> None:
        content = {
            "from": "USD",
            "to": "EUR",
            "day": "2026-11-20",
            "rate": f"0.{self.chance.randrange(80, 99)}",
        }
        self.api.client.post("/api/rates", json=content, headers=self.headers)

    def cash(self) -> None:
        content = {
            "account": "A",
            "kind": "cost",
            "amount": "-5",
            "currency": "USD",
            "time": "2026-11-20T10:00:00Z",
            "id": f"c{self.next()}",
        }
        self.api.client.post("/api/cash", json=content, headers=self.headers)

    def release(self) -> None:
        content = {"account": "A", "limit": "daily_loss", "actor": "kim", "reason": "agreed"}
        self.api.client.post("/api/risk/releases", json=content, headers=self.headers)

    def beat(self) -> None:
        self.api.client.post("/api/risk/heartbeats", json={"account": "A"}, headers=self.headers)

    def calendar(self) -> None:
        hour = self.chance.choice(("00:00", "17:00", "11:30"))
        main(["calendar", "--day-starts-at", hour, "--by", "kim"])

    def narrow(self) -> None:
        tokens = Tokens(self.place.settings().tokens_file)
        for one in tokens.all():
            tokens.revoke(one.name)
        self.secret = tokens.add(f"t{self.next()}", self.chance.choice(("read", "risk")), self.place.now)

    def lose_redis(self) -> None:
        self.is_up = not self.is_up
        if self.is_up:
            self.redis.start()
        else:
            self.redis.kill()

    def decide(self) -> None:
        for doubt in self.api.get("/api/sources", **self.headers)["data"]["doubts"]:
            content = {"source": doubt["source"], "decision": self.chance.choice(("keep", "accept"))}
            self.api.client.post("/api/sources/decisions", json=content, headers=self.headers)

    def check(self, what: str) -> None:
        """Every address says what a new application says, asked with a tag too."""
        fresh = Api(self.place, **{**self.env, "REDIS_URL": ""})
        for address in ADDRESSES:
            wanted = fresh.ask("GET", address, X_Request_ID="x", **self.headers)
            for _ in range(2):
                found = self.api.ask("GET", address, X_Request_ID="x", **self.headers)
                assert said(found) == said(wanted), (what, address)
            old = self.tags.get(address)
            if old is not None and found.status_code == 200:
                again = self.api.ask("GET", address, If_None_Match=old[0], **self.headers)
                same = stripped(old[1]) == stripped(found.text)
                assert again.status_code == 200 or same, (what, address, old[1], found.text)
            if tag := found.headers.get("ETag"):
                self.tags[address] = (tag, found.text)


def said(answer: TestResponse) -> tuple[int, str]:
    """Status and text, without when the numbers were computed: that may be a while ago if nothing has changed."""
    return answer.status_code, re.sub(r'"last_updated":"[^"]*"', "", answer.text)


def stripped(text: str) -> Any:
    """An answer without what its clock says."""
    content = json.loads(text)
    content.pop("timestamp")
    for name in ("data_age_s", "last_updated"):
        content["metadata"].pop(name, None)
    content["data"].pop("freshness", None)
    return content


CHANGES: tuple[Callable[[Soak], None], ...] = (
    Soak.post,
    Soak.post,
    Soak.post,
    Soak.correct,
    Soak.bring,
    Soak.undo,
    Soak.log,
    Soak.log,
    Soak.rotate,
    Soak.limits,
    Soak.spoil,
    Soak.pass_time,
    Soak.go_back,
    Soak.mark,
    Soak.rate,
    Soak.cash,
    Soak.release,
    Soak.beat,
    Soak.calendar,
    Soak.narrow,
    Soak.lose_redis,
    Soak.decide,
)


@pytest.mark.parametrize("seed", range(2))
def test_no_answer_is_stale(
    place: Place, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.chdir(place.folder)
    chance = random.Random(seed)
    soak = Soak(place, redis_server, chance)
    soak.limits()
    done = []
    for _ in range(20):
        change = chance.choice(CHANGES)
        change(soak)
        done.append(change.__name__)
        soak.check(f"{seed}: {done}")
