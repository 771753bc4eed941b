"""Response types of results, metrics and the numbers behind them."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from tearsheet.app.reports import Explanation
from tearsheet.performance.metric import MetricValue
from tearsheet.performance.summary import (
    Conversion,
    LimitStatus,
    PartialReason,
    SummaryNote,
    SummaryState,
    TradeLogCounts,
)
from tearsheet.rules import AlertEvent
from tearsheet.web.schemas.answer import Success


# a view because msgspec describes no union of Decimal and str; the JSON number has every digit
class TargetVariance(Struct, kw_only=True):
    """A metric compared with its target; `met` is null, with a reason, while it is not evaluated."""

    target: str
    metric: str
    actual: float | str | None
    wanted: Decimal
    variance: float | None
    met: bool | None
    reason: str | None


class Numbers(Struct, kw_only=True):
    """Results of a window. Money is in `currency`, `win_rate` a fraction, null without trades.

    `result` is net P&L + income - costs - tax, `balance` that at the end of the window. Both, and `flows`, are null for
    a strategy, a symbol or a mode, `balance` also where no starting balance is stated.

    `state` is breach for a missed target or a breached limit, unknown if a limit cannot be judged, partial
    if something may be missing, else ok.
    """

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
    carry: Decimal
    income: Decimal | None
    costs: Decimal | None
    tax: Decimal | None
    result: Decimal | None
    flows: Decimal | None
    balance: Decimal | None
    open_positions: int
    unrealized_pnl: Decimal | None
    unrealized_reason: str | None
    message: str
    conversion: Conversion | UnsetType = UNSET
    state: SummaryState
    targets: tuple[TargetVariance, ...]
    limits: tuple[LimitStatus, ...]
    alerts: tuple[AlertEvent, ...]
    trade_log: TradeLogCounts


class DailyNumbers(Numbers, kw_only=True):
    """A day; `daily_pnl` is every realized result of the session after fees."""

    daily_pnl: Decimal


class WeeklyNumbers(Numbers, kw_only=True):
    """A week, Monday to Sunday."""

    weekly_pnl: Decimal


class MonthlyNumbers(Numbers, kw_only=True):
    """A calendar month."""

    monthly_pnl: Decimal


class Metadata(Struct, kw_only=True):
    """Calculation, age and completeness of an answer."""

    calculation_method: Literal["position_based"]
    timezone: str
    day_starts_at: str
    starts_at: datetime
    ends_at: datetime
    partial: bool
    partial_reasons: tuple[PartialReason, ...]
    notes: tuple[SummaryNote, ...]
    missing_days: tuple[date, ...]
    rejected_lines: int
    last_updated: datetime
    revision: int
    last_fill_at: datetime | None
    data_age_s: float | None


class PeriodAnswer(Struct, kw_only=True):
    """Fields that all answers about a window have."""

    status: Success
    timestamp: datetime
    metadata: Metadata


class DailyAnswer(PeriodAnswer, kw_only=True):
    """Performance of one session."""

    period: Literal["daily"]
    date: date
    data: DailyNumbers


class WeeklyAnswer(PeriodAnswer, kw_only=True):
    """Performance of a week."""

    period: Literal["weekly"]
    week_start: date
    week_end: date
    data: WeeklyNumbers


class MonthlyAnswer(PeriodAnswer, kw_only=True):
    """Performance of a month."""

    period: Literal["monthly"]
    month_start: date
    month_end: date
    data: MonthlyNumbers


class SummaryAnswer(PeriodAnswer, kw_only=True):
    """The whole summary of any window; `data` follows `performance-summary.schema.json`."""

    period: str
    data: dict[str, Any]


# a view because msgspec describes no union of Decimal and str; the JSON number has every digit
class MetricNumber(MetricValue, frozen=True):
    """A metric's value with the size of its sample, or null with the reason."""

    value: float | str | None


class ExplanationView(Explanation, frozen=True, kw_only=True):
    """A metric of a window and every term of it; the terms add up to `total` exactly."""

    value: MetricNumber


# a view because the API has its own keys for three columns
class MetricDefinition(Struct, kw_only=True):
    """A row of the table of metrics."""

    name: str
    label: str
    unit: str
    words: str
    needs: int
    undefined: str
