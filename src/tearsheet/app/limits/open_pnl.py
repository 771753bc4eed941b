"""Unrealized P&L of an account's open positions at the last known prices, as its limits count it."""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from tearsheet.rules.limit import AccountLimits
from tearsheet.rules.limit_sums import UnrealizedPnl, compute_unrealized_pnl
from tearsheet.store.tables.prices import Marks
from tearsheet.store.tables.queries import Queries
from tearsheet.trade.position import Position
from tearsheet.trade.session import EARLIEST


def unrealized(
    queries: Queries, positions: Sequence[Position], plan: AccountLimits, now: datetime
) -> tuple[datetime, UnrealizedPnl]:
    """Return the time of the newest mark and the unrealized P&L of open positions.

    Marks older than the last fill of their position, or older than `stale_after`, are ignored.
    """
    marks = Marks(queries).for_symbols(p.symbol for p in positions)
    filled = {p.symbol: p.last_at for p in positions}
    for symbol, mark in list(marks.items()):
        too_old = plan.stale_after is not None and now - mark.time > plan.stale_after
        if mark.time < filled[symbol] or too_old:
            del marks[symbol]
    at = max((mark.time for mark in marks.values()), default=EARLIEST)
    pnl = compute_unrealized_pnl(positions, {symbol: mark.price for symbol, mark in marks.items()})
    return at, replace(pnl, oldest=min((mark.time for mark in marks.values()), default=None))
