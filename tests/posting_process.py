"""A process that posts fills, batch after batch: `posting_process.py FOLDER ACCOUNTS BATCHES SEED`."""

import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zlib import crc32

from conftest import make_fill
from tearsheet.settings import Settings
from tearsheet.store.imported_fills import ImportCounts
from tearsheet.store.posting import FileState, posting_of
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.fill import Fill

START = datetime(2026, 11, 16, 14, tzinfo=UTC)
A_BATCH = 8


def batches(accounts: list[str], number: int, seed: int) -> list[list[Fill]]:
    """Fills of some accounts over a week, in batches that come in no order of time."""
    chance = random.Random(seed)
    fills = [
        make_fill(
            1000 * seed + n,
            START + timedelta(minutes=chance.randrange(7 * 24 * 60)),
            chance.choice(["buy", "sell"]),
            str(chance.randint(1, 3)),
            str(chance.randint(90, 110)),
            "0.25",
            account=chance.choice(accounts),
            symbol=chance.choice(["X", "Y"]),
            rank=1000 * seed + n,
        )
        for n in range(number * A_BATCH)
    ]
    return [fills[n : n + A_BATCH] for n in range(0, len(fills), A_BATCH)]


def post(tracker: PerformanceTracker, fills: list[Fill]) -> int:
    """Post fills as a request does: only their accounts are held."""
    accounts = frozenset(fill.account for fill in fills)
    now = START + timedelta(days=8)
    with posting_of(tracker._ledger, tracker._book_rules(), now, accounts) as posting:
        state = FileState("posted", len(fills), 0, 0)
        source = posting.open_import(state, "api")
        counts = ImportCounts()
        lines = list(enumerate(fills, 1))
        assert posting.add_fills(source, "posted", lines, counts) == []
        checksum = crc32("".join(fill.key for fill in fills).encode())
        posting.close_import(source, state, checksum, len(fills), counts, [])
        return posting.finish()


def main(folder: str, accounts: str, number: str, seed: str) -> None:
    with PerformanceTracker(Settings.load(folder=Path(folder))) as tracker:
        for fills in batches(accounts.split(","), int(number), int(seed)):
            post(tracker, fills)


if __name__ == "__main__":
    main(*sys.argv[1:])
