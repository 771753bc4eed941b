"""A closed position reduced to what groups, distributions and sorted lists ask of it."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from tearsheet.trade.position import Outcome


class ClosedTrade(Struct, frozen=True, gc=False):
    """The end of a position: its session and wall-clock hour, whose it was, and what it brought."""

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
    #: one of its tags, where closings are grouped by these
    tag: str | None = None
