"""Response types of charts and of the trade list."""

from datetime import date, datetime
from typing import Generic, Literal, TypeVar

from msgspec import Struct

from tearsheet.app.analysis.lists import PositionView
from tearsheet.performance.breakdown import Group
from tearsheet.performance.comparison import MetricComparison
from tearsheet.performance.distribution import Distribution
from tearsheet.performance.rolling import RollingPoint
from tearsheet.performance.summary import PartialReason
from tearsheet.web.schemas.answer import Success
from tearsheet.web.schemas.performance import MetricNumber

T = TypeVar("T")


class ResponseContext(Struct, kw_only=True):
    """Window and currency of an answer. `partial_reasons` say which of the newest data it lacks."""

    status: Success
    timestamp: datetime
    window: str
    start: date
    end: date
    currency: str
    partial_reasons: tuple[PartialReason, ...]


class ChartAnswer(ResponseContext, Generic[T], kw_only=True):
    """Data of a chart, of one window and currency."""

    data: T


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


class MetricComparisonView(MetricComparison, frozen=True):
    """A metric of both windows; `change` is this − other, `better` null where neither is."""

    this: MetricNumber
    other: MetricNumber
    change: float | None


class Comparison(Struct, kw_only=True):
    """Two windows or scopes compared."""

    this: str
    other: str
    this_scope: str
    other_scope: str
    metrics: tuple[MetricComparisonView, ...]


class TradesAnswer(ResponseContext, kw_only=True):
    """A page of closed positions, filtered and sorted; `total` counts all that match the filter."""

    total: int
    offset: int
    data: tuple[PositionView, ...]
