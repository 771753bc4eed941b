"""Fills of a CSV to positions by nautilus_trader, run by an interpreter that has it: `peer.py FILE`.

It keeps nothing on the disk, knows no fill from another file, and makes no sums of days: it is the
nearest work that is to be had. Prints seconds of CPU, MiB, and how many positions came to an end.
"""

import csv
import resource
import sys
import time
from collections.abc import Mapping
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

enums, events, identifiers, objects = (
    import_module(f"nautilus_trader.model.{name}") for name in ("enums", "events", "identifiers", "objects")
)
Position = import_module("nautilus_trader.model.position").Position
Instruments = import_module("nautilus_trader.test_kit.providers").TestInstrumentProvider
new_id = import_module("nautilus_trader.core.uuid").UUID4


class Fills:
    """Makes the events that its positions take."""

    def __init__(self) -> None:
        self._instruments: dict[str, Any] = {}

    def instrument(self, symbol: str) -> Any:
        """A stock of that name."""
        if symbol not in self._instruments:
            self._instruments[symbol] = Instruments.equity(symbol=symbol, venue="XNAS")
        return self._instruments[symbol]

    def event(self, row: Mapping[str, str], side: Any, quantity: int, trade: str) -> Any:
        """A fill, or the part of one that ends or begins a position."""
        at = int(datetime.fromisoformat(row["time"]).timestamp() * 1_000_000) * 1000
        instrument = self.instrument(row["symbol"])
        fee = float(row["commission"]) * quantity / int(row["quantity"])
        return events.OrderFilled(
            trader_id=identifiers.TraderId("T-1"),
            strategy_id=identifiers.StrategyId("S-1"),
            instrument_id=instrument.id,
            client_order_id=identifiers.ClientOrderId(f"O-{trade}"),
            venue_order_id=identifiers.VenueOrderId(trade),
            trade_id=identifiers.TradeId(trade),
            account_id=identifiers.AccountId(row["account"]),
            position_id=identifiers.PositionId(f"{row['account']}-{row['symbol']}"),
            order_side=side,
            order_type=enums.OrderType.MARKET,
            last_qty=objects.Quantity.from_int(quantity),
            last_px=objects.Price.from_str(row["price"]),
            currency=instrument.quote_currency,
            commission=objects.Money(fee, instrument.quote_currency),
            liquidity_side=enums.LiquiditySide.TAKER,
            event_id=new_id(),
            ts_event=at,
            ts_init=at,
        )


def positions_of(path: str) -> int:
    """How many positions the fills of a file make and close."""
    fills, held, closed = Fills(), dict[tuple[str, str], Any](), 0
    with Path(path).open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            stream = (row["account"], row["symbol"])
            side = enums.OrderSide.BUY if row["side"] == "BUY" else enums.OrderSide.SELL
            left = int(row["quantity"])
            while left:
                position = held.get(stream)
                ends = position is not None and position.entry != side
                part = min(left, int(position.quantity)) if ends else left
                left -= part  # it does not take a reversal in one piece
                event = fills.event(row, side, part, f"{row['fill_id']}-{left}")
                if position is None:
                    held[stream] = Position(instrument=fills.instrument(row["symbol"]), fill=event)
                    continue
                position.apply(event)
                if position.is_closed:
                    closed += 1
                    del held[stream]
    return closed


def main() -> None:
    """Read the file that is named."""
    started = time.process_time()
    closed = positions_of(sys.argv[1])
    seconds = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{seconds:.2f} {peak:.0f} {closed}")


if __name__ == "__main__":
    main()
