"""Compact form of a closed position for breakdowns, distributions and sorted lists."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from tearsheet.trade.position import Outcome


class ClosedTrade(Struct, frozen=True, gc=False):
    """A closed position; `session` and local `hour` are those of its last fill, `net` is P&L after fees."""

    id: str
    account: str
    symbol: str
    strategy: str | None
    side: Literal["long", "short"]
    closed_at: datetime
    session: date
    hour: int
    held: timedelta | None
    quantity: Decimal
    net: Decimal
    r: Decimal | None
    outcome: Outcome
    #: one of its tags, if trades are grouped by tag
    tag: str | None = None
