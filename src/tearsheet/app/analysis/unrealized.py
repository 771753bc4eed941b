"""What the open positions would bring at their marks, the last known prices; never guessed."""

from collections.abc import Iterable
from decimal import Decimal

from msgspec import Struct

from tearsheet.store.tables.marks import Mark, Marks
from tearsheet.store.tables.queries import Queries
from tearsheet.trade.amount import ZERO, exact
from tearsheet.trade.position import Position


class Unrealized(Struct, frozen=True):
    """Money that open positions would bring, before the fees of closing them; None with the reason."""

    value: Decimal | None
    reason: str | None = None


def unrealized_of_position(position: Position, mark: Mark | None) -> Unrealized:
    """What one open position would bring at a mark."""
    if mark is None:
        return Unrealized(None, f"no mark for {position.symbol}")
    if mark.time < position.last_at:
        return Unrealized(None, f"the mark of {position.symbol} is older than its last fill")
    with exact():
        return Unrealized(position.unrealized(mark.price))


def unrealized_total(queries: Queries, positions: Iterable[Position], open_log_trades: int) -> Unrealized:
    """What all positions, of one currency, would bring; None as soon as one of them has no price."""
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
