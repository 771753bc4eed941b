"""Limits of an account: thresholds, warning levels, and the reset period of each limit."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from tearsheet.trade.amount import ZERO
from tearsheet.trade.session import DAY, Window

LimitName = Literal[
    "daily_loss",
    "weekly_loss",
    "monthly_loss",
    "max_drawdown",
    "max_trades",
    "max_losses_in_a_row",
    "max_open_quantity",
    "profit_lock",
    "trading_hours",
]
LimitUnit = Literal["money", "count", "quantity"]
#: Reset period of a breach; `life`: until it is released.
Period = Literal["day", "week", "month", "life"]
EquityBasis = Literal["closed", "end_of_day", "open_pnl"]
#: Policy while the limit status is unknown: keep positions, or act as for a breach.
OnUnknown = Literal["hold", "breach"]

WARN_AT = (Decimal(50), Decimal(75), Decimal(90))
HYSTERESIS = Decimal(5)
STALE_AFTER = timedelta(minutes=15)


class LimitType(Struct, frozen=True):
    """Row of the table of limits. `breach_when_equal`: a value equal to the threshold is a breach."""

    unit: LimitUnit
    period: Period
    breach_when_equal: bool
    description: str


LIMITS: dict[LimitName, LimitType] = {
    "daily_loss": LimitType("money", "day", True, "Net loss of the trading day"),
    "weekly_loss": LimitType("money", "week", True, "Net loss of the week (from Monday)"),
    "monthly_loss": LimitType("money", "month", True, "Net loss of the calendar month"),
    "max_drawdown": LimitType(
        "money", "life", True, "Decline of equity from its start (static) or its peak (trailing)"
    ),
    "max_trades": LimitType("count", "day", True, "Closed trades in the trading day"),
    "max_losses_in_a_row": LimitType("count", "day", True, "Consecutive losing trades in the trading day"),
    "max_open_quantity": LimitType("quantity", "day", False, "Largest open position size"),
    "profit_lock": LimitType("money", "day", True, "Share of the day's peak profit that was given back"),
    "trading_hours": LimitType("count", "day", True, "Fills or open positions outside trading hours"),
}


class TimeOfDayRange(Struct, frozen=True):
    """Range `[start, end)` of local times; it may cross midnight."""

    start: time
    end: time

    def contains(self, clock: time) -> bool:
        """Return whether a local time is in the range."""
        if self.start < self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end


class Limit(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """One limit. `threshold` is money, a count or a quantity; for a profit lock the percentage of
    the day's highest P&L that may be given back, once that P&L reached `armed_from`.

    Warnings start at `warn_at` percent of the threshold and end `hysteresis` percentage points below.
    They need `min_trades` closed trades of the day and are muted in `mute_windows`; a breach is
    neither delayed nor muted.
    """

    name: LimitName
    threshold: Decimal
    warn_at: tuple[Decimal, ...] = WARN_AT
    hysteresis: Decimal = HYSTERESIS
    min_trades: int = 0
    mute_windows: tuple[TimeOfDayRange, ...] = field(default=(), name="silence")
    on_unknown: OnUnknown = "hold"
    basis: EquityBasis = "closed"
    trailing: bool = False
    lock_at: Decimal | None = None
    since: date | None = None
    per_symbol: bool = False
    armed_from: Decimal = ZERO
    trading_hours: tuple[TimeOfDayRange, ...] = field(default=(), name="hours")

    @property
    def type(self) -> LimitType:
        """Return the limit's row of the table."""
        return LIMITS[self.name]

    @property
    def needs_marks(self) -> bool:
        """Return whether the limit needs mark prices of open positions."""
        return self.basis == "open_pnl"


class AccountLimits(Struct, frozen=True):
    """Limits of one account; with data older than `stale_after` its status is unknown.

    `on_unknown` is what the block itself states, None if it states nothing.
    """

    limits: tuple[Limit, ...] = ()
    stale_after: timedelta | None = STALE_AFTER
    on_unknown: OnUnknown | None = None

    def get(self, name: LimitName) -> Limit | None:
        """Return the limit of a name, or None."""
        return next((limit for limit in self.limits if limit.name == name), None)


class Limits(Struct, frozen=True):
    """The `limits:` of the targets file: limits of named accounts, and the default of all others."""

    default: AccountLimits = AccountLimits()
    accounts: dict[str, AccountLimits] = {}

    def for_account(self, account: str) -> AccountLimits:
        """Return the limits that apply to an account."""
        return self.accounts.get(account, self.default)


def limit_label(name: str) -> str:
    """Return the plain name of a limit, such as Daily loss."""
    return name.replace("_", " ").capitalize()


def format_usage(name: str, value: Decimal | None) -> str:
    """Return a value of a limit for people: money with cents, unless it is whole."""
    if value is None:
        return "—"
    if LIMITS[name].unit == "money" and value != value.to_integral_value():  # type: ignore[index]
        return f"{value:,.2f}"
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def period_start(period: Period, session: date) -> date | None:
    """Return the first date of the period that contains a session; None if it never resets."""
    if period == "day":
        return session
    if period == "week":
        return Window.containing("weekly", session).start
    return Window.containing("monthly", session).start if period == "month" else None


def period_end(period: Period, session: date) -> date | None:
    """Return the first date after the period that contains a session; None if it never resets."""
    if period == "day":
        return session + DAY
    if period == "week":
        return Window.containing("weekly", session).end
    return Window.containing("monthly", session).end if period == "month" else None


def is_within(ranges: tuple[TimeOfDayRange, ...], at: datetime, zone: ZoneInfo) -> bool:
    """Return whether an instant is in one of the ranges, in local time."""
    clock = at.astimezone(zone).time()
    return any(one.contains(clock) for one in ranges)


def range_ends(
    ranges: tuple[TimeOfDayRange, ...], since: datetime, until: datetime, zone: ZoneInfo
) -> Iterator[datetime]:
    """Yield the instants in `[since, until)` at which a range ends and no other continues, in order."""
    day, last = since.astimezone(zone).date() - DAY, until.astimezone(zone).date() + DAY
    while day <= last:
        ends = {datetime.combine(day, one.end, zone).astimezone(UTC) for one in ranges}
        for end in sorted(ends):
            if since <= end < until and not is_within(ranges, end, zone):
                yield end
        day += DAY
