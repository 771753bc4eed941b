"""Values of a broker's report: totals of days and periods, and the fills behind them."""

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
    """Line of a report with its stated amounts.

    `realized` is before fees, `paid` the fees of both sides of the closed quantity, `net` the difference,
    `fees` the fees of the day's fills. A line without `symbol` covers all instruments, and with `currency`
    those in that currency. It is for a `day` (the broker's own), for an instant, or for all days from
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
    """Fill that a report lists, or a side of one of its round trips. `has_fee`: with its costs."""

    line: int
    fill: Fill
    role: Role = ""
    has_fee: bool = False
    effect: Effect = ""


class BrokerReport(Struct, kw_only=True):
    """Content of a broker's report.

    `is_complete`: it lists all fills of its period. `from_round_trips`: it lists the fills of closed
    quantities only. `fees_in_price`: its average prices include the fees. `period` is the first and last
    day of each account that states them, in `zone`. `rejected` are the invalid rows, and `notes` describe
    what was left out on purpose.
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
