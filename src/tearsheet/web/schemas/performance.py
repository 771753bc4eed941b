"""The shapes of answers, as the OpenAPI document shows them."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from msgspec import Struct

from tearsheet.app.analysis.lists import PositionView
from tearsheet.app.reports import ExplainedFill, ExplainedTrade, ExplanationBasis, ReplacedFill
from tearsheet.performance.summary import PartialReason
from tearsheet.trade.fill import Side

Success = Literal["success"]


class Numbers(Struct, kw_only=True):
    """What a window came to. Money is in `currency`, `win_rate` a fraction, null without trades."""

    total_trades: int
    winning_trades: int
    losing_trades: int
    breakeven_trades: int
    win_rate: float | None
    currency: str
    closed_pnl: Decimal
    gross_profit: Decimal
    gross_loss: Decimal
    fees: Decimal
    open_positions: int
    unrealized_pnl: Decimal | None
    unrealized_reason: str | None
    message: str


class DailyNumbers(Numbers, kw_only=True):
    """A day; `daily_pnl` is every realised result of the session after fees."""

    daily_pnl: Decimal


class WeeklyNumbers(Numbers, kw_only=True):
    """A week, Monday to Sunday."""

    weekly_pnl: Decimal


class MonthlyNumbers(Numbers, kw_only=True):
    """A calendar month."""

    monthly_pnl: Decimal


class Metadata(Struct, kw_only=True):
    """How an answer was made, how new it is, and what it may lack."""

    calculation_method: Literal["position_based"]
    timezone: str
    day_starts_at: str
    starts_at: datetime
    ends_at: datetime
    partial: bool
    partial_reasons: tuple[PartialReason, ...]
    missing_days: tuple[date, ...]
    rejected_lines: int
    last_updated: datetime
    revision: int
    last_fill_at: datetime | None
    data_age_s: float | None


class DailyAnswer(Struct, kw_only=True):
    """Performance of one session."""

    status: Success
    timestamp: datetime
    period: Literal["daily"]
    date: date
    data: DailyNumbers
    metadata: Metadata


class WeeklyAnswer(Struct, kw_only=True):
    """Performance of a week."""

    status: Success
    timestamp: datetime
    period: Literal["weekly"]
    week_start: date
    week_end: date
    data: WeeklyNumbers
    metadata: Metadata


class MonthlyAnswer(Struct, kw_only=True):
    """Performance of a month."""

    status: Success
    timestamp: datetime
    period: Literal["monthly"]
    month_start: date
    month_end: date
    data: MonthlyNumbers
    metadata: Metadata


class SummaryAnswer(Struct, kw_only=True):
    """The whole summary of any window; `data` is as `performance-summary.schema.json` says."""

    status: Success
    timestamp: datetime
    period: str
    data: dict[str, Any]
    metadata: Metadata


class MetricNumber(Struct, kw_only=True):
    """A metric's value with the size of its sample, or null with the reason."""

    value: float | str | None
    n: int
    reason: str | None


class ExplanationView(Struct, kw_only=True):
    """A metric of a window, and everything it rests on; the terms add up to `total` exactly."""

    metric: str
    label: str
    words: str
    window: str
    currency: str
    value: MetricNumber
    basis: ExplanationBasis
    is_sum: bool
    total: Decimal
    bookings: tuple[ExplainedFill, ...]
    positions: tuple[ExplainedTrade, ...]
    superseded: tuple[ReplacedFill, ...]


class ExplainAnswer(Struct, kw_only=True):
    """What a number rests on."""

    status: Success
    timestamp: datetime
    data: ExplanationView


class FillView(Struct, kw_only=True):
    """A fill as it is kept."""

    account: str
    symbol: str
    time: datetime
    side: Side
    quantity: Decimal
    price: Decimal
    commission: Decimal
    multiplier: Decimal
    currency: str
    key: str
    rank: int
    fill_id: str | None
    order_id: str | None
    strategy: str | None
    stop_loss: Decimal | None
    target: Decimal | None
    mode: str | None


class FillsAnswer(Struct, kw_only=True):
    """A page of fills, the newest first."""

    status: Success
    timestamp: datetime
    data: tuple[FillView, ...]
    next_cursor: str | None


class PositionsAnswer(Struct, kw_only=True):
    """A page of positions, the newest first."""

    status: Success
    timestamp: datetime
    data: tuple[PositionView, ...]
    next_cursor: str | None


class RejectionView(Struct, kw_only=True, omit_defaults=True):
    """A line that could not be used."""

    file: str
    line: int
    text: str
    code: str
    reason: str
    hint: str = ""
    account: str | None = None


class RejectionsAnswer(Struct, kw_only=True):
    """Lines that could not be used, the newest first."""

    status: Success
    timestamp: datetime
    data: tuple[RejectionView, ...]
    next_cursor: str | None


class AlertsAnswer(Struct, kw_only=True):
    """A page of alerts in their last state, the newest first."""

    status: Success
    timestamp: datetime
    data: tuple[dict[str, Any], ...]
    next_cursor: str | None


class AlertAnswer(Struct, kw_only=True):
    """One alert."""

    status: Success
    timestamp: datetime
    data: dict[str, Any]


class AlertChangesAnswer(Struct, kw_only=True):
    """Every state that an alert was in, the first one first."""

    status: Success
    timestamp: datetime
    data: tuple[dict[str, Any], ...]


class AccountsAnswer(Struct, kw_only=True):
    """Every account that traded."""

    status: Success
    timestamp: datetime
    data: tuple[str, ...]


class MetricDefinition(Struct, kw_only=True):
    """A row of the table of metrics."""

    name: str
    label: str
    unit: str
    words: str
    needs: int
    undefined: str


class DefinitionsAnswer(Struct, kw_only=True):
    """The table of metrics."""

    status: Success
    timestamp: datetime
    data: tuple[MetricDefinition, ...]


class WriteResult(Struct, kw_only=True):
    """What became of a request: new ones, and those that were known; `repeated` by its key."""

    new: int
    known: int
    repeated: bool
    revision: int


class PostedAnswer(Struct, kw_only=True):
    """The fills or marks are kept."""

    status: Success
    timestamp: datetime
    data: WriteResult


class HealthCheck(Struct, kw_only=True):
    """Whether a part works, how long it took to say so, and what is wrong."""

    status: Literal["ok", "degraded", "down"]
    latency_ms: float
    detail: str | None = None


class HealthAnswer(Struct, kw_only=True):
    """Whether the service works. A shared cache that fails makes it slower, not unhealthy."""

    status: Literal["healthy", "degraded", "unhealthy"]
    timestamp: datetime
    version: str
    checks: dict[str, HealthCheck]


class AliveAnswer(Struct, kw_only=True):
    """The process answers."""

    status: Literal["ok"]
    timestamp: datetime


class ErrorDetail(Struct, kw_only=True, omit_defaults=True):
    """What is wrong with one item of a request."""

    index: int
    code: str
    reason: str
    hint: str = ""


class ErrorBody(Struct, kw_only=True, omit_defaults=True):
    """What went wrong. `id` is the request's id, in the log too."""

    code: int
    type: str
    message: str
    hint: str | None
    timestamp: datetime
    id: str
    details: tuple[ErrorDetail, ...] = ()


class ErrorAnswer(Struct, kw_only=True):
    """The one error body."""

    status: Literal["error"]
    error: ErrorBody
