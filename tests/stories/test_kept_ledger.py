"""A ledger that 351b71e made opens with today's code, and answers what that version answered.

`data/make_kept_ledger.py` made it: logs, statements of five brokers, one of them undone, posted fills,
corrections, a breach and its release, an alert, notes, marks, and limits changed in the dashboard.
"""

import json
import tarfile
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.api import Api, fill
from tests.support.place import Place

ARCHIVE = Path(__file__).parent / "data" / "kept_ledger.tar.xz"


@pytest.fixture
def unpacked(tmp_path: Path) -> tuple[Api, dict[str, Any]]:
    """An application on the kept ledger, at the instant of its answers, and the answers by address."""
    with tarfile.open(ARCHIVE) as packed:
        packed.extractall(tmp_path, filter="data")
    kept = json.loads((tmp_path / "answers.json").read_text())
    place = Place(tmp_path, kept["env"], now=datetime.fromisoformat(kept["now"]))
    return Api(place), kept["answers"]


#: Fields for people: their words may change, but not whether something is said.
_WORDS = (".reason", ".detail", ".words")


def lost(before: Any, now: Any, path: str = "") -> list[str]:
    """Return where an answer differs, fields that came since left out.

    That version evaluated no target in its summaries: they are empty there. The books are rebuilt once,
    which is a revision more. Details are words, and a log was as old as the last look at it. Open trades of the log, which have no fills, were not listed.
    """
    if path.endswith((".detail", ".data_age_s")):
        return []
    if path.endswith((".sequence", ".revision")) and now == before + 1:
        return []
    if path == ".targets" and before == []:
        return []
    if isinstance(before, dict) and isinstance(now, dict):
        gone = [f"{path}.{name} is missing" for name in before.keys() - now.keys()]
        return gone + [
            found
            for name in before.keys() & now.keys()
            for found in lost(before[name], now[name], f"{path}.{name}")
        ]
    if isinstance(before, list) and isinstance(now, list):
        now = [one for one in now if not isinstance(one, dict) or one.get("fills") != 0 or one in before]
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        pairs = enumerate(zip(before, now, strict=True))
        return [found for number, pair in pairs for found in lost(*pair, f"{path}[{number}]")]
    if path.endswith(_WORDS) and before and now:
        return []
    return [] if before == now else [f"{path}: {before!r} was, {now!r} is"]


def test_a_kept_ledger_answers_the_same(unpacked: tuple[Api, dict[str, Any]]) -> None:
    api, answers = unpacked
    assert len(answers) > 45
    differences = {path: lost(before, api.get(path)["data"]) for path, before in answers.items()}
    assert {path: found for path, found in differences.items() if found} == {}


def test_a_kept_ledger_agrees_with_its_sources(unpacked: tuple[Api, dict[str, Any]]) -> None:
    api, _ = unpacked
    with api.place.tracker() as tracker:
        assert tracker.sync().records == 0
        assert tracker.verify().differences == []


def test_a_kept_ledger_is_traded_on(unpacked: tuple[Api, dict[str, Any]]) -> None:
    """A fill closes a position, an import of that version is undone, and all of it agrees."""
    api, answers = unpacked
    position = answers["/api/positions?state=open&limit=1000"][0]
    closing = fill(1, "SELL" if position["side"] == "long" else "BUY", 1)
    closing |= {
        "account": position["account"],
        "symbol": position["symbol"],
        "quantity": position["quantity"],
    }
    api.fills(closing)
    assert api.get(f"/api/positions/{position['id']}")["data"]["position"]["state"] == "closed"
    imported = next(row for row in answers["/api/imports"] if row["file"] == "binance_futures.csv")
    api.post(f"/api/imports/{imported['id']}/undo", None, 200)
    assert "COINS" not in api.get("/api/accounts")["data"]
    with api.place.tracker() as tracker:
        assert tracker.verify().differences == []
