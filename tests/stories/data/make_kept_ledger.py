"""Make `kept_ledger.tar.xz`: a ledger and answers of an earlier version, by the code of that version.

In a checkout of the version (351b71e for the file beside this one), with its environment:

    .venv/bin/python .../tests/stories/data/make_kept_ledger.py TEMPORARY_FOLDER .../kept_ledger.tar.xz

It says everything through the HTTP API and the pages, with a clock of its own, so that it needs nothing of
the version but `tearsheet.web.create_app` and the samples of statements.
"""

import html
import io
import json
import re
import sqlite3
import sys
import tarfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tearsheet.settings import Settings
from tearsheet.web import create_app

ENV = {"PERFORMANCE_SUMMARY_TIMEZONE": "America/Chicago", "TEARSHEET_DAY_STARTS_AT": "17:00"}
SAMPLES = Path("tests/sources/samples")
STATEMENTS = {
    "alpaca_activities.csv": {"account": "ALPACA"},
    "binance_futures.csv": {"account": "COINS"},
    "ibkr_flex_xml.xml": {"timezone": "America/New_York"},
    "kraken_trades.csv": {"account": "COINS"},
    "metatrader5_deals.html": {"timezone": "Europe/Athens"},
    "tradovate_fills.csv": {},
}
TARGETS = """# What was promised.
win_rate_target: 50
daily_pl_target: 150
max_drawdown_target: -500
limits:
  default:
    daily_loss: 300       # net
    stale_after: null
  accounts:
    BOT:
      max_trades: {number: 6, warn_at: [50]}
      max_drawdown: {amount: 900, kind: trailing}
    MANUAL: {daily_loss: 250, max_open_quantity: 5}
"""
NOON = datetime(2026, 11, 20, 18, tzinfo=UTC)  # a Friday
WINDOWS = ("daily", "weekly", "monthly", "all")


