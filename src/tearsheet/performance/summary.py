"""The one shape that command line, files, API, dashboard and rules read.

Everything above this waist shows a summary and adds nothing up.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from msgspec import Struct, field, to_builtins

from tearsheet.performance.metric import Day, MetricScalar, MetricValue
from tearsheet.trade.amount import to_plain_string
from tearsheet.trade.session import WindowKind

SCHEMA = "tearsheet.summary/1"

PARTIAL_CODES = {
    "rejected_lines": "lines that may belong to the window could not be read",
    "missing_days": "a past weekday inside the window has no log file",
    "unfinished_line": "a log file ends in half a line that is still being written",
    "mixed_modes": "PAPER and LIVE trades are added up together; choose one with --mode",
    "other_currencies": "trades in other currencies are left out; choose one with --currency",
    "overlapping_sources": "an account and symbol has both logged trades and fills, which may be the same",
    "stale_ledger": "files changed since, but the ledger cannot be written now",
}


class Scope(Struct, frozen=True):
    """Whose trading is summed up; None means all of them."""

    account: str | None = None
    strategy: str | None = None
    symbol: str | None = None
    mode: Literal["PAPER", "LIVE"] | None = None

    @property
    def needs_row_filter(self) -> bool:
        """Whether more than the account is chosen, so that kept tallies do not serve."""
        return self.strategy is not None or self.symbol is not None or self.mode is not None

    @property
    def label(self) -> str:
        """The scope in words."""
        named = (self.account, self.strategy, self.symbol, self.mode)
        return " · ".join(part for part in named if part) or "all accounts"


class WindowView(Struct, frozen=True):
    """The window as shown: first and last session inclusive, and the instants it covers."""

    kind: WindowKind
    start: date
    end: date
    label: str
    timezone: str
    day_starts_at: str
    starts_at: datetime
    ends_at: datetime
    last_trades: int | None = None


class PartialReason(Struct, frozen=True):
    """Why a summary may lack something: a code of `PARTIAL_CODES` and the particulars."""

    code: str
    detail: str


class Freshness(Struct, frozen=True):
    """How new the numbers are. Exports ignore it when they ask whether anything changed."""

    revision: int
    as_of: datetime
    last_fill_at: datetime | None
    data_age_s: float | None


class Variance(Struct, frozen=True):
    """A metric beside its target. `met` is None while it cannot be judged, with the reason."""

    target: str
    metric: str
    actual: MetricScalar
    target_value: Decimal = field(name="wanted")
    variance: Decimal | float | None
    met: bool | None
    reason: str | None = None


class TradeLogCounts(Struct, frozen=True):
    """How many account–symbol pairs of the trade log were read as results, and how many as fills."""

    mode: str
    as_trades: int
    as_fills: int


class PerformanceSummary(Struct, frozen=True, kw_only=True):
    """What a stretch of trading came to, how complete the answer is, and how it compares to plan.

    Money is in `currency`. `metrics` maps each name of the metric table to value, n and reason.
    `unrealized_pnl` is that of the positions open now, at their marks; None with the reason.
    """

    schema: str = SCHEMA
    window: WindowView
    scope: Scope
    currency: str
    message: str
    metrics: dict[str, MetricValue]
    open_positions: int
    unrealized_pnl: Decimal | None = None
    unrealized_reason: str | None = None
    days: tuple[Day, ...]
    targets: tuple[Variance, ...] = ()
    partial: bool
    partial_reasons: tuple[PartialReason, ...]
    missing_days: tuple[date, ...]
    rejected_lines: int
    trade_log: TradeLogCounts
    freshness: Freshness

    def value(self, metric: str) -> MetricScalar:
        """The value of a metric by its name."""
        return self.metrics[metric].value

    @property
    def is_empty(self) -> bool:
        """Whether nothing was traded in the window."""
        return not self.metrics["total_trades"].value and not self.metrics["net_pnl"].n


def to_plain_builtins(value: object) -> Any:
    """A value as dicts, lists and scalars; decimals stay `Decimal` in canonical digits."""
    return _canonical(to_builtins(value, builtin_types=(Decimal, date, datetime)))


def _canonical(value: Any) -> Any:
    if isinstance(value, Decimal):
        return Decimal(to_plain_string(value))
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value
