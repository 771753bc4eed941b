"""Unrealized P&L of open positions at their marks (last known prices); undefined without a current mark."""

from collections.abc import Iterable
from decimal import Decimal

from msgspec import Struct

from tearsheet.store.tables.prices import Mark, Marks
from tearsheet.store.tables.queries import Queries
from tearsheet.trade.amount import ZERO, exact
from tearsheet.trade.position import Position


class Unrealized(Struct, frozen=True):
    """Unrealized P&L before closing fees; None with a reason if it is undefined."""

    value: Decimal | None
    reason: str | None = None


def unrealized_of_position(position: Position, mark: Mark | None) -> Unrealized:
    """Return the unrealized P&L of an open position; undefined if the mark is missing or older than its last fill."""
    if mark is None:
        return Unrealized(None, f"no mark for {position.symbol}")
    if position.has_unknown_cost:
        return Unrealized(None, "what the position cost is not known")
    if mark.time < position.last_at:
        return Unrealized(None, f"the mark of {position.symbol} is older than its last fill")
    with exact():
        return Unrealized(position.unrealized(mark.price))


def unrealized_total(queries: Queries, positions: Iterable[Position], open_log_trades: int) -> Unrealized:
    """Return the unrealized P&L of positions in one currency.

    Undefined if that of any position is, or if the trade log has open trades, whose size is unknown.
    """
    if open_log_trades:
        return Unrealized(None, f"{open_log_trades} open trades of the log say no size left")
    marks, total = Marks(queries), ZERO
    for position in positions:
        its = unrealized_of_position(position, marks.get(position.symbol))
        if its.value is None:
            return its
        with exact():
            total += its.value
    return Unrealized(total)
