"""Values that tests share: fills in the trader's notation, a place to trade in, and a frozen clock."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from tearsheet.app.book_rules import booking_rules_from
from tearsheet.app.context import LedgerContext
from tearsheet.performance.tally import Tally
from tearsheet.settings import Settings
from tearsheet.store.write.transaction import LedgerTransaction
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.fill import Fill, Side, execution_key
from tearsheet.trade.position import Book, Booking, Position

TOP = Path(__file__).parents[2]
SAMPLES = TOP / "tests" / "sources" / "samples"
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)  # a Friday
#: Where the clock of a place stands: the records and fills of the day lie behind it.
EVENING = NOON + timedelta(hours=9)
_FILL = re.compile(
    r"^(\d\d:\d\d) +(buy|sell) +(\S+) *@ *(\S+)(?: +fee +(\S+))?(?: +stop +(\S+) +target +(\S+))?$"
)
_RESULT = re.compile(r"^=> +(long|short) +(\S+) +gross +(\S+) +fees +(\S+) +net +(\S+)$")
_OPEN = re.compile(r"^=> +open +(long|short) +(\S+) *@ *(\S+)$")


def make_fill(
    number: int, at: datetime, side: str, quantity: str, price: str, fee: str = "0", **more: Any
) -> Fill:
    """A fill of account A in X, multiplier 1, unless said otherwise."""
    return Fill(
        **{
            "account": "A",
            "symbol": "X",
            "time": at,
            "side": Side[side.upper()],
            "quantity": Decimal(quantity),
            "price": Decimal(price),
            "commission": Decimal(fee),
            "multiplier": Decimal(1),
            "currency": "USD",
            "key": execution_key(str(number)),
            **more,
        }
    )


@dataclass
class Scenario:
    """What a docstring says: fills, and after `=>` the positions they make."""

    fills: list[Fill]
    closed: list[tuple[str, Decimal, Decimal, Decimal, Decimal]]
    open: list[tuple[str, Decimal, Decimal]]

    def play(self) -> tuple[list[Booking], list[Position], list[Position]]:
        """Book the fills: bookings, closed and open positions."""
        book = Book()
        bookings = book.book_all(self.fills)
        return bookings, book.closed, book.open_positions()

    def check(self) -> None:
        """The positions are as the docstring says."""
        _, closed, open_positions = self.play()
        assert [(_side(p), p.quantity, p.gross, p.fees, p.net) for p in closed] == self.closed
        assert [(_side(p), p.open_quantity, p.average_entry) for p in open_positions] == self.open


def _side(position: Position) -> str:
    return "long" if position.side is Side.BUY else "short"


def read_scenario(text: str) -> Scenario:
    """Read a scenario from a docstring."""
    scenario = Scenario([], [], [])
    for line in map(str.strip, text.splitlines()):
        if found := _FILL.match(line):
            clock, side, quantity, price, fee, stop, target = found.groups()
            at = datetime.fromisoformat(f"2026-03-02T{clock}:00+00:00")
            more = {"stop_loss": Decimal(stop), "target": Decimal(target)} if stop else {}
            scenario.fills.append(
                make_fill(len(scenario.fills), at, side, quantity, price, fee or "0", **more)
            )
        elif found := _RESULT.match(line):
            side, *numbers = found.groups()
            quantity, gross, fees, net = map(Decimal, numbers)
            scenario.closed.append((side, quantity, gross, fees, net))
        elif found := _OPEN.match(line):
            scenario.open.append((found[1], Decimal(found[2]), Decimal(found[3])))
        else:
            assert not line or line.endswith((".", ":")), f"not understood: {line}"
    return scenario


def record(**fields: Any) -> dict[str, Any]:
    """A trade record with all 27 fields; a closed win of 100 − 1 unless said otherwise."""
    at = fields.pop("at", NOON)
    held = fields.pop("held", 600)
    base = {
        "timestamp": at.isoformat(),
        "symbol": "AAPL",
        "action": "BUY",
        "quantity": 100,
        "price": "150.50",
        "total_value": "15050.00",
        "order_id": None,
        "execution_mode": "LIVE",
        "account_id": "EQ-1",
        "strategy_name": "orb",
        "entry_type": "breakout",
        "stop_loss": "148.00",
        "target": "156.00",
        "decision_reasoning": "because",
        "indicators_used": ["VWAP"],
        "risk_reward_ratio": 2.2,
        "outcome": "win",
        "profit_loss": "100.00",
        "hold_duration_seconds": held,
        "exit_timestamp": (at + timedelta(seconds=held)).isoformat(),
        "exit_reasoning": "target",
        "slippage": "0.02",
        "commission": "1.00",
        "net_profit_loss": "99.00",
        "session_id": "S-1",
        "bot_version": "1.0.0",
        "config_hash": "abc",
    }
    if "net" in fields:
        net = Decimal(str(fields.pop("net")))
        base |= {
            "net_profit_loss": str(net),
            "profit_loss": str(net + 1),
            "outcome": "win" if net > 0 else "loss" if net < 0 else "breakeven",
        }
    return base | fields


def opened(**fields: Any) -> dict[str, Any]:
    """A trade record of an order whose result is not known."""
    return record(
        **{
            "outcome": "open",
            "profit_loss": None,
            "net_profit_loss": None,
            "exit_timestamp": None,
            "hold_duration_seconds": None,
            "commission": None,
            **fields,
        }
    )


@dataclass
class Place:
    """A folder with logs, statements and targets, and a clock that stands where it is put."""

    folder: Path
    env: dict[str, str]
    now: datetime = EVENING
    trackers: list[PerformanceTracker] = field(default_factory=list)

    def log(self, day: str, *records: dict[str, Any] | str, mode: str = "w") -> Path:
        """Write lines into the log of a day."""
        path = self.folder / "logs" / f"{day}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open(mode) as file:
            for line in records:
                file.write((line if isinstance(line, str) else json.dumps(line)) + "\n")
        return path

    def write(self, name: str, text: str | bytes) -> Path:
        """Write a file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def targets(self, **targets: Any) -> Path:
        """Write the targets file."""
        lines = "".join(f"{key}: {value}\n" for key, value in targets.items())
        return self.write("config/dashboard-targets.yaml", lines)

    def settings(self, **env: str) -> Settings:
        """The settings of the place."""
        return Settings.load(self.env | env, self.folder)

    def tracker(self, **env: str) -> PerformanceTracker:
        """A tracker of the place; the test closes it, or lets it go with the test."""
        tracker = PerformanceTracker(self.settings(**env), clock=lambda: self.now)
        self.trackers.append(tracker)
        return tracker

    def change_rules(self, **env: str) -> None:
        """Rebuild the books by other rules, as `tearsheet calendar` does; the place states them from now on."""
        self.env |= env
        with LedgerContext(self.settings(), lambda: self.now, changes_rules=True) as context:
            transaction = LedgerTransaction(
                context.ledger, booking_rules_from(context.settings, context.ledger), self.now
            )
            with context.ledger.writing():
                transaction.rebuild()
                transaction.commit()

    def make_read_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """From the next tracker on the ledger can be read only."""
        url = self.env.get("DATABASE_URL")
        if url is None:
            may = "tearsheet.store.db.sqlite.os.access"
            monkeypatch.setattr(may, lambda path, mode: not str(path).endswith(".db"))
            return
        with psycopg.connect(url, autocommit=True) as admin:
            name = url.rpartition("/")[2]
            admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")


FILLS_HEADER = "account,symbol,time,side,quantity,price,commission,fill_id"


def fills_csv(rows: Iterable[str], header: str = FILLS_HEADER) -> str:
    """A generic CSV of fills."""
    return "\n".join([header, *rows]) + "\n"


def as_rows(tracker: PerformanceTracker) -> dict[str, list[tuple[Any, ...]]]:
    """All books of a tracker as sorted rows, to compare two ledgers."""
    query = tracker.ledger.connection.execute
    tables = {
        "position": "*",
        "booked": "*",
        "log_stream": "account, symbol, records, closed, as_fills",
        "tally": "account, session, currency, body",
    }
    found = {
        name: sorted(query(f"SELECT {columns} FROM {name}").fetchall(), key=str)
        for name, columns in tables.items()
    }
    # 1 and 1.00 are one amount
    found["tally"] = [(*row[:3], msgspec.json.decode(row[3], type=Tally)) for row in found["tally"]]
    return found
