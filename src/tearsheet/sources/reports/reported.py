"""What a broker's report says, as values: sums of days and periods, and the fills behind them."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

from tearsheet.sources.layouts.layout import Effect
from tearsheet.sources.layouts.report_rules import Method, StatedQuantity
from tearsheet.trade.fill import Fill, Rejection

Role = Literal["opening", "closing", ""]


class ReportLine(Struct, frozen=True, kw_only=True):
    """A line of a report, and what it says.

    `realized` is before fees, `paid` the fees of both sides of what was closed, `net` what is left,
    `fees` those of the fills of the day. One without `symbol` is of all instruments, with `currency`
    of those in that money. It is of a `day` (the broker's own), of an instant, or of all days from
    `since` to `day`.
    """

    line: int
    account: str
    amounts: Mapping[StatedQuantity, Decimal]
    symbol: str | None = None
    currency: str | None = None
    since: date | None = None
    day: date | None = None
    at: datetime | None = None


class ReportedFill(Struct, frozen=True):
    """A fill that a report lists, or on which one of its round trips rests; `has_fee`: with its costs."""

    line: int
    fill: Fill
    role: Role = ""
    has_fee: bool = False
    effect: Effect = ""


class BrokerReport(Struct, kw_only=True):
    """A report that was read. `whole`: it lists all fills of its period, `pairs`: those of what was closed,
    `fees_in_price`: its mean prices have the fees in them.

    `period` has the first and the last day of each account that states them, in `zone`; `rejected` the
    lines that could not be used, `notes` what was left out on purpose.
    """

    layout: str
    title: str
    lines: list[ReportLine]
    fills: list[ReportedFill] = []
    method: Method = ""
    is_complete: bool = False
    from_round_trips: bool = False
    fees_in_price: bool = False
    period: dict[str, tuple[date, date]] = {}
    zone: ZoneInfo | None = None
    rejected: list[Rejection] = []
    notes: list[str] = []
