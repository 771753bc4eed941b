"""The performance summary, shared by command line, files, API, dashboard and rules.

Code above this module displays summaries and computes no totals.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from msgspec import Struct, field, to_builtins

from tearsheet.performance.metric import Day, MetricScalar, MetricValue
from tearsheet.trade.amount import to_plain_string
from tearsheet.trade.event import ACCOUNT_PARTS
from tearsheet.trade.rate import RateKind
from tearsheet.trade.session import WindowKind

SCHEMA = "tearsheet.summary/1"

#: `breach` is a missed target or a breached limit, `unknown` a limit that cannot be evaluated.
SummaryState = Literal["ok", "breach", "unknown", "partial"]

PARTIAL_CODES = {
    "rejected_lines": "some rows that may belong to this period were rejected",
    "missing_days": "a log file is missing for a past weekday in this period",
    "unfinished_line": "a log file ends in an incomplete line (still being written)",
    "records_vanished": "a log file no longer has records that were read; they stay booked until somebody decides",
    "mixed_log": "a log has executions and closed trades; both stay booked until somebody decides how it is read",
    "differs_from_broker": "an imported statement has other results, fees, positions or fills than the books",
    "source_gone": "a known log file, folder or settings file is gone; what was read of it goes on",
    "refused_statement": "a file in a watched folder of statements cannot be read",
    "watcher_gone": "the watcher died, so statements in its folders may be unread",
    "unread_file": "a file in the log folder may hold a log, and is not read for its name",
    "mixed_modes": "paper and live trades are combined; filter with --mode",
    "other_currencies": "amounts in other currencies are excluded; choose a currency with --currency",
    "missing_rate": "amounts in other currencies have no exchange rate and stay out; state one with `tearsheet rates`",
    "overlapping_sources": "an account has trade-log entries and imported fills of one symbol; they may be duplicates",
    "unmatched_closes": "fills or events close what nothing opened; they are kept, and in no figure",
    "unknown_cost": "what was sold came without its cost, so its result is not known",
    "contradiction": "an event, or the multiplier or currency of a fill, does not fit what is held",
    "other_multiplier": "imported fills are booked by another multiplier than the instruments state now",
    "allocation_unknown": "no share of the cost is stated for a spin-off: the sum is right, its parts are not",
    "foreign_fee": "fees are in another currency than their trades and have no rate; they stand in their own",
    "opening_from_reported": "what was held before is taken from the broker's own results, by the user's choice",
    "executions_missing": "executions account for a part of a closed trade only; the rest is booked at its own price",
    "unsettled_expiry": "options past their expiry are still open; no row says how they ended",
    "nothing_heard": "limits are stated, and no account was ever heard of that they would be of",
    "stale_ledger": "files have changed but the ledger cannot be updated right now",
    "clock_back": "the clock stands before a time that has passed, so the present window may be another one",
    "other_limits": "another process judges by another file of targets and limits",
    "bad_targets": "the targets file cannot be read, so targets are not evaluated",
}


class Scope(Struct, frozen=True):
    """Filter by account, strategy, symbol and mode; None means all."""

    account: str | None = None
    strategy: str | None = None
    symbol: str | None = None
    mode: Literal["PAPER", "LIVE"] | None = None

    @property
    def needs_row_filter(self) -> bool:
        """Return whether stored tallies cannot be used, because they exist per account only."""
        return self.strategy is not None or self.symbol is not None or self.mode is not None

    @property
    def label(self) -> str:
        """Return the scope as text."""
        parts = (self.account, self.strategy, self.symbol, self.mode)
        return " · ".join(part for part in parts if part) or "all accounts"


class WindowView(Struct, frozen=True):
    """Window with its first and last session, both included, and the instants it covers."""

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
    """Reason why a summary may be incomplete: a code of `PARTIAL_CODES` and detail."""

    code: str
    detail: str


class SummaryNote(Struct, frozen=True):
    """Something to know beside the numbers of a summary, which is complete nevertheless: a code and detail."""

    code: str
    detail: str


class SourceAge(Struct, frozen=True, kw_only=True):
    """Age of what a source of an account said last.

    `stale` is what is longer silent than `stale_after` allows; `quiet` one whose silence says nothing: without a
    `stale_after`, outside the trading hours, where it is stated to be normal, and a statement beside a live source.
    """

    kind: Literal["log", "posts", "statement", "heartbeat"]
    name: str
    last_at: datetime
    age_s: float
    state: Literal["ok", "stale", "quiet"]


class SessionRate(Struct, frozen=True):
    """Rate by which a session's amounts in a currency were converted.

    `kind` says how it came about, `day` is that of the stated rates it is made of, None for a peg.
    """

    session: date
    currency: str
    rate: Decimal
    kind: RateKind
    day: date | None
    stated: tuple[str, ...]
    pegs: tuple[str, ...]


class MissingRate(Struct, frozen=True):
    """Amounts of a currency that stay out, because there is no rate: results of sessions, or the balance at the end."""

    currency: str
    first: date
    last: date
    net_pnl: Decimal
    result: Decimal


class Conversion(Struct, frozen=True, kw_only=True):
    """A window in the base currency: balance = opening_balance + result + flows + fx_result.

    `fx_result` is what rates did to balances, apart from every result. The balances are None, with a reason, where no
    starting balance is stated. Amounts of `missing` are in none of these; where a part of such a currency has a rate,
    or money was converted from or into it, `fx_result` is None with `fx_reason`, and a balance that lacks it is, too.
    """

    base: str
    gross: Decimal
    fees: Decimal
    carry: Decimal
    net_pnl: Decimal
    income: Decimal
    costs: Decimal
    tax: Decimal
    result: Decimal
    flows: Decimal
    fx_result: Decimal | None
    fx_reason: str | None
    opening_balance: Decimal | None
    balance: Decimal | None
    balance_reason: str | None
    rates: tuple[SessionRate, ...]
    missing: tuple[MissingRate, ...]


class Freshness(Struct, frozen=True):
    """Age of the data, and of what each source said last. Exports ignore it when they detect changes."""

    revision: int
    as_of: datetime
    last_fill_at: datetime | None
    data_age_s: float | None
    feeds: tuple[SourceAge, ...] = ()


class Variance(Struct, frozen=True):
    """Metric compared with its target. `met` is None, with a reason, while it is not evaluated."""

    target: str
    metric: str
    actual: MetricScalar
    target_value: Decimal = field(name="wanted")
    variance: Decimal | float | None
    met: bool | None
    reason: str | None = None


class TradeLogCounts(Struct, frozen=True):
    """Number of account–symbol pairs of the trade log that were read as trades and as fills.

    An account that states a result is read as trades, with all its symbols; any other as fills. Where fills had closed
    something before its first result, it is read as both.
    """

    mode: str
    as_trades: int
    as_fills: int

    @property
    def label(self) -> str:
        """Return how the trade log is read, as a text; empty without one."""
        uses = [
            word for number, word in ((self.as_trades, "trades"), (self.as_fills, "executions")) if number
        ]
        return f"trade log read as {' and '.join(uses)}" if uses else ""


class LimitStatus(Struct, frozen=True):
    """Present limit status of an account, with the reasons why it is not `ok`."""

    account: str
    state: Literal["ok", "warn", "breach", "unknown"]
    must_be_flat: bool
    trading_day: date
    reasons: tuple[PartialReason, ...]


class PerformanceSummary(Struct, frozen=True, kw_only=True):
    """Results of a window, their completeness, their targets, and the limits of their accounts.

    Money is in `currency`. `metrics` has every name of the metric table. `unrealized_pnl` is that of
    the positions open now, at mark prices, or None with a reason. `targets`, `limits` and `state` are
    set by `Judge`; a `state` of None means that nothing was evaluated. `conversion` is how amounts in other
    currencies were converted, None unless asked for.
    A note `no_fees_stated` says that fills have no fees because nobody stated any, `cash_not_booked`
    which money of statements is in no balance.
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
    limits: tuple[LimitStatus, ...] = ()
    state: SummaryState | None = None
    partial: bool
    partial_reasons: tuple[PartialReason, ...]
    missing_days: tuple[date, ...]
    notes: tuple[SummaryNote, ...] = ()
    rejected_lines: int
    trade_log: TradeLogCounts
    conversion: Conversion | None = None
    freshness: Freshness

    def value(self, metric: str) -> MetricScalar:
        """Return the value of a metric by its name."""
        return self.metrics[metric].value

    @property
    def is_empty(self) -> bool:
        """Return whether the window has neither trades nor fills, and no money came or went."""
        traded = self.metrics["total_trades"].value or self.metrics["net_pnl"].n
        return not traded and not self.has_account_money

    @property
    def has_account_money(self) -> bool:
        """Return whether money moved beside trading."""
        return any(self.value(name) for name in ACCOUNT_PARTS)

    @property
    def shown_metrics(self) -> list[str]:
        """Return the names of the metrics, without those of money beside trading where there is none."""
        hidden: set[str] = set() if self.has_account_money else {"result", *ACCOUNT_PARTS}
        if self.value("balance") is None:
            hidden |= {"balance", "total_return", "return_drawdown"}
        return [name for name in self.metrics if name not in hidden]


def to_plain_builtins(value: object) -> Any:
    """Convert to dicts, lists and scalars; decimals stay `Decimal` in canonical digits."""
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
