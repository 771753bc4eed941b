"""Post fills, request after request: `posting_process.py FOLDER ACCOUNTS NUMBER SEED NOW`.

Prints the revision after each request.
"""

import json
import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tearsheet.app.imports.api_posts import ApiWrites
from tearsheet.app.reports import WriteRequest
from tearsheet.settings import Settings
from tearsheet.tracker import PerformanceTracker

START = datetime(2026, 11, 16, 14, tzinfo=UTC)
END = START + timedelta(days=7)
A_REQUEST = 8

Posted = list[dict[str, Any]]


def requests(accounts: list[str], number: int, seed: int) -> list[Posted]:
    """Fills of some accounts over a week, in requests that come in no order of time.

    No two are of one instant, whose order would be that of their arrival.
    """
    chance = random.Random(seed)
    fills = [
        {
            "account": chance.choice(accounts),
            "symbol": chance.choice(["AAPL", "MSFT"]),
            "time": f"{START + timedelta(minutes=chance.randrange(7 * 24 * 60)):%Y-%m-%dT%H:%M}"
            f":{seed:02}.{n:06}Z",
            "side": chance.choice(["BUY", "SELL"]),
            "quantity": chance.randint(1, 3),
            "price": chance.randint(90, 110),
            "commission": "0.25",
            "fill_id": f"{seed}-{n}",
        }
        for n in range(number * A_REQUEST)
    ]
    return [fills[n : n + A_REQUEST] for n in range(0, len(fills), A_REQUEST)]


def post(tracker: PerformanceTracker, fills: Posted, key: str | None = None) -> int:
    """Post fills; returns the revision."""
    report = ApiWrites(tracker).fills(WriteRequest(json.dumps(fills).encode(), "posted", key))
    assert report.rejections == []
    return report.revision


def main(folder: str, accounts: str, number: str, seed: str, now: str) -> None:
    clock = datetime.fromisoformat(now)
    with PerformanceTracker(Settings.load(folder=Path(folder)), clock=lambda: clock) as tracker:
        for n, fills in enumerate(requests(accounts.split(","), int(number), int(seed))):
            print(post(tracker, fills, f"{seed}-{n}"), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
