"""The shapes of the answers about how results came about and how they spread."""

from datetime import date, datetime
from typing import Literal

from msgspec import Struct

from tearsheet.app.analysis.charts import TradeDetail
from tearsheet.app.analysis.lists import PositionView
from tearsheet.performance.breakdown import Group
from tearsheet.performance.calendar import CalendarResults
from tearsheet.performance.distribution import Distribution
from tearsheet.performance.rolling import RollingPoint
from tearsheet.performance.series import DailyPoint, FillPoint
from tearsheet.performance.summary import PartialReason
from tearsheet.web.schemas.performance import MetricNumber, Success


class ResponseContext(Struct, kw_only=True):
    """What an answer is about. `partial_reasons` say what of the newest could not be seen."""

    status: Success
    timestamp: datetime
    window: str
    start: date
    end: date
    currency: str
    partial_reasons: tuple[PartialReason, ...]


class CalendarAnswer(ResponseContext, kw_only=True):
    """The days that traded, whole weeks, months, and the total of the window."""

    data: CalendarResults


class EquityAnswer(ResponseContext, kw_only=True):
    """The running total by session, from 0 at the start of the window."""

    data: tuple[DailyPoint, ...]


class ByFillAnswer(ResponseContext, kw_only=True):
    """The running total by fill, from 0 at the start of the window; long ones are thinned."""

    data: tuple[FillPoint, ...]


class BreakdownAnswer(ResponseContext, kw_only=True):
    """Closed positions by group."""

    by: str
    data: tuple[Group, ...]


class DistributionAnswer(ResponseContext, kw_only=True):
    """Counts of results in bins."""

    of: Literal["net", "r"]
    data: Distribution


class RollingAnswer(ResponseContext, kw_only=True):
    """Rates over the last `trades` closed positions, with their 95 % bands."""

    trades: int
    data: tuple[RollingPoint, ...]


class MetricComparisonView(Struct, kw_only=True):
    """A metric of both stretches; `change` is this − other, `better` null where neither is."""

    metric: str
    label: str
    unit: str
    this: MetricNumber
    other: MetricNumber
    change: float | None
    better: bool | None


class Comparison(Struct, kw_only=True):
    """Two stretches side by side."""

    this: str
    other: str
    this_scope: str
    other_scope: str
    metrics: tuple[MetricComparisonView, ...]


class ComparisonAnswer(ResponseContext, kw_only=True):
    """Every metric of two windows or scopes."""

    data: Comparison


class TradesAnswer(ResponseContext, kw_only=True):
    """A page of closed positions, filtered and sorted; `total` is how many the filter leaves."""

    total: int
    offset: int
    data: tuple[PositionView, ...]


class PositionAnswer(Struct, kw_only=True):
    """A position with its bookings and where each fill was read."""

    status: Success
    timestamp: datetime
    data: TradeDetail