class Desk:
    """An application of the version, asked and told at instants of its own clock."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now = folder, NOON
        self.client = create_app(Settings.load(ENV, folder), lambda: self.now).test_client()

    def get(self, path: str) -> Any:
        response = self.client.get(path)
        assert response.status_code == 200, (path, response.text)
        return json.loads(response.text)["data"]

    def send(self, method: str, path: str, content: Any, *statuses: int) -> Any:
        response = self.client.open(path, method=method, json=content)
        assert response.status_code in (statuses or (200, 201)), (path, response.status_code, response.text)
        return json.loads(response.text).get("data")

    def import_file(self, name: str, options: dict[str, str]) -> Any:
        query = "&".join(f"{key}={value}" for key, value in options.items())
        content = {"file": (io.BytesIO((SAMPLES / name).read_bytes()), name)}
        response = self.client.post(f"/api/import?{query}", data=content)
        assert response.status_code in (200, 201), (name, response.text)
        return json.loads(response.text)["data"]

    def change_setting(self, path: str, **given: str) -> None:
        """Send a form of the settings back as a browser would, with some fields changed."""
        form = self.client.get(path).text.partition('id="limits"')[2]
        inputs = re.findall(r'<input name="([^"]+)"[^>]*? value="([^"]*)"', form)
        values = {name: html.unescape(value) for name, value in inputs}
        values |= dict(re.findall(r'type="radio" name="([^"]+)" value="(\w+)" checked', form))
        values["digest"] = re.findall(r'name="digest" value="(\w*)"', form)[0]
        values |= {name.replace("__", "."): value for name, value in given.items()}
        answer = self.client.post(path, data=values, headers={"Origin": "http://localhost"})
        assert answer.status_code == 303, answer.text


def log_records() -> dict[str, list[dict[str, Any]]]:
    """Trades of a bot on thirty days, some without a result, one line twice."""
    days: dict[str, list[dict[str, Any]]] = {}
    for ago in range(30, -1, -1):
        at = NOON - timedelta(days=ago, hours=3)
        if at.weekday() > 4:
            continue
        for number in range(3 + ago % 3):
            net = (ago * 37 + number * 91) % 400 - 190
            opened = (ago + number) % 11 == 0
            begin = at + timedelta(minutes=17 * number)
            days.setdefault(f"{at:%Y-%m-%d}", []).append(
                {
                    "timestamp": begin.isoformat(),
                    "symbol": ("AAPL", "MSFT", "ESZ6")[number % 3],
                    "action": ("BUY", "SELL")[(ago + number) % 2],
                    "quantity": 1 + number,
                    "price": "150.50",
                    "total_value": "150.50",
                    "order_id": f"{ago}-{number}",
                    "execution_mode": "LIVE",
                    "account_id": "BOT",
                    "strategy_name": ("orb", "fade")[number % 2],
                    "entry_type": "breakout",
                    "stop_loss": "148.00",
                    "target": "156.00",
                    "decision_reasoning": "because",
                    "indicators_used": ["VWAP"],
                    "risk_reward_ratio": 2.2,
                    "outcome": "open" if opened else "win" if net > 0 else "loss",
                    "profit_loss": None if opened else str(net + 1),
                    "hold_duration_seconds": None if opened else 600,
                    "exit_timestamp": None if opened else (begin + timedelta(seconds=600)).isoformat(),
                    "exit_reasoning": None if opened else "target",
                    "slippage": "0.02",
                    "commission": None if opened else "1.00",
                    "net_profit_loss": None if opened else str(net),
                    "session_id": "S-1",
                    "bot_version": "1.0.0",
                    "config_hash": "abc",
                }
            )
    return days


def fill(number: int, side: str, price: str, minute: int, **more: Any) -> dict[str, Any]:
    """A fill of the account MANUAL."""
    at = NOON + timedelta(minutes=minute)
    return {
        "account": "MANUAL",
        "symbol": "MSFT",
        "time": at.isoformat(),
        "side": side,
        "quantity": 2,
        "price": price,
        "commission": "0.35",
        "fill_id": f"M{number}",
        **more,
    }


def trade(desk: Desk) -> None:
    """All that the ledger shall hold."""
    (desk.folder / "config").mkdir(parents=True)
    (desk.folder / "config/dashboard-targets.yaml").write_text(TARGETS)
    (desk.folder / "config/instruments.yaml").write_bytes((SAMPLES / "instruments.yaml").read_bytes())
    logs = desk.folder / "logs"
    logs.mkdir()
    for day, records in log_records().items():
        lines = [json.dumps(record) for record in records]
        if day.endswith("-13"):
            lines += ['{"timestamp": "half a li', lines[0]]
        (logs / f"{day}.jsonl").write_text("".join(f"{line}\n" for line in lines))
    for name, options in STATEMENTS.items():
        assert desk.import_file(name, options)["new"], name
    desk.send("POST", "/api/fills", [fill(1, "BUY", "400", -300), fill(2, "SELL", "410.5", -280)])
    desk.send("POST", "/api/fills", [fill(3, "BUY", "405", -200, strategy="fade", stop_loss="395")])
    desk.now += timedelta(minutes=1)
    desk.get("/api/performance/daily")
    desk.send("POST", "/api/fills", [fill(4, "SELL", "260", -1, strategy="fade")])  # breaks daily_loss
    assert desk.get("/api/risk/verdict?account=MANUAL")["state"] == "breach"
    desk.send("POST", "/api/marks", [{"symbol": "AAPL", "price": "151", "time": desk.now.isoformat()}])
    desk.send("POST", "/api/risk/heartbeats", {"account": "BOT"})
    desk.now += timedelta(minutes=5)
    release = {"account": "MANUAL", "limit": "daily_loss", "actor": "kim", "reason": "a mistaken order"}
    desk.send("POST", "/api/risk/releases", release)
    desk.now += timedelta(minutes=1)
    # a correction, a late fill, and a fill that is in a statement too
    desk.send("POST", "/api/fills", [fill(5, "BUY", "401", -250, quantity=1)])
    desk.send("POST", "/api/fills", [fill(6, "SELL", "390", 8, quantity=3)])
    for position, text in zip(
        desk.get("/api/positions?limit=3"), ("chased it", "by the book", ""), strict=True
    ):
        body = {"text": text, "tags": ["fomo", "late entry"][: 1 + len(text) % 2], "version": 0}
        desk.send("PUT", f"/api/positions/{position['id']}/notes", body)
    position = desk.get("/api/positions?limit=1")[0]["id"]
    desk.send(
        "PUT",
        f"/api/positions/{position}/notes",
        {"text": "chased it, again", "tags": ["fomo"], "version": 1},
    )
    undone = next(row for row in desk.get("/api/imports") if row["file"] == "kraken_trades.csv")
    desk.send("POST", f"/api/imports/{undone['id']}/undo", None)
    desk.change_setting("/settings/limits", daily_loss__amount="320")
    desk.change_setting("/settings/limits?account=MANUAL", daily_loss__amount="240")
    for alert in desk.get("/api/alerts")[:1]:
        desk.send("POST", f"/api/alerts/{alert['id']}/acknowledge", {"by": "kim", "note": "seen"})
    desk.now += timedelta(minutes=1)


def addresses(desk: Desk) -> list[str]:
    """Every address to compare."""
    found = [
        *(f"/api/performance/{window}" for window in WINDOWS[:3]),
        *(f"/api/performance/summary?window={window}" for window in WINDOWS),
        *(f"/api/performance/{window}?account=MANUAL" for window in WINDOWS[:3]),
        *(f"/api/performance/{chart}?window=all" for chart in ("calendar", "equity", "by-fill", "trades")),
        *(f"/api/performance/breakdown?window=all&by={by}" for by in ("symbol", "strategy", "weekday")),
        "/api/performance/distribution?window=all&of=net",
        "/api/performance/explain?metric=net_pnl&window=all",
        "/api/accounts",
        "/api/positions?limit=1000",
        "/api/positions?state=open&limit=1000",
        "/api/fills?limit=1000",
        "/api/rejections?limit=1000",
        "/api/imports",
        "/api/tags",
        "/api/orphaned-notes",
        "/api/alerts?state=all&limit=1000",
        "/api/risk/verdict",
        "/api/risk/breaches?limit=1000",
    ]
    found += [f"/api/risk/verdict?account={account}" for account in ("BOT", "MANUAL")]
    found += [f"/api/imports/{row['id']}" for row in desk.get("/api/imports")]
    positions = [row["id"] for row in desk.get("/api/positions?limit=3")]
    for position in positions:
        found += [f"/api/positions/{position}", f"/api/positions/{position}/notes"]
    found += [f"/api/alerts/{alert['id']}/changes" for alert in desk.get("/api/alerts?state=all&limit=1000")]
    return found


def main(folder: str, archive: str) -> None:
    """Trade, ask, and pack."""
    desk = Desk(Path(folder))
    trade(desk)
    answers = {path: desk.get(path) for path in addresses(desk)}
    kept = {"env": ENV, "now": desk.now.isoformat(), "answers": answers}
    (desk.folder / "answers.json").write_text(json.dumps(kept, indent=1))
    ledger = desk.folder / "logs/performance/tearsheet.db"
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with tarfile.open(archive, "w:xz") as packed:
        for path in sorted(desk.folder.rglob("*")):
            if path.is_file() and path.suffix not in (".db-wal", ".db-shm"):
                packed.add(path, path.relative_to(desk.folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
